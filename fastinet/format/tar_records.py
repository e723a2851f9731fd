"""How the members of a WebDataset tar form records, and what labels and boxes the records have.

As in WebDataset, the first ``.`` in the last component of a member's name ends the key, the rest is the field
(``d/Track 2.0.jpg``: key ``d/Track 2``, field ``0.jpg``), in lower case; consecutive members with the same
key are one record, and two members of one field are an error. Files that operating systems leave in tars
(``._x.jpg``) are ignored. ``fastinet index``, ``fastinet convert`` and every reader of a shard's tar follow
these rules.
"""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Generic, TypeVar

from fastinet.errors import FormatError
from fastinet.format.boxset import Box, boxes_of_json
from fastinet.format.fields import DEFAULT, Fields, class_of, no_label, wrong_label
from fastinet.format.file_kinds import ignored_kind, is_noise
from fastinet.format.keys import kept_key
from fastinet.format.limits import MAX_CLASSES

__all__ = [
    "IMAGE_EXTENSIONS",
    "NO_ANNOTATION",
    "TarRecord",
    "bad_record",
    "boxes_of",
    "is_image_field",
    "is_read",
    "label_of",
    "label_value",
    "records_of",
    "split_name",
    "tar_order",
]

T = TypeVar("T")
Part = tuple[int, str, T | str]  # number in the tar, name, what is known of the member

IMAGE_EXTENSIONS = ("jpg", "jpeg", "png", "bmp", "gif", "tif", "tiff", "webp", "ppm", "pgm", "img", "image")
# The .json of a record without annotations, in a shard where others have some.
NO_ANNOTATION = "{}"
_LABEL_FIELDS = ("cls", "json")
_KEY_AND_FIELD = re.compile(r"((?:.*/)?[^./]+)\.([^/]*)\Z", re.DOTALL)  # webdataset's base_plus_ext
_METADATA = re.compile(r"__[^/]*__(?:/|\Z)")  # webdataset's skip_meta
_NO_IMAGE = "no image"
_SHOWN = 12  # fields that a message lists
_SHOWN_KEY = 200
_LONGEST_KEY = 4096  # FORMAT.md


@dataclass(frozen=True)
class TarRecord(Generic[T]):
    """The members of one record; `T` is what is known of a member: its place, or its bytes.

    Attributes:
        key: of the record, as `kept_key` gives it.
        name: of the image's member; "" where there is none.
        image: the image; None: the record has none.
        fields: those that can hold the label, and ``json``.
        problem: why this is not a record; "" if it is one.
    """

    key: str
    name: str
    image: T | None
    fields: Mapping[str, T]
    problem: str = ""


def split_name(name: str) -> tuple[str, str] | None:
    """Returns the key and the field (in lower case) of a member; None if it belongs to no record."""
    match = None if is_noise(name) or _METADATA.match(name) else _KEY_AND_FIELD.match(name)
    return (match[1], match[2].lower()) if match else None


def is_image_field(field: str, fields: Fields = DEFAULT) -> bool:
    """Returns whether a field can be the image; of several in `fields`, a record uses the first it has."""
    return field in (fields.image or IMAGE_EXTENSIONS)


def is_read(field: str, fields: Fields = DEFAULT) -> bool:
    """Returns whether a field is read to describe a record: its label or its annotation."""
    return field == "json" or field in (fields.label or _LABEL_FIELDS)


def tar_order(
    members: Iterable[tuple[str, int, int]], skipped: Iterable[tuple[str, str, int]]
) -> list[tuple[str, tuple[int, int] | str]]:
    """Returns the result of ``_core.scan_tar`` as `records_of` takes it."""
    listed: list[tuple[int, str, tuple[int, int] | str]] = [
        *((offset, name, (offset, size)) for name, offset, size in members),
        *((offset, name, reason) for name, reason, offset in skipped),
    ]
    return [(name, member) for _, name, member in sorted(listed, key=lambda row: row[0])]


def records_of(
    members: Iterable[tuple[str, T | str]], ignored: Counter[str], fields: Fields = DEFAULT
) -> Iterator[TarRecord[T]]:
    """Yields the records of a tar, and what cannot be a record, with its problem.

    Args:
        members: name and contents (or place) of all members, in the order of the tar. For a member that is
            not a file, its kind ("folder", "hard link", ...) instead of the contents.
        ignored: counts, by field, the members that are not part of a record.
        fields: which fields are the image and the label.
    """
    seen: set[str] = set()
    whole = Counter[str]()  # how often each field is there, counted where it is asked for
    for key, group in groupby(_parts(members, ignored), key=lambda part: part[0]):
        parts: dict[str, Part[T]] = {}
        problem = ""
        for _, field, part in group:
            if field in parts:
                first = parts[field]
                problem = problem or (
                    f"two members of the field {field}: {first[1]} (member {first[0]} of the tar) and "
                    f"{part[1]} (member {part[0]})"
                )
            parts.setdefault(field, part)
        record = _record(key, parts, problem, ignored, fields)
        if not problem and record.problem == _NO_IMAGE:
            if isinstance(members, list) and not whole:
                whole.update(split[1] for name, _ in members if (split := split_name(name)))
            problem = _no_image(list(parts), whole, fields)
            if key in seen:
                problem += "; an earlier record has this key: members of a record have to lie side by side"
            record = replace(record, problem=problem)
        yield record
        seen.add(key)


def _record(
    key: str, parts: Mapping[str, Part[T]], problem: str, ignored: Counter[str], fields: Fields
) -> TarRecord[T]:
    images = [f for f in fields.image or parts if f in parts and is_image_field(f, fields)]
    read = [f for f in parts if is_read(f, fields) and f not in images[:1]]
    for field in parts.keys() - {*images[:1], *read}:
        ignored[field] += 1
    if not images:
        problem = problem or _NO_IMAGE
    elif len(images) > 1 and not fields.image:
        problem = problem or f"several images: {', '.join(images)}; choose with --image-field {images[0]}"
    link = next((parts[f] for f in (*images[:1], *read) if isinstance(parts[f][2], str)), None)
    if link is not None:
        problem = problem or f"member {link[1]} is no file of its own: {link[2]}"
    kept = kept_key(key)
    if len(kept.encode(errors="surrogateescape")) > _LONGEST_KEY:
        problem = problem or f"its key has more than {_LONGEST_KEY} bytes"
    if problem:
        return TarRecord(kept, parts[images[0]][1] if images else "", None, {}, problem)
    return TarRecord(kept, parts[images[0]][1], parts[images[0]][2], {f: parts[f][2] for f in read})  # type: ignore[arg-type, misc]


def bad_record(tar: str, record: TarRecord[Any], advice: str = "") -> FormatError:
    """Returns the error for a record with a problem."""
    key = record.key if len(record.key) < _SHOWN_KEY else f"{record.key[:_SHOWN_KEY]}..."
    return FormatError(f"{tar}: record {key}: {record.problem}{advice}", path=tar, key=key)


def _no_image(found: Sequence[str], whole: Counter[str], fields: Fields) -> str:
    """What there is instead of an image, with the choice of the fields that look like one and like a label.

    Args:
        found: the record's fields.
        whole: how many of each the tar has; empty where that is not known yet.
        fields: that were asked for.
    """
    listed = [f"{f} ({n})" for f, n in whole.most_common(_SHOWN)] if whole else list(found[:_SHOWN])
    more = ", ..." if len(whole or found) > len(listed) else ""
    images = [f for f in found if f.rpartition(".")[2] in IMAGE_EXTENSIONS]
    labels = [f for f in found if f.rpartition(".")[2] in _LABEL_FIELDS]
    chosen = [("image", f) for f in (*fields.image, *images[:1])] or [("image", "FIELD")]
    if fields.label or any("." in f for f in labels):
        chosen += [("label", f) for f in (*fields.label, *labels[:1]) if f]
    choice = " ".join(f"--{what}-field {shlex.quote(f)}" for what, f in chosen)
    wanted = " or ".join(fields.image) if fields.image else "an image of fastinet's"
    several = f"; this record has {len(images)} such: a name ends at its first dot" if len(images) > 1 else ""
    return f"no field is {wanted}; fields found: {', '.join(listed)}{more}; choose with {choice}{several}"


def label_of(
    fields: Mapping[str, bytes],
    labels: Mapping[str, int] | None,
    tar: str,
    key: str,
    chosen: Fields = DEFAULT,
) -> int:
    """Returns the label of a record, by its class's name or number; -1: none, or ``labels_as`` is set.

    Raises:
        FormatError: as `label_value`, or the value is not a label. The error names `tar` and `key`.
    """
    value, where = label_value(fields, tar, key, chosen)
    if chosen.labels_as:
        return -1
    if isinstance(value, str) and labels is not None and value in labels:
        return labels[value]
    label = class_of(value)
    if not isinstance(label, int):
        raise no_label(value, f"{tar}: record {key}: label{where}", tar, key)
    if label >= MAX_CLASSES:
        raise wrong_label(label, f"{tar}: record {key}: label{where}", tar, f"less than {MAX_CLASSES}", key)
    return label


def label_value(fields: Mapping[str, bytes], tar: str, key: str, chosen: Fields = DEFAULT) -> tuple[Any, str]:
    """Returns the value in the place of the label (None: nothing), and the field that has it, for messages.

    This is the value of the first chosen field, else of ``cls``, else of ``json``: a text; or the JSON value
    itself if it is a number, a text or a list of numbers, or else its ``label`` or ``cls``.

    Raises:
        FormatError: the text is empty, not UTF-8, or not JSON.
    """
    for field in chosen.label or _LABEL_FIELDS:
        if field not in fields:
            continue
        where = f" in .{field}"
        try:
            value: Any = fields[field].decode().strip()
            if field.rpartition(".")[2] == "json":
                value = json.loads(value)
        except (ValueError, RecursionError):
            found = fields[field][:40]
            raise no_label(found, f"{tar}: record {key}: label{where}", tar, key) from None
        if value == "":  # cut short, or forgotten
            raise no_label(value, f"{tar}: record {key}: label{where}", tar, key)
        if isinstance(value, dict):
            value = value.get("label", value.get("cls"))
        elif isinstance(value, list) and not (value and all(isinstance(v, (int, float)) for v in value)):
            value = None  # a list of annotations
        if value is not None:
            return value, where
    return None, ""


def boxes_of(data: bytes | None, tar: str, key: str) -> tuple[int, int, list[Box]] | None:
    """Returns the boxes that fastinet wrote into a record's JSON, or None if it has none.

    Raises:
        FormatError: the value of "boxes" is an object of another shape. The error names `tar` and `key`.
    """
    if data is None:
        return None
    try:
        annotation = json.loads(data)
    except (ValueError, RecursionError):
        return None  # where the JSON has to give the label, that is the error
    if not isinstance(annotation, dict) or not isinstance(annotation.get("boxes"), dict):
        return None
    try:
        return boxes_of_json(annotation["boxes"])
    except (KeyError, TypeError, ValueError):
        raise FormatError(
            f"{tar}: record {key}: boxes in .json: expected width, height and rows of six ints",
            path=tar,
            key=key,
        ) from None


def _parts(
    members: Iterable[tuple[str, T | str]], ignored: Counter[str]
) -> Iterator[tuple[str, str, Part[T]]]:
    """(key, field, part) of the members that are a record's."""
    for number, (name, member) in enumerate(members, 1):
        split = None if member == "folder" else split_name(name)
        if split is not None:
            yield *split, (number, name, member)
        elif member != "folder":
            metadata = _METADATA.match(name)
            kind = ignored_kind(name) if is_noise(name) else "metadata" if metadata else ""
            ignored[member if isinstance(member, str) and not kind else kind] += 1
