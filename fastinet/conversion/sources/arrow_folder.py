"""Folders that ``save_to_disk`` of Hugging Face datasets wrote, with images in Arrow files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from fastinet.conversion.sources.base import Sample, Survey, Unreadable
from fastinet.conversion.sources.image_table import (
    annotation_of,
    boxes_of,
    class_names,
    find_columns,
    json_value,
    label_of,
)
from fastinet.errors import ArgumentError, FormatError, MissingFileError, UnsupportedError
from fastinet.format.fields import DEFAULT, Fields, class_of, no_label, wrong_label
from fastinet.format.json_files import member, read_json, wrong
from fastinet.format.keys import KeyMaker, inside
from fastinet.format.limits import MAX_CLASSES
from fastinet.format.manifest import ClassInfo
from fastinet.storage.extent import Extent
from fastinet.storage.files import unreadable

__all__ = ["ArrowFolder"]

_SPLITS = "dataset_dict.json"  # of a DatasetDict
_STATE = "state.json"  # of a Dataset


class ArrowFolder:
    """The folder of a saved ``Dataset``, or of a saved ``DatasetDict`` with a subfolder for each split.

    Columns are those of the Parquet source. Classes are the names that Hugging Face's metadata gives the
    label, else the sorted names, else the numbers found. Images come in the order of the rows. A key is the
    row's path without extension, or the row's number. Images are read from where they lie in the files.

    Raises:
        MissingFileError: there is no such folder, or a file that it lists is missing.
        FormatError: there are no such columns, a label is not a class, or a file is damaged.
        ArgumentError: there is no such split, or it has no rows.
        UnsupportedError: PyArrow is not installed, or the files are compressed.
    """

    kind = "arrow"

    def __init__(
        self, path: str | os.PathLike[str], split: str | None = None, fields: Fields = DEFAULT
    ) -> None:
        root = Path(os.path.abspath(path))  # noqa: PTH100 - without following links
        self.location = str(root)
        files = _files_by_split(root, split)
        self._files = {name: found for name, found in files.items() if split in (None, name)}
        if not self._files:
            raise ArgumentError(
                f"{root}: no split {split!r} here, only: {', '.join(files)}", path=self.location
            )
        self.splits = tuple(self._files)
        self._fields = fields
        first = next((file for found in files.values() for file in found), None)
        if first is None:
            raise ArgumentError(f"{root}: has no Arrow files", path=self.location)
        schema = _open(first)[0].schema
        self._columns = find_columns(schema, first, fields)
        names = class_names(schema, self._columns.label, first)
        if names is None and (fields.labels_as or not self._columns.label):
            names = []
        every_file = [file for found in files.values() for file in found]
        self.classes = tuple(map(ClassInfo, self._learn_classes(every_file) if names is None else names))
        self._labels = {c.name: label for label, c in enumerate(self.classes)}

    @staticmethod
    def recognises(path: Path) -> bool:
        """Returns whether `path` is a saved Dataset or DatasetDict."""
        return any((path / name).is_file() for name in (_SPLITS, _STATE))

    def survey(self, split: str) -> Survey:
        """Counts the rows of a split by the headers of its batches."""
        return Survey(sum(batch.num_rows for file in self._files[split] for batch, _ in _batches(file)))

    def samples(self, split: str) -> Iterator[Sample]:
        """Yields the rows of a split. What describes one row is in memory at a time."""
        make_key = KeyMaker(()).for_folder("")
        number = 0
        for file in self._files[split]:
            stamp = file.stat().st_mtime_ns
            for batch, base in _batches(file):
                if find_columns(batch.schema, file, self._fields) != self._columns:
                    raise FormatError(f"{file}: has other columns than the first file", path=str(file))
                image = batch.column(self._columns.image)
                data = image.field("bytes") if self._columns.in_struct else image
                extents = _extents(file, data, base)
                for row in range(batch.num_rows):
                    exists = image[row].is_valid and data[row].is_valid
                    extent = extents[row] if exists else None
                    yield self._sample(file, batch, row, extent, number, stamp, make_key)
                    number += 1

    def _sample(
        self,
        file: Path,
        batch: Any,
        row: int,
        extent: Extent | None,
        number: int,
        stamp: int,
        make_key: Any,
    ) -> Sample:
        columns, where = self._columns, f"{file}: row {number}"
        path = batch.column(columns.image).field("path")[row].as_py() if columns.path else None
        missing = FormatError(f"{where}: no bytes of an image", path=str(file))
        value = batch.column(columns.label)[row].as_py() if columns.label else None
        label = -1
        if not self._fields.labels_as:
            label = label_of(value, self._labels, f"{where}: {columns.label}", file)
        boxes = batch.column(columns.boxes)[row].as_py() if columns.boxes else None
        annotation = batch.column(columns.annotation)[row].as_py() if columns.annotation else None
        name = inside(path or "") or f"{number:08d}."
        return Sample(
            make_key(name),
            Unreadable(missing) if extent is None else extent,
            label,
            0 if extent is None else extent.length,
            f"{file.name}/{number}/{name}",
            stamp,
            annotation_of(annotation, where, file),
            boxes_of(boxes, where, file),
            json_value(value) if self._fields.labels_as else None,
        )

    def _learn_classes(self, files: list[Path]) -> list[str]:
        """Returns the classes of the labels found, also in splits that are not converted."""
        names: set[str] = set()
        highest, column = -1, self._columns.label
        for file in files:
            for batch, _ in _batches(file):
                for value in batch.column(column).to_pylist():
                    label = class_of(value)
                    if label is None:
                        raise no_label(value, f"{file}: {column}", str(file))
                    if isinstance(label, str):
                        names.add(label)
                    else:
                        highest = max(highest, label)
        if names and highest >= 0:
            raise no_label(highest, f"{self.location}: {column}", self.location, "", "only names of classes")
        if highest >= MAX_CLASSES:
            expected = f"less than {MAX_CLASSES}"
            raise wrong_label(highest, f"{self.location}: {column}", self.location, expected)
        return sorted(names) if names else [str(i) for i in range(highest + 1)]


def _files_by_split(root: Path, split: str | None) -> dict[str, list[Path]]:
    """Returns the Arrow files of each split, in order."""
    listing = root / _SPLITS
    if not listing.is_file():
        return {split or _own_split(root): _files_of(root)}
    names = member(read_json(listing), "splits", list, str(listing))
    for name in names:
        if type(name) is not str or not name.isidentifier() or not name.isascii():
            raise wrong(FormatError, str(listing), "splits", "names of splits", name)
    return {name: _files_of(root / name) for name in names}


def _own_split(root: Path) -> str:
    name = read_json(root / _STATE).get("_split")
    return name if isinstance(name, str) and name.isidentifier() and name.isascii() else "train"


def _files_of(folder: Path) -> list[Path]:
    state = folder / _STATE
    files = []
    for row in member(read_json(state), "_data_files", list, str(state)):
        name = member(row, "filename", str, str(state), "_data_files")
        if "/" in name or "\0" in name:
            raise wrong(FormatError, str(state), "_data_files", "names of files of this folder", name)
        files.append(folder / name)
    return files


def _extents(file: Path, values: Any, base: int) -> list[Extent]:
    """Returns where the values of a binary array lie in the file, which is mapped at `base`."""
    _, offsets, data = values.buffers()
    if data is None:  # no value has any bytes
        return [Extent(str(file), 0, 0)] * len(values)
    start = data.address - base
    if not 0 <= start <= file.stat().st_size - data.size:
        raise UnsupportedError(
            f"{file}: compressed; save the dataset without compression, or as Parquet", path=str(file)
        )
    wide = str(values.type).startswith("large_")
    ends = np.frombuffer(offsets, np.int64 if wide else np.int32)[values.offset :][: len(values) + 1].tolist()
    return [Extent(str(file), start + begin, end - begin) for begin, end in pairwise(ends)]


def _batches(file: Path) -> Iterator[tuple[Any, int]]:
    """Yields the record batches of a file, validated, with the address at which the file is mapped."""
    reader, base = _open(file)
    while True:
        with _named_errors(file):
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
            batch.validate(full=True)
        yield batch, base


def _open(file: Path) -> tuple[Any, int]:
    """Returns a reader of the file's Arrow stream, and the address at which the file is mapped."""
    try:
        import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise UnsupportedError(
            f"{file}: reading Arrow files needs PyArrow; install it with: pip install 'fastinet[parquet]'",
            path=str(file),
        ) from None
    with _named_errors(file):
        mapped = pa.memory_map(str(file)).read_buffer()
        return pa.ipc.open_stream(mapped), mapped.address


@contextlib.contextmanager
def _named_errors(file: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except FileNotFoundError:
        raise MissingFileError(f"{file}: file is missing", path=str(file)) from None
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise unreadable(file, error) from None
        raise FormatError(f"{file}: damaged: {' '.join(str(error).split())}", path=str(file)) from None
