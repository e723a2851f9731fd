"""ILSVRC-2012 as Kaggle's "ImageNet Object Localization Challenge" distributes it (CLS-LOC)."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fastinet.conversion.sources.base import Sample, Survey
from fastinet.conversion.sources.files import (
    boxes_of_rows,
    existing_folder,
    file_sample,
    images_in,
    lines_of,
    wrong_line,
)
from fastinet.conversion.sources.folders import look
from fastinet.conversion.sources.voc import parse_voc
from fastinet.errors import ArgumentError, MissingFileError
from fastinet.format.boxset import BoxSet
from fastinet.format.keys import KeyMaker, same_but_for_case
from fastinet.format.manifest import ClassInfo
from fastinet.imagenet.wordnet import split_words
from fastinet.storage.files import unreadable

__all__ = ["Kaggle"]

_SPLITS = ("train", "val", "test")
_IMAGE_SETS = {"train": "train_cls.txt", "val": "val.txt", "test": "test.txt"}


class Kaggle:
    """``ILSVRC/{Data,Annotations,ImageSets}/CLS-LOC`` with the ``LOC_*`` files beside it.

    The path may be that of the folder around ``ILSVRC``, or of ``ILSVRC``, ``Data`` or ``Data/CLS-LOC``.
    Classes are those of ``LOC_synset_mapping.txt``, sorted by WNID, or else the folders of ``train``. Images
    come by class and file name; those of ``val`` and ``test``, which have no class folders, by file name.
    Labels of ``val`` are those of ``LOC_val_solution.csv``; ``test`` has none. Boxes are those of
    ``Annotations``; without that folder, those of ``LOC_*_solution.csv``, in pixels of the image.

    Raises:
        MissingFileError: no such folder, or the labels of ``val`` are missing.
        FormatError: a line of the text files is not what it should be.
        ArgumentError: there is no such split.
    """

    kind = "kaggle"

    def __init__(self, root: str | os.PathLike[str], split: str | None = None) -> None:
        path = existing_folder(root, "the folder of Kaggle's ILSVRC")
        self.location = str(path)
        base = _base(path)
        if base is None:
            raise MissingFileError(f"{path}: no ILSVRC/Data/CLS-LOC here", path=self.location)
        self._data = base / "Data" / "CLS-LOC"
        self._annotations = base / "Annotations" / "CLS-LOC"
        self._image_sets = base / "ImageSets" / "CLS-LOC"
        self._places = (path, base, base.parent)  # of the LOC files
        self.classes = self._find_classes()
        self._labels = {c.name: label for label, c in enumerate(self.classes)}
        there = [name for name in _SPLITS if (self._data / name).is_dir()]
        self.splits = tuple(name for name in there if split in (None, name))
        if not self.splits:
            what = "no split" if split is None else f"no split {split!r}"
            raise ArgumentError(f"{self._data}: {what} here, only: {', '.join(there)}", path=self.location)
        if "val" in self.splits and self._find("LOC_val_solution.csv") is None:
            raise MissingFileError(
                f"{self.location}: LOC_val_solution.csv is missing: the images of val have no labels without "
                "it; give it, or convert another split alone: --split train",
                path=self.location,
            )

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether Kaggle's folders lie there."""
        return _base(path) is not None

    def survey(self, split: str) -> Survey:
        """Counts the images of a split, and compares with what ``ImageSets`` lists."""
        folder = self._data / split
        notes: dict[str, list[str]] = {}
        if split == "train":
            alike: list[str] = []
            records = 0
            for name in self._labels:
                images = images_in(folder / name)
                records += len(images)
                alike += same_but_for_case(f"{name}/{image}" for image in images)
            here = look(str(folder))
            strange = [name for name in here.folders if name not in self._labels]
            notes["folders that are no class"] = strange + here.noise
        else:
            images = images_in(folder)
            records = len(images)
            alike = same_but_for_case(images)
        notes["names that differ only in case"] = alike
        listing = self._image_sets / _IMAGE_SETS[split]
        if listing.is_file():
            with listing.open("rb") as file:
                listed = sum(1 for line in file if line.strip())
            if listed != records:
                notes["differences from ImageSets"] = [f"{listing.name} lists {listed}, found {records}"]
        return Survey(records, notes)

    def samples(self, split: str) -> Iterator[Sample]:
        """The images of a split, one class in memory at a time."""
        folder = self._data / split
        has_xml = (self._annotations / split).is_dir()
        if split == "train":
            solution = {} if has_xml else self._solution(split)
            keys = KeyMaker(self._labels)
            for name, label in self._labels.items():
                make_key = keys.for_folder(name)
                for image in images_in(folder / name):
                    origin = f"{name}/{image}"
                    boxes = self._boxes(split, origin, has_xml, solution)
                    yield file_sample(f"{folder}/{origin}", make_key(image), label, origin, boxes)
            return
        solution = self._solution(split)
        make_key = KeyMaker(()).for_folder("")
        for image in images_in(folder):
            label = self._label(image, solution) if split == "val" else -1
            boxes = self._boxes(split, image, has_xml, solution)
            yield file_sample(f"{folder}/{image}", make_key(image), label, image, boxes)

    def _find_classes(self) -> tuple[ClassInfo, ...]:
        mapping = self._find("LOC_synset_mapping.txt")
        if mapping is None:
            train = self._data / "train"
            folders = look(str(train)).folders if train.is_dir() else []
            names = [name for name in folders if not name.startswith(".")]
            if not names:
                raise MissingFileError(
                    f"{self.location}: neither LOC_synset_mapping.txt nor class folders in {train}",
                    path=self.location,
                )
            return tuple(ClassInfo(name) for name in names)
        words: dict[str, tuple[str, ...]] = {}
        for number, line in lines_of(mapping):
            name, blank, text = line.partition(" ")
            if not blank or name in words:
                raise wrong_line(mapping, number, "a WNID, new, and words", line)
            words[name] = split_words(text)
        return tuple(ClassInfo(name, words[name]) for name in sorted(words))

    def _find(self, name: str) -> Path | None:
        return next((place / name for place in self._places if (place / name).is_file()), None)

    def _solution(self, split: str) -> dict[str, Sequence[str]]:
        """(class, xmin, ymin, xmax, ymax) in a row for each object, by image; empty without the file."""
        path = self._find(f"LOC_{split}_solution.csv")
        if path is None:
            return {}
        found: dict[str, Sequence[str]] = {}
        rows = csv.reader(line for _, line in lines_of(path))
        for number, row in enumerate(rows, 1):
            if number == 1 and row == ["ImageId", "PredictionString"]:
                continue
            fields = row[1].split() if len(row) == 2 else []
            if not fields or fields[0] not in self._labels or (len(fields) > 1 and len(fields) % 5):
                expected = "an image, and a class with four numbers for each object"
                raise wrong_line(path, number, expected, ",".join(row))
            found[row[0]] = fields
        return found

    def _label(self, image: str, solution: Mapping[str, Sequence[str]]) -> int:
        fields = solution.get(image.rpartition(".")[0])
        if fields is None:
            raise wrong_line("LOC_val_solution.csv", len(solution), f"a line for {image}", "none")
        return self._labels[fields[0]]

    def _boxes(
        self, split: str, origin: str, has_xml: bool, solution: Mapping[str, Sequence[str]]
    ) -> BoxSet | None:
        stem = origin.rpartition(".")[0]
        if not has_xml:
            fields = solution.get(stem.rpartition("/")[2], ())
            objects = [fields[i : i + 5] for i in range(0, len(fields), 5)] if len(fields) > 1 else []
            try:
                rows = [(name, (int(a), int(b), int(c), int(d))) for name, a, b, c, d in objects]
            except ValueError:
                text = " ".join(fields)
                raise wrong_line(f"LOC_{split}_solution.csv", 0, f"whole numbers for {stem}", text) from None
            return boxes_of_rows(rows, self._labels, origin)
        path = f"{self._annotations}/{split}/{stem}.xml"
        try:
            with open(path, "rb") as file:  # noqa: PTH123 - half a million times
                return parse_voc(file.read(), self._labels, f"{stem}.xml")
        except FileNotFoundError:
            return None
        except OSError as e:
            raise unreadable(path, e) from None


def _base(path: Path) -> Path | None:
    """The folder ``ILSVRC`` that `path` is, holds or lies in; None: there is none."""
    candidates = [path / "ILSVRC", path]
    if path.name == "Data":
        candidates.append(path.parent)
    elif path.name == "CLS-LOC" and path.parent.name == "Data":
        candidates.append(path.parent.parent)
    return next((base for base in candidates if (base / "Data" / "CLS-LOC").is_dir()), None)
