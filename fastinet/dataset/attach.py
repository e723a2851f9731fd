"""From a file or object with values to a column: reading it, and finding whose value each is."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from fastinet.errors import (
    ArgumentError,
    FastinetError,
    FormatError,
    MissingFileError,
    UnsupportedError,
)
from fastinet.format import columns
from fastinet.storage.files import unreadable

if TYPE_CHECKING:
    from fastinet.dataset.dataset import Dataset

__all__ = ["Order", "attach"]

Order = Literal["records", "names"]
_KEY_COLUMNS = ("key", "path", "file", "filename", "image", "imageid", "image_id")
_IMAGE_SUFFIXES = (".jpeg", ".jpg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_SHOWN = 3
_VALIDATION_NAME = re.compile(r"(?:^|/)ILSVRC\d{4}_val_(\d{8})(?:~\d+)?\Z")
_VALIDATION_IMAGES = 50_000


def attach(
    dataset: Dataset,
    name: str,
    source: Any,
    *,
    key: str | None,
    column: str | None,
    order: Order | None,
    missing: Any,
    flags: bool,
    replace: bool,
) -> None:
    """See :meth:`fastinet.Dataset.attach`."""
    where = f"column {name}"
    if isinstance(source, (str, os.PathLike)):
        where = os.fspath(source)
        keys, values = _read(Path(source), key, column)
    elif isinstance(source, Mapping):
        keys, values = [str(k) for k in source], list(source.values())
    else:
        keys, values = None, source
    if flags:
        if keys is not None:
            raise ArgumentError(f"{where}: flags are numbers of records, and this has keys")
        values = _flags(where, values, dataset, order)
    if keys is None:
        places = _by_order(where, dataset, len(values), order)
        values = values[places] if isinstance(values, np.ndarray) else [values[i] for i in places.tolist()]
    else:
        values = _by_key(where, dataset, keys, values, missing)
    kind, flat, offsets = _pack(where, values)
    columns.attach(dataset.path, dataset.manifest, name, kind, flat, offsets, replace)


# Reading


def _read(path: Path, key: str | None, column: str | None) -> tuple[list[str] | None, Any]:
    """Keys, where the file has them, and values."""
    suffix = path.suffix.lower()
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise MissingFileError(f"{path}: there is nothing", path=str(path)) from None
    except OSError as e:
        raise unreadable(path, e) from None
    try:
        if suffix == ".npy":
            return None, np.load(io.BytesIO(data), allow_pickle=False)
        if suffix == ".json":
            told = json.loads(data)
            if isinstance(told, dict):
                return list(told), list(told.values())
            if isinstance(told, list):
                return None, told
            raise ValueError("neither a list nor an object")
        if suffix in (".csv", ".tsv"):
            rows = list(
                csv.reader(io.StringIO(data.decode("utf-8-sig")), delimiter="," if suffix == ".csv" else "\t")
            )
            return _table(path, _transposed(path, rows), key, column)
        if suffix == ".txt":
            return None, _numbers([line.strip() for line in data.decode().splitlines() if line.strip()])
        if suffix == ".parquet":
            return _table(path, _parquet(path), key, column)
    except FastinetError:
        raise
    except Exception as e:  # parsers raise what they like: NumPy's of headers, for one, that of Python
        raise FormatError(f"{path}: not a valid {suffix} file: {e}", path=str(path)) from None
    raise ArgumentError(f"{path}: expected .npy, .json, .csv, .tsv, .txt or .parquet", path=str(path))


def _transposed(path: Path, rows: list[list[str]]) -> dict[str, Any]:
    rows = [row for row in rows if row]
    if not rows:
        raise FormatError(f"{path}: empty; expected a line of column names", path=str(path))
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise FormatError(
                f"{path}: line {number}: expected {len(rows[0])} values, found {len(row)}", path=str(path)
            )
    if len(set(rows[0])) != len(rows[0]):
        raise FormatError(f"{path}: a column name comes twice: {', '.join(rows[0])}", path=str(path))
    return {name: [row[i] for row in rows[1:]] for i, name in enumerate(rows[0])}


def _parquet(path: Path) -> dict[str, Any]:
    try:
        import pyarrow.parquet  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise UnsupportedError(
            f"{path}: reading parquet needs pyarrow: pip install pyarrow", path=str(path)
        ) from None
    table = pyarrow.parquet.read_table(path)
    return {name: table.column(name).to_pylist() for name in table.column_names}


def _table(
    path: Path, table: Mapping[str, Any], key: str | None, column: str | None
) -> tuple[list[str] | None, Any]:
    for wanted in (key, column):
        if wanted is not None and wanted not in table:
            raise ArgumentError(f"{path}: no column {wanted!r}, only {', '.join(table)}", path=str(path))
    if key is None:
        key = next((name for name in table if name.lower() in _KEY_COLUMNS and name != column), None)
    rest = [name for name in table if name != key]
    if column is None and len(rest) != 1:
        raise ArgumentError(f"{path}: say which column to attach: {', '.join(rest)}", path=str(path))
    keys = None if key is None else [str(k) for k in table[key]]
    return keys, _numbers(table[column or rest[0]])


def _numbers(texts: list[Any]) -> Any:
    """Texts as ints where all are, else as floats, else as they are."""
    for kind in (int, float):
        try:
            return (
                np.array([kind(text) for text in texts]) if all(isinstance(t, str) for t in texts) else texts
            )
        except (ValueError, OverflowError):
            continue
    return texts


# Matching


def _flags(where: str, values: Any, dataset: Dataset, order: Order | None) -> npt.NDArray[np.bool_]:
    numbers = np.asarray(values)
    records = len(dataset)
    if numbers.ndim != 1 or (len(numbers) and numbers.dtype.kind not in "iu"):
        raise ArgumentError(f"{where}: flags are numbers of records, counted from 1")
    own = _own_numbers(dataset.keys) if order == "names" else None
    if own is not None and (not len(numbers) or (numbers.min() >= 1 and numbers.max() <= _VALIDATION_IMAGES)):
        return np.isin(own, numbers)
    if len(numbers) and not (numbers.min() >= 1 and numbers.max() <= records):
        wrong = numbers.min() if numbers.min() < 1 else numbers.max()
        raise ArgumentError(f"{where}: record {wrong}, counted from 1, of {records}")
    flags = np.zeros(records, bool)
    flags[numbers.astype(np.int64) - 1] = True
    return flags


def _own_numbers(keys: Sequence[str]) -> npt.NDArray[np.int64] | None:
    """The numbers in the names of validation images, ascending: right even where some are left out."""
    matches = [_VALIDATION_NAME.search(key) for key in keys]
    if not matches or any(match is None for match in matches):
        return None
    return np.sort([int(match[1]) for match in matches if match is not None])


def _by_order(where: str, dataset: Dataset, count: int, order: Order | None) -> npt.NDArray[np.int64]:
    """For each record, the place of its value."""
    if order not in ("records", "names"):
        raise ArgumentError(
            f"{where}: has no keys: say order='records' if its values are in the dataset's order, or "
            "order='names' if they are in that of the images' file names, as ImageNet's validation labels are"
        )
    if count != len(dataset):
        raise ArgumentError(
            f"{where}: expected {len(dataset)} values, one a record, found {count}",
            expected=str(len(dataset)),
            found=str(count),
        )
    if order == "records":
        return np.arange(count)
    names = [key.rpartition("/")[2] for key in dataset.keys]
    by_name = sorted(range(count), key=names.__getitem__)
    twice = [names[a] for a, b in itertools.pairwise(by_name) if names[a] == names[b]]
    if twice:
        raise ArgumentError(f"{where}: order='names': {len(twice)} file names come twice ({_some(twice)})")
    places = np.empty(count, np.int64)
    places[by_name] = np.arange(count)
    return places


def _by_key(where: str, dataset: Dataset, keys: Sequence[str], values: Any, missing: Any) -> list[Any]:
    found: dict[str, Any] = {}
    twice = []
    for text, value in zip(keys, values, strict=True):
        stem = _stem(text)
        twice += [text] if stem in found else []
        found[stem] = value
    if twice:
        raise ArgumentError(f"{where}: {len(twice)} keys come twice ({_some(twice)})")
    whole = any("/" in key for key in found)  # else file names without folders
    result, absent, names = [], [], set()
    for record_key in dataset.keys:
        name = record_key if whole else record_key.rpartition("/")[2]
        if not whole and name in names:
            raise ArgumentError(
                f"{where}: {name} is the name of several records; its keys must name the folder: {record_key}"
            )
        names.add(name)
        if name in found:
            result.append(found[name])
        else:
            absent.append(record_key)
            result.append(missing)
    unknown = [key for key in found if key not in names]
    if unknown:
        raise ArgumentError(f"{where}: {len(unknown)} keys are of no record here ({_some(unknown)})")
    if absent and missing is None:
        raise ArgumentError(
            f"{where}: no value for {len(absent)} of {len(dataset)} records ({_some(absent)}); "
            "missing=... gives one for them"
        )
    return result


def _stem(key: str) -> str:
    return key[: key.rindex(".")] if key.lower().endswith(_IMAGE_SUFFIXES) else key


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


# Packing


def _pack(where: str, values: Any) -> tuple[columns.Kind, npt.NDArray[Any], npt.NDArray[np.int64] | None]:
    """Kind, flat values, offsets."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        return "array", values, None
    values = list(values)
    if values and all(isinstance(v, str) for v in values):
        encoded = [v.encode() for v in values]
        return "string", np.frombuffer(b"".join(encoded), np.uint8), _offsets(map(len, encoded), len(values))
    try:
        array = np.array(values)
        if array.dtype.kind in "biuf" and (array.ndim == 1 or not isinstance(values[0], list)):
            return "array", array, None
    except ValueError:
        pass
    if not all(isinstance(v, (list, tuple, np.ndarray)) for v in values):
        odd = next((v for v in values if not isinstance(v, (list, tuple, np.ndarray))), None)
        raise ArgumentError(
            f"{where}: expected numbers, strings, or a list of numbers for each record; found {odd!r:.60} "
            "among others"
        )
    flat = [number for value in values for number in value]
    packed = np.array(flat) if flat else np.empty(0, np.int64)
    if packed.ndim != 1 or packed.dtype.kind not in "biuf":
        raise ArgumentError(f"{where}: lists of records must hold numbers")
    return "list", packed, _offsets(map(len, values), len(values))


def _offsets(lengths: Any, count: int) -> npt.NDArray[np.int64]:
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(np.fromiter(lengths, np.int64, count), out=offsets[1:])
    return offsets
