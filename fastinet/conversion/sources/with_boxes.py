"""A source with bounding boxes from a folder of PASCAL VOC files beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from fastinet.conversion.sources.base import OPTIONAL, Sample, Source, Survey
from fastinet.conversion.sources.voc import parse_voc
from fastinet.errors import MissingFileError
from fastinet.format.boxset import BoxSet
from fastinet.format.manifest import ClassInfo
from fastinet.storage.files import unreadable

__all__ = ["WithBoxes"]


class WithBoxes:
    """Another source's samples; those with an XML file get its boxes.

    The file of ``n01440764/n01440764_18.JPEG`` in the split ``train`` is the first of
    ``train/n01440764/n01440764_18.xml``, ``n01440764/n01440764_18.xml`` and ``n01440764_18.xml`` below
    `folder`; for images in archives, their key takes the place of their path. Nothing is listed, so that a
    million files take no memory.
    """

    def __init__(self, source: Source, folder: str | os.PathLike[str]) -> None:
        self._source = source
        self._folder = os.fspath(folder)
        if not os.path.isdir(self._folder):  # noqa: PTH112 - one of many string paths here
            raise MissingFileError(f"{self._folder}: no folder of bounding boxes here", path=self._folder)
        self.kind = source.kind
        self.location = source.location
        for name in OPTIONAL:
            if hasattr(source, name):
                setattr(self, name, getattr(source, name))
        self._labels = {c.name: label for label, c in enumerate(source.classes)}

    @property
    def classes(self) -> Sequence[ClassInfo]:
        """The source's."""
        return self._source.classes

    @property
    def splits(self) -> Sequence[str]:
        """The source's."""
        return self._source.splits

    def survey(self, split: str) -> Survey:
        """The source's."""
        return self._source.survey(split)

    def samples(self, split: str) -> Iterator[Sample]:
        """The source's, with boxes."""
        for sample in self._source.samples(split):
            yield (sample if sample.boxes is not None else sample._replace(boxes=self._find(split, sample)))

    def _find(self, split: str, sample: Sample) -> BoxSet | None:
        path = PurePosixPath(sample.origin).with_suffix(".xml")
        key = f"{sample.key}.xml"
        for candidate in dict.fromkeys((f"{split}/{path}", f"{path}", f"{split}/{key}", key, path.name)):
            try:
                with open(f"{self._folder}/{candidate}", "rb") as file:  # noqa: PTH123
                    return parse_voc(file.read(), self._labels, candidate)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as e:
                raise unreadable(f"{self._folder}/{candidate}", e) from None
        return None
