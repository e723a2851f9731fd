"""Tiny ImageNet (``tiny-imagenet-200``) as distributed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from fastinet.conversion.sources.base import Sample, Survey
from fastinet.conversion.sources.files import (
    Edges,
    boxes_of_rows,
    existing_folder,
    file_sample,
    images_in,
    lines_of,
    wrong_line,
)
from fastinet.conversion.sources.folders import look
from fastinet.errors import ArgumentError
from fastinet.format.keys import KeyMaker
from fastinet.format.manifest import ClassInfo

__all__ = ["TinyImageNet"]


class TinyImageNet:
    """``wnids.txt``, ``words.txt``, ``train/<wnid>/{images,<wnid>_boxes.txt}``, ``val`` and ``test``.

    Classes are the sorted WNIDs; the place in ``wnids.txt``, which is in another order, is kept as the
    detail ``wnids_txt_index``. Images come by class and file name, in ``val`` and ``test`` by file name;
    each has the box that the text files give it, in pixels of the image. ``test`` has no labels.

    Raises:
        MissingFileError: no such folder, or no ``wnids.txt`` or annotations in it.
        FormatError: a line of the text files is not what it should be.
    """

    kind = "tiny-imagenet"

    def __init__(self, root: str | os.PathLike[str], split: str | None = None) -> None:
        self._root = existing_folder(root, "the folder of Tiny ImageNet")
        self.location = str(self._root)
        listed = [line.strip() for _, line in lines_of(self._root / "wnids.txt")]
        if len(set(listed)) != len(listed):
            raise ArgumentError(f"{self._root / 'wnids.txt'}: a WNID is there twice", path=self.location)
        self.classes = tuple(
            ClassInfo(name, details={"wnids_txt_index": listed.index(name)}) for name in sorted(listed)
        )
        self._labels = {c.name: label for label, c in enumerate(self.classes)}
        there = [name for name in ("train", "val", "test") if (self._root / name).is_dir()]
        self.splits = tuple(name for name in there if split in (None, name))
        if not self.splits:
            what = "no split" if split is None else f"no split {split!r}"
            raise ArgumentError(
                f"{self._root}: {what} here, only: {', '.join(there) or 'none'}", path=self.location
            )

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether Tiny ImageNet lies there."""
        return (path / "wnids.txt").is_file() and (
            (path / "val" / "val_annotations.txt").is_file() or (path / "train").is_dir()
        )

    def survey(self, split: str) -> Survey:
        """Counts the images of a split."""
        folder = self._root / split
        notes: dict[str, list[str]] = {}
        if split == "train":
            records = sum(len(images_in(folder / c.name / "images")) for c in self.classes)
            here = look(str(folder))
            notes["folders that are no class"] = [
                *(name for name in here.folders if name not in self._labels),
                *here.noise,
            ]
        else:
            records = len(images_in(folder / "images"))
        if not records:
            inside = "<wnid>/images" if split == "train" else "images"
            raise ArgumentError(
                f"{folder}: no images in {inside}, where Tiny ImageNet has them; where they were sorted into "
                "class folders, --source imagefolder converts them",
                path=str(folder),
            )
        return Survey(records, notes)

    def samples(self, split: str) -> Iterator[Sample]:
        """The images of a split, one class's annotations in memory at a time."""
        folder = self._root / split
        if split == "train":
            keys = KeyMaker(self._labels)
            for name, label in self._labels.items():
                listing = folder / name / f"{name}_boxes.txt"
                rows = _boxes(listing) if listing.is_file() else {}
                make_key = keys.for_folder(name)
                for image in images_in(folder / name / "images"):
                    boxes = boxes_of_rows([(name, rows[image])] if image in rows else [], self._labels, image)
                    origin = f"{name}/images/{image}"
                    key = make_key(f"images/{image}")
                    yield file_sample(f"{folder}/{origin}", key, label, origin, boxes)
            return
        listing = folder / "val_annotations.txt"
        told = _annotations(listing, self._labels) if split == "val" else {}
        make_key = KeyMaker(()).for_folder("")
        for image in images_in(folder / "images"):
            origin = f"images/{image}"
            label, boxes = -1, None
            if split == "val":
                if image not in told:
                    raise wrong_line(listing, len(told), f"a line for {image}", "none")
                name, edges = told[image]
                label, boxes = self._labels[name], boxes_of_rows([(name, edges)], self._labels, image)
            yield file_sample(f"{folder}/{origin}", make_key(origin), label, origin, boxes)


def _boxes(path: Path) -> dict[str, Edges]:
    """Box by image, from ``n01443537_0.JPEG<tab>xmin<tab>ymin<tab>xmax<tab>ymax``."""
    found = {}
    for number, line in lines_of(path):
        name, *numbers = line.split("\t")
        found[name.strip()] = _edges(path, number, line, numbers)
    return found


def _annotations(path: Path, labels: Mapping[str, int]) -> dict[str, tuple[str, Edges]]:
    """Class and box by image, from ``val_0.JPEG<tab>wnid<tab>xmin<tab>ymin<tab>xmax<tab>ymax``."""
    found = {}
    for number, line in lines_of(path):
        name, wnid, *numbers = line.split("\t") if "\t" in line else (line, "")
        if wnid not in labels:
            raise wrong_line(path, number, "an image, a WNID of wnids.txt and four numbers", line)
        found[name.strip()] = wnid, _edges(path, number, line, numbers)
    return found


def _edges(path: Path, number: int, line: str, texts: list[str]) -> Edges:
    try:
        xmin, ymin, xmax, ymax = (int(text) for text in texts)
    except ValueError:
        raise wrong_line(path, number, "xmin, ymin, xmax and ymax behind tabs", line) from None
    return xmin, ymin, xmax, ymax
