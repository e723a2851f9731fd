"""The records of several splits under one numbering, and the hashes by which they are compared."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fastinet import _core
from fastinet.dataset.dataset import shard_specs
from fastinet.format.manifest import Manifest
from fastinet.verification.report import ImageRef

__all__ = ["Fingerprints", "Records", "Split"]

_OPEN_SHARDS = 256  # kept mapped while records are looked up


@dataclass(frozen=True)
class Split:
    """A split to verify, or one only to compare with (`own` is False).

    Attributes:
        name: its name in reports, unique among all splits.
        folder: the folder with the manifest.
    """

    name: str
    folder: Path
    manifest: Manifest
    own: bool = True


class Records:
    """Numbers the records of all splits consecutively, from 0.

    Opens each shard on its own, so that a missing or damaged one leaves the others readable.

    Attributes:
        splits: as given.
        specs: the shards of all splits, as the core takes them.
        ends: int64, number of records up to and including each shard.
        split_of_shard: int64, place in `splits` of the split of each shard.
    """

    def __init__(self, splits: Sequence[Split]) -> None:
        self.splits = tuple(splits)
        self.specs = [spec for s in splits for spec in shard_specs(s.folder, s.manifest)]
        self.ends = np.cumsum([0] + [spec[2] for spec in self.specs])[1:]
        self.split_of_shard = np.repeat(np.arange(len(splits)), [len(s.manifest.shards) for s in splits])
        self._starts_of_splits = np.cumsum([0] + [s.manifest.records for s in splits])
        self._open: OrderedDict[int, _core.ShardedDataset] = OrderedDict()

    def __len__(self) -> int:
        return int(self._starts_of_splits[-1])

    def range_of(self, split: Split) -> slice:
        """Returns the numbers of a split's records."""
        place = self.splits.index(split)
        return slice(int(self._starts_of_splits[place]), int(self._starts_of_splits[place + 1]))

    def splits_of(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Returns the place in `splits` of the split of each record."""
        return np.searchsorted(self._starts_of_splits, numbers, side="right") - 1

    def record(self, number: int) -> _core.Record:
        """Returns a record, without checking its payload.

        Raises:
            FastinetError: its shard cannot be read.
        """
        shard = int(np.searchsorted(self.ends, number, side="right"))
        if shard not in self._open:
            self._open[shard] = _core.ShardedDataset([self.specs[shard]])
            if len(self._open) > _OPEN_SHARDS:
                self._open.popitem(last=False)
        self._open.move_to_end(shard)
        return self._open[shard].record(number - int(self.ends[shard]) + self.specs[shard][2])

    def image(self, number: int) -> ImageRef:
        """Returns how reports name a record.

        Raises:
            FastinetError: its shard cannot be read.
        """
        place = int(self.splits_of(np.array([number]))[0])
        split, record = self.splits[place], self.record(number)
        classes = split.manifest.classes
        known = 0 <= record.label < len(classes)
        return ImageRef(
            split.name,
            number - int(self._starts_of_splits[place]),
            record.key,
            classes[record.label].name if known else None,
        )


class Fingerprints:
    """Hashes by which records are compared. Needs 9 bytes for each record and kind of hash.

    Attributes:
        payload: uint64, XXH3-64 of each payload.
        has_payload: bool, which payloads could be read.
        perceptual: uint64, the hash of :mod:`fastinet.verification.perceptual` of each image.
        has_perceptual: bool, which images have one: those that can be decoded and have contrast.
        keys: int64, Python's hash of each key, valid in this process only.
        has_key: bool, which keys could be read.
    """

    def __init__(self, records: int, payload: bool, perceptual: bool, keys: bool = False) -> None:
        self.payload = np.zeros(records if payload else 0, np.uint64)
        self.has_payload = np.zeros(records if payload else 0, bool)
        self.perceptual = np.zeros(records if perceptual else 0, np.uint64)
        self.has_perceptual = np.zeros(records if perceptual else 0, bool)
        self.keys = np.zeros(records if keys else 0, np.int64)
        self.has_key = np.zeros(records if keys else 0, bool)

    def add_keys(self, first: int, keys: Sequence[str]) -> None:
        """Stores the hashes of the keys of consecutive records, from number `first` on."""
        if len(self.keys):
            place = slice(first, first + len(keys))
            self.keys[place] = np.fromiter(map(hash, keys), np.int64, len(keys))
            self.has_key[place] = True
