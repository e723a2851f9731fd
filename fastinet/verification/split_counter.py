"""Counts the classes and file names of a split while its shards are being read."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from fastinet.errors import FormatError
from fastinet.format import manifest
from fastinet.format.json_files import wrong
from fastinet.format.manifest import ClassInfo
from fastinet.imagenet.names import WNID, WNID_PREFIX
from fastinet.imagenet.published import PublishedSplit
from fastinet.verification.records import Split
from fastinet.verification.report import ClassBalance, ClassCount, Comparison, ImageRef, SplitContents

__all__ = ["SplitCounter"]

_EXAMPLES = 100


class SplitCounter:
    """Adds up what the shards of a split contain. Thread-safe. Needs a byte for each published image.

    Args:
        split: the split that is verified.
        published: the published split to compare it with; None for no comparison.
        stated: whether the user named the published dataset, so that all its classes are expected.
    """

    def __init__(self, split: Split, published: PublishedSplit | None, stated: bool) -> None:
        self._split = split
        self._published = published
        self._stated = stated
        self._lock = threading.Lock()
        classes = split.manifest.classes
        self._counts = np.zeros(len(classes) + 1, np.int64)  # the last: of no class
        self._synsets = [c.name if WNID.fullmatch(c.name) else None for c in classes]
        self._numbered = self._pattern()
        self._seen = np.zeros(published.images if published and self._numbered else 0, np.uint8)
        self._strange: list[tuple[int, str]] = []
        self._strange_count = 0
        self._contradicting: list[ImageRef] = []
        self._contradicting_count = 0
        self._with_json = 0

    def _pattern(self) -> re.Pattern[str] | None:
        """Returns the pattern of file names that are numbered without gaps; None if not all are expected."""
        published, present = self._published, len(self._split.manifest.classes)
        if not published or not published.names or not (self._stated or present == published.class_count):
            return None
        return re.compile(
            rf"{re.escape(published.names)}(\d+)(_{WNID.pattern})?"
        )  # Hugging Face adds the WNID

    def add(self, first: int, labels: npt.NDArray[np.int32], keys: Sequence[str], with_json: int) -> None:
        """Adds consecutive records of the split, from number `first` on; `with_json` have annotations."""
        classes = len(self._synsets)
        known = (labels >= 0) & (labels < classes)
        counts = np.bincount(np.where(known, labels, classes), minlength=classes + 1)
        names = [key.rpartition("/")[2] for key in keys]
        contradicting = self._contradictions(first, labels.tolist(), names, keys)
        numbers, strange = self._numbers(first, names)
        with self._lock:
            self._counts += counts
            self._with_json += with_json
            self._contradicting_count += len(contradicting)
            self._strange_count += len(strange)
            # Keep the first ones of the split, in whatever order the shards are read.
            both = sorted(self._contradicting + contradicting, key=lambda image: image.record)
            self._contradicting = both[:_EXAMPLES]
            self._strange = sorted(self._strange + strange)[:_EXAMPLES]
            distinct, times = np.unique(numbers, return_counts=True)
            self._seen[distinct] = np.minimum(self._seen[distinct] + times, 2)

    def _contradictions(
        self, first: int, labels: list[int], names: list[str], keys: Sequence[str]
    ) -> list[ImageRef]:
        if not any(self._synsets):
            return []
        found = []
        for i, (label, name) in enumerate(zip(labels, names, strict=True)):
            synset = self._synsets[label] if 0 <= label < len(self._synsets) else None
            match = WNID_PREFIX.match(name) if synset is not None else None
            if match and match[1] != synset:
                found.append(ImageRef(self._split.name, first + i, keys[i], synset))
        return found

    def _numbers(self, first: int, names: list[str]) -> tuple[npt.NDArray[np.int64], list[tuple[int, str]]]:
        """Returns the numbers in names that are published, and the records whose names are not."""
        if self._numbered is None or self._published is None:
            return np.zeros(0, np.int64), []
        numbers, strange = [], []
        for i, name in enumerate(names):
            match = self._numbered.fullmatch(name)
            number = int(match[1]) - self._published.first_number if match else -1
            if 0 <= number < len(self._seen):
                numbers.append(number)
            else:
                strange.append((first + i, name))
        return np.array(numbers, np.int64), strange

    def contents(self) -> SplitContents:
        """Returns the counts of all shards that were added."""
        classes = self._split.manifest.classes
        counts = self._counts[: len(classes)]
        balance = None
        if counts.any():
            empty = tuple(classes[i].name for i in np.flatnonzero(counts == 0).tolist())
            balance = ClassBalance(
                len(classes),
                int(self._counts[-1]),
                int(counts.min()),
                float(np.median(counts)),
                int(counts.max()),
                empty,
            )
        return SplitContents(
            self._split.name,
            self._split.folder,
            int(self._counts.sum()),
            balance,
            self._comparison(),
            self._contradicting_count,
            tuple(self._contradicting),
            self._with_json,
        )

    def problems(self) -> Iterator[FormatError]:
        """Yields an error for each wrong count in the manifest, if all records could be read."""
        contents = self._split.manifest
        if self._counts.sum() != contents.records:
            return
        path = str(self._split.folder / manifest.FILE_NAME)
        for label, info in enumerate(contents.classes):
            counted = int(self._counts[label])
            if info.count not in (None, counted):
                yield wrong(
                    FormatError,
                    path,
                    f"classes[{label}].count",
                    f"{counted}, as the sidecars have",
                    info.count,
                )

    def _comparison(self) -> Comparison | None:
        published = self._published
        if published is None:
            return None
        wanted = self._wanted(published)
        part = not self._stated and 0 < len(wanted) < published.class_count
        found = int(self._counts.sum())
        labels = {c.name: label for label, c in enumerate(self._split.manifest.classes)}
        deviating: list[ClassCount] = []
        if self._counts[:-1].any():  # otherwise it has no labels at all
            for name, expected in wanted.items():
                count = int(self._counts[labels[name]]) if name in labels else 0
                if count != expected:
                    deviating.append(ClassCount(name, expected, count))
        return Comparison(
            published.dataset,
            published.title,
            published.split,
            self._stated,
            published.class_count,
            len(wanted) if part else published.class_count,
            sum(wanted.values()) if part else published.images,
            found,
            tuple(deviating),
            tuple(published.name_of(i) for i in np.flatnonzero(self._seen == 0).tolist()),
            tuple(published.name_of(i) for i in np.flatnonzero(self._seen == 2).tolist()),
            self._strange_count,
            tuple(name for _, name in self._strange),
        )

    def _wanted(self, published: PublishedSplit) -> dict[str, int]:
        """Returns the published number of images of each class, by label; empty if one is not known.

        Published classes that this split does not have are included if the user named the dataset.
        """
        wanted: dict[str, int] = {}
        present = [c.name for c in self._split.manifest.classes]
        if published.classes and set(published.classes).isdisjoint(present):
            return wanted  # its classes are named by words or numbers
        missing = set(published.classes).difference(present) if self._stated else ()
        for info in (*self._split.manifest.classes, *map(ClassInfo, sorted(missing))):
            images = published.images_of(info)
            if images is None:
                return {}
            wanted[info.name] = images
        return wanted
