"""Words, glosses and the hierarchy of a source's classes, from the metadata files that are at hand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from fastinet.conversion.sources.base import Source
from fastinet.format.manifest import ClassInfo
from fastinet.imagenet.names import WNID
from fastinet.imagenet.wordnet import WordNet

__all__ = ["Description", "describe"]


@dataclass(frozen=True)
class Description:
    """What the manifest says of the classes.

    Attributes:
        classes: by label.
        hierarchy: pairs (parent, child), from the classes up to the roots.
        synsets: the hierarchy's nodes that are no classes.
        digest: of the metadata files; empty: none were found.
    """

    classes: tuple[ClassInfo, ...]
    hierarchy: tuple[tuple[str, str], ...] = ()
    synsets: tuple[ClassInfo, ...] = ()
    digest: str = ""


def describe(source: Source, folder: str | os.PathLike[str] | None = None) -> Description:
    """The source's classes with what the metadata files say of them.

    Args:
        source: what the source itself says holds.
        folder: where the files are. None: in the source's folder or the one above it, looked for only if the
            classes are named by WNID.

    Raises:
        MissingFileError: `folder` has none of the files.
        FormatError: one of them is not what its name promises.
    """
    classes = tuple(source.classes)
    if folder is not None:
        found = WordNet.read(folder)
    elif hasattr(source, "hierarchy"):
        return Description(classes, source.hierarchy, getattr(source, "synsets", ()))
    elif classes and all(WNID.fullmatch(c.name) for c in classes):
        place = Path(source.location)
        found = WordNet.find(place, place.parent)
    else:
        return Description(classes)
    edges, inner = found.hierarchy_of(c.name for c in classes)
    return Description(found.describe(classes), edges, inner, found.digest)
