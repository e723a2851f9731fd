"""START HERE: an inspection, one pass over the sidecars. It does not read images."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fastinet.dataset.dataset import Dataset
from fastinet.dataset.splits import find_splits
from fastinet.errors import ArgumentError, FormatError
from fastinet.format import columns
from fastinet.format.columns import StoredColumn
from fastinet.inspection.distributions import AspectRatios, CommonSizes, Distribution, SizeGrid
from fastinet.inspection.facts import BoxFacts, ColumnFacts, Inspection, Oddity, SplitFacts
from fastinet.inspection.oddities import (
    FORMATS,
    KINDS,
    MEANINGS,
    FileNames,
    meaning_of,
    read_report,
    remarks_of,
)
from fastinet.inspection.sampling import Choice
from fastinet.progress import Meter, meter

__all__ = ["inspect"]

_CHUNK = 1 << 16  # records read at a time: some megabytes
_EXAMPLES = 8  # of an oddity
_BOX_EXAMPLES = 12
_COVERAGE = 32
_BOX_FLAGS = {"difficult": 1, "truncated": 2, "occluded": 4}


def inspect(
    path: str | os.PathLike[str],
    *,
    split: str | Iterable[str] | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Inspection:
    """Describes a dataset: counts, classes, sizes, formats, unusual images, boxes, shards, how it was made.

    Reads the manifest, the sidecars and the files beside them, but no images. 14 million records of 21,841
    classes take about 100 MB of memory, most of it for the classes, and 15 seconds.

    Args:
        path: the folder of a split, or a folder of splits.
        split: name or names of splits in `path` to inspect; None: all.
        seed: seed of the choice of examples. The same seed gives the same examples.
        progress: show progress on stderr.

    Raises:
        MissingFileError: there is no dataset at `path`, or one of its files is missing.
        ArgumentError: unknown split.
        FormatError: the dataset is damaged (ChecksumError, TruncatedError). The message says where.
    """
    if not 0 <= seed < 2**64:
        raise ArgumentError(f"seed must be from 0 to 2**64 - 1, not {seed}")
    datasets = [Dataset(folder) for folder in _folders(Path(path), split)]
    if len({dataset.split for dataset in datasets}) != len(datasets):
        named = ", ".join(f"{dataset.path.name}: {dataset.split}" for dataset in datasets)
        raise FormatError(f"{path}: splits of the same name: {named}; choose with split", path=str(path))
    with meter("inspecting", sum(map(len, datasets)), progress) as progress_meter:
        splits = {dataset.split: _Pass(dataset, seed).run(progress_meter) for dataset in datasets}
    return Inspection(Path(path), seed, splits)


def _folders(root: Path, split: str | Iterable[str] | None) -> list[Path]:
    folders = find_splits(root)
    if split is None:
        return folders
    wanted = [split] if isinstance(split, str) else list(split)
    by_name = {folder.absolute().name: folder for folder in folders}
    for name in wanted:
        if name not in by_name:
            raise ArgumentError(
                f"{root}: no split {name!r}; there is {', '.join(sorted(by_name))}",
                path=str(root),
                expected=", ".join(sorted(by_name)),
                found=name,
            )
    return [by_name[name] for name in dict.fromkeys(wanted)]


class _Pass:
    """The pass over one split."""

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self._dataset = dataset
        self._core = dataset.core
        self._seed = seed
        self._ends = np.cumsum([shard.records for shard in dataset.manifest.shards], dtype=np.int64)

    def run(self, progress_meter: Meter) -> SplitFacts:
        dataset = self._dataset
        report = read_report(dataset.path)
        names = FileNames(dataset.path, self._ends)
        attached = [_column(dataset.path, c) for c in columns.read(dataset.path, dataset.manifest).values()]
        label_counts = np.zeros(len(dataset.classes) + 1, np.int64)  # the first is that of label -1
        formats = np.zeros(256, np.int64)
        widths, heights, sizes = Distribution(), Distribution(), Distribution()
        aspects, grid, common = AspectRatios(), SizeGrid(), CommonSizes()
        with_entry_points = entry_points_bytes = unknown_size = 0
        kinds = (*KINDS, "misnamed")
        odd: Counter[str] = Counter()
        examples = Choice(_EXAMPLES, self._seed)
        boxes = _Boxes(dataset, self._seed)
        for first in range(0, len(dataset), _CHUNK):
            facts = self._core.facts(first, min(_CHUNK, len(dataset) - first))
            label_counts += np.bincount(self._labels(facts) + 1, minlength=len(label_counts))
            formats += np.bincount(facts["format"], minlength=256)
            sizes.add(facts["payload_bytes"])
            known = facts[(facts["width"] > 0) & (facts["height"] > 0)]
            unknown_size += len(facts) - len(known)
            widths.add(known["width"])
            heights.add(known["height"])
            aspects.add(known["width"], known["height"])
            grid.add(known["width"], known["height"])
            common.add(known["width"], known["height"])
            with_entry_points += int((facts["entry_points_bytes"] > 0).sum())
            entry_points_bytes += int(facts["entry_points_bytes"].sum(dtype=np.int64))
            for number, kind in enumerate(kinds):
                if kind in KINDS:
                    mask = KINDS[kind](facts)
                else:
                    mask = names.misnamed(first, facts["format"], self._core)
                places = np.flatnonzero(mask)
                if len(places):
                    odd[kind] += len(places)
                    examples.offer(np.full(len(places), number), first + places)
            boxes.add(first, facts)
            progress_meter.advance(len(facts), 0)
        chosen = examples.chosen()
        oddities = [
            Oddity(kind, MEANINGS[kind], odd[kind], chosen[n]) for n, kind in enumerate(kinds) if odd[kind]
        ]
        if report:
            for kind, count in remarks_of(report).items():
                oddities.append(Oddity(kind, meaning_of(kind), count, keys=report.examples.get(kind, ())))
        shards = dataset.manifest.shards
        per_shard = [shard.records for shard in shards]
        return SplitFacts(
            dataset=dataset,
            records=len(dataset),
            class_counts=label_counts[1:],
            unlabelled=int(label_counts[0]),
            shards=len(shards),
            tar_bytes=sum(shard.bytes for shard in shards),
            index_bytes=sum(shard.index_bytes for shard in shards),
            shard_records=(min(per_shard, default=0), max(per_shard, default=0)),
            widths=widths,
            heights=heights,
            payload_bytes=sizes,
            aspects=aspects,
            size_grid=grid,
            common_sizes=common,
            unknown_size=unknown_size,
            formats=_formats(formats),
            with_entry_points=with_entry_points,
            entry_points_bytes=entry_points_bytes,
            oddities=sorted(oddities, key=lambda oddity: -oddity.count),
            bad=report.bad if report else None,
            notes=report.notes if report else {},
            box_problems=report.box_problems if report else (),
            boxes=boxes.facts(),
            columns=attached,
        )

    def _labels(self, facts: npt.NDArray[np.void]) -> npt.NDArray[np.int32]:
        labels: npt.NDArray[np.int32] = facts["label"]
        if labels.max() >= len(self._dataset.classes):
            raise FormatError(
                f"{self._dataset.path}: label {labels.max()} has no class in the manifest",
                path=str(self._dataset.path),
                expected=f"-1 to {len(self._dataset.classes) - 1}",
                found=str(labels.max()),
            )
        return labels


class _Boxes:
    """The boxes of one split."""

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self._core = dataset.core
        self._classes = len(dataset.classes)
        self._per_image = Distribution()
        self._areas = np.zeros(20, np.int64)
        self._corners = np.zeros((_COVERAGE + 1, _COVERAGE + 1), np.int64)
        self._flags: Counter[str] = Counter()
        self._unlabelled = self._measured = 0
        self._examples = Choice(_BOX_EXAMPLES, seed)

    def add(self, first: int, facts: npt.NDArray[np.void]) -> None:
        if not facts["boxes"].any():
            return
        counts, sizes, rows = self._core.boxes(first, len(facts))
        with_boxes = np.flatnonzero(counts)
        self._per_image.add(counts[with_boxes])
        self._examples.offer(np.zeros(len(with_boxes), np.int64), first + with_boxes)
        labels, flags = rows[:, 0], rows[:, 5]
        self._unlabelled += int(((labels < 0) | (labels >= self._classes)).sum())
        self._flags.update({name: int((flags & bit != 0).sum()) for name, bit in _BOX_FLAGS.items()})
        own = np.stack([facts["width"], facts["height"]], axis=1)
        reference = np.repeat(np.where(sizes > 0, sizes, own), counts, axis=0)
        measured = (reference > 0).all(axis=1)
        self._measured += int(measured.sum())
        self._place(rows[measured, 1:5] / np.tile(reference[measured], 2))

    def _place(self, edges: npt.NDArray[np.float64]) -> None:
        """Adds boxes whose edges (xmin, ymin, xmax, ymax) are fractions of their image's sides."""
        edges = np.clip(edges, 0, 1)
        areas = np.maximum(edges[:, 2] - edges[:, 0], 0) * np.maximum(edges[:, 3] - edges[:, 1], 0)
        self._areas += np.bincount(np.minimum(areas * 20, 19).astype(np.int64), minlength=20)
        # A box covers a cell if it covers its centre. Only corners are marked here; `facts` sums them up.
        left, top, right, bottom = np.ceil(edges * _COVERAGE - 0.5).astype(np.int64).clip(0, _COVERAGE).T
        for y, x, sign in ((top, left, 1), (top, right, -1), (bottom, left, -1), (bottom, right, 1)):
            np.add.at(self._corners, (y, x), sign)

    def facts(self) -> BoxFacts | None:
        if not self._per_image.count:
            return None
        covered = self._corners.cumsum(axis=0).cumsum(axis=1)[:_COVERAGE, :_COVERAGE]
        return BoxFacts(
            images=self._per_image.count,
            boxes=self._per_image.total,
            per_image=self._per_image,
            areas=self._areas,
            coverage=covered / max(self._measured, 1),
            flags={name: self._flags[name] for name in _BOX_FLAGS},
            unlabelled=self._unlabelled,
            unmeasured=self._per_image.total - self._measured,
            examples=self._examples.chosen()[0],
        )


def _formats(counts: npt.NDArray[np.int64]) -> dict[str, int]:
    named = {
        FORMATS[number] if number < len(FORMATS) else f"format {number}": int(counts[number])
        for number in np.flatnonzero(counts).tolist()
    }
    return dict(sorted(named.items(), key=lambda entry: -entry[1]))


def _column(folder: Path, stored: StoredColumn) -> ColumnFacts:
    """Describes a column from the header of its file, without reading the values."""
    return ColumnFacts(stored.name, stored.kind, *columns.describe(folder, stored))
