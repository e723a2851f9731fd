"""From file names to record keys.

A key is the path within the split without its extension: ``n01440764/n01440764_10026``. Unpacking a shard
then gives the tree back. Tools that read WebDataset tars take everything behind the first dot of a name as
its extension, so such dots, control characters, '%' itself and bytes that are not UTF-8 become ``%XX``. Where
two files would have the same key (``a.jpg`` and ``a.png``), the later one gets a number: ``a~2``.

Of the keys that are taken only their hashes are kept, so that 14 million in one folder need 0.3 GB. A key of
which the hash is taken counts as taken: it gets a number that it might not have needed, once in a hundred
thousand datasets of that size, and is unique all the same.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable

from fastinet import _core

__all__ = ["KeyMaker"]

_IN_FOLDER = re.compile("[%\x00-\x1f\x7f\udc80-\udcff]")
_IN_STEM = re.compile("[%.\x00-\x1f\x7f\udc80-\udcff]")


class KeyMaker:
    """Makes keys that are unique within a split and never depend on how far the split has been read."""

    def __init__(self, folders: Iterable[str]) -> None:
        self._prefixes = {folder: _IN_FOLDER.sub(_escape, folder) for folder in folders}

    def for_folder(self, folder: str) -> Callable[[str], str]:
        """A function from the paths of one folder's files, relative to it and each passed once, to keys.

        The folder "" is the split itself: keys of its files have no prefix.
        """
        prefix = f"{self._prefixes[folder]}/" if folder else ""
        taken = HashSet()

        def make_key(path: str) -> str:
            below, slash, name = path.rpartition("/")
            stem = name.rpartition(".")[0]
            key = f"{prefix}{_IN_FOLDER.sub(_escape, below)}{slash}{_IN_STEM.sub(_escape, stem) or '%2E'}"
            return _unique(key, taken)

        return make_key


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"%{code - 0xDC00 if code > 0xFF else code:02X}"


def _unique(name: str, taken: HashSet) -> str:
    candidate, number = name, 1
    while not taken.add(_core.xxh3(candidate.encode("utf-8", "surrogateescape"))):
        number += 1
        candidate = f"{name}~{number}"
    return candidate


class HashSet:
    """A set of well-mixed 64-bit numbers, in 12 to 24 bytes each.

    Open addressing with linear probing; an empty slot is 0, which counts as 1.
    """

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * 64))
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def add(self, number: int) -> bool:
        """Whether it was not there yet."""
        number = number or 1
        if not self._insert(number):
            return False
        self._used += 1
        if 3 * self._used > 2 * len(self._slots):
            self._grow()
        return True

    def _insert(self, number: int) -> bool:
        slots = self._slots
        mask = len(slots) - 1
        place = number & mask
        while slots[place]:
            if slots[place] == number:
                return False
            place = (place + 1) & mask
        slots[place] = number
        return True

    def _grow(self) -> None:
        old = self._slots
        self._slots = array("Q", bytes(8)) * (2 * len(old))
        for number in old:
            if number:
                self._insert(number)
