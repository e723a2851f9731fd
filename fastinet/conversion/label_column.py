"""The attached column that ``labels_as`` makes of the values in the place of labels.

The note of a shard contains its records' values until the run is complete (``shard_task.py``), so an
interrupted run loses none. The column is written before the manifest, so it exists as soon as the dataset
does.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from typing import Any

import numpy as np
import numpy.typing as npt

from fastinet.format.columns import Kind, PackedColumn
from fastinet.format.fields import NUMBERS

__all__ = ["packed"]

_NUMBER = re.compile(r"[^\s,;|\[\]()]+")


def packed(values: Mapping[str, Sequence[Any]]) -> dict[str, PackedColumn]:
    """The values of each split as a column, of one kind for all splits.

    Numbers, where there is nothing else: int64, or float64 with NaN for missing ones. Lists of numbers, where
    some are lists: a number is a list of one, what is missing an empty list. Else texts: what is no text is
    written as JSON, what is missing is "". Texts that are all numbers or lists of numbers count as such.
    """
    texts = [v.strip() for v in _all(values) if isinstance(v, str)]
    if all(not text or NUMBERS.fullmatch(text) for text in texts):
        values = {split: [_parsed(v) for v in of_split] for split, of_split in values.items()}
    try:
        if all(v is None or _is_number(v) for v in _all(values)):
            dtype = _dtype(math.nan if v is None else v for v in _all(values))
            arrays = {k: [math.nan if v is None else v for v in of_split] for k, of_split in values.items()}
            return {k: PackedColumn("array", np.array(array, dtype), None) for k, array in arrays.items()}
        if all(v is None or _is_number(v) or _is_numbers(v) for v in _all(values)):
            rows = {k: [_as_list(v) for v in of_split] for k, of_split in values.items()}
            dtype = _dtype(number for row in _all(rows) for number in row)
            return {
                k: _ragged("list", np.array([n for row in r for n in row], dtype), r) for k, r in rows.items()
            }
    except OverflowError:
        pass  # a number of more than 64 bits
    encoded = {k: [_text(v).encode() for v in of_split] for k, of_split in values.items()}
    return {k: _ragged("string", np.frombuffer(b"".join(r), np.uint8), r) for k, r in encoded.items()}


def _all(values: Mapping[str, Sequence[Any]]) -> Iterator[Any]:
    return itertools.chain.from_iterable(values.values())


def _ragged(kind: Kind, flat: npt.NDArray[Any], rows: Sequence[Sized]) -> PackedColumn:
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    return PackedColumn(kind, flat, offsets)


def _dtype(numbers: Iterable[float]) -> type[np.float64 | np.int64]:
    return np.float64 if any(isinstance(number, float) for number in numbers) else np.int64


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float))


def _is_numbers(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_number, value))


def _as_list(value: Any) -> list[float]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _parsed(value: Any) -> Any:
    """A text of numbers as a number, or in brackets or with several as a list; others as they are."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    numbers = [_number(part) for part in _NUMBER.findall(text)]
    if len(numbers) == 1 and text[0] not in "[(":
        return numbers[0]
    return numbers if text else None


def _number(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, default=str)
