"""The report of a verification: for the caller, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from fastinet.errors import FastinetError
from fastinet.reports import Report

__all__ = [
    "ClassBalance",
    "ClassCount",
    "Comparison",
    "DuplicateGroup",
    "DuplicateReport",
    "ImageRef",
    "SplitContents",
    "VerifyReport",
]


@dataclass(frozen=True)
class ImageRef:
    """An image: its split, its number there, counted from 0, its key, and its class name, or None."""

    split: str
    record: int
    key: str
    class_name: str | None


@dataclass(frozen=True)
class ClassCount:
    """Number of images of a class, as published and as found."""

    name: str
    expected: int
    found: int


@dataclass(frozen=True)
class ClassBalance:
    """How the images of a split are distributed over its classes.

    Attributes:
        classes: number of classes.
        unlabelled: number of images without a class.
        smallest, median, largest: number of images of a class; empty classes count as 0.
        empty: names of the classes without images, in label order.
    """

    classes: int
    unlabelled: int
    smallest: int
    median: float
    largest: int
    empty: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """A comparison of a split with the published one.

    Attributes:
        dataset: name of the published dataset, as ``expect`` takes it.
        title: the same for people.
        split: name of the published split.
        stated: whether the user named the dataset; otherwise it was recognised.
        published_classes: number of classes of the published dataset.
        classes: number of classes that `expected` counts; fewer if the split is a part of the published one.
        expected: published number of images of these classes.
        found: number of images of the split.
        deviating: classes whose number of images differs from the published one, in label order.
        missing_names: published names that are missing, ascending; empty if names cannot be compared.
        repeated_names: names that occur more than once.
        strange_names: number of names that do not have the published form.
        strange_examples: the first of these names.
    """

    dataset: str
    title: str
    split: str
    stated: bool
    published_classes: int
    classes: int
    expected: int
    found: int
    deviating: tuple[ClassCount, ...] = ()
    missing_names: tuple[str, ...] = ()
    repeated_names: tuple[str, ...] = ()
    strange_names: int = 0
    strange_examples: tuple[str, ...] = ()

    @property
    def missing(self) -> int:
        """How many images fewer than published there are; 0 if there are not fewer."""
        return max(0, self.expected - self.found)

    @property
    def surplus(self) -> int:
        """How many images more than published there are; 0 if there are not more."""
        return max(0, self.found - self.expected)


@dataclass(frozen=True)
class SplitContents:
    """The contents of one split.

    Attributes:
        name: name of the split.
        path: its folder.
        records: number of records that could be read.
        balance: balance of the classes; None if no record has a label.
        published: comparison with a published split; None if the split was not recognised as one.
        contradicting: number of images whose file name (``n01440764_10026``) names another synset than
            their label.
        contradicting_examples: the first of these images.
        with_json: number of records with annotations, a ``.json`` member.
    """

    name: str
    path: Path
    records: int
    balance: ClassBalance | None = None
    published: Comparison | None = None
    contradicting: int = 0
    contradicting_examples: tuple[ImageRef, ...] = ()
    with_json: int = 0


@dataclass(frozen=True)
class DuplicateGroup:
    """Images that are the same, or look the same.

    Attributes:
        images: at least two, in the order of the splits and their records.
        distance: number of bits, of 64, in which the perceptual hash of the first image differs from the one
            that differs most; 0 if the bytes are the same.
    """

    images: tuple[ImageRef, ...]
    distance: int = 0

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of their splits, each once."""
        return tuple(dict.fromkeys(image.split for image in self.images))

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of their classes, each once. If there are several, the labels contradict each other."""
        return tuple(dict.fromkeys(image.class_name for image in self.images if image.class_name is not None))


@dataclass(frozen=True)
class DuplicateReport:
    """All groups of one kind.

    Attributes:
        kind: "exact" if the bytes are the same; "perceptual" for candidates that a person should look at.
        compared: number of images that were compared.
        not_compared: number of images that were not, because they are damaged or (perceptual) lack contrast.
        groups: number of groups.
        images: number of images in all groups.
        overlaps: number of groups with images in several splits.
        contradictions: number of groups with images of different classes.
        listed: the first groups, up to 100,000 images, those in several splits first.
    """

    kind: str
    compared: int
    not_compared: int
    groups: int
    images: int
    overlaps: int
    contradictions: int
    listed: tuple[DuplicateGroup, ...]


@dataclass(frozen=True)
class VerifyReport(Report):
    """The report of :func:`fastinet.verify`.

    Attributes:
        path: the dataset that was verified.
        splits: number of its manifests.
        shards, records, payload_bytes: how many could be read and were checked.
        decoded: number of images that were decoded.
        problems: every problem, but at most a thousand of each shard: the error that reading would raise, or
            an :class:`~fastinet.errors.ExpectationError` for an expectation of the caller that is not met.
        seconds: duration.
        contents: contents of each split whose manifest could be read.
        exact: images with the same bytes; None if they were not searched.
        perceptual: images that look the same; None if they were not searched.
        problem_count: number of all problems, including those that are not listed.
        scanned: number of images whose entry points or header were compared with all their data.
    """

    view: ClassVar[str] = "verification"

    path: Path
    splits: int
    shards: int
    records: int
    payload_bytes: int
    decoded: int
    problems: tuple[FastinetError, ...]
    seconds: float
    contents: tuple[SplitContents, ...] = ()
    exact: DuplicateReport | None = field(default=None)
    perceptual: DuplicateReport | None = field(default=None)
    problem_count: int = 0
    scanned: int = 0

    @property
    def ok(self) -> bool:
        """Whether there are no problems."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """Returns the whole report in the types of JSON."""
        fields: dict[str, Any] = _plain(self)
        return {"ok": self.ok} | fields


def _plain(value: Any) -> Any:
    if isinstance(value, FastinetError):
        attributes = {name: getattr(value, name) for name in ("path", "record", "key", "expected", "found")}
        return {"kind": type(value).__name__, "message": str(value)} | attributes
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
