"""Parquet files as Hugging Face datasets writes them: a column of images and one of labels."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastinet.conversion.sources.base import Sample, Survey
from fastinet.conversion.sources.image_table import (
    annotation_of,
    boxes_of,
    class_names,
    find_columns,
    json_value,
    label_of,
)
from fastinet.conversion.sources.split_files import choose_split, find_files
from fastinet.errors import FormatError, MissingFileError, UnsupportedError
from fastinet.format.fields import DEFAULT, Fields, class_of, no_label, wrong_label
from fastinet.format.keys import KeyMaker, inside
from fastinet.format.limits import MAX_CLASSES
from fastinet.format.manifest import ClassInfo
from fastinet.storage.files import unreadable

__all__ = ["Parquet"]

_BATCH = 64  # rows decoded at a time
_BUFFER = 1 << 20  # bytes read at a time; without it, PyArrow reads a whole column of a row group
_local = threading.local()  # .cursor: where this thread reads


@dataclass(frozen=True)
class Cell:
    """One image of a file. Tasks ask for them in their order, so that each row group is decoded once."""

    path: str
    column: str  # with its field, as PyArrow names it: "image.bytes"
    group: int
    row: int

    def read(self) -> bytes:
        """The bytes."""
        cursor: _Cursor | None = getattr(_local, "cursor", None)
        if cursor is None or cursor.place != (self.path, self.column, self.group) or cursor.next > self.row:
            cursor = _local.cursor = _Cursor(self.path, self.column, self.group)
        try:
            data = cursor.value(self.row)
        except BaseException:
            _local.cursor = None
            raise
        if data is None:
            raise FormatError(
                f"{self.path}: row group {self.group}, row {self.row}: no bytes of an image", path=self.path
            )
        return data


class _Cursor:
    """Reads one column of one row group from front to back, with a page and a few rows in memory."""

    def __init__(self, path: str, column: str, group: int) -> None:
        self.place = path, column, group
        self.next = 0  # the lowest row that can still be had
        self._end = 0  # of the batch at hand
        self._values: Any = None
        self._file = _open(path)
        self._batches = self._file.iter_batches(_BATCH, row_groups=[group], columns=[column])

    def value(self, row: int) -> bytes | None:
        """Of a row that is not below `next`."""
        while row >= self._end:
            with _damage(self.place[0], self.place[2]):
                batch = next(self._batches, None)
            if batch is None:
                raise FormatError(
                    f"{self.place[0]}: row group {self.place[2]}: ends before row {row}", path=self.place[0]
                )
            values = batch.column(0)
            self._values = values.field("bytes") if self.place[1].endswith(".bytes") else values
            self.next, self._end = self._end, self._end + batch.num_rows
            self._is_null = values.is_null()
        place = row - self.next
        value: bytes | None = None if self._is_null[place].as_py() else self._values[place].as_py()
        return value


class Parquet:
    """A ``*.parquet`` file or a folder of them, also in ``data/`` or split folders.

    Columns are ``image`` (or ``img``), a struct with ``bytes`` and perhaps ``path``, or just bytes; ``label``
    (or ``labels``), numbers or names of classes; and the ``boxes`` and ``json`` of an export of fastinet's.
    Columns of other names can be chosen. Without any further column, images have no labels.
    Splits are told by file names (``train-00000-of-00294.parquet``) or folders. Classes are the names that
    Hugging Face's metadata gives the label, else its sorted names, else its numbers. Images come in the order
    of file names and rows; a key is the row's path without extension, or the row's number. Rows are decoded
    as they are written, a few at a time; a permuted conversion decodes a row group for every image.

    Raises:
        MissingFileError: no such file, or some of a split are missing.
        FormatError: there are no such columns, a label is no class, or a file is damaged.
        ArgumentError: there is no such split.
        UnsupportedError: PyArrow is not installed.
    """

    kind = "parquet"

    def __init__(
        self, path: str | os.PathLike[str], split: str | None = None, fields: Fields = DEFAULT
    ) -> None:
        root = Path(os.path.abspath(path))  # noqa: PTH100 - without following links
        self.location = str(root)
        files = find_files(root, _is_parquet)
        if not files:
            raise MissingFileError(f"{root}: no *.parquet here", path=self.location)
        self._files = choose_split(files, root, split)
        self.splits = tuple(self._files)
        first = next(iter(self._files.values()))[0]
        schema = _open(str(first)).schema_arrow
        self._fields = fields
        self._columns = find_columns(schema, first, fields)
        names = class_names(schema, self._columns.label, first)
        if names is None and (fields.labels_as or not self._columns.label):
            names = []
        self.classes = tuple(map(ClassInfo, self._learn_classes(files) if names is None else names))
        self._labels = {c.name: label for label, c in enumerate(self.classes)}

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether Parquet files lie there."""
        return bool(find_files(path, _is_parquet))

    def survey(self, split: str) -> Survey:
        """The number of rows."""
        return Survey(sum(_open(str(file)).metadata.num_rows for file in self._files[split]))

    def samples(self, split: str) -> Iterator[Sample]:
        """The rows; what describes a few of them in memory at a time."""
        make_key = KeyMaker(()).for_folder("")
        columns, number = self._columns, 0
        cell_column = f"{columns.image}.bytes" if columns.in_struct else columns.image
        for path in self._files[split]:
            stamp, file = path.stat().st_mtime_ns, _open(str(path))
            if find_columns(file.schema_arrow, path, self._fields) != columns:
                raise FormatError(
                    f"{path}: other columns than in {next(iter(self._files.values()))[0]}", path=str(path)
                )
            for group in range(file.num_row_groups):
                told = file.metadata.row_group(group)
                size = told.total_byte_size // max(1, told.num_rows)
                for row, values in enumerate(_rows(file, str(path), group, columns.described())):
                    image = values.get(columns.image)
                    name = inside((image and image["path"]) or "") or f"{number:08d}."
                    where = f"{path}: row group {group}, row {row}"
                    cell = Cell(str(path), cell_column, group, row)
                    value = values.get(columns.label)
                    label = (
                        -1
                        if self._fields.labels_as
                        else label_of(value, self._labels, f"{where}: {columns.label}", path)
                    )
                    boxes = boxes_of(values.get(columns.boxes), where, path)
                    yield Sample(
                        make_key(name),
                        cell,
                        label,
                        size,
                        f"{path.name}/{number}/{name}",
                        stamp,
                        annotation_of(values.get(columns.annotation), where, path),
                        boxes,
                        json_value(value) if self._fields.labels_as else None,
                    )
                    number += 1

    def _learn_classes(self, files: list[Path]) -> list[str]:
        """From the labels themselves, also of splits that are not converted: each gives the same classes."""
        names: set[str] = set()
        highest, column = -1, self._columns.label
        for path in files:
            file = _open(str(path))
            _refuse_lists(file, column, path)
            with _damage(str(path)):
                values = file.read(columns=[column]).column(0).unique().to_pylist()
            for value in values:
                label = class_of(value)
                if label is None or (isinstance(value, str) and isinstance(label, int) and "." in value):
                    group, row = _place_of(file, column, value, path)
                    raise no_label(value, f"{path}: row group {group}, row {row}: {column}", str(path))
                if isinstance(value, str):
                    names |= {value} if value.strip() not in ("", "-1") else set()
                elif isinstance(label, int):
                    highest = max(highest, label)
        if highest >= MAX_CLASSES:
            raise wrong_label(
                highest, f"{self.location}: {column}", self.location, f"less than {MAX_CLASSES}"
            )
        return sorted(names) if names else [str(i) for i in range(highest + 1)]


def _refuse_lists(file: Any, column: str, path: Path) -> None:
    """A column whose values are no single ones holds no labels; its first value tells why."""
    import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]

    if not pa.types.is_nested(file.schema_arrow.field(column).type):
        return
    for group in range(file.num_row_groups):
        for row, values in enumerate(_rows(file, str(path), group, [column])):
            if values[column] is not None:
                where = f"{path}: row group {group}, row {row}: {column}"
                raise no_label(values[column], where, str(path))


def _place_of(file: Any, column: str, value: object, path: Path) -> tuple[int, int]:
    """Row group and row of a value's first occurrence."""
    for group in range(file.num_row_groups):
        for row, values in enumerate(_rows(file, str(path), group, [column])):
            if values[column] == value:
                return group, row
    return 0, 0


def _rows(file: Any, path: str, group: int, columns: list[str]) -> Iterator[Mapping[str, Any]]:
    batches = file.iter_batches(_BATCH, row_groups=[group], columns=columns)
    while True:
        with _damage(path, group):
            batch = next(batches, None)
            if batch is None:
                return
            rows = batch.to_pylist()
        yield from rows


def _is_parquet(name: str) -> bool:
    return name.endswith(".parquet")


@contextlib.contextmanager
def _damage(path: str, group: int | None = None) -> Iterator[None]:
    """Turns PyArrow's errors of damaged files into ours, naming the row group."""
    import pyarrow as pa

    where = path if group is None else f"{path}: row group {group}"
    try:
        yield
    except OSError as e:  # also ArrowIOError, which has no errno where the data are wrong
        if e.errno:
            raise unreadable(path, e) from None
        raise FormatError(f"{where}: damaged: {' '.join(str(e).split())}", path=path) from None
    except (pa.ArrowException, UnicodeDecodeError) as e:
        raise FormatError(f"{where}: damaged: {' '.join(str(e).split())}", path=path) from None


def _open(path: str) -> Any:
    try:
        import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]
        from pyarrow import parquet  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise UnsupportedError(
            f"{path}: reading Parquet needs PyArrow; install it with: pip install 'fastinet[parquet]'",
            path=path,
        ) from None
    try:
        return parquet.ParquetFile(
            path, buffer_size=_BUFFER, pre_buffer=False, page_checksum_verification=True
        )
    except FileNotFoundError:
        raise MissingFileError(f"{path}: file is missing", path=path) from None
    except (pa.ArrowException, OSError) as e:
        if isinstance(e, OSError) and e.errno:
            raise unreadable(path, e) from None
        raise FormatError(f"{path}: not a Parquet file: {e}", path=path) from None
