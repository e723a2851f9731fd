"""Compares a sidecar with its tar: offsets, keys, labels and boxes.

This module reads the tar by the rules of FORMAT.md, and not with the code that conversion and indexing use,
so that it does not repeat their mistakes.
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
# Members that are not records: what operating systems leave in tars, and WebDataset's metadata.
_NOT_A_RECORD = re.compile(r"(?:.*/)?(?:\._[^/]*|__MACOSX/.*|__[^/]*__(?:/.*)?)\Z", re.DOTALL)
_FLAGS = 0b111  # of a box
_MAX_SIDE = 1 << 24

AddProblem = Callable[[FastinetError], None]


class LabelRule(NamedTuple):
    """Where the labels of a split's records come from.

    Attributes:
        labels: by class name.
        fields: extensions of the members that may hold the label; the first one that a record has counts.
        as_column: whether these values are in an attached column, so that all labels are -1.
        converted: whether fastinet wrote the tars, which then have labels in ``.cls`` only.
        skipped: whether images may be missing from the sidecar.
    """

    labels: Mapping[str, int]
    fields: tuple[str, ...]
    as_column: bool
    converted: bool
    skipped: bool

    @classmethod
    def of(cls, contents: Manifest, created_by: Mapping[str, Any]) -> LabelRule:
        """Returns the rule for the shards of a split that `created_by` describes."""
        recorded = created_by.get("options")
        options = recorded if isinstance(recorded, dict) else {}
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
    """All records of one shard, as its sidecar describes them."""

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
        """Reads the sidecar of a dataset of one shard.

        Raises:
            FastinetError: it cannot be read.
        """
        n = len(dataset)
        return cls(spec[0], spec[1], dataset.keys(0, n), dataset.facts(0, n), *dataset.boxes(0, n), spec[6])

    def wrong(self, record: int, what: str, expected: str, found: str) -> FormatError:
        """Returns the error for a wrong value of a record."""
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


def check_keys(sidecar: Sidecar, add_problem: AddProblem) -> None:
    """Checks FORMAT.md's rules for keys."""
    first: dict[str, int] = {}
    for record, key in enumerate(sidecar.keys):
        try:
            _core.check_key(os.fsencode(key))
        except ArgumentError as e:
            problem = "one that " + str(e).rpartition("key of a record ")[2]
            add_problem(sidecar.wrong(record, "key", "one that FORMAT.md allows", problem))
        if first.setdefault(key, record) != record:
            other = f"that of record {first[key]}"
            add_problem(sidecar.wrong(record, "key", "one that no other record of the shard has", other))


def check_boxes(sidecar: Sidecar, classes: int, add_problem: AddProblem) -> None:
    """Checks FORMAT.md's rules for boxes: within the image, not empty, of a valid class or none."""
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
        add_problem(sidecar.wrong(int(record[i]), "box", limits, f"({box})"))
    for i in np.flatnonzero((label < -1) | ((label >= classes) & (classes > 0))).tolist():
        add_problem(sidecar.wrong(int(record[i]), "label of a box", f"-1 to {classes - 1}", str(label[i])))
    for i in np.flatnonzero(flags & ~_FLAGS).tolist():
        add_problem(sidecar.wrong(int(record[i]), "flags of a box", f"0 to {_FLAGS}", str(flags[i])))


@dataclass
class _Group:
    """Consecutive members with one key: (offset, size) by extension, for the first of each extension."""

    key: str
    members: dict[str, tuple[int, int]] = field(default_factory=dict)
    record: int = -1  # the record whose payload is one of them

    @property
    def images(self) -> bool:
        """Whether a member has the extension of an image."""
        return not self.members.keys().isdisjoint(IMAGE_EXTENSIONS)


def check_members(sidecar: Sidecar, rule: LabelRule, add_problem: AddProblem) -> int:
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
            group, extension, member_size = places.get(offset, (None, "", 0))
            if group is None or extension in ("cls", "json"):
                what = f"a .{extension} member" if group else "none"
                add_problem(sidecar.wrong(record, f"image's member at byte {offset} of the tar", "one", what))
                continue
            group.record = record
            if member_size != size:
                add_problem(
                    sidecar.wrong(
                        record, "size of the image's member", f"{member_size} bytes", f"{size} bytes"
                    )
                )
            if key != group.key and key != kept_key(group.key):
                add_problem(sidecar.wrong(record, "key", f"{group.key!r}, as in the tar", repr(key)))
            read = {name: group.members[name] for name in (*rule.fields, "json") if name in group.members}
            contents = _MemberContents(
                {name: os.pread(handle, length, at) for name, (at, length) in read.items()}, sidecar.label_map
            )
            with_json += "json" in read
            problem = contents.label_problem(rule, label)
            if problem:
                add_problem(sidecar.wrong(record, "label", problem, str(label)))
            rows = sidecar.box_rows[ends[record] - sidecar.box_counts[record] : ends[record]].tolist()
            problem = contents.box_problem(rule, sidecar.box_sizes[record].tolist(), rows)
            if problem:
                add_problem(
                    sidecar.wrong(
                        record, "boxes", problem, _brief([*sidecar.box_sizes[record].tolist(), rows])
                    )
                )
    if not rule.skipped:
        for group in groups:
            if group.record < 0 and group.images and not _NOT_A_RECORD.match(group.key):
                add_problem(
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


class _MemberContents:
    """The label and boxes in a record's own members."""

    def __init__(self, content: Mapping[str, bytes], label_map: _core.LabelMap | None) -> None:
        self._content = content
        self._label_map = label_map

    def label_problem(self, rule: LabelRule, label: int) -> str:
        """Returns what was expected instead of `label`; "" if it is right."""
        if rule.as_column:
            return "" if label == -1 else "-1, as a column has the labels"
        for name in rule.fields:
            value = self._label_in(name)
            if value is not None:
                right = label == self._class(_number(value)) or (
                    isinstance(value, str) and label == rule.labels.get(value)
                )
                return "" if right else f"{_brief(value)}, as in .{name}"
        return "" if label == -1 else "-1, as the tar has no label"

    def _label_in(self, name: str) -> Any:
        """Returns the label in a member, a number or text; None if it has none."""
        if name not in self._content:
            return None
        if name.rpartition(".")[2] != "json":
            return self._content[name].decode(errors="replace").strip()
        value = self._json(name)
        if isinstance(value, dict):
            value = value.get("label", value.get("cls"))
        return value if type(value) in (int, float, str) else None

    def _json(self, name: str) -> Any:
        try:
            return json.loads(self._content.get(name, b"null"))
        except (ValueError, RecursionError):
            return None  # fastinet writes objects; other tools store anything

    def box_problem(self, rule: LabelRule, size: list[int], rows: list[list[int]]) -> str:
        """Returns what was expected instead of these boxes; "" if they are right."""
        whole = self._json("json")
        boxes = whole.get("boxes") if isinstance(whole, dict) else None
        if not isinstance(boxes, dict):
            if "json" in self._content and rule.converted:
                return ""  # the source's own annotations; its boxes come from another file
            boxes = {}
        wanted = self._with_classes(boxes.get("rows") or [])
        if wanted == rows and (not rows or [boxes.get("width"), boxes.get("height")] == size):
            return ""
        if not wanted:
            return "none, as in the tar"
        return f"{_brief([boxes.get('width'), boxes.get('height'), wanted])}, as in .json"

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


def _number(label: float | str) -> int | None:
    """Returns a label as an integer: 3 for 3.0, which tables write, and -1 (no class) for NaN."""
    try:
        value = float(label)
    except (ValueError, OverflowError):
        return None
    if value != value:
        return -1
    return int(value) if value.is_integer() else None


def _grouped(tar: str) -> tuple[list[_Group], dict[int, tuple[_Group, str, int]]]:
    """Returns the groups of members in order, and by offset the group, extension and size of each member."""
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
