"""Sorting what does not fit in memory."""

from __future__ import annotations

import heapq
import pickle
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from fastinet.storage.files import os_errors
from fastinet.storage.scratch import scratch_folder

__all__ = ["sorted_on_disk"]

T = TypeVar("T")

_RUN = 50_000  # items sorted in memory at a time
_BLOCK = 200  # items read back at a time


def sorted_on_disk(items: Iterable[tuple[bytes, T]]) -> Iterator[tuple[bytes, T]]:
    """The pairs in the order of their first halves, stably; picklable.

    All of `items` is taken before the first is given. In memory are ``_RUN`` of them, or a block for each
    ``_RUN`` that there are; the rest waits in a scratch folder.

    Raises:
        ShardIOError: that cannot be written or read.
    """
    items = iter(items)
    held = sorted(islice(items, _RUN), key=_first)
    if len(held) < _RUN:
        yield from held
        return
    with scratch_folder() as folder:
        files: list[Path] = []
        while held:
            files.append(folder / f"{len(files):06d}")
            _write(files[-1], held)
            held = sorted(islice(items, _RUN), key=_first)
        yield from heapq.merge(*(_read(file) for file in files), key=_first)


def _first(item: tuple[bytes, Any]) -> bytes:
    return item[0]


def _write(path: Path, items: list[tuple[bytes, Any]]) -> None:
    with os_errors(path), path.open("wb") as file:
        for start in range(0, len(items), _BLOCK):
            pickle.dump(items[start : start + _BLOCK], file, pickle.HIGHEST_PROTOCOL)


def _read(path: Path) -> Iterator[tuple[bytes, Any]]:
    with os_errors(path), path.open("rb") as file:
        while True:
            try:
                block = pickle.load(file)
            except EOFError:
                return
            yield from block
