"""A list of image paths and labels: CSV, TSV, or "name label" lines as Caffe has them."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from fastinet.conversion.sources.base import Sample, Survey
from fastinet.conversion.sources.files import file_sample, wrong_line
from fastinet.conversion.sources.folder_tree import SPLITS
from fastinet.errors import ArgumentError, FormatError, MissingFileError
from fastinet.format.fields import DEFAULT, Fields, class_of, no_label, wrong_label
from fastinet.format.file_kinds import EXTENSIONS
from fastinet.format.keys import KeyMaker, inside
from fastinet.format.limits import MAX_CLASSES
from fastinet.format.manifest import ClassInfo
from fastinet.storage.files import unreadable

__all__ = ["CsvList"]

PATH_COLUMNS = ("path", "filepath", "file_path", "image_path", "file", "filename", "file_name", "image")
LABEL_COLUMNS = ("label", "labels", "class", "class_name", "wnid", "synset", "target", "category")
SPLIT_COLUMN = "split"
_SUFFIXES = (".csv", ".tsv")
_LIST_SUFFIX = ".txt"
_BLANKS = " "  # the delimiter of "name label" lines
_LINE = re.compile(
    rf"\s*(.+(?:{'|'.join(map(re.escape, EXTENSIONS))}))(?:\s+(\S.*?))?\s*", re.IGNORECASE | re.DOTALL
)


class _Columns(NamedTuple):
    path: int
    label: int  # -1: none
    split: int  # -1: none
    header: bool


class _Row(NamedTuple):
    line: int
    path: str
    label: str
    split: str


class CsvList:
    """One image a row: a path, relative to the file's folder or absolute, and a label.

    Columns are found by the names in the first row (``PATH_COLUMNS``, ``LABEL_COLUMNS``, or those chosen), of
    two columns also by the name of one; without such names they are the first two. A first row whose path
    does not end as an image's, and that holds no number, is a header in any case. A column ``split`` names
    splits. Fields are separated by commas, tabs or semicolons, whichever the first row has. Where it has
    none, a row is a path that ends as an image's, blanks and the label, as in ``val.txt`` of Caffe's ImageNet
    lists (whose name then tells the split), or a path alone: images without
    labels.

    Labels that are all numbers are used as they are, and classes are named by their numbers. Otherwise
    classes are the sorted names. An empty label or -1 is none. Images come in the order of the rows.

    Raises:
        MissingFileError: no such file.
        FormatError: a row has too few columns, a value that is no label, or is not UTF-8 text.
        ArgumentError: there is no such split, no such column, or no row at all; or the header does not tell
            which column holds the labels.
    """

    kind = "csv"

    def __init__(
        self, path: str | os.PathLike[str], split: str | None = None, fields: Fields = DEFAULT
    ) -> None:
        self._path = Path(os.path.abspath(path))  # noqa: PTH100 - without following links
        self.location = str(self._path)
        self._fields = fields
        if not self._path.is_file():
            what = "this is a folder" if self._path.exists() else "there is nothing"
            raise MissingFileError(f"{path}: a CSV file was expected, {what}", path=str(path))
        self._delimiter, self._columns = self._look()
        counts: Counter[str] = Counter()
        labels: dict[str, int] = {}  # with the line of the first row that has it
        for row in self._rows():
            counts[row.split] += 1
            labels.setdefault(row.label, row.line)
        self._by_number = False
        self._labels = {} if fields.labels_as else self._classes_of(labels)
        names = sorted(self._labels, key=lambda name: self._labels[name])
        self.classes = tuple(map(ClassInfo, names))
        if self._columns.split < 0:
            name = split or self._own_split()
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
        """Whether this is a CSV file, or another text whose first line begins with an image's path."""
        if not path.is_file():
            return False
        if path.suffix.lower() in _SUFFIXES:
            return True
        try:
            with path.open("rb") as file:
                line = file.readline(1 << 16).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError):
            return False
        return path.suffix.lower() == _LIST_SUFFIX and _LINE.fullmatch(line) is not None

    def survey(self, split: str) -> Survey:
        """The number of rows."""
        return Survey(self._counts[split])

    def samples(self, split: str) -> Iterator[Sample]:
        """The rows of a split, in their order."""
        make_key = KeyMaker(()).for_folder("")
        folder = self._path.parent
        for row in self._rows():
            if row.split != (split if self._columns.split >= 0 else ""):
                continue
            if not row.path:
                raise wrong_line(self._path, row.line, "a path", row.path)
            place = os.path.join(folder, row.path)  # noqa: PTH118
            sample = file_sample(place, make_key(inside(row.path)), self._label(row.label), row.path)
            yield sample._replace(value=row.label or None) if self._fields.labels_as else sample

    def _label(self, text: str) -> int:
        if self._by_number:
            label = class_of(text)
            return label if isinstance(label, int) else -1
        return self._labels.get(text, -1)

    def _classes_of(self, texts: Mapping[str, int]) -> dict[str, int]:
        """Labels by the classes' names, from all the texts in the labels' column."""
        labels = {text: class_of(text) for text in texts}
        self._by_number = all(isinstance(label, int) for label in labels.values() if label is not None)
        for text, label in labels.items():
            where = f"{self._path}: line {texts[text]}: label"
            if label is None or (not self._by_number and isinstance(label, int) and "." in text):
                raise no_label(text, where, self.location)
            if isinstance(label, int) and self._by_number and label >= MAX_CLASSES:
                raise wrong_label(text, where, self.location, f"less than {MAX_CLASSES}")
        if self._by_number:
            highest = max((label for label in labels.values() if isinstance(label, int)), default=-1)
            return {str(i): i for i in range(highest + 1)}
        return {text: i for i, text in enumerate(sorted(text for text in labels if text not in ("", "-1")))}

    def _own_split(self) -> str:
        """Of a list such as val.txt the split that it names."""
        stem = self._path.stem.lower()
        return stem if stem in SPLITS and self._path.suffix.lower() == _LIST_SUFFIX else "train"

    def _look(self) -> tuple[str, _Columns]:
        """The delimiter, and where the columns are."""
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                line = file.readline()
        except OSError as e:
            raise unreadable(self._path, e) from None
        except UnicodeDecodeError as e:
            raise FormatError(f"{self._path}: expected UTF-8 text, found {e}", path=self.location) from None
        delimiter = next((d for d in "\t,;" if d in line), _BLANKS)
        cells = _cells(line, delimiter)
        names = [cell.strip().lower() for cell in cells]
        numbers = bool(names and names[0]) and any(name and type(class_of(name)) is int for name in names)
        if numbers or (names and names[0].endswith((*EXTENSIONS, ".gif"))):  # no header
            if self._fields.image or self._fields.label:
                raise self._no_column(cells, "a first row with names of columns")
            return delimiter, _Columns(0, 1 if len(cells) > 1 else -1, -1, False)
        split = names.index(SPLIT_COLUMN) if SPLIT_COLUMN in names else -1
        path = self._find(cells, self._fields.image, PATH_COLUMNS, "image")
        label = self._find(cells, self._fields.label, LABEL_COLUMNS, "label")
        others = [i for i in range(len(cells)) if i not in (path, label, split)]
        if path < 0 and label < 0 and len(others) == 2:
            path, label = others
        elif path < 0 and len(others) == 1:
            path = others.pop()
        elif path >= 0 and label < 0 and len(others) == 1:
            label = others.pop()
        if path < 0 or (label < 0 and others):
            raise self._no_column(cells, "columns for the image's path and the label")
        return delimiter, _Columns(path, label, split, True)

    def _find(self, cells: Sequence[str], chosen: Sequence[str], known: Sequence[str], what: str) -> int:
        """The place of a column; -1: there is none of a known name."""
        names = [cell.strip() for cell in cells]
        if chosen:
            place = next((names.index(name) for name in chosen if name in names), -1)
            if place < 0:
                raise self._no_column(cells, f"a column {' or '.join(chosen)} for the {what}")
            return place
        lowered = [name.lower() for name in names]
        return next((lowered.index(name) for name in known if name in lowered), -1)

    def _no_column(self, cells: Sequence[str], expected: str) -> ArgumentError:
        found = ", ".join(cell.strip() for cell in cells)
        return ArgumentError(
            f"{self._path}: expected {expected}, found: {found}; choose with --image-column NAME and "
            "--label-column NAME",
            path=self.location,
            expected=expected,
            found=found,
        )

    def _rows(self) -> Iterator[_Row]:
        columns = self._columns
        least = max(columns.path, columns.label, columns.split) + 1
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                for place, (number, row) in enumerate(_records(file, self._delimiter)):
                    if (columns.header and not place) or not any(row):
                        continue
                    if len(row) < least:
                        found = self._delimiter.join(row)
                        expected = (
                            f"at least {least} columns"
                            if self._delimiter != _BLANKS
                            else "the path of an image, blanks and a label"
                        )
                        raise wrong_line(self._path, number, expected, found)
                    cells = [cell.strip() for cell in row]
                    if columns.label < 0 and sum(map(bool, cells)) > 1 + (columns.split >= 0):
                        raise wrong_line(
                            self._path, number, "a path alone, as in the first row", self._delimiter.join(row)
                        )
                    yield _Row(
                        number,
                        cells[columns.path],
                        cells[columns.label] if columns.label >= 0 else "",
                        cells[columns.split] if columns.split >= 0 else "",
                    )
        except (UnicodeDecodeError, csv.Error) as e:
            raise FormatError(f"{self._path}: not CSV in UTF-8: {e}", path=self.location) from None


def _records(file: TextIO, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Number of its last line, from 1, and cells, of every row."""
    if delimiter == _BLANKS:
        for number, line in enumerate(file, 1):
            yield number, _cells(line, delimiter)
        return
    reader = csv.reader(file, delimiter=delimiter)
    for row in reader:
        yield reader.line_num, row


def _cells(line: str, delimiter: str) -> list[str]:
    """Of one line; of "name label" lines the path, which may hold blanks, and the label."""
    if delimiter != _BLANKS:
        return next(csv.reader([line], delimiter=delimiter), [])
    match = _LINE.fullmatch(line)
    return [cell for cell in match.groups() if cell] if match else line.split()
