"""Mutants of ``columns.json`` and of the ``.npy`` files that it names."""

from __future__ import annotations

import json
import random
import struct

from json_trees import change_json
from mutant import Files, Mutant, change_bytes, change_file, change_number
from sealing import canonical
from xxhash import xxh3_64_hexdigest

__all__ = ["mutate"]

_LIST = "columns.json"
_SHAPES = [
    "()",
    "(0,)",
    "(1,)",
    "(-1,)",
    "(12,)",
    "(13,)",
    "(12, 0)",
    "(0, 12)",
    "(4611686018427387904,)",
    "(9223372036854775808,)",
    "(4294967296, 4294967296)",
    "(12.0,)",
    "('a',)",
    "(True,)",
    "12",
    "None",
    "[12]",
    "(12, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)",
    "(" * 300 + ")" * 300,
    "(" + "1," * 3000 + ")",
    "(__import__('os').abort(),)",
    "(1" + "0" * 5000 + ",)",
]
_DTYPES = [
    "'|O'",
    "'<f8'",
    "'>f8'",
    "'>i4'",
    "'<i8'",
    "'<u8'",
    "'|u1'",
    "'|b1'",
    "'<U4'",
    "'|S0'",
    "'|V0'",
    "'<M8[s]'",
    "'<c16'",
    "[('a', '<i4')]",
    "[('a', '|O')]",
    "'<f16'",
    "('<i4', (2,))",
    "'<i4,<i4'",
    "''",
    "None",
    "3",
    "{}",
    "'<M8[99999999999999999999s]'",
    "'|V2147483647'",
    "'<U999999999'",
]
_TEXTS = [
    "",
    "{",
    "{}",
    "[]",
    "1",
    "'a'",
    "\x00",
    "{'descr': '<i4'}",
    "(" * 5000,
    "[" * 100_000,
    "-" * 20_000 + "1",
    "{1: 2}",
    "{'descr':'<i4','fortran_order':False,'shape':(12,),'x':1}",
    "\ud7ff",
    "lambda: 0",
    "b''",
    "'''",
    "{'descr': '<i4', 'fortran_order': 0, 'shape': (12,)}",
    "0x",
    "\\",
    "1 1",
    "\t x\n y",
    "1__0",
]


def mutate(rng: random.Random, files: Files) -> Mutant:
    """A node of the list, or an array's header, values or bytes; with the hashes made anew or not."""
    parts = sorted(name for name in files if name.endswith(".npy"))
    if rng.random() < 0.02:
        return change_file(rng, files, [_LIST, *parts])
    if rng.random() < 0.4:
        return _list(rng, files)
    name = rng.choice(parts)
    data = files[name]
    change = rng.choice([_header, _header, _values, _bytes])
    changed, what = change(rng, data, [files[n] for n in parts])
    if changed == data:
        changed, what = _bytes(rng, data, [files[n] for n in parts])
    if rng.random() < 0.3:
        return Mutant(f"{name}: {what}", {name: changed})
    told = json.loads(files[_LIST])
    for column in told["columns"]["by_name"].values():
        for part in column["files"].values():
            if part[0] == name:
                part[1] = xxh3_64_hexdigest(changed)
    told["columns_xxh3"] = canonical(told["columns"])
    return Mutant(f"{name}: {what}; sealed", {name: changed, _LIST: json.dumps(told).encode()}, liar=True)


def _list(rng: random.Random, files: Files) -> Mutant:
    data = files[_LIST]
    if rng.random() < 0.3:
        changed, what = change_bytes(rng, data, [data, files["dataset.json"]])
        return Mutant(f"{_LIST}: {what}", {_LIST: changed})
    told = json.loads(data)
    if rng.random() < 0.3:
        text, what = change_json(rng, told)
        return Mutant(f"{_LIST}: {what}", {_LIST: text.encode("utf-8", "surrogatepass")})
    text, what = change_json(rng, told["columns"])
    try:
        checksum = canonical(json.loads(text))
    except (ValueError, RecursionError):
        checksum = "0123456789abcdef"
    sealed = f'{{"format_version": 1, "columns_xxh3": "{checksum}", "columns": {text}}}'
    return Mutant(
        f"{_LIST}: columns: {what}; sealed", {_LIST: sealed.encode("utf-8", "surrogatepass")}, liar=True
    )


def _header(rng: random.Random, data: bytes, _: list[bytes]) -> tuple[bytes, str]:
    """The dict of the header, its length, or the version."""
    size = struct.unpack_from("<H", data, 8)[0]
    text, values = data[10 : 10 + size].decode("latin1"), data[10 + size :]
    start = text.index("{'descr': ") + 10
    comma = text.index(", 'fortran_order'")
    shape = text.index("'shape': ") + 9
    end = text.index(", }")
    order = rng.choice(["False", "False", "True", "0", "None", "'x'"])
    version = (1, 0)
    length = None
    match rng.choice(("shape", "dtype", "text", "order", "version", "length")):
        case "shape":
            new = text[:shape] + rng.choice(_SHAPES) + text[end:]
        case "dtype":
            new = text[:start] + rng.choice(_DTYPES) + text[comma:]
        case "order":
            new = text.replace("False", order)
        case "version":
            new, version = text, rng.choice([(2, 0), (3, 0), (0, 0), (4, 0), (1, 1), (255, 255)])
        case "length":
            new, length = text, rng.choice([0, 1, size - 1, size + 1, len(data), 0xFFFF])
        case _:
            new = rng.choice(_TEXTS)
    head = new.encode("utf-8" if version >= (2, 0) else "latin1", "replace")
    wide = version[0] in (2, 3) or (length is None and len(head) > 0xFFFF)
    if wide and version[0] == 1:
        version = (2, 0)
    told = struct.pack("<I" if wide else "<H", len(head) if length is None else length)
    short = new if len(new) < 60 else f"{new[:40]}... of {len(new)}"
    return b"\x93NUMPY" + bytes(
        version
    ) + told + head + values, f"header {version} {length} {short.strip()!r}"


def _values(rng: random.Random, data: bytes, _: list[bytes]) -> tuple[bytes, str]:
    """One number, as if there were 8 bytes to each; or bytes that are no UTF-8."""
    start = 10 + struct.unpack_from("<H", data, 8)[0]
    at = start + 8 * rng.randrange(max(1, (len(data) - start) // 8))
    if rng.random() < 0.3:
        return data[:at] + b"\xff\xc3" + data[at + 2 :], f"no UTF-8 at {at - start}"
    value = change_number(rng, int.from_bytes(data[at : at + 8], "little"), 64)
    return data[:at] + value.to_bytes(8, "little") + data[at + 8 :], f"{value:#x} at {at - start}"


def _bytes(rng: random.Random, data: bytes, donors: list[bytes]) -> tuple[bytes, str]:
    return change_bytes(rng, data, donors)
