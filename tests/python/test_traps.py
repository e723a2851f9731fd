"""The known traps of ImageNet and of file trees: each is taken, left out or refused, and named."""

from __future__ import annotations

import io
import json
import os
import socket
import stat
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from archives import tar_of_tars, write
from click.testing import CliRunner
from folders import members, small_jpeg, write_tree
from images import SHARED, encode, photo, shared_files
from PIL import Image, ImageFile

from fastinet import Dataset, cli, convert, decode, errors
from fastinet.conversion import Extent, ImageFolder, Sample, SplitReport, Survey
from fastinet.conversion.sources.ilsvrc import ILSVRC2012
from fastinet.format.keys import same_but_for_case

LIMIT = 178956970  # pixels: twice Pillow's Image.MAX_IMAGE_PIXELS


def _tar(dst: Path) -> dict[str, bytes]:
    """Images by key."""
    found = members(*sorted((dst / "train").glob("*.tar")))
    return {name.rpartition(".")[0]: data for name, data in found.items() if not name.endswith(".cls")}


def _converted(tmp_path: Path, **options: object) -> SplitReport:
    return convert(tmp_path / "src", tmp_path / "dst", **options).splits["train"]  # type: ignore[arg-type]


def _reasons(report: SplitReport) -> dict[str, str]:
    return dict(report.bad)


# Images


def _without_end(data: bytes) -> bytes:
    assert data.endswith(b"\xff\xd9")
    return data[:-2]


def _with_exif(jpeg: bytes, exif: bytes) -> bytes:
    segment = b"Exif\0\0" + exif
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]


def _ifd(*entries: tuple[int, int, int, int]) -> bytes:
    fields = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + fields + bytes(4)


def _jpeg_of_size(width: int, height: int) -> bytes:
    """A small file that claims to be large."""
    data = bytearray(small_jpeg(1))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def _png_of_size(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


BROKEN_EXIF = {
    "cut": _ifd((0x0110, 2, 4, 0))[:12],
    "points_outside": _ifd((0x010F, 2, 1000, 9000)),
    "no_tiff": b"nonsense",
    "turned_then_broken": _ifd((0x0112, 3, 1, 6), (0x010F, 2, 1000, 9000)),
}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("kind", sorted(BROKEN_EXIF))
def test_broken_exif_is_reported_and_the_image_taken_as_pillow_takes_it(tmp_path: Path, kind: str) -> None:
    data = _with_exif(small_jpeg(1), BROKEN_EXIF[kind])
    write_tree(
        tmp_path / "src",
        {"a/broken.jpg": data, "a/fine.jpg": _with_exif(small_jpeg(2), _ifd((0x0112, 3, 1, 6)))},
    )
    report = _converted(tmp_path)
    assert report.examples["broken EXIF"] == ["a/broken"]
    assert _tar(tmp_path / "dst")["a/broken"] == data
    record = Dataset(tmp_path / "dst")[0]
    assert record.key == "a/broken"
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        try:
            expected = image.getexif().get(0x0112, 1)
        except Exception:
            expected = 1
    assert record.orientation == expected


def test_exif_orientation_is_kept_in_bytes_and_sidecar_and_reported(tmp_path: Path) -> None:
    files = {f"a/{i}.jpg": _with_exif(small_jpeg(i), _ifd((0x0112, 3, 1, i))) for i in range(1, 9)}
    write_tree(tmp_path / "src", files)
    report = _converted(tmp_path)
    assert report.remarks["EXIF-rotated"] == 7
    assert [record.orientation for record in Dataset(tmp_path / "dst")] == list(range(1, 9))
    assert _tar(tmp_path / "dst") == {name[:-4]: data for name, data in files.items()}


@pytest.mark.parametrize("on_bad", ["skip", "keep"])
def test_truncated_and_damaged_files_are_bad_with_what_was_expected_and_found(
    tmp_path: Path, on_bad: str
) -> None:
    photograph = encode(Image.fromarray(photo(1, 200, 150)))
    content = io.BytesIO()
    Image.fromarray(photo(2, 60, 60)).save(content, "PNG")
    bad = {
        "a/cut.jpg": photograph[: len(photograph) // 2],
        "a/short.png": content.getvalue()[:-200],
        "a/empty.jpg": b"",
        "a/header_only.jpg": photograph[:20],
        "a/page.jpg": b"<!DOCTYPE html><html>404</html>",
        "a/without_end.jpg": _without_end(photograph),
    }
    write_tree(tmp_path / "src", {**bad, "b/fine.jpg": photograph})
    report = _converted(tmp_path, on_bad=on_bad)
    reasons = _reasons(report)
    for name, reason in {
        "a/cut.jpg": f"truncated JPEG: expected an end-of-image marker, found the end after "
        f"{len(bad['a/cut.jpg'])} bytes; Pillow says: image file is truncated",
        "a/short.png": "damaged PNG; Pillow says: ",
        "a/empty.jpg": "the file is empty",
        "a/header_only.jpg": "damaged JPEG: no scan; Pillow says: ",
        "a/page.jpg": "expected an image, found 31 bytes that begin with 3c 21 44 4f 43 54 59 50; "
        "Pillow says: cannot identify image file",
        "a/without_end.jpg": f"truncated JPEG: expected an end-of-image marker, found the end after "
        f"{len(photograph) - 2} bytes; Pillow says: image file is truncated",
    }.items():
        assert reasons.pop(name).startswith(reason), name
    assert not reasons
    kept = {name.rpartition(".")[0]: data for name, data in bad.items()} if on_bad == "keep" else {}
    assert _tar(tmp_path / "dst") == {"b/fine": photograph, **kept}
    assert report.records == 1 + len(kept)


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        (
            "a/bomb.jpg",
            _jpeg_of_size(65500, 65500),
            f"expected at most {LIMIT} pixels, which is Pillow's limit against decompression bombs, "
            "found 65500x65500",
        ),
        (
            "a/bomb.png",
            _png_of_size(65500, 65500),
            f"damaged PNG; Pillow says: Image size (4290250000 pixels) exceeds limit of {LIMIT} pixels, "
            "could be decompression bomb DOS attack. (whatever Image.MAX_IMAGE_PIXELS is set to)",
        ),
    ],
)
def test_decompression_bombs_are_refused_with_the_limit_and_never_decoded(
    tmp_path: Path, name: str, data: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)  # what a caller has set does not count
    write_tree(tmp_path / "src", {name: data, "b/fine.jpg": small_jpeg(1)})
    assert _converted(tmp_path, on_bad="skip").bad == [(name, reason)]
    assert Image.MAX_IMAGE_PIXELS is None
    with pytest.raises(errors.DecodeError, match=r"exceeds limit|expected at most"):
        convert(tmp_path / "src", tmp_path / "other")


def test_an_image_of_the_greatest_side_is_taken(tmp_path: Path) -> None:
    long = encode(Image.new("L", (65500, 1)), subsampling=None)
    write_tree(tmp_path / "src", {"a/long.jpg": long})
    assert _converted(tmp_path).examples == {"gray": ["a/long"], "under 32 px": ["a/long"]}
    assert (Dataset(tmp_path / "dst")[0].width, Dataset(tmp_path / "dst")[0].height) == (65500, 1)


def test_settings_of_pillow_that_a_caller_made_do_not_change_what_is_bad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    write_tree(tmp_path / "src", {"a/cut.jpg": _without_end(small_jpeg(1)), "b/fine.jpg": small_jpeg(2)})
    assert [origin for origin, _ in _converted(tmp_path, on_bad="skip").bad] == ["a/cut.jpg"]


@pytest.mark.parametrize(
    ("size", "small"), [((31, 200), True), ((200, 31), True), ((32, 32), False), ((24, 20), True)]
)
def test_images_with_a_side_under_32_pixels_are_remarked_on(
    tmp_path: Path, size: tuple[int, int], small: bool
) -> None:
    write_tree(tmp_path / "src", {"a/x.jpg": small_jpeg(1, *size)})
    assert _converted(tmp_path).remarks.get("under 32 px", 0) == small


def test_rare_kinds_are_listed_in_full_and_common_ones_by_eight_examples(tmp_path: Path) -> None:
    picture = Image.fromarray(photo(1, 40, 40))
    cmyk = encode(picture.convert("CMYK"), subsampling=None)
    gray = encode(picture.convert("L"), subsampling=None)
    files = {f"a/cmyk{i:02d}.jpg": cmyk for i in range(20)} | {f"b/gray{i:02d}.jpg": gray for i in range(20)}
    files |= {f"c/bad{i:02d}.jpg": b"" for i in range(20)}
    write_tree(tmp_path / "src", files)
    report = _converted(tmp_path, on_bad="skip", shard_size="7")
    assert report.examples == {
        "CMYK": [f"a/cmyk{i:02d}" for i in range(20)],
        "gray": [f"b/gray{i:02d}" for i in range(8)],
    }
    assert report.remarks == {"CMYK": 20, "gray": 20}
    assert [origin for origin, _ in report.bad] == [f"c/bad{i:02d}.jpg" for i in range(20)]


def test_the_terminal_names_every_kind_with_examples_and_every_bad_file_with_its_reason(
    tmp_path: Path,
) -> None:
    gray = encode(Image.fromarray(photo(1, 40, 40)).convert("L"), subsampling=None)
    files = {f"b/gray{i}.jpg": gray for i in range(9)} | {"a/bad.jpg": b"", "a/notes.txt": b""}
    write_tree(tmp_path / "src", files)
    os.makedirs(os.fsencode(tmp_path / "src") + b"/no\xffimages")  # noqa: PTH103
    result = CliRunner().invoke(
        cli.cli,
        ["convert", str(tmp_path / "src"), str(tmp_path / "dst"), "--on-bad", "skip"],
        env={"COLUMNS": "300"},
    )
    assert result.exit_code == 0, result.output
    listed = ", ".join(f"b/gray{i}" for i in range(8))
    for line in (
        f"train: 9 gray: {listed}, ...",
        "train: classes without images (2): a, no\\udcffimages",
        "train: files ignored (1): 1 of .txt",
        f"train: 1 bad files left out, all listed in {tmp_path}/dst/train/report.json",
        "    a/bad.jpg: the file is empty",
    ):
        assert f"{line}\n" in result.output


@pytest.mark.parametrize("options", [{"max_side": 40}, {"quality": 80}], ids=str)
def test_bad_files_are_refused_with_the_same_reason_where_images_are_encoded_anew(
    tmp_path: Path, options: dict[str, int]
) -> None:
    png = io.BytesIO()
    Image.fromarray(photo(1, 60, 60)).save(png, "PNG")
    write_tree(
        tmp_path / "src",
        {
            "a/cut.jpg": small_jpeg(1)[:-700],
            "a/empty.jpg": b"",
            "a/page.jpg": b"<html>",
            "a/short.png": png.getvalue()[:-200],
            "b/fine.jpg": small_jpeg(2),
        },
    )
    plain = convert(tmp_path / "src", tmp_path / "plain", on_bad="skip").splits["train"]
    assert len(plain.bad) == 4
    assert _converted(tmp_path, on_bad="skip", **options).bad == plain.bad
    with pytest.raises(errors.DecodeError, match=r"a/cut\.jpg: bad image: truncated JPEG: expected"):
        convert(tmp_path / "src", tmp_path / "other", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_tiff_is_turned_once(tmp_path: Path, orientation: int) -> None:
    exif, content = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    rows, columns = np.mgrid[:40, :60]
    slope = np.stack([rows * 6, columns * 4, rows + columns], axis=2).astype(np.uint8)
    Image.fromarray(slope).save(content, "TIFF", exif=exif)
    write_tree(tmp_path / "src", {"a/x.tif": content.getvalue()})
    expected = decode(content.getvalue(), apply_orientation=True)
    for name, options in {
        "plain": {},
        "anew": {"quality": 100},
        "normalised": {"normalise_odd": True},
    }.items():
        convert(tmp_path / "src", tmp_path / name, **options)  # type: ignore[arg-type]
        record = Dataset(tmp_path / name)[0]
        found = decode(memoryview(record.payload), apply_orientation=True)
        assert found.shape == expected.shape
        assert np.abs(found.astype(int) - expected).mean() < 6
        sides = (record.height, record.width)
        assert (sides if record.orientation < 5 else sides[::-1]) == expected.shape[:2]


# Files and folders


@pytest.fixture
def strange(tmp_path: Path) -> Iterator[Path]:
    """What can lie in a tree beside files."""
    src = write_tree(
        tmp_path / "src", {"a/fine.jpg": small_jpeg(1), "a/folder.JPEG/inside.jpg": small_jpeg(2)}
    )
    here = src / "a"
    (here / "device.jpg").symlink_to("/dev/null")
    (here / "endless.jpg").symlink_to("/dev/zero")
    (here / "gone.jpg").symlink_to("nowhere")
    (here / "linked.jpg").symlink_to("fine.jpg")
    (here / "self.jpg").symlink_to("self.jpg")
    os.mkfifo(here / "pipe.jpg")
    (src / "self").symlink_to("self")
    (src / "lost.jpg").write_bytes(small_jpeg(3))
    here_before = Path.cwd()
    os.chdir(here)  # a socket's path is short
    listening = socket.socket(socket.AF_UNIX)
    listening.bind("socket.jpg")
    os.chdir(here_before)
    yield src
    listening.close()


REASONS = {
    "a/device.jpg": "not an image: expected a regular file, found a device",
    "a/endless.jpg": "not an image: expected a regular file, found a device",
    "a/gone.jpg": "cannot open: No such file or directory",
    "a/pipe.jpg": "not an image: expected a regular file, found a named pipe",
    "a/self.jpg": "cannot open: Too many levels of symbolic links",
    "a/socket.jpg": "not an image: expected a regular file, found a socket",
}


@pytest.mark.parametrize("options", [{}, {"max_side": 40}, {"normalise_odd": True}], ids=str)
def test_pipes_sockets_devices_and_broken_links_are_named_and_never_waited_for(
    strange: Path, tmp_path: Path, options: dict[str, object]
) -> None:
    assert stat.S_ISSOCK((strange / "a" / "socket.jpg").stat().st_mode)
    report = _converted(tmp_path, on_bad="skip", **options)
    found = {origin: reason.removeprefix(f"{strange}/{origin}: ") for origin, reason in report.bad}
    assert found == REASONS
    assert list(_tar(tmp_path / "dst")) == ["a/fine", "a/linked", "a/folder.JPEG/inside"]
    assert report.notes["folders named as images are"] == ["a/folder.JPEG"]
    assert report.notes["images outside of the class folders, ignored"] == ["lost.jpg"]


@pytest.mark.parametrize("name", sorted(REASONS))
def test_what_cannot_be_read_stops_a_conversion_that_keeps_bad_files(
    strange: Path, tmp_path: Path, name: str
) -> None:
    for other in REASONS.keys() - {name}:
        (strange / other).unlink()
    kind = errors.MissingFileError if name == "a/gone.jpg" else errors.ShardIOError
    for on_bad in ("fail", "keep"):
        with pytest.raises(kind) as caught:
            convert(strange, tmp_path / on_bad, on_bad=on_bad)  # type: ignore[arg-type]
        assert str(caught.value) == (
            f"{strange}/{name}: record {name[:-4]}: {REASONS[name]}. --on-bad skip (on_bad=) leaves such "
            "files out and lists them; finished shards are not written again"
        )


def test_a_class_of_which_every_image_was_left_out_is_named(tmp_path: Path) -> None:
    for name, data in {"a/whole.jpg": small_jpeg(0), "b/cut.jpg": b"none"}.items():
        (tmp_path / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "src" / name).write_bytes(data)
    report = convert(tmp_path / "src", tmp_path / "dst", on_bad="skip").splits["train"]
    assert report.notes["classes without images"] == ["b"]


def test_a_folder_given_as_an_image_is_named(tmp_path: Path) -> None:
    write_tree(tmp_path / "src", {"a.jpg": small_jpeg(1), "list.csv": b"path,label\na.jpg,0\nb.jpg,0\n"})
    (tmp_path / "src" / "b.jpg").mkdir()
    report = convert(tmp_path / "src" / "list.csv", tmp_path / "dst", on_bad="skip").splits["train"]
    assert report.bad == [("b.jpg", "not an image: expected a regular file, found a folder")]


def test_links_to_class_folders_are_followed_and_a_circle_is_refused(tmp_path: Path) -> None:
    write_tree(tmp_path / "src", {"a/1.jpg": small_jpeg(1)})
    (tmp_path / "src" / "b").symlink_to("a")
    assert _converted(tmp_path).records == 2
    (tmp_path / "src" / "a" / "back").symlink_to("..")
    with pytest.raises(
        errors.ArgumentError, match=r"a/back.*: a link back to a folder above it; remove the link"
    ):
        convert(tmp_path / "src", tmp_path / "other")


def test_a_file_too_large_for_a_record_is_refused_without_reading_it(tmp_path: Path) -> None:
    write_tree(tmp_path / "src", {"a/huge.jpg": b"", "b/fine.jpg": small_jpeg(1)})
    with (tmp_path / "src" / "a" / "huge.jpg").open("wb") as file:
        file.truncate(1 << 40)  # takes no space
    assert _converted(tmp_path, on_bad="skip").bad == [
        ("a/huge.jpg", f"too large for a record: expected at most {2**31 - 1} bytes, found {1 << 40}")
    ]


class Changing(ImageFolder):
    """A folder of which a file changes after it has been listed."""

    def __init__(self, root: Path, file: Path, data: bytes) -> None:
        super().__init__(root)
        self._change = file, data

    def samples(self, split: str) -> Iterator[Sample]:
        """Lists, and only then changes."""
        listed = list(super().samples(split))
        self._change[0].write_bytes(self._change[1])
        return iter(listed)


@pytest.mark.parametrize("options", [{}, {"max_side": 40}], ids=str)
@pytest.mark.parametrize(
    "data", [small_jpeg(1)[:-100], small_jpeg(1) + bytes(100), b""], ids=["shrunk", "grown", "emptied"]
)
def test_a_file_that_changes_after_it_was_listed_is_named(
    tmp_path: Path, data: bytes, options: dict[str, object]
) -> None:
    src = write_tree(tmp_path / "src", {"a/x.jpg": small_jpeg(1), "b/fine.jpg": small_jpeg(2)})
    file = src / "a" / "x.jpg"
    reason = f"the file changed since it was listed: expected {len(small_jpeg(1))} bytes, found {len(data)}"
    report = convert(Changing(src, file, data), tmp_path / "skip", on_bad="skip", **options).splits["train"]  # type: ignore[arg-type]
    ((origin, found),) = report.bad
    assert (origin, found.removeprefix(f"{file}: ")) == ("a/x.jpg", reason)
    assert report.records == 1
    file.write_bytes(small_jpeg(1))
    with pytest.raises(errors.ShardIOError, match=reason):
        convert(Changing(src, file, data), tmp_path / "fail", **options)  # type: ignore[arg-type]


def test_an_archive_that_shrinks_after_it_was_listed_is_named(tmp_path: Path) -> None:
    files = {"n01440764": {f"n01440764_{i}.JPEG": small_jpeg(i) for i in range(4)}}
    src = write(tmp_path / "src", {"ILSVRC2012_img_train.tar": tar_of_tars(files)})
    source = ILSVRC2012(src)
    listed = list(source.samples("train"))
    source.survey = lambda split: Survey(4)  # type: ignore[method-assign]
    source.samples = lambda split: iter(listed)  # type: ignore[method-assign]
    assert isinstance(listed[-1].payload, Extent)
    os.truncate(src / "ILSVRC2012_img_train.tar", listed[-1].payload.offset + 10)
    with pytest.raises(
        errors.TruncatedError, match=r"img_train\.tar: record .*: the file ends before the image does"
    ):
        convert(source, tmp_path / "dst")


# Keys and names


def test_files_that_would_get_one_key_are_all_kept_and_named(tmp_path: Path) -> None:
    png = io.BytesIO()
    Image.fromarray(photo(1, 40, 40)).save(png, "PNG")
    files = {
        "a/x.jpg": small_jpeg(1),
        "a/x.jpeg": small_jpeg(2),
        "a/x.png": png.getvalue(),
        "b/x.jpg": small_jpeg(3),
    }
    write_tree(tmp_path / "src", {**files, "a/y~2.jpg": small_jpeg(4)})
    report = _converted(tmp_path, shard_size="2")
    assert _tar(tmp_path / "dst") == {
        "a/x": files["a/x.jpeg"],
        "a/x~2": files["a/x.jpg"],
        "a/x~3": files["a/x.png"],
        "a/y~2": small_jpeg(4),
        "b/x": files["b/x.jpg"],
    }
    assert report.notes["keys with a number, as another file has the same"] == [
        "a/x~2 (x.jpg)",
        "a/x~3 (x.png)",
    ]


def test_members_of_one_name_in_an_archive_are_all_kept_and_named(tmp_path: Path) -> None:
    files = {"n01440764": {"one/n01440764_1.JPEG": small_jpeg(1), "two/n01440764_1.JPEG": small_jpeg(2)}}
    write(tmp_path / "src", {"ILSVRC2012_img_train.tar": tar_of_tars(files)})
    report = _converted(tmp_path)
    assert list(_tar(tmp_path / "dst").values()) == [small_jpeg(1), small_jpeg(2)]
    assert report.notes["keys with a number, as another file has the same"] == [
        "n01440764/n01440764_1~2 (n01440764_1.JPEG)"
    ]


def test_the_same_name_in_two_splits_is_the_same_key_in_both(tmp_path: Path) -> None:
    write_tree(tmp_path / "src", {"train/a/x.jpg": small_jpeg(1), "val/a/x.jpg": small_jpeg(2)})
    report = convert(tmp_path / "src", tmp_path / "dst")
    for split, data in (("train", small_jpeg(1)), ("val", small_jpeg(2))):
        assert members(tmp_path / "dst" / split / f"{split}-000000.tar")["a/x.jpg"] == data
        assert report.splits[split].notes == {"one class only": ["a"]}


def test_names_that_differ_only_in_case_are_kept_and_named(tmp_path: Path) -> None:
    names = ["a/X.jpg", "a/x.jpg", "a/x.JPG", "A/x.jpg", "b/Straße.jpg", "b/STRASSE.jpg"]
    files = {name: small_jpeg(i) for i, name in enumerate(names)}
    write_tree(tmp_path / "src", files)
    report = _converted(tmp_path)
    assert sorted(_tar(tmp_path / "dst").values()) == sorted(files.values())
    assert report.notes["names that differ only in case"] == [
        "A, a",
        "a/X.jpg, a/x.JPG, a/x.jpg",
        "b/STRASSE.jpg, b/Straße.jpg",
    ]
    assert same_but_for_case(["a", "b", "a"]) == []


def test_names_in_archives_that_differ_only_in_case_are_named(tmp_path: Path) -> None:
    files = {"n01440764": {"A.JPEG": small_jpeg(1), "a.JPEG": small_jpeg(2)}}
    write(tmp_path / "src", {"ILSVRC2012_img_train.tar": tar_of_tars(files)})
    assert _converted(tmp_path).notes["names that differ only in case"] == [
        "n01440764/A.JPEG, n01440764/a.JPEG"
    ]


def test_names_of_undecodable_bytes_survive_in_classes_keys_and_reports(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path / "src")
    for name, data in {b"\xe9t\xe9/\xff.jpg": small_jpeg(1), b"\xe9t\xe9/bad\xff.jpg": b""}.items():
        os.makedirs(os.path.dirname(root + b"/" + name), exist_ok=True)  # noqa: PTH103, PTH120
        with open(root + b"/" + name, "wb") as file:  # noqa: PTH123
            file.write(data)
    report = _converted(tmp_path, on_bad="skip")
    assert _tar(tmp_path / "dst") == {"%E9t%E9/%FF": small_jpeg(1)}
    assert report.bad == [("\udce9t\udce9/bad\udcff.jpg", "the file is empty")]
    assert (
        json.loads((tmp_path / "dst" / "train" / "report.json").read_text())["bad"][0]["file"]
        == report.bad[0][0]
    )
    dataset = Dataset(tmp_path / "dst")
    assert [c.name for c in dataset.classes] == [os.fsdecode(b"\xe9t\xe9")]
    assert bytes(memoryview(dataset[0].payload)) == small_jpeg(1)
    with pytest.raises(errors.DecodeError, match="the file is empty"):
        convert(tmp_path / "src", tmp_path / "other")


# The odd and the hostile files


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared odd and hostile files are not here")
def test_every_odd_or_hostile_file_is_taken_with_pillows_pixels_or_named_with_the_reason(
    tmp_path: Path,
) -> None:
    files = {path.name: path for path in shared_files("odd-jpegs/*") + shared_files("hostile-jpegs/*")}
    assert len(files) == len(shared_files("odd-jpegs/*")) + len(shared_files("hostile-jpegs/*"))
    (tmp_path / "src" / "one").mkdir(parents=True)
    for name, path in files.items():
        (tmp_path / "src" / "one" / name).symlink_to(path)
    report = _converted(tmp_path, on_bad="skip")
    reasons = {origin.removeprefix("one/"): reason for origin, reason in report.bad}
    assert len(reasons) == len(report.bad)
    assert report.records + len(reasons) == len(files)
    dataset = Dataset(tmp_path / "dst")
    names = {
        sample.key: Path(sample.origin).name for sample in ImageFolder(tmp_path / "src").samples("train")
    }
    taken = {names[record.key]: record for record in dataset}
    assert taken.keys() | reasons.keys() == files.keys()
    for name, path in files.items():
        data = path.read_bytes()
        try:
            with Image.open(io.BytesIO(data)) as image:
                pixels = np.asarray(image.convert("RGB"))
        except Exception:
            assert name in reasons, f"{name} was taken, and Pillow refuses it"
            assert reasons[name].startswith(("expected ", "damaged ", "truncated ", "the file is empty"))
            with pytest.raises(errors.DecodeError):
                decode(data)
            continue
        assert bytes(memoryview(taken[name].payload)) == data
        assert np.array_equal(decode(data), pixels), name
        assert (taken[name].height, taken[name].width) == pixels.shape[:2]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared odd and hostile files are not here")
def test_every_odd_or_hostile_file_can_be_kept_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    for folder in ("odd-jpegs", "hostile-jpegs"):
        (tmp_path / "src" / folder).symlink_to(SHARED / folder)
    report = _converted(tmp_path, on_bad="keep")
    origins = {sample.key: sample.origin for sample in ImageFolder(tmp_path / "src").samples("train")}
    found = {origins[key]: data for key, data in _tar(tmp_path / "dst").items()}
    assert found == {
        f"{path.parent.name}/{path.name}": path.read_bytes()
        for path in shared_files("odd-jpegs/*") + shared_files("hostile-jpegs/*")
    }
    assert {origin for origin, _ in report.bad} <= found.keys()
    assert report.records == len(found)
