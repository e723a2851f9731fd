"""Distributions of millions of numbers in bounded memory. Numbers are added chunk by chunk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["AspectRatios", "CommonSizes", "Distribution", "SizeGrid"]

Ints = npt.NDArray[np.int64]


class Distribution:
    """Counts integers from 0 to 2**31: exactly below 16384, and in buckets 0.012% wide above.

    Like HdrHistogram (hdrhistogram.org), it keeps the 14 leading bits of a value. Minimum, maximum and sum
    are exact.
    """

    _BITS = 14
    _HALF = 1 << (_BITS - 1)

    def __init__(self) -> None:
        self._counts = np.zeros(self._HALF * (31 - self._BITS + 3), np.int64)
        self.count = 0
        self.total = 0
        self.minimum = 0
        self.maximum = 0

    def add(self, values: npt.NDArray[np.generic]) -> None:
        """Counts these integers, each 0 to 2**31."""
        v = values.astype(np.int64, copy=False)
        if not len(v):
            return
        self.minimum = int(v.min()) if not self.count else min(self.minimum, int(v.min()))
        self.maximum = max(self.maximum, int(v.max()))
        self.count += len(v)
        self.total += int(v.sum())
        shift = np.maximum(np.frexp(v.astype(np.float64))[1] - self._BITS, 0)
        found = np.bincount(shift * self._HALF + (v >> shift))
        self._counts[: len(found)] += found

    @property
    def mean(self) -> float:
        """The mean of all values; 0 if there are none."""
        return self.total / self.count if self.count else 0.0

    def quantile(self, q: float) -> int:
        """Returns the least value that a share `q` of the values does not exceed; 0 if there are none."""
        if not self.count:
            return 0
        place = int(np.searchsorted(np.cumsum(self._counts), max(1, int(np.ceil(q * self.count)))))
        return int(min(max(self._lowest(np.array([place]))[0], self.minimum), self.maximum))

    def histogram(self, edges: npt.NDArray[np.float64]) -> Ints:
        """Returns how many values are in each [edges[i], edges[i + 1]). Leaves out values outside."""
        used = np.flatnonzero(self._counts)
        bins = np.searchsorted(edges, self._lowest(used), side="right") - 1
        inside = (bins >= 0) & (bins < len(edges) - 1)
        counts = np.zeros(len(edges) - 1, np.int64)
        np.add.at(counts, bins[inside], self._counts[used[inside]])
        return counts

    def _lowest(self, places: npt.NDArray[np.int64]) -> Ints:
        """Returns the least value of each bucket."""
        shift = np.maximum(places // self._HALF - 1, 0)
        lowest: Ints = (places - shift * self._HALF) << shift
        return lowest


class AspectRatios:
    """Histogram of width by height on a logarithmic scale: 16 bins an octave, from 1:8 to 8:1.

    The first and last bin also count the images beyond.

    Attributes:
        counts: int64 of shape (97,); bin i is centred at 2 ** ((i - 48) / 16).
        wide, square, tall: number of images of each kind.
    """

    PER_OCTAVE = 16
    OCTAVES = 3

    def __init__(self) -> None:
        self.counts: Ints = np.zeros(2 * self.OCTAVES * self.PER_OCTAVE + 1, np.int64)
        self.wide = 0
        self.square = 0
        self.tall = 0

    def add(self, widths: npt.NDArray[np.int32], heights: npt.NDArray[np.int32]) -> None:
        """Counts these images. No side may be 0."""
        octaves = np.log2(widths / heights)
        middle = self.OCTAVES * self.PER_OCTAVE
        bins = np.clip(np.rint(octaves * self.PER_OCTAVE).astype(np.int64) + middle, 0, 2 * middle)
        self.counts += np.bincount(bins, minlength=len(self.counts))
        self.wide += int((widths > heights).sum())
        self.square += int((widths == heights).sum())
        self.tall += int((widths < heights).sum())


class SizeGrid:
    """Histogram of width and height on logarithmic scales: 8 bins an octave, from 1 to 2**24 pixels.

    Attributes:
        counts: int64 of shape (BINS, BINS), by height and width; bin i begins at 2 ** (i / 8) pixels.
    """

    PER_OCTAVE = 8
    BINS = 24 * PER_OCTAVE + 1

    def __init__(self) -> None:
        self.counts: Ints = np.zeros((self.BINS, self.BINS), np.int64)

    def add(self, widths: npt.NDArray[np.int32], heights: npt.NDArray[np.int32]) -> None:
        """Counts these images. No side may be 0."""
        x, y = self._bins(widths), self._bins(heights)
        found = np.bincount(y * self.BINS + x, minlength=self.BINS**2)
        self.counts += found.reshape(self.BINS, self.BINS)

    def _bins(self, sides: npt.NDArray[np.int32]) -> Ints:
        bins: Ints = np.floor(np.log2(sides) * self.PER_OCTAVE).astype(np.int64)
        return bins


@dataclass(frozen=True)
class CommonSize:
    """`count` images of `width` by `height`; at least `count` if ``CommonSizes.missed`` is not 0."""

    width: int
    height: int
    count: int


class CommonSizes:
    """The most frequent pairs of width and height, by lossy counting (Manku and Motwani, VLDB 2002).

    Attributes:
        missed: the most by which a count is too low; 0 if there are at most 65536 different sizes.
    """

    CAPACITY = 1 << 16

    def __init__(self) -> None:
        self._sizes: Ints = np.zeros(0, np.int64)  # width * 2**24 + height
        self._counts: Ints = np.zeros(0, np.int64)
        self.missed = 0

    def add(self, widths: npt.NDArray[np.int32], heights: npt.NDArray[np.int32]) -> None:
        """Counts these images."""
        sizes, counts = np.unique((widths.astype(np.int64) << 24) + heights, return_counts=True)
        merged, places = np.unique(np.concatenate([self._sizes, sizes]), return_inverse=True)
        total = np.bincount(places, weights=np.concatenate([self._counts, counts])).astype(np.int64)
        if len(merged) > self.CAPACITY:
            order = np.argsort(-total, kind="stable")
            self.missed += int(total[order[self.CAPACITY]])
            kept = np.sort(order[: self.CAPACITY])
            merged, total = merged[kept], total[kept]
        self._sizes, self._counts = merged, total

    def most(self, count: int) -> list[CommonSize]:
        """Returns the most frequent sizes, in descending order."""
        order = np.lexsort((self._sizes, -self._counts))[:count]
        return [
            CommonSize(size >> 24, size & (1 << 24) - 1, n)
            for size, n in zip(self._sizes[order].tolist(), self._counts[order].tolist(), strict=True)
        ]
