"""A CSV (or TSV) file of image paths and labels."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fastinet.conversion.files import file_sample, wrong_line
from fastinet.conversion.imagefolder import EXTENSIONS
from fastinet.conversion.keys import KeyMaker, inside
from fastinet.conversion.source import Sample, Survey
from fastinet.errors import ArgumentError, FormatError, MissingFileError, ShardIOError
from fastinet.manifest import ClassInfo

__all__ = ["CsvList"]

PATH_COLUMNS = ("path", "filepath", "file_path", "image_path", "file", "filename", "file_name", "image")
LABEL_COLUMNS = ("label", "labels", "class", "class_name", "wnid", "synset", "target", "category")
SPLIT_COLUMN = "split"
_SUFFIXES = (".csv", ".tsv")
_NUMBER = re.compile(r"-1|[0-9]+\Z")
_MAX_CLASSES = 1 << 20


class _Columns(NamedTuple):
    path: int
    label: int
    split: int  # -1: none
    header: bool


class CsvList:
    """One image a row: a path, relative to the file's folder or absolute, and a label.

    Columns are found by the names in the first row (``PATH_COLUMNS``, ``LABEL_COLUMNS``), else they are the
    first two; a first row whose path does not end as an image's is a header in any case. A column ``split``
    names splits. Fields are separated by commas, tabs or semicolons, whichever the first row has.

    Labels that are all numbers are used as they are, and classes are named by their numbers. Otherwise
    classes are the sorted names. An empty label or -1 is none. Images come in the order of the rows.

    Raises:
        MissingFileError: no such file.
        FormatError: a row has too few columns, or is not UTF-8 text.
        ArgumentError: there is no such split, or no row at all.
    """

    kind = "csv"

    def __init__(self, path: str | os.PathLike[str], split: str | None = None) -> None:
        self._path = Path(os.path.abspath(path))  # noqa: PTH100 - without following links
        self.location = str(self._path)
        if not self._path.is_file():
            what = "this is a folder" if self._path.exists() else "there is nothing"
            raise MissingFileError(f"{path}: a CSV file was expected, {what}", path=str(path))
        self._delimiter, self._columns = self._look()
        counts: Counter[str] = Counter()
        names: set[str] = set()
        for _, _, label, name in self._rows():
            counts[name] += 1
            names.add(label)
        names -= {"", "-1"}
        self._by_number = all(_NUMBER.match(name) for name in names)
        if self._by_number:
            highest = max((int(name) for name in names), default=-1)
            if highest >= _MAX_CLASSES:
                raise ArgumentError(f"{path}: label {highest} is no class number (limit {_MAX_CLASSES - 1})")
            self.classes = tuple(ClassInfo(str(i)) for i in range(highest + 1))
        else:
            self.classes = tuple(ClassInfo(name) for name in sorted(names))
        self._labels = {c.name: label for label, c in enumerate(self.classes)}
        if self._columns.split < 0:
            name = split or "train"
            self._counts = {name: counts[""]} if counts else {}
        else:
            self._counts = {name: n for name, n in sorted(counts.items()) if split in (None, name)}
        for name in self._counts:
            if not name.isidentifier() or not name.isascii():
                raise ArgumentError(f"a split's name is letters, digits and underscores, not {name!r}")
        if not self._counts:
            there = f"only: {', '.join(sorted(counts)) or 'no rows'}"
            raise ArgumentError(f"{path}: no rows of the split {split!r}, {there}", path=str(path))
        self.splits = tuple(self._counts)

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether this is a CSV file."""
        return path.suffix.lower() in _SUFFIXES and path.is_file()

    def survey(self, split: str) -> Survey:
        """The number of rows."""
        return Survey(self._counts[split])

    def samples(self, split: str) -> Iterator[Sample]:
        """The rows of a split, in their order."""
        make_key = KeyMaker(()).for_folder("")
        folder = self._path.parent
        for number, path, text, name in self._rows():
            if name != (split if self._columns.split >= 0 else ""):
                continue
            label = int(text) if self._by_number and text else self._labels.get(text, -1)
            if not path:
                raise wrong_line(self._path, number, "a path", path)
            place = os.path.join(folder, path)  # noqa: PTH118
            yield file_sample(place, make_key(inside(path)), label, path)

    def _look(self) -> tuple[str, _Columns]:
        """The delimiter, and where the columns are."""
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                line = file.readline()
        except OSError as e:
            raise ShardIOError(f"{self._path}: cannot read: {e.strerror}", path=self.location,
                               errno=e.errno) from None  # fmt: skip
        except UnicodeDecodeError as e:
            raise FormatError(f"{self._path}: expected UTF-8 text, found {e}", path=self.location) from None
        delimiter = next((d for d in "\t,;" if d in line), ",")
        cells = [cell.strip().lower() for cell in next(csv.reader([line], delimiter=delimiter), [])]
        path = next((cells.index(name) for name in PATH_COLUMNS if name in cells), -1)
        label = next((cells.index(name) for name in LABEL_COLUMNS if name in cells), -1)
        if path >= 0 and label >= 0:
            split = cells.index(SPLIT_COLUMN) if SPLIT_COLUMN in cells else -1
            return delimiter, _Columns(path, label, split, True)
        header = bool(cells) and not cells[0].endswith(EXTENSIONS)
        return delimiter, _Columns(0, 1, -1, header)

    def _rows(self) -> Iterator[tuple[int, str, str, str]]:
        """(line, path, label, split) of every row."""
        columns = self._columns
        least = max(columns.path, columns.label, columns.split) + 1
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.reader(file, delimiter=self._delimiter)
                for place, row in enumerate(reader):
                    if (columns.header and not place) or not any(row):
                        continue
                    if len(row) < least:
                        found = self._delimiter.join(row)
                        raise wrong_line(self._path, reader.line_num, f"at least {least} columns", found)
                    name = row[columns.split].strip() if columns.split >= 0 else ""
                    yield reader.line_num, row[columns.path].strip(), row[columns.label].strip(), name
        except (UnicodeDecodeError, csv.Error) as e:
            raise FormatError(f"{self._path}: not CSV in UTF-8: {e}", path=self.location) from None
