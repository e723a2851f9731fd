"""The interface of sources. A source describes its samples; their payloads are read when shards are written.

To add a layout:

1. Write a class with the attributes of :class:`Source` in a file of its own. Its constructor takes a path and
   the name of a split or None. A static method ``recognises(path)`` returns whether a path has this layout.
   `samples` yields :class:`Sample`, with an :class:`Extent` as the payload if the image lies in a file.
2. Add the class to ``_RECOGNISED`` in ``detect.py``, before any layout that would also recognise its paths,
and
   to ``_WITH_FIELDS`` if its records have named parts.

``files.py`` helps with images that are files, ``folders.py`` with walking folders, ``folder_tree.py`` with
telling splits from classes, ``split_files.py`` with files that hold many images, ``image_table.py`` with
tables, ``format/keys.py`` with keys. Errors name the path and, if possible, the option that helps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

from fastinet.errors import FastinetError
from fastinet.format.boxset import BoxSet
from fastinet.format.manifest import ClassInfo
from fastinet.storage.extent import Extent

__all__ = ["OPTIONAL", "Readable", "Sample", "Source", "Streamed", "Survey", "Unreadable"]

# Attributes that only some sources have. A source that wraps another one passes them on.
OPTIONAL = ("archives", "hierarchy", "synsets", "class_order")


@runtime_checkable
class Readable(Protocol):
    """Bytes that only Python can fetch. Picklable; any thread can read them."""

    def read(self) -> bytes:
        """Returns the bytes. Raises OSError or FastinetError if they cannot be read."""
        ...


@dataclass(frozen=True)
class Streamed:
    """Bytes of a source that can only be read front to back; in memory until their shard is written."""

    data: bytes

    def read(self) -> bytes:
        """See :class:`Readable`."""
        return self.data


@dataclass(frozen=True)
class Unreadable:
    """Bytes that cannot be read. The policy for bad files decides what happens to their record."""

    error: FastinetError

    def read(self) -> bytes:
        """See :class:`Readable`."""
        raise self.error


class Sample(NamedTuple):
    """A record to be written: where its bytes are, and what is known about them beforehand.

    Attributes:
        key: name within the split; unique, UTF-8, without a dot (a dot ends a key in a WebDataset tar).
        payload: the encoded image.
        label: number of the class, -1 for none.
        size: bytes of the payload, as far as known without reading it; determines where shards end.
        origin: where the payload comes from, relative to the source; the name of the sample in reports.
        stamp: changes if the payload's bytes may have changed (a file's modification time in ns). If it is
            not 0 and the payload is a whole file, `size` is exact, and a file of another size has changed.
        annotation: JSON text to store beside the image; "": none.
        boxes: bounding boxes; None: none.
        value: with ``labels_as``, what is in the place of the label, as JSON; None: nothing.
    """

    key: str
    payload: Extent | Readable
    label: int
    size: int
    origin: str
    stamp: int = 0
    annotation: str = ""
    boxes: BoxSet | None = None
    value: Any = None


@dataclass(frozen=True)
class Survey:
    """What one split contains, found by counting.

    Attributes:
        records: number of samples; None: unknown without reading all of them.
        notes: by kind, texts that the report lists for the user.
    """

    records: int | None
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Source(Protocol):
    """One layout of images. Samples are sent to workers; sources are not, so they need not be picklable.

    Optional attributes (``OPTIONAL``): ``archives``, paths of files whose sums are published; ``hierarchy``
    and ``synsets``, as in the manifest, if the source knows the hierarchy of its classes; ``class_order``, a
    digest, if the classes were put into another order.
    """

    @property
    def kind(self) -> str:
        """Name of the layout, as in ``--source``."""
        ...

    @property
    def location(self) -> str:
        """Absolute path or URL, for messages and for recognising an interrupted run."""
        ...

    @property
    def classes(self) -> Sequence[ClassInfo]:
        """All classes, in label order, also those without images."""
        ...

    @property
    def splits(self) -> Sequence[str]:
        """Names of the splits, in the order in which they are converted."""
        ...

    def survey(self, split: str) -> Survey:
        """Counts a split, cheaply."""
        ...

    def samples(self, split: str) -> Iterator[Sample]:
        """The samples, lazily, in the same order on every call as long as the source is unchanged."""
        ...
