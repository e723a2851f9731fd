"""Chooses a few random records of each group in one pass and in bounded memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Choice", "priorities"]


def priorities(numbers: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.uint64]:
    """Returns a random rank for each number, a pure function of number and seed (SplitMix64's)."""
    with np.errstate(over="ignore"):
        z = numbers.astype(np.uint64) + np.uint64((seed * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) % 2**64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed: npt.NDArray[np.uint64] = z ^ (z >> np.uint64(31))
        return mixed


class Choice:
    """Keeps the `size` records of each group that rank first, in whatever order they are offered."""

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._seed = seed
        self._groups: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._records: npt.NDArray[np.int64] = np.zeros(0, np.int64)

    def offer(self, groups: npt.NDArray[np.int64], records: npt.NDArray[np.int64]) -> None:
        """Considers records, each with its group. No record may be offered twice for the same group."""
        groups = np.concatenate([self._groups, groups])
        records = np.concatenate([self._records, records])
        order = np.lexsort((priorities(records, self._seed), groups))
        ordered = groups[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else order
        place = np.arange(len(ordered)) - np.repeat(starts, np.diff(np.r_[starts, len(ordered)]))
        kept = order[place < self._size]
        self._groups, self._records = groups[kept], records[kept]

    def chosen(self) -> dict[int, list[int]]:
        """Returns the chosen records by group, in ascending order."""
        found: dict[int, list[int]] = {}
        for group, record in zip(self._groups.tolist(), self._records.tolist(), strict=True):
            found.setdefault(group, []).append(record)
        return {group: sorted(records) for group, records in sorted(found.items())}
