"""TFRecord files of ImageNet, as TensorFlow Datasets and as TensorFlow's earlier scripts write them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastinet import _core
from fastinet.conversion.sources.base import Sample, Survey, Unreadable
from fastinet.conversion.sources.split_files import choose_split, find_files
from fastinet.conversion.sources.tf_example import Example, parse_example
from fastinet.conversion.sources.tfrecord_file import (
    RawRecord,
    count_records,
    looks_like_tfrecord,
    read_records,
)
from fastinet.conversion.sources.tfrecord_labels import Labels, wnid_of_file
from fastinet.errors import ArgumentError, FormatError, MissingFileError, TruncatedError
from fastinet.format.boxset import Box, BoxSet, clip_box
from fastinet.format.fields import DEFAULT, Fields
from fastinet.format.keys import KeyMaker, inside
from fastinet.format.limits import MAX_SIDE
from fastinet.storage.extent import Extent

__all__ = ["TFRecord"]

_NAME = re.compile(r".+\.tfrec(ords?)?(-\d+-of-\d+)?")
_BARE_NAME = re.compile(r".+-\d+-of-\d+")  # the earlier scripts' files have no extension
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_INFO = "dataset_info.json"
_EDGES = tuple(f"image/object/bbox/{edge}" for edge in ("xmin", "ymin", "xmax", "ymax"))
_BOX_LABEL = "image/object/bbox/label"


class _Layout(NamedTuple):
    """Names of the features, the number of the first class, and the files that name the classes in order."""

    image: str
    label: str
    file_name: str
    synset: str
    first: int
    lists: tuple[str, ...]
    label_chosen: bool = False  # its numbers are those of no list or synset that we know


_TFDS = _Layout("image", "label", "file_name", "", 0, ("label.labels.txt",))
_SCRIPTS = _Layout(
    "image/encoded",
    "image/class/label",
    "image/filename",
    "image/class/synset",
    1,
    ("imagenet_lsvrc_2015_synsets.txt", "synsets.txt"),
)


class TFRecord:
    """TFRecord files, or a folder of them (also in ``data/``, split folders, or one version's folder).

    - TensorFlow Datasets: ``imagenet2012-train.tfrecord-00000-of-01024`` with the features ``image``,
      ``label`` (from 0, -1 for none) and ``file_name``; classes are those of ``label.labels.txt``.
    - ``build_imagenet_data.py``, ``imagenet_to_gcs.py``: ``train-00000-of-01024`` with ``image/encoded``,
      ``image/class/label`` (from 1), ``image/class/synset``, ``image/filename`` and relative boxes in
      ``image/object/bbox/*``; classes are those of ``imagenet_lsvrc_2015_synsets.txt`` or ``synsets.txt``
      beside.

    Both write the few images of ImageNet that are PNG or CMYK anew, as RGB JPEG files.

    Features of other names can be chosen; a label's numbers are then used as they are, from 0.

    Classes named by WNID are sorted, however the files number them; see ``tfrecord_labels.py``. Without a
    list of the classes, the files are read through once more beforehand. Images come in the order of file
    names and records, and are read from where they lie; a key is the name of the image file, in the folder of
    its WNID where the name begins with one. Every checksum is compared; a record whose data have a wrong one
    counts as a bad file.

    Raises:
        MissingFileError: no such files, or some of a split are missing.
        FormatError, TruncatedError: a file is damaged, or its labels contradict each other.
        ArgumentError: no such split, several versions, no records, or other features.
        UnsupportedError: google-crc32c or protobuf is not installed; a compressed file.
    """

    kind = "tfrecord"

    def __init__(
        self, path: str | os.PathLike[str], split: str | None = None, fields: Fields = DEFAULT
    ) -> None:
        root = _version_folder(Path(os.path.abspath(path)))  # noqa: PTH100 - without following links
        self.location = str(root)
        files = find_files(root, _is_name)
        if not files:
            raise MissingFileError(f"{root}: no TFRecord files here", path=self.location)
        self._files = choose_split(files, root, split)
        self.splits = tuple(self._files)
        self._folder = files[0].parent
        self._layout = _layout_of(files, fields)
        self._labels_as = bool(fields.labels_as)
        self._told = _shard_lengths(self._folder / _INFO)
        self._counts: dict[Path, int] = {}
        places = (
            folder / name for name in self._layout.lists for folder in (self._folder, self._folder.parent)
        )
        listing = next((place for place in places if place.is_file()), None)
        self._labels = Labels(self._layout.first)
        if listing is not None:
            self._labels.read_list(listing)
        elif not fields.labels_as:
            self._learn_classes(files)
        self.classes = self._labels.classes

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether TFRecord files lie there."""
        try:
            files = find_files(_version_folder(path), _is_name)
        except ArgumentError:
            return True
        return bool(files) and (_NAME.fullmatch(files[0].name) is not None or looks_like_tfrecord(files[0]))

    def survey(self, split: str) -> Survey:
        """The number of records: as told by ``dataset_info.json``, else by the lengths of the records."""
        notes = self._labels.notes
        told = self._told_lengths(split)
        if told is not None:
            return Survey(sum(told), notes)
        for file in self._files[split]:
            if file not in self._counts:
                self._counts[file] = count_records(file)
        return Survey(sum(self._counts[file] for file in self._files[split]), notes)

    def samples(self, split: str) -> Iterator[Sample]:
        """The records, one in memory at a time."""
        make_key = KeyMaker(()).for_folder("")
        lengths = self._told_lengths(split)
        total = 0
        for place, file in enumerate(self._files[split]):
            stamp, count = file.stat().st_mtime_ns, 0
            for record in read_records(file):
                yield self._sample(file, record, f"{total:08d}.", make_key, stamp)
                total, count = total + 1, count + 1
            if lengths is not None and count != lengths[place]:
                kind = TruncatedError if count < lengths[place] else FormatError
                raise kind(
                    f"{file}: expected {lengths[place]} records, as {_INFO} says, found {count}",
                    path=str(file),
                    expected=str(lengths[place]),
                    found=str(count),
                )

    def _sample(self, file: Path, record: RawRecord, nameless: str, make_key: Any, stamp: int) -> Sample:
        where = f"{file.name}/{record.number}"
        if record.error is not None:
            return Sample(make_key(nameless), Unreadable(record.error), -1, 0, f"{where}/{nameless}", stamp)
        layout, example = self._layout, parse_example(file, record)
        name = inside(example.text(layout.file_name)) or nameless
        wnid = wnid_of_file(name)
        key = make_key(name if wnid is None or "/" in name else f"{wnid}/{name}")
        origin = f"{where}/{name}"
        value = number = label = None
        if self._labels_as:
            value, label = example.values(layout.label), -1
        else:
            number = example.label(layout.label)
            told_name = "" if layout.label_chosen else name
            label = self._labels.label_of(number, example.text(layout.synset), told_name, example)
        image = example.value(layout.image)
        if not image:
            error = example.error(f"feature {layout.image}", "an image", "nothing")
            return Sample(key, Unreadable(error), label, 0, origin, stamp, value=value)
        extent = Extent(str(file), example.place_of(image), len(image))
        boxes = self._boxes(example, image, number, label, where)
        return Sample(key, extent, label, len(image), origin, stamp, boxes=boxes, value=value)

    def _boxes(
        self, example: Example, image: bytes, number: int | None, label: int, where: str
    ) -> BoxSet | None:
        """The boxes in pixels of the size that the record gives, or else of the image."""
        edges = [example.floats(name) for name in _EDGES]
        numbers = example.numbers(_BOX_LABEL)
        if not any(edges):
            return None
        counts = {*map(len, edges), len(numbers or edges[0])}
        if len(counts) > 1:
            error = str(example.error("image/object/bbox", "lists of one length", str(sorted(counts))))
            return BoxSet(0, 0, (), (error,), error)
        width, height = (example.number(f"image/{side}") or 0 for side in ("width", "height"))
        if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
            try:
                height, width = _core.image_size(np.frombuffer(image, np.uint8), False)
            except ValueError:
                return None  # no image: that is the record's error
        boxes: list[Box] = []
        problems: list[str] = []
        for i, relative in enumerate(zip(*edges, strict=True)):
            object_ = f"{where}: object {i + 1}"
            if not all(abs(edge) < 1 << 10 for edge in relative):
                problems.append(f"{object_}: dropped: {relative} are no shares of the image's sides")
                continue
            xmin, ymin, xmax, ymax = relative
            pixels = (round(xmin * width), round(ymin * height), round(xmax * width), round(ymax * height))
            problem, clipped = clip_box(pixels, width, height)
            if problem:
                problems.append(f"{object_}: {problem}")
            if clipped is None:
                continue
            own = label if not numbers or numbers[i] == number else self._labels.by_number.get(numbers[i], -1)
            if own < 0:
                problems.append(f"{object_}: kept without label: the dataset has no class of that number")
            boxes.append((own, *clipped, 0))
        return BoxSet(width, height, tuple(boxes), tuple(problems))

    def _learn_classes(self, files: Sequence[Path]) -> None:
        """Reads all files, also of splits that are not converted: each split gives the same classes."""
        layout = self._layout
        for file in files:
            count = 0
            for record in read_records(file):
                count += 1
                if record.error is None:
                    example = parse_example(file, record)
                    number, synset = example.label(layout.label), example.text(layout.synset)
                    name = "" if layout.label_chosen else example.text(layout.file_name)
                    self._labels.learn(number, synset, name, example)
            self._counts[file] = count
        self._labels.settle(self.location)

    def _told_lengths(self, split: str) -> list[int] | None:
        """Records of each file of a split, by ``dataset_info.json``; None where it tells nothing of them."""
        lengths = self._told.get(split)
        files = self._files[split]
        return lengths if lengths and len(lengths) == len(files) and files[0].parent == self._folder else None


def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None or _BARE_NAME.fullmatch(name) is not None


def _version_folder(path: Path) -> Path:
    """The only folder "5.1.0" and the like in `path`; `path` itself where there is none."""
    if not path.is_dir() or find_files(path, _is_name):
        return path
    versions = sorted(
        p.name for p in path.iterdir() if _VERSION.fullmatch(p.name) and find_files(p, _is_name)
    )
    if len(versions) > 1:
        raise ArgumentError(
            f"{path}: holds versions {', '.join(versions)}; name one: {path / versions[-1]}", path=str(path)
        )
    return path / versions[0] if versions else path


def _layout_of(files: Sequence[Path], fields: Fields) -> _Layout:
    """By the first record that there is, and as chosen."""
    for file in files:
        for record in read_records(file):
            if record.error is not None:
                continue
            names = parse_example(file, record).names
            wanted = fields.image or (_SCRIPTS.image, _TFDS.image)
            image = next((name for name in wanted if name in names), None)
            label = next((name for name in fields.label if name in names), None)
            if image is None or (fields.label and label is None):
                missing = " or ".join(sorted(wanted if image is None else fields.label))
                raise ArgumentError(
                    f"{file}: expected a feature {missing}, found: {', '.join(names) or 'none'}; choose with "
                    "--image-field NAME and --label-field NAME",
                    path=str(file),
                )
            layout = _SCRIPTS if {_SCRIPTS.image, _SCRIPTS.label} & set(names) else _TFDS
            layout = layout._replace(image=image)
            if label is None:
                return layout
            return layout._replace(label=label, label_chosen=True, synset="", first=0, lists=())
    raise ArgumentError(
        f"{files[0].parent}: no records in its {len(files)} TFRecord files", path=str(files[0].parent)
    )


def _shard_lengths(path: Path) -> dict[str, list[int]]:
    """Records by split and file, from ``dataset_info.json`` of TensorFlow Datasets; empty where absent."""
    if not path.is_file():
        return {}
    try:
        told = json.loads(path.read_bytes())
        return {
            split["name"]: [int(length) for length in split.get("shardLengths", ())]
            for split in told.get("splits", ())
        }
    except (ValueError, TypeError, KeyError, AttributeError) as e:
        raise FormatError(
            f"{path}: not the description of a dataset of TensorFlow Datasets: {e!r}", path=str(path)
        ) from None
