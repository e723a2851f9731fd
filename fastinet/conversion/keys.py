"""From file names to record keys.

A key is the path within the split without its extension: ``n01440764/n01440764_10026``. Unpacking a shard
then gives the tree back. Tools that read WebDataset tars take everything behind the first dot of a name as
its extension, so such dots, control characters, '%' itself and bytes that are not UTF-8 become ``%XX``. Where
two files would have the same key (``a.jpg`` and ``a.png``), the later one gets a number: ``a~2``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

__all__ = ["KeyMaker", "same_but_for_case"]

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
        taken: set[str] = set()

        def make_key(path: str) -> str:
            below, slash, name = path.rpartition("/")
            stem = name.rpartition(".")[0]
            key = f"{prefix}{_IN_FOLDER.sub(_escape, below)}{slash}{_IN_STEM.sub(_escape, stem) or '%2E'}"
            return _unique(key, taken)

        return make_key


def same_but_for_case(names: Iterable[str]) -> list[str]:
    """Names of one folder that would meet where case does not count, "A.jpg, a.jpg"; sorted.

    Their keys differ, but unpacking a shard on such a file system loses all but one.
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


def _unique(name: str, taken: set[str]) -> str:
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}~{number}"
    taken.add(candidate)
    return candidate
