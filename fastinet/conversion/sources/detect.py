"""Which source reads a given path."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fastinet.conversion.sources.arrow_folder import ArrowFolder
from fastinet.conversion.sources.base import Source
from fastinet.conversion.sources.class_order import InOrder, read_class_order
from fastinet.conversion.sources.csv_list import CsvList
from fastinet.conversion.sources.fastinet_dataset import FastinetDataset
from fastinet.conversion.sources.ilsvrc import ILSVRC2010, ILSVRC2012
from fastinet.conversion.sources.imagefolder import ImageFolder
from fastinet.conversion.sources.imagenet21k import ImageNet21K, read_class_list
from fastinet.conversion.sources.kaggle import Kaggle
from fastinet.conversion.sources.parquet import Parquet
from fastinet.conversion.sources.tfrecord import TFRecord
from fastinet.conversion.sources.tiny_imagenet import TinyImageNet
from fastinet.conversion.sources.webdataset import WebDataset
from fastinet.errors import ArgumentError
from fastinet.format.fields import DEFAULT, Fields

__all__ = ["SOURCES", "open_source"]

# In the order in which they are asked whether they recognise a path; a folder that none of them does is an
# ImageFolder.
_RECOGNISED = (
    FastinetDataset,
    ArrowFolder,
    ILSVRC2012,
    ILSVRC2010,
    ImageNet21K,
    Kaggle,
    TinyImageNet,
    TFRecord,
    WebDataset,
    Parquet,
    CsvList,
)

# By name, as --source takes it: the class, called with the path and the split (None: all there are).
SOURCES: Mapping[str, Callable[[str | os.PathLike[str], str | None], Source]] = {
    source.kind: source for source in (*_RECOGNISED, ImageFolder)
}

_WITH_FIELDS = {source.kind: source for source in (WebDataset, Parquet, ArrowFolder, CsvList, TFRecord)}


def open_source(
    path: str | os.PathLike[str],
    kind: str | None = None,
    split: str | None = None,
    classes: Sequence[str] | str | os.PathLike[str] | None = None,
    class_order: Sequence[str] | str | os.PathLike[str] | None = None,
    fields: Fields = DEFAULT,
) -> Source:
    """The source at `path`.

    Args:
        path: where the images are.
        kind: one of ``SOURCES``; None: recognised by looking.
        split: convert only this split, or name the only one; see each source.
        classes: for the whole ImageNet, the classes wanted, by label, or the path of a list of them.
        class_order: the names of all classes, by label, or the path of a list with one a line. Of an
            ImageFolder it also settles which folders are classes.
        fields: for sources whose records have named parts, which of these are image and label.

    Raises:
        ArgumentError: no such kind, or nothing there that a source knows.
        MissingFileError: nothing there at all.
        FormatError: an archive or the class list is damaged.
    """
    if kind is not None and kind not in SOURCES:
        raise ArgumentError(f"no source {kind!r}; there are: {', '.join(sorted(SOURCES))}")
    kind = kind or _recognise(Path(path))
    if fields != DEFAULT and (kind not in _WITH_FIELDS or classes is not None):
        raise ArgumentError(
            f"{path}: fields, columns and labels_as can be chosen of {', '.join(_WITH_FIELDS)}, not of {kind}"
        )
    if classes is not None:
        if class_order is not None:
            raise ArgumentError("classes chooses synsets and gives their order; class_order is for the rest")
        return _synsets(path, kind, split, classes)
    names, where = (None, "") if class_order is None else read_class_order(class_order)
    if fields != DEFAULT:
        source: Source = _WITH_FIELDS[kind](path, split, fields)
    elif names is not None and kind == ImageFolder.kind:
        source = ImageFolder(path, split, names)
    else:
        source = SOURCES[kind](path, split)
    return source if names is None else InOrder(source, names, where)


def _synsets(
    path: str | os.PathLike[str],
    kind: str,
    split: str | None,
    classes: Sequence[str] | str | os.PathLike[str],
) -> Source:
    """The whole ImageNet, or as much of it as `classes` names; also as an extracted tree."""
    if kind not in (ImageFolder.kind, ImageNet21K.kind):
        raise ArgumentError(
            f"{path}: classes can only be chosen of the whole ImageNet, not of {kind}; "
            "--class-order FILE (class_order=) gives all classes another order"
        )
    names = read_class_list(classes) if isinstance(classes, (str, os.PathLike)) else tuple(classes)
    return ImageNet21K(path, split, names)


def _recognise(path: Path) -> str:
    return next((source.kind for source in _RECOGNISED if source.recognises(path)), ImageFolder.kind)
