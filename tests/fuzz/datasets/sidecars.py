"""Mutants of sidecars."""

from __future__ import annotations

import random
import struct

from mutant import Files, Mutant, change_bytes, change_file, change_number
from sealing import HEADER, RECORD, SECTION, seal_all, seal_head
from xxhash import xxh3_64_intdigest

__all__ = ["mutate"]

_SEALS = ("no seal", "head", "head and sections", "all")


def mutate(rng: random.Random, files: Files) -> Mutant:
    """A field, a section, the order of things, or bytes anywhere; with checksums made anew to some degree."""
    names = sorted(name for name in files if name.endswith(".idx"))
    if rng.random() < 0.02:
        return change_file(rng, files, names)
    name = rng.choice(names)
    data = files[name]
    change = rng.choice([_field, _field, _field, _section, _section, _table, _anywhere])
    changed, what = change(rng, data, [files[n] for n in names])
    if changed == data:
        changed, what = _anywhere(rng, data, [files[n] for n in names])
    seal = (
        rng.choice(_SEALS) if change is not _anywhere else rng.choice(("no seal", "no seal", "head", "all"))
    )
    if seal != "no seal":
        changed = seal_head(changed, sections=seal in ("head and sections", "all"))
    if changed == data:
        return mutate(rng, files)
    told = {name: changed}
    if seal == "all":
        told |= seal_all({**files, **told})
    late = seal != "all" and rng.random() < 0.06
    return Mutant(f"{name}: {what}; {seal}{'; late' if late else ''}", told, liar=seal == "all", late=late)


def _counts(data: bytes) -> tuple[int, int]:
    (records,) = struct.unpack_from("<Q", data, 16)
    (sections,) = struct.unpack_from("<I", data, 52)
    return records, sections


def _set(data: bytes, at: int, bits: int, value: int) -> bytes:
    return data[:at] + value.to_bytes(bits // 8, "little") + data[at + bits // 8 :]


def _get(data: bytes, at: int, bits: int) -> int:
    return int.from_bytes(data[at : at + bits // 8], "little")


def _field(rng: random.Random, data: bytes, _: list[bytes]) -> tuple[bytes, str]:
    """A number of the header, the section table or the record table."""
    records, sections = _counts(data)
    whole = {
        "header": (HEADER, 0, 1, 0),
        "section": (SECTION, 72, sections, 32),
        "record": (RECORD, 72 + 32 * sections, records, 80),
    }
    where = rng.choice(("header", "section", "record", "record", "record"))
    fields, start, count, size = whole[where]
    field, row = rng.choice(list(fields)), rng.randrange(count)
    at, bits = fields[field]
    old = _get(data, start + row * size + at, bits)
    new = change_number(rng, old, bits)
    if size and rng.random() < 0.2:  # what another row has there
        new = _get(data, start + rng.randrange(count) * size + at, bits)
    return _set(data, start + row * size + at, bits, new), f"{where} {row}: {field} {old:#x} is {new:#x}"


def _section(rng: random.Random, data: bytes, donors: list[bytes]) -> tuple[bytes, str]:
    """Keys, entry points or boxes. The hash that goes with entry points is made anew, half of the time."""
    records, sections = _counts(data)
    at = 72 + 32 * rng.randrange(sections)
    kind, start, size = _get(data, at, 32), _get(data, at + 8, 64), _get(data, at + 16, 64)
    inside = data[start : start + size]
    if kind == 1:
        piece = rng.choice([b"..", b"/", b"\0", b".", b"//", b"\xff", b"../", b"%zz", b"n0", b"\n"])[:size]
        spot = rng.randrange(size - len(piece) + 1)
        new = inside[:spot] + piece + inside[spot + len(piece) :]
        what = f"keys: {piece!r} at {spot}"
    elif kind == 3 and rng.random() < 0.8:
        spot = 4 * rng.randrange(size // 4)
        value = change_number(rng, _get(inside, spot, 32), 32)
        new, what = _set(inside, spot, 32, value), f"boxes: {value:#x} at {spot}"
    else:
        new, what = change_bytes(rng, inside, donors)
        new = (new + bytes(size))[:size]
        what = f"section {kind}: {what}"
    changed = data[:start] + new + data[start + size :]
    if kind == 3 and rng.random() < 0.5:
        for row in range(72 + 32 * sections, 72 + 32 * sections + 80 * records, 80):
            offset, length, seed = (_get(data, row + a, b) for a, b in ((24, 64), (32, 32), (8, 64)))
            if length:
                points = changed[start + offset : start + offset + length]
                changed = _set(changed, row + 16, 64, xxh3_64_intdigest(points, seed))
        what += ", and its hash"
    return changed, what


def _table(rng: random.Random, data: bytes, donors: list[bytes]) -> tuple[bytes, str]:
    """Rows of the tables swapped, copied or removed; sections that nobody knows; another shard's sidecar."""
    records, sections = _counts(data)
    table = 72 + 32 * sections
    size, start, count = rng.choice([(80, table, records), (32, 72, sections)])
    one, two = rng.randrange(count), rng.randrange(count)
    rows = [data[start + i * size : start + (i + 1) * size] for i in range(count)]
    match rng.choice(("swap", "copy", "fewer", "more", "unknown", "other")):
        case "swap":
            rows[one], rows[two] = rows[two], rows[one]
            return data[:start] + b"".join(rows) + data[start + count * size :], f"rows {one}, {two} swapped"
        case "copy":
            rows[one] = rows[two]
            return data[:start] + b"".join(rows) + data[start + count * size :], f"row {two} also at {one}"
        case "fewer" | "more" as which:
            at, bits = HEADER["record_count" if size == 80 else "section_count"]
            new = count + (1 if which == "more" else -1)
            return _set(data, at, bits, new), f"{new} rows of {size} bytes, not {count}"
        case "unknown":
            at = 72 + 32 * one % (32 * sections)
            changed = _set(data, at, 32, rng.choice([0, 4, 9, 1 << 31]))
            return _set(changed, at + 4, 32, rng.choice([0, 1, 2])), f"section {at} is an unknown one"
        case _:
            return rng.choice(donors), "the sidecar of another shard"


def _anywhere(rng: random.Random, data: bytes, donors: list[bytes]) -> tuple[bytes, str]:
    return change_bytes(rng, data, donors)
