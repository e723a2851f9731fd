"""Chooses the store of a path or URL."""

from __future__ import annotations

import os
from pathlib import Path

from fastinet.errors import ArgumentError
from fastinet.storage.local import LocalStore
from fastinet.storage.remote import RemoteStore
from fastinet.storage.store import Store

__all__ = ["is_url", "open_store"]

_LOCAL = ("file://", "local://")


def is_url(place: object) -> bool:
    """Returns whether `place` is a URL of an object store: ``scheme://...``, but not ``file://...``."""
    return isinstance(place, str) and "://" in place and not place.startswith(_LOCAL)


def open_store(place: str | os.PathLike[str]) -> Store:
    """Returns the store at a path or URL.

    Raises:
        ArgumentError: fsspec knows no such kind of URL, or `place` is empty.
        UnsupportedError: the package that handles this kind of URL is not installed.
    """
    if isinstance(place, str) and is_url(place):
        return RemoteStore(place)
    path = os.fspath(place)
    for scheme in _LOCAL:
        path = path.removeprefix(scheme)
    if not path:
        raise ArgumentError("the destination is empty")
    return LocalStore(Path(os.path.abspath(path)))  # noqa: PTH100 - without following links
