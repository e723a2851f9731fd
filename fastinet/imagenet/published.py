"""How many images ImageNet and its offspring have, as published: the table is ``published.json``."""

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
        title: of the dataset, for people.
        split: "train", "val" or "test".
        images: how many.
        class_count: classes of the dataset.
        classes: their names, sorted; empty: not in the table.
        class_images: images by class name; empty: the classes have `each_class`, or it is not known.
        each_class: images that every class has; None: they differ, or it is not known.
        names: what file names begin with that are numbered without a gap; empty: they are not.
        first_number, digits: of these numbers.
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
        """Images of a class in this split: as its devkit says, or else the table; None: not known."""
        told = info.details.get("num_train_images") if self.split == "train" else None
        if isinstance(told, int):
            return told
        if self.classes and info.name not in self.classes:
            return 0
        return self.each_class if self.class_images is None else self.class_images[info.name]

    def name_of(self, number: int) -> str:
        """The file name, without extension, of a number from 0."""
        return f"{self.names}{number + self.first_number:0{self.digits}d}"


@dataclass(frozen=True)
class PublishedDataset:
    """A dataset as published; `sources` say where its numbers are from."""

    name: str
    title: str
    sources: tuple[str, ...]
    splits: Mapping[str, PublishedSplit]

    def split(self, name: str) -> PublishedSplit | None:
        """The split that is called so, or known by another usual name; None: there is none."""
        return self.splits.get(_SPLIT_NAMES.get(name, name))


def names() -> tuple[str, ...]:
    """Names of the datasets in the table."""
    return tuple(_table())


def find(name: str) -> PublishedDataset:
    """The dataset of that name.

    Raises:
        ArgumentError: none has it.
    """
    if name not in _table():
        raise ArgumentError(f"no published counts of {name!r}; known are {', '.join(_table())}")
    return _table()[name]


def recognise(manifest: Manifest) -> PublishedSplit | None:
    """The published split that this one is, or is a part of; None: it looks like none.

    Told by the source that it was converted from, or else by the names of its classes: all of a dataset's, or
    some of ILSVRC-2012's. Of several that fit, the one with the nearest number of images.
    """
    source = str(manifest.created_by.get("source"))
    told = _table().get(_SOURCES.get(source, source))
    if told is not None:
        return told.split(manifest.split)
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
    return {name: _dataset(name, told) for name, told in json.loads(_TABLE.read_bytes()).items()}


def _dataset(name: str, told: Mapping[str, Any]) -> PublishedDataset:
    counted = (name for split in told["splits"].values() for name in split.get("class_images", ()))
    classes = tuple(told.get("classes") or sorted(counted))
    splits = {
        split: PublishedSplit(
            name,
            told["title"],
            split,
            fields["images"],
            told["class_count"],
            classes,
            fields.get("class_images"),
            fields.get("each_class"),
            fields.get("names", ""),
            fields.get("first", 1),
            fields.get("digits", 8),
        )
        for split, fields in told["splits"].items()
    }
    return PublishedDataset(name, told["title"], tuple(told["sources"]), splits)
