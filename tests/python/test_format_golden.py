"""FORMAT.md, the golden files and the code say the same."""

from __future__ import annotations

import re
import struct
import sys
from pathlib import Path

import pytest
import xxhash

from fastinet import _core
from fastinet.dataset import Dataset

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/data/golden-v1"
FORMAT = (ROOT / "FORMAT.md").read_text()


def test_the_hex_dump_is_the_golden_sidecar() -> None:
    rows = re.findall(r"^([0-9a-f]{8}): ((?:[0-9a-f]{2} )+)", FORMAT, re.MULTILINE)
    assert [int(offset, 16) for offset, _ in rows] == list(range(0, 16 * len(rows), 16))
    assert bytes.fromhex("".join(row for _, row in rows)) == (GOLDEN / "train-000000.idx").read_bytes()


def test_the_writer_still_makes_the_golden_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(GOLDEN.parent), *sys.path])
    import make_golden

    make_golden.main(tmp_path)
    names = sorted(f.name for f in GOLDEN.iterdir())
    assert sorted(f.name for f in tmp_path.iterdir()) == names
    for name in names:
        assert (tmp_path / name).read_bytes() == (GOLDEN / name).read_bytes(), name


def test_the_reader_understands_the_golden_files() -> None:
    dataset = Dataset(GOLDEN)
    records = list(dataset)
    assert [r.key for r in records] == ["n01440764/a", "n01443537/b", "é"]
    assert dataset.labels.tolist() == [0, 1, -1]
    assert [r.orientation for r in records] == [1, 6, 1]
    assert [r.format for r in records] == ["JPEG", "JPEG", ""]
    assert records[1].boxes == [(0, 1, 2, 5, 6, 1)]
    assert dataset.core.record(0).entry_points == b"\1\2\3\4\5"
    assert records[0].decode().shape == (8, 8, 3)
    assert bytes(records[2].payload) == b"\x89PNG"


def test_the_golden_sidecar_is_as_the_tables_say() -> None:
    """Reads it with nothing but FORMAT.md's offsets and another implementation of the hash."""
    data = (GOLDEN / "train-000000.idx").read_bytes()
    tar = (GOLDEN / "train-000000.tar").read_bytes()
    magic, version, header_size, records, tar_size, tar_hash, size, record_size, sections, head_hash = (
        struct.unpack("<8sIIQQQQIIQ", data[:64])
    )
    assert (magic, version, header_size, records) == (b"\x89FIDX\r\n\x1a", 1, 64, 3)
    assert (tar_size, tar_hash, size) == (len(tar), xxhash.xxh3_64_intdigest(tar), len(data))
    head = 64 + 32 * sections + record_size * records
    assert head_hash == xxhash.xxh3_64_intdigest(data[:56] + data[64:head])
    table = [struct.unpack_from("<IIQQQ", data, 64 + 32 * i) for i in range(sections)]
    body = {}
    for number, _, offset, length, hashed in table:
        body[number] = data[offset : offset + length]
        assert hashed == xxhash.xxh3_64_intdigest(body[number])
    rows = [struct.unpack_from("<QQQQIIiIIIIIIIQ", data, 64 + 32 * sections + 80 * i) for i in range(records)]
    for at, hashed, points_hash, points_at, points_size, length, _, _, _, _, key_at, key_size, *_ in rows:
        assert hashed == xxhash.xxh3_64_intdigest(tar[at : at + length])
        points = body[2][points_at : points_at + points_size]
        assert points_hash == (xxhash.xxh3_64_intdigest(points, seed=hashed) if points else 0)
        assert tar[at - 512 :].startswith(body[1][key_at : key_at + key_size] + b".")
    assert body[3] == struct.pack("<III6i", 1, 8, 8, 0, 1, 2, 5, 6, 1)


def test_every_constant_of_the_code_is_in_the_document() -> None:
    code = (ROOT / "src_cpp/shard/format.h").read_text()
    sizes = dict(re.findall(r"static_assert\(sizeof\((\w+)\) == (\d+)", code))
    assert f"Header: {sizes['Header']} bytes" in FORMAT
    assert f"Section table: {sizes['Section']} bytes" in FORMAT
    assert f"Record table: {sizes['Record']} bytes" in FORMAT
    for name, words in {
        "kMaxKeySize = 4096": "1 to 4096",
        "kMaxBoxes = 65536": "at most 65536",
        "kMaxRecords = 1u << 24": "at most 2^24",
        "kMaxSections = 64": "at most 64",
        "kMaxPayloadSize = 0x7fffffff": "at most 2^31 - 1",
        "kVersion = 1": "version 1",
        "kMaxTarSize = uint64_t{1} << 48": "at most 2^48",
    }.items():
        assert name in code
        assert words in FORMAT
    fields = re.search(r"struct Record \{(.*?)\n\};", code, re.DOTALL)
    assert fields is not None
    names = re.findall(r"u?int\d+_t (\w+);", fields[1])
    documented = re.findall(
        r"^\| \d+ \| [ui]\d+ \| (\w+) \|", FORMAT.split("### Record table")[1], re.MULTILINE
    )
    assert documented == names


@pytest.mark.parametrize("name", ["é", "a.b/c.d", "100%", "../x", "a//b", "tab\tname"])
def test_any_name_has_a_key_and_comes_back(name: str) -> None:
    key = _core.escape_key(name)
    _core.check_key(key)
    assert _core.unescape_key(key) == name
