"""``objects://``: fsspec's view of an object store that is a folder, so that several processes share it.

As in S3, an object appears complete or not at all, there is no rename and there are no folders but what the
names of objects suggest.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import fsspec
from fsspec.spec import AbstractFileSystem

__all__ = ["ObjectStore", "contents"]


class ObjectStore(AbstractFileSystem):  # type: ignore[misc]
    """``objects://bucket/key``; the folder is that of the environment variable FASTINET_TEST_OBJECTS."""

    protocol = "objects"
    cachable = False

    @property
    def folder(self) -> Path:
        return Path(os.environ["FASTINET_TEST_OBJECTS"])

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        data = self._object(path).read_bytes()
        return data[slice(start, end)]

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        upload = self.folder / f"upload {secrets.token_hex(8)}"
        upload.write_bytes(value)
        upload.rename(self._object(path))

    def put_file(
        self, lpath: str, rpath: str, callback: Any = None, mode: str = "overwrite", **_: Any
    ) -> None:
        self.pipe_file(rpath, Path(lpath).read_bytes())

    def rm_file(self, path: str) -> None:
        self._object(path).unlink()

    def cp_file(self, path1: str, path2: str, **_: Any) -> None:
        raise NotImplementedError("this store cannot copy, and so it cannot rename")

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        prefix = f"{self._strip_protocol(path)}/"
        rows: dict[str, dict[str, Any]] = {}
        for file in self.folder.iterdir():
            key = unquote(file.name)
            if not key.startswith(prefix):
                continue
            name, slash, _below = key[len(prefix) :].partition("/")
            size = 0 if slash else file.stat().st_size
            rows[name] = {"name": prefix + name, "size": size, "type": "directory" if slash else "file"}
        if not rows:
            raise FileNotFoundError(path)
        return [rows[name] if detail else prefix + name for name in sorted(rows)]

    def _object(self, path: str) -> Path:
        return self.folder / quote(self._strip_protocol(path), safe="")


def contents(prefix: str) -> dict[str, bytes]:
    """Objects below a prefix, by the rest of their names."""
    folder = Path(os.environ["FASTINET_TEST_OBJECTS"])
    found = ((unquote(file.name), file) for file in sorted(folder.iterdir()))
    return {key[len(prefix) + 1 :]: file.read_bytes() for key, file in found if key.startswith(f"{prefix}/")}


fsspec.register_implementation("objects", ObjectStore, clobber=True)
