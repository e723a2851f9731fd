"""dataset.json: strict reading, reproducible and atomic writing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fastinet import _core, errors
from fastinet.format import manifest
from fastinet.format.manifest import ClassInfo, FileInfo, LabelsFile, Manifest, ShardInfo

SAMPLE = Manifest(
    "train",
    (ClassInfo("n1", ("crane",)), ClassInfo("n2", ("crane", "bird"), "a bird", {"ilsvrc2012_id": 7})),
    (
        ShardInfo("train-000000.tar", 3, 2048, 0xABC, "train-000000.idx", 400, 2**64 - 1, 100, 200, 7),
        ShardInfo("/data/x.tar", 2, 1024, 1, "side/x.idx", 300, 0, 300, 300, 2**63, 0),
    ),
    hierarchy=(("n0", "n1"),),
    created_by={"source": "imagefolder", "options": {"on_bad": "fail"}},
    label_maps=((1, 0, -1),),
    labels=LabelsFile(FileInfo("labels.bin", 10, 3), "u16"),
    chunks=FileInfo("chunks.bin", 32, 4),
)


def resealed(data: bytes, old: bytes, new: bytes) -> bytes:
    """`data` with a change and a checksum that fits it."""
    assert data.count(old) == 1
    body = data.replace(old, new)[: -len(b',\n  "manifest_xxh3": "0123456789abcdef"\n}\n')]
    return body + b',\n  "manifest_xxh3": "%016x"\n}\n' % _core.xxh3(body)


def test_a_manifest_comes_back_as_it_was_written(tmp_path: Path) -> None:
    manifest.write(tmp_path, SAMPLE)
    assert manifest.read(tmp_path) == SAMPLE
    before = (tmp_path / "dataset.json").read_bytes()
    manifest.write(tmp_path, manifest.read(tmp_path))
    assert (tmp_path / "dataset.json").read_bytes() == before
    assert [f.name for f in tmp_path.iterdir()] == ["dataset.json"]


def test_every_flipped_byte_is_an_error(tmp_path: Path) -> None:
    manifest.write(tmp_path, SAMPLE)
    file = tmp_path / "dataset.json"
    good = file.read_bytes()
    for i in range(len(good)):
        bad = bytearray(good)
        bad[i] ^= 1
        file.write_bytes(bad)
        with pytest.raises(errors.FormatError, match=r"dataset\.json: "):
            manifest.read(tmp_path)


def test_a_cut_manifest_is_an_error(tmp_path: Path) -> None:
    manifest.write(tmp_path, SAMPLE)
    file = tmp_path / "dataset.json"
    file.write_bytes(file.read_bytes()[:-2])
    with pytest.raises(errors.FormatError, match="does not end with its checksum"):
        manifest.read(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "kind", "message"),
    [
        (
            b'"format_version": 2',
            b'"format_version": 1',
            errors.UnsupportedError,
            "format_version: expected 2, found 1: an earlier fastinet wrote it; `fastinet index .*` makes "
            "sidecars and manifest anew",
        ),
        (
            b'"format_version": 2',
            b'"format_version": 3',
            errors.UnsupportedError,
            "format_version: expected 2, found 3: a later fastinet wrote it",
        ),
        (
            b'"encoding": "jpeg"',
            b'"encoding": "jpeg", "must_understand": ["records", "shards.label_map", "tiles"]',
            errors.UnsupportedError,
            "must_understand: expected fields that this version of fastinet knows, found tiles",
        ),
        (
            b'"encoding": "jpeg"',
            b'"encoding": "jpeg", "must_understand": 3',
            errors.FormatError,
            "must_understand: expected a list, found 3",
        ),
        (
            b'"encoding": "jpeg"',
            b'"encoding": "jpeg", "encoding": "jpeg"',
            errors.FormatError,
            "not JSON: the key 'encoding' occurs twice in an object",
        ),
        (
            b'"path": "train-000000.tar"',
            b'"path": "../train-000000.tar"',
            errors.FormatError,
            r"shards\[0\]\.path: expected a path without empty, \. or \.\. components, found \.\./train",
        ),
        (
            b'"/data/x.tar"',
            b'"/data/../x.tar"',
            errors.FormatError,
            r"shards\[1\]\.path: expected a path without",
        ),
        (
            b'"/data/x.tar"',
            b'"data//x.tar"',
            errors.FormatError,
            r"shards\[1\]\.path: expected a path without",
        ),
        (
            b'"/data/x.tar"',
            b'"train-000000.tar"',
            errors.FormatError,
            r"shards\[1\]\.path: expected one that no other shard has, found train-000000\.tar",
        ),
        (
            b'"side/x.idx"',
            b'"train-000000.idx"',
            errors.FormatError,
            r"shards\[1\]\.index: expected one that no other shard has, found train-000000\.idx",
        ),
        (
            b'"bytes": 3772',
            b'"bytes": 3773',
            errors.FormatError,
            "bytes: expected 3772, the sum over the tars and sidecars, found 3773",
        ),
        (
            b'"greatest_shard": 2448',
            b'"greatest_shard": 2447',
            errors.FormatError,
            "greatest_shard: expected 2448, the size of the greatest tar with its sidecar, found 2447",
        ),
        (
            b'"record_order": "source"',
            b'"record_order": "random"',
            errors.FormatError,
            'record_order: expected "source" or {"permuted": SEED}, found random',
        ),
        (
            b'"label_map": 0',
            b'"label_map": 1',
            errors.FormatError,
            r"shards\[1\]\.label_map: expected the number of one of 1 label maps, found 1",
        ),
        (
            b"[1, 0, -1]",
            b"[1, 2, -1]",
            errors.FormatError,
            r"label_maps\[0\]: expected classes, -1 to 1, found 2",
        ),
        (
            b'"dtype": "u16"',
            b'"dtype": "u64"',
            errors.UnsupportedError,
            r"labels\.dtype: expected u16 or i32, found u64",
        ),
        (
            b'"dtype": "u16"',
            b'"dtype": "i32"',
            errors.FormatError,
            r"labels\.bytes: expected 20, 4 for each record, found 10",
        ),
        (
            b'"chunks.bin"',
            b'"../chunks.bin"',
            errors.FormatError,
            r"chunks\.path: expected the name of a file beside the manifest, found \.\./chunks\.bin",
        ),
        (
            b'"index_head_bytes": 100',
            b'"index_head_bytes": 201',
            errors.FormatError,
            r"shards\[0\]\.index_head_bytes: expected 0 to 200, found 201",
        ),
        (
            b'"encoding": "jpeg"',
            b'"encoding": "webm"',
            errors.UnsupportedError,
            "encoding: expected jpeg, found webm",
        ),
        (b'"split": "train"', b'"split": 3', errors.FormatError, "split: expected a string, found 3"),
        (b'"split"', b'"spilt"', errors.FormatError, "split: expected a string, found nothing"),
        (
            b'"records": 3',
            b'"records": -3',
            errors.FormatError,
            r"shards\[0\]\.records: expected 0 to 16777216, found -3",
        ),
        (
            b'"records": 5',
            b'"records": 6',
            errors.FormatError,
            "records: expected 5, the sum over the shards, found 6",
        ),
        (b'"bytes": 2048, ', b"", errors.FormatError, r"shards\[0\]: expected an object with bytes, "),
        (
            b'"0000000000000abc"',
            b'"abc"',
            errors.FormatError,
            r"shards\[0\]\.xxh3: expected 16 hexadecimal digits, found abc",
        ),
        (
            b'"name": "n2"',
            b'"name": "n1"',
            errors.FormatError,
            "classes: expected names that differ, found 1 repeated",
        ),
        (b'["n0", "n1"]', b'["n0"]', errors.FormatError, r"hierarchy\[0\]: expected a pair of names"),
        (
            b'"train-000000.tar"',
            b"7",
            errors.FormatError,
            r"shards\[0\]\.path: expected a path without .*, found 7",
        ),
        (b'"side/x.idx"', b'["x"]', errors.FormatError, r"shards\[1\]\.index: expected a path"),
        (
            b'"bytes": 1024',
            b'"bytes": 1024.5',
            errors.FormatError,
            r"shards\[1\]\.bytes: expected 0 to \d+, found 1024\.5",
        ),
        (
            b'"words": ["crane"]',
            b'"words": "crane"',
            errors.FormatError,
            r"classes\[0\]\.words: expected a list of strings",
        ),
    ],
)
def test_a_wrong_field_is_named(
    tmp_path: Path, old: bytes, new: bytes, kind: type[Exception], message: str
) -> None:
    manifest.write(tmp_path, SAMPLE)
    file = tmp_path / "dataset.json"
    file.write_bytes(resealed(file.read_bytes(), old, new))
    with pytest.raises(kind, match=message):
        manifest.read(tmp_path)


def test_a_field_that_is_not_known_is_ignored(tmp_path: Path) -> None:
    manifest.write(tmp_path, SAMPLE)
    file = tmp_path / "dataset.json"
    file.write_bytes(resealed(file.read_bytes(), b'"records": 5', b'"tiles": [1], "records": 5'))
    assert manifest.read(tmp_path) == SAMPLE


def test_the_order_of_permuted_records_and_the_sources_of_a_merge_come_back(tmp_path: Path) -> None:
    parts = (manifest.Source(1, {"plan": "x"}), manifest.Source(1, {"source": "webdataset"}))
    whole = replace(SAMPLE, record_order=manifest.Permuted(7), sources=parts)
    manifest.write(tmp_path, whole)
    found = manifest.read(tmp_path)
    assert found == whole
    assert list(found.sources_of_shards) == [{"plan": "x"}, {"source": "webdataset"}]
    file = tmp_path / "dataset.json"
    file.write_bytes(
        resealed(
            file.read_bytes(), b'"shards": 1, "created_by": {"plan"', b'"shards": 2, "created_by": {"plan"'
        )
    )
    with pytest.raises(errors.FormatError, match="sources: expected 2 shards in all, found 3"):
        manifest.read(tmp_path)


def test_the_checksum_is_part_of_what_is_read(tmp_path: Path) -> None:
    manifest.write(tmp_path, SAMPLE)
    data = (tmp_path / "dataset.json").read_bytes()
    body = data[: data.rindex(b',\n  "manifest_xxh3"')]
    assert manifest.read(tmp_path).xxh3 == _core.xxh3(body)


def test_a_missing_manifest_says_so(tmp_path: Path) -> None:
    with pytest.raises(errors.MissingFileError, match="manifest is missing"):
        manifest.read(tmp_path)
