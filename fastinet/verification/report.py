"""What a verification found: for the caller, and as JSON."""

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
    """An image: its split, its number there from 0, its key, and the name of its class (None: none)."""

    split: str
    record: int
    key: str
    class_name: str | None


@dataclass(frozen=True)
class ClassCount:
    """Images of a class: as published and found."""

    name: str
    expected: int
    found: int


@dataclass(frozen=True)
class ClassBalance:
    """How the images of a split are spread over its classes.

    Attributes:
        classes: how many there are.
        unlabelled: images of no class.
        smallest, median, largest: images of a class; the empty ones count as 0.
        empty: names of the classes without images, by label.
    """

    classes: int
    unlabelled: int
    smallest: int
    median: float
    largest: int
    empty: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """A split beside the one that was published.

    Attributes:
        dataset: name of the published dataset, as ``expect`` takes it; ``title`` for people.
        split: the published one.
        stated: whether the user named the dataset; else it was recognised.
        published_classes: classes of the published dataset.
        classes: those of them that `expected` counts; fewer where the split is a part of it.
        expected: images as published, of these classes.
        found: images.
        deviating: classes with another number of images than published, by label.
        missing_names: names that must be there and are not, ascending; empty too where that cannot be told.
        repeated_names: names that are there more than once.
        strange_names: how many names are not of the published form; ``strange_examples`` are the first.
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
        """Images fewer than published; 0 where there are as many or more."""
        return max(0, self.expected - self.found)

    @property
    def surplus(self) -> int:
        """Images more than published; 0 where there are as many or fewer."""
        return max(0, self.found - self.expected)


@dataclass(frozen=True)
class SplitContents:
    """What was found of one split.

    Attributes:
        name: of the split.
        path: its folder.
        records: that could be read.
        balance: of the classes; None where the split has none.
        published: the comparison with the published split; None: it was not recognised as one.
        contradicting: images whose file name says another synset than their label (``n01440764_10026``);
            ``contradicting_examples`` are the first.
        with_json: records with a ``.json`` member, whose annotations they are.
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
    """Images that are the same, or look so.

    Attributes:
        images: at least two, in the order of the splits and their records.
        distance: differing bits, of 64, of the perceptual hash of the first and that one that differs the
            most from it; 0 where the bytes are the same.
    """

    images: tuple[ImageRef, ...]
    distance: int = 0

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of their splits, each once."""
        return tuple(dict.fromkeys(image.split for image in self.images))

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of their classes, each once; several: the labels contradict each other."""
        return tuple(dict.fromkeys(image.class_name for image in self.images if image.class_name is not None))


@dataclass(frozen=True)
class DuplicateReport:
    """All groups of one kind. The counts are of all; only the first groups are kept (``LISTED`` images).

    Attributes:
        kind: "exact": the bytes are the same; "perceptual": candidates, which a person should look at.
        compared: images that were compared.
        not_compared: images that could not be: damaged, or (perceptual) without contrast.
        groups: how many; ``images`` in them.
        overlaps: how many of the groups lie in several splits.
        contradictions: how many hold images of different classes.
        listed: the groups, those in several splits first.
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
    """What :func:`fastinet.verify` found.

    Attributes:
        path: what was verified.
        splits: number of manifests.
        shards, records, payload_bytes: what could be read and was checked.
        decoded: images that were decoded.
        problems: every fault (of a shard with many, the first thousand), as the error that reading there
            would raise, and an :class:`~fastinet.errors.ExpectationError` for all that the caller said should
            not be; empty: all is well.
        seconds: it took.
        contents: of each split whose manifest could be read.
        exact: images with the same bytes; None: not looked for.
        perceptual: images that look the same; None: not looked for.
        problem_count: all problems, also those that are not listed.
        scanned: images whose entry points, or else header, were compared with the whole of their data.
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
        """Whether nothing is wrong."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """All of it, in the types of JSON."""
        told: dict[str, Any] = _plain(self)
        return {"ok": self.ok} | told


def _plain(value: Any) -> Any:
    if isinstance(value, FastinetError):
        told = {name: getattr(value, name) for name in ("path", "record", "key", "expected", "found")}
        return {"kind": type(value).__name__, "message": str(value)} | told
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
