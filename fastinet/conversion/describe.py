"""Finds words, glosses and the hierarchy of a source's classes in ImageNet's metadata files."""

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
    """What the manifest says about the classes.

    Attributes:
        classes: by label.
        hierarchy: pairs (parent, child), from the classes up to the roots.
        synsets: the nodes of the hierarchy that are not classes.
        digest: of the metadata files; empty if none were found.
    """

    classes: tuple[ClassInfo, ...]
    hierarchy: tuple[tuple[str, str], ...] = ()
    synsets: tuple[ClassInfo, ...] = ()
    digest: str = ""


def describe(source: Source, folder: str | os.PathLike[str] | None = None) -> Description:
    """Returns the source's classes with what the metadata files say about them.

    Args:
        source: what it says itself takes precedence.
        folder: where the files are. None: search the source's folder and its parent, if all classes are
            WNIDs.

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
