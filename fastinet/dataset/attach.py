"""From values with or without keys to a column: finds the value of each record, and packs the values."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from fastinet.dataset.value_files import read_values
from fastinet.errors import ArgumentError
from fastinet.format import columns

__all__ = ["Order", "PackedColumn", "build_column"]

Order = Literal["records", "names"]

_IMAGE_SUFFIXES = (".jpeg", ".jpg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_MOST_LISTED = 3
_VALIDATION_NAME = re.compile(r"(?:^|/)ILSVRC\d{4}_val_(\d{8})(?:~\d+)?\Z")
_VALIDATION_IMAGES = 50_000


class PackedColumn(NamedTuple):
    """The values of a column as :func:`fastinet.format.columns.attach` takes them."""

    kind: columns.Kind
    values: npt.NDArray[Any]
    offsets: npt.NDArray[np.int64] | None


def build_column(
    name: str,
    source: Any,
    record_keys: Sequence[str],
    *,
    key: str | None,
    column: str | None,
    order: Order | None,
    missing: Any,
    flags: bool,
) -> PackedColumn:
    """Reads the values in `source` and gives one to each of the records with these keys.

    The other arguments, and the errors, are those of :meth:`fastinet.Dataset.attach`.
    """
    where = f"column {name}"
    keys: list[str] | None = None
    if isinstance(source, (str, os.PathLike)):
        where = os.fspath(source)
        keys, values = read_values(Path(source), key, column)
    elif isinstance(source, Mapping):
        keys, values = [str(k) for k in source], list(source.values())
    else:
        values = source
    if flags:
        if keys is not None:
            raise ArgumentError(f"{where}: flags are numbers of records, but this source has keys")
        values = _flags(where, values, record_keys, order)
    if keys is None:
        places = _by_order(where, record_keys, len(values), order)
        values = values[places] if isinstance(values, np.ndarray) else [values[i] for i in places.tolist()]
    else:
        values = _by_key(where, record_keys, keys, values, missing)
    return _pack(where, values)


def _flags(where: str, values: Any, record_keys: Sequence[str], order: Order | None) -> npt.NDArray[np.bool_]:
    """Returns true for each record whose number, counted from 1, is among the values."""
    numbers = np.asarray(values)
    records = len(record_keys)
    if numbers.ndim != 1 or (len(numbers) and numbers.dtype.kind not in "iu"):
        raise ArgumentError(f"{where}: flags are numbers of records, counted from 1")
    in_names = _validation_numbers(record_keys) if order == "names" else None
    if in_names is not None and (
        not len(numbers) or (numbers.min() >= 1 and numbers.max() <= _VALIDATION_IMAGES)
    ):
        return np.isin(in_names, numbers)
    if len(numbers) and not (numbers.min() >= 1 and numbers.max() <= records):
        wrong = numbers.min() if numbers.min() < 1 else numbers.max()
        raise ArgumentError(f"{where}: record {wrong}, counted from 1, of {records}")
    flags = np.zeros(records, bool)
    flags[numbers.astype(np.int64) - 1] = True
    return flags


def _validation_numbers(keys: Iterable[str]) -> npt.NDArray[np.int64] | None:
    """Returns the numbers in the names of ILSVRC's validation images, ascending; None if a key is none.

    They stay right if some images were left out of the dataset.
    """
    matches = [_VALIDATION_NAME.search(key) for key in keys]
    if not matches or any(match is None for match in matches):
        return None
    return np.sort([int(match[1]) for match in matches if match is not None])


def _by_order(
    where: str, record_keys: Sequence[str], count: int, order: Order | None
) -> npt.NDArray[np.int64]:
    """Returns the place of each record's value among `count` values without keys."""
    if order not in ("records", "names"):
        raise ArgumentError(
            f"{where}: has no keys: say order='records' if its values are in the dataset's order, or "
            "order='names' if they are in that of the images' file names, as ImageNet's validation labels are"
        )
    if count != len(record_keys):
        raise ArgumentError(
            f"{where}: expected {len(record_keys)} values, one a record, found {count}",
            expected=str(len(record_keys)),
            found=str(count),
        )
    if order == "records":
        return np.arange(count)
    names = [key.rpartition("/")[2] for key in record_keys]
    by_name = sorted(range(count), key=names.__getitem__)
    repeated = [names[a] for a, b in itertools.pairwise(by_name) if names[a] == names[b]]
    if repeated:
        listed = _abbreviated(repeated)
        raise ArgumentError(f"{where}: order='names': {len(repeated)} file names are repeated ({listed})")
    places = np.empty(count, np.int64)
    places[by_name] = np.arange(count)
    return places


def _by_key(
    where: str, record_keys: Sequence[str], keys: Sequence[str], values: Any, missing: Any
) -> list[Any]:
    """Returns the value of each record, looked up by its key or by its file name."""
    by_stem: dict[str, Any] = {}
    repeated = []
    for text, value in zip(keys, values, strict=True):
        stem = _stem(text)
        if stem in by_stem:
            repeated.append(text)
        by_stem[stem] = value
    if repeated:
        raise ArgumentError(f"{where}: {len(repeated)} keys are repeated ({_abbreviated(repeated)})")
    with_folders = any("/" in key for key in by_stem)
    result, absent, names = [], [], set()
    for record_key in record_keys:
        name = record_key if with_folders else record_key.rpartition("/")[2]
        if not with_folders and name in names:
            raise ArgumentError(
                f"{where}: {name} is the name of several records, so its keys must include folders: "
                f"{record_key}"
            )
        names.add(name)
        if name in by_stem:
            result.append(by_stem[name])
        else:
            absent.append(record_key)
            result.append(missing)
    unknown = [key for key in by_stem if key not in names]
    if unknown:
        raise ArgumentError(f"{where}: {len(unknown)} keys are not of this dataset ({_abbreviated(unknown)})")
    if absent and missing is None:
        raise ArgumentError(
            f"{where}: no value for {len(absent)} of {len(record_keys)} records ({_abbreviated(absent)}); "
            "missing=... gives them one"
        )
    return result


def _stem(key: str) -> str:
    return key[: key.rindex(".")] if key.lower().endswith(_IMAGE_SUFFIXES) else key


def _abbreviated(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_LISTED]) + (", ..." if len(names) > _MOST_LISTED else "")


def _pack(where: str, values: Any) -> PackedColumn:
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        return PackedColumn("array", values, None)
    values = list(values)
    if values and all(isinstance(v, str) for v in values):
        encoded = [v.encode() for v in values]
        offsets = _offsets(map(len, encoded), len(values))
        return PackedColumn("string", np.frombuffer(b"".join(encoded), np.uint8), offsets)
    try:
        array = np.array(values)
        if array.dtype.kind in "biuf" and (array.ndim == 1 or not isinstance(values[0], list)):
            return PackedColumn("array", array, None)
    except ValueError:
        pass
    if not all(isinstance(v, (list, tuple, np.ndarray)) for v in values):
        other = next((v for v in values if not isinstance(v, (list, tuple, np.ndarray))), None)
        raise ArgumentError(
            f"{where}: expected numbers, strings, or a list of numbers for each record; found {other!r:.60} "
            "among others"
        )
    flat = [number for value in values for number in value]
    packed = np.array(flat) if flat else np.empty(0, np.int64)
    if packed.ndim != 1 or packed.dtype.kind not in "biuf":
        raise ArgumentError(f"{where}: the lists of records must hold numbers")
    return PackedColumn("list", packed, _offsets(map(len, values), len(values)))


def _offsets(lengths: Iterable[int], count: int) -> npt.NDArray[np.int64]:
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(np.fromiter(lengths, np.int64, count), out=offsets[1:])
    return offsets
