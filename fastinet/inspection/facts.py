"""The numbers that describe a dataset."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from fastinet.dataset.dataset import Dataset
from fastinet.format.manifest import ClassInfo
from fastinet.inspection.distributions import AspectRatios, CommonSizes, Distribution, SizeGrid
from fastinet.reports import Report

__all__ = ["BoxFacts", "ColumnFacts", "Inspection", "Oddity", "SplitFacts"]

QUANTILES = {"1%": 0.01, "25%": 0.25, "median": 0.5, "75%": 0.75, "99%": 0.99}


@dataclass(frozen=True)
class Oddity:
    """Something that is true of some images and not of the usual ones.

    Attributes:
        name: "gray", "EXIF-rotated", ...
        meaning: why it matters, in a sentence.
        count: images.
        examples: numbers of a few of them, ascending.
        keys: keys of a few of them, where only these are known.
    """

    name: str
    meaning: str
    count: int
    examples: Sequence[int] = ()
    keys: Sequence[str] = ()


@dataclass(frozen=True)
class ColumnFacts:
    """An attached column: `kind` as FORMAT.md has it, `dtype` and `shape` of its values, `bytes` on disk."""

    name: str
    kind: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int


@dataclass(frozen=True, eq=False)
class BoxFacts:
    """Bounding boxes.

    Attributes:
        images: that have boxes.
        boxes: in all.
        per_image: boxes of each image that has some.
        areas: int64 of shape (20,): boxes by their share of the image's area, in steps of 5%.
        coverage: float64 of shape (32, 32), rows from the top: share of the boxes that cover this part of
            their image.
        flags: number of boxes that are "difficult", "truncated" or "occluded".
        unlabelled: boxes of no class of the dataset.
        unmeasured: boxes left out of `areas` and `coverage`, because neither annotation nor image has a size.
        examples: numbers of a few images with boxes, ascending.
    """

    images: int
    boxes: int
    per_image: Distribution
    areas: npt.NDArray[np.int64]
    coverage: npt.NDArray[np.float64]
    flags: Mapping[str, int]
    unlabelled: int
    unmeasured: int
    examples: Sequence[int]


@dataclass(frozen=True, eq=False)
class SplitFacts:
    """One split. Sizes are those of the stored images, before their EXIF orientation.

    Attributes:
        dataset: the split, open.
        records: images.
        class_counts: int64, images of each class.
        unlabelled: images without a label.
        shards: how many; ``tar_bytes`` of the tars, ``index_bytes`` of the sidecars.
        shard_records: fewest and most records of a shard.
        widths, heights, payload_bytes: of the images; sides only of those whose size is known.
        aspects, size_grid, common_sizes: of the same images.
        unknown_size: images whose size the sidecars do not know.
        formats: images by format ("JPEG", ...; "unknown").
        with_entry_points: images that can be decoded from the middle.
        entry_points_bytes: what that costs.
        oddities: the most frequent first.
        bad: (file, reason) of files that the conversion left out or kept though they are no images; None:
            the split has no ``report.json``.
        notes: what the conversion had to say of its source.
        box_problems: (file, reason) of boxes that were dropped or clipped.
        boxes: None where there are none.
        columns: what is attached.
    """

    dataset: Dataset
    records: int
    class_counts: npt.NDArray[np.int64]
    unlabelled: int
    shards: int
    tar_bytes: int
    index_bytes: int
    shard_records: tuple[int, int]
    widths: Distribution
    heights: Distribution
    payload_bytes: Distribution
    aspects: AspectRatios
    size_grid: SizeGrid
    common_sizes: CommonSizes
    unknown_size: int
    formats: Mapping[str, int]
    with_entry_points: int
    entry_points_bytes: int
    oddities: Sequence[Oddity]
    bad: Sequence[tuple[str, str]] | None
    notes: Mapping[str, Sequence[str]]
    box_problems: Sequence[tuple[str, str]]
    boxes: BoxFacts | None
    columns: Sequence[ColumnFacts]

    @property
    def split(self) -> str:
        """Its name."""
        return self.dataset.split

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.dataset.path

    @property
    def classes(self) -> tuple[ClassInfo, ...]:
        """By label."""
        return self.dataset.classes

    @property
    def created_by(self) -> Mapping[str, Any]:
        """How it was made, as the manifest says."""
        return self.dataset.manifest.created_by

    def classes_by_count(self) -> npt.NDArray[np.int64]:
        """Labels, those with most images first; ties in label order."""
        return np.argsort(-self.class_counts, kind="stable")

    def to_json(self) -> dict[str, Any]:
        """The numbers, for ``json.dump``."""
        counts = self.class_counts
        return {
            "path": str(self.path),
            "records": self.records,
            "classes": len(self.classes),
            "class_counts": {c.name: n for c, n in zip(self.classes, counts.tolist(), strict=True)},
            "unlabelled": self.unlabelled,
            "shards": self.shards,
            "tar_bytes": self.tar_bytes,
            "index_bytes": self.index_bytes,
            "width": _summary(self.widths),
            "height": _summary(self.heights),
            "payload_bytes": _summary(self.payload_bytes),
            "common_sizes": [[s.width, s.height, s.count] for s in self.common_sizes.most(10)],
            "unknown_size": self.unknown_size,
            "formats": dict(self.formats),
            "with_entry_points": self.with_entry_points,
            "entry_points_bytes": self.entry_points_bytes,
            "oddities": {oddity.name: oddity.count for oddity in self.oddities},
            "bad": None if self.bad is None else [list(entry) for entry in self.bad],
            "notes": {kind: list(texts) for kind, texts in self.notes.items()},
            "box_problems": [list(entry) for entry in self.box_problems],
            "boxes": self.boxes
            and {
                "images": self.boxes.images,
                "boxes": self.boxes.boxes,
                "per_image": _summary(self.boxes.per_image),
                "areas": self.boxes.areas.tolist(),
                "flags": dict(self.boxes.flags),
                "unlabelled": self.boxes.unlabelled,
            },
            "columns": {
                c.name: {"kind": c.kind, "dtype": c.dtype, "shape": list(c.shape), "bytes": c.bytes}
                for c in self.columns
            },
            "created_by": dict(self.created_by),
        }


@dataclass(frozen=True, eq=False)
class Inspection(Report):
    """What :func:`fastinet.inspect` found. ``rich`` prints it; ``write_html`` makes a page of it.

    Attributes:
        path: as it was given.
        seed: of the choice of examples.
        splits: by name.
    """

    view: ClassVar[str] = "inspection"

    path: Path
    seed: int
    splits: Mapping[str, SplitFacts]

    def to_json(self) -> dict[str, Any]:
        """The numbers, for ``json.dump``."""
        return {"path": str(self.path), "splits": {n: s.to_json() for n, s in self.splits.items()}}

    def write_html(
        self, file: str | os.PathLike[str], *, images: int = 1000, progress: bool = False
    ) -> list[tuple[str, str]]:
        """Writes one self-contained page: no other files, no network, no scripts from elsewhere.

        The same dataset, seed and `images` give the same page, byte for byte, with the same Pillow.

        Args:
            file: to write; replaced when it is there, in one step.
            images: at most so many samples of the classes, about 4 KB each.
            progress: show progress on stderr.

        Returns:
            (key, reason) of samples that cannot be read or decoded; the page shows the reason in their place.

        Raises:
            UnsupportedError: Jinja2 is not installed (``pip install 'fastinet[html]'``).
            ArgumentError: `images` is negative.
            ShardIOError: the file cannot be written.
        """
        undrawn: list[tuple[str, str]] = self._view().write_page(self, file, images, progress)
        return undrawn


def _summary(values: Distribution) -> dict[str, float]:
    quantiles = {name: values.quantile(q) for name, q in QUANTILES.items()}
    return {
        "count": values.count,
        "min": values.minimum,
        **quantiles,
        "max": values.maximum,
        "mean": values.mean,
    }
