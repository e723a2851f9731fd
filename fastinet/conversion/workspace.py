"""The journal of a conversion in its destination, and which files there belong to fastinet.

``DST/.fastinet-convert/`` contains

- ``lock`` or ``run.json``: which run is at work (``storage/local.py``, ``storage/remote.py``);
- ``settings.json``: what is being converted and how, written before anything else;
- ``remove.json``: with --overwrite, the files of the old dataset, while they are being removed;
- ``<split>-<number>.json``: the note of a finished shard, with all that the manifest needs to know about it.

The folder is removed after the manifests have been written. fastinet never removes or replaces a file in DST
unless such a folder or a manifest shows that fastinet wrote it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fastinet.errors import FormatError
from fastinet.format.json_files import to_json, wrong
from fastinet.storage.store import JOURNAL, Store

__all__ = ["Workspace", "note_name"]

_SETTINGS, _REMOVE = f"{JOURNAL}/settings.json", f"{JOURNAL}/remove.json"


class Workspace:
    """The journal in a store that this run has claimed. Use as a context manager.

    Attributes:
        run: identifies this run to the store, once claimed.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.run = ""
        self._notes: set[str] | None = None  # names of the existing ones
        self._closed = False

    @contextlib.contextmanager
    def claimed(self) -> Iterator[Workspace]:
        """Makes this the only run that writes to the store.

        Raises:
            StateError: another process is converting into it.
            ShardIOError: the store cannot be written.
        """
        with self.store.claimed() as self.run:
            try:
                yield self
            finally:
                if not self._closed and self.settings is None and self._read(_REMOVE) is None:
                    self.close()  # nothing was begun

    @property
    def settings(self) -> dict[str, Any] | None:
        """Settings of the conversion that has begun but not finished; None if there is none."""
        settings = self._read(_SETTINGS)
        return settings if isinstance(settings, dict) else None

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Records what is being converted."""
        self.store.write(_SETTINGS, to_json(settings))

    def discard(self, files: Iterable[str]) -> None:
        """Removes the journal and these files. After a crash, the next run removes the rest."""
        old = sorted({*files, *(self._condemned() or [])})
        self.store.write(_REMOVE, to_json(old))
        self.finish_discarding()

    def finish_discarding(self) -> None:
        """Completes a removal that was interrupted."""
        files = self._condemned()
        if files is None:
            return
        self.store.remove(files)
        self._remove_journal(keep=(_REMOVE, self.store.claim))
        self.store.remove([_REMOVE])
        self._notes = None

    def finished(self, name: str) -> dict[str, Any] | None:
        """Returns the note of a finished shard; None if the shard is not finished."""
        if self._notes is None:
            self._notes = set(self.store.entries(JOURNAL))
        file = note_name(name)
        if file.rpartition("/")[2] not in self._notes:
            return None
        note = self._read(file)
        return note if isinstance(note, dict) else None

    def close(self) -> None:
        """Removes the journal. The conversion is complete, or has not begun."""
        self._remove_journal(keep=(self.store.claim,))
        self.store.remove([self.store.claim])
        self._closed = True

    def _remove_journal(self, keep: Iterable[str]) -> None:
        names = sorted(f"{JOURNAL}/{name}" for name, size in self.store.entries(JOURNAL).items() if size >= 0)
        self.store.remove(name for name in names if name not in keep)

    def _condemned(self) -> list[str] | None:
        """Returns the files that are being removed; None if there are none.

        Raises:
            FormatError: the list names a file outside of this place.
        """
        names = self._read(_REMOVE)
        if names is None:
            return None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise wrong(FormatError, self.store.place(_REMOVE), "the top level", "a list of files", names)
        for name in names:
            if name.startswith("/") or {"", ".", ".."} & set(name.split("/")) or "\0" in name:
                raise wrong(FormatError, self.store.place(_REMOVE), "names", "files of this dataset", name)
        return names

    def _read(self, name: str) -> Any:
        try:
            return json.loads(self.store.read(name) or b"")
        except (
            ValueError,
            RecursionError,
        ):  # missing, or truncated by a crash of the machine: counts as not written
            return None


def note_name(shard: str) -> str:
    """Returns the name of a finished shard's note."""
    return f"{JOURNAL}/{shard}.json"
