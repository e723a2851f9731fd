"""Parquet files as Hugging Face datasets writes them: a column of images and one of labels."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastinet.conversion.imagefolder import SPLITS
from fastinet.conversion.keys import KeyMaker
from fastinet.conversion.source import Sample, Survey
from fastinet.errors import ArgumentError, FormatError, MissingFileError, UnsupportedError
from fastinet.manifest import ClassInfo

__all__ = ["Parquet"]

_SPLIT = re.compile(r"([A-Za-z_]\w*?)-\d+-of-\d+")
_local = threading.local()  # .held: the last row group that this thread has read


@dataclass(frozen=True)
class Cell:
    """One image of a file; tasks ask for them row by row, so that each row group is read once."""

    path: str
    column: str
    group: int
    row: int

    def read(self) -> bytes:
        """The bytes."""
        place = (self.path, self.column, self.group)
        if getattr(_local, "held", (None, None))[0] != place:
            _local.held = (None, None)
            table = _open(self.path).read_row_group(self.group, columns=[f"{self.column}.bytes"])
            _local.held = place, table.column(self.column).combine_chunks()
        value = _local.held[1][self.row].as_py()
        data = value and value["bytes"]
        if data is None:
            raise FormatError(f"{self.path}: row group {self.group}, row {self.row}: no bytes of an image",
                              path=self.path)  # fmt: skip
        return bytes(data)


class Parquet:
    """A ``*.parquet`` file or a folder of them, also in ``data/``, with ``image{bytes,path}`` and ``label``.

    Splits are told by file names (``train-00000-of-00294.parquet``). Classes are the names that Hugging
    Face's metadata gives the label, else its numbers. Images come in the order of file names and rows; a key
    is the row's path without extension, or the row's number. A permuted conversion reads a row group for
    every image.

    Raises:
        MissingFileError: no such file.
        FormatError: there are no such columns, or a file is damaged.
        UnsupportedError: PyArrow is not installed.
    """

    kind = "parquet"

    def __init__(self, path: str | os.PathLike[str], split: str | None = None) -> None:
        root = Path(os.path.abspath(path))  # noqa: PTH100 - without following links
        self.location = str(root)
        files: dict[str, list[Path]] = {}
        for file in _files(root):
            match = _SPLIT.match(file.name)
            name = match[1] if match else file.parent.name if file.parent.name in SPLITS else split or "train"
            files.setdefault(name, []).append(file)
        self._files = {name: files[name] for name in files if split in (None, name)}
        if not files:
            raise MissingFileError(f"{root}: no *.parquet here", path=self.location)
        if not self._files:
            raise ArgumentError(f"{root}: no split {split!r} here, only: {', '.join(files)}")
        self.splits = tuple(self._files)
        first = next(iter(self._files.values()))[0]
        schema = _open(str(first)).schema_arrow
        names = (
            [n for n in ("image", "img") if n in schema.names],
            [n for n in ("label", "labels") if n in schema.names],
        )
        if not all(names) or not {"bytes", "path"} <= {f.name for f in schema.field(names[0][0]).type}:
            raise FormatError(f"{first}: expected columns image{{bytes,path}} and label, found "
                              f"{', '.join(schema.names)}", path=str(first))  # fmt: skip
        self._image, self._label = names[0][0], names[1][0]
        self.classes = self._classes(schema)

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether Parquet files lie there."""
        return bool(_files(path))

    def survey(self, split: str) -> Survey:
        """The number of rows."""
        return Survey(sum(_open(str(file)).metadata.num_rows for file in self._files[split]))

    def samples(self, split: str) -> Iterator[Sample]:
        """The rows, one row group's labels and paths in memory at a time."""
        make_key = KeyMaker(()).for_folder("")
        number = 0
        for path in self._files[split]:
            stamp, file = path.stat().st_mtime_ns, _open(str(path))
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=[f"{self._image}.path", self._label])
                size = file.metadata.row_group(group).total_byte_size // max(1, table.num_rows)
                images, labels = (table.column(n).to_pylist() for n in (self._image, self._label))
                for row, (image, label) in enumerate(zip(images, labels, strict=True)):
                    name = (image and image["path"]) or f"{number:08d}."
                    name = os.path.normpath(name).lstrip("/")
                    label = -1 if label is None else label
                    if type(label) is not int or not -1 <= label < len(self.classes):
                        expected = f"-1 to {len(self.classes) - 1}"
                        problem = f"row {number}: label: expected {expected}, found {label!r}"
                        raise FormatError(f"{path}: {problem}", path=str(path))
                    cell = Cell(str(path), self._image, group, row)
                    yield Sample(make_key(name), cell, label, size, f"{path.name}/{number}/{name}", stamp)
                    number += 1

    def _classes(self, schema: Any) -> tuple[ClassInfo, ...]:
        told = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        names = told.get("info", {}).get("features", {}).get(self._label, {}).get("names")
        if names is None:
            labels = (
                label
                for files in self._files.values()
                for file in files
                for label in _open(str(file)).read(columns=[self._label]).column(0).unique().to_pylist()
            )
            highest = max((label for label in labels if type(label) is int), default=-1)
            names = [str(i) for i in range(highest + 1)]
        seen: dict[str, int] = {}
        for i, name in enumerate(names):  # the same words for two classes: crane, maillot
            seen[name if name not in seen else f"{name} ({i})"] = i
        return tuple(ClassInfo(name) for name in seen)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix == ".parquet" else []
    return sorted(path.glob("*.parquet")) or sorted(path.glob("data/*.parquet"))


def _open(path: str) -> Any:
    try:
        import pyarrow  # type: ignore[import-untyped, unused-ignore]
        from pyarrow import parquet  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise UnsupportedError(
            f"{path}: reading Parquet needs PyArrow; install it with: pip install 'fastinet[parquet]'",
            path=path,
        ) from None
    try:
        return parquet.ParquetFile(path)
    except pyarrow.ArrowInvalid as e:
        raise FormatError(f"{path}: not a Parquet file: {e}", path=path) from None
