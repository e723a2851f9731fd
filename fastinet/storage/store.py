"""The interface of the places where a dataset can be written: a local folder or an object store.

File names are relative to that place and use ``/``: ``train/train-000012.tar``. The journal of a conversion
lies in the same place (``conversion/workspace.py``). ``open.py`` returns the store of a path or URL.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

__all__ = ["JOURNAL", "Store"]

JOURNAL = ".fastinet-convert"


class Store(Protocol):
    """A store is picklable. Any thread, and any machine that can reach the place, can use it.

    Every method raises ShardIOError, with the name of the file, if the place refuses the operation.
    """

    location: str  # absolute path or URL
    claim: str  # name of the file that shows which run is at work

    def place(self, name: str) -> str:
        """Returns the absolute path or URL of a file, for messages."""
        ...

    def read(self, name: str) -> bytes | None:
        """Returns the content of a small file, or None if it does not exist."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Writes a small file. After a crash the file is either complete or as it was before."""
        ...

    def entries(self, folder: str = "") -> dict[str, int]:
        """Returns the names in a folder with the size of each file, or -1 for a folder.

        The result is empty if `folder` does not exist.
        """
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Removes the files that exist, in this order, and the folders that become empty."""
        ...

    def claimed(self) -> AbstractContextManager[str]:
        """Makes this the only run that writes here, and yields its identifier. Removes what dead runs left.

        Raises:
            StateError: another run is at work, as far as the place can tell beforehand.
        """
        ...

    def prepare(self, run: str, folder: str) -> None:
        """Prepares a folder of shards. The run calls it once for each folder, before any ``staged``."""
        ...

    def check(self, run: str, folder: str) -> None:
        """Checks that `run` still owns this place, and that this machine can see it.

        Raises:
            StateError: another run has taken over.
            MissingFileError: the place is a folder that this machine does not have.
        """
        ...

    def staged(self, run: str, names: Sequence[str]) -> AbstractContextManager[list[str]]:
        """Yields local paths to write large files to. When the block ends, the files get their `names`.

        All names are of one folder. Any number of attempts at the same files may run at once: each has its
        own paths, and the last one that succeeds replaces the files of the others as a whole. Nothing remains
        of a block that fails. A run that no longer owns the place publishes nothing.

        Raises:
            StateError, MissingFileError: as ``check``.
        """
        ...
