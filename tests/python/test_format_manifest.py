"""dataset.json: strict reading, reproducible and atomic writing."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastinet import _core, errors
from fastinet.format import manifest
from fastinet.format.manifest import ClassInfo, Manifest, ShardInfo

SAMPLE = Manifest(
    "train",
    (ClassInfo("n1", ("crane",)), ClassInfo("n2", ("crane", "bird"), "a bird", {"ilsvrc2012_id": 7})),
    (
        ShardInfo("train-000000.tar", 3, 2048, 0xABC, "train-000000.idx", 400, 2**64 - 1),
        ShardInfo("/data/x.tar", 2, 1024, 1, "side/x.idx", 300, 0),
    ),
    hierarchy=(("n0", "n1"),),
    created_by={"source": "imagefolder", "options": {"on_bad": "fail"}},
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
            b'"format_version": 1',
            b'"format_version": 2',
            errors.UnsupportedError,
            "format_version: not supported by this version of fastinet: expected 1, found 2",
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
        (b'"train-000000.tar"', b"7", errors.FormatError, r"shards\[0\]\.path: expected a path, found 7"),
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


def test_a_missing_manifest_says_so(tmp_path: Path) -> None:
    with pytest.raises(errors.MissingFileError, match="manifest is missing"):
        manifest.read(tmp_path)
