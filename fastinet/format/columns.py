"""``columns.json``: further values of each record, attached beside the shards. FORMAT.md has the layout.

The list of columns is replaced atomically, after the files that it names are complete; a file's name holds
the hash of its content, so that what is there is never changed. A crash leaves the old list or the new one.
"""

from __future__ import annotations

import fcntl
import io
import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from fastinet import _core
from fastinet.errors import ArgumentError, ChecksumError, FormatError, MissingFileError, ShardIOError
from fastinet.format.json_files import HASH, MAX_JSON_BYTES, member, parse_json, refuse_version, wrong
from fastinet.format.manifest import Manifest
from fastinet.storage.files import open_regular, read_bytes

__all__ = [
    "FILE_NAME",
    "Column",
    "Kind",
    "PackedColumn",
    "StoredColumn",
    "attach",
    "check_name",
    "describe",
    "detach",
    "files_of",
    "joined",
    "read",
]

FILE_NAME = "columns.json"
FORMAT_VERSION = 1
RESERVED = frozenset(
    {"image", "label", "index", "key", "batch", "boxes", "box_labels", "box_visible", "box_flags"}
)

Kind = Literal["array", "list", "string"]
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_PARTS: Mapping[str, set[str]] = {
    "array": {"values"},
    "list": {"values", "offsets"},
    "string": {"values", "offsets"},
}
_FILE = re.compile(r"[^/\0]+\.npy\Z", re.DOTALL)
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
            problem = _problem_of_rows(stored.kind, self._values, self._offsets)
            if problem:
                raise FormatError(f"{folder}: column {self.name}: {problem}", path=str(folder))
        if self._records != records:
            raise FormatError(
                f"{folder}: column {self.name}: expected {records} values, found {self._records}",
                path=str(folder),
                expected=str(records),
                found=str(self._records),
            )

    @property
    def packed(self) -> PackedColumn:
        """All values, as the column's files have them."""
        return PackedColumn(self.kind, self._values, None if self.kind == "array" else self._offsets)

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
        UnsupportedError: a newer version of fastinet wrote it.
    """
    path = folder / FILE_NAME
    try:
        told = parse_json(read_bytes(path, MAX_JSON_BYTES), str(path))
    except MissingFileError:
        return {}
    refuse_version(told, FORMAT_VERSION, str(path))
    columns = member(told, "columns", dict, str(path))
    expected = member(told, "columns_xxh3", str, str(path))
    try:
        found = f"{_core.xxh3(_canonical(columns)):016x}"
    except RecursionError:
        raise FormatError(f"{path}: columns: nested too deeply", path=str(path)) from None
    if found != expected:
        raise ChecksumError(
            f"{path}: damaged: expected XXH3 {expected[:16]}, found {found}",
            path=str(path),
            expected=expected,
            found=found,
        )
    shards = member(columns, "shards_xxh3", str, str(path), "columns")
    by_name = member(columns, "by_name", dict, str(path), "columns")
    stored = {name: _entry(str(path), name, by_name[name]) for name in by_name}
    if shards != manifest.shards_xxh3:
        raise FormatError(
            f"{path}: its columns were attached to other shards than dataset.json lists; remove the file and "
            "attach them again",
            path=str(path),
            expected=manifest.shards_xxh3,
            found=shards,
        )
    return stored


def describe(folder: Path, stored: StoredColumn) -> tuple[str, tuple[int, ...], int]:
    """Type and shape of a column's values, and the bytes that its files take; the values stay unread.

    Raises:
        FormatError, MissingFileError, ShardIOError: of its files.
    """
    told = []
    for part in sorted(stored.files, reverse=True):  # values before offsets
        path = folder / stored.files[part][0]
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            told.append((*_npy_head(file, size, path), size))
    dtype, shape, *_ = told[0]
    return str(dtype), shape, sum(size for *_, size in told)


def attach(
    folder: Path,
    manifest: Manifest,
    name: str,
    kind: Kind,
    values: npt.NDArray[Any],
    offsets: npt.NDArray[np.int64] | None,
    replace: bool,
) -> None:
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


def files_of(manifest: Manifest, columns: Mapping[str, PackedColumn]) -> dict[str, bytes]:
    """The files of a new split's columns, by name, in the order in which to write them; none for no columns.

    Write them before the split's manifest, so that a split with a manifest has its columns.
    """
    files: dict[str, bytes] = {}
    stored = {}
    for name, column in columns.items():
        encoded = _encoded(name, column)
        files |= {file: data for file, _, data in encoded.values()}
        stored[name] = _stored(name, column.kind, encoded)
    if stored:
        files[FILE_NAME] = _encode_list(manifest, stored)
    return files


def joined(columns: Sequence[Column]) -> PackedColumn | None:
    """The values of several columns one after the other; None where their types or shapes differ."""
    first = columns[0].packed
    flats, offsets, end = [], [np.zeros(1, np.int64)], 0
    for column in columns:
        kind, flat, rows = column.packed
        if (kind, flat.dtype, flat.shape[1:]) != (first.kind, first.flat.dtype, first.flat.shape[1:]):
            return None
        flats.append(flat)
        if rows is not None:
            offsets.append(rows[1:] + end)
        end += len(flat)
    return PackedColumn(
        first.kind, np.concatenate(flats), None if first.offsets is None else np.concatenate(offsets)
    )


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


def _entry(path: str, name: str, row: Any) -> StoredColumn:
    place = f"columns.by_name.{name}"
    if not _NAME.match(name) or name in RESERVED:
        raise wrong(FormatError, path, "columns.by_name", "names that columns may have", name)
    kind, files = member(row, "kind", str, path, place), member(row, "files", dict, path, place)
    if kind not in _PARTS:
        raise wrong(FormatError, path, f"{place}.kind", " or ".join(_PARTS), kind)
    if files.keys() != _PARTS[kind]:
        raise wrong(FormatError, path, f"{place}.files", " and ".join(sorted(_PARTS[kind])), sorted(files))
    for part, entry in files.items():
        if type(entry) is not list or len(entry) != 2 or not all(type(text) is str for text in entry):
            raise wrong(FormatError, path, f"{place}.files.{part}", "a file name and a hash", entry)
        if not _FILE.match(entry[0]) or not HASH.match(entry[1]):
            raise wrong(
                FormatError, path, f"{place}.files.{part}", "a name that ends in .npy, and a hash", entry
            )
    return StoredColumn(name, kind, {part: (file, int(digest, 16)) for part, (file, digest) in files.items()})


def _load(folder: Path, stored: StoredColumn, part: str) -> npt.NDArray[Any]:
    name, digest = stored.files[part]
    path = folder / name
    try:
        data = read_bytes(path)
    except MissingFileError:
        raise MissingFileError(f"{path}: file of column {stored.name} is missing", path=str(path)) from None
    found = _core.xxh3(data)
    if found != digest:
        raise ChecksumError(
            f"{path}: column is damaged: expected XXH3 {digest:016x}, found {found:016x}",
            path=str(path),
            expected=f"{digest:016x}",
            found=f"{found:016x}",
        )
    return _parse_npy(data, path)


def _parse_npy(data: bytes, path: Path) -> npt.NDArray[Any]:
    """The array of at least one dimension in the bytes of a .npy file, read-only, not copied."""
    file = io.BytesIO(data)
    dtype, shape, in_columns = _npy_head(file, len(data), path)
    start = file.tell()
    try:
        values = np.frombuffer(data, dtype, offset=start) if start < len(data) else np.zeros(0, dtype)
        return values.reshape(shape, order="F" if in_columns else "C")
    except (ValueError, OverflowError):  # too many dimensions, or too long ones beside an empty one
        raise wrong(FormatError, str(path), "shape", "one that NumPy can hold", str(shape)) from None


def _npy_head(file: IO[bytes], size: int, path: Path) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    """Type, shape and whether the first index runs fastest, of a .npy file of `size` bytes, read up to there.

    Raises:
        FormatError: no such file, or one that is no part of a column.
    """
    try:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, in_columns, dtype = np.lib.format.read_array_header_1_0(file)
        else:
            shape, in_columns, dtype = np.lib.format.read_array_header_2_0(file)
    except Exception as e:  # NumPy parses the header as Python: its tokenizer and parser raise what they like
        raise FormatError(f"{path}: not a .npy file: {e}", path=str(path)) from None
    if not _DTYPES.match(dtype.str) or dtype.subdtype is not None:
        raise wrong(FormatError, str(path), "values", "numbers or bools, little-endian", str(dtype))
    there = size - file.tell()
    if not shape or min(shape) < 0 or math.prod(shape) * dtype.itemsize != there:
        raise wrong(FormatError, str(path), "shape", f"one of {there} bytes", str(shape))
    return dtype, shape, in_columns


def _problem_of_rows(kind: Kind, values: npt.NDArray[Any], ends: npt.NDArray[Any]) -> str:
    """Why these cannot be the rows of a column of lists or strings; "" where they can."""
    if (
        ends.dtype != np.int64
        or ends.ndim != 1
        or not len(ends)
        or values.ndim != 1
        or (ends[0] != 0 or ends[-1] != len(values) or bool((ends[1:] < ends[:-1]).any()))
    ):
        return "offsets do not fit the values"
    if kind == "string":
        if values.dtype != np.uint8:
            return f"expected strings as bytes, found {values.dtype}"
        # Each row is UTF-8 where the whole is and no row begins within a character.
        inner = ends[ends < len(values)]
        try:
            str(values.data, "utf-8")
        except UnicodeDecodeError as e:
            return f"expected UTF-8, found {e}"
        if len(values) and bool(((values[inner] & 0xC0) == 0x80).any()):
            return "a string begins within a character"
    return ""


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
        "shards_xxh3": manifest.shards_xxh3,
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
