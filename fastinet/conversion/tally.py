"""What the shards of a split add up to, in memory that hardly grows with the records."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastinet.conversion.task import ShardResult
from fastinet.format.chunks import ShardChunks
from fastinet.format.layout import shard_name
from fastinet.format.manifest import ShardInfo
from fastinet.format.names import renamed
from fastinet.format.report import SplitReport, most_examples

__all__ = ["Tally", "digest_of_plans"]

_RENAMED = "keys with a number, as another file has the same"
_SUMS = ("records", "payload_bytes", "tar_bytes", "index_bytes", "with_entry_points")


class Tally:
    """Takes up results in any order.

    It keeps the line of each shard in the manifest, about 1 KB, four bytes for the label of each record,
    and beyond that only what the reports list one by one: bad files, flaws of boxes, file names that do not
    follow from keys. The values of ``labels_as`` are kept as they are.
    """

    def __init__(self, split: str) -> None:
        self._split = split
        self._shards: dict[int, ShardInfo] = {}
        self._labels: dict[int, npt.NDArray[np.int32]] = {}
        self._chunks: dict[int, ShardChunks] = {}
        self._plans: dict[int, str] = {}
        self._names: dict[int, Mapping[str, Any]] = {}
        self._plain_names: dict[str, Mapping[str, Any]] = {}  # by extension, for the shards with no others
        self._bad: dict[int, tuple[tuple[str, str], ...]] = {}
        self._box_problems: dict[int, tuple[tuple[str, str], ...]] = {}
        self._values: dict[int, tuple[Any, ...]] = {}
        self._sums: Counter[str] = Counter()
        self._remarks: Counter[str] = Counter()
        self._examples: dict[str, dict[int, Sequence[str]]] = {}
        self.class_counts: Counter[int] = Counter()

    def add(self, number: int, result: ShardResult) -> None:
        """The result of shard `number`."""
        summary, name = result.summary, shard_name(self._split, number)
        self._shards[number] = ShardInfo.of(f"{name}.tar", f"{name}.idx", summary, "tar_")
        runs = np.array(summary["labels"], np.int64).reshape(-1, 2)
        self._labels[number] = np.repeat(runs[:, 0].astype(np.int32), runs[:, 1])
        self._chunks[number] = ShardChunks.of(summary["tar_chunks"], summary["index_chunks"])
        self._plans[number] = result.plan
        names = result.names
        self._names[number] = (
            names if names["others"] else self._plain_names.setdefault(names["extension"], names)
        )
        if result.bad:
            self._bad[number] = result.bad
        if result.box_problems:
            self._box_problems[number] = result.box_problems
        if result.values:
            self._values[number] = result.values
        self._sums.update({name: summary[name] for name in _SUMS})
        self._remarks.update(summary["remarks"])
        for label, count in summary["labels"]:
            self.class_counts[label] += count
        for kind, keys in summary["examples"].items():
            held = self._examples.setdefault(kind, {})
            held[number] = keys
            if len(held) > most_examples(kind):
                del held[max(held)]  # each has at least one key

    @property
    def shards(self) -> tuple[ShardInfo, ...]:
        """In the order of their numbers, which must all be there."""
        return tuple(self._shards[number] for number in range(len(self._shards)))

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """Of all records, int32; -1: none."""
        parts = [self._labels[number] for number in range(len(self._labels))]
        return np.concatenate([np.zeros(0, np.int32), *parts])

    @property
    def chunks(self) -> list[ShardChunks]:
        """Of the shards, in the order of their numbers."""
        return [self._chunks[number] for number in range(len(self._chunks))]

    @property
    def names(self) -> list[Mapping[str, Any]]:
        """As ``names.json`` holds them."""
        return [self._names[number] for number in range(len(self._shards))]

    @property
    def values(self) -> list[Any]:
        """Of all records, with ``labels_as``; None where a record has none."""
        empty: tuple[Any, ...] = ()
        values: list[Any] = []
        for number, shard in enumerate(self.shards):
            values += self._values.get(number, empty) or [None] * shard.records
        return values

    @property
    def plan(self) -> str:
        """Digest of every record of the split in its place."""
        return digest_of_plans([self._plans[number] for number in range(len(self._plans))])

    def report(self, notes: Mapping[str, Sequence[str]]) -> SplitReport:
        """For the caller; `notes` are the source's."""
        notes = {**notes, _RENAMED: [text for names in self.names for text in renamed(names)]}
        return SplitReport(
            shards=len(self._shards),
            remarks=dict(sorted(self._remarks.items())),
            examples={
                kind: [key for _, keys in sorted(held.items()) for key in keys][: most_examples(kind)]
                for kind, held in sorted(self._examples.items())
            },
            bad=[entry for _, entries in sorted(self._bad.items()) for entry in entries],
            notes={kind: list(texts) for kind, texts in notes.items() if texts},
            box_problems=[entry for _, entries in sorted(self._box_problems.items()) for entry in entries],
            **{name: self._sums[name] for name in _SUMS},
        )


def digest_of_plans(plans: Sequence[str]) -> str:
    """Of every record of a split in its place, from the digests of its shards' plans."""
    return hashlib.blake2b(" ".join(plans).encode(), digest_size=16).hexdigest()
