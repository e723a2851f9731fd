"""A sidecar against its tar: places, keys, labels and boxes, told by the members alone.

The tar is read here by FORMAT.md's rules and not by the code that conversion and indexing use, so that a
fault of theirs is not repeated.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastinet import _core
from fastinet.dataset.dataset import ShardSpec
from fastinet.errors import ArgumentError, FastinetError, FormatError
from fastinet.format.keys import kept_key
from fastinet.format.manifest import Manifest
from fastinet.format.tar_records import IMAGE_EXTENSIONS

__all__ = ["LabelRule", "Sidecar", "check_boxes", "check_keys", "check_members"]

_KEY_AND_EXTENSION = re.compile(r"((?:.*/)?[^./]+)\.([^/]*)\Z", re.DOTALL)
# What operating systems leave in tars, and WebDataset's metadata: no records.
_NO_RECORD = re.compile(r"(?:.*/)?(?:\._[^/]*|__MACOSX/.*|__[^/]*__(?:/.*)?)\Z", re.DOTALL)
_FLAGS = 0b111  # of a box
_MAX_SIDE = 1 << 24

Found = Callable[[FastinetError], None]  # takes a problem


class LabelRule(NamedTuple):
    """How a split's records came by their labels.

    Attributes:
        labels: by class name.
        fields: extensions of the members that tell the label, the first that is there.
        as_column: whether an attached column has what they tell, and all labels are -1.
        converted: whether fastinet wrote the tars, with labels in ``.cls`` alone.
        skipped: whether images may be in a tar and not in its sidecar.
    """

    labels: Mapping[str, int]
    fields: tuple[str, ...]
    as_column: bool
    converted: bool
    skipped: bool

    @classmethod
    def of(cls, contents: Manifest, created_by: Mapping[str, Any]) -> LabelRule:
        """For the shards of a split that `created_by` describes."""
        told = created_by.get("options")
        options = told if isinstance(told, dict) else {}
        chosen = options.get("label_field")
        fields = tuple(map(str, chosen)) if chosen and isinstance(chosen, list) else ("cls", "json")
        whole = converted(created_by)
        return cls(
            {c.name: label for label, c in enumerate(contents.classes)},
            ("cls",) if whole else fields,
            bool(options.get("labels_as")),
            whole,
            options.get("on_bad") == "skip",
        )


def converted(created_by: Mapping[str, Any]) -> bool:
    """Whether fastinet wrote the shards that this describes, and not only their sidecars."""
    return "plan" in created_by


@dataclass(frozen=True)
class Sidecar:
    """What the sidecar of one shard says of all its records."""

    tar: str
    index: str
    keys: list[str]
    facts: npt.NDArray[np.void]
    box_counts: npt.NDArray[np.int64]
    box_sizes: npt.NDArray[np.int32]
    box_rows: npt.NDArray[np.int32]
    label_map: _core.LabelMap | None

    @classmethod
    def of(cls, dataset: _core.ShardedDataset, spec: ShardSpec) -> Sidecar:
        """Of a dataset of one shard.

        Raises:
            FastinetError: it cannot be read.
        """
        n = len(dataset)
        return cls(spec[0], spec[1], dataset.keys(0, n), dataset.facts(0, n), *dataset.boxes(0, n), spec[6])

    def wrong(self, record: int, what: str, expected: str, found: str) -> FormatError:
        """The error for what the sidecar says of a record."""
        key = self.keys[record]
        compared = f": expected {expected}, found {found}" if expected or found else ""
        return FormatError(
            f"{self.index}: record {record} ({key}): {what}{compared}",
            path=self.index,
            record=record,
            key=key,
            expected=expected,
            found=found,
        )


def check_keys(sidecar: Sidecar, found: Found) -> None:
    """FORMAT.md's rules for keys."""
    first: dict[str, int] = {}
    for record, key in enumerate(sidecar.keys):
        try:
            _core.check_key(os.fsencode(key))
        except ArgumentError as e:
            problem = "one that " + str(e).rpartition("key of a record ")[2]
            found(sidecar.wrong(record, "key", "one that FORMAT.md allows", problem))
        if first.setdefault(key, record) != record:
            other = f"that of record {first[key]}"
            found(sidecar.wrong(record, "key", "one that no other record of the shard has", other))


def check_boxes(sidecar: Sidecar, classes: int, found: Found) -> None:
    """FORMAT.md's rules for boxes: they lie in the image, have an area, and a class or none."""
    if not len(sidecar.box_rows):
        return
    record = np.repeat(np.arange(len(sidecar.keys)), sidecar.box_counts)
    sizes = sidecar.box_sizes[record].astype(np.int64)
    own = np.stack([sidecar.facts["width"], sidecar.facts["height"]], axis=1)[record]
    sizes = np.where((sizes == 0).all(axis=1, keepdims=True), own, sizes)
    sizes[sizes == 0] = _MAX_SIDE  # not known
    label, xmin, ymin, xmax, ymax, flags = sidecar.box_rows.T.astype(np.int64)
    outside = (np.minimum(xmin, ymin) < 0) | (xmin >= xmax) | (ymin >= ymax)
    outside |= (xmax > sizes[:, 0]) | (ymax > sizes[:, 1])
    for i in np.flatnonzero(outside).tolist():
        box = ", ".join(map(str, sidecar.box_rows[i, 1:5].tolist()))
        limits = f"0 <= xmin < xmax <= {sizes[i, 0]} and 0 <= ymin < ymax <= {sizes[i, 1]}"
        found(sidecar.wrong(int(record[i]), "box", limits, f"({box})"))
    for i in np.flatnonzero((label < -1) | ((label >= classes) & (classes > 0))).tolist():
        found(sidecar.wrong(int(record[i]), "label of a box", f"-1 to {classes - 1}", str(label[i])))
    for i in np.flatnonzero(flags & ~_FLAGS).tolist():
        found(sidecar.wrong(int(record[i]), "flags of a box", f"0 to {_FLAGS}", str(flags[i])))


@dataclass
class _Group:
    """Members that follow each other and have one key: (offset, size) by extension, the first of each."""

    key: str
    members: dict[str, tuple[int, int]] = field(default_factory=dict)
    record: int = -1  # whose payload is one of them

    @property
    def images(self) -> bool:
        """Whether a member has an image's extension."""
        return not self.members.keys().isdisjoint(IMAGE_EXTENSIONS)


def check_members(sidecar: Sidecar, rule: LabelRule, found: Found) -> int:
    """Compares each record with the members of its tar.

    Returns:
        How many records have a ``.json`` member.

    Raises:
        FastinetError: the tar cannot be read.
    """
    groups, places = _grouped(sidecar.tar)
    with_json = 0
    ends = np.cumsum(sidecar.box_counts)
    offsets, sizes = sidecar.facts["payload_offset"].tolist(), sidecar.facts["payload_bytes"].tolist()
    labels = sidecar.facts["label"].tolist()
    with open(sidecar.tar, "rb", buffering=0) as file:  # noqa: PTH123 - a name may hold any bytes
        handle = file.fileno()
        for record, (offset, size, label, key) in enumerate(
            zip(offsets, sizes, labels, sidecar.keys, strict=True)
        ):
            group, extension, there = places.get(offset, (None, "", 0))
            if group is None or extension in ("cls", "json"):
                what = f"a .{extension} member" if group else "none"
                found(sidecar.wrong(record, f"image's member at byte {offset} of the tar", "one", what))
                continue
            group.record = record
            if there != size:
                found(sidecar.wrong(record, "size of the image's member", f"{there} bytes", f"{size} bytes"))
            if key != group.key and key != kept_key(group.key):
                found(sidecar.wrong(record, "key", f"{group.key!r}, as in the tar", repr(key)))
            read = {name: group.members[name] for name in (*rule.fields, "json") if name in group.members}
            told = _Told(
                {name: os.pread(handle, length, at) for name, (at, length) in read.items()}, sidecar.label_map
            )
            with_json += "json" in read
            problem = told.label_problem(rule, label)
            if problem:
                found(sidecar.wrong(record, "label", problem, str(label)))
            rows = sidecar.box_rows[ends[record] - sidecar.box_counts[record] : ends[record]].tolist()
            problem = told.box_problem(rule, sidecar.box_sizes[record].tolist(), rows)
            if problem:
                found(
                    sidecar.wrong(
                        record, "boxes", problem, _brief([*sidecar.box_sizes[record].tolist(), rows])
                    )
                )
    if not rule.skipped:
        for group in groups:
            if group.record < 0 and group.images and not _NO_RECORD.match(group.key):
                found(
                    FormatError(
                        f"{sidecar.index}: key {group.key}: "
                        "expected a record, as the tar has one, found none",
                        path=sidecar.index,
                        key=group.key,
                        expected="a record",
                        found="none",
                    )
                )
    return with_json


class _Told:
    """What a record's own members say of it."""

    def __init__(self, content: Mapping[str, bytes], label_map: _core.LabelMap | None) -> None:
        self._content = content
        self._label_map = label_map

    def label_problem(self, rule: LabelRule, label: int) -> str:
        """What was expected instead of `label`; "" where it is right."""
        if rule.as_column:
            return "" if label == -1 else "-1, as a column has the labels"
        for name in rule.fields:
            told = self._label_in(name)
            if told is not None:
                right = label == self._class(_number(told)) or (
                    isinstance(told, str) and label == rule.labels.get(told)
                )
                return "" if right else f"{_brief(told)}, as in .{name}"
        return "" if label == -1 else "-1, as the tar has no label"

    def _label_in(self, name: str) -> Any:
        """The number or text of a member; None: it has none."""
        if name not in self._content:
            return None
        if name.rpartition(".")[2] != "json":
            return self._content[name].decode(errors="replace").strip()
        told = self._json(name)
        told = told.get("label", told.get("cls")) if isinstance(told, dict) else told
        return told if type(told) in (int, float, str) else None

    def _json(self, name: str) -> Any:
        try:
            return json.loads(self._content.get(name, b"null"))
        except (ValueError, RecursionError):
            return None  # FORMAT.md promises an object; others keep what they like there

    def box_problem(self, rule: LabelRule, size: list[int], rows: list[list[int]]) -> str:
        """What was expected instead of these boxes; "" where they are right."""
        whole = self._json("json")
        told = whole.get("boxes") if isinstance(whole, dict) else None
        if not isinstance(told, dict) and "json" in self._content and rule.converted:
            return ""  # annotations of the source's own, beside boxes that came from elsewhere
        there = told if isinstance(told, dict) else {}
        wanted = self._with_classes(there.get("rows") or [])
        if wanted == rows and (not rows or [there.get("width"), there.get("height")] == size):
            return ""
        if not wanted:
            return "none, as in the tar"
        return f"{_brief([there.get('width'), there.get('height'), wanted])}, as in .json"

    def _class(self, label: int | None) -> int | None:
        """The dataset's class for a label of the tar; None: it has none."""
        if label is None or self._label_map is None:
            return label
        return self._label_map(label) if -1 <= label < len(self._label_map) else None

    def _with_classes(self, rows: Any) -> Any:
        """Boxes of the tar with the dataset's classes; what is not a list of boxes stays as it is."""
        if self._label_map is None or not isinstance(rows, list):
            return rows
        return [
            [self._class(row[0]), *row[1:]] if isinstance(row, list) and row and type(row[0]) is int else row
            for row in rows
        ]


def _number(told: float | str) -> int | None:
    """The class that a number stands for, also where a table wrote it as 3.0; -1 for NaN: no class."""
    try:
        value = float(told)
    except (ValueError, OverflowError):
        return None
    if value != value:
        return -1
    return int(value) if value.is_integer() else None


def _grouped(tar: str) -> tuple[list[_Group], dict[int, tuple[_Group, str, int]]]:
    """The groups of members in order; and by offset, the group, extension and size of each member."""
    groups: list[_Group] = []
    places: dict[int, tuple[_Group, str, int]] = {}
    for name, offset, size in _core.scan_tar(os.fsencode(tar))[0]:
        match = _KEY_AND_EXTENSION.match(name)
        if match is None:
            continue
        key, extension = match[1], match[2].lower()
        if not groups or groups[-1].key != key:
            groups.append(_Group(key))
        groups[-1].members.setdefault(extension, (offset, size))
        places[offset] = (groups[-1], extension, size)
    return groups, places


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."
