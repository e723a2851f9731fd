"""Odd encodings, kept as found or normalised to RGB JPEG."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash
from archives import tar_of_tars, write
from click.testing import CliRunner
from folders import members, small_jpeg, snapshot, write_tree
from images import SHARED, photo, shared_files
from PIL import Image

from fastinet import Dataset, cli, convert, decode, errors
from fastinet.format import manifest
from fastinet.images.normalise import to_rgb_jpeg

SIZE = (60, 40)


def _image(kind: str, mode: str, orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = io.BytesIO()
    Image.fromarray(photo(7, *SIZE)).convert(mode).save(content, kind, exif=exif, quality=95)
    return content.getvalue()


ODD = {
    "a/bmp.JPEG": _image("BMP", "RGB"),
    "a/cmyk.JPEG": _image("JPEG", "CMYK"),
    "a/gif.JPEG": _image("GIF", "P"),
    "a/gray_alpha.JPEG": _image("PNG", "LA"),
    "a/palette.JPEG": _image("PNG", "P"),
    "a/png.JPEG": _image("PNG", "RGBA"),
    "a/tiff.JPEG": _image("TIFF", "CMYK"),
    "a/turned_cmyk.JPEG": _image("JPEG", "CMYK", 6),
    "a/turned_png.JPEG": _image("PNG", "RGB", 8),
    "a/turned_tiff.JPEG": _image("TIFF", "RGB", 5),
    "a/webp.JPEG": _image("WEBP", "RGB", 3),
}
USUAL = {
    "a/gray.JPEG": _image("JPEG", "L"),
    "a/rgb.JPEG": small_jpeg(1),
    "a/turned.JPEG": _image("JPEG", "RGB", 6),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Usual images, and odd ones named as JPEG files. Read it; do not write to it."""
    return write_tree(tmp_path_factory.mktemp("odd") / "src", {**ODD, **USUAL})


def _tar(dst: Path) -> dict[str, bytes]:
    found = members(dst / "train" / "train-000000.tar")
    return {name: data for name, data in found.items() if not name.endswith(".cls")}


def test_odd_encodings_are_kept_as_found_by_default_and_listed(source: Path, tmp_path: Path) -> None:
    split = convert(source, tmp_path / "dst").splits["train"]
    by_stem = {name.rpartition(".")[0]: data for name, data in _tar(tmp_path / "dst").items()}
    assert by_stem == {name.removesuffix(".JPEG"): data for name, data in {**ODD, **USUAL}.items()}
    assert {kind: split.examples[kind] for kind in ("BMP", "CMYK", "GIF", "PNG", "TIFF", "WEBP")} == {
        "BMP": ["a/bmp"],
        "CMYK": ["a/cmyk", "a/tiff", "a/turned_cmyk"],
        "GIF": ["a/gif"],
        "PNG": ["a/gray_alpha", "a/palette", "a/png", "a/turned_png"],
        "TIFF": ["a/tiff", "a/turned_tiff"],
        "WEBP": ["a/webp"],
    }
    assert not [kind for kind in split.remarks if "normalised" in kind]


def test_normalised_files_are_rgb_jpegs_of_pillows_pixels_and_the_rest_is_untouched(
    source: Path, tmp_path: Path
) -> None:
    report = convert(source, tmp_path / "dst", normalise_odd=True)
    found = _tar(tmp_path / "dst")
    assert set(found) == {name.replace(".JPEG", ".jpg") for name in {**ODD, **USUAL}}
    for name, data in USUAL.items():
        assert found[name.replace(".JPEG", ".jpg")] == data
    for name, data in ODD.items():
        made = found[name.replace(".JPEG", ".jpg")]
        with Image.open(io.BytesIO(made)) as image:
            assert (image.format, image.mode) == ("JPEG", "RGB")
            assert image.layer == [(1, 1, 1, 0), (2, 1, 1, 1), (3, 1, 1, 1)]  # 4:4:4
            assert max(max(table) for table in image.quantization.values()) == 1  # quality 100
        for upright in (False, True):
            pixels = decode(data, apply_orientation=upright).astype(int)
            difference = np.abs(decode(made, apply_orientation=upright) - pixels)
            assert difference.max() <= 4, name
            assert difference.mean() < 0.5, name
    assert report.splits["train"].records == len(ODD) + len(USUAL)


def test_the_report_lists_every_normalised_file_by_what_it_was(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "dst", normalise_odd=True)
    told = json.loads((tmp_path / "dst" / "train" / "report.json").read_text())["remarks"]
    normalised = {kind: entry for kind, entry in told.items() if "normalised" in kind}
    assert normalised == {
        f"{kind} normalised to RGB JPEG": {"count": len(names), "examples": names}
        for kind, names in {
            "BMP": ["a/bmp"],
            "CMYK": ["a/cmyk", "a/turned_cmyk"],
            "GIF": ["a/gif"],
            "PNG": ["a/gray_alpha", "a/palette", "a/png", "a/turned_png"],
            "TIFF": ["a/tiff", "a/turned_tiff"],
            "WEBP": ["a/webp"],
        }.items()
    }
    assert not {"CMYK", "PNG", "TIFF"} & set(told)
    # Pillow turns a TIFF upright as it loads it: nothing is left to turn.
    assert told["EXIF-rotated"]["examples"] == ["a/turned", "a/turned_cmyk", "a/turned_png", "a/webp"]


def test_a_sidecar_describes_the_normalised_file_as_if_it_had_been_there_before(
    source: Path, tmp_path: Path
) -> None:
    convert(source, tmp_path / "dst", normalise_odd=True)
    made = _tar(tmp_path / "dst")
    write_tree(tmp_path / "again", {name.replace(".jpg", ".JPEG"): data for name, data in made.items()})
    convert(tmp_path / "again", tmp_path / "plain")
    normalised, plain = Dataset(tmp_path / "dst").core, Dataset(tmp_path / "plain").core
    names = (
        "key",
        "label",
        "width",
        "height",
        "orientation",
        "format",
        "clean",
        "entry_points",
        "payload_xxh3",
    )
    for i in range(len(made)):
        one, other = normalised.record(i), plain.record(i)
        assert [getattr(one, name) for name in names] == [getattr(other, name) for name in names]
        assert one.format == "JPEG"
        assert other.original_xxh3 == other.payload_xxh3


@pytest.mark.parametrize(
    "options", [{"normalise_odd": True}, {"max_side": 20}], ids=["normalised", "smaller"]
)
def test_a_record_has_the_hash_of_the_file_that_it_was_made_of(
    source: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    convert(source, tmp_path / "dst", **options)
    hashes = {
        file.relative_to(source).with_suffix("").as_posix(): xxhash.xxh3_64_intdigest(file.read_bytes())
        for file in source.rglob("*.*")
    }
    core = Dataset(tmp_path / "dst").core
    records = [core.record(i) for i in range(len(hashes))]
    assert {record.key: record.original_xxh3 for record in records} == hashes
    assert any(record.original_xxh3 != record.payload_xxh3 for record in records)


def test_the_option_is_recorded_and_takes_part_in_recognising_a_conversion(
    source: Path, tmp_path: Path
) -> None:
    convert(source, tmp_path / "dst", normalise_odd=True)
    assert manifest.read(tmp_path / "dst" / "train").created_by["normalise_odd"] is True
    before = snapshot(tmp_path / "dst")
    assert convert(source, tmp_path / "dst", normalise_odd=True).already_complete
    with pytest.raises(errors.ArgumentError, match="normalise_odd True there, False here"):
        convert(source, tmp_path / "dst")
    assert snapshot(tmp_path / "dst") == before
    for workers in (1, 3):
        convert(source, tmp_path / str(workers), normalise_odd=True, workers=workers, shard_size="3")
    assert snapshot(tmp_path / "1") == snapshot(tmp_path / "3")


def test_an_interrupted_conversion_goes_on_only_with_the_same_option(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(manifest, "encode", stop)
        with pytest.raises(KeyboardInterrupt):
            convert(source, tmp_path / "dst", normalise_odd=True)
    with pytest.raises(
        errors.ArgumentError, match=r"other settings \(normalise_odd True there, False here\)"
    ):
        convert(source, tmp_path / "dst")
    report = convert(source, tmp_path / "dst", normalise_odd=True)
    assert report.fresh_records == 0
    assert report.splits["train"].examples["BMP normalised to RGB JPEG"] == ["a/bmp"]


def test_images_in_archives_are_normalised_too_and_shrunk_ones_after_that(tmp_path: Path) -> None:
    png = ODD["a/png.JPEG"]
    src = write(
        tmp_path / "src",
        {"ILSVRC2012_img_train.tar": tar_of_tars({"n02105855": {"n02105855_2933.JPEG": png}})},
    )
    convert(src, tmp_path / "dst", normalise_odd=True)
    assert _tar(tmp_path / "dst") == {"n02105855/n02105855_2933.jpg": to_rgb_jpeg(png)}
    report = convert(src, tmp_path / "small", normalise_odd=True, max_side=200)  # smaller as it is
    assert _tar(tmp_path / "small") == _tar(tmp_path / "dst")
    assert report.splits["train"].examples["PNG normalised to RGB JPEG"] == ["n02105855/n02105855_2933"]


def test_what_no_jpeg_can_hold_follows_the_policy_for_bad_files(tmp_path: Path) -> None:
    wide = io.BytesIO()
    Image.new("RGB", (65501, 1)).save(wide, "PNG")
    write_tree(tmp_path / "src", {"a/wide.png": wide.getvalue(), "b/ok.jpg": small_jpeg(1)})
    reason = "cannot become a JPEG: expected at most 65500 pixels a side, found 65501x1"
    with pytest.raises(errors.DecodeError, match=rf"a/wide\.png: record a/wide: bad image: {reason}"):
        convert(tmp_path / "src", tmp_path / "fail", normalise_odd=True)
    report = convert(tmp_path / "src", tmp_path / "skip", normalise_odd=True, on_bad="skip")
    assert report.splits["train"].bad == [("a/wide.png", reason)]
    assert set(_tar(tmp_path / "skip")) == {"b/ok.jpg"}
    convert(tmp_path / "src", tmp_path / "keep", normalise_odd=True, on_bad="keep")
    assert _tar(tmp_path / "keep")["a/wide.png"] == wide.getvalue()


def test_damaged_files_are_bad_and_never_normalised(tmp_path: Path) -> None:
    write_tree(tmp_path / "src", {"a/cut.JPEG": ODD["a/png.JPEG"][:300], "a/ok.JPEG": small_jpeg(1)})
    report = convert(tmp_path / "src", tmp_path / "dst", normalise_odd=True, on_bad="keep")
    assert _tar(tmp_path / "dst")["a/cut.png"] == ODD["a/png.JPEG"][:300]
    ((origin, reason),) = report.splits["train"].bad
    assert origin == "a/cut.JPEG"
    assert reason.startswith("damaged PNG; Pillow says: ")


def test_the_command_line_has_the_option_and_names_the_files(source: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.cli, ["convert", str(source), str(tmp_path / "dst"), "--normalise-odd"])
    assert result.exit_code == 0, result.output
    assert "train: 2 CMYK normalised to RGB JPEG: a/cmyk, a/turned_cmyk\n" in result.output


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared odd files are not here")
def test_real_odd_files_keep_their_pixels(tmp_path: Path) -> None:
    names = ("bmp.jpeg", "png.jpeg", "tiff.jpeg", "ycck.jpg", "jpg-cmyk-1.jpg", "pil_sample_cmyk.jpg")
    files = [path for path in shared_files("odd-jpegs/*") if path.name in names]
    assert len(files) == len(names)
    write_tree(tmp_path / "src", {f"a/{path.name}": path.read_bytes() for path in files})
    convert(tmp_path / "src", tmp_path / "dst", normalise_odd=True)
    made = _tar(tmp_path / "dst")
    for path in files:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB")).astype(int)
        difference = np.abs(decode(made[f"a/{path.stem}.jpg"]) - pixels)
        assert difference.max() <= 6, path.name
        assert difference.mean() < 1, path.name


def test_a_file_that_is_no_image_cannot_be_normalised() -> None:
    assert to_rgb_jpeg(b"nothing").startswith("cannot become a JPEG: ")  # type: ignore[union-attr]
