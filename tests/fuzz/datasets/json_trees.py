"""JSON with one node changed, down to what Python's parser takes and JSON does not have."""

from __future__ import annotations

import json
import random
from typing import Any

__all__ = ["change_json"]

# Texts that take the place of a value. The last ones are no JSON.
_VALUES = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "-1",
    "2",
    "1.0",
    "1e0",
    "0.5",
    "1e999",
    "-1e999",
    "NaN",
    "Infinity",
    "2147483647",
    "2147483648",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "-9223372036854775809",
    "1" + "0" * 400,
    "1" * 5000,
    "[]",
    "{}",
    "[[]]",
    "[null]",
    "[0]",
    '[""]',
    "[{}]",
    '{"": 0}',
    '{"name": 0}',
    '{"a": 1, "a": 2}',
    "[" * 1000 + "]" * 1000,
    "[" * 100_000 + "]" * 100_000,
    '{"a":' * 1000 + "0" + "}" * 1000,
    '""',
    '" "',
    '"0"',
    '"."',
    '".."',
    '"/"',
    '"a/b"',
    '"a\\u0000b"',
    '"\\ud800"',
    '"\\udc80"',
    '"\\u00e9"',
    '"%"',
    '"%00"',
    '"' + "x" * 300 + '"',
    '"' + "x" * 70_000 + '"',
    '"../../../../escaped"',
    '"../outside/fifo"',
    '"/dev/zero"',
    '"/dev/null"',
    '"/proc/self/mem"',
    '"/"',
    '"dataset.json"',
    '"columns.json"',
    '"names.json"',
    '"train-000000.tar"',
    '"train-000001.tar"',
    '"train-000001.idx"',
    '"./train-000000.tar"',
    '"n01440764"',
    '"0000000000000000"',
    '"ffffffffffffffff"',
    '"FFFFFFFFFFFFFFFF"',
    '"fffffffffffffffff"',
    '"zzzzzzzzzzzzzzzz"',
    '"-00000000000001"',
    '"0x000000000000ab"',
    '"values"',
    '"list"',
    '"array"',
    '"string"',
    '"jpeg"',
    '"\\n"',
    "",
    "nul",
    "'a'",
    "[1,]",
    "[",
    '"',
    "\x00",
    "\u00e9",
    "01",
    "+1",
    ".5",
    "0x10",
    "/**/1",
]

_MARK = "place of the change"


def change_json(rng: random.Random, tree: Any) -> tuple[str, str]:
    """The text of `tree`, which is changed, with another node somewhere; and what was done."""
    holders = list(_holders(tree, "top"))
    if not holders:
        return rng.choice(_VALUES), "another value at the top"
    holder, path = rng.choice(holders)
    key = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    value = text = rng.choice(_VALUES)
    match rng.choice(("value", "value", "value", "value", "gone", "key", "twice", "moved", "number", "top")):
        case "gone":
            del holder[key]
            return json.dumps(tree), f"{path}[{key!r}] removed"
        case "key" if isinstance(holder, dict):
            holder[rng.choice(["", "x", "name", "path", "index", "\ud800", "a" * 70_000])] = holder.pop(key)
            return json.dumps(tree), f"{path}[{key!r}] under another name"
        case "twice" if isinstance(holder, dict):
            old = json.dumps(holder[key])
            holder[key] = _MARK
            text = (
                f"{value or 0}, {json.dumps(key)}: {old}"
                if rng.random() < 0.5
                else f"{old}, {json.dumps(key)}: {value}"
            )
            return _filled(tree, text), f"{path}[{key!r}] twice"
        case "twice":
            holder.insert(rng.randrange(len(holder) + 1), holder[key])
            return json.dumps(tree), f"{path}[{key!r}] twice"
        case "moved":
            other, where = rng.choice(holders)
            to = rng.choice(list(other) if isinstance(other, dict) else range(len(other)))
            one, two = json.dumps(holder[key]), json.dumps(other[to])
            holder[key], other[to] = json.loads(two), json.loads(one)
            return json.dumps(tree), f"{path}[{key!r}] and {where}[{to!r}] exchanged"
        case "number" if type(holder[key]) is int:
            holder[key] += rng.choice([-512, -1, 1, 2, 512, 1 << 32])
            return json.dumps(tree), f"{path}[{key!r}] is {holder[key]}"
        case "top" if rng.random() < 0.3:
            return value, f"the top is {_short(value)}"
    holder[key] = _MARK
    return _filled(tree, text), f"{path}[{key!r}] is {_short(text)}"


def _filled(tree: Any, text: str) -> str:
    return json.dumps(tree).replace(json.dumps(_MARK), text, 1)


def _short(text: str) -> str:
    return text if len(text) < 30 else f"{text[:12]}... of {len(text)} characters"


def _holders(tree: Any, path: str) -> Any:
    """Every object and list that holds something, and where it is."""
    if isinstance(tree, (dict, list)) and tree:
        yield tree, path
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _holders(value, f"{path}[{key!r}]")
