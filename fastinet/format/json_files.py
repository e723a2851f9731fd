"""JSON files of a dataset, read strictly.

A dataset folder can contain anything. Reading one of its JSON files either returns plain values or raises an
error of fastinet's that names the file and the place in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from fastinet.errors import FormatError, UnsupportedError
from fastinet.storage.files import read_bytes

__all__ = [
    "HASH",
    "MAX_JSON_BYTES",
    "member",
    "nested_deeper",
    "parse_json",
    "read_json",
    "refuse_version",
    "to_json",
    "wrong",
]

E = TypeVar("E", FormatError, UnsupportedError)

MAX_JSON_BYTES = 1 << 30
HASH = re.compile(r"[0-9a-f]{16}\Z")  # as every JSON file here spells one

_SHOWN = 80  # characters of a wrong value
_KINDS = {int: "an integer", str: "a string", list: "a list", dict: "an object"}
# Half a surrogate pair, or a byte that is not UTF-8 (U+DC80 to U+DCFF, as os.fsdecode returns it).
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(data: bytes, path: str) -> Any:
    """Returns the value of a JSON file whose numbers are finite and whose strings are text or file names.

    Args:
        data: the file's content.
        path: the name of the file in errors.

    Raises:
        FormatError: the data are not JSON, are nested too deeply, or hold a number that is not finite or a
            string that is neither text nor a result of os.fsdecode.
    """
    try:
        text = data.decode()
        value = json.loads(
            text, parse_float=_finite, parse_constant=_refuse_constant, object_pairs_hook=_object
        )
        if _SURROGATE.search(text):
            _refuse_surrogates(value)
    except RecursionError:
        raise FormatError(
            f"{path}: not JSON that fastinet reads: it is nested too deeply", path=path
        ) from None
    except ValueError as e:  # JSON's and UTF-8's errors, and numbers of thousands of digits
        raise FormatError(f"{path}: not JSON: {e}", path=path) from None
    return value


def read_json(path: Path) -> Any:
    """Reads and parses a JSON file. Raises as `read_bytes` and `parse_json`."""
    return parse_json(read_bytes(path, MAX_JSON_BYTES), str(path))


def to_json(value: Any) -> bytes:
    """Returns a value as the JSON of a dataset's files."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=True) + "\n").encode()


def member(fields: Any, name: str, kind: type, path: str, place: str = "") -> Any:
    """Returns a member of an object.

    Args:
        fields: a value that should be the object.
        name: of the member.
        kind: the type that the member must have exactly.
        path: the name of the file in errors.
        place: where the object is in the file, for errors.

    Raises:
        FormatError: `fields` is not an object, has no such member, or its member has another type.
    """
    if type(fields) is not dict:
        raise wrong(FormatError, path, place or "the top level", "an object", fields)
    value = fields.get(name)
    if type(value) is not kind:
        where = f"{place}.{name}" if place else name
        raise wrong(FormatError, path, where, _KINDS[kind], value if name in fields else "nothing")
    return value


def refuse_version(fields: Any, version: int, path: str) -> None:
    """Raises UnsupportedError if `format_version` is another one, FormatError if it is not an integer."""
    found = member(fields, "format_version", int, path)
    if found != version:
        place = "format_version: not supported by this version of fastinet"
        raise wrong(UnsupportedError, path, place, str(version), found)


def wrong(kind: type[E], path: str, place: str, expected: str, found: Any) -> E:
    """Returns, but does not raise, the error for a value of a JSON file."""
    if isinstance(found, str):
        text = found
    else:
        try:
            text = json.dumps(found, sort_keys=True)
        except (RecursionError, TypeError, ValueError):
            text = f"a value of {type(found).__name__} that cannot be printed"
    text = text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
    message = f"{path}: {place}: expected {expected}, found {text}"
    return kind(message, path=path, expected=expected, found=text)


def nested_deeper(value: Any, limit: int) -> bool:
    """Returns whether lists and objects are nested more than `limit` levels deep, without recursion."""
    level = [value]
    for _ in range(limit + 1):
        level = [
            child
            for node in level
            if isinstance(node, (list, dict))
            for child in (node.values() if isinstance(node, Mapping) else node)
        ]
        if not level:
            return False
    return True


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text[:40]} is too large")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {repeated[:40]!r} occurs twice in an object")
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _refuse_surrogates(value: Any) -> None:
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            node.encode(errors="surrogateescape")  # raises UnicodeError, a ValueError, otherwise
        elif isinstance(node, dict):
            waiting += [*node, *node.values()]
        elif isinstance(node, list):
            waiting += node
