"""Temporary folders; those that a killed process left are removed when the next one is made."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fastinet.storage.store import os_errors

__all__ = ["scratch_folder"]

_PREFIX = "fastinet-scratch-"


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder in ``$TMPDIR`` that lives as long as the block.

    It is locked (flock(2)) meanwhile; folders of this name and user with a free lock are removed.

    Raises:
        ShardIOError: none can be made.
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
    """A descriptor that holds the folder's lock; None where another process has it, or has removed it."""
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
