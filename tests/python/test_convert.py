"""Conversion, from folders of images to shards."""

from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path

import pytest
from folders import members, small_jpeg, snapshot, write_tree
from images import encode, photo
from PIL import Image

from fastinet import Dataset, errors
from fastinet.conversion import ImageFolder, convert
from fastinet.format import manifest
from fastinet.images.reencode import Reencoding


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 classes of 10 images of a few kilobytes. Read it; do not write to it."""
    root = tmp_path_factory.mktemp("small")
    return write_tree(
        root, {f"c{c}/c{c}_{i}.JPEG": small_jpeg(10 * c + i) for c in range(3) for i in range(10)}
    )


def test_shards_are_tars_of_the_untouched_files_in_imagefolder_order(
    image_folder: Path, tmp_path: Path
) -> None:
    report = convert(image_folder, tmp_path / "dst", shard_size="5")
    assert (report.records, report.classes, report.splits["train"].shards) == (24, 4, 5)
    found = members(*sorted((tmp_path / "dst" / "train").glob("*.tar")))
    expected: dict[str, bytes] = {}
    for label, folder in enumerate(sorted(image_folder.iterdir())):
        for file in sorted(folder.iterdir()):
            expected[f"{folder.name}/{file.stem}.jpg"] = file.read_bytes()
            expected[f"{folder.name}/{file.stem}.cls"] = str(label).encode()
    assert list(found) == list(expected)
    assert found == expected
    written = manifest.read(tmp_path / "dst" / "train")
    assert [c.name for c in written.classes] == sorted(p.name for p in image_folder.iterdir())
    assert [shard.records for shard in written.shards] == [5, 5, 5, 5, 4]
    assert sorted(snapshot(tmp_path / "dst")) == sorted(
        ["splits.json", "train"]
        + [
            f"train/{name}"
            for name in ("chunks.bin", "dataset.json", "labels.bin", "names.json", "report.json")
        ]
        + [f"train/train-{i:06d}.{end}" for i in range(5) for end in ("tar", "idx")]
    )


def test_webdataset_reads_the_shards(small_folder: Path, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    convert(small_folder, tmp_path / "dst", shard_size="12")
    urls = [str(path) for path in sorted((tmp_path / "dst" / "train").glob("*.tar"))]
    samples = list(webdataset.WebDataset(urls, shardshuffle=False))
    expected = [
        (s.key, Path(s.payload.path).read_bytes(), s.label)
        for s in ImageFolder(small_folder).samples("train")
    ]
    assert [(s["__key__"], s["jpg"], int(s["cls"])) for s in samples] == expected


@pytest.mark.parametrize("options", [{}, {"shuffle": 7}, {"max_side": 40}], ids=str)
def test_any_number_of_workers_writes_the_same_bytes(
    small_folder: Path, tmp_path: Path, options: dict[str, int]
) -> None:
    for workers in (1, 2, 5):
        convert(small_folder, tmp_path / str(workers), shard_size="4", workers=workers, **options)  # type: ignore[arg-type]
    assert snapshot(tmp_path / "1") == snapshot(tmp_path / "2") == snapshot(tmp_path / "5")


def test_shuffling_permutes_all_records_by_the_seed(small_folder: Path, tmp_path: Path) -> None:
    orders = []
    for name, seed in (("a", 1), ("b", 2), ("c", None)):
        convert(small_folder, tmp_path / name, shuffle=seed)
        orders.append(list(members(tmp_path / name / "train" / "train-000000.tar").items()))
    assert orders[0] != orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(orders[2])


def test_shards_are_cut_by_bytes_or_records(small_folder: Path, tmp_path: Path) -> None:
    sizes = [s.size for s in ImageFolder(small_folder).samples("train")]
    limit = 3 * max(sizes)
    report = convert(small_folder, tmp_path / "dst", shard_size=f"{limit}B")
    counts = [shard.records for shard in manifest.read(tmp_path / "dst" / "train").shards]
    assert sum(counts) == report.records == 30
    at = 0
    for i, count in enumerate(counts):
        assert sum(sizes[at : at + count]) <= limit
        assert i == len(counts) - 1 or sum(sizes[at : at + count + 1]) > limit
        at += count
    with pytest.raises(errors.ArgumentError, match="number of records or bytes: 1000, 256MB; not 'many'"):
        convert(small_folder, tmp_path / "other", shard_size="many")


def test_splits_become_folders_with_common_classes(tmp_path: Path) -> None:
    write_tree(
        tmp_path / "src",
        {f"{name}.jpg": small_jpeg(i) for i, name in enumerate(["train/a/1", "train/b/2", "val/b/3"])},
    )
    report = convert(tmp_path / "src", tmp_path / "dst")
    assert {name: split.records for name, split in report.splits.items()} == {"train": 2, "val": 1}
    assert members(tmp_path / "dst" / "val" / "val-000000.tar")["b/3.cls"] == b"1"
    assert report.splits["val"].notes["classes without images"] == ["a"]


def test_a_split_can_be_added_to_a_dataset_later(small_folder: Path, tmp_path: Path) -> None:
    convert(small_folder, tmp_path / "dst")
    before = snapshot(tmp_path / "dst" / "train")
    convert(small_folder, tmp_path / "dst", split="val")
    assert snapshot(tmp_path / "dst" / "train") == before
    assert manifest.read(tmp_path / "dst" / "val").split == "val"


BAD = {
    "a/empty.jpg": b"",
    "a/noise.jpg": b"this is no image",
    "b/cut.jpg": small_jpeg(5, 200, 200)[:2000],
}


@pytest.fixture
def bad_folder(tmp_path: Path) -> Path:
    good = {"a/good.jpg": small_jpeg(1), "b/good.jpg": small_jpeg(2)}
    root = write_tree(tmp_path / "bad", {**good, **BAD})
    (root / "b" / "gone.jpg").symlink_to("nowhere")
    os.mkfifo(root / "b" / "pipe.jpg")
    return root


def test_bad_files_stop_the_conversion_by_default_and_are_named(bad_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        errors.DecodeError, match=r"a/empty\.jpg: record a/empty: .*the file is empty"
    ) as caught:
        convert(bad_folder, tmp_path / "dst")
    assert caught.value.path == str(bad_folder / "a" / "empty.jpg")
    assert not list((tmp_path / "dst").rglob("*.tar"))
    assert not list((tmp_path / "dst").rglob("*fastinet-tmp"))


def test_bad_files_are_left_out_and_listed_with_the_reason(bad_folder: Path, tmp_path: Path) -> None:
    report = convert(bad_folder, tmp_path / "dst", on_bad="skip")
    assert set(members(tmp_path / "dst" / "train" / "train-000000.tar")) == {
        f"{c}/good.{end}" for c in "ab" for end in ("jpg", "cls")
    }
    listed = json.loads((tmp_path / "dst" / "train" / "report.json").read_text())["bad"]
    reasons = {entry["file"]: entry["reason"] for entry in listed}
    assert sorted(report.splits["train"].bad) == sorted(reasons.items())
    assert set(reasons) == {*BAD, "b/gone.jpg", "b/pipe.jpg"}
    assert reasons["a/empty.jpg"] == "the file is empty"
    assert reasons["a/noise.jpg"] == (
        "expected an image, found 16 bytes that begin with 74 68 69 73 20 69 73 20; "
        "Pillow says: cannot identify image file"
    )
    assert reasons["b/cut.jpg"].startswith(
        "truncated JPEG: expected an end-of-image marker, found the end after 2000 bytes; Pillow says: "
    )
    assert "No such file or directory" in reasons["b/gone.jpg"]
    assert reasons["b/pipe.jpg"] == "not an image: expected a regular file, found a named pipe"


def test_bad_files_can_be_kept_as_found(bad_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.MissingFileError, match=r"gone\.jpg"):
        convert(bad_folder, tmp_path / "dst", on_bad="keep")
    (bad_folder / "b" / "gone.jpg").unlink()
    (bad_folder / "b" / "pipe.jpg").unlink()
    report = convert(bad_folder, tmp_path / "dst", on_bad="keep", overwrite=True)
    assert {origin for origin, _ in report.splits["train"].bad} == set(BAD)
    found = members(tmp_path / "dst" / "train" / "train-000000.tar")
    assert found["a/noise.bin"] == b"this is no image"
    assert found["b/cut.jpg"] == BAD["b/cut.jpg"]
    assert found["a/empty.bin"] == b""


def test_the_report_names_what_is_out_of_the_ordinary(tmp_path: Path) -> None:
    image = Image.fromarray(photo(3, 64, 64))
    exif = Image.Exif()
    exif[0x0112] = 6
    png = io.BytesIO()
    image.save(png, "PNG")
    write_tree(
        tmp_path / "src",
        {
            "a/gray.jpg": encode(image.convert("L"), subsampling=None),
            "a/cmyk.jpg": encode(image.convert("CMYK"), subsampling=None),
            "a/progressive.jpg": encode(image, progressive=True),
            "a/turned.jpg": encode(image, exif=exif),
            "a/png.JPEG": png.getvalue(),
            "a/tiny.jpg": small_jpeg(1, 20, 40),
        },
    )
    split = convert(tmp_path / "src", tmp_path / "dst").splits["train"]
    assert split.examples == {
        "CMYK": ["a/cmyk"],
        "EXIF-rotated": ["a/turned"],
        "PNG": ["a/png"],
        "gray": ["a/gray"],
        "progressive": ["a/progressive"],
        "under 32 px": ["a/tiny"],
    }
    assert split.with_entry_points == 3
    assert members(tmp_path / "dst" / "train" / "train-000000.tar")["a/png.png"] == png.getvalue()


def test_entry_points_can_be_left_out(small_folder: Path, tmp_path: Path) -> None:
    with_them = convert(small_folder, tmp_path / "with").splits["train"]
    without = convert(small_folder, tmp_path / "without", entry_points=False).splits["train"]
    assert (with_them.with_entry_points, without.with_entry_points) == (30, 0)
    assert without.index_bytes < with_them.index_bytes
    tar = Path("train", "train-000000.tar")
    assert (tmp_path / "with" / tar).read_bytes() == (tmp_path / "without" / tar).read_bytes()


def test_names_that_are_long_or_not_ascii_or_not_even_utf8_survive(tmp_path: Path) -> None:
    names = ["ñandú/" + "x" * 200 + ".jpg", "ñandú/写真.jpg", "ñandú/a\udcffb.jpg"]
    for i, name in enumerate(names):
        path = os.fsencode(tmp_path / "src") + b"/" + os.fsencode(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(small_jpeg(i))
    convert(tmp_path / "src", tmp_path / "dst")
    found = members(tmp_path / "dst" / "train" / "train-000000.tar")
    assert set(found) == {f"ñandú/{k}.{end}" for k in ("x" * 200, "写真", "a%FFb") for end in ("jpg", "cls")}


@pytest.mark.parametrize(
    ("options", "size", "target"),
    [
        ({"max_side": 100}, (200, 150), (100, 75)),
        ({"max_side": 100}, (150, 200), (75, 100)),
        ({"max_side": 100}, (100, 90), (100, 90)),
        ({"short_side": 100}, (301, 200), (150, 100)),
        ({"short_side": 100}, (90, 400), (90, 400)),
        ({"short_side": 100, "max_side": 200}, (1000, 200), (200, 40)),
        ({"max_side": 10}, (65500, 1), (10, 1)),
    ],
)
def test_target_sizes_follow_the_documented_arithmetic(
    options: dict[str, int], size: tuple[int, int], target: tuple[int, int]
) -> None:
    assert Reencoding(**options).target(*size) == target


def test_reencoding_shrinks_only_what_is_too_large_and_is_recorded(tmp_path: Path) -> None:
    large, small = Image.fromarray(photo(1, 200, 100)), small_jpeg(2, 60, 50)
    exif = Image.Exif()
    exif[0x0112] = 8
    write_tree(tmp_path / "src", {"a/large.jpg": encode(large, exif=exif), "a/small.jpg": small})
    convert(tmp_path / "src", tmp_path / "dst", max_side=80, quality=None)
    found = members(tmp_path / "dst" / "train" / "train-000000.tar")
    assert found["a/small.jpg"] == small
    with Image.open(io.BytesIO(found["a/large.jpg"])) as image:
        assert image.size == (80, 40)
        assert image.getexif()[0x0112] == 8
    assert manifest.read(tmp_path / "dst" / "train").created_by["max_side"] == 80
    with pytest.raises(errors.ArgumentError, match="quality must be 1 to 100, not 101"):
        convert(tmp_path / "src", tmp_path / "other", quality=101)


def test_a_destination_that_holds_other_things_is_refused_and_left_alone(
    small_folder: Path, tmp_path: Path
) -> None:
    write_tree(tmp_path / "dst", {"thesis.txt": b"my only copy"})
    before = snapshot(tmp_path)
    for overwrite in (False, True):
        with pytest.raises(
            errors.ArgumentError, match=r"not empty, and not a fastinet dataset \(it contains 'thesis.txt'"
        ):
            convert(small_folder, tmp_path / "dst", overwrite=overwrite)
    with pytest.raises(errors.ArgumentError, match="is a file, not a folder"):
        convert(small_folder, tmp_path / "dst" / "thesis.txt")
    assert snapshot(tmp_path) == before


def test_source_and_destination_must_not_contain_each_other(small_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(small_folder, tmp_path / "src")
    before = snapshot(tmp_path)
    for dst in (tmp_path / "src", tmp_path / "src" / "c0" / "dst", tmp_path):
        with pytest.raises(errors.ArgumentError, match="must lie outside of the source"):
            convert(tmp_path / "src", dst)
    assert snapshot(tmp_path) == before


def test_a_finished_dataset_is_recognised_and_not_written_again(small_folder: Path, tmp_path: Path) -> None:
    first = convert(small_folder, tmp_path / "dst")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "dst").rglob("*")}
    again = convert(small_folder, tmp_path / "dst")
    assert again.already_complete
    assert again.splits == first.splits
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "dst").rglob("*")} == times
    with pytest.raises(errors.ArgumentError, match=r"shard_size '1000 records or .* there, '7 records' here"):
        convert(small_folder, tmp_path / "dst", shard_size="7")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "dst").rglob("*")} == times


def test_overwriting_removes_what_was_converted_and_nothing_else(small_folder: Path, tmp_path: Path) -> None:
    convert(small_folder, tmp_path / "dst", shard_size="4")
    (tmp_path / "dst" / "train" / "notes.txt").write_bytes(b"mine")
    report = convert(small_folder, tmp_path / "dst", overwrite=True)
    assert not report.already_complete
    convert(small_folder, tmp_path / "fresh")
    (tmp_path / "fresh" / "train" / "notes.txt").write_bytes(b"mine")
    assert snapshot(tmp_path / "dst") == snapshot(tmp_path / "fresh")


def test_an_unknown_policy_or_source_is_an_argument_error(small_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.ArgumentError, match="on_bad must be one of fail, skip, keep, not 'ignore'"):
        convert(small_folder, tmp_path / "dst", on_bad="ignore")
    with pytest.raises(errors.ArgumentError, match=r"no source 'beton'; there are: .*imagefolder"):
        convert(small_folder, tmp_path / "dst", source="beton")
    with pytest.raises(errors.ArgumentError, match="workers must be at least 1, not 0"):
        convert(small_folder, tmp_path / "dst", workers=0)
    assert not (tmp_path / "dst").exists()


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "PNG", "WEBP", "JPEG"])
def test_a_record_tells_the_format_of_its_image(tmp_path: Path, kind: str) -> None:
    content = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(content, kind)
    write_tree(tmp_path / "src", {"n1/a.jpg": content.getvalue()})
    convert(tmp_path / "src", tmp_path / "out")
    assert Dataset(tmp_path / "out")[0].format == kind
