"""WebDataset tars, repacked: the images as they are, in our shards."""

from __future__ import annotations

import os
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fastinet import _core
from fastinet.conversion.sources.base import Sample, Streamed, Survey, Unreadable
from fastinet.conversion.sources.files import lines_of
from fastinet.conversion.sources.split_files import choose_split, find_files
from fastinet.conversion.sources.synset_tars import SYNSET_TAR
from fastinet.errors import ArgumentError, FormatError, MissingFileError, ShardIOError
from fastinet.format.boxset import BoxSet
from fastinet.format.fields import DEFAULT, Fields, class_of, no_label, wrong_label
from fastinet.format.file_kinds import describe_ignored
from fastinet.format.keys import Distinct
from fastinet.format.limits import MAX_CLASSES
from fastinet.format.manifest import ClassInfo
from fastinet.format.tar_records import (
    IMAGE_EXTENSIONS,
    TarRecord,
    bad_record,
    boxes_of,
    is_image_field,
    is_read,
    label_of,
    label_value,
    records_of,
    split_name,
    tar_order,
)
from fastinet.storage.extent import Extent
from fastinet.storage.files import os_errors
from fastinet.storage.tar_stream import is_gzip, stream_tar

__all__ = ["WebDataset"]

_SUFFIXES = (".tar", ".tar.gz", ".tgz")
_RECOGNISED = (*IMAGE_EXTENSIONS, "cls", "json", "txt")
_KINDS = {
    tarfile.DIRTYPE: "folder",
    tarfile.SYMTYPE: "symbolic link",
    tarfile.LNKTYPE: "hard link",
    tarfile.FIFOTYPE: "FIFO",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
}


class _Entry(NamedTuple):
    """A record: its key, the image's member name, its payload and size, and the bytes of label and json.

    One that cannot be has the reason as payload.
    """

    key: str
    name: str
    payload: Extent | Streamed | Unreadable
    size: int
    fields: Mapping[str, bytes]

    @property
    def sound(self) -> bool:
        """Whether it can be a record."""
        return not isinstance(self.payload, Unreadable)


class WebDataset:
    """A tar, or a folder of ``*.tar``, ``*.tar.gz`` and ``*.tgz``, also in ``data/`` or split folders.

    Records, labels and boxes are those that ``fastinet index`` finds, by the rules of ``tar_records.py``; a
    record that these refuse counts as a bad file. Splits are told by the tars' names
    (``train-000000.tar``, ``imagenet1k-validation-00.tar``) or folders. Classes are the lines of
    ``<split>-classnames.txt`` or ``classnames.txt`` beside the tars; without these the tars are looked
    through once more beforehand: labels that are all numbers are used as they are, otherwise classes are the
    sorted names. Records come in the order of the tars' names and their own, with their keys and JSON.
    Compressed tars are read from front to back; a shard's images are then in memory until it is written.

    Raises:
        MissingFileError: no tars.
        ArgumentError: no such split, no records, or lists of classes that differ.
        FormatError, TruncatedError: a tar is damaged, or what stands in a label's place is none.
    """

    kind = "webdataset"

    def __init__(
        self, path: str | os.PathLike[str], split: str | None = None, fields: Fields = DEFAULT
    ) -> None:
        root = Path(os.path.abspath(path))  # noqa: PTH100 - without following links
        self.location = str(root)
        files = find_files(root, _is_tar)
        if not files:
            raise MissingFileError(f"{root}: no *.tar, *.tar.gz or *.tgz here", path=self.location)
        self._files = choose_split(files, root, split)
        self.splits = tuple(self._files)
        self._fields = fields
        self._surveys: dict[Path, Survey] = {}
        names = _class_names(root, self._files) or ([] if fields.labels_as else None)
        self.classes = tuple(map(ClassInfo, self._learn_classes(files) if names is None else names))
        self._labels = {c.name: label for label, c in enumerate(self.classes)}

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether tars lie there, the first of which begins as WebDataset's do."""
        files = find_files(path, _is_tar)
        if not files or any(SYNSET_TAR.fullmatch(file.name) for file in files):
            return False
        try:
            names = (split_name(member.info.name) for member in stream_tar(files[0]) if member.info.isfile())
            _, field = next(filter(None, names), ("", ""))
        except (FormatError, ShardIOError):
            return path.is_dir()
        return field.rpartition(".")[2] in _RECOGNISED

    def survey(self, split: str) -> Survey:
        """Counts by the members' headers; compressed tars are counted if they had to be looked through."""
        surveys = []
        for file in self._files[split]:
            if file not in self._surveys and not is_gzip(file):
                self._surveys[file] = _look_through(file, self._fields)
            surveys.append(self._surveys.get(file, Survey(None)))
        counts = [survey.records for survey in surveys]
        if not any(n is None or n for n in counts):
            raise ArgumentError(
                f"{self.location}: no records in the {len(counts)} tars of the split {split}",
                path=self.location,
            )
        notes: dict[str, list[str]] = {}
        for survey in surveys:
            for kind, texts in survey.notes.items():
                notes.setdefault(kind, []).extend(texts)
        return Survey(None if None in counts else sum(n for n in counts if n is not None), notes)

    def samples(self, split: str) -> Iterator[Sample]:
        """The records; of a plain tar the places, of a compressed one record, in memory."""
        distinct = Distinct()
        for file in self._files[split]:
            tar, stamp = str(file), file.stat().st_mtime_ns
            for entry in _entries(file, Counter(), self._fields, with_images=True):
                key, origin = distinct(entry.key), f"{file.name}/{entry.name or entry.key}"
                if not entry.sound:
                    yield Sample(key, entry.payload, -1, 0, origin, stamp)
                    continue
                label = label_of(entry.fields, self._labels, tar, entry.key, self._fields)
                if label >= len(self.classes):
                    expected = f"-1 to {len(self.classes) - 1}"
                    raise wrong_label(label, f"{tar}: record {entry.key}: label", tar, expected, entry.key)
                boxes = boxes_of(entry.fields.get("json"), tar, entry.key)
                value = None
                if self._fields.labels_as:
                    value, _ = label_value(entry.fields, tar, entry.key, self._fields)
                yield Sample(
                    key,
                    entry.payload,
                    label,
                    entry.size,
                    origin,
                    stamp,
                    _annotation(entry, tar),
                    boxes and BoxSet(boxes[0], boxes[1], tuple(boxes[2])),
                    value,
                )

    def _learn_classes(self, files: Sequence[Path]) -> list[str]:
        """Looks through all tars, also of splits that are not converted: each gives the same classes."""
        labels = _LabelsSeen()
        for file in files:
            self._surveys[file] = _look_through(file, self._fields, labels)
        return labels.names()


class _LabelsSeen:
    """The labels of records, which have to be all numbers or all names."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._highest = -1

    def add(self, value: object, where: str, tar: str, key: str) -> None:
        """Notes a label. Raises FormatError where it is none, or earlier ones were of the other kind."""
        label = class_of(value)
        if label is None:
            raise no_label(value, where, tar, key)
        if isinstance(label, str):
            if self._highest >= 0:
                raise no_label(value, where, tar, key, "a number, as in earlier records")
            self._names.add(label)
        elif label >= 0:
            if self._names:
                raise no_label(value, where, tar, key, "a name, as in earlier records")
            if label >= MAX_CLASSES:
                raise wrong_label(label, where, tar, f"less than {MAX_CLASSES}", key)
            self._highest = max(self._highest, label)

    def names(self) -> list[str]:
        """Of the classes, by label."""
        return sorted(self._names) if self._names else [str(i) for i in range(self._highest + 1)]


def _look_through(file: Path, fields: Fields, labels: _LabelsSeen | None = None) -> Survey:
    """Counts a tar's records, and notes their labels."""
    records = unlabelled = 0
    ignored: Counter[str] = Counter()
    for entry in _entries(file, ignored, fields, with_images=False):
        records += 1
        if not entry.sound:
            continue
        value, where = label_value(entry.fields, str(file), entry.key, fields)
        if value is None:
            unlabelled += 1
        elif labels is not None and not fields.labels_as:
            labels.add(value, f"{file}: record {entry.key}: label{where}", str(file), entry.key)
    return Survey(
        records,
        {
            "records without a label": [f"{file.name}: {unlabelled}"] if unlabelled else [],
            "members not used": [f"{file.name}: {text}" for text in describe_ignored(ignored)],
        },
    )


def _entries(file: Path, ignored: Counter[str], fields: Fields, with_images: bool) -> Iterator[_Entry]:
    """The records of a tar. `with_images`: read them too, where it can only be read from front to back."""
    if is_gzip(file):
        return _streamed(file, ignored, fields, with_images)
    return _placed(file, ignored, fields)


def _placed(file: Path, ignored: Counter[str], fields: Fields) -> Iterator[_Entry]:
    listed = tar_order(*_core.scan_tar(os.fsencode(file)))
    with os_errors(file), file.open("rb", buffering=0) as opened:
        for record in records_of(listed, ignored, fields):
            if record.image is None:
                yield _bad(file, record)
                continue
            read = {
                field: os.pread(opened.fileno(), size, offset)
                for field, (offset, size) in record.fields.items()
            }
            yield _Entry(record.key, record.name, Extent(str(file), *record.image), record.image[1], read)


def _streamed(file: Path, ignored: Counter[str], fields: Fields, with_images: bool) -> Iterator[_Entry]:
    for record in records_of(_members(file, fields, with_images), ignored, fields):
        if record.image is None:
            yield _bad(file, record)
            continue
        yield _Entry(record.key, record.name, Streamed(record.image), len(record.image), record.fields)


def _bad(file: Path, record: TarRecord[Any]) -> _Entry:
    return _Entry(record.key, record.name, Unreadable(bad_record(str(file), record)), 0, {})


def _members(file: Path, fields: Fields, with_images: bool) -> Iterator[tuple[str, bytes | str]]:
    """Yields name and content of the members of a compressed tar, or kind instead of content if not a file.

    The content is b"" if nobody needs it; images are needed `with_images`.
    """
    for member in stream_tar(file):
        info = member.info
        if not info.isreg() or info.issparse():
            yield info.name, _KINDS.get(info.type, "sparse file")
            continue
        _, field = split_name(info.name) or ("", "")
        wanted = is_read(field, fields) or (with_images and is_image_field(field, fields))
        yield info.name, member.read() if wanted else b""


def _annotation(entry: _Entry, tar: str) -> str:
    try:
        return entry.fields.get("json", b"").decode()
    except UnicodeDecodeError as e:
        raise FormatError(
            f"{tar}: record {entry.key}: .json: expected UTF-8 text, found {e}", path=tar, key=entry.key
        ) from None


def _class_names(root: Path, files: Mapping[str, Iterable[Path]]) -> list[str] | None:
    """From the lists of classes beside the tars or in the folder above; None where there are none."""
    found: dict[Path, list[str]] = {}
    for split, tars in files.items():
        folders = dict.fromkeys((*(tar.parent for tar in tars), root if root.is_dir() else root.parent))
        lists = (
            folder / name for folder in folders for name in (f"{split}-classnames.txt", "classnames.txt")
        )
        path = next((path for path in lists if path.is_file()), None)
        if path is not None:
            found[path] = [line.strip() for _, line in lines_of(path)]
    for path, names in found.items():
        if len(set(names)) != len(names):
            twice = next(name for name, count in Counter(names).items() if count > 1)
            raise FormatError(f"{path}: names the class {twice} twice", path=str(path))
        if names != next(iter(found.values())):
            other = next(iter(found))
            raise ArgumentError(
                f"{path}: other classes than in {other}; convert one split at a time", path=str(path)
            )
    return next(iter(found.values()), None)


def _is_tar(name: str) -> bool:
    return name.lower().endswith(_SUFFIXES)
