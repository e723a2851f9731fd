"""``columns.json``: further values of each record, attached beside the shards. FORMAT.md has the layout.

The list of columns is replaced atomically, after the files that it names are complete; a file's name holds
the hash of its content, so that what is there is never changed. A crash leaves the old list or the new one.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from fastinet import _core
from fastinet.errors import ArgumentError, ChecksumError, FormatError, MissingFileError, ShardIOError
from fastinet.manifest import Manifest

__all__ = [
    "FILE_NAME", "Column", "Kind", "PackedColumn", "StoredColumn", "attach", "check_name", "detach",
    "files_of", "read",
]  # fmt: skip

FILE_NAME = "columns.json"
FORMAT_VERSION = 1
RESERVED = frozenset(
    {"image", "label", "index", "key", "batch", "boxes", "box_labels", "box_visible", "box_flags"}
)

Kind = Literal["array", "list", "string"]
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_DTYPES = re.compile(r"[|<][biuf][1248]\Z")


@dataclass(frozen=True)
class StoredColumn:
    """One entry of ``columns.json``.

    Attributes:
        name: as ``Loader(columns=...)`` takes it.
        kind: "array": a value of one shape for each record; "list": a row of numbers of any length; "string".
        files: name and hash of ``values`` and, but for arrays, ``offsets``.
    """

    name: str
    kind: Kind
    files: Mapping[str, tuple[str, int]]


class PackedColumn(NamedTuple):
    """The values of a column: `flat`, and for lists and strings where each record's begin and end in it."""

    kind: Kind
    flat: npt.NDArray[Any]
    offsets: npt.NDArray[np.int64] | None


class Column(Sequence[Any]):
    """The values of one column, by record.

    Read whole, so that a file that shrinks later does no harm; 14 million ints take 112 MB.
    """

    def __init__(self, folder: Path, stored: StoredColumn, records: int) -> None:
        self.name = stored.name
        self.kind = stored.kind
        self._values = _load(folder, stored, "values")
        if stored.kind == "array":
            self._records = len(self._values)
        else:
            self._offsets = _load(folder, stored, "offsets")
            self._records = len(self._offsets) - 1
            ends = self._offsets
            if ends.dtype != np.int64 or ends.ndim != 1 or not len(ends) or self._values.ndim != 1 or (
                ends[0] != 0 or ends[-1] != len(self._values) or bool((np.diff(ends) < 0).any())
            ):  # fmt: skip
                raise FormatError(f"{folder}: column {self.name}: offsets do not fit the values",
                                  path=str(folder))  # fmt: skip
        if self._records != records:
            raise FormatError(
                f"{folder}: column {self.name}: expected {records} values, found {self._records}",
                path=str(folder), expected=str(records), found=str(self._records),
            )  # fmt: skip

    def __len__(self) -> int:
        return self._records

    def __getitem__(self, index: Any) -> Any:
        """Of one record: a scalar or array, or a str. An array of indices: as ``take``."""
        if isinstance(index, slice):
            return self.take(np.arange(*index.indices(len(self))))
        if not isinstance(index, (int, np.integer)):
            return self.take(np.asarray(index))
        place = int(index) + (len(self) if index < 0 else 0)
        if not 0 <= place < len(self):
            raise IndexError(f"record {index} of a column of {len(self)}")
        return self.take(np.array([place]))[0]

    def take(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[Any] | list[Any]:
        """Of some records: an array of shape (n, ...); or a list of n arrays; or of n strs."""
        if self.kind == "array":
            return np.ascontiguousarray(self._values[indices])
        rows = [self._values[self._offsets[i] : self._offsets[i + 1]] for i in indices.tolist()]
        if self.kind == "string":
            return [row.tobytes().decode() for row in rows]
        return [np.array(row) for row in rows]


def read(folder: Path, manifest: Manifest) -> dict[str, StoredColumn]:
    """The columns attached to a split, by name; none where there is no list.

    Raises:
        FormatError: the list is not valid, or its columns belong to other shards than the manifest's.
        ChecksumError: the list is damaged.
    """
    path = folder / FILE_NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as e:
        raise ShardIOError(f"{path}: cannot read: {e.strerror}", path=str(path), errno=e.errno) from None
    try:
        told = json.loads(data)
        columns, expected = told["columns"], told["columns_xxh3"]
        found = f"{_core.xxh3(_canonical(columns)):016x}"
        if told["format_version"] != FORMAT_VERSION or found != expected:
            raise ChecksumError(
                f"{path}: damaged or of another version: expected XXH3 {expected}, found {found}",
                path=str(path), expected=str(expected), found=found,
            )  # fmt: skip
        stored = {name: _entry(name, columns["by_name"][name]) for name in columns["by_name"]}
        shards = columns["shards_xxh3"]
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        if isinstance(e, ChecksumError):
            raise
        raise FormatError(f"{path}: not a list of columns: {e!r}", path=str(path)) from None
    if shards != _identity(manifest):
        raise FormatError(
            f"{path}: its columns were attached to other shards than dataset.json lists; remove the file and "
            "attach them again",
            path=str(path), expected=_identity(manifest), found=str(shards),
        )  # fmt: skip
    return stored


def attach(
    folder: Path, manifest: Manifest, name: str, kind: Kind, values: npt.NDArray[Any],
    offsets: npt.NDArray[np.int64] | None, replace: bool,
) -> None:  # fmt: skip
    """Writes a column's files and then the list that names them.

    Raises:
        ArgumentError: the name is taken or none that a column may have, or values of a wrong type.
        ShardIOError: the operating system refused.
    """
    check_name(name)
    encoded = _encoded(name, PackedColumn(kind, values, offsets))
    with _locked(folder):
        columns = read(folder, manifest)
        if name in columns and not replace:
            raise ArgumentError(f"{folder}: has a column {name!r} already", path=str(folder))
        for file, _, data in encoded.values():
            _core.write_file(os.fsencode(folder / file), data)
        stored = _stored(name, kind, encoded)
        before = columns.get(name)
        _write_list(folder, manifest, {**columns, name: stored})
        _remove_unnamed(folder, before, stored.files)


def check_name(name: str) -> None:
    """Refuses what no column may be called.

    Raises:
        ArgumentError: not such a name, or one that stands for something else.
    """
    if not _NAME.match(name) or name in RESERVED:
        raise ArgumentError(
            f"a column's name is 1 to 64 lower-case letters, digits and underscores, and none of "
            f"{', '.join(sorted(RESERVED))}; not {name!r}"
        )


def files_of(manifest: Manifest, name: str, column: PackedColumn) -> dict[str, bytes]:
    """The files of a split whose only column this is, by name, in the order in which to write them.

    For who makes the split: written before its manifest, the column is there whenever the split is.
    """
    encoded = _encoded(name, column)
    files = {file: data for file, _, data in encoded.values()}
    files[FILE_NAME] = _encode_list(manifest, {name: _stored(name, column.kind, encoded)})
    return files


def detach(folder: Path, manifest: Manifest, name: str) -> None:
    """Takes a column off the list and removes its files.

    Raises:
        ArgumentError: there is no such column.
    """
    with _locked(folder):
        columns = read(folder, manifest)
        if name not in columns:
            raise ArgumentError(f"{folder}: no column {name!r}", path=str(folder))
        before = columns.pop(name)
        _write_list(folder, manifest, columns)
        _remove_unnamed(folder, before, {})


def _entry(name: str, row: Mapping[str, Any]) -> StoredColumn:
    kind, files = row["kind"], row["files"]
    parts = {"values"} if kind == "array" else {"values", "offsets"}
    if kind not in ("array", "list", "string") or set(files) != parts:
        raise ValueError(f"column {name}: {row}")
    for file, digest in files.values():
        if "/" in file or not file.endswith(".npy") or type(digest) is not str:
            raise ValueError(f"column {name}: {file}")
    return StoredColumn(name, kind, {part: (file, int(digest, 16)) for part, (file, digest) in files.items()})


def _load(folder: Path, stored: StoredColumn, part: str) -> npt.NDArray[Any]:
    name, digest = stored.files[part]
    path = folder / name
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise MissingFileError(f"{path}: file of column {stored.name} is missing", path=str(path)) from None
    except OSError as e:
        raise ShardIOError(f"{path}: cannot read: {e.strerror}", path=str(path), errno=e.errno) from None
    found = _core.xxh3(data)
    if found != digest:
        raise ChecksumError(
            f"{path}: column is damaged: expected XXH3 {digest:016x}, found {found:016x}",
            path=str(path), expected=f"{digest:016x}", found=f"{found:016x}",
        )  # fmt: skip
    try:
        array: npt.NDArray[Any] = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except ValueError as e:
        raise FormatError(f"{path}: not a .npy file: {e}", path=str(path)) from None
    return array


def _encoded(name: str, column: PackedColumn) -> dict[str, tuple[str, int, bytes]]:
    """File name, hash and content of each part of a column."""
    flat = column.flat.astype(column.flat.dtype.newbyteorder("<"), copy=False)
    if not _DTYPES.match(flat.dtype.str):
        raise ArgumentError(f"column {name}: expected numbers or bools, found {flat.dtype}")
    encoded = {}
    for part, array in (("values", flat), ("offsets", column.offsets)):
        if array is not None:
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
            data = buffer.getvalue()
            digest = _core.xxh3(data)
            encoded[part] = f"column-{name}-{part}-{digest:016x}.npy", digest, data
    return encoded


def _stored(name: str, kind: Kind, encoded: Mapping[str, tuple[str, int, bytes]]) -> StoredColumn:
    return StoredColumn(name, kind, {part: (file, digest) for part, (file, digest, _) in encoded.items()})


def _write_list(folder: Path, manifest: Manifest, columns: Mapping[str, StoredColumn]) -> None:
    _core.write_file(os.fsencode(folder / FILE_NAME), _encode_list(manifest, columns))


def _encode_list(manifest: Manifest, columns: Mapping[str, StoredColumn]) -> bytes:
    told = {
        "shards_xxh3": _identity(manifest),
        "by_name": {
            c.name: {"kind": c.kind, "files": {p: [f, f"{d:016x}"] for p, (f, d) in c.files.items()}}
            for c in columns.values()
        },
    }
    data = {
        "format_version": FORMAT_VERSION,
        "columns": told,
        "columns_xxh3": f"{_core.xxh3(_canonical(told)):016x}",
    }
    return (json.dumps(data, indent=1, sort_keys=True) + "\n").encode()


def _canonical(columns: Any) -> bytes:
    return json.dumps(columns, sort_keys=True, separators=(",", ":")).encode()


def _identity(manifest: Manifest) -> str:
    """Hash of the hashes of the shards, in their order."""
    return f"{_core.xxh3(' '.join(f'{s.xxh3:016x}' for s in manifest.shards).encode()):016x}"


def _remove_unnamed(folder: Path, before: StoredColumn | None, files: Mapping[str, tuple[str, int]]) -> None:
    """Removes what only the former list named. Readers that have it keep it."""
    kept = {file for file, _ in files.values()}
    for file, _ in before.files.values() if before else ():
        if file not in kept:
            (folder / file).unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One writer at a time in this folder."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as e:
        raise ShardIOError(f"{folder}: cannot open: {e.strerror}", path=str(folder), errno=e.errno) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
