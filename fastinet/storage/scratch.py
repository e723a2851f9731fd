"""Temporary folders. Making one removes those that killed processes have left."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fastinet.storage.files import os_errors

__all__ = ["scratch_folder"]

_PREFIX = "fastinet-scratch-"


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Makes a folder in ``$TMPDIR`` and removes it when the block ends.

    The folder is locked (flock(2)) meanwhile. Folders with such a name that belong to the same user and that
    nobody has locked are removed first.

    Raises:
        ShardIOError: the folder cannot be made.
    """
    parent = Path(tempfile.gettempdir())
    with os_errors(parent):
        _remove_abandoned(parent)
        path, lock = _make(parent)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def _make(parent: Path) -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        lock = _lock(path)
        if lock is not None:
            return path, lock


def _remove_abandoned(parent: Path) -> None:
    for path in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if path.lstat().st_uid != os.geteuid():
                continue
            lock = _lock(path)
            if lock is not None:
                shutil.rmtree(path, ignore_errors=True)
                os.close(lock)


def _lock(path: Path) -> int | None:
    """Returns a descriptor that holds the folder's lock; None if another process holds or has removed it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None
