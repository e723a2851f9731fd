"""Numbers and names for people, the same on the terminal and on the page."""

from __future__ import annotations

import json
from typing import Any

from fastinet.format.manifest import ClassInfo
from fastinet.inspection.facts import SplitFacts

__all__ = ["class_name", "made_by", "plural", "share", "size_of"]

# The fields of created_by that come first, with their names; and fields that are of no use to a person.
_FIELDS = {
    "fastinet": "fastinet",
    "source": "source",
    "shard_size": "shard size",
    "entry_points": "entry points",
    "on_bad": "on bad files",
}
_LEFT_OUT = {"plan", "metadata"}


def plural(count: int, noun: str, many: str = "") -> str:
    """Returns the count with its noun: "1 class", "2 classes"."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def size_of(count: float) -> str:
    """Returns bytes in decimal units: "138 GB"."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 999.5 or unit == "TB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" or count >= 99.95 else f"{count:.1f} {unit}"


def share(part: int, whole: int) -> str:
    """Returns a percentage, rounded so that only 0 gives "0%" and only the whole gives "100%"."""
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


def class_name(info: ClassInfo) -> str:
    """Returns the first word with the name, "Chihuahua (n02085620)", or only the name."""
    return f"{info.words[0]} ({info.name})" if info.words else info.name


def made_by(split: SplitFacts) -> list[tuple[str, str]]:
    """Returns how the split was made, from the manifest, without options that were not used."""
    fields: dict[str, Any] = {**split.created_by}
    order = list(_FIELDS)
    return [
        (_FIELDS.get(name, name.replace("_", " ")), _text(value))
        for name, value in sorted(
            fields.items(), key=lambda entry: (order.index(entry[0]) if entry[0] in order else 99, entry[0])
        )
        if name not in _LEFT_OUT and value is not None
    ]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
