"""What a conversion did: for the caller, and as the JSON of ``DST/<split>/report.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from fastinet import _core
from fastinet.errors import FormatError
from fastinet.format.json_files import member, wrong
from fastinet.reports import Report

__all__ = ["EXAMPLES", "ConversionReport", "SplitReport", "most_examples"]

EXAMPLES = 8  # keys that are listed of what many images are; of the rest, and of bad files, all
_MOST_EXAMPLES = 1000
_COUNTS = ("records", "shards", "payload_bytes", "tar_bytes", "index_bytes", "with_entry_points")


def most_examples(kind: str) -> int:
    """How many keys of images of a kind are listed."""
    return EXAMPLES if kind in _core.COMMON_REMARKS else _MOST_EXAMPLES


@dataclass(frozen=True)
class SplitReport:
    """One split.

    Attributes:
        records: written.
        shards: written.
        payload_bytes: of the images; ``tar_bytes`` with the tar around them; ``index_bytes`` of the sidecars.
        remarks: images by what is notable about them ("gray", "CMYK", "progressive", ...); an image may count
            more than once.
        examples: keys of images of each kind: of the common ones ("gray", "progressive", "EXIF-rotated",
            "under 32 px") eight, of others all up to a thousand.
        with_entry_points: images that can be decoded from the middle.
        bad: (origin, reason) of records that were left out, or kept although they are no images.
        notes: what the source had to say (files ignored, ...), classes without images, and keys that got a
            number because two files would have had the same.
        box_problems: (origin, reason) of boxes that were dropped or clipped, and of unreadable annotations.
    """

    records: int
    shards: int
    payload_bytes: int
    tar_bytes: int
    index_bytes: int
    with_entry_points: int
    remarks: Mapping[str, int]
    examples: Mapping[str, Sequence[str]]
    bad: Sequence[tuple[str, str]]
    notes: Mapping[str, Sequence[str]]
    box_problems: Sequence[tuple[str, str]] = ()

    @classmethod
    def from_json(cls, value: Any, path: str) -> SplitReport:
        """The inverse of ``to_json``.

        Raises:
            FormatError: it is no such report; `path` is named.
        """
        counts = {name: member(value, name, int, path) for name in _COUNTS}
        kinds = member(value, "remarks", dict, path)
        remarks = {kind: member(row, "count", int, path, f"remarks.{kind}") for kind, row in kinds.items()}
        examples = {kind: _texts(row, "examples", path, f"remarks.{kind}") for kind, row in kinds.items()}
        notes = member(value, "notes", dict, path)
        return cls(
            **counts,
            remarks=remarks,
            examples=examples,
            bad=_pairs(value, "bad", path),
            notes={kind: _texts(notes, kind, path, "notes") for kind in notes},
            box_problems=_pairs(value, "box_problems", path),
        )

    def to_json(self) -> dict[str, Any]:
        """As ``report.json`` holds it; the same on every run."""
        return {
            "records": self.records,
            "shards": self.shards,
            "payload_bytes": self.payload_bytes,
            "tar_bytes": self.tar_bytes,
            "index_bytes": self.index_bytes,
            "with_entry_points": self.with_entry_points,
            "remarks": {
                kind: {"count": n, "examples": list(self.examples.get(kind, ()))}
                for kind, n in self.remarks.items()
            },
            "bad": [{"file": origin, "reason": reason} for origin, reason in self.bad],
            "notes": {kind: list(texts) for kind, texts in self.notes.items()},
            "box_problems": [{"file": origin, "reason": why} for origin, why in self.box_problems],
        }


@dataclass(frozen=True)
class ConversionReport(Report):
    """What :func:`fastinet.convert` returns.

    Attributes:
        path: the dataset; a URL is a str.
        classes: how many.
        splits: by name.
        on_bad: the policy for bad files.
        seconds: wall time; ``cpu_seconds``: user and system time of this process.
        fresh_records: written by this run; the others were there from one that had been interrupted.
        fresh_bytes: their payloads.
    """

    view: ClassVar[str] = "conversion"

    path: Path | str
    classes: int
    splits: Mapping[str, SplitReport]
    on_bad: str
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    fresh_records: int = 0
    fresh_bytes: int = 0
    already_complete: bool = field(default=False)

    @property
    def records(self) -> int:
        """Of all splits."""
        return sum(split.records for split in self.splits.values())


def _texts(fields: Any, name: str, path: str, place: str) -> list[str]:
    texts: list[str] = member(fields, name, list, path, place)
    for text in texts:
        if type(text) is not str:
            raise wrong(FormatError, path, f"{place}.{name}", "a list of strings", text)
    return texts


def _pairs(value: Any, name: str, path: str) -> list[tuple[str, str]]:
    return [
        (member(row, "file", str, path, f"{name}[{i}]"), member(row, "reason", str, path, f"{name}[{i}]"))
        for i, row in enumerate(member(value, name, list, path))
    ]
