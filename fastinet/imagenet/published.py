"""Published numbers of images of ImageNet and the datasets derived from it. The table: ``published.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fastinet.errors import ArgumentError
from fastinet.format.manifest import ClassInfo, Manifest

__all__ = ["PublishedDataset", "PublishedSplit", "find", "names", "recognise"]

_TABLE = Path(__file__).with_name("published.json")
_SPLIT_NAMES = {"valid": "val", "validation": "val", "testing": "test"}
_SOURCES = {"kaggle": "ilsvrc2012"}  # of conversion, where it is not the dataset's name
_WHOLE_IMAGENET = ("imagenet21k-fall11", "imagenet21k-winter21")


@dataclass(frozen=True)
class PublishedSplit:
    """One split as published.

    Attributes:
        dataset: name of the dataset, as ``--expect`` takes it.
        title: the dataset's name for people.
        split: "train", "val" or "test".
        images: number of images.
        class_count: number of classes of the dataset.
        classes: the names of the classes, sorted; empty if the table does not list them.
        class_images: number of images by class name; None if every class has `each_class`, or if the numbers
            are not known.
        each_class: number of images of every class; None if they differ or are not known.
        names: the common beginning of the file names, if these are numbered without gaps; otherwise empty.
        first_number, digits: the first of these numbers, and how many digits they have.
    """

    dataset: str
    title: str
    split: str
    images: int
    class_count: int
    classes: tuple[str, ...] = ()
    class_images: Mapping[str, int] | None = None
    each_class: int | None = None
    names: str = ""
    first_number: int = 1
    digits: int = 8

    def images_of(self, info: ClassInfo) -> int | None:
        """Returns how many images a class has, by its devkit or by the table; None if that is not known."""
        from_devkit = info.details.get("num_train_images") if self.split == "train" else None
        if isinstance(from_devkit, int):
            return from_devkit
        if self.classes and info.name not in self.classes:
            return 0
        return self.each_class if self.class_images is None else self.class_images[info.name]

    def name_of(self, number: int) -> str:
        """Returns the file name, without extension, of the image with this number, counted from 0."""
        return f"{self.names}{number + self.first_number:0{self.digits}d}"


@dataclass(frozen=True)
class PublishedDataset:
    """A dataset as published. `sources` are where its numbers come from."""

    name: str
    title: str
    sources: tuple[str, ...]
    splits: Mapping[str, PublishedSplit]

    def split(self, name: str) -> PublishedSplit | None:
        """Returns the split of this name, or of a usual synonym ("validation"); None if there is none."""
        return self.splits.get(_SPLIT_NAMES.get(name, name))


def names() -> tuple[str, ...]:
    """Returns the names of the datasets in the table."""
    return tuple(_table())


def find(name: str) -> PublishedDataset:
    """Returns the dataset of this name.

    Raises:
        ArgumentError: the table has no such dataset.
    """
    if name not in _table():
        raise ArgumentError(f"no published counts of {name!r}; known are {', '.join(_table())}")
    return _table()[name]


def recognise(manifest: Manifest) -> PublishedSplit | None:
    """Returns the published split that a split is, or is a part of; None if none is recognised.

    It is recognised by the source that it was converted from, or by the names of its classes: all classes of
    a dataset, or some of ILSVRC-2012's. If several datasets fit, the one with the nearest number of images is
    returned.
    """
    source = str(manifest.created_by.get("source"))
    by_source = _table().get(_SOURCES.get(source, source))
    if by_source is not None:
        return by_source.split(manifest.split)
    fitting = [
        split
        for dataset in _table().values()
        if (split := dataset.split(manifest.split)) is not None and _fits(split, manifest, source)
    ]
    return min(fitting, key=lambda split: abs(_expected(split, manifest) - manifest.records), default=None)


def _fits(split: PublishedSplit, manifest: Manifest, source: str) -> bool:
    present = {c.name for c in manifest.classes}
    if split.dataset in _WHOLE_IMAGENET:
        filled = sum(c.count != 0 for c in manifest.classes)
        return source == "imagenet21k" and split.class_count in (len(present), filled)
    if split.dataset == "ilsvrc2012":
        return bool(present) and present <= set(split.classes)
    return bool(present) and present == set(split.classes)


def _expected(split: PublishedSplit, manifest: Manifest) -> int:
    counts = [split.images_of(c) for c in manifest.classes]
    return sum(n for n in counts if n is not None) if counts and None not in counts else split.images


@cache
def _table() -> Mapping[str, PublishedDataset]:
    return {name: _dataset(name, entry) for name, entry in json.loads(_TABLE.read_bytes()).items()}


def _dataset(name: str, entry: Mapping[str, Any]) -> PublishedDataset:
    counted = (name for split in entry["splits"].values() for name in split.get("class_images", ()))
    classes = tuple(entry.get("classes") or sorted(counted))
    splits = {
        split: PublishedSplit(
            name,
            entry["title"],
            split,
            fields["images"],
            entry["class_count"],
            classes,
            fields.get("class_images"),
            fields.get("each_class"),
            fields.get("names", ""),
            fields.get("first", 1),
            fields.get("digits", 8),
        )
        for split, fields in entry["splits"].items()
    }
    return PublishedDataset(name, entry["title"], tuple(entry["sources"]), splits)
