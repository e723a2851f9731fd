"""The report of an inspection as an HTML page."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastinet.dataset.dataset import Dataset
from fastinet.errors import ArgumentError
from fastinet.inspection.facts import Inspection, Oddity, SplitFacts
from fastinet.inspection.sampling import Choice, priorities
from fastinet.progress import meter
from fastinet.views import pages
from fastinet.views.inspection.class_tree import class_tree
from fastinet.views.inspection.figures import Figures, figures
from fastinet.views.inspection.thumbnails import Thumbnail, thumbnails
from fastinet.views.inspection.wording import made_by, share, size_of

__all__ = ["write_page"]

_CHUNK = 1 << 16
_SMALL, _LARGE = 160, 352  # pixels of the longer side
_PER_CLASS = 12  # samples at most
_SHEET = 21  # images of the contact sheet
_PER_ROW = 8.6  # of the sheet: sum of the aspect ratios
_LISTED = 100  # bad files


@dataclass(frozen=True)
class Row:
    """Pictures of one height side by side. `room` is the width that they leave empty, in heights."""

    pictures: Sequence[Thumbnail]

    @property
    def room(self) -> float:
        return round(max(0.0, _PER_ROW - sum(picture.aspect for picture in self.pictures)), 3)


@dataclass(frozen=True)
class SplitPage:
    """The values of one split for the template."""

    facts: SplitFacts
    figures: Figures
    sheet: Sequence[Row]
    oddities: Sequence[tuple[Oddity, Sequence[Thumbnail]]]
    boxes: Sequence[Thumbnail]
    made_by: Sequence[tuple[str, Any]]
    bad: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Sample:
    """A picture of the class explorer. `id` is the id of its element in the page."""

    id: str
    split: SplitFacts
    picture: Thumbnail


def write_page(
    inspection: Inspection, file: str | os.PathLike[str], images: int, progress: bool
) -> list[tuple[str, str]]:
    """Implements :meth:`Inspection.write_html`."""
    pages.prepare(file)
    if images < 0:
        raise ArgumentError(f"images must be at least 0, not {images}")
    splits = list(inspection.splits.values())
    chosen = _choose(splits, images, inspection.seed)
    sheets = [_evenly(split, inspection.seed) for split in splits]
    odd = [[_records(split, oddity) for oddity in split.oddities] for split in splits]
    large = [
        [*sheet, *(split.boxes.examples if split.boxes else ())]
        for split, sheet in zip(splits, sheets, strict=True)
    ]
    small = [
        [*chosen[split.split], *(i for found in indices for i in found)]
        for split, indices in zip(splits, odd, strict=True)
    ]
    with meter("drawing", sum(len(set(i)) for i in (*small, *large)), progress) as progress_meter:
        big = [thumbnails(s.dataset, i, _LARGE, progress_meter) for s, i in zip(splits, large, strict=True)]
        little = [
            thumbnails(s.dataset, i, _SMALL, progress_meter) for s, i in zip(splits, small, strict=True)
        ]
    split_pages = [
        SplitPage(
            split,
            figures(split),
            _rows([big[n][i] for i in sheets[n]]),
            [
                (oddity, [little[n][i] for i in found])
                for oddity, found in zip(split.oddities, odd[n], strict=True)
            ],
            [big[n][i] for i in split.boxes.examples] if split.boxes else [],
            made_by(split),
            (split.bad or ())[:_LISTED],
        )
        for n, split in enumerate(splits)
    ]
    samples = [
        Sample(f"s{n}-{i}", split, little[n][i])
        for n, split in enumerate(splits)
        for i in chosen[split.split]
    ]
    by_class: dict[str, list[str]] = {}
    for sample in samples:
        by_class.setdefault(sample.split.classes[sample.picture.label].name, []).append(sample.id)
    page = pages.render(
        "inspect.html",
        "inspect.js",
        name=_name(inspection),
        inspection=inspection,
        splits=split_pages,
        samples=samples,
        tree=class_tree(splits, by_class),
        command=_command(inspection, file, images),
        share=share,
        size_of=size_of,
    )
    pages.write(file, page)
    pictures = [picture for of_split in (*big, *little) for picture in of_split.values()]
    return list(dict.fromkeys((p.key, p.problem) for p in pictures if p.problem))


def _name(inspection: Inspection) -> str:
    """Returns the name of the dataset's folder, with that of the split if its folder was given."""
    folder = inspection.path.absolute()
    of_split = any(split.path.absolute() == folder for split in inspection.splits.values())
    return f"{folder.parent.name}/{folder.name}" if of_split and folder.parent.name else folder.name


def _choose(splits: Sequence[SplitFacts], images: int, seed: int) -> dict[str, list[int]]:
    """Chooses records by split: the same number of each class, or one of each of `images` random classes.

    If several splits have a class, splits with boxes come first, and then larger splits.
    """
    counts: dict[str, int] = {}
    for split in splits:
        for found, count in zip(split.classes, split.class_counts.tolist(), strict=True):
            counts[found.name] = counts.get(found.name, 0) + count
    names = np.array([name for name, count in counts.items() if count], object)
    ranked = names[np.argsort(priorities(np.arange(len(names)), seed), kind="stable")][:images]
    per_class = min(_PER_CLASS, images // max(len(names), 1)) or min(images, 1)
    needed = dict.fromkeys(ranked.tolist(), per_class)
    chosen: dict[str, list[int]] = {split.split: [] for split in splits}
    for split in sorted(splits, key=lambda s: (-(s.boxes.images / s.records if s.boxes else 0), -s.records)):
        wanted = np.array([needed.get(found.name, 0) for found in split.classes], np.int64)
        for label, records in _of_classes(split.dataset, wanted, seed).items():
            kept = records[: wanted[label]]
            chosen[split.split] += kept
            needed[split.classes[label].name] -= len(kept)
        chosen[split.split].sort()
    return chosen


def _of_classes(dataset: Dataset, wanted: npt.NDArray[np.int64], seed: int) -> dict[int, list[int]]:
    """Chooses records by label: at most ``max(wanted)`` of each class, and none if 0 are wanted."""
    choice = Choice(int(wanted.max(initial=0)), seed)
    for first in range(0, len(dataset), _CHUNK) if wanted.any() else ():
        labels = dataset.core.labels(first, min(_CHUNK, len(dataset) - first))
        places = np.flatnonzero((labels >= 0) & (wanted[labels] > 0))
        choice.offer(labels[places].astype(np.int64), first + places)
    return choice.chosen()


def _evenly(split: SplitFacts, seed: int) -> list[int]:
    """Chooses a few records that are spread over the split, in a random order."""
    count = min(_SHEET, split.records)
    starts = np.linspace(0, split.records, count, endpoint=False).astype(np.int64)
    room = np.maximum(np.diff(np.r_[starts, split.records]), 1).astype(np.uint64)
    found = starts + (priorities(starts, seed) % room).astype(np.int64)
    return [int(i) for i in found[np.argsort(priorities(found, seed + 1), kind="stable")]]


def _rows(pictures: Iterable[Thumbnail]) -> list[Row]:
    """Arranges the thumbnails that have a picture in rows of about the same length."""
    rows: list[list[Thumbnail]] = [[]]
    for picture in pictures:
        if not picture.uri:
            continue
        if sum(p.aspect for p in rows[-1]) + picture.aspect / 2 > _PER_ROW:
            rows.append([])
        rows[-1].append(picture)
    made = [Row(row) for row in rows if row]
    return made[:-1] if len(made) > 1 and made[-1].room > 0.2 * _PER_ROW else made


def _records(split: SplitFacts, oddity: Oddity) -> list[int]:
    """Returns the numbers of an oddity's examples, looking up their keys if necessary."""
    if oddity.examples or not oddity.keys:
        return list(oddity.examples)
    wanted, found = set(oddity.keys), []
    for first in range(0, split.records, _CHUNK):
        keys = split.dataset.core.keys(first, min(_CHUNK, split.records - first))
        found += [first + i for i, key in enumerate(keys) if key in wanted]
        if len(found) == len(wanted):
            break
    return found


def _command(inspection: Inspection, file: str | os.PathLike[str], images: int) -> str:
    options: Mapping[str, Any] = {"--images": images, "--seed": inspection.seed}
    words = ["fastinet", "inspect", str(inspection.path), "--html", os.fspath(file)]
    for name, value in options.items():
        words += [name, str(value)]
    return shlex.join(words)
