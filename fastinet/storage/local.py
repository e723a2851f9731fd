"""A dataset in a local folder, or in a folder of a file system that several machines share.

One run at a time holds a lock (flock(2)) on ``DST/.fastinet-convert/lock``. Shards are written in
``DST/<split>/.fastinet-run-<run>/`` and renamed when they are complete. The next run removes such folders, so
an abandoned task on a machine that had lost its connection finds nothing to rename and cannot replace a newer
shard. This holds even on file systems whose locks do not reach other machines.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
import socket
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from fastinet import _core
from fastinet.errors import FastinetError, MissingFileError, StateError
from fastinet.storage.files import os_errors, read_bytes
from fastinet.storage.store import JOURNAL

__all__ = ["LocalStore"]

_RUN = ".fastinet-run-"


class LocalStore:
    """See :class:`fastinet.storage.store.Store`."""

    claim = f"{JOURNAL}/lock"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.location = str(path)

    def place(self, name: str) -> str:
        """See Store."""
        return str(self.path / name)

    def read(self, name: str) -> bytes | None:
        """See Store."""
        path = self.path / name
        with os_errors(path):
            try:
                return read_bytes(path)
            except MissingFileError:
                return None

    def write(self, name: str, data: bytes) -> None:
        """See Store."""
        _core.write_file(os.fsencode(self.path / name), data)

    def entries(self, folder: str = "") -> dict[str, int]:
        """See Store."""
        path = self.path / folder
        with os_errors(path):
            try:
                with os.scandir(path) as found:
                    return {entry.name: _size(entry) for entry in found}
            except (FileNotFoundError, NotADirectoryError):
                return {}

    def remove(self, names: Iterable[str]) -> None:
        """See Store."""
        folders = set()
        with os_errors(self.path):
            for name in names:
                path = self.path / name
                path.unlink(missing_ok=True)
                folders.add(path.parent)
        for folder in folders - {self.path}:
            with contextlib.suppress(OSError):  # the folder holds other files
                folder.rmdir()

    @contextlib.contextmanager
    def claimed(self) -> Iterator[str]:
        """See Store."""
        journal = self.path / JOURNAL
        with os_errors(journal):
            lock = _acquire(self.path / self.claim)
        if lock is None:
            raise StateError(f"{self.path}: another process is converting into it", path=self.location)
        run = secrets.token_hex(8)
        try:
            with os_errors(journal):
                _core.remove_stale_temporaries(os.fsencode(journal))
                self._remove_runs("*")
            yield run
        finally:
            self._remove_runs(run)
            os.close(lock)

    def prepare(self, run: str, folder: str) -> None:
        """See Store."""
        staging = self._staging(run, folder)
        with os_errors(staging):
            staging.mkdir(parents=True)
            _core.remove_stale_temporaries(os.fsencode(staging.parent))

    def check(self, run: str, folder: str) -> None:
        """See Store."""
        if self._staging(run, folder).is_dir():
            return
        if (self.path / JOURNAL).is_dir():
            raise StateError(f"{self.path}: another run has taken over this place", path=self.location)
        raise MissingFileError(
            f"{self.path}: not found on {socket.gethostname()}: every machine that takes part must see the "
            "destination under the same path, on a shared file system",
            path=self.location,
        )

    @contextlib.contextmanager
    def staged(self, run: str, names: Sequence[str]) -> Iterator[list[str]]:
        """See Store."""
        folder, attempt = str(PurePosixPath(names[0]).parent), secrets.token_hex(8)
        self.check(run, folder)
        staging = self._staging(run, folder) / attempt
        try:
            with os_errors(staging):
                staging.mkdir()
            yield [str(staging / PurePosixPath(name).name) for name in names]
            with os_errors(self.path / folder):
                try:
                    for name in names:
                        (staging / PurePosixPath(name).name).rename(self.path / name)
                except FileNotFoundError:
                    self.check(run, folder)
                    raise
                _sync(self.path / folder)
        except FastinetError as error:
            if str(staging) not in str(error):
                raise
            raise _renamed(error, staging, self.path / folder) from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _staging(self, run: str, folder: str) -> Path:
        return self.path / folder / f"{_RUN}{run}"

    def _remove_runs(self, run: str) -> None:
        for folder in self.path.glob(f"*/{_RUN}{run}"):
            shutil.rmtree(folder, ignore_errors=True)


def _size(entry: os.DirEntry[str]) -> int:
    if entry.is_dir():
        return -1
    try:
        return entry.stat().st_size
    except FileNotFoundError:  # a dangling link, or removed meanwhile
        return 0


def _renamed(error: FastinetError, staging: Path, folder: Path) -> FastinetError:
    """Returns the error with the file's final name instead of its temporary one."""
    kind, (_, message, details) = type(error), error.__reduce__()[1]
    path = details.pop("path")
    return kind(
        message.replace(str(staging), str(folder)),
        path=path and path.replace(str(staging), str(folder)),
        **details,
    )


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot sync a folder
            raise
    finally:
        os.close(descriptor)


def _acquire(path: Path) -> int | None:
    """Returns a descriptor that holds the lock, or None. Tries again if the folder vanishes meanwhile."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(descriptor, path):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
