"""How Python reads the files of a dataset folder: only regular ones, and JSON without surprises.

What lies there may be anything: reading it ends in an error of fastinet's that names the file.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from fastinet.errors import FastinetError, FormatError, MissingFileError, ShardIOError, UnsupportedError

__all__ = [
    "HASH",
    "MAX_JSON_BYTES",
    "is_there",
    "member",
    "nested_deeper",
    "parse_json",
    "read_bytes",
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
_SPECIAL = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
# Half a surrogate pair, or a byte that is not UTF-8 (U+DC80 to U+DCFF, as os.fsdecode has it).
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def is_there(path: Path) -> bool:
    """Whether the name leads to something, of whatever kind.

    Raises:
        ShardIOError: that cannot be told.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as e:
        raise _refused(path, e) from None
    return True


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """A regular file, opened for reading. Never waits for what is none, such as a FIFO.

    Raises:
        MissingFileError: nothing is there.
        FormatError: something else than a regular file.
        ShardIOError: the operating system refused, or does so within the block.
    """
    try:
        _refuse_special(path, path.stat())  # before it is opened: that alone can set off a device
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            _refuse_special(path, os.fstat(file.fileno()))
            yield file
    except FastinetError:
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise MissingFileError(f"{path}: file is missing", path=str(path)) from None
    except OSError as e:
        raise _refused(path, e) from None


def read_bytes(path: Path, limit: int | None = None) -> bytes:
    """The content of a regular file.

    Args:
        limit: most bytes that it may have; None: any number.

    Raises:
        FormatError: it is longer. Further errors are those of `open_regular`.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if limit is not None and size > limit:
            raise wrong(FormatError, str(path), "size", f"at most {limit} bytes", f"{size} bytes")
        return file.read()


def parse_json(data: bytes, path: str) -> Any:
    """The value of a JSON file. Its numbers are finite, its strings are text or what os.fsdecode gives, and
    no object has a key twice.

    Raises:
        FormatError: anything else.
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
    """The value of a JSON file; errors are those of `read_bytes` and `parse_json`."""
    return parse_json(read_bytes(path, MAX_JSON_BYTES), str(path))


def to_json(value: Any) -> bytes:
    """As files in a dataset folder hold it."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=True) + "\n").encode()


def member(fields: Any, name: str, kind: type, path: str, place: str = "") -> Any:
    """A member of an object, of exactly this type.

    Args:
        fields: what should be the object; `place` is where it stands in the file, for the error.

    Raises:
        FormatError: it is no object, has no such member, or one of another type.
    """
    if type(fields) is not dict:
        raise wrong(FormatError, path, place or "the top level", "an object", fields)
    value = fields.get(name)
    if type(value) is not kind:
        where = f"{place}.{name}" if place else name
        raise wrong(FormatError, path, where, _KINDS[kind], value if name in fields else "nothing")
    return value


def refuse_version(fields: Any, version: int, path: str) -> None:
    """Raises UnsupportedError where `format_version` is not this one, FormatError where it is no integer."""
    found = member(fields, "format_version", int, path)
    if found != version:
        place = "format_version: not supported by this version of fastinet"
        raise wrong(UnsupportedError, path, place, str(version), found)


def wrong(kind: type[E], path: str, place: str, expected: str, found: Any) -> E:
    """The error for a value, not raised."""
    if isinstance(found, str):
        text = found
    else:
        try:
            text = json.dumps(found, sort_keys=True)
        except (RecursionError, TypeError, ValueError):
            text = f"a value of {type(found).__name__} that cannot be shown"
    text = text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
    message = f"{path}: {place}: expected {expected}, found {text}"
    return kind(message, path=path, expected=expected, found=text)


def nested_deeper(value: Any, limit: int) -> bool:
    """Whether lists and objects hold each other to more than `limit` levels. Needs no recursion."""
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


def _refuse_special(path: Path, status: os.stat_result) -> None:
    for is_kind, kind in _SPECIAL:
        if is_kind(status.st_mode):
            raise FormatError(
                f"{path}: expected a regular file, found {kind}",
                path=str(path),
                expected="a regular file",
                found=kind,
            )


def _refused(path: Path, error: OSError) -> ShardIOError:
    return ShardIOError(f"{path}: cannot read: {error.strerror}", path=str(path), errno=error.errno)


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
    raise ValueError(f"{name} is no number")


def _refuse_surrogates(value: Any) -> None:
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            node.encode(errors="surrogateescape")  # or a UnicodeError, which is a ValueError
        elif isinstance(node, dict):
            waiting += [*node, *node.values()]
        elif isinstance(node, list):
            waiting += node
