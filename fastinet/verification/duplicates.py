"""Images that occur more than once: with the same bytes, or looking the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fastinet import _core
from fastinet.errors import FastinetError
from fastinet.verification.hamming import near_groups
from fastinet.verification.records import Fingerprints, Records
from fastinet.verification.report import DuplicateGroup, DuplicateReport

__all__ = ["LISTED", "find_exact", "find_perceptual"]

LISTED = 100_000  # images that a report lists, to bound its size
_CHUNK = 1 << 20

Numbers = npt.NDArray[np.int64]


def find_exact(records: Records, prints: Fingerprints) -> tuple[DuplicateReport, list[Numbers]]:
    """Finds the groups of records with the same payload. Returns the report, and each group's record numbers.

    Records with the same XXH3-64 are candidates, whose bytes are then compared. Needs 8 bytes a record in
    addition to the hashes. Leaves out groups that are entirely within splits that are only compared with.
    """
    hashes = prints.payload
    repeated = _repeated(hashes[prints.has_payload])
    places = _places_of(repeated, hashes)
    places = places[prints.has_payload[places]]
    found: list[Numbers] = []
    for candidates in _runs(hashes[places], places):
        if _concerns_own(records, candidates):
            found += _same_bytes(records, candidates)
    report = _Collector(records, "exact", prints.has_payload)
    for group in _in_order(records, found):
        report.add(group, 0)
    return report.finish(), found


def find_perceptual(
    records: Records, prints: Fingerprints, distance: int, exact: Iterable[Numbers]
) -> DuplicateReport:
    """Finds the groups of images whose perceptual hashes are connected by steps of at most `distance` bits.

    Leaves out groups that are part of one of the `exact` groups, and groups that are entirely within splits
    that are only compared with.
    """
    places = np.flatnonzero(prints.has_perceptual)
    components = near_groups(prints.perceptual[places], distance)
    repeated = _repeated(components)
    some = _places_of(repeated, components)
    same = {int(number): group for group, numbers in enumerate(exact) for number in numbers}
    found = []
    for group in _runs(components[some], places[some]):
        copies = {same.get(int(number), -1 - i) for i, number in enumerate(group)}
        if len(copies) > 1 and _concerns_own(records, group):
            found.append(group)
    report = _Collector(records, "perceptual", prints.has_perceptual)
    for group in _in_order(records, found):
        bits = prints.perceptual[group] ^ prints.perceptual[group[0]]
        report.add(group, max(int(value).bit_count() for value in bits))
    return report.finish()


@dataclass
class _Collector:
    """Counts all groups, and keeps the first ones."""

    records: Records
    kind: str
    compared: npt.NDArray[np.bool_]
    groups: int = 0
    images: int = 0
    overlaps: int = 0
    contradictions: int = 0
    listed: list[DuplicateGroup] = field(default_factory=list)
    room: int = field(default_factory=lambda: LISTED)  # for more images

    def add(self, numbers: Numbers, distance: int) -> None:
        self.groups += 1
        self.images += len(numbers)
        self.overlaps += len(np.unique(self.records.splits_of(numbers))) > 1
        group = DuplicateGroup(tuple(self.records.image(int(number)) for number in numbers), distance)
        self.contradictions += len(group.classes) > 1
        if len(numbers) <= self.room:
            self.room -= len(numbers)
            self.listed.append(group)

    def finish(self) -> DuplicateReport:
        compared = int(np.count_nonzero(self.compared))
        return DuplicateReport(
            self.kind,
            compared,
            len(self.compared) - compared,
            self.groups,
            self.images,
            self.overlaps,
            self.contradictions,
            tuple(self.listed),
        )


def _repeated(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Returns the values that occur more than once, ascending."""
    values = np.sort(values)
    return np.unique(values[1:][values[1:] == values[:-1]])


def _places_of(wanted: npt.NDArray[np.generic], values: npt.NDArray[np.generic]) -> Numbers:
    """Returns the places of values that are among the sorted `wanted`. Works in chunks to save memory."""
    if not len(wanted):
        return np.zeros(0, np.int64)
    found = []
    for start in range(0, len(values), _CHUNK):
        piece = values[start : start + _CHUNK]
        place = np.minimum(np.searchsorted(wanted, piece), len(wanted) - 1)
        found.append(start + np.flatnonzero(wanted[place] == piece))
    return np.concatenate(found)


def _runs(keys: npt.NDArray[np.generic], numbers: Numbers) -> Iterator[Numbers]:
    """Yields for each key the numbers that have it, ascending."""
    order = np.argsort(keys, kind="stable")
    keys, numbers = keys[order], numbers[order]
    edges = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    if len(keys):
        yield from np.split(numbers, edges)


def _concerns_own(records: Records, numbers: Numbers) -> bool:
    return any(records.splits[place].own for place in np.unique(records.splits_of(numbers)).tolist())


def _same_bytes(records: Records, candidates: Numbers) -> list[Numbers]:
    """Groups candidates with the same hash by their bytes. Leaves out damaged records."""
    firsts: list[tuple[npt.NDArray[np.uint8], _core.Record]] = []
    members: list[list[int]] = []
    for number in candidates.tolist():
        try:
            record = records.record(number)
            record.check_payload()
        except FastinetError:
            continue  # reported by the check of its shard
        payload = np.frombuffer(record, np.uint8)  # type: ignore[call-overload, unused-ignore]
        same = next((i for i, (first, _) in enumerate(firsts) if np.array_equal(first, payload)), None)
        if same is None:
            firsts.append((payload, record))
            members.append([number])
        else:
            members[same].append(number)
    return [np.array(numbers, np.int64) for numbers in members if len(numbers) > 1]


def _in_order(records: Records, groups: list[Numbers]) -> list[Numbers]:
    """Sorts groups in several splits first, then by their first record."""
    return sorted(groups, key=lambda g: (len(np.unique(records.splits_of(g))) == 1, int(g[0])))
