"""One list of classes and one hierarchy for several datasets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fastinet.format.contents import ClassInfo, Manifest

__all__ = ["MergedClasses", "merge_classes"]


class MergedClasses(NamedTuple):
    """The classes of several datasets, merged by name.

    Attributes:
        classes: by merged label: those of the first dataset, then those of the next that are new, and so on.
        maps: for each dataset, the merged label of each of its labels.
        hierarchy: the edges of all datasets.
        synsets: the nodes of the hierarchy that are not classes; empty where no dataset describes them.
    """

    classes: tuple[ClassInfo, ...]
    maps: tuple[tuple[int, ...], ...]
    hierarchy: tuple[tuple[str, str], ...]
    synsets: tuple[ClassInfo, ...]


def merge_classes(contents: Sequence[Manifest]) -> MergedClasses:
    """Merges classes, hierarchies and synsets by name. What two datasets say differently of one name (words,
    gloss, details) is taken from the first that says it; counts are added."""
    merged: dict[str, ClassInfo] = {}
    for manifest in contents:
        for info in manifest.classes:
            merged[info.name] = _joined(merged.get(info.name), info)
    labels = {name: label for label, name in enumerate(merged)}
    counted = all(c.count is not None for manifest in contents for c in manifest.classes)
    classes = tuple(c if counted else ClassInfo(c.name, c.words, c.gloss, c.details) for c in merged.values())
    edges = tuple(dict.fromkeys(edge for manifest in contents for edge in manifest.hierarchy))
    synsets: dict[str, ClassInfo] = {}
    for manifest in contents:
        for info in manifest.synsets:
            if info.name not in merged:
                synsets[info.name] = _joined(synsets.get(info.name), info)
    if synsets:  # then FORMAT.md wants every node among them
        for edge in edges:
            for name in edge:
                if name not in merged:
                    synsets.setdefault(name, ClassInfo(name))
    maps = tuple(tuple(labels[c.name] for c in manifest.classes) for manifest in contents)
    return MergedClasses(classes, maps, edges, tuple(synsets.values()))


def _joined(first: ClassInfo | None, second: ClassInfo) -> ClassInfo:
    if first is None:
        return second
    return ClassInfo(
        first.name,
        first.words or second.words,
        first.gloss or second.gloss,
        {**second.details, **first.details},
        (first.count or 0) + (second.count or 0),
    )
