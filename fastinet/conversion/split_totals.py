"""Adds up the results of a split's shards."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastinet.conversion.shard_task import ShardResult
from fastinet.format.chunks import ShardChunks
from fastinet.format.layout import shard_name
from fastinet.format.manifest import ShardInfo
from fastinet.format.names import renamed
from fastinet.format.report import SplitReport, most_examples

__all__ = ["SplitTotals", "digest_of_plans", "labels_of_runs"]

_RENAMED = "keys with a number, as another file has the same"
_SUMS = ("records", "payload_bytes", "tar_bytes", "index_bytes", "with_entry_points")


class SplitTotals:
    """The totals of one split. Results can be added in any order.

    Memory is about 1 KB per shard for its entry in the manifest and four bytes per record for its label, plus
    whatever the reports list individually: bad files, problems of boxes, file names that cannot be derived
    from keys. The values of ``labels_as`` are stored unchanged.
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
        """Adds the result of shard `number`."""
        summary, name = result.summary, shard_name(self._split, number)
        self._shards[number] = ShardInfo.of(f"{name}.tar", f"{name}.idx", summary, "tar_")
        self._labels[number] = labels_of_runs(summary["labels"])
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
            by_shard = self._examples.setdefault(kind, {})
            by_shard[number] = keys
            if len(by_shard) > most_examples(kind):
                del by_shard[max(by_shard)]  # each shard has at least one key

    @property
    def shards(self) -> tuple[ShardInfo, ...]:
        """In the order of their numbers, of which none may be missing."""
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
        """The content of ``names.json``."""
        return [self._names[number] for number in range(len(self._shards))]

    @property
    def values(self) -> list[Any]:
        """With ``labels_as``, the value of each record, or None for a record without one."""
        empty: tuple[Any, ...] = ()
        values: list[Any] = []
        for number, shard in enumerate(self.shards):
            values += self._values.get(number, empty) or [None] * shard.records
        return values

    @property
    def plan(self) -> str:
        """Digest of every record of the split in its position."""
        return digest_of_plans([self._plans[number] for number in range(len(self._plans))])

    def report(self, notes: Mapping[str, Sequence[str]]) -> SplitReport:
        """Returns the report of the split. `notes` are added to its own."""
        notes = {**notes, _RENAMED: [text for names in self.names for text in renamed(names)]}
        return SplitReport(
            shards=len(self._shards),
            remarks=dict(sorted(self._remarks.items())),
            examples={
                kind: [key for _, keys in sorted(by_shard.items()) for key in keys][: most_examples(kind)]
                for kind, by_shard in sorted(self._examples.items())
            },
            bad=[entry for _, entries in sorted(self._bad.items()) for entry in entries],
            notes={kind: list(texts) for kind, texts in notes.items() if texts},
            box_problems=[entry for _, entries in sorted(self._box_problems.items()) for entry in entries],
            **{name: self._sums[name] for name in _SUMS},
        )


def digest_of_plans(plans: Sequence[str]) -> str:
    """Returns a digest of every record of a split in its position, from the digests of its shards' plans."""
    return hashlib.blake2b(" ".join(plans).encode(), digest_size=16).hexdigest()


def labels_of_runs(runs: Sequence[tuple[int, int]]) -> npt.NDArray[np.int32]:
    """Returns the label of each record, from runs of equal labels: (label, length)."""
    table = np.array(runs, np.int64).reshape(-1, 2)
    return np.repeat(table[:, 0].astype(np.int32), table[:, 1])
