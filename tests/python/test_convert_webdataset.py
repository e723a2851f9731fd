"""WebDataset tars, and fastinet's own datasets, as sources of a conversion."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import webdataset
from archives import tar_of
from folders import members, small_jpeg, snapshot, write_tree
from wordnet_files import write_wordnet

from fastinet import Dataset, convert, errors
from fastinet.conversion.sources.detect import open_source

JPEGS = [small_jpeg(i) for i in range(6)]


def write(path: Path, files: dict[str, bytes], compression: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tar_of(files, compression))
    return path


def records(path: Path) -> list[tuple[str, int, bytes]]:
    return [(r.key, r.label, bytes(r.payload)) for r in Dataset(path)]


def test_tars_of_webdatasets_writer_are_cut_anew(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    with webdataset.ShardWriter(
        str(tmp_path / "src/imagenet1k-train-%04d.tar"), maxcount=4, verbose=0
    ) as sink:
        for i, data in enumerate(JPEGS):
            sink.write({"__key__": f"n0{i % 2}/x{i}", "jpg": data, "cls": i % 3})
    write(tmp_path / "src/imagenet1k-validation-00.tar", {"v.jpg": JPEGS[0], "v.cls": b"1"})
    report = convert(tmp_path / "src", tmp_path / "dst", shard_size="5")
    assert {name: (s.records, s.shards) for name, s in report.splits.items()} == {
        "train": (6, 2),
        "validation": (1, 1),
    }
    assert records(tmp_path / "dst/train") == [(f"n0{i % 2}/x{i}", i % 3, d) for i, d in enumerate(JPEGS)]
    assert [c.name for c in Dataset(tmp_path / "dst/validation").classes] == ["0", "1", "2"]


def test_compressed_tars_are_streamed_into_the_same_shards(tmp_path: Path) -> None:
    files = {}
    for i, data in enumerate(JPEGS):
        files |= {f"{i}.cls": str(i % 2).encode(), f"{i}.jpg": data, f"{i}.txt": b"unused"}
    write(tmp_path / "a/train-0.tar", files)
    write(tmp_path / "b/train-0.tar", files, "gz")
    reports = [convert(tmp_path / n, tmp_path / f"{n}out", shard_size="4") for n in "ab"]
    a, b = (snapshot(tmp_path / f"{n}out/train") for n in "ab")
    assert {n: h for n, h in a.items() if n.endswith((".tar", ".idx"))} == {
        n: h for n, h in b.items() if n.endswith((".tar", ".idx"))
    }
    assert [r.splits["train"].notes for r in reports] == [{"members not used": ["train-0.tar: 6 of txt"]}] * 2
    assert records(tmp_path / "bout")[5] == ("5", 1, JPEGS[5])


def test_splits_are_told_by_folders_too(tmp_path: Path) -> None:
    write(tmp_path / "src/train/00000.tar", {"a.jpg": JPEGS[0], "a.cls": b"0"})
    write(tmp_path / "src/val/00000.tar", {"a.jpg": JPEGS[1], "a.cls": b"0"})
    assert list(convert(tmp_path / "src", tmp_path / "dst").splits) == ["train", "val"]
    with pytest.raises(errors.ArgumentError, match="no split 'test' here, only: train, val"):
        convert(tmp_path / "src", tmp_path / "dst2", split="test")


def test_labels_may_be_names_and_lists_name_the_classes(tmp_path: Path) -> None:
    files = {"a.jpg": JPEGS[0], "a.cls": b"wolf", "b.jpg": JPEGS[1], "b.json": b'{"label": "cat"}'}
    write(tmp_path / "src/x.tar", files)
    convert(tmp_path / "src", tmp_path / "dst")
    assert [c.name for c in Dataset(tmp_path / "dst").classes] == ["cat", "wolf"]
    assert Dataset(tmp_path / "dst").labels.tolist() == [1, 0]
    (tmp_path / "src/classnames.txt").write_text("wolf\nfox\ncat\n")
    convert(tmp_path / "src", tmp_path / "dst2")
    assert [c.name for c in Dataset(tmp_path / "dst2").classes] == ["wolf", "fox", "cat"]
    assert Dataset(tmp_path / "dst2").labels.tolist() == [0, 2]


def test_json_stays_and_its_boxes_are_taken(tmp_path: Path) -> None:
    told = json.dumps(
        {
            "label": 1,
            "caption": "\u00e9",
            "boxes": {"width": 64, "height": 48, "rows": [[1, 2, 3, 40, 41, 1]]},
        }
    )
    write(tmp_path / "x.tar", {"a.jpg": JPEGS[0], "a.json": told.encode(), "b.jpg": JPEGS[1]})
    convert(tmp_path / "x.tar", tmp_path / "dst")
    record = Dataset(tmp_path / "dst")[0]
    assert (record.label, record.boxes_size, record.boxes) == (1, (64, 48), [(1, 2, 3, 40, 41, 1)])
    assert members(tmp_path / "dst/train/train-000000.tar")["a.json"] == told.encode()
    assert Dataset(tmp_path / "dst")[1].label == -1


def test_keys_stay_unless_the_format_forbids_them(tmp_path: Path) -> None:
    names = ["./p/a", "100%25", "d.d/b", "bell\x07", "/abs/c", "../up", "same", "\u00e9"]
    files = {f"{name}.jpg": JPEGS[0] for name in names}
    write(tmp_path / "src/0.tar", files)
    write(tmp_path / "src/1.tar", {"same.jpg": JPEGS[1]})
    convert(tmp_path / "src", tmp_path / "dst")
    assert [key for key, _, _ in records(tmp_path / "dst")] == [
        "p/a",
        "100%25",
        "d.d/b",
        "bell%07",
        "abs/c",
        "up",
        "same",
        "\u00e9",
        "same~2",
    ]


def damaged(name: str, folder: Path) -> tuple[type[Exception], str]:
    good = {"a.jpg": JPEGS[0], "a.cls": b"0", "b.jpg": JPEGS[1], "b.cls": b"1"}
    data = tar_of(good)
    packed = gzip.compress(data)
    cases: dict[str, tuple[bytes, type[Exception], str]] = {
        "cut": (data[:2000], errors.TruncatedError, "x.tar: archive ends inside a member"),
        "cut gz": (packed[:-300], errors.TruncatedError, "x.tar.*damaged or incomplete"),
        "changed gz": (packed[:-5] + b"\0" + packed[-4:], errors.FormatError, "x.tar.*CRC check failed"),
        "header": (data[:3] + b"?" + data[4:], errors.FormatError, "tar header is damaged"),
        "label": (
            tar_of({**good, "b.cls": b"1.5"}),
            errors.FormatError,
            r"record b: label in \.cls: expected a number of 0 or more, .* class, found '1\.5'",
        ),
        "a name": (
            tar_of({**good, "b.cls": b"cat"}),
            errors.FormatError,
            r"record b: label in \.cls: expected a number, as in earlier records, found 'cat'",
        ),
        "empty label": (tar_of({**good, "b.cls": b""}), errors.FormatError, r"record b: label in \.cls"),
        "huge label": (tar_of({**good, "b.cls": b"99999999"}), errors.FormatError, "less than 1048576"),
        "json": (
            tar_of({"a.jpg": JPEGS[0], "a.json": b"\xff"}),
            errors.FormatError,
            r"record a: label in \.json",
        ),
        "boxes": (
            tar_of({**good, "b.json": b'{"boxes": {"rows": 1}}'}),
            errors.FormatError,
            r"record b: boxes in \.json: expected width",
        ),
    }
    data, kind, message = cases[name]
    folder.mkdir()
    (folder / "x.tar").write_bytes(data)
    return kind, message


@pytest.mark.parametrize(
    "name",
    [
        "cut",
        "cut gz",
        "changed gz",
        "header",
        "label",
        "a name",
        "empty label",
        "huge label",
        "json",
        "boxes",
    ],
)
def test_damage_is_named(tmp_path: Path, name: str) -> None:
    kind, message = damaged(name, tmp_path / "src")
    with pytest.raises(kind, match=message):
        convert(tmp_path / "src", tmp_path / "dst", source="webdataset")


def test_lists_of_classes_must_agree_with_each_other_and_the_labels(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write(tmp_path / f"src/{split}-0.tar", {"a.jpg": JPEGS[0], "a.cls": b"1"})
    (tmp_path / "src/train-classnames.txt").write_text("a\nb\n")
    (tmp_path / "src/val-classnames.txt").write_text("b\na\n")
    with pytest.raises(errors.ArgumentError, match=r"other classes than in .*train-classnames"):
        convert(tmp_path / "src", tmp_path / "dst")
    (tmp_path / "src/train-classnames.txt").write_text("a\n")
    with pytest.raises(errors.FormatError, match="record a: label: expected -1 to 0, found 1"):
        convert(tmp_path / "src", tmp_path / "dst", split="train")
    (tmp_path / "src/train-classnames.txt").write_text("a\na\n")
    with pytest.raises(errors.FormatError, match="names the class a twice"):
        convert(tmp_path / "src", tmp_path / "dst", split="train")


def test_records_without_an_image_are_bad(tmp_path: Path) -> None:
    write(tmp_path / "x.tar", {"a.jpg": JPEGS[0], "b.cls": b"1", "c.txt": b"?"})
    message = (
        r"x\.tar: record b: no field is an image of fastinet's; fields found: jpg \(1\), cls \(1\), txt "
        r"\(1\); choose with --image-field FIELD"
    )
    with pytest.raises(errors.FormatError, match=message):
        convert(tmp_path / "x.tar", tmp_path / "dst")
    report = convert(tmp_path / "x.tar", tmp_path / "dst", on_bad="skip", overwrite=True)
    assert [origin for origin, _ in report.splits["train"].bad] == ["x.tar/b", "x.tar/c"]
    assert report.splits["train"].notes == {
        "records without a label": ["x.tar: 1"],
        "members not used": ["x.tar: 1 of txt"],
    }


def test_other_layouts_with_tars_are_not_taken_for_webdataset(tmp_path: Path) -> None:
    write(tmp_path / "a/n01440764.tar", {"n01440764_1.JPEG": JPEGS[0]})
    write_tree(tmp_path / "b", {"x/1.jpg": JPEGS[0]})
    write(tmp_path / "b/backup.tar", {"notes.doc": b"1"})
    write(tmp_path / "c/train/n01440764.tar", {"n01440764_1.JPEG": JPEGS[0]})
    assert open_source(tmp_path / "a").kind == "imagenet21k"
    assert open_source(tmp_path / "c").kind == "imagefolder"
    assert open_source(tmp_path / "b").kind == "imagefolder"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A dataset with words, a hierarchy, boxes and odd file names."""
    tree = {
        "n00000020/x.y.JPEG": JPEGS[0],
        "n00000020/i.jpg": JPEGS[1],
        "n00000020/i.png": JPEGS[2],
        "n00000021/\u00e9 %.jpeg": JPEGS[3],
    }
    write_tree(tmp_path / "tree/train", tree)
    write_wordnet(tmp_path / "wordnet")
    voc = (
        "<annotation><size><width>64</width><height>48</height></size><object><name>n00000020</name>"
        "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object></annotation>"
    )
    write_tree(tmp_path / "boxes", {"n00000020/i.xml": voc.encode()})
    convert(tmp_path / "tree", tmp_path / "data", wordnet=tmp_path / "wordnet", boxes=tmp_path / "boxes")
    return tmp_path / "data"


def test_a_dataset_is_cut_anew_with_all_that_it_holds(dataset: Path, tmp_path: Path) -> None:
    report = convert(dataset, tmp_path / "again", shard_size="3")
    assert report.splits["train"].shards == 2
    old, new = Dataset(dataset), Dataset(tmp_path / "again")
    assert [(r.key, r.label, r.boxes, r.boxes_size, bytes(r.payload)) for r in new] == [
        (r.key, r.label, r.boxes, r.boxes_size, bytes(r.payload)) for r in old
    ]
    assert any(r.boxes for r in new)
    assert (new.classes, new.manifest.hierarchy) == (old.classes, old.manifest.hierarchy)
    assert new.manifest.hierarchy
    assert new.manifest.synsets == old.manifest.synsets
    convert(dataset, tmp_path / "with boxes", boxes=tmp_path / "boxes")
    assert Dataset(tmp_path / "with boxes").manifest.hierarchy == old.manifest.hierarchy


def test_a_dataset_of_the_same_cut_has_the_same_shards(dataset: Path, tmp_path: Path) -> None:
    convert(dataset, tmp_path / "again")
    a, b = snapshot(dataset / "train"), snapshot(tmp_path / "again/train")
    assert {n for n in a if a[n] != b.get(n)} == {"dataset.json"}


def flip_payload(tar: Path) -> None:
    data = bytearray(tar.read_bytes())
    data[700] ^= 1
    tar.write_bytes(data)


def cut(tar: Path) -> None:
    tar.write_bytes(tar.read_bytes()[:3000])


@pytest.mark.parametrize(
    ("change", "kind"), [(flip_payload, errors.ChecksumError), (cut, errors.TruncatedError)]
)
def test_a_damaged_dataset_is_not_converted(
    dataset: Path, tmp_path: Path, change: Callable[[Path], None], kind: type[Exception]
) -> None:
    change(dataset / "train/train-000000.tar")
    with pytest.raises(kind):
        convert(dataset, tmp_path / "again")
    if kind is errors.ChecksumError:
        assert convert(dataset, tmp_path / "skipped", on_bad="skip").records == 3
