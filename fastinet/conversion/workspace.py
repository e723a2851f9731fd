"""The destination folder while a conversion is at work in it: lock, journal, and what is ours to touch.

``DST/.fastinet-convert/`` holds

- ``lock``: held with flock(2) by the one process that converts into DST;
- ``settings.json``: what is being converted and how, written before anything else;
- ``remove.json``: with --overwrite, the files of the old dataset, while they are being removed;
- ``<split>-<number>.json``: a finished shard: its plan's digest and what the manifest needs of it.

It goes away when the manifests are in place. Nothing in DST is ever removed or replaced but what such a
folder or a manifest shows to be fastinet's own.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fastinet import _core
from fastinet.errors import FastinetError, ShardIOError, StateError

__all__ = ["Workspace", "os_errors", "write_json"]

FOLDER = ".fastinet-convert"


class Workspace:
    """DST with its lock held. Use as a context manager."""

    def __init__(self, dst: Path) -> None:
        self.dst = dst
        self._folder = dst / FOLDER

    @contextlib.contextmanager
    def claimed(self) -> Iterator[Workspace]:
        """Creates DST where it is not there, and holds its lock.

        Raises:
            StateError: another process is converting into DST.
            ShardIOError: DST cannot be written.
        """
        with os_errors(self._folder):
            lock = _acquire(self._folder / "lock")
        if lock is None:
            raise StateError(f"{self.dst}: another process is converting into it", path=str(self.dst))
        try:
            with os_errors(self._folder):
                _core.remove_stale_temporaries(os.fsencode(self._folder))
            yield self
        finally:
            if self._folder.exists() and self.settings is None and self._read("remove.json") is None:
                self.close()  # nothing was begun
            os.close(lock)

    @property
    def settings(self) -> dict[str, Any] | None:
        """Of the conversion that was begun here and has not been finished; None where there is none."""
        settings: dict[str, Any] | None = self._read("settings.json")
        return settings

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Notes what is being converted."""
        write_json(self._folder / "settings.json", settings)

    def discard(self, files: Iterable[str]) -> None:
        """Removes the journal and those files (relative to DST), in such a way that a crash forgets none."""
        old = sorted({*files, *(self._read("remove.json") or [])})
        write_json(self._folder / "remove.json", old)
        self.finish_discarding()

    def finish_discarding(self) -> None:
        """Completes a removal that was interrupted."""
        files = self._read("remove.json")
        if files is None:
            return
        with os_errors(self.dst):
            for name in files:
                (self.dst / name).unlink(missing_ok=True)
            for folder in {(self.dst / name).parent for name in files} - {self.dst}:
                with contextlib.suppress(OSError):  # holds files of someone else
                    folder.rmdir()
            for entry in self._folder.glob("*.json"):
                if entry.name != "remove.json":
                    entry.unlink()
            (self._folder / "remove.json").unlink()

    def finished(self, name: str) -> dict[str, Any] | None:
        """The note on a finished shard."""
        note: dict[str, Any] | None = self._read(f"{name}.json")
        return note

    def note_path(self, name: str) -> Path:
        """Where the note on a finished shard goes."""
        return self._folder / f"{name}.json"

    def close(self) -> None:
        """Removes the folder: the conversion is complete, or was never begun."""
        with os_errors(self._folder):
            for entry in sorted(self._folder.iterdir(), key=lambda e: (e.name == "lock", e.name)):
                entry.unlink()
            self._folder.rmdir()

    def _read(self, name: str) -> Any:
        path = self._folder / name
        with os_errors(path):
            try:
                return json.loads(path.read_bytes())
            except (FileNotFoundError, NotADirectoryError):
                return None
            except ValueError:  # cut short by a crash of the machine: as if it had not been written
                return None


def write_json(path: Path, value: Any) -> None:
    """Writes `path` so that it is there complete, even after a crash, or not at all."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=True) + "\n"
    _core.write_file(os.fsencode(path), text.encode())


@contextlib.contextmanager
def os_errors(path: Path) -> Iterator[None]:
    """Turns an OSError within into a ShardIOError that names its file, or else `path`."""
    try:
        yield
    except FastinetError:
        raise
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else str(path)
        raise ShardIOError(f"{where}: {error.strerror or error}", path=where, errno=error.errno) from error


def _acquire(path: Path) -> int | None:
    """A descriptor that holds the lock, or None. Its folder may vanish while we wait: then once more."""
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
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
