"""A converted or indexed split, for reading."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from fastinet import _core
from fastinet.dataset.hierarchy import Hierarchy
from fastinet.dataset.selection import find_classes
from fastinet.errors import ArgumentError, FormatError, MissingFileError
from fastinet.format import columns, labels, manifest
from fastinet.format.columns import Column
from fastinet.format.layout import split_folders
from fastinet.format.manifest import ClassInfo, Manifest

if TYPE_CHECKING:
    from fastinet.dataset.attach import Order

__all__ = [
    "Box",
    "Dataset",
    "Keys",
    "Record",
    "Selection",
    "ShardSpec",
    "find_split",
    "hierarchy_of",
    "shard_specs",
]

Box = tuple[int, int, int, int, int, int]
# As the core takes a shard: tar, sidecar, records, bytes, index_bytes, index_xxh3, label map.
ShardSpec = tuple[str, str, int, int, int, int, "_core.LabelMap | None"]
_CHUNK = 4096  # keys read at once while iterating


class Record:
    """One image with its label. What it names stays mapped while it lives."""

    __slots__ = ("_core", "index")

    def __init__(self, core: _core.Record, index: int) -> None:
        self._core = core
        self.index = index

    @property
    def payload(self) -> memoryview:
        """The encoded image as it was found, read-only, not copied; its checksum is compared first.

        Raises:
            ChecksumError: the bytes are not those that were converted.
            TruncatedError: the shard has shrunk since it was opened.
        """
        self._core.check_payload()
        return memoryview(self._core)  # type: ignore[arg-type, unused-ignore]  # Buffer before Python 3.12

    @property
    def label(self) -> int:
        """Place of the class in ``Dataset.classes``; -1: none."""
        return self._core.label

    @property
    def key(self) -> str:
        """Name of the record, without extension.

        Raises:
            ChecksumError: the keys of the sidecar are damaged, or it was changed since it was opened.
        """
        return self._core.key

    @property
    def width(self) -> int:
        """Of the stored image, before its EXIF orientation, in pixels; 0: not known."""
        return self._core.width

    @property
    def height(self) -> int:
        """As `width`."""
        return self._core.height

    @property
    def orientation(self) -> int:
        """EXIF orientation, 1 to 8."""
        return self._core.orientation

    @property
    def format(self) -> str:
        """As Pillow spells it: "JPEG", "PNG", ...; "": not known."""
        return self._core.format

    @property
    def shard(self) -> str:
        """Path of the tar."""
        return self._core.shard

    @property
    def boxes(self) -> list[Box]:
        """Bounding boxes: (label, xmin, ymin, xmax, ymax, flags), in pixels of `boxes_size`.

        Raises:
            ChecksumError: the boxes of the sidecar are damaged, or it was changed since it was opened.
            FormatError: this record's boxes are malformed.
        """
        boxes = self._core.boxes
        return boxes[2] if boxes else []

    @property
    def boxes_size(self) -> tuple[int, int] | None:
        """Width and height that the boxes refer to, which may differ from the image's; None: no boxes."""
        boxes = self._core.boxes
        return boxes[:2] if boxes else None

    def decode(self, **options: Any) -> npt.NDArray[np.uint8]:
        """The image, uint8 of shape (height, width, 3); `options` are those of :func:`fastinet.decode`."""
        from fastinet.images.decode import decode

        return decode(self.payload, **options)

    def __repr__(self) -> str:
        return f"<Record {self.index} {self.key!r} label={self.label} {self.width}x{self.height}>"


class Keys(Sequence[str]):
    """The keys of all records, read when asked for."""

    def __init__(self, core: _core.ShardedDataset) -> None:
        self._core = core

    def __len__(self) -> int:
        return len(self._core)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                return self._core.keys(start, max(0, stop - start))
            return [self[i] for i in range(start, stop, step)]
        return self._core.record(_place(index, len(self))).key

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _CHUNK):
            yield from self._core.keys(start, min(_CHUNK, len(self) - start))


class Dataset(Sequence[Record]):
    """The records of one split, in their order on disk. Safe to share between threads; pickles by path.

    Opening reads the manifest and lists its folders; shards are mapped and validated when first touched.

    Attributes:
        path: the split's folder, absolute.
        manifest: what its ``dataset.json`` says.
        core: the C++ object that the loader reads from.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Opens a split's folder, or a folder that holds one split.

        Raises:
            MissingFileError: no dataset there, or a shard or sidecar of it is missing.
            ArgumentError: several splits are there; the message lists them.
            FormatError: the manifest is not valid (ChecksumError: damaged).
        """
        # Absolute, so that shards and columns, which are opened when first touched, and pickles are found
        # from any working directory.
        self.path = find_split(path).absolute()
        self.manifest: Manifest = manifest.read(self.path)
        self.core = _core.ShardedDataset(shard_specs(self.path, self.manifest))

    @property
    def split(self) -> str:
        """Name of the split."""
        return self.manifest.split

    @property
    def identity(self) -> str:
        """The manifest's checksum, 16 hexadecimal digits: it identifies the dataset with all its files but
        the attached columns. A copy has the same one; a dataset that was converted, indexed or merged anew
        with another result has another."""
        return f"{self.manifest.xxh3 or 0:016x}"

    @property
    def classes(self) -> tuple[ClassInfo, ...]:
        """By label."""
        return self.manifest.classes

    @cached_property
    def class_to_index(self) -> dict[str, int]:
        """Label of each class name, as torchvision's ``class_to_idx``."""
        return {c.name: i for i, c in enumerate(self.classes)}

    @cached_property
    def hierarchy(self) -> Hierarchy:
        """The ``is_a`` graph of the classes and all that is above them, with the words of each synset.

        The graph is empty where the source had none; the words of the classes are there in any case.

        Raises:
            FormatError: its edges form a cycle.
        """
        return hierarchy_of(self.path, self.manifest)

    @cached_property
    def labels(self) -> npt.NDArray[np.int32]:
        """Label of each record, int32 of shape (len(self),), read-only; -1: none.

        They come from the manifest's file of labels if it has one, and otherwise from the sidecars.

        Raises:
            MissingFileError, ShardIOError, ChecksumError, TruncatedError: the file of labels, or a sidecar,
                cannot be read or is damaged.
        """
        entry = self.manifest.labels
        found = self.core.labels(0, len(self)) if entry is None else labels.read(self.path, entry)
        found.flags.writeable = False
        return found

    @cached_property
    def keys(self) -> Keys:
        """Key of each record."""
        return Keys(self.core)

    @cached_property
    def class_counts(self) -> npt.NDArray[np.int64]:
        """Records of each class, int64 of shape (len(self.classes),), counted from the sidecars."""
        return np.bincount(self._checked_labels() + 1, minlength=len(self.classes) + 1)[1:]

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """The attached columns by name, each a sequence with one value for each record.

        Raises:
            FormatError, ChecksumError, MissingFileError: what is attached is damaged, or was attached to
                other shards.
        """
        stored = columns.read(self.path, self.manifest)
        return {name: Column(self.path, column, len(self)) for name, column in stored.items()}

    def attach(
        self,
        name: str,
        source: Any,
        *,
        key: str | None = None,
        column: str | None = None,
        order: Order | None = None,
        missing: Any = None,
        flags: bool = False,
        replace: bool = False,
    ) -> None:
        """Attaches a value to every record, beside the shards, which stay as they are.

        The column is then in ``columns``, and ``Loader(columns=("image", ..., name))`` gives it.

        Args:
            name: of the column: lower-case letters, digits, underscores.
            source: an array, list or dict by key; or the path of a .npy, .json (list or object), .csv, .tsv,
                .parquet or .txt (a value a line) file. Values are numbers, strings, lists of numbers, or
                arrays of one shape.
            key: column of a table that holds the records' keys; None: one that is called key, path, file,
                filename, image, ImageId or image_id, if there is one. Keys may have an image's extension, and
                may be file names without folders where these are unique.
            column: column of a table to attach; None: its only one beside the keys.
            order: for values without keys: "records" (in the dataset's order), or "names" (in the order of
                the images' file names without folders, as the labels of ImageNet's validation set are).
            missing: value of records whose key the source does not have; None: that is an error.
            flags: the source holds numbers of records, counted from 1 in `order`; the column is True for
                those. Such is the challenge's blacklist of validation images
                (``ILSVRC2014_clsloc_validation_blacklist.txt``): with ``order="names"`` its numbers are those
                in the names ``ILSVRC2012_val_00000001``, also where some images were left out.
            replace: a column of that name may be there.

        Raises:
            ArgumentError: values or keys that are too many, too few, repeated, or of no record.
            FormatError, MissingFileError, ShardIOError, UnsupportedError: of the file.
        """
        from fastinet.dataset.attach import build_column  # parsers that training does not need

        values = build_column(
            name,
            source,
            self.keys,
            key=key,
            column=column,
            order=order,
            missing=missing,
            flags=flags,
        )
        columns.attach(self.path, self.manifest, name, *values, replace)
        self.__dict__.pop("columns", None)

    def detach(self, name: str) -> None:
        """Removes an attached column.

        Raises:
            ArgumentError: there is no such column.
        """
        columns.detach(self.path, self.manifest, name)
        self.__dict__.pop("columns", None)

    def select(self, *classes: str | int) -> Selection:
        """The records of some classes, named as :func:`fastinet.dataset.selection.find_classes` says.

        ``dataset.select("n02084071")`` and ``dataset.select("dog")`` are all dogs.

        Raises:
            ArgumentError: no such class, or a word that stands for several synsets.
        """
        return Selection(self, classes)

    def indices_of(self, classes: Iterable[str | int] | str | int) -> npt.NDArray[np.int64]:
        """Indices of the records of these classes, ascending; as ``select(*classes).indices``."""
        return Selection(self, classes).indices

    def indices_of_labels(self, labels: Iterable[int]) -> npt.NDArray[np.int64]:
        """Indices of the records with these labels, ascending.

        Raises:
            FormatError: a record has a label that the manifest has no class for.
        """
        wanted = np.zeros(len(self.classes) + 1, bool)  # the last place is that of label -1
        wanted[list(labels)] = True
        return np.flatnonzero(wanted[self._checked_labels()])

    def _checked_labels(self) -> npt.NDArray[np.int32]:
        found = self.labels
        if len(found) and not (found.min() >= -1 and found.max() < len(self.classes)):
            wrong = found.max() if found.max() >= len(self.classes) else found.min()
            raise FormatError(
                f"{self.path}: label {wrong} has no class in the manifest",
                path=str(self.path),
                expected=f"-1 to {len(self.classes) - 1}",
                found=str(wrong),
            )
        return found

    def __len__(self) -> int:
        return len(self.core)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = _place(index, len(self))
        return Record(self.core.record(place), place)

    def __reduce__(self) -> tuple[type[Dataset], tuple[str]]:
        return Dataset, (str(self.path),)

    def __repr__(self) -> str:
        counts = f"records={len(self)} classes={len(self.classes)}"
        return f"<Dataset {str(self.path)!r} split={self.split!r} {counts}>"

    def _refused(self, problem: str) -> ArgumentError:
        return ArgumentError(f"{self.path}: {problem}", path=str(self.path))


class Selection:
    """Some classes of a dataset and their records. Copies nothing. A ``Loader`` takes it in place of a path.

    Labels stay those of the whole dataset; ``relabel`` numbers the chosen classes from 0.

    Attributes:
        dataset: the whole dataset.
        labels: labels of the chosen classes, ascending.
        indices: int64, numbers of their records in the dataset, ascending.
    """

    def __init__(self, dataset: Dataset, queries: Iterable[str | int] | str | int) -> None:
        self.dataset = dataset
        self.labels = find_classes(queries, dataset.classes, dataset.hierarchy, str(dataset.path))
        self.indices: npt.NDArray[np.int64] = dataset.indices_of_labels(self.labels)

    @property
    def classes(self) -> tuple[ClassInfo, ...]:
        """The chosen classes, in label order."""
        return tuple(self.dataset.classes[label] for label in self.labels)

    def __len__(self) -> int:
        return len(self.indices)

    def relabel(self, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Returns the places in ``classes`` of labels of the whole dataset; -1 for classes not chosen."""
        places = np.full(len(self.dataset.classes) + 1, -1, np.int64)  # the last place is that of label -1
        places[list(self.labels)] = np.arange(len(self.labels))
        return places[labels]

    def __repr__(self) -> str:
        return f"<Selection of {len(self.labels)} classes, {len(self)} records of {self.dataset!r}>"


def find_split(path: str | os.PathLike[str]) -> Path:
    """The folder with the manifest: `path`, or its only sub-folder that has one.

    Raises:
        MissingFileError: there is none.
        ArgumentError: there are several.
        ShardIOError: that cannot be told.
    """
    folder = Path(path)
    splits = split_folders(folder)
    if len(splits) == 1:
        return splits[0]
    if splits:
        names = ", ".join(split.name for split in splits)
        raise ArgumentError(
            f"{folder}: holds several splits ({names}); name one, as {splits[0]}",
            path=str(folder),
        )
    raise MissingFileError(
        f"{folder}: no {manifest.FILE_NAME} here or one folder below: not a fastinet dataset",
        path=str(folder),
    )


def hierarchy_of(folder: Path, contents: Manifest) -> Hierarchy:
    """The graph of a manifest, with the words of all its classes and synsets.

    Raises:
        FormatError: its edges form a cycle.
    """
    nodes = (*contents.synsets, *contents.classes)
    try:
        return Hierarchy(contents.hierarchy, {c.name: c.words for c in nodes if c.words})
    except ArgumentError as e:
        path = str(folder / manifest.FILE_NAME)
        raise FormatError(f"{path}: {e}", path=path) from None


def shard_specs(folder: Path, contents: Manifest) -> list[ShardSpec]:
    """The manifest's shards as the core takes them."""
    root = str(folder)
    maps = [_core.LabelMap(classes) for classes in contents.label_maps]

    def located(path: str) -> str:
        return path if path.startswith("/") else f"{root}/{path}"

    return [
        (
            located(s.path),
            located(s.index_path),
            s.records,
            s.bytes,
            s.index_bytes,
            s.index_xxh3,
            None if s.label_map is None else maps[s.label_map],
        )
        for s in contents.shards
    ]


def _place(index: int, length: int) -> int:
    place = index + length if index < 0 else index
    if not 0 <= place < length:
        # IndexError, so that Python's sequence protocol ends where it should.
        raise IndexError(f"record {index} of a dataset of {length}")
    return place
