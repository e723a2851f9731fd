"""Sorts more items than fit in memory, with the external merge sort of SQLite."""

from __future__ import annotations

import contextlib
import os
import pickle
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from typing import TypeVar

from fastinet.errors import ShardIOError

__all__ = ["sorted_on_disk"]

T = TypeVar("T")

_CACHE_KIB = 16 << 10  # memory of SQLite; items that fit are never written to disk


def sorted_on_disk(items: Iterable[tuple[bytes, T]]) -> Iterator[tuple[bytes, T]]:
    """Yields the pairs in the order of their first elements. The sort is stable; second elements are pickled.

    Takes all of `items` before it yields the first pair. The pairs are in a temporary database in
    ``$SQLITE_TMPDIR``, or else ``$TMPDIR``, twice while they are being sorted. SQLite unlinks its files as
    soon as it has opened them, so a killed process leaves none.

    Raises:
        ShardIOError: the files cannot be written or read, for example because the disk is full.
    """
    try:
        with contextlib.closing(
            sqlite3.connect("", isolation_level=None, check_same_thread=False)
        ) as database:
            database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            database.execute("PRAGMA temp_store = FILE")
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("CREATE TABLE items (key BLOB, item BLOB)")
            database.execute("BEGIN")
            rows = ((key, pickle.dumps(item, pickle.HIGHEST_PROTOCOL)) for key, item in items)
            database.executemany("INSERT INTO items VALUES (?, ?)", rows)
            for key, data in database.execute("SELECT key, item FROM items ORDER BY key, rowid"):
                yield key, pickle.loads(data)
    except sqlite3.Error as error:
        folder = os.environ.get("SQLITE_TMPDIR") or tempfile.gettempdir()
        raise ShardIOError(f"{folder}: cannot sort the records on disk: {error}", path=folder) from error
