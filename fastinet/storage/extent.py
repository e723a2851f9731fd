"""A range of bytes in a file."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Extent"]


class Extent(NamedTuple):
    """``length`` bytes of a file from ``offset`` on; a length of -1 means up to the end of the file."""

    path: str
    offset: int = 0
    length: int = -1
