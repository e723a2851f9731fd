"""The report of an inspection: numbers that describe a dataset."""

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
    """A property of images that are unusual.

    Attributes:
        name: "gray", "EXIF-rotated", ...
        meaning: why it matters, in a sentence.
        count: number of images.
        examples: record numbers of a few of them, ascending.
        keys: keys of a few of them, if only these are known.
    """

    name: str
    meaning: str
    count: int
    examples: Sequence[int] = ()
    keys: Sequence[str] = ()


@dataclass(frozen=True)
class ColumnFacts:
    """An attached column: its `kind` by FORMAT.md, `dtype` and `shape` of its values, `bytes` on disk."""

    name: str
    kind: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int


@dataclass(frozen=True, eq=False)
class BoxFacts:
    """Bounding boxes of a split.

    Attributes:
        images: number of images with boxes.
        boxes: number of boxes.
        per_image: distribution of the number of boxes of each image that has any.
        areas: int64 of shape (20,), boxes by their share of the image's area, in steps of 5%.
        coverage: float64 of shape (32, 32), 0 to 1, rows from the top: share of the boxes that cover each
            part of their image.
        flags: number of boxes that are "difficult", "truncated" or "occluded".
        unlabelled: number of boxes without a class of the dataset.
        unmeasured: number of boxes left out of `areas` and `coverage`, because no size of the image is known.
        examples: record numbers of a few images with boxes, ascending.
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
    """One split. Sizes are those of the stored images, without applying their EXIF orientation.

    Attributes:
        dataset: the split.
        records: number of images.
        class_counts: int64 of shape (classes,), number of images of each class.
        unlabelled: number of images without a label.
        shards: number of shards.
        tar_bytes, index_bytes: bytes of all tars, and of all sidecars.
        shard_records: fewest and most records of a shard.
        widths, heights: distributions of the sides of the images whose size is known.
        payload_bytes: distribution of the bytes of the encoded images.
        aspects, size_grid, common_sizes: of the images whose size is known.
        unknown_size: number of images whose size is not in the sidecars.
        formats: number of images by format ("JPEG", ...; "unknown").
        with_entry_points: number of images with entry points, which decoding can start from.
        entry_points_bytes: bytes of all entry points.
        oddities: properties of unusual images, the most frequent first.
        bad: (file, reason) of files that are not images, which the conversion left out or kept; None if the
            split has no ``report.json``.
        notes: remarks of the conversion about its source.
        box_problems: (file, reason) of boxes that were dropped or clipped.
        boxes: bounding boxes; None if there are none.
        columns: the attached columns.
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
        """Name of the split."""
        return self.dataset.split

    @property
    def path(self) -> Path:
        """Folder of the split."""
        return self.dataset.path

    @property
    def classes(self) -> tuple[ClassInfo, ...]:
        """The classes, in label order."""
        return self.dataset.classes

    @property
    def created_by(self) -> Mapping[str, Any]:
        """How the split was made, from the manifest."""
        return self.dataset.manifest.created_by

    def classes_by_count(self) -> npt.NDArray[np.int64]:
        """Returns the labels by descending number of images, and equal ones in label order."""
        return np.argsort(-self.class_counts, kind="stable")

    def to_json(self) -> dict[str, Any]:
        """Returns the numbers in the types of JSON."""
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
    """The report of :func:`fastinet.inspect`. ``rich`` prints it, and ``write_html`` writes it as a page.

    Attributes:
        path: the dataset, as it was given.
        seed: seed of the choice of examples.
        splits: the splits by name.
    """

    view: ClassVar[str] = "inspection"

    path: Path
    seed: int
    splits: Mapping[str, SplitFacts]

    def to_json(self) -> dict[str, Any]:
        """Returns the numbers in the types of JSON."""
        return {"path": str(self.path), "splits": {n: s.to_json() for n, s in self.splits.items()}}

    def write_html(
        self, file: str | os.PathLike[str], *, images: int = 1000, progress: bool = False
    ) -> list[tuple[str, str]]:
        """Writes a self-contained HTML page, which loads no other files and nothing from the network.

        The same dataset, seed, `images` and version of Pillow give the same page, byte for byte.

        Args:
            file: the file to write. An existing file is replaced atomically.
            images: most sample images of the classes, about 4 KB each.
            progress: show progress on stderr.

        Returns:
            (key, reason) of samples that cannot be read or decoded. The page shows the reason instead.

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
