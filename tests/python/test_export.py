"""Export: the way back to files."""

from __future__ import annotations

import io
import json
import struct
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import images
import pytest
import webdataset
from archives import CLASSES, devkit, tar_of, tar_of_tars
from archives import write as write_archives
from folders import members, small_jpeg, snapshot, write_tree
from forge import Forgery
from PIL import Image
from splits import jpeg_items, write_split
from tfrecords import classic, write_records
from wordnet_files import write_wordnet

from fastinet import Dataset, _core, convert, errors, export
from fastinet.conversion.index import index
from fastinet.format import manifest
from fastinet.format.manifest import ClassInfo, Manifest, ShardInfo

NAMES = (
    "a/1.JPEG",
    "a/x.y.jpg",
    "a/i.jpg",
    "a/i.png",
    "b/sub.d/%.jpeg",
    "b/\u00e9.JPEG",
    "b/.jpg",
    "b/a b.JPEG",
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "src", {f"train/{n}": small_jpeg(i) for i, n in enumerate(NAMES)})


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    """A dataset of two splits with words, a hierarchy, and boxes in one of them."""
    names = ("n00000020/1.JPEG", "n00000021/2.JPEG", "n00000022/3.JPEG", "n00000022/4.JPEG")
    for split in ("train", "val"):
        write_tree(tmp_path / "tree", {f"{split}/{n}": small_jpeg(i) for i, n in enumerate(names)})
    voc = (
        "<annotation><size><width>128</width><height>96</height></size><object><name>n00000022</name>"
        "<truncated>1</truncated><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox>"
        "</object></annotation>"
    )
    write_tree(tmp_path / "boxes", {"train/n00000022/3.xml": voc.encode()})
    convert(
        tmp_path / "tree",
        tmp_path / "data",
        shard_size="3",
        boxes=tmp_path / "boxes",
        wordnet=write_wordnet(tmp_path / "wordnet"),
    )
    return tmp_path / "data"


def facts(path: Path) -> list[object]:
    """All that a split's records are."""
    return [(r.key, r.label, r.boxes, r.boxes_size, bytes(r.payload)) for r in Dataset(path)]


def test_an_exported_imagefolder_equals_its_source_in_every_name_and_byte(
    source: Path, tmp_path: Path
) -> None:
    convert(source, tmp_path / "data", shard_size="4")
    assert export(tmp_path / "data", tmp_path / "back") == len(NAMES)
    assert snapshot(tmp_path / "back") == snapshot(source)


def test_exported_webdataset_tars_are_the_shards(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "data", shard_size="4")
    assert export(tmp_path / "data", tmp_path / "back", to="webdataset") == len(NAMES)
    tars = (sorted(p.glob("*.tar")) for p in (tmp_path / "back", tmp_path / "data" / "train"))
    exported, shards = (members(*paths) for paths in tars)
    assert exported == shards
    assert (tmp_path / "back" / "train-classnames.txt").read_text() == "a\nb\n"


@pytest.mark.parametrize("to", ["imagefolder", "webdataset", "parquet"])
def test_export_overwrites_nothing_and_a_failure_leaves_nothing_behind(
    source: Path, tmp_path: Path, to: str
) -> None:
    convert(source, tmp_path / "data")
    with pytest.raises(errors.ArgumentError, match="exists; export to a new or empty folder"):
        export(tmp_path / "data", source, to=to)
    tar = tmp_path / "data" / "train" / "train-000000.tar"
    data = bytearray(tar.read_bytes())
    data[600] ^= 1
    tar.write_bytes(data)
    for classes in (None, ["a"]):
        with pytest.raises(errors.ChecksumError):
            export(tmp_path / "data", tmp_path / "back", to=to, classes=classes)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "src"]


def test_every_layout_of_source_gives_its_files_back(tmp_path: Path) -> None:
    odd = [
        "n01440764_1.JPEG",
        "x.y.z.jpg",
        "\u00e9\u4e2d.jpeg",
        "100%.JPEG",
        "no extension",
        "n01440764_2.png",
    ]
    data = {name: small_jpeg(i) for i, name in enumerate(odd)}
    tree = {f"train/{CLASSES[0]}/{name}": image for name, image in data.items()}
    pq, pa = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    pytest.importorskip("google_crc32c")

    rows = [{"bytes": image, "path": name} for name, image in data.items()]
    names = {"huggingface": json.dumps({"info": {"features": {"label": {"names": [CLASSES[0]]}}}})}
    table = pa.table({"image": rows, "label": [0] * len(rows)}).replace_schema_metadata(names)
    (tmp_path / "parquet").mkdir()
    pq.write_table(table, tmp_path / "parquet/train-00000-of-00001.parquet")

    write_records(
        tmp_path / "tfrecord/train-00000-of-00001",
        [classic(image, 1, CLASSES[0], name) for name, image in data.items()],
    )
    write_tree(tmp_path / "csv", {f"files/{name}": image for name, image in data.items()})
    listing = "".join(f'"files/{name}",{CLASSES[0]}\n' for name in odd)
    (tmp_path / "csv/list.csv").write_text("path,label\n" + listing)

    tagged = {name: image for name, image in data.items() if "." in name}
    write_archives(
        tmp_path / "ilsvrc2012",
        {
            "ILSVRC2012_devkit_t12.tar.gz": devkit(2012, []),
            "ILSVRC2012_img_train.tar": tar_of_tars({CLASSES[0]: tagged}),
        },
    )
    write_archives(tmp_path / "imagenet21k", {f"{CLASSES[0]}.tar": tar_of(tagged)})
    write_tree(tmp_path / "imagefolder", {n: d for n, d in tree.items() if "." in n})
    convert(tmp_path / "imagefolder", tmp_path / "fastinet")
    for place in (
        "parquet",
        "tfrecord",
        "csv/list.csv",
        "ilsvrc2012",
        "imagenet21k",
        "imagefolder",
        "fastinet",
    ):
        kind = place.split("/")[0]
        report = convert(tmp_path / place, tmp_path / "data" / kind)
        assert report.records == (6 if kind in ("parquet", "tfrecord", "csv") else 5), kind
        export(tmp_path / "data" / kind, tmp_path / "back" / kind)
        back = {p.name: p.read_bytes() for p in (tmp_path / "back" / kind).rglob("*") if p.is_file()}
        assert back == {name: data[name] for name in back}, kind
        assert len(back) == report.records
        if kind != "csv":
            folders = {p.parent for p in (tmp_path / "back" / kind).rglob("*") if p.is_file()}
            assert folders == {tmp_path / "back" / kind / "train" / CLASSES[0]}, kind


def test_tars_indexed_in_place_give_their_members_back(tmp_path: Path) -> None:
    (tmp_path / "wds").mkdir()
    with webdataset.TarWriter(str(tmp_path / "wds/x.tar")) as sink:
        sink.write({"__key__": "d/a%20b", "jpg": small_jpeg(0), "cls": 0, "zz": b"further"})
    index(tmp_path / "wds", classes=["c"])
    export(tmp_path / "wds", tmp_path / "back")
    assert snapshot(tmp_path / "back").keys() == {"train", "train/c", "train/c/d", "train/c/d/a%20b.jpg"}


def test_records_without_a_file_name_are_numbered_with_an_extension(tmp_path: Path) -> None:
    pytest.importorskip("google_crc32c")
    png = io.BytesIO()
    Image.fromarray(images.photo(1, 20, 10)).save(png, "PNG")
    records = [{"image": data, "label": 0} for data in (small_jpeg(0), png.getvalue())]
    write_records(tmp_path / "x.tfrecord", records)
    convert(tmp_path / "x.tfrecord", tmp_path / "data")
    export(tmp_path / "data", tmp_path / "back")
    files = sorted(p.relative_to(tmp_path / "back") for p in (tmp_path / "back").rglob("*.*"))
    assert files == [Path("train/0/00000000.jpg"), Path("train/0/00000001.png")]


def test_exported_parquet_converts_back_to_the_same_records(animals: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    assert export(animals, tmp_path / "back", to="parquet") == 8
    assert sorted(p.name for p in (tmp_path / "back/data").iterdir()) == [
        "train-00000-of-00001.parquet",
        "val-00000-of-00001.parquet",
    ]
    convert(tmp_path / "back", tmp_path / "again", shard_size="3", wordnet=tmp_path / "wordnet")
    for split in ("train", "val"):
        assert facts(tmp_path / "again" / split) == facts(animals / split)
        old, new = Dataset(animals / split), Dataset(tmp_path / "again" / split)
        assert new.classes == old.classes
        shards = [(s.path, s.xxh3, s.index_xxh3) for s in old.manifest.shards]
        assert [(s.path, s.xxh3, s.index_xxh3) for s in new.manifest.shards] == shards
    export(tmp_path / "again", tmp_path / "tree again")
    export(animals, tmp_path / "tree before")
    assert snapshot(tmp_path / "tree again") == snapshot(tmp_path / "tree before")


def test_unusual_names_and_json_survive_parquet(source: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    convert(source, tmp_path / "data")
    export(tmp_path / "data", tmp_path / "parquet", to="parquet")
    convert(tmp_path / "parquet", tmp_path / "again")
    export(tmp_path / "again", tmp_path / "back")
    assert snapshot(tmp_path / "back") == snapshot(source)

    (tmp_path / "x.tar").write_bytes(
        tar_of({"k.jpg": small_jpeg(0), "k.json": b'{"label":0, "text": "\xc3\xa9"}'})
    )
    convert(tmp_path / "x.tar", tmp_path / "json")
    export(tmp_path / "json", tmp_path / "json parquet", to="parquet")
    convert(tmp_path / "json parquet", tmp_path / "json again")
    tars = (tmp_path / name / "train/train-000000.tar" for name in ("json", "json again"))
    first, second = (members(tar) for tar in tars)
    assert first == second
    assert first["k.json"] == b'{"label":0, "text": "\xc3\xa9"}'


def test_exported_parquet_is_as_hugging_face_writes_it(animals: Path, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    export(animals, tmp_path / "back", to="parquet", split="train")
    file = pq.ParquetFile(tmp_path / "back/data/train-00000-of-00001.parquet")
    told = json.loads(file.schema_arrow.metadata[b"huggingface"])["info"]["features"]
    assert told["image"] == {"_type": "Image"}
    assert told["label"] == {"names": ["n00000020", "n00000021", "n00000022"], "_type": "ClassLabel"}
    rows = file.read().to_pylist()
    assert [(row["image"]["path"], row["label"]) for row in rows] == [
        ("n00000020/1.JPEG", 0),
        ("n00000021/2.JPEG", 1),
        ("n00000022/3.JPEG", 2),
        ("n00000022/4.JPEG", 2),
    ]
    assert [row["image"]["bytes"] for row in rows] == [small_jpeg(i) for i in range(4)]
    assert [row["boxes"] for row in rows] == [
        None,
        None,
        {
            "width": 128,
            "height": 96,
            "rows": [{"label": 2, "xmin": 1, "ymin": 2, "xmax": 30, "ymax": 40, "flags": 2}],
        },
        None,
    ]


def test_files_and_row_groups_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    data = [small_jpeg(i) for i in range(5)]
    write_tree(tmp_path / "src", {f"c/{i}.jpg": image for i, image in enumerate(data)})
    convert(tmp_path / "src", tmp_path / "data")
    monkeypatch.setattr("fastinet.exporting.parquet._GROUP_ROWS", 2)
    monkeypatch.setattr("fastinet.exporting.parquet._FILE_BYTES", sum(map(len, data[:4])))
    export(tmp_path / "data", tmp_path / "back", to="parquet")
    files = sorted((tmp_path / "back/data").iterdir())
    assert [f.name for f in files] == [f"train-0000{i}-of-00002.parquet" for i in range(2)]
    groups = [pq.ParquetFile(f).metadata for f in files]
    assert [[m.row_group(i).num_rows for i in range(m.num_row_groups)] for m in groups] == [[2, 2], [1]]


@pytest.mark.parametrize("to", ["imagefolder", "webdataset", "parquet"])
def test_classes_and_a_split_can_be_chosen(animals: Path, tmp_path: Path, to: str) -> None:
    assert export(animals, tmp_path / "back", to=to, split="val", classes=["n00000010"]) == 2  # both dogs
    if to == "imagefolder":
        expected = {"val", "val/n00000020", "val/n00000020/1.JPEG", "val/n00000021", "val/n00000021/2.JPEG"}
        assert snapshot(tmp_path / "back").keys() == expected
        return
    if to == "webdataset":
        assert sorted(members(*(tmp_path / "back").glob("*.tar"))) == [
            "n00000020/1.cls",
            "n00000020/1.jpg",
            "n00000021/2.cls",
            "n00000021/2.jpg",
        ]
    convert(tmp_path / "back", tmp_path / "again")
    again = Dataset(tmp_path / "again")
    assert again.split == "val"
    assert [(r.key, r.label, bytes(r.payload)) for r in again] == [
        ("n00000020/1", 0, small_jpeg(0)),
        ("n00000021/2", 1, small_jpeg(1)),
    ]
    assert [c.name for c in again.classes] == ["n00000020", "n00000021", "n00000022"]


def test_unknown_layouts_splits_and_classes_are_refused(animals: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.ArgumentError, match="no split 'test' here, only: train, val"):
        export(animals, tmp_path / "back", split="test")
    with pytest.raises(errors.ArgumentError, match="no class 'unicorn'"):
        export(animals, tmp_path / "back", classes=["unicorn"])
    with pytest.raises(errors.ArgumentError, match="to must be one of imagefolder, webdataset, parquet"):
        export(animals, tmp_path / "back", to="zip")
    with pytest.raises(errors.MissingFileError, match="not a fastinet dataset"):
        export(tmp_path / "nowhere", tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_without_pyarrow_the_extra_is_named(
    animals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)
    with pytest.raises(errors.UnsupportedError, match=r"pip install 'fastinet\[parquet\]'"):
        export(animals, tmp_path / "back", to="parquet")
    assert not (tmp_path / "back").exists()


def with_names(folder: Path, members: dict[str, bytes]) -> Path:
    """A tar with these members and a sidecar with their names as keys, which no conversion would make."""
    folder.mkdir()
    (folder / "s-000000.tar").write_bytes(tar_of(members))
    writer = _core.IndexWriter(str(folder / "s-000000.tar"))
    keys = [name.rpartition(".")[0].encode() for name in members]
    for number, (_, offset, size) in enumerate(writer.scan()[0]):
        writer.add(f"{number:0{len(keys[number])}}", offset, size, 0)
    s = writer.finish(str(folder / "s-000000.idx"))
    shard = ShardInfo.of("s-000000.tar", "s-000000.idx", s)
    manifest.write(folder, Manifest("train", (ClassInfo("a"),), (shard,)))
    forgery = Forgery(folder)
    for number, key in enumerate(keys):
        forgery.key(number, key)
    forgery.save()
    return folder


def nothing_written(tmp_path: Path, *allowed: str) -> bool:
    return sorted(path.name for path in tmp_path.iterdir()) == sorted(allowed)


@pytest.mark.parametrize("to", ["imagefolder", "webdataset", "parquet"])
@pytest.mark.parametrize("name", ["../../x", "/abs/x", "a/../../b", "sub/../x"])
def test_a_key_that_leads_out_of_the_folder_is_refused_by_record_and_key(
    tmp_path: Path, to: str, name: str
) -> None:
    folder = with_names(tmp_path / "data", {"good.jpg": small_jpeg(1), f"{name}.jpg": small_jpeg(2)})
    with pytest.raises(errors.FormatError, match=r"record 1 \(.*\): .*expected .*, found '") as caught:
        export(folder, tmp_path / "out", to=to)
    assert (caught.value.record, caught.value.key) == (1, name)
    assert nothing_written(tmp_path, "data")


@pytest.mark.parametrize("name", ["..", ".", "a/b", "/abs", "a\0b"])
def test_a_class_name_that_cannot_be_a_folder_name_is_refused(tmp_path: Path, name: str) -> None:
    split = write_split(tmp_path / "data", jpeg_items(2), classes=["plain", name, "c", "d"])
    with pytest.raises(
        errors.FormatError, match=r"record 1 \(n00000001/image 1\): expected the name of"
    ) as caught:
        export(split, tmp_path / "out")
    assert (caught.value.record, caught.value.found) == (1, repr(name))
    assert nothing_written(tmp_path, "data")


@pytest.mark.parametrize("name", ["../x", "a/b", "..", "/abs"])
@pytest.mark.parametrize("to", ["imagefolder", "webdataset", "parquet"])
def test_a_split_name_that_cannot_be_a_file_name_is_refused(tmp_path: Path, to: str, name: str) -> None:
    split = write_split(tmp_path / "data", jpeg_items(1))
    manifest.write(split, replace(manifest.read(split), split=name))
    with pytest.raises(errors.FormatError, match="expected the name of a file or folder, found"):
        export(split, tmp_path / "out", to=to)
    assert nothing_written(tmp_path, "data")


def test_escaped_separators_in_keys_and_names_are_refused(source: Path, tmp_path: Path) -> None:
    folder = with_names(tmp_path / "data", {"a/%2E%2E/b.jpg": small_jpeg(1)})
    for to in ("imagefolder", "parquet"):
        with pytest.raises(errors.FormatError, match=r"record 0 \(a/%2E%2E/b\): .* found '\.\.'"):
            export(folder, tmp_path / "out", to=to)
    convert(source, tmp_path / "whole")
    listed = tmp_path / "whole" / "train" / "names.json"
    names = json.loads(listed.read_text())
    names[0]["others"][next(iter(names[0]["others"]))] = "../../up.jpg"
    listed.write_text(json.dumps(names))
    with pytest.raises(
        errors.FormatError, match=r"names\.json: \[0\]: expected file names, found \.\./\.\./up"
    ):
        export(tmp_path / "whole", tmp_path / "out")


@pytest.mark.parametrize("to", ["imagefolder", "parquet"])
def test_a_label_without_a_class_is_refused_by_record_and_key(tmp_path: Path, to: str) -> None:
    split = write_split(tmp_path / "data", jpeg_items(3, classes=3), classes=2)
    with pytest.raises(
        errors.FormatError, match=r"record 2 \(.*\): label: expected -1 to 1, found 2"
    ) as caught:
        export(split, tmp_path / "out", to=to)
    assert (caught.value.record, caught.value.key) == (2, "n00000002/image 2")


def test_a_line_break_in_a_class_name_would_shift_the_labels_of_the_list(tmp_path: Path) -> None:
    split = write_split(tmp_path / "data", jpeg_items(1), classes=["a\nb", "c", "d", "e"])
    with pytest.raises(errors.FormatError, match="class 0: expected a name of one line"):
        export(split, tmp_path / "out", to="webdataset")


def test_two_splits_with_the_same_name_are_refused(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        split = write_split(tmp_path / "data" / folder, jpeg_items(1))
        manifest.write(split, replace(manifest.read(split), split="train"))
    for to in ("imagefolder", "webdataset"):
        with pytest.raises(errors.ArgumentError, match="several splits are called 'train'"):
            export(tmp_path / "data", tmp_path / "out", to=to)


def test_links_and_repeated_members_of_a_tar_are_not_exported(tmp_path: Path) -> None:
    """A link that an unpacked member would be written through, for one."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        link = tarfile.TarInfo("out")
        link.type, link.linkname = tarfile.SYMTYPE, "/tmp"
        tar.addfile(link)
        for name, data in (("b.jpg", small_jpeg(1)), ("b.cls", b"0")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.tar").write_bytes(buffer.getvalue())
    index(tmp_path / "data")
    export(tmp_path / "data", tmp_path / "out", to="webdataset")
    assert list(members(tmp_path / "out" / "train-000000.tar")) == ["b.jpg", "b.cls"]


def test_a_link_with_the_name_of_the_temporary_folder_is_not_followed(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "data")
    precious = write_tree(tmp_path / "precious", {"file": b"1", "folder/file": b"2"})
    (tmp_path / ".out.fastinet-export").symlink_to(precious)
    with pytest.raises(errors.ShardIOError, match=r"\.out\.fastinet-export"):
        export(tmp_path / "data", tmp_path / "out")
    assert snapshot(precious).keys() == {"file", "folder", "folder/file"}
    (tmp_path / ".out.fastinet-export").unlink()
    (tmp_path / ".out.fastinet-export").mkdir()  # what a crash left
    (tmp_path / ".out.fastinet-export" / "link").symlink_to(precious)
    export(tmp_path / "data", tmp_path / "out")
    assert snapshot(precious).keys() == {"file", "folder", "folder/file"}


@pytest.mark.parametrize("to", ["imagefolder", "webdataset"])
@pytest.mark.parametrize("classes", [None, ["n00000001"]])
def test_a_tar_that_does_not_match_its_hash_is_not_exported(
    tmp_path: Path, to: str, classes: list[str] | None
) -> None:
    """Payloads have hashes of their own; labels and annotations beside them have the tar's alone."""
    split = write_split(tmp_path / "data", jpeg_items(4))
    tar = split / "data-000000.tar"
    data = bytearray(tar.read_bytes())
    with tarfile.open(tar) as archive:
        label = next(member for member in archive if member.name == "n00000001/image 1.cls")
    assert data[label.offset_data : label.offset_data + 1] == b"1"
    data[label.offset_data] = ord("2")
    tar.write_bytes(data)
    with pytest.raises(errors.ChecksumError, match=r"data-000000\.tar: shard is damaged") as caught:
        export(split, tmp_path / "out", to=to, classes=classes)
    assert caught.value.path == str(tar)
    assert nothing_written(tmp_path, "data")


def test_flags_of_boxes_that_are_too_large_for_the_column_are_refused_by_record_and_key(
    tmp_path: Path,
) -> None:
    pytest.importorskip("pyarrow")
    folder = tmp_path / "data" / "train"
    folder.mkdir(parents=True)
    writer = _core.ShardWriter(str(folder / "train-000000.tar"), str(folder / "train-000000.idx"))
    writer.add("a", "jpg", small_jpeg(1), 0, format="JPEG", boxes=(60, 50, [(0, 1, 1, 5, 5, 7)]))
    s = writer.finish()
    shard = ShardInfo.of("train-000000.tar", "train-000000.idx", s)
    manifest.write(folder, Manifest("train", (ClassInfo("c"),), (shard,)))
    forged = Forgery(folder)
    at = forged.index.index(struct.pack("<6i", 0, 1, 1, 5, 5, 7)) + 20
    forged.index[at : at + 4] = struct.pack("<I", 2**31)
    forged.save()
    with pytest.raises(
        errors.FormatError, match=r"record 0 \(a\): flags of a box: expected at most"
    ) as caught:
        export(folder, tmp_path / "out", to="parquet")
    assert (caught.value.record, caught.value.found) == (0, str(2**31))
