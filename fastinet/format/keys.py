"""Turns file names into record keys.

A key is the path within the split without its extension: ``n01440764/n01440764_10026``, so unpacking a shard
restores the tree. Tools that read WebDataset tars treat everything after the first dot of a name as its
extension, so such dots, control characters, '%' itself and bytes that are not UTF-8 become ``%XX``. If two
files would have the same key (``a.jpg`` and ``a.png``), the later one gets a number: ``a~2``.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Callable, Iterable

from fastinet import _core

__all__ = ["Distinct", "KeyMaker", "inside", "kept_key", "same_but_for_case"]

_IN_KEY = re.compile("[\x00-\x1f\x7f\udc80-\udcff]")
_IN_FOLDER = re.compile("[%\x00-\x1f\x7f\udc80-\udcff]")
_IN_STEM = re.compile("[%.\x00-\x1f\x7f\udc80-\udcff]")


class KeyMaker:
    """Makes keys that are unique within a split and do not depend on how far the split has been read."""

    def __init__(self, folders: Iterable[str]) -> None:
        self._prefixes = {folder: _IN_FOLDER.sub(_escape, folder) for folder in folders}

    def for_folder(self, folder: str) -> Callable[[str], str]:
        """Returns a function that turns the paths of a folder's files into keys.

        The paths are relative to the folder; each may be passed once. The folder "" is the split itself: the
        keys of its files have no prefix.
        """
        prefix = f"{self._prefixes[folder]}/" if folder else ""
        distinct = Distinct()

        def make_key(path: str) -> str:
            below, slash, name = path.rpartition("/")
            stem = name.rpartition(".")[0] if "." in name else name
            key = f"{prefix}{_IN_FOLDER.sub(_escape, below)}{slash}{_IN_STEM.sub(_escape, stem) or '%2E'}"
            return distinct(key)

        return make_key


class Distinct:
    """Gives the later of two equal names a number. Uses 16 to 32 bytes per name, whatever its length.

    Stores 64-bit hashes of the names in a table with linear probing that is at most half full. Two names with
    the same hash would count as equal; the later one would then get a number it does not need.
    """

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * 64))
        self._used = 0
        self._numbers: dict[str, int] = {}  # the last that was given, for names that came more than once

    def __call__(self, name: str) -> str:
        """Returns `name`, or `name` followed by "~2", "~3", ... if it is not new."""
        if self._add(name):
            return name
        number = self._numbers.get(name, 1) + 1
        while not self._add(f"{name}~{number}"):
            number += 1
        self._numbers[name] = number
        return f"{name}~{number}"

    def _add(self, name: str) -> bool:
        """Adds a name. Returns whether it is new."""
        value = _core.xxh3(name.encode(errors="surrogateescape")) or 1  # 0 marks a free slot
        place = self._place(value)
        if self._slots[place] == value:
            return False
        self._slots[place] = value
        self._used += 1
        if 2 * self._used > len(self._slots):
            old, self._slots = self._slots, array("Q", bytes(16 * len(self._slots)))
            for known in filter(None, old):
                self._slots[self._place(known)] = known
        return True

    def _place(self, value: int) -> int:
        """Returns the slot of `value`, or the free slot for it."""
        slots, mask = self._slots, len(self._slots) - 1
        place = value & mask
        while slots[place] not in (0, value):
            place = (place + 1) & mask
        return place


def inside(path: str) -> str:
    """Returns a relative path that cannot leave its folder: without "..", "." and a leading "/"."""
    path = os.path.normpath(path).lstrip("/")
    while path == ".." or path.startswith("../"):
        path = path[3:]
    return "" if path == "." else path


def kept_key(key: str) -> str:
    """Returns the key of a WebDataset tar's record, with the characters escaped that FORMAT.md forbids."""
    return _IN_KEY.sub(_escape, inside(key)) or "%2E"


def same_but_for_case(names: Iterable[str]) -> list[str]:
    """Lists names of one folder that differ only in case ("A.jpg, a.jpg"), sorted.

    Their keys differ, but on a file system that ignores case, unpacking a shard loses all but one of them.
    """
    names = list(names)
    if len({name.casefold() for name in names}) == len(names):
        return []
    by_folded: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        by_folded.setdefault(name.casefold(), []).append(name)
    return [", ".join(group) for group in by_folded.values() if len(group) > 1]


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"%{code - 0xDC00 if code > 0xFF else code:02X}"
