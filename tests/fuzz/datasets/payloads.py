"""Mutants of encoded images."""

from __future__ import annotations

import random
import tempfile
from functools import cache
from pathlib import Path

from mutant import Files, Mutant, change_bytes, change_number
from sample import SHARDS, SPLIT, write_shard
from sealing import seal_all

from fastinet import _core

__all__ = ["mutate"]


def mutate(rng: random.Random, files: Files) -> Mutant:
    """Bytes or markers of an image: in the shard as it is, or in one that was written with that image."""
    number = rng.randrange(len(SHARDS))
    items = list(SHARDS[number])
    which = rng.randrange(len(items))
    payload = items[which].payload
    change = _marker if payload[:2] == b"\xff\xd8" and rng.random() < 0.6 else _bytes
    changed, what = change(rng, payload)
    if changed == payload:
        return mutate(rng, files)
    name = f"{SPLIT}-{number:06d}"
    what = f"{name}.tar: {items[which].key[:30]}: {what}"
    if rng.random() < 0.4:
        data = files[f"{name}.tar"]
        at = data.index(payload)
        kept = (changed + payload[len(changed) :])[: len(payload)]
        late = rng.random() < 0.1
        if kept != payload:
            told = {f"{name}.tar": data[:at] + kept + data[at + len(payload) :]}
            return Mutant(f"{what}{'; late' if late else ''}", told, late=late)
    facts = [item.payload for item in items]
    items[which] = items[which]._replace(payload=changed)
    stale = rng.random() < 0.5
    if not stale:
        facts[which] = changed
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        write_shard(Path(folder), number, items, facts)
        told = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    told |= seal_all({**files, **told})
    what += f"; sealed{', with the facts of the image as it was' * stale}"
    false = stale and _facts(changed) != _facts(payload)
    return Mutant(what, told, liar=True, must_tell=false, image=changed)


def _facts(payload: bytes) -> dict[str, object]:
    """What a sidecar says of an image, but for whether it decodes without a warning."""
    return {name: value for name, value in _core.examine(payload)[0].items() if name != "clean"}


@cache
def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _bytes(rng: random.Random, payload: bytes) -> tuple[bytes, str]:
    others = [item.payload for items in SHARDS for item in items]
    return change_bytes(rng, payload, others)


def _marker(rng: random.Random, payload: bytes) -> tuple[bytes, str]:
    """A segment of a JPEG: its marker, length, fields or place; or markers within the entropy-coded data."""
    segments, scan = _segments(payload)
    index = rng.randrange(len(segments))
    at, end = segments[index]
    piece = payload[at:end]
    code = payload[at + 1]
    match rng.choice(("code", "length", "field", "field", "field", "gone", "twice", "swap", "other", "data")):
        case "code":
            new = rng.choice(
                [
                    0x00,
                    0x01,
                    0xC0,
                    0xC1,
                    0xC2,
                    0xC3,
                    0xC4,
                    0xC9,
                    0xCC,
                    0xD0,
                    0xD8,
                    0xD9,
                    0xDA,
                    0xDB,
                    0xDC,
                    0xDD,
                    0xE0,
                    0xE1,
                    0xEE,
                    0xFE,
                    0xFF,
                ]
            )
            return payload[: at + 1] + bytes([new]) + payload[at + 2 :], f"marker {code:#x} is {new:#x}"
        case "length":
            size = change_number(rng, int.from_bytes(payload[at + 2 : at + 4], "big"), 16)
            return payload[: at + 2] + size.to_bytes(2, "big") + payload[
                at + 4 :
            ], f"length of {code:#x} is {size}"
        case "field" if len(piece) > 4:
            spot = at + rng.randrange(4, min(len(piece), 24))
            value = rng.choice(
                [0, 1, 2, 3, 4, 5, 8, 0x0F, 0x10, 0x11, 0x12, 0x21, 0x22, 0x41, 0x44, 0x7F, 0x80, 0xFF]
            )
            return payload[:spot] + bytes([value]) + payload[
                spot + 1 :
            ], f"{code:#x}: byte {spot - at} is {value:#x}"
        case "gone":
            return payload[:at] + payload[end:], f"no {code:#x}"
        case "twice":
            return payload[:end] + piece + payload[end:], f"{code:#x} twice"
        case "swap":
            pieces = [payload[start:stop] for start, stop in segments]
            other = rng.randrange(len(pieces))
            pieces[index], pieces[other] = pieces[other], pieces[index]
            return payload[:2] + b"".join(pieces) + payload[scan:], f"segments {index} and {other} swapped"
        case "other":
            donor = rng.choice([i.payload for items in SHARDS for i in items if i.payload[:2] == b"\xff\xd8"])
            start, stop = rng.choice(_segments(donor)[0])
            return payload[:at] + donor[start:stop] + payload[
                end:
            ], f"{donor[start + 1]:#x} of another image for {code:#x}"
    spot = rng.randrange(scan, len(payload))
    marker = rng.choice(
        [
            b"\xff\xd0",
            b"\xff\xd3",
            b"\xff\xd9",
            b"\xff\xd8",
            b"\xff\xda",
            b"\xff\xc4",
            b"\xff\xff",
            b"\xff\0",
            b"\xff",
            b"\xff\xdc\0\4\0\1",
            b"\xff\xd9" + payload,
        ]
    )
    kept = payload[spot + (len(marker) if rng.random() < 0.5 else 0) :]
    return payload[:spot] + marker + kept, f"{marker[:6]!r} in the data at {spot}"


def _segments(payload: bytes) -> tuple[list[tuple[int, int]], int]:
    """Extents of the segments up to the first scan's header, and where its data begins."""
    segments, at = [], 2
    while payload[at + 1] != 0xDA:
        size = 2 + int.from_bytes(payload[at + 2 : at + 4], "big")
        segments.append((at, at + size))
        at += size
    size = 2 + int.from_bytes(payload[at + 2 : at + 4], "big")
    return [*segments, (at, at + size)], at + size
