"""The classes of a dataset as columns, for the page's class explorer, which the browser draws lazily."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastinet.dataset.hierarchy import Hierarchy
from fastinet.format.manifest import ClassInfo
from fastinet.inspection.facts import SplitFacts

__all__ = ["class_tree"]


def class_tree(splits: Sequence[SplitFacts], samples: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Returns all classes and all synsets above them, as columns. A node is an index into the columns.

    Classes of the same name in several splits are one node. An image counts once in each subtree, however
    many paths lead to it.

    Args:
        splits: the splits whose classes and hierarchies are merged.
        samples: the ids of the sample pictures on the page, by class name.

    Returns:
        ``names``, ``words`` (lists), ``glosses``; ``children`` (lists of nodes, by their words), ``roots``;
        ``images`` (a list of counts of the subtree for each split) and ``classes`` (in the subtree);
        ``labels`` (of a class, else -1); ``samples`` (ids); ``splits`` (their names).
    """
    infos: dict[str, ClassInfo] = {}
    labels: dict[str, int] = {}
    edges: dict[tuple[str, str], None] = {}
    for split in splits:
        for label, found in enumerate(split.classes):
            infos.setdefault(found.name, found)
            labels.setdefault(found.name, label)
        edges |= dict.fromkeys(split.dataset.manifest.hierarchy)
    for split in splits:
        for synset in split.dataset.manifest.synsets:
            infos.setdefault(synset.name, synset)
    hierarchy = Hierarchy(edges)
    names = list(dict.fromkeys([*labels, *(name for edge in edges for name in edge)]))
    places = {name: place for place, name in enumerate(names)}

    images = np.zeros((len(names), len(splits)), np.int64)
    classes = np.zeros(len(names), np.int64)
    own = np.array([_counts(splits, name) for name in labels], np.int64).reshape(len(labels), len(splits))
    for name, counts in zip(labels, own, strict=True):
        above = [places[name], *(places[ancestor] for ancestor in hierarchy.ancestors(name))]
        images[above] += counts
        classes[above] += 1

    def words(name: str) -> list[str]:
        return list(infos[name].words) if name in infos else []

    def in_order(found: Sequence[str]) -> list[int]:
        return [places[n] for n in sorted(found, key=lambda n: ([w.casefold() for w in words(n)] or [n], n))]

    return {
        "splits": [split.split for split in splits],
        "names": names,
        "words": [words(name) for name in names],
        "glosses": [infos[name].gloss if name in infos else "" for name in names],
        "children": [in_order(hierarchy.children(name)) for name in names],
        "roots": in_order([name for name in names if not hierarchy.parents(name)]),
        "images": images.tolist(),
        "classes": classes.tolist(),
        "labels": [labels.get(name, -1) for name in names],
        "samples": [list(samples.get(name, ())) for name in names],
    }


def _counts(splits: Sequence[SplitFacts], name: str) -> list[int]:
    found = ((split, split.dataset.class_to_index.get(name)) for split in splits)
    return [0 if label is None else int(split.class_counts[label]) for split, label in found]
