"""A mutant of the sample, and the changes of bytes and of files that do not know a format."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Files", "Mutant", "change_bytes", "change_file", "change_number", "place"]

Files = Mapping[str, bytes]  # of a split's folder, by name

BOUNDARIES = [
    0,
    1,
    2,
    7,
    8,
    63,
    64,
    127,
    128,
    255,
    256,
    511,
    512,
    4095,
    4096,
    4097,
    0x7FFF,
    0x8000,
    0xFFFF,
    1 << 16,
    (1 << 24) - 1,
    1 << 24,
    (1 << 24) + 1,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    1 << 48,
    (1 << 48) + 1,
    1 << 62,
    (1 << 63) - 1,
    1 << 63,
    (1 << 64) - 80,
    (1 << 64) - 1,
]

# What stands in the place of a file, beside other bytes.
STRANGE = ("missing", "fifo", "folder", "loop", "dangling", "socket", "endless", "unreadable", "linked")


@dataclass(frozen=True)
class Mutant:
    """What is done to the sample.

    Attributes:
        what: for people.
        files: bytes, or one of STRANGE, by the name of the file whose place they take.
        liar: checksums were made anew, so that bytes may differ in silence; see ``judge.py``.
        must_tell: ``verify`` has to have a problem, whatever is delivered.
        late: the bytes are written into the files of a dataset that is open and has been read from.
        image: the encoded image that was changed, if it is delivered; it may need more memory than there is.
    """

    what: str
    files: Mapping[str, bytes | str]
    liar: bool = False
    must_tell: bool = False
    late: bool = False
    image: bytes | None = None


def place(folder: Path, name: str, content: bytes | str) -> None:
    """Puts a file, or something strange, where a file was; never into it, as a reader may have it mapped."""
    path = folder / name
    aside = folder.parent / "aside"
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    elif content == "unreadable":
        path.chmod(0)
        return
    elif content == "linked":
        aside.unlink(missing_ok=True)
        path.rename(aside)
    else:
        path.unlink(missing_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "fifo":
        os.mkfifo(path)
    elif content == "folder":
        path.mkdir()
    elif content == "socket":
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(os.path.relpath(path))  # an address has 108 bytes at most
    elif content != "missing":
        targets = {"loop": name, "dangling": "nowhere", "endless": "/dev/zero", "linked": str(aside)}
        path.symlink_to(targets[content])


def change_file(rng: random.Random, files: Files, names: list[str]) -> Mutant:
    """Something strange, or nothing, in the place of a file."""
    name, strange = rng.choice(names), rng.choice((*STRANGE, ""))
    return Mutant(f"{name}: {strange or 'empty'}", {name: strange or b""})


def change_number(rng: random.Random, value: int, bits: int) -> int:
    """Another number of as many bits: a boundary, a neighbour, a flipped bit."""
    changed = rng.choice(
        [
            rng.choice(BOUNDARIES),
            rng.choice(BOUNDARIES),
            value + rng.choice([-512, -8, -2, -1, 1, 2, 8, 512]),
            value ^ 1 << rng.randrange(bits),
            value * 2,
            value // 2,
            -rng.choice(BOUNDARIES),
            rng.getrandbits(bits),
        ]
    )
    changed &= (1 << bits) - 1
    return changed if changed != value & (1 << bits) - 1 else value ^ 1


def change_bytes(rng: random.Random, data: bytes, donors: list[bytes]) -> tuple[bytes, str]:
    """Other bytes than `data`, and what was done. `donors` are files to take pieces from."""
    changed, what = _changed(rng, data, donors)
    if changed != data:
        return changed, what
    if not data:
        return b"\0", "one byte more"
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], f"bit 0 of byte {at} flipped"


def _changed(rng: random.Random, data: bytes, donors: list[bytes]) -> tuple[bytes, str]:
    size = len(data)
    at = rng.randrange(size + 1)
    end = min(size, at + rng.choice([1, 2, 4, 8, 16, 64, 512, rng.randrange(1, size + 2)]))
    piece = data[at:end]
    other = rng.randrange(size + 1)
    match rng.choice(
        (
            "bits",
            "bits",
            "bits",
            "byte",
            "byte",
            "number",
            "cut",
            "longer",
            "removed",
            "doubled",
            "swapped",
            "spliced",
            "zeroed",
            "noise",
        )
    ):
        case "bits":
            changed = bytearray(data)
            places = [rng.randrange(8 * size) for _ in range(rng.choice([1, 1, 1, 2, 8]))] if size else []
            for bit in places:
                changed[bit // 8] ^= 1 << bit % 8
            return bytes(changed), f"bits {places} flipped"
        case "byte":
            value = rng.choice([0, 1, 0x0A, 0x20, 0x22, 0x2F, 0x30, 0x7F, 0x80, 0xD9, 0xFE, 0xFF])
            return data[:at] + bytes([value]) + data[at + 1 :], f"byte {at} set to {value:#x}"
        case "number":
            width = rng.choice([2, 4, 8])
            value = rng.choice(BOUNDARIES) & (1 << 8 * width) - 1
            order = rng.choice(["little", "big"])
            new = value.to_bytes(width, order)  # type: ignore[arg-type]
            return (data[:at] + new + data[at + width :])[: max(size, at)], f"{value:#x} at {at}, {order}"
        case "cut":
            return data[:at], f"cut to {at} of {size} bytes"
        case "longer":
            tail = rng.choice([b"\0", bytes(512), rng.randbytes(rng.randrange(1, 700)), data])
            return data + tail, f"{len(tail)} bytes longer"
        case "removed":
            return data[:at] + data[end:], f"bytes {at} to {end} removed"
        case "doubled":
            return data[:end] + piece + data[end:], f"bytes {at} to {end} doubled"
        case "swapped":
            low, high = sorted((at, other))
            step = min(end - at, high - low, size - high)
            one, two = data[low : low + step], data[high : high + step]
            swapped = data[:low] + two + data[low + step : high] + one + data[high + step :]
            return swapped, f"{step} bytes at {low} and {high} swapped"
        case "spliced":
            donor = rng.choice(donors)
            start = rng.randrange(len(donor) + 1)
            new = donor[start : start + end - at]
            return data[:at] + new + data[at + len(new) :], f"{len(new)} bytes of another file at {at}"
        case "zeroed":
            return data[:at] + bytes(end - at) + data[end:], f"bytes {at} to {end} zeroed"
        case _:
            return data[:at] + rng.randbytes(end - at) + data[end:], f"noise from {at} to {end}"
