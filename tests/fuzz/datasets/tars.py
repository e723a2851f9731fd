"""Mutants of the headers of a shard's members."""

from __future__ import annotations

import io
import itertools
import random
import struct
import tarfile
from collections.abc import Iterator

from mutant import Files, Mutant, change_bytes, change_file
from sealing import seal_all, seal_head
from xxhash import xxh3_64_intdigest

__all__ = ["listing", "mutate"]

# Fields of a header: offset and size.
_FIELDS = {
    "name": (0, 100),
    "mode": (100, 8),
    "uid": (108, 8),
    "gid": (116, 8),
    "size": (124, 12),
    "mtime": (136, 12),
    "chksum": (148, 8),
    "typeflag": (156, 1),
    "linkname": (157, 100),
    "magic": (257, 6),
    "version": (263, 2),
    "uname": (265, 32),
    "devmajor": (329, 8),
    "prefix": (345, 155),
    "rest": (500, 12),
}
_NUMBERS = [
    b"",
    b"0",
    b"1",
    b"511",
    b"513",
    b"-1",
    b" 7",
    b"7 ",
    b"77777777777",
    b"377777777777",
    b"9",
    b"0x10",
    b"\xff",
    b"\x80" + b"\0" * 11,
    b"\x80" + b"\0" * 10 + b"\1",
    b"\x80" + b"\0" * 3 + b"\x7f" + b"\xff" * 7,
    b"\xff" * 12,
    b"\xff" * 11 + b"\0",
    b"\x80" + b"\xff" * 11,
    b"\xa0" + b"\0" * 11,
    b"00000000000\0",
]
_NAMES = [
    b"",
    b"/",
    b"a",
    b".",
    b"..",
    b"../x.jpg",
    b"/etc/x.jpg",
    b"./x.jpg",
    b"a//b.jpg",
    b"a/../b.jpg",
    b"a/",
    b"x.cls",
    b".jpg",
    b"x.",
    b"x.jpg\0y",
    b"\xff\xfe.jpg",
    b"x" * 99 + b"/",
    b"a\nb.jpg",
    b"a\\b.jpg",
    b"n01440764/n01440764_1.jpeg",
    b"n01440764/n01440764_1.cls",
    b"n01440764/n01440764_1.json",
    b"%.jpg",
    b"PaxHeader/x",
    b"././@LongLink",
    b"a.b.c.jpg",
    b"x.JPG",
    b"x.seg.png",
]
_RECORDS = [
    b"path=a.jpg",
    b"path=",
    b"path=../x.jpg",
    b"path=" + b"x" * 5000 + b".jpg",
    b"path=\xff.jpg",
    b"path=a\0b.jpg",
    b"size=0",
    b"size=1",
    b"size=-1",
    b"size=99999999999999999999",
    b"size=9223372036854775807",
    b"size=x",
    b"size=",
    b"size=1.5",
    b"GNU.sparse.major=1",
    b"GNU.sparse.map=0,1",
    b"GNU.sparse.name=x.jpg",
    b"GNU.sparse.realsize=9",
    b"linkpath=a",
    b"hdrcharset=BINARY",
    b"charset=x",
    b"=",
    b"",
    b"a",
    b"mtime=nan",
]


def mutate(rng: random.Random, files: Files) -> Mutant:
    """A field of a header, members in another order, or headers that extend others, in good or bad form."""
    names = sorted(name for name in files if name.endswith(".tar"))
    if rng.random() < 0.02:
        return change_file(rng, files, names)
    name = rng.choice(names)
    data = files[name]
    blocks = list(_members(data))
    match rng.choice(("field", "field", "field", "extended", "order", "bytes", "end")):
        case "field":
            changed, what = _field(rng, data, rng.choice(blocks))
        case "extended":
            at = rng.choice(blocks)[0]
            new, what = _extension(rng)
            changed = data[:at] + new + data[at:]
            what = f"{what} at {at}"
        case "order":
            changed, what = _order(rng, data, blocks)
        case "bytes":
            at = rng.choice(blocks)[0]
            new, what = change_bytes(rng, data[at : at + 512], [data])
            changed = data[:at] + (new if rng.random() < 0.2 else (new + bytes(512))[:512]) + data[at + 512 :]
            what = f"header at {at}: {what}"
        case _:
            at = rng.choice([len(data), len(data) - 512, len(data) - 1024, rng.choice(blocks)[0]])
            changed = data[:at] + rng.choice([b"", b"x", bytes(511), bytes(512), bytes(1024), b"x" * 512])
            what = f"ends at {at}, or in another way"
    if changed == data:
        return mutate(rng, files)
    told: dict[str, bytes | str] = {name: changed}
    if len(changed) != len(data) or rng.random() < 0.6:
        return Mutant(f"{name}: {what}", told)
    sidecar = bytearray(files[name[:-4] + ".idx"])
    struct.pack_into("<QQ", sidecar, 24, len(changed), xxh3_64_intdigest(changed))
    told[name[:-4] + ".idx"] = seal_head(bytes(sidecar))
    told |= seal_all({**files, **told})  # type: ignore[dict-item]
    must_tell = _matters(data, changed) and listing(changed) != listing(data)
    return Mutant(f"{name}: {what}; sealed", told, liar=True, must_tell=must_tell)


def listing(data: bytes) -> list[list[tuple[object, ...]]] | None:
    """The records of a tar as Python sees them; None: it is refused.

    Of each run of members of one key: name, size, place (but of labels and annotations, which may come in any
    order), and what is in a label.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            runs = itertools.groupby(tar, lambda member: member.name.rpartition("/")[2].partition(".")[0])
            return [sorted((_listed(tar, member) for member in run), key=repr) for _, run in runs]
    except (tarfile.TarError, ValueError, OverflowError, OSError):
        return None


def _listed(tar: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[object, ...]:
    beside = member.isreg() and member.name.endswith((".cls", ".json"))
    label = beside and member.name.endswith(".cls") and tar.extractfile(member).read()  # type: ignore[union-attr]
    return member.name, member.size, None if beside else member.offset_data, member.isreg(), label


def _matters(data: bytes, changed: bytes) -> bool:
    """Whether a header of other bytes has a wrong checksum, or another name, size or kind.

    Python refuses headers for numbers, such as an owner's, that need not concern who looks for records.
    """
    for at, _ in _members(data):
        old, new = data[at : at + 512], changed[at : at + 512]
        fields = [_FIELDS[name] for name in ("name", "size", "typeflag", "prefix")]
        if old != new and (
            _sealed(new)[148:154] != new[148:154]
            or any(old[start : start + size] != new[start : start + size] for start, size in fields)
        ):
            return True
    return False


def _members(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each header is, and where the next one is."""
    at = 0
    while at + 512 <= len(data) and data[at]:
        size = int(data[at + 124 : at + 135], 8)
        yield at, at + 512 + (size + 511) // 512 * 512
        at += 512 + (size + 511) // 512 * 512


def _sealed(header: bytes) -> bytes:
    total = sum(header[:148]) + 8 * 32 + sum(header[156:512])
    return header[:148] + b"%06o\0 " % total + header[156:]


def _field(rng: random.Random, data: bytes, member: tuple[int, int]) -> tuple[bytes, str]:
    at = member[0]
    header = data[at : at + 512]
    field = rng.choice([*_FIELDS, "name", "size", "size", "typeflag", "prefix"])
    start, size = _FIELDS[field]
    if field == "typeflag":
        value = rng.choice(
            [b"\0", b"0", b"1", b"2", b"3", b"5", b"6", b"7", b"x", b"g", b"L", b"K", b"S", b"D", b"Z"]
        )
    elif field in ("name", "linkname", "prefix", "uname"):
        value = rng.choice([*_NAMES, b"x" * size])
    elif field in ("magic", "version", "rest"):
        value = rng.choice([b"", b"ustar ", b"ustar\0", b" \0", b"00", b"\xff" * size])
    else:
        value = rng.choice(_NUMBERS)
    header = header[:start] + value[:size].ljust(size, b"\0") + header[start + size :]
    sealed = rng.random() < 0.85 and field != "chksum"
    header = _sealed(header) if sealed else header
    return data[:at] + header + data[
        at + 512 :
    ], f"header at {at}: {field} {value[:30]!r}{' sealed' * sealed}"


def _extension(rng: random.Random) -> tuple[bytes, str]:
    """A member of a kind that says something of the next one."""
    flag = rng.choice([b"x", b"x", b"g", b"L", b"L", b"K", b"S", b"X", b"V", b"M"])
    if flag in b"xgX":
        body = b"".join(_pax(rng, rng.choice(_RECORDS)) for _ in range(rng.choice([1, 1, 2, 3])))
    else:
        body = rng.choice([*_NAMES, b"x" * 5000, b"x" * 4097 + b".jpg", b"\0"]) + rng.choice([b"", b"\0"])
    size = rng.choice([b"%011o" % len(body)] * 5 + _NUMBERS)
    header = (b"././@LongLink".ljust(100, b"\0") + b"0000644\0" * 3)[:124] + size[:12].ljust(12, b"\0")
    header = (header.ljust(156, b"\0") + flag).ljust(257, b"\0") + b"ustar\x0000"
    padded = body + bytes(-len(body) % 512)
    return _sealed(header.ljust(512, b"\0")) + padded, f"{flag!r} of size {size!r} with {body[:40]!r}"


def _pax(rng: random.Random, text: bytes) -> bytes:
    """A record of a pax header, mostly with the length that it has."""
    length = len(text) + 3
    while len(str(length)) + 1 + len(text) + 1 != length:
        length = len(str(length)) + 2 + len(text)
    told = rng.choice([length] * 6 + [0, 1, length - 1, length + 1, 999_999_999, 10**30, -5, 4])
    return b"%d %s%s" % (told, text, rng.choice([b"\n", b"\n", b"\n", b""]))


def _order(rng: random.Random, data: bytes, blocks: list[tuple[int, int]]) -> tuple[bytes, str]:
    pieces = [data[start:end] for start, end in blocks]
    tail = data[blocks[-1][1] :]
    one, two = rng.randrange(len(pieces)), rng.randrange(len(pieces))
    match rng.choice(("swap", "copy", "remove", "header")):
        case "swap":
            pieces[one], pieces[two] = pieces[two], pieces[one]
        case "copy":
            pieces.insert(two, pieces[one])
        case "remove":
            del pieces[one]
        case _:
            pieces[one] = pieces[two][:512] + pieces[one][512:]
    return b"".join(pieces) + tail, f"members {one} and {two} of {len(blocks)} swapped, copied or removed"
