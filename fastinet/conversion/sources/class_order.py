"""Another order of a source's classes, and so other labels: as a file lists them."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from fastinet.conversion.sources.base import OPTIONAL, Sample, Source, Survey
from fastinet.conversion.sources.files import lines_of
from fastinet.errors import ArgumentError
from fastinet.format.boxset import BoxSet
from fastinet.format.manifest import ClassInfo

__all__ = ["InOrder", "read_class_order", "resolved", "text_order_remark"]

_NUMBERED = re.compile(r"([^0-9]*)([0-9]+)")
_MOST_NAMED = 5


def read_class_order(order: Sequence[str] | str | os.PathLike[str]) -> tuple[tuple[str, ...], str]:
    """Names, and where they are from: a file's lines but for blank ones, or names as they are given.

    Raises:
        MissingFileError, ShardIOError: the file cannot be read.
        FormatError: it is not UTF-8.
    """
    if not isinstance(order, (str, os.PathLike)):
        return tuple(order), "class_order"
    return tuple(line.strip() for _, line in lines_of(Path(order))), os.fspath(order)


def text_order_remark(classes: Sequence[ClassInfo]) -> list[str]:
    """What to say of numbered classes that are sorted as text: "10" before "2"; nothing of others."""
    names = [c.name for c in classes]
    matches = [_NUMBERED.fullmatch(name) for name in names]
    numbers = [(m[1], int(m[2])) for m in matches if m]
    if len(numbers) < len(names) or len({prefix for prefix, _ in numbers}) != 1 or sorted(names) != names:
        return []
    label = next((i for i, (a, b) in enumerate(pairwise(numbers)) if a > b), None)
    if label is None:
        return []
    return [
        f"{names[label]} before {names[label + 1]}, as torchvision sorts: label {label + 1} is "
        f"{names[label + 1]}; --class-order FILE (class_order=) gives another order"
    ]


def resolved(names: Iterable[str], there: Iterable[str]) -> list[str]:
    """Each name as it is where it is `there`, else its first word: what follows may be a description."""
    known = frozenset(there)
    return [name if name in known else (name.split() or [""])[0] for name in names]


class InOrder:
    """Another source's samples, with labels, also of their boxes, by the order of `names`.

    A name stands for the class so called, or for the one that its first word names, so that lists with words
    behind the WNIDs serve: ``n01440764 tench, Tinca tinca``. Classes of a source whose labels are numbers are
    named by these: "7" in the first line makes label 7 label 0. JSON beside an image stays the source's, but
    for boxes in it that fastinet wrote.

    Attributes:
        class_order: what the manifest says of it, with a digest, for recognising an interrupted run.

    Raises:
        ArgumentError: a class is missing, unknown or there twice; `where` is what the message names.
    """

    def __init__(self, source: Source, names: Sequence[str], where: str = "class_order") -> None:
        self._source = source
        classes = {c.name: c for c in source.classes}
        order = resolved(names, classes)
        _refuse_others(source, names, order, where)
        self.classes = tuple(classes[name] for name in order)
        labels = {name: label for label, name in enumerate(order)}
        self._relabel = [labels[c.name] for c in source.classes]
        self.kind, self.location, self.splits = source.kind, source.location, tuple(source.splits)
        digest = hashlib.blake2b("\n".join(order).encode(errors="surrogateescape"), digest_size=16)
        self.class_order = f"as given ({digest.hexdigest()})"
        for name in OPTIONAL:
            if hasattr(source, name):
                setattr(self, name, getattr(source, name))

    def survey(self, split: str) -> Survey:
        """The source's, and that the order is not its own."""
        survey = self._source.survey(split)
        return Survey(survey.records, {"order of the classes": ["as given, by class_order"], **survey.notes})

    def samples(self, split: str) -> Iterator[Sample]:
        """The source's, with the labels of this order."""
        for sample in self._source.samples(split):
            moved = sample._replace(label=self._moved(sample.label))
            if sample.boxes is None or not sample.boxes.boxes:
                yield moved
                continue
            boxes = sample.boxes._replace(
                boxes=tuple((self._moved(b[0]), *b[1:]) for b in sample.boxes.boxes)
            )
            yield moved._replace(boxes=boxes, annotation=_with_boxes(sample.annotation, boxes))

    def _moved(self, label: int) -> int:
        return self._relabel[label] if label >= 0 else label


def _with_boxes(annotation: str, boxes: BoxSet) -> str:
    """The JSON text with these boxes, where it holds any of fastinet's."""
    told = json.loads(annotation) if annotation else None
    if not isinstance(told, dict) or not isinstance(told.get("boxes"), dict):
        return annotation
    return json.dumps({**told, **json.loads(boxes.to_json())}, separators=(",", ":"), ensure_ascii=False)


def _refuse_others(source: Source, given: Sequence[str], order: Sequence[str], where: str) -> None:
    there = [c.name for c in source.classes]
    counts = Counter(order)
    known = set(there)
    problems = {
        "missing": [name for name in there if name not in counts],
        "unknown": [text for text, name in zip(given, order, strict=True) if name not in known],
        "twice": [name for name, count in counts.items() if count > 1 and name in known],
    }
    told = [f"{kind}: {_some(names)}" for kind, names in problems.items() if names]
    if told:
        raise ArgumentError(
            f"{where}: expected each of the {len(there)} classes of {source.location} ({_some(there)}) once, "
            f"found {len(given)} names; {'; '.join(told)}",
            path=where,
            expected=f"{len(there)} classes",
            found="; ".join(told),
        )


def _some(names: Sequence[str]) -> str:
    more = f", ... ({len(names):,})" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
