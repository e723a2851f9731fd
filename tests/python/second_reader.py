"""A slow and simple reader of shards, written from FORMAT.md and ITU-T T.81 alone."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import xxhash

__all__ = ["Record", "Shard", "check_entry_points", "read_shard"]

Boxes = tuple[int, int, list[tuple[int, ...]]]


@dataclass
class Record:
    """One record, every field of which has been checked as FORMAT.md asks."""

    key: str
    label: int
    payload: bytes
    width: int
    height: int
    orientation: int
    encoding: int
    clean: bool
    original_xxh3: int
    entry_points: bytes
    boxes: Boxes | None


@dataclass
class Shard:
    """A shard's records, and the size of its sidecar's prefix."""

    records: list[Record]
    prefix_size: int


def read_shard(tar_path: Path, index_path: Path) -> Shard:
    """Reads and checks both files. AssertionError where they break a rule of FORMAT.md."""
    tar, data = tar_path.read_bytes(), index_path.read_bytes()
    header = struct.unpack_from("<8sIIQQQQIIIIQ", data)
    magic, version, header_size, count, tar_size, tar_hash, size, record_size, sections, *bits, head_hash = (
        header
    )
    assert (magic, version, bits) == (b"\x89FIDX\r\n\x1a", 2, [0, 0])
    assert (tar_size, tar_hash, size) == (len(tar), xxhash.xxh3_64_intdigest(tar), len(data))
    assert header_size >= 72
    assert record_size >= 80
    table = header_size + 32 * sections
    head = table + record_size * count
    assert head_hash == xxhash.xxh3_64_intdigest(data[:64] + data[72:head])

    parts: dict[int, bytes] = {}
    end, prefix = head, len(data)
    for i in range(sections):
        row = struct.unpack_from("<IIQQQ", data, header_size + 32 * i)
        number, section_flags, offset, length, hashed = row
        assert offset == (end + 7) // 8 * 8
        assert not any(data[end:offset])
        assert (section_flags, all(other < number for other in parts)) == (int(number == 3), True)
        parts[number] = data[offset : offset + length]
        assert hashed == xxhash.xxh3_64_intdigest(parts[number])
        prefix = offset if number == 3 else prefix
        end = offset + length
    assert end == len(data)

    records = []
    end = 0
    for i in range(count):
        row = struct.unpack_from("<QQQQIIiIIIIIIIQ", data, table + record_size * i)
        at, payload_hash, points_hash, points_at, points_size, length, label, width, height = row[:9]
        flags, key_at, key_size, boxes_at, boxes_size, original = row[9:]
        assert at % 512 == 0
        assert at >= (end + 511) // 512 * 512 + 512
        end = at + length
        payload = tar[at:end]
        key = parts[1][key_at : key_at + key_size].decode()
        assert payload_hash == xxhash.xxh3_64_intdigest(payload)
        assert tar[at - 512 : at].startswith(f"{key}.".encode()[:100])
        points = parts.get(3, b"")[points_at : points_at + points_size]
        assert len(points) == points_size
        assert points_hash == (xxhash.xxh3_64_intdigest(points, seed=payload_hash) if points else 0)
        boxes = _boxes(parts[2][boxes_at : boxes_at + boxes_size]) if boxes_size else None
        assert not flags & ~0x1FF0F
        orientation, encoding, clean = flags & 15, flags >> 8 & 255, bool(flags >> 16 & 1)
        image = (width, height, orientation, encoding, clean)
        records.append(Record(key, label, payload, *image, original, points, boxes))
    return Shard(records, prefix)


def _boxes(data: bytes) -> Boxes:
    count, width, height = struct.unpack_from("<III", data)
    assert len(data) == 12 + 24 * count
    return width, height, list(struct.iter_unpack("<iiiiiI", data[12:]))


def check_entry_points(jpeg: bytes, points: bytes) -> int:
    """Compares every entry with a decoding of the whole scan. Returns the number of entries."""
    version, row_bits, column_bits, *rest = struct.unpack_from("<BBB3B3hHHHI", points)
    dc_bits, base, (spacing, columns, rows, file_size) = rest[:3], rest[3:6], rest[6:]
    assert (version, file_size) == (1, len(jpeg))
    scan = _Scan(jpeg)
    assert (columns, rows) == (scan.columns, scan.rows)
    truth = list(scan.mcus())
    bits = int.from_bytes(points[22:], "little")

    def take(width: int) -> int:
        nonlocal bits
        value, bits = bits & ((1 << width) - 1), bits >> width
        return value

    found = total = 0
    for row in range(rows):
        first = 0
        for column in range(0, columns, spacing):
            position = first + take(column_bits) if column else take(row_bits)
            first = first if column else position
            predictors = [base[c] + take(dc_bits[c]) for c in range(scan.components)]
            assert (position, predictors) == truth[row * columns + column], (row, column)
            found += 1
    per_row = -(-columns // spacing)
    total = rows * (row_bits + (per_row - 1) * column_bits + per_row * sum(dc_bits))
    assert len(points) == 22 + (total + 7) // 8 + 7
    assert bits == 0
    return found


class _Scan:
    """The one scan of a sequential Huffman-coded JPEG file, decoded bit by bit."""

    def __init__(self, jpeg: bytes) -> None:
        self.jpeg, self.restarts, at = jpeg, 0, 2
        self.tables: dict[int, dict[tuple[int, int], int]] = {}
        while jpeg[at + 1] != 0xDA:
            size = int.from_bytes(jpeg[at + 2 : at + 4], "big")
            self._segment(jpeg[at + 1], jpeg[at + 4 : at + 2 + size])
            at += 2 + size
        size = int.from_bytes(jpeg[at + 2 : at + 4], "big")
        selectors = [jpeg[at + 6 + 2 * c] for c in range(self.components)]
        self.blocks = [
            (c, self.tables[selectors[c] >> 4], self.tables[16 | (selectors[c] & 15)])
            for c, (h, v) in enumerate(self.factors)
            for _ in range(h * v)
        ]
        self.start = at + 2 + size

    def _segment(self, marker: int, body: bytes) -> None:
        if marker in (0xC0, 0xC1):
            height, width, self.components = struct.unpack(">HHB", body[1:6])
            self.factors = [(body[7 + 3 * c] >> 4, body[7 + 3 * c] & 15) for c in range(self.components)]
            if self.components == 1:
                self.factors = [(1, 1)]
            self.columns = -(-width // (8 * self.factors[0][0]))
            self.rows = -(-height // (8 * self.factors[0][1]))
        elif marker == 0xDD:
            self.restarts = int.from_bytes(body, "big")
        elif marker == 0xC4:
            while body:
                counts, code, at, codes = body[1:17], 0, 17, {}
                for length, count in enumerate(counts, 1):
                    for _ in range(count):
                        codes[length, code] = body[at]
                        code, at = code + 1, at + 1
                    code <<= 1
                self.tables[body[0]] = codes
                body = body[at:]

    def mcus(self) -> Iterator[tuple[int, list[int]]]:
        """Position and DC predictors of each MCU."""
        self.at, self.bit = self.start, 0
        predictors = [0] * self.components
        for mcu in range(self.columns * self.rows):
            if mcu and self.restarts and mcu % self.restarts == 0:
                self.at += 2 + (self.bit > 0)
                self.bit, predictors = 0, [0] * self.components
            yield (self.at - self.start) * 8 + self.bit, predictors.copy()
            for component, dc, ac in self.blocks:
                predictors[component] += self._value(self._symbol(dc))
                k = 1
                while k < 64:
                    symbol = self._symbol(ac)
                    if symbol == 0:
                        break
                    self._value(symbol & 15)
                    k += (symbol >> 4) + 1

    def _next(self) -> int:
        value = self.jpeg[self.at] >> (7 - self.bit) & 1
        self.bit += 1
        if self.bit == 8:
            self.at, self.bit = self.at + (2 if self.jpeg[self.at] == 0xFF else 1), 0
        return value

    def _symbol(self, codes: dict[tuple[int, int], int]) -> int:
        code = length = 0
        while (length, code) not in codes:
            code, length = code << 1 | self._next(), length + 1
        return codes[length, code]

    def _value(self, size: int) -> int:
        value = 0
        for _ in range(size):
            value = value << 1 | self._next()
        return value if not size or value >> (size - 1) else value - (1 << size) + 1
