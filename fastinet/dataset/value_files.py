"""Reading the files that hold the values of a column: .npy, .json, .csv, .tsv, .parquet, .txt."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastinet.errors import (
    ArgumentError,
    FastinetError,
    FormatError,
    MissingFileError,
    UnsupportedError,
)
from fastinet.storage.files import unreadable

__all__ = ["read_values"]

_KEY_COLUMNS = ("key", "path", "file", "filename", "image", "imageid", "image_id")


def read_values(path: Path, key: str | None, column: str | None) -> tuple[list[str] | None, Any]:
    """Reads a file of values.

    Args:
        path: its extension tells the format.
        key: column of a table with the keys; None: the first that has a usual name.
        column: column of a table with the values; None: the only one beside the keys.

    Returns:
        The keys, or None if the file has none, and the values, a list or an array.

    Raises:
        MissingFileError: the file does not exist.
        ShardIOError: the operating system refuses to read it.
        FormatError: it is not a valid file of its format.
        ArgumentError: unknown extension, or no such column.
        UnsupportedError: a Parquet file, and PyArrow is not installed.
    """
    suffix = path.suffix.lower()
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise MissingFileError(f"{path}: file does not exist", path=str(path)) from None
    except OSError as e:
        raise unreadable(path, e) from None
    try:
        if suffix == ".npy":
            return None, np.load(io.BytesIO(data), allow_pickle=False)
        if suffix == ".json":
            value = json.loads(data)
            if isinstance(value, dict):
                return list(value), list(value.values())
            if isinstance(value, list):
                return None, value
            raise ValueError("neither a list nor an object")
        if suffix in (".csv", ".tsv"):
            text = io.StringIO(data.decode("utf-8-sig"))
            rows = list(csv.reader(text, delimiter="," if suffix == ".csv" else "\t"))
            return _columns_of(path, _transposed(path, rows), key, column)
        if suffix == ".txt":
            return None, _as_numbers([line.strip() for line in data.decode().splitlines() if line.strip()])
        if suffix == ".parquet":
            return _columns_of(path, _parquet(path), key, column)
    except FastinetError:
        raise
    except Exception as e:  # parsers raise anything: NumPy, for a bad header, the errors of Python's parser
        raise FormatError(f"{path}: not a valid {suffix} file: {e}", path=str(path)) from None
    raise ArgumentError(f"{path}: expected .npy, .json, .csv, .tsv, .txt or .parquet", path=str(path))


def _transposed(path: Path, rows: list[list[str]]) -> dict[str, Any]:
    """Returns the columns of a table by name."""
    rows = [row for row in rows if row]
    if not rows:
        raise FormatError(f"{path}: empty; expected a line of column names", path=str(path))
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise FormatError(
                f"{path}: line {number}: expected {len(rows[0])} values, found {len(row)}", path=str(path)
            )
    if len(set(rows[0])) != len(rows[0]):
        raise FormatError(f"{path}: two columns have the same name: {', '.join(rows[0])}", path=str(path))
    return {name: [row[i] for row in rows[1:]] for i, name in enumerate(rows[0])}


def _parquet(path: Path) -> dict[str, Any]:
    try:
        import pyarrow.parquet  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise UnsupportedError(
            f"{path}: reading Parquet needs PyArrow; install it with: pip install 'fastinet[parquet]'",
            path=str(path),
        ) from None
    table = pyarrow.parquet.read_table(path)
    return {name: table.column(name).to_pylist() for name in table.column_names}


def _columns_of(
    path: Path, table: Mapping[str, Any], key: str | None, column: str | None
) -> tuple[list[str] | None, Any]:
    """Returns the columns of keys and of values."""
    for wanted in (key, column):
        if wanted is not None and wanted not in table:
            raise ArgumentError(f"{path}: no column {wanted!r}, only {', '.join(table)}", path=str(path))
    if key is None:
        key = next((name for name in table if name.lower() in _KEY_COLUMNS and name != column), None)
    rest = [name for name in table if name != key]
    if column is None and len(rest) != 1:
        raise ArgumentError(f"{path}: choose the column to attach: {', '.join(rest)}", path=str(path))
    keys = None if key is None else [str(k) for k in table[key]]
    return keys, _as_numbers(table[column or rest[0]])


def _as_numbers(texts: list[Any]) -> Any:
    """Parses texts as ints if all are, otherwise as floats if all are; otherwise returns them as they are."""
    if not all(isinstance(text, str) for text in texts):
        return texts
    for kind in (int, float):
        try:
            return np.array([kind(text) for text in texts])
        except (ValueError, OverflowError):
            continue
    return texts
