"""FORMAT.md, the golden files and the code say the same."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import second_reader
import xxhash
from folders import small_jpeg, write_tree
from images import photo
from PIL import Image

import fastinet
from fastinet import _core
from fastinet.dataset import Dataset

ROOT = Path(__file__).resolve().parents[2]
OPTIONS: list[dict[str, Any]] = [
    {"subsampling": "4:4:4"},
    {"subsampling": "4:2:0", "quality": 95},
    {"subsampling": "4:2:2", "optimize": True},
    {"subsampling": "4:2:0", "restart_marker_blocks": 3},
]
GOLDEN = ROOT / "tests/data/golden-v2"
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


def test_a_reader_written_from_the_page_alone_agrees_about_the_golden_files() -> None:
    shard = second_reader.read_shard(GOLDEN / "train-000000.tar", GOLDEN / "train-000000.idx")
    first, second, third = shard.records
    assert [record.key for record in shard.records] == ["n01440764/a", "n01443537/b", "é"]
    assert [record.encoding for record in shard.records] == [1, 1, 0]
    assert [record.label for record in shard.records] == [0, 1, -1]
    assert (first.entry_points, second.entry_points) == (b"\1\2\3\4\5", b"")
    assert (second.orientation, second.boxes) == (6, (8, 8, [(0, 1, 2, 5, 6, 1)]))
    assert third.payload == b"\x89PNG"
    assert shard.prefix_size == len((GOLDEN / "train-000000.idx").read_bytes()) - 5


@pytest.mark.parametrize("options", [{}, {"max_side": 100}, {"entry_points": False}], ids=str)
def test_a_reader_written_from_the_page_alone_agrees_about_every_byte_of_a_conversion(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    images = {
        f"c{i % 3}/{i}.jpg": small_jpeg(i, 60 + 40 * i, 200 - 9 * i, **OPTIONS[i % len(OPTIONS)])
        for i in range(8)
    }
    odd = io.BytesIO()
    Image.fromarray(photo(9, 30, 40)).save(odd, "PNG")
    images["c1/odd.png"] = odd.getvalue()
    write_tree(tmp_path / "src", images)
    fastinet.convert(tmp_path / "src", tmp_path / "dst", **options)
    folder = tmp_path / "dst" / "train"
    dataset = Dataset(folder)
    (info,) = dataset.manifest.shards
    shard = second_reader.read_shard(folder / info.path, folder / info.index_path)
    assert len(shard.records) == len(dataset) == len(images)
    entries = 0
    for i, record in enumerate(shard.records):
        ours = dataset.core.record(i)
        assert record.payload == bytes(memoryview(ours))
        assert (record.key, record.label) == (ours.key, ours.label)
        assert (record.width, record.height, record.orientation) == (
            ours.width,
            ours.height,
            ours.orientation,
        )
        assert _core.ENCODINGS[record.encoding] == ours.format
        assert (record.clean, record.entry_points) == (ours.clean, ours.entry_points)
        original = images[next(name for name in images if name.startswith(f"{record.key}."))]
        assert record.original_xxh3 == xxhash.xxh3_64_intdigest(original)
        if record.entry_points:
            entries += second_reader.check_entry_points(record.payload, record.entry_points)
    assert (entries > 0) == options.get("entry_points", True)


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
        "kVersion = 2": "version 2",
        "kMaxTarSize = uint64_t{1} << 48": "at most 2^48",
    }.items():
        assert name in code
        assert words in FORMAT
    fields = re.search(r"struct Record \{(.*?)\n\};", code, re.DOTALL)
    assert fields is not None
    names = re.findall(r"u?int\d+_t (\w+);", fields[1])
    documented = re.findall(
        r"^\| \d+ \| [ui]\d+ \| (\w+) \|",
        FORMAT.split("### Record table")[1].split("### Keys")[0],
        re.MULTILINE,
    )
    assert documented == names


@pytest.mark.parametrize("name", ["é", "a.b/c.d", "100%", "../x", "a//b", "tab\tname"])
def test_any_name_has_a_key_and_comes_back(name: str) -> None:
    key = _core.escape_key(name)
    _core.check_key(key)
    assert _core.unescape_key(key) == name
