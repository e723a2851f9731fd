"""How the members of a WebDataset tar are records: which belong together, and what label and boxes they tell.

The key is a member's name up to the first ``.`` of its last component, the rest is the extension; members in
a row with the same key are one record, as WebDataset groups them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Generic, TypeVar

from fastinet.conversion.voc import Box, boxes_of_json
from fastinet.errors import FormatError

__all__ = [
    "IMAGE_EXTENSIONS",
    "NUMBER",
    "TarRecord",
    "boxes_of",
    "label_of",
    "records_of",
    "told_label",
    "wrong_label",
]

T = TypeVar("T")

IMAGE_EXTENSIONS = ("jpg", "jpeg", "png", "bmp", "gif", "tif", "tiff", "webp", "ppm", "pgm", "img", "image")
_FIELDS = ("cls", "json")
_KEY_AND_EXTENSION = re.compile(r"((?:.*/)?[^./]+)\.([^/]*)\Z", re.DOTALL)  # webdataset's base_plus_ext
NUMBER = re.compile(r"-1|[0-9]{1,9}")


@dataclass(frozen=True)
class TarRecord(Generic[T]):
    """The members of one record; `T` is what is known of a member: its place, or its bytes.

    Attributes:
        key: of the record.
        name: of the image's member; "" where there is no image.
        image: the first image; None: there is none.
        fields: the members ``cls`` and ``json``, by extension.
    """

    key: str
    name: str
    image: T | None
    fields: Mapping[str, T]


def records_of(members: Iterable[tuple[str, T]], ignored: Counter[str]) -> Iterator[TarRecord[T]]:
    """The records of a tar, lazily.

    Args:
        members: (name, what is known of it), in the tar's order.
        ignored: counts, by extension, the members that are none of a record's parts.
    """
    for key, group in groupby(_parts(members, ignored), key=lambda part: part[0]):
        image: T | None = None
        image_name, fields = "", {}
        for _, extension, name, member in group:
            if image is None and extension in IMAGE_EXTENSIONS:
                image, image_name = member, name
            elif extension in _FIELDS:
                fields[extension] = member
            else:
                ignored[extension] += 1
        yield TarRecord(key, image_name, image, fields)


def label_of(fields: Mapping[str, bytes], labels: Mapping[str, int] | None, tar: str, key: str) -> int:
    """The label of a record: a class's by its name, or the number itself; -1: none.

    Raises:
        FormatError: as `told_label`, or a text that is neither.
    """
    told = told_label(fields, tar, key)
    if told is None:
        return -1
    value, extension = told
    if isinstance(value, int):
        return value
    if labels is not None and value in labels:
        return labels[value]
    if not NUMBER.fullmatch(value):
        raise _bad_label(tar, key, extension, repr(value))
    return int(value)


def told_label(fields: Mapping[str, bytes], tar: str, key: str) -> tuple[int | str, str] | None:
    """What ``cls``, or else ``json`` (itself, or its ``label`` or ``cls``), says, and which; None: neither.

    Raises:
        FormatError: neither a number from -1 nor a text, or not UTF-8 or JSON; `tar` and `key` are named.
    """
    for extension in sorted(fields):  # cls before json
        try:
            text = fields[extension].decode().strip()
            value: Any = text if extension == "cls" else json.loads(text)
        except (ValueError, RecursionError):
            raise _bad_label(tar, key, extension, repr(fields[extension][:40])) from None
        if isinstance(value, dict):
            value = value.get("label", value.get("cls"))
            if value is None:
                continue
        if (isinstance(value, str) and value) or (type(value) is int and -1 <= value < 1 << 31):
            return value, extension
        if extension == "cls" or isinstance(value, (str, int, float)):
            raise _bad_label(tar, key, extension, repr(value))
    return None


def wrong_label(tar: str, key: str, expected: str, found: str, where: str = "") -> FormatError:
    """The error for a label."""
    return FormatError(f"{tar}: record {key}: label{where}: expected {expected}, found {found}",
                       path=tar, key=key, expected=expected, found=found)  # fmt: skip


def boxes_of(data: bytes | None, tar: str, key: str) -> tuple[int, int, list[Box]] | None:
    """The boxes that fastinet wrote into a record's JSON; None: none.

    Raises:
        FormatError: the value of "boxes" is an object of another shape; `tar` and `key` are named.
    """
    if data is None:
        return None
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        return None  # where the JSON has to give the label, that is the error
    if not isinstance(told, dict) or not isinstance(told.get("boxes"), dict):
        return None
    try:
        return boxes_of_json(told["boxes"])
    except (KeyError, TypeError, ValueError):
        raise FormatError(f"{tar}: record {key}: boxes in .json: expected width, height and rows of six ints",
                          path=tar, key=key) from None  # fmt: skip


def _parts(members: Iterable[tuple[str, T]], ignored: Counter[str]) -> Iterator[tuple[str, str, str, T]]:
    """(key, extension in lower case, name, member) of the members that have an extension."""
    for name, member in members:
        match = _KEY_AND_EXTENSION.match(name)
        if match is None:
            ignored[""] += 1
        else:
            yield match[1], match[2].lower(), name, member


def _bad_label(tar: str, key: str, extension: str, found: str) -> FormatError:
    return wrong_label(tar, key, "a number of 0 or more, or the name of a class", found, f" in .{extension}")
