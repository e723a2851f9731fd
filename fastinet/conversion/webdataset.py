"""WebDataset tars, repacked: the images as they are, in our shards."""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple, cast

from fastinet import _core
from fastinet.conversion.files import lines_of
from fastinet.conversion.keys import Distinct, kept_key
from fastinet.conversion.source import Extent, Sample, Streamed, Survey
from fastinet.conversion.split_files import choose_split, find_files
from fastinet.conversion.store import os_errors
from fastinet.conversion.synset_tars import SYNSET_TAR, describe_ignored
from fastinet.conversion.tar_records import (
    IMAGE_EXTENSIONS,
    NUMBER,
    boxes_of,
    label_of,
    records_of,
    told_label,
    wrong_label,
)
from fastinet.conversion.voc import BoxSet
from fastinet.errors import ArgumentError, FormatError, MissingFileError, ShardIOError, TruncatedError
from fastinet.manifest import ClassInfo

__all__ = ["WebDataset"]

_SUFFIXES = (".tar", ".tar.gz", ".tgz")
_NEEDED = (*IMAGE_EXTENSIONS, "cls", "json")
_GZIP = b"\x1f\x8b"
_MAX_CLASSES = 1 << 20


class _Entry(NamedTuple):
    """A record: its key, the image's member name, its payload and size, and the bytes of cls and json."""

    key: str
    name: str
    payload: Extent | Streamed | None
    size: int
    fields: Mapping[str, bytes]


class WebDataset:
    """A tar, or a folder of ``*.tar``, ``*.tar.gz`` and ``*.tgz``, also in ``data/`` or split folders.

    Records, labels and boxes are those that ``fastinet index`` finds; splits are told by the tars' names
    (``train-000000.tar``, ``imagenet1k-validation-00.tar``) or folders. Classes are the lines of
    ``<split>-classnames.txt`` or ``classnames.txt`` beside the tars; without these the tars are looked
    through once more beforehand: labels that are all numbers are used as they are, otherwise classes are the
    sorted names. Records come in the order of the tars' names and their own, with their keys and JSON.
    Compressed tars are read from front to back; a shard's images are then in memory until it is written.

    Raises:
        MissingFileError: no tars.
        ArgumentError: no such split, no records, or lists of classes that differ.
        FormatError, TruncatedError: a tar is damaged, or a label cannot be understood.
    """

    kind = "webdataset"

    def __init__(self, path: str | os.PathLike[str], split: str | None = None) -> None:
        root = Path(os.path.abspath(path))  # noqa: PTH100 - without following links
        self.location = str(root)
        files = find_files(root, _is_tar)
        if not files:
            raise MissingFileError(f"{root}: no *.tar, *.tar.gz or *.tgz here", path=self.location)
        self._files = choose_split(files, root, split)
        self.splits = tuple(self._files)
        self._surveys: dict[Path, Survey] = {}
        names = _class_names(root, self._files)
        self.classes = tuple(map(ClassInfo, self._learn_classes(files) if names is None else names))
        self._labels = {c.name: label for label, c in enumerate(self.classes)}

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether tars lie there, the first of which begins as WebDataset's do."""
        files = find_files(path, _is_tar)
        try:
            if not files or any(SYNSET_TAR.fullmatch(file.name) for file in files):
                return False
            with tarfile.open(files[0]) as tar:
                first = next((member.name for member in tar if member.isfile()), "")
        except (tarfile.TarError, OSError, EOFError, zlib.error):
            return bool(files) and path.is_dir()
        return first.rpartition("/")[2].partition(".")[2].lower() in (*_NEEDED, "txt")

    def survey(self, split: str) -> Survey:
        """Counts by the members' headers; compressed tars are counted if they had to be looked through."""
        surveys = []
        for file in self._files[split]:
            if file not in self._surveys and not _is_gzip(file):
                self._surveys[file] = _look_through(file)
            surveys.append(self._surveys.get(file, Survey(None)))
        counts = [survey.records for survey in surveys]
        notes: dict[str, list[str]] = {}
        for survey in surveys:
            for kind, texts in survey.notes.items():
                notes.setdefault(kind, []).extend(texts)
        return Survey(None if None in counts else sum(n for n in counts if n is not None), notes)

    def samples(self, split: str) -> Iterator[Sample]:
        """The records with an image; of a plain tar the places, of a compressed one record, in memory."""
        distinct = Distinct()
        for file in self._files[split]:
            tar, stamp = str(file), file.stat().st_mtime_ns
            for entry in _entries(file, Counter(), with_images=True):
                if entry.payload is None:
                    continue
                label = label_of(entry.fields, self._labels, tar, entry.key)
                if label >= len(self.classes):
                    raise wrong_label(tar, entry.key, f"-1 to {len(self.classes) - 1}", str(label))
                boxes = boxes_of(entry.fields.get("json"), tar, entry.key)
                key, origin = distinct(kept_key(entry.key)), f"{file.name}/{entry.name}"
                yield Sample(
                    key, entry.payload, label, entry.size, origin, stamp, _annotation(entry, tar),
                    boxes and BoxSet(boxes[0], boxes[1], tuple(boxes[2])),
                )  # fmt: skip

    def _learn_classes(self, files: Sequence[Path]) -> list[str]:
        """Looks through all tars, also of splits that are not converted: each gives the same classes."""
        labels = _LabelsSeen()
        for file in files:
            self._surveys[file] = _look_through(file, labels)
        return labels.names()


class _LabelsSeen:
    """The labels of records, which have to be all numbers or all names."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._highest = -1

    def add(self, value: int | str, file: Path, key: str) -> None:
        """Notes a label. Raises FormatError where earlier ones were of the other kind."""
        if isinstance(value, str) and not NUMBER.fullmatch(value):
            if self._highest >= 0:
                raise wrong_label(str(file), key, "a number, as in earlier records", value)
            self._names.add(value)
        elif int(value) >= 0:
            if self._names:
                raise wrong_label(str(file), key, "a name, as in earlier records", str(value))
            if int(value) >= _MAX_CLASSES:
                raise wrong_label(str(file), key, f"less than {_MAX_CLASSES}", str(value))
            self._highest = max(self._highest, int(value))

    def names(self) -> list[str]:
        """Of the classes, by label."""
        return sorted(self._names) if self._names else [str(i) for i in range(self._highest + 1)]


def _look_through(file: Path, labels: _LabelsSeen | None = None) -> Survey:
    """Counts a tar's records, and notes their labels."""
    records = unlabelled = 0
    ignored: Counter[str] = Counter()
    without = []
    for entry in _entries(file, ignored, with_images=False):
        if entry.payload is None:
            without.append(f"{file.name}/{entry.key}")
            continue
        records += 1
        told = told_label(entry.fields, str(file), entry.key)
        if told is None:
            unlabelled += 1
        elif labels is not None:
            labels.add(told[0], file, entry.key)
    return Survey(records, {
        "records without an image": without,
        "records without a label": [f"{file.name}: {unlabelled}"] if unlabelled else [],
        "members not used": [f"{file.name}: {text}" for text in describe_ignored(ignored)],
    })  # fmt: skip


def _entries(file: Path, ignored: Counter[str], with_images: bool) -> Iterator[_Entry]:
    """The records of a tar. `with_images`: read them too, where it can only be read from front to back."""
    if _is_gzip(file):
        return _streamed(file, ignored, with_images)
    return _placed(file, ignored)


def _placed(file: Path, ignored: Counter[str]) -> Iterator[_Entry]:
    members, skipped = _core.scan_tar(os.fsencode(file))
    ignored.update(reason for _, reason in skipped if reason != "folder")
    places = ((name, (offset, size)) for name, offset, size in members)
    with os_errors(file), file.open("rb", buffering=0) as opened:
        for record in records_of(places, ignored):
            fields = {
                extension: os.pread(opened.fileno(), size, offset)
                for extension, (offset, size) in record.fields.items()
            }
            payload = record.image and Extent(str(file), *record.image)
            yield _Entry(record.key, record.name, payload, record.image[1] if record.image else 0, fields)


def _streamed(file: Path, ignored: Counter[str], with_images: bool) -> Iterator[_Entry]:
    for record in records_of(_members(file, ignored, with_images), ignored):
        payload = None if record.image is None else Streamed(record.image)
        size = 0 if record.image is None else len(record.image)
        yield _Entry(record.key, record.name, payload, size, record.fields)


def _members(file: Path, ignored: Counter[str], with_images: bool) -> Iterator[tuple[str, bytes]]:
    """Name and content of the files in a compressed tar; of images b"" unless asked for."""
    place = str(file)
    try:
        with gzip.open(file) as unpacked:
            with tarfile.open(fileobj=cast(IO[bytes], unpacked), mode="r|") as tar:
                for member in tar:
                    tar.members.clear()  # type: ignore[attr-defined]
                    place = f"{file}: member {member.name}"
                    extension = member.name.rpartition(".")[2].lower()
                    wanted = extension in ("cls", "json") or (with_images and extension in _NEEDED)
                    content = tar.extractfile(member) if member.isfile() else None
                    if content is not None:
                        yield member.name, content.read() if wanted else b""
                    elif not member.isdir():
                        ignored["no file"] += 1
            while unpacked.read(1 << 20):  # gzip's checksum is behind the last block
                pass
    except EOFError as e:
        raise TruncatedError(f"{place}: cut short: {e}", path=str(file)) from e
    except (tarfile.TarError, zlib.error, gzip.BadGzipFile) as e:
        raise FormatError(f"{place}: damaged or incomplete: {e}", path=str(file)) from e
    except OSError as e:
        raise ShardIOError(f"{file}: cannot read: {e.strerror or e}", path=str(file), errno=e.errno) from e


def _annotation(entry: _Entry, tar: str) -> str:
    try:
        return entry.fields.get("json", b"").decode()
    except UnicodeDecodeError as e:
        raise FormatError(f"{tar}: record {entry.key}: .json: expected UTF-8 text, found {e}",
                          path=tar, key=entry.key) from None  # fmt: skip


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
            raise ArgumentError(f"{path}: other classes than in {other}; convert one split at a time",
                                path=str(path))  # fmt: skip
    return next(iter(found.values()), None)


def _is_tar(name: str) -> bool:
    return name.lower().endswith(_SUFFIXES)


def _is_gzip(path: Path) -> bool:
    with os_errors(path), path.open("rb") as file:
        return file.read(2) == _GZIP
