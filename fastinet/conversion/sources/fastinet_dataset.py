"""A dataset of fastinet's own, cut anew: other shard sizes, another order, entry points, smaller images."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fastinet.conversion.sources.base import Sample, Survey, Unreadable
from fastinet.conversion.sources.folder_tree import SPLITS
from fastinet.dataset.dataset import Dataset
from fastinet.dataset.stored import stored_records
from fastinet.errors import ArgumentError, FormatError, MissingFileError
from fastinet.format import manifest
from fastinet.format.boxset import BoxSet
from fastinet.format.layout import split_folders

__all__ = ["FastinetDataset"]


class FastinetDataset:
    """A split's folder, or a folder of splits, converted or indexed. Records come in their order.

    Kept are keys, labels, boxes, JSON, file names, classes with their words and glosses, and the hierarchy;
    attached columns are not. Every payload's checksum is compared; one that differs counts as a bad file.

    Raises:
        MissingFileError: no dataset there.
        ArgumentError: no such split, or splits with different classes.
        FormatError: a manifest is damaged.
    """

    kind = "fastinet"

    def __init__(self, path: str | os.PathLike[str], split: str | None = None) -> None:
        root = Path(os.path.abspath(path))  # noqa: PTH100 - without following links
        self.location = str(root)
        datasets = {dataset.split: dataset for dataset in map(Dataset, split_folders(root))}
        if not datasets:
            raise MissingFileError(
                f"{root}: no {manifest.FILE_NAME} here or one folder below", path=self.location
            )
        order = [name for name in SPLITS if name in datasets] + sorted(set(datasets) - set(SPLITS))
        self._datasets = {name: datasets[name] for name in order if split in (None, name)}
        if not self._datasets:
            raise ArgumentError(
                f"{root}: no split {split!r} here, only: {', '.join(order)}", path=self.location
            )
        self.splits = tuple(self._datasets)
        first = next(iter(self._datasets.values()))
        self.classes = tuple(replace(c, count=None) for c in first.classes)
        self.hierarchy, self.synsets = first.manifest.hierarchy, first.manifest.synsets
        for name, dataset in self._datasets.items():
            if [c.name for c in dataset.classes] != [c.name for c in self.classes]:
                raise ArgumentError(
                    f"{root}: splits {first.split} and {name} have different classes; "
                    "convert one split at a time",
                    path=self.location,
                )

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether a dataset lies there."""
        return bool(split_folders(path))

    def survey(self, split: str) -> Survey:
        """The number of records."""
        return Survey(len(self._datasets[split]))

    def samples(self, split: str) -> Iterator[Sample]:
        """The records, one shard's members in memory at a time."""
        for record, name, image, annotation in stored_records(self._datasets[split]):
            payload, stamp = image, os.stat(image.path).st_mtime_ns  # noqa: PTH116
            origin = f"{Path(image.path).name}/{record.key.rpartition('/')[0]}/{name}"
            boxes = record.boxes_size and BoxSet(*record.boxes_size, tuple(record.boxes))
            try:
                size = len(record.payload)
            except FormatError as error:
                yield Sample(record.key, Unreadable(error), record.label, 0, origin, stamp, annotation, boxes)
                continue
            yield Sample(record.key, payload, record.label, size, origin, stamp, annotation, boxes)
