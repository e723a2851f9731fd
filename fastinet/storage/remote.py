"""A dataset in an object store, through fsspec: ``s3://bucket/imagenet``, ``gs://...``, ``memory://...``.

Shards are written to a local scratch folder (``$TMPDIR``) and uploaded under their final names. Then the note
of the shard is written to the journal, and at the very end the manifest. Object stores show an object
complete or not at all, but have neither rename nor locks. Instead:

- A run writes its identifier to ``.fastinet-convert/run.json``. The latest run wins: before an earlier run
  uploads a shard or writes a manifest, it finds another identifier there and stops with StateError. So a run
  that died never blocks the next one. Of two runs started by mistake the first stops, and the second reuses
  what the first has uploaded if its settings are the same.
- Between that check and the end of an upload, a run that has been superseded may still publish a shard. Runs
  with the same settings write the same bytes. For other runs, the sizes of all shards are compared with what
  was written before a manifest is written.

Options and credentials are those of the fsspec implementation: its environment variables and
https://filesystem-spec.readthedocs.io/en/latest/features.html#configuration.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from fastinet.errors import ArgumentError, FastinetError, ShardIOError, StateError, UnsupportedError
from fastinet.storage.scratch import scratch_folder
from fastinet.storage.store import JOURNAL

__all__ = ["RemoteStore", "file_system", "remote_errors"]


class RemoteStore:
    """See :class:`fastinet.storage.store.Store`."""

    claim = f"{JOURNAL}/run.json"

    def __init__(self, url: str) -> None:
        self.location = url.rstrip("/")
        if not re.match(r"[^/]+://[^/]", self.location):
            raise ArgumentError(f"{url}: does not name a place in the store", path=url)
        if any(sign in self.location for sign in "*?[]"):
            raise ArgumentError(f"{url}: a destination must not contain any of * ? [ ]", path=url)
        self._fs, self._root = file_system(self.location)

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteStore, (self.location,)

    def place(self, name: str) -> str:
        """See Store."""
        return f"{self.location}/{name}"

    def read(self, name: str) -> bytes | None:
        """See Store."""
        with remote_errors(self.place(name), "read"):
            try:
                return bytes(self._fs.cat_file(self._path(name)))
            except FileNotFoundError:
                return None

    def write(self, name: str, data: bytes) -> None:
        """See Store."""
        with remote_errors(self.place(name), "write"):
            self._fs.pipe_file(self._path(name), data)

    def entries(self, folder: str = "") -> dict[str, int]:
        """See Store."""
        path = self._path(folder) if folder else self._root
        with remote_errors(self.place(folder), "list"):
            self._fs.invalidate_cache()
            try:
                rows = self._fs.ls(path, detail=True)
            except (FileNotFoundError, NotADirectoryError):
                return {}
        names = ((row["name"].rstrip("/"), row) for row in rows)
        return {
            name.rpartition("/")[2]: -1 if row["type"] == "directory" else int(row["size"])
            for name, row in names
            if name.strip("/") != path.strip("/")  # a placeholder object of the folder, or a file
        }

    def remove(self, names: Iterable[str]) -> None:
        """See Store."""
        wanted = list(dict.fromkeys(names))
        folders = {str(PurePosixPath(name).parent) for name in wanted}
        existing = {f"{folder}/{name}" for folder in folders for name in self.entries(folder)}
        paths = [self._path(name) for name in wanted if name in existing]
        if paths:
            with remote_errors(self.location, "remove files in"):
                self._fs.rm(paths)

    @contextlib.contextmanager
    def claimed(self) -> Iterator[str]:
        """See Store. A run that is at work is superseded as soon as this one calls `prepare`."""
        yield secrets.token_hex(8)

    def prepare(self, run: str, folder: str) -> None:
        """See Store."""
        owner = {"run": run, "host": socket.gethostname(), "process": os.getpid()}
        self.write(self.claim, json.dumps(owner).encode())

    def check(self, run: str, folder: str) -> None:
        """See Store."""
        data = self.read(self.claim)
        try:
            owner = json.loads(data or b"{}")
        except (ValueError, RecursionError):
            owner = {}
        owner = owner if isinstance(owner, dict) else {}
        if owner.get("run") != run:
            other = f" (process {owner.get('process')} on {owner.get('host')})" if owner else ""
            raise StateError(
                f"{self.location}: another run{other} has taken over this place", path=self.location
            )

    @contextlib.contextmanager
    def staged(self, run: str, names: Sequence[str]) -> Iterator[list[str]]:
        """See Store."""
        folder = str(PurePosixPath(names[0]).parent)
        self.check(run, folder)
        with scratch_folder() as scratch:
            paths = [str(scratch / PurePosixPath(name).name) for name in names]
            yield paths
            self.check(run, folder)
            for path, name in zip(paths, names, strict=True):
                with remote_errors(self.place(name), "upload"):
                    self._fs.put_file(path, self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"


def file_system(url: str) -> tuple[Any, str]:
    """Returns fsspec's file system for a URL, and the path in it.

    Raises:
        ArgumentError: fsspec knows no such kind of URL, or several are chained with ``::``.
        UnsupportedError: fsspec, or the package that it needs for this URL, is not installed.
    """
    if "::" in url:
        raise ArgumentError(f"{url}: chained URLs are not supported", path=url)
    try:
        import fsspec  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise UnsupportedError(
            f"{url}: URLs need fsspec; install it with: pip install 'fastinet[remote]'", path=url
        ) from None
    try:
        fs, path = fsspec.core.url_to_fs(url)
    except ImportError as e:  # the message says which package to install
        raise UnsupportedError(f"{url}: {e}", path=url) from None
    except ValueError as e:
        raise ArgumentError(f"{url}: {e}", path=url) from None
    except Exception as e:  # credentials, endpoints
        raise ShardIOError(f"{url}: cannot open: {_reason(e)}", path=url) from e
    return fs, str(path).rstrip("/")


@contextlib.contextmanager
def remote_errors(url: str, what: str) -> Iterator[None]:
    """Turns any exception of a store's client in the block into a ShardIOError that names `url`."""
    try:
        yield
    except FastinetError:
        raise
    except Exception as e:  # every client has its own exceptions
        number = e.errno if isinstance(e, OSError) else None
        raise ShardIOError(f"{url}: cannot {what}: {_reason(e)}", path=url, errno=number) from e


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
