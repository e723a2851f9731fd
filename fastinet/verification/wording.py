"""How lists of names are abbreviated in messages and on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["LISTED", "abbreviated"]

LISTED = 5


def abbreviated(texts: Sequence[str], count: int | None = None) -> str:
    """Returns the first five texts and how many more there are: "a, b, c, d, e, ... and 12 more".

    Args:
        texts: all of them, or the first.
        count: how many there are in all; None: ``len(texts)``.
    """
    more = (len(texts) if count is None else count) - len(texts[:LISTED])
    return ", ".join(texts[:LISTED]) + (f", ... and {more:,} more" if more else "")
