"""Dataset and Record over shards that the core's writer made."""

from __future__ import annotations

import hashlib
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
import webdataset

from fastinet import _core, errors
from fastinet.dataset import Dataset
from fastinet.format import manifest
from fastinet.format.manifest import ClassInfo, Manifest, ShardInfo


def payload(i: int) -> bytes:
    return hashlib.sha256(str(i).encode()).digest() * (20 + i)


def make_split(folder: Path, counts: tuple[int, ...] = (4, 0, 3), classes: int = 3) -> Path:
    """Shards of synthetic payloads with labels 0, 1, 2, 0, ..."""
    folder.mkdir(parents=True)
    shards, record = [], 0
    for number, count in enumerate(counts):
        name = f"{folder.name}-{number:06d}"
        writer = _core.ShardWriter(os.fsencode(folder / f"{name}.tar"), os.fsencode(folder / f"{name}.idx"))
        for _ in range(count):
            boxes = (50, 60, [(record, 1, 2, 30, 40, 1)]) if record % 2 else None
            writer.add(
                f"n{record % classes}/é{record}",
                "jpg",
                payload(record),
                record % classes,
                width=50 + record,
                height=60,
                format="JPEG",
                boxes=boxes,
            )
            record += 1
        s = writer.finish()
        shards.append(ShardInfo.of(f"{name}.tar", f"{name}.idx", s))
    names = tuple(
        ClassInfo(f"n{i}", (f"word {i}",), "gloss", {"ilsvrc2012_id": i + 1}) for i in range(classes)
    )
    manifest.write(
        folder, Manifest(folder.name, names, tuple(shards), hierarchy=(("n9", "n0"), ("n9", "n1")))
    )
    return folder


@pytest.fixture
def split(tmp_path: Path) -> Path:
    return make_split(tmp_path / "train")


def test_a_dataset_gives_back_what_was_written(split: Path) -> None:
    dataset = Dataset(split)
    assert len(dataset) == 7
    assert dataset.split == "train"
    for i, record in enumerate(dataset):
        assert bytes(record.payload) == payload(i)
        assert (record.key, record.label, record.width, record.height) == (
            f"n{i % 3}/é{i}",
            i % 3,
            50 + i,
            60,
        )
        assert (record.format, record.orientation, record.index) == ("JPEG", 1, i)
        assert record.boxes == ([(i, 1, 2, 30, 40, 1)] if i % 2 else [])
        assert record.boxes_size == ((50, 60) if i % 2 else None)
    assert dataset[-1].key == "n0/é6"
    with pytest.raises(IndexError, match="record 7 of a dataset of 7"):
        dataset[7]


def test_labels_keys_classes_and_hierarchy(split: Path) -> None:
    dataset = Dataset(split)
    np.testing.assert_array_equal(dataset.labels, [0, 1, 2, 0, 1, 2, 0])
    assert not dataset.labels.flags.writeable
    assert list(dataset.keys) == [f"n{i % 3}/é{i}" for i in range(7)]
    assert dataset.keys[2:5] == ["n2/é2", "n0/é3", "n1/é4"]
    assert dataset.class_to_index == {"n0": 0, "n1": 1, "n2": 2}
    assert dataset.classes[1] == ClassInfo("n1", ("word 1",), "gloss", {"ilsvrc2012_id": 2})
    assert dataset.hierarchy.descendants("n9") == {"n0", "n1"}
    assert dataset.hierarchy.parents("n1") == ("n9",)


def test_records_of_given_classes_come_by_name_or_label(split: Path) -> None:
    dataset = Dataset(split)
    np.testing.assert_array_equal(dataset.indices_of(["n2", 0]), [0, 2, 3, 5, 6])
    with pytest.raises(errors.ArgumentError, match="no class 'n7' among its 3"):
        dataset.indices_of(["n7"])


def test_a_payload_outlives_its_dataset_and_is_read_only(split: Path) -> None:
    view = Dataset(split)[3].payload
    assert view.readonly
    assert bytes(view) == payload(3)


def test_a_dataset_pickles_by_path(split: Path) -> None:
    assert len(pickle.loads(pickle.dumps(Dataset(split)))) == 7


def test_a_relative_path_is_that_of_where_the_dataset_was_opened(
    split: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(split.parent)
    dataset = Dataset(split.name)
    chosen = Dataset(split.name).select(0)
    monkeypatch.chdir(tmp_path)  # before any shard was touched
    again, chosen_again = pickle.loads(pickle.dumps((dataset, chosen)))
    assert again.path == dataset.path == split
    assert list(again.keys) == list(dataset.keys)
    assert again[6].shard == dataset[6].shard
    assert again[6].shard.startswith(str(split))
    assert len(chosen_again) == len(chosen)


def test_a_folder_of_one_split_opens_it_and_one_of_several_lists_them(tmp_path: Path) -> None:
    make_split(tmp_path / "ds" / "train")
    assert Dataset(tmp_path / "ds").split == "train"
    make_split(tmp_path / "ds" / "val")
    with pytest.raises(errors.ArgumentError, match=r"holds several splits \(train, val\)"):
        Dataset(tmp_path / "ds")
    with pytest.raises(errors.MissingFileError, match="not a fastinet dataset"):
        Dataset(tmp_path / "nothing")


def test_a_split_can_be_moved_alone(split: Path, tmp_path: Path) -> None:
    split.rename(tmp_path / "elsewhere")
    assert bytes(Dataset(tmp_path / "elsewhere")[5].payload) == payload(5)


def test_a_flipped_byte_in_a_payload_names_shard_and_record(split: Path) -> None:
    tar = split / "train-000002.tar"
    data = bytearray(tar.read_bytes())
    data[512 + 7] ^= 4
    tar.write_bytes(data)
    with pytest.raises(
        errors.ChecksumError, match=r"train-000002\.tar: record 0 \(n1/é4\): payload is damaged"
    ) as e:
        Dataset(split)[4].payload  # noqa: B018
    assert (e.value.path, e.value.record, e.value.key) == (str(tar), 0, "n1/é4")


def test_every_flipped_byte_of_a_sidecar_is_found(split: Path) -> None:
    dataset = Dataset(split)
    spec = dataset.manifest.shards[0]
    index = split / spec.index_path
    good = index.read_bytes()
    shard = (
        str(split / spec.path),
        str(index),
        spec.records,
        spec.bytes,
        spec.index_bytes,
        spec.index_xxh3,
        None,
    )
    assert _core.verify_shard(shard, spec.xxh3) == (4, sum(len(payload(i)) for i in range(4)), [])
    sections_end = 64 + 32 * int.from_bytes(good[52:56], "little") + 80 * 4
    padding = 0
    for i in range(len(good)):
        bad = bytearray(good)
        bad[i] ^= 0x10
        index.write_bytes(bad)
        faults = _core.verify_shard(shard, spec.xxh3)[2]
        if not faults and good[i] == 0 and i >= sections_end:
            padding += 1  # between sections
            continue
        assert faults, f"byte {i}"
        assert all(isinstance(f, errors.FastinetError) and f.path == str(index) for f in faults)
    assert padding < 8 * 2


def test_a_missing_shard_is_an_error_at_open(split: Path) -> None:
    (split / "train-000002.tar").unlink()
    with pytest.raises(errors.MissingFileError, match=r"train-000002\.tar: shard is missing"):
        Dataset(split)


def test_a_truncated_shard_is_an_error_when_it_is_touched(split: Path) -> None:
    os.truncate(split / "train-000002.tar", 600)
    dataset = Dataset(split)
    assert dataset[0].label == 0
    with pytest.raises(
        errors.TruncatedError, match=r"train-000002\.tar: file has another size .* found 600 bytes"
    ):
        dataset[4]


def test_a_shard_truncated_under_its_reader_is_an_error(split: Path) -> None:
    record = Dataset(split)[3]
    os.truncate(split / "train-000000.tar", 0)
    with pytest.raises(errors.TruncatedError, match=r"train-000000\.tar: record 3: file has shrunk"):
        record.payload  # noqa: B018


def test_tarfile_and_webdataset_read_the_shards(split: Path) -> None:
    tar = split / "train-000000.tar"
    with tarfile.open(tar) as archive:
        names = archive.getnames()
        assert names[:2] == ["n0/é0.jpg", "n0/é0.cls"]
        content = archive.extractfile("n1/é1.jpg")
        assert content is not None
        assert content.read() == payload(1)
        assert {(m.mtime, m.mode, m.uid) for m in archive} == {(0, 0o644, 0)}
    samples = list(webdataset.WebDataset(str(tar), shardshuffle=False))
    assert [(s["__key__"], s["jpg"], s["cls"]) for s in samples] == [
        (f"n{i % 3}/é{i}", payload(i), str(i % 3).encode()) for i in range(4)
    ]


def test_long_keys_are_readable_by_other_tools(tmp_path: Path) -> None:
    keys = ["a/" + "b" * 97, "c" * 150 + "/" + "d" * 90, "e" * 200, "f/" * 140 + "g" * 120]
    writer = _core.ShardWriter(str(tmp_path / "x.tar"), str(tmp_path / "x.idx"))
    for i, key in enumerate(keys):
        writer.add(key, "jpg", payload(i), i)
    writer.finish()
    with tarfile.open(tmp_path / "x.tar") as archive:
        assert [m.name for m in archive if m.name.endswith(".jpg")] == [k + ".jpg" for k in keys]
    members, skipped = _core.IndexWriter(str(tmp_path / "x.tar")).scan()
    assert [name for name, _, _ in members if name.endswith(".jpg")] == [k + ".jpg" for k in keys]
    assert skipped == []


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("", "is empty"),
        ("a.b", "holds '.'"),
        ("/a", "empty path"),
        ("a/../b", "path component"),
        ("a\nb", "control"),
    ],
)
def test_a_key_that_readers_would_misread_is_refused(tmp_path: Path, key: str, problem: str) -> None:
    writer = _core.ShardWriter(str(tmp_path / "x.tar"), str(tmp_path / "x.idx"))
    with pytest.raises(errors.ArgumentError, match=problem):
        writer.add(key, "jpg", b"x")
    if key:
        assert _core.unescape_key(_core.escape_key(key)) == key
        writer.add(_core.escape_key(key), "jpg", b"x")


def test_a_key_may_occur_once(tmp_path: Path) -> None:
    writer = _core.ShardWriter(str(tmp_path / "x.tar"), str(tmp_path / "x.idx"))
    writer.add("a", "jpg", b"x")
    with pytest.raises(errors.ArgumentError, match=r"record a: key occurs twice"):
        writer.add("a", "jpg", b"y")
    assert writer.finish()["records"] == 1


def test_an_unfinished_shard_leaves_nothing_behind(tmp_path: Path) -> None:
    writer = _core.ShardWriter(str(tmp_path / "x.tar"), str(tmp_path / "x.idx"))
    writer.add("a", "jpg", b"x" * 3_000_000)
    assert len(list(tmp_path.iterdir())) == 1
    assert _core.remove_stale_temporaries(str(tmp_path)) == []  # its writer lives
    del writer
    assert list(tmp_path.iterdir()) == []


def test_only_our_own_leftovers_are_removed(tmp_path: Path) -> None:
    ours = tmp_path / ".x.tar.0123456789abcdef.fastinet-tmp"
    others = [tmp_path / n for n in ("x.tmp", ".x.tar.fastinet-tmp", ".x.tar.0123456789abcdeX.fastinet-tmp")]
    for file in [ours, *others]:
        file.write_bytes(b"x")
    assert _core.remove_stale_temporaries(str(tmp_path)) == [ours.name]
    assert sorted(tmp_path.iterdir()) == sorted(others)


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = make_split(tmp_path / "1" / "train"), make_split(tmp_path / "2" / "train")
    for file in first.iterdir():
        assert file.read_bytes() == (second / file.name).read_bytes()
