"""Numbers and names as a person reads them, the same in the terminal and on the page."""

from __future__ import annotations

import json
from typing import Any

from fastinet.format.manifest import ClassInfo
from fastinet.inspection.facts import SplitFacts

__all__ = ["class_name", "made_by", "plural", "share", "size_of"]

# The first of created_by's fields and how they are called; and those that say nothing to a person.
_FIELDS = {
    "fastinet": "fastinet",
    "source": "source",
    "shard_size": "shard size",
    "entry_points": "entry points",
    "on_bad": "on bad files",
}
_LEFT_OUT = {"plan", "metadata"}


def plural(count: int, noun: str, many: str = "") -> str:
    """The count with the noun: "1 class", "2 classes"."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def size_of(count: float) -> str:
    """Bytes in decimal units: "138 GB"."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 999.5 or unit == "TB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" or count >= 99.95 else f"{count:.1f} {unit}"


def share(part: int, whole: int) -> str:
    """A percentage that never rounds something to nothing, nor nearly all to all."""
    if not whole or not part or part == whole:
        return "100%" if part and whole else "0%"
    percent = part / whole * 100
    if percent < 0.01:
        return "<0.01%"
    if percent > 99.9:
        return f"{min(int(percent * 100) / 100, 99.99):.2f}%"
    return (
        f"{percent:.0f}%" if percent >= 9.95 else f"{percent:.1f}%" if percent >= 0.095 else f"{percent:.2f}%"
    )


def class_name(found: ClassInfo) -> str:
    """Its first word with its name: "Chihuahua (n02085620)"; or the name alone."""
    return f"{found.words[0]} ({found.name})" if found.words else found.name


def made_by(split: SplitFacts) -> list[tuple[str, str]]:
    """What the manifest says of how it was made, without options that were not used."""
    told: dict[str, Any] = {**split.created_by}
    order = list(_FIELDS)
    return [
        (_FIELDS.get(name, name.replace("_", " ")), _said(value))
        for name, value in sorted(
            told.items(), key=lambda entry: (order.index(entry[0]) if entry[0] in order else 99, entry[0])
        )
        if name not in _LEFT_OUT and value is not None
    ]


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
