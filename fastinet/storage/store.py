"""Where a dataset is written: a folder of a file system, or a place in an object store.

Files have names relative to that place, with ``/``: ``train/train-000012.tar``. The journal of a conversion
lies there, too (``workspace.py``).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from fastinet.errors import ArgumentError, FastinetError, ShardIOError

__all__ = ["JOURNAL", "Store", "is_url", "open_store", "os_errors"]

JOURNAL = ".fastinet-convert"
_LOCAL = ("file://", "local://")


class Store(Protocol):
    """Picklable, and used from any thread and any machine that can reach the place.

    Every method raises ShardIOError, naming the file, where the place refuses.
    """

    location: str  # absolute path or URL
    claim: str  # name of the file that shows which run is at work

    def place(self, name: str) -> str:
        """Absolute path or URL of a file, for messages."""
        ...

    def read(self, name: str) -> bytes | None:
        """Content of a small file; None where it is not there."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Writes a small file; it is there complete, even after a crash, or as it was before."""
        ...

    def entries(self, folder: str = "") -> dict[str, int]:
        """Names in a folder with the sizes of files, -1 for folders; nothing where it does not exist."""
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Removes files that are there, in order, and folders that become empty by it."""
        ...

    def claimed(self) -> AbstractContextManager[str]:
        """Makes this the one run that writes here; yields its identifier. What dead runs left goes.

        Raises:
            StateError: another run is at work, as far as the place can tell beforehand.
        """
        ...

    def prepare(self, run: str, folder: str) -> None:
        """To be called by the run, once for each folder of shards, before any ``staged``."""
        ...

    def check(self, run: str, folder: str) -> None:
        """Whether `run` is still the one that writes here, and the place is there on this machine.

        Raises:
            StateError: another run has taken over.
            MissingFileError: the place is a folder that this machine does not have.
        """
        ...

    def staged(self, run: str, names: Sequence[str]) -> AbstractContextManager[list[str]]:
        """Local paths to write large files to, all of one folder; at the block's end they get their names.

        Any number of attempts at the same files may be at work at once: each has its own paths, and the last
        one to end well wins as a whole file. Of a block that fails nothing remains. A run that is no longer
        the one that writes here gives nothing its name.

        Raises:
            StateError, MissingFileError: as ``check``.
        """
        ...


def is_url(place: object) -> bool:
    """Whether this is ``scheme://...`` rather than a path, other than ``file://``."""
    return isinstance(place, str) and "://" in place and not place.startswith(_LOCAL)


def open_store(place: str | os.PathLike[str]) -> Store:
    """The store at a path or URL.

    Raises:
        ArgumentError: no such kind of URL.
        UnsupportedError: the package that handles it is not installed.
    """
    from fastinet.storage.local import LocalStore
    from fastinet.storage.remote import RemoteStore

    if isinstance(place, str) and is_url(place):
        return RemoteStore(place)
    path = os.fspath(place)
    for scheme in _LOCAL:
        path = path.removeprefix(scheme)
    if not path:
        raise ArgumentError("the destination is empty")
    return LocalStore(Path(os.path.abspath(path)))  # noqa: PTH100 - without following links


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
