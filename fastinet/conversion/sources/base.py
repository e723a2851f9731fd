"""What there is to convert. A source describes its samples and never reads their payloads.

To add a layout, write a class with the attributes of :class:`Source` and list it in ``detect.py``.
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

# Attributes that only some sources have; what wraps a source passes them on.
OPTIONAL = ("archives", "hierarchy", "synsets", "class_order")


@runtime_checkable
class Readable(Protocol):
    """Bytes that only Python can fetch. Picklable, and safe to read from any thread."""

    def read(self) -> bytes:
        """The bytes. Raises OSError or FastinetError where they cannot be had."""
        ...


@dataclass(frozen=True)
class Streamed:
    """Bytes of a source that can only be read from front to back; held until their shard is written."""

    data: bytes

    def read(self) -> bytes:
        """See :class:`Readable`."""
        return self.data


@dataclass(frozen=True)
class Unreadable:
    """Bytes that cannot be had; the policy for bad files decides what becomes of their record."""

    error: FastinetError

    def read(self) -> bytes:
        """See :class:`Readable`."""
        raise self.error


class Sample(NamedTuple):
    """One record to be: where its bytes are, and what is known about them beforehand.

    Attributes:
        key: name within the split; unique, UTF-8, without a dot (a dot ends a key in a WebDataset tar).
        payload: the encoded image.
        label: number of the class, -1 for none.
        size: bytes of the payload, as far as known without reading it; shards are cut by it.
        origin: where the payload came from, relative to the source; what reports name.
        stamp: changes when the payload's bytes may have changed (a file's modification time in ns). Not 0
            for a payload that is a whole file: `size` is exact, and a file of another size has changed.
        annotation: JSON text to keep beside the image, "" for none.
        boxes: bounding boxes, None for none.
        value: with ``labels_as``, what stands in the label's place: JSON, None for nothing.
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
    """What one split holds, found by counting.

    Attributes:
        records: samples that will be seen; None: only reading them all would tell.
        notes: what a person should know, by kind: a kind's texts are listed in the report.
    """

    records: int | None
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Source(Protocol):
    """One layout in which images are held. Picklable is not required: samples travel, sources do not.

    A source that reads files of which sums are published also has ``archives``, their paths. One that knows
    the hierarchy of its classes has ``hierarchy`` and ``synsets``, as the manifest holds them. One whose
    classes were put into another order has ``class_order``, a digest of it.
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
