"""labels.bin, chunks.bin and splits.json: who writes them, what reads them, and how damage shows."""

from __future__ import annotations

import json
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xxhash
from archives import tar_of, write
from folders import small_jpeg, write_tree
from splits import write_split

import fastinet
from fastinet import Dataset, errors
from fastinet.conversion.index import index
from fastinet.format import chunks, labels, manifest, root
from fastinet.format.chunks import CHUNK_BYTES


@pytest.fixture
def converted(tmp_path: Path) -> Path:
    tree = {f"train/{name}/{i}.JPEG": small_jpeg(i) for name in ("n1", "n2") for i in range(3)}
    write_tree(tmp_path / "src", tree)
    fastinet.convert(tmp_path / "src", tmp_path / "dst", shard_size="4")
    return tmp_path / "dst"


def problems(path: Path) -> list[str]:
    return [str(problem) for problem in fastinet.verify(path).problems]


def test_a_conversion_writes_labels_chunk_hashes_and_the_list_of_splits(converted: Path) -> None:
    split = converted / "train"
    contents = manifest.read(split)
    assert np.fromfile(split / "labels.bin", "<u2").tolist() == [0, 0, 0, 1, 1, 1]
    files = [split / s.path for s in contents.shards] + [split / s.index_path for s in contents.shards]
    hashes = [xxhash.xxh3_64_intdigest(file.read_bytes()) for file in files]  # each is one chunk
    assert np.fromfile(split / "chunks.bin", "<u8").tolist() == hashes
    assert [s.index_file_xxh3 for s in contents.shards] == hashes[2:]
    listed = json.loads((converted / "splits.json").read_bytes())
    assert listed["splits"] == {"train": {"manifest_xxh3": Dataset(split).identity, "records": 6}}
    assert Dataset(split).labels.tolist() == Dataset(split).core.labels(0, 6).tolist()
    assert problems(converted) == []


def test_every_chunk_of_a_large_file_has_its_hash(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 256, CHUNK_BYTES + 1000, np.uint8).tobytes()
    split = write_split(tmp_path / "train", [("a", data, 0)])
    tar = (split / "train-000000.tar").read_bytes()
    found = fastinet._core.chunk_hashes(str(split / "train-000000.tar"))
    assert found == [
        xxhash.xxh3_64_intdigest(tar[:CHUNK_BYTES]),
        xxhash.xxh3_64_intdigest(tar[CHUNK_BYTES:]),
    ]


def test_indexing_writes_them_and_renews_the_entry_of_the_split(converted: Path) -> None:
    before = Dataset(converted / "train").identity
    index(converted / "train", classes=["a", "b"])
    split = Dataset(converted / "train")
    assert split.identity != before
    assert root.read(converted) == {"train": (int(split.identity, 16), 6)}
    assert split.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert problems(converted) == []


def test_a_second_conversion_keeps_the_splits_that_are_listed(converted: Path, tmp_path: Path) -> None:
    write_tree(tmp_path / "more", {"val/n1/x.JPEG": small_jpeg(9), "val/n2/y.JPEG": small_jpeg(8)})
    fastinet.convert(tmp_path / "more", converted)
    assert {name: row.records for name, row in (root.read(converted) or {}).items()} == {"train": 6, "val": 2}
    shutil.rmtree(converted / "val")
    assert problems(converted) == [f"{converted / 'val' / 'dataset.json'}: manifest is missing"]


def test_a_permuted_conversion_says_so(converted: Path, tmp_path: Path) -> None:
    assert manifest.read(converted / "train").record_order == "source"
    fastinet.convert(tmp_path / "src", tmp_path / "shuffled", shuffle=5)
    assert manifest.read(tmp_path / "shuffled" / "train").record_order == manifest.Permuted(5)


@pytest.mark.parametrize("name", ["labels.bin", "chunks.bin"])
def test_damage_is_found(converted: Path, name: str) -> None:
    file = converted / "train" / name
    good = file.read_bytes()
    file.write_bytes(bytes([good[0] ^ 1]) + good[1:])
    assert len(problems(converted)) == 1
    assert f"{file}: file is damaged: expected XXH3 " in problems(converted)[0]
    file.write_bytes(good[:-1])
    assert problems(converted) == [f"{file}: expected {len(good)} bytes, found {len(good) - 1}"]
    file.unlink()
    assert problems(converted) == [f"{file}: file is missing"]
    if name == "labels.bin":
        with pytest.raises(errors.MissingFileError, match=r"labels\.bin: file is missing"):
            Dataset(converted / "train").select("n1")


def test_labels_and_chunk_hashes_that_do_not_fit_the_shards_are_problems(converted: Path) -> None:
    split = converted / "train"
    contents = manifest.read(split)
    entry, data = labels.encode(np.array([0, 0, 0, 1, 1, 0], np.int32), 2)
    hashes = chunks.read(split, contents) or []
    hashes[1] = hashes[1]._replace(tar=hashes[1].tar + np.uint64(1))
    file, more = chunks.encode(hashes)
    (split / "labels.bin").write_bytes(data)
    (split / "chunks.bin").write_bytes(more)
    (converted / "splits.json").unlink()
    manifest.write(split, replace(contents, labels=entry, chunks=file))
    tar = split / "train-000001.tar"
    found = sorted(problems(converted))
    assert found[0].startswith(f"{split / 'labels.bin'}: record 5: label: expected 1, as in ")
    assert found[1].startswith(f"{tar}: chunk 0: hash in chunks.bin: expected ")
    assert len(found) == 2


def test_many_classes_take_four_bytes_and_no_label_comes_back() -> None:
    values = np.array([-1, 0, 65534, 65535], np.int32)
    assert labels.encode(values, 70000)[0].dtype == "i32"
    assert labels.encode(values[:2], 65535)[0].dtype == "u16"


@pytest.mark.parametrize(("values", "classes"), [([-1, 0, 7], 8), ([-1, 0, 70000], 80000)])
def test_labels_come_back(tmp_path: Path, values: list[int], classes: int) -> None:
    entry, data = labels.encode(np.array(values, np.int32), classes)
    (tmp_path / "labels.bin").write_bytes(data)
    assert labels.read(tmp_path, entry).tolist() == values


def test_every_flipped_byte_of_the_list_of_splits_is_an_error(converted: Path) -> None:
    file = converted / "splits.json"
    good = file.read_bytes()
    for i in range(len(good)):
        with pytest.raises((errors.FormatError, errors.UnsupportedError), match=r"splits\.json: "):
            root.decode(good[:i] + bytes([good[i] ^ 1]) + good[i + 1 :], str(file))


def test_an_overwriting_conversion_replaces_all_of_them(converted: Path, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "src" / "train" / "n2")
    fastinet.convert(tmp_path / "src", converted, overwrite=True)
    assert problems(converted) == []
    assert Dataset(converted).labels.tolist() == [0, 0, 0]


def test_a_file_of_that_name_that_is_not_ours_is_kept(tmp_path: Path) -> None:
    write_tree(tmp_path / "src", {"train/n1/1.JPEG": small_jpeg(1)})
    write(tmp_path / "dst", {"splits.json": b'{"mine": 1}'})
    with pytest.raises(errors.ArgumentError, match=r"not a fastinet dataset \(it contains 'splits\.json'\)"):
        fastinet.convert(tmp_path / "src", tmp_path / "dst")


def test_every_record_has_a_json_where_any_has_one(tmp_path: Path) -> None:
    """The rule of Hugging Face datasets: all records of a tar have members of the same kinds."""
    members = {
        "a.jpg": small_jpeg(1),
        "a.cls": b"0",
        "b.jpg": small_jpeg(2),
        "b.cls": b"0",
        "b.json": b'{"x": 1}',
    }
    members |= {
        f"{key}{ext}": small_jpeg(3) if ext == ".jpg" else b"0" for key in "cd" for ext in (".jpg", ".cls")
    }
    write(tmp_path / "src", {"train-0.tar": tar_of(members)})
    fastinet.convert(tmp_path / "src", tmp_path / "dst", shard_size="2")
    found: list[dict[str, dict[str, bytes]]] = []
    for path in sorted((tmp_path / "dst" / "train").glob("*.tar")):
        records: dict[str, dict[str, bytes]] = {}
        with tarfile.open(path) as tar:
            for member in tar:
                key, _, field = member.name.partition(".")
                file = tar.extractfile(member)
                records.setdefault(key, {})[field] = file.read() if file else b""
        found.append(records)
    assert [{tuple(fields) for fields in records.values()} for records in found] == [
        {("jpg", "cls", "json")},
        {("jpg", "cls")},
    ]
    assert (found[0]["a"]["json"], found[0]["b"]["json"]) == (b"{}", b'{"x": 1}')
    assert problems(tmp_path / "dst") == []
    fastinet.convert(tmp_path / "dst", tmp_path / "again", shard_size="1")  # {} is read as no annotations
    with tarfile.open(tmp_path / "again" / "train" / "train-000000.tar") as tar:
        assert tar.getnames() == ["a.jpg", "a.cls"]
