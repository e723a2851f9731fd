"""Finds groups of 64-bit hashes that differ in few bits, by multi-index hashing.

M. Norouzi, A. Punjani, D. J. Fleet, "Fast Search in Hamming Space with Multi-Index Hashing", CVPR 2012: cut
into m bands, two hashes that differ in at most d = m r + a bits (0 <= a < m) differ in at most r bits in one
of the first a + 1 bands, or in at most r - 1 in one of the others. So only hashes with a band that near are
compared in full.

``benchmarks/near_hashes.py``, one core of an AMD EPYC: 1.28 million hashes take 10 CPU-seconds at a distance
of 6 and 3 at 4, and 100 MB; 14.2 million take 276 and 82, and 640 MB.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise
from math import comb
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["MAX_DISTANCE", "near_groups"]

MAX_DISTANCE = 16
_BITS = 64
_WIDEST = 24  # bits of a band: its table has 2**24 entries
_PIECE = 1 << 19  # hashes whose buckets are looked up at once, and
_PAIRS = 1 << 20  # pairs that are compared at once: they bound memory
_LOOKUP_COST = 4.0  # of a look into a table, in comparisons of two hashes; measured

Indices = npt.NDArray[np.int64]


class _Band(NamedTuple):
    shift: int
    width: int
    radius: int


def near_groups(hashes: npt.NDArray[np.uint64], distance: int) -> Indices:
    """Returns for each hash the number of its group: hashes connected by steps of at most `distance` bits.

    Needs about 40 bytes a hash and a fixed 150 MB. Equal hashes are compared with the others only once.

    Args:
        hashes: shape (n,).
        distance: 0 to 16 bits.

    Returns:
        int64 of shape (n,).
    """
    distinct = np.sort(hashes)
    distinct = distinct[np.append(True, distinct[1:] != distinct[:-1])[: len(distinct)]]
    roots = np.arange(len(distinct), dtype=np.int64)
    if distance and len(distinct) > 1:
        for left, right in _near_pairs(distinct, distance):
            _connect(roots, left, right)
    groups: Indices = roots[np.searchsorted(distinct, hashes)]
    return groups


def _near_pairs(hashes: npt.NDArray[np.uint64], distance: int) -> Iterator[tuple[Indices, Indices]]:
    """Yields the places of all pairs of distinct hashes within the distance, some pairs more than once."""
    for band in _choose_bands(len(hashes), distance):
        keys = ((hashes >> np.uint64(band.shift)) & np.uint64((1 << band.width) - 1)).astype(np.int32)
        order = np.argsort(keys, kind="stable").astype(np.int32)
        keys, ordered = keys[order], hashes[order]
        starts = np.zeros((1 << band.width) + 1, np.int64)
        np.cumsum(np.bincount(keys, minlength=1 << band.width), out=starts[1:])
        for flip in _flips(band.width, band.radius):
            for a, b in _candidates(keys, starts, flip):
                close = _popcount(ordered[a] ^ ordered[b]) <= distance
                if close.any():
                    yield order[a[close]].astype(np.int64), order[b[close]].astype(np.int64)


def _candidates(keys: npt.NDArray[np.int32], starts: Indices, flip: int) -> Iterator[tuple[Indices, Indices]]:
    """Yields the places of all pairs whose keys differ by `flip`. `starts` is where each key begins."""
    for begin in range(0, len(keys), _PIECE):
        piece = keys[begin : begin + _PIECE].astype(np.int64)
        left = np.arange(begin, begin + len(piece))
        if flip == 0:
            yield from _expand(left, left + 1, starts[piece + 1])
        else:
            other = piece ^ flip
            some = other > piece  # each pair of buckets once
            left, other = left[some], other[some]
            yield from _expand(left, starts[other], starts[other + 1])


def _expand(left: Indices, first: Indices, end: Indices) -> Iterator[tuple[Indices, Indices]]:
    """Yields pairs of each `left` with every number in [`first`, `end`), a bounded number at a time."""
    counts = end - first
    some = counts > 0
    left, first, counts = left[some], first[some], counts[some]
    total = np.cumsum(counts)
    done = start = 0
    while start < len(left):
        stop = max(start + 1, int(np.searchsorted(total, done + _PAIRS, side="right")))
        n = counts[start:stop]
        size = int(total[stop - 1]) - done
        offsets = first[start:stop] - (total[start:stop] - n - done)
        yield np.repeat(left[start:stop], n), np.arange(size) + np.repeat(offsets, n)
        done, start = int(total[stop - 1]), stop


def _connect(roots: Indices, left: Indices, right: Indices) -> None:
    """Joins the components of each pair. Entries of `roots` are the least place of their component."""
    a, b = roots[left], roots[right]
    apart = a != b
    if not apart.any():
        return
    edges = np.unique(np.stack([np.minimum(a, b)[apart], np.maximum(a, b)[apart]], axis=1), axis=0)
    for low, high in edges.tolist():
        one, two = _find(roots, low), _find(roots, high)
        roots[max(one, two)] = min(one, two)
    while not np.array_equal(roots, above := roots[roots]):
        roots[:] = above


def _find(roots: Indices, place: int) -> int:
    while (above := int(roots[place])) != place:
        roots[place] = roots[above]
        place = above
    return place


def _choose_bands(n: int, distance: int) -> list[_Band]:
    """Returns the bands that should take the least time for n hashes of random bits."""
    return min(
        (_cut(m, distance) for m in range(-(-_BITS // _WIDEST), _BITS // 4 + 1)),
        key=lambda bands: _cost(bands, n),
    )


def _cut(m: int, distance: int) -> list[_Band]:
    radius, rest = divmod(distance, m)
    edges = [i * _BITS // m for i in range(m + 1)]
    bands = [
        _Band(low, high - low, radius if number <= rest else radius - 1)
        for number, (low, high) in enumerate(pairwise(edges))
    ]
    return [band for band in bands if band.radius >= 0]


def _cost(bands: list[_Band], n: int) -> float:
    """Estimates the cost of a hash: lookups in the bands' tables, comparisons, share of the tables."""
    cost = 0.0
    for band in bands:
        buckets = float(1 << band.width)
        looks = sum(comb(band.width, k) for k in range(band.radius + 1))
        cost += looks * (_LOOKUP_COST + n / buckets) + _LOOKUP_COST * buckets / n
    return cost


def _flips(width: int, radius: int) -> Iterator[int]:
    """Yields all masks of up to `radius` bits of a band."""
    for k in range(radius + 1):
        for bits in combinations(range(width), k):
            yield sum(1 << bit for bit in bits)


def _popcount(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.integer]:
    if hasattr(np, "bitwise_count"):  # NumPy 2
        counts: npt.NDArray[np.integer] = np.bitwise_count(values)
        return counts
    return _popcount_by_halves(values)


def _popcount_by_halves(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.integer]:
    """Adds neighbouring fields of 1, 2 and 4 bits, and then all eight bytes by a multiplication."""
    ones, twos, fours = (np.uint64(m) for m in (0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F))
    x = values - ((values >> np.uint64(1)) & ones)
    x = (x & twos) + ((x >> np.uint64(2)) & twos)
    x = (x + (x >> np.uint64(4))) & fours
    counts: npt.NDArray[np.integer] = (x * np.uint64(0x0101010101010101)) >> np.uint64(56)
    return counts
