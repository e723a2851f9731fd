"""A run of bytes in a file."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Extent"]


class Extent(NamedTuple):
    """Bytes that lie in a file: ``length`` of them from ``offset``, or all from there on where it is -1."""

    path: str
    offset: int = 0
    length: int = -1
