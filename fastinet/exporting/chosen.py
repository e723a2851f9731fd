"""The records of a split to export, and file names that are safe to write."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fastinet import _core
from fastinet.dataset.dataset import Dataset, shard_specs
from fastinet.dataset.stored import StoredRecord, stored_records
from fastinet.errors import FormatError

__all__ = ["Chosen", "class_of", "component", "file_name_of", "folders_of", "write_file"]


@dataclass(frozen=True)
class Chosen:
    """Records of a split. `indices` are their numbers, ascending; None stands for all records."""

    dataset: Dataset
    indices: npt.NDArray[np.int64] | None = None

    @classmethod
    def of(cls, dataset: Dataset, classes: Sequence[str | int] | str | None) -> Chosen:
        """Chooses the records of some classes; of all if `classes` is None."""
        return cls(dataset, None if classes is None else dataset.indices_of(classes))

    @property
    def split(self) -> str:
        """Name of the split, which is safe as a file name."""
        return component(self.dataset.split, self.dataset.path)

    def __len__(self) -> int:
        return len(self.dataset) if self.indices is None else len(self.indices)

    def __iter__(self) -> Iterator[StoredRecord]:
        return stored_records(self.dataset, self.indices)

    def check_tars(self) -> None:
        """Verifies the hashes of the tars that hold the records. Only these cover annotations and names.

        Raises:
            ChecksumError: a tar is damaged.
        """
        first = 0
        for info, spec in zip(
            self.dataset.manifest.shards, shard_specs(self.dataset.path, self.dataset.manifest), strict=True
        ):
            end = first + info.records
            if self.indices is None or np.diff(np.searchsorted(self.indices, (first, end)))[0]:
                _core.check_tar(os.fsencode(spec[0]), info.xxh3)
            first = end


def folders_of(stored: StoredRecord, dataset: Dataset) -> list[str]:
    """Returns the folders in a record's key, as they were in the source."""
    parts = stored.record.key.split("/")[:-1]
    return [component(_core.unescape_key(part), dataset.path, stored) for part in parts]


def class_of(stored: StoredRecord, dataset: Dataset) -> str | None:
    """Returns the name of a record's class; None if it has no label.

    Raises:
        FormatError: the manifest has no class for its label.
    """
    record = stored.record
    if not -1 <= record.label < len(dataset.classes):
        expected = f"-1 to {len(dataset.classes) - 1}"
        raise FormatError(
            f"{dataset.path}: record {record.index} ({record.key}): label: expected {expected}, found "
            f"{record.label}",
            path=str(dataset.path),
            record=record.index,
            key=record.key,
            expected=expected,
            found=str(record.label),
        )
    return None if record.label < 0 else dataset.classes[record.label].name


def file_name_of(stored: StoredRecord, dataset: Dataset) -> str:
    """Returns the name of a record's file, without folders."""
    return component(stored.file_name, dataset.path, stored)


def component(name: str, path: Path, stored: StoredRecord | None = None) -> str:
    """Returns `name` if it is safe as the name of one file or folder.

    Raises:
        FormatError: it is not. The message names `path` and the record.
    """
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        record, key = (stored.record.index, stored.record.key) if stored else (None, None)
        where = f"{path}: record {record} ({key})" if stored else f"{path}"
        raise FormatError(
            f"{where}: expected the name of a file or folder, found {name!r}",
            path=str(path),
            record=record,
            key=key,
            expected="the name of a file or folder",
            found=repr(name),
        )
    return name


def write_file(path: Path, data: bytes | memoryview) -> None:
    """Writes a new file.

    Raises:
        FormatError: the file exists.
    """
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        raise FormatError(f"{path}: two records would be this file", path=str(path)) from None
