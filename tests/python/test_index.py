"""WebDataset tars indexed where they are."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import webdataset
from images import sample_jpeg
from PIL import Image

from fastinet import decode, errors
from fastinet.conversion.index import index
from fastinet.dataset import Dataset


def png(width: int = 20, height: int = 10) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.arange(width * height, dtype=np.uint8).reshape(height, width)).save(stream, "PNG")
    return stream.getvalue()


def write_tar(path: Path, members: list[tuple[str, bytes]], style: int = tarfile.GNU_FORMAT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=style) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture(scope="module")
def jpeg() -> bytes:
    return sample_jpeg(3)


def test_a_tar_of_webdatasets_writer_is_usable_in_place(tmp_path: Path, jpeg: bytes) -> None:
    tar = tmp_path / "x-0.tar"
    with webdataset.TarWriter(str(tar)) as writer:
        for i in range(5):
            writer.write({"__key__": f"a{i}", "jpg": jpeg, "cls": i % 3, "json": {"note": i}, "txt": "t"})
    before = tar.read_bytes()
    report = index(tmp_path)
    assert (report.records, report.shards, report.unlabelled, report.left_out) == (5, 1, 0, [])
    assert report.ignored == {"txt": 5}
    assert tar.read_bytes() == before
    dataset = Dataset(tmp_path)
    assert list(dataset.keys) == [f"a{i}" for i in range(5)]
    assert dataset.labels.tolist() == [0, 1, 2, 0, 1]
    with Image.open(io.BytesIO(jpeg)) as image:
        assert (dataset[0].width, dataset[0].height) == image.size
        np.testing.assert_array_equal(dataset[4].decode(), np.asarray(image.convert("RGB")))
    assert dataset.classes[2].name == "2"


@pytest.mark.parametrize("style", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_style_of_long_and_foreign_names_is_read(tmp_path: Path, jpeg: bytes, style: int) -> None:
    keys = ["short", "d" * 60 + "/" + "é" * 40]
    if style != tarfile.USTAR_FORMAT:
        keys.append("e" * 300)
    write_tar(tmp_path / "x.tar", [(k + ".jpg", jpeg) for k in keys], style)
    assert index(tmp_path).records == len(keys)
    assert list(Dataset(tmp_path).keys) == keys


def test_labels_come_from_cls_or_json_or_are_missing(tmp_path: Path, jpeg: bytes) -> None:
    members = [
        ("a.cls", b"4\n"),
        ("a.jpg", jpeg),
        ("b.jpg", jpeg),
        ("b.json", b'{"label": 2}'),
        ("c.jpg", jpeg),
        ("d.jpg", jpeg),
        ("d.json", b'{"caption": "x"}'),
        ("e.png", png()),
        ("e.cls", b"0"),
        ("e.json", b"7"),
    ]
    write_tar(tmp_path / "x.tar", members)
    assert index(tmp_path).unlabelled == 2
    dataset = Dataset(tmp_path)
    assert dataset.labels.tolist() == [4, 2, -1, -1, 0]
    assert (dataset[4].format, dataset[4].width, dataset[4].height) == ("PNG", 20, 10)
    assert decode(dataset[4].payload).shape == (10, 20, 3)
    assert dataset.indices_of([2]).tolist() == [1]


def test_class_names_may_be_labels(tmp_path: Path, jpeg: bytes) -> None:
    write_tar(tmp_path / "x.tar", [("a.jpg", jpeg), ("a.cls", b"n02"), ("b.jpg", jpeg), ("b.cls", b"n01")])
    index(tmp_path, classes=["n01", "n02"])
    assert Dataset(tmp_path).labels.tolist() == [1, 0]
    with pytest.raises(
        errors.FormatError, match=r"record a: label in \.cls: expected a number .* found 'n02'"
    ):
        index(tmp_path)
    with pytest.raises(errors.FormatError, match="'n02'"):
        index(tmp_path, classes=["n01"])


def test_two_classes_of_one_name_never_collapse(tmp_path: Path, jpeg: bytes) -> None:
    write_tar(tmp_path / "x.tar", [("a.jpg", jpeg), ("a.cls", b"crane")])
    message = (
        "classes: expected names that differ, found 'crane' for labels 0 and 2; name the classes by WNID"
    )
    with pytest.raises(errors.ArgumentError, match=message):
        index(tmp_path, classes=["crane", "pug", "crane"])
    assert [path.name for path in tmp_path.iterdir()] == ["x.tar"]


def test_a_file_cut_short_is_no_readable_image(tmp_path: Path, jpeg: bytes) -> None:
    write_tar(tmp_path / "x.tar", [("a.jpg", jpeg), ("b.jpg", jpeg[:-2])])
    report = index(tmp_path, on_bad="skip")
    ((_, key, reason),) = report.left_out
    assert key == "b"
    assert reason.startswith("truncated JPEG: expected an end-of-image marker, found the end after ")


def test_members_that_are_no_images_are_counted_and_reported(tmp_path: Path, jpeg: bytes) -> None:
    path = write_tar(tmp_path / "x.tar", [("a.jpg", jpeg), ("noext", b"1"), ("b.cls", b"1"), ("c.txt", b"2")])
    with tarfile.open(path, "a") as tar:
        link = tarfile.TarInfo("d.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "a.jpg"
        tar.addfile(link)
    with pytest.raises(
        errors.FormatError, match=r"record b: no field is an image of fastinet's; fields found: "
    ):
        index(tmp_path)
    report = index(tmp_path, on_bad="skip")
    assert report.records == 1
    assert report.ignored == {"": 1, "txt": 1}
    none = (
        "no field is an image of fastinet's; fields found: jpg (2), cls (1), txt (1); choose with "
        "--image-field FIELD"
    )
    assert report.left_out == [
        (str(path), "b", none),
        (str(path), "c", none),
        (str(path), "d", "member d.jpg is no file of its own: symbolic link"),
    ]


def test_what_is_no_image_is_handled_as_asked(tmp_path: Path, jpeg: bytes) -> None:
    path = write_tar(tmp_path / "x.tar", [("a.jpg", jpeg), ("b.jpg", b"not an image"), ("c.jpg", b"")])
    with pytest.raises(errors.DecodeError, match=r"x\.tar: record b: .*--on-bad skip \(on_bad=\) leaves"):
        index(tmp_path)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["x.tar"]
    skipped = index(tmp_path, on_bad="skip")
    assert skipped.records == 1
    assert [row[:2] for row in skipped.left_out] == [(str(path), "b"), (str(path), "c")]
    kept = index(tmp_path, on_bad="keep")
    assert kept.records == 3
    assert [row[1] for row in kept.undecodable] == ["b", "c"]
    assert bytes(Dataset(tmp_path)[1].payload) == b"not an image"


def test_sidecars_may_lie_in_another_folder(tmp_path: Path, jpeg: bytes) -> None:
    write_tar(tmp_path / "in" / "1" / "x.tar", [("a.jpg", jpeg)])
    write_tar(tmp_path / "in" / "2" / "y.tar", [("b.jpg", jpeg)])
    tars = [tmp_path / "in" / "2" / "y.tar", tmp_path / "in" / "1" / "x.tar"]
    with pytest.raises(errors.ArgumentError, match="several folders"):
        index(tars)
    index(tars, tmp_path / "out", split="val")
    dataset = Dataset(tmp_path / "out")
    assert (list(dataset.keys), dataset.split) == (["b", "a"], "val")
    assert sorted(f.name for f in (tmp_path / "out").iterdir()) == [
        "chunks.bin",
        "dataset.json",
        "labels.bin",
        "x.idx",
        "y.idx",
    ]
    assert [f.name for f in (tmp_path / "in" / "1").iterdir()] == ["x.tar"]


def test_the_same_tars_give_the_same_bytes(tmp_path: Path, jpeg: bytes) -> None:
    write_tar(tmp_path / "x.tar", [(f"{i}.jpg", jpeg) for i in range(3)])
    index(tmp_path)
    first = [(tmp_path / name).read_bytes() for name in ("x.idx", "dataset.json")]
    index(tmp_path, workers=1)
    assert [(tmp_path / name).read_bytes() for name in ("x.idx", "dataset.json")] == first


def test_files_of_others_are_never_replaced(tmp_path: Path, jpeg: bytes) -> None:
    write_tar(tmp_path / "x.tar", [("a.jpg", jpeg)])
    (tmp_path / "x.idx").write_text("v1.2 1\n")
    with pytest.raises(errors.ArgumentError, match=r"x\.idx: exists and is not a sidecar of fastinet"):
        index(tmp_path)
    assert (tmp_path / "x.idx").read_text() == "v1.2 1\n"
    (tmp_path / "x.idx").unlink()
    (tmp_path / "dataset.json").write_text("{}")
    with pytest.raises(errors.ArgumentError, match=r"dataset\.json: exists and is not a manifest"):
        index(tmp_path)
    assert (tmp_path / "dataset.json").read_text() == "{}"


def test_damaged_tars_are_typed_errors(tmp_path: Path, jpeg: bytes) -> None:
    tar = write_tar(tmp_path / "x.tar", [("a.jpg", jpeg), ("b.jpg", jpeg)])
    good = tar.read_bytes()
    os.truncate(tar, 700)
    with pytest.raises(errors.TruncatedError, match=r"x\.tar: archive ends inside a member at offset 0"):
        index(tmp_path)
    bad = bytearray(good)
    bad[3] ^= 1
    tar.write_bytes(bad)
    with pytest.raises(errors.FormatError, match=r"tar header is damaged: checksum does not fit at offset 0"):
        index(tmp_path)
    tar.write_bytes(b"\x1f\x8b" + good)
    with pytest.raises(errors.UnsupportedError, match="compressed with gzip"):
        index(tmp_path)
    tar.unlink()
    with pytest.raises(errors.MissingFileError, match=r"no \*\.tar here"):
        index(tmp_path)


def test_classes_reach_to_the_labels_of_boxes(tmp_path: Path, jpeg: bytes) -> None:
    boxes = b'{"boxes": {"width": 40, "height": 30, "rows": [[3, 1, 1, 5, 5, 0]]}}'
    write_tar(tmp_path / "x.tar", [("a.jpg", jpeg), ("a.cls", b"1"), ("a.json", boxes)])
    index(tmp_path / "x.tar")
    assert [c.name for c in Dataset(tmp_path).classes] == ["0", "1", "2", "3"]
    with pytest.raises(errors.ArgumentError, match="label 3 has no class: classes has 2 entries"):
        index(tmp_path / "x.tar", classes=["dog", "cat"])
