"""What a manifest says, as Python objects. ``manifest.py`` writes and reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

from fastinet import _core

__all__ = [
    "ClassInfo",
    "FileInfo",
    "LabelsFile",
    "Manifest",
    "Permuted",
    "RecordOrder",
    "ShardInfo",
    "Source",
    "default_index",
]


class ShardInfo(NamedTuple):
    """One shard.

    Attributes:
        path: path of the tar, relative to the manifest's folder, with ``/``; or absolute.
        records: number of records.
        bytes: size of the tar.
        xxh3: XXH3-64 of the tar.
        index_path: path of the sidecar, as `path`.
        index_bytes: size of the sidecar.
        index_xxh3: checksum of the sidecar's header and tables.
        index_head_bytes: size of the sidecar's header and tables, with which it begins.
        index_prefix_bytes: size of everything in the sidecar that precedes the entry points.
        index_file_xxh3: XXH3-64 of the whole sidecar.
        label_map: number of the map in ``Manifest.label_maps`` that turns the shard's labels into classes;
            None: its labels are the dataset's.
    """

    path: str
    records: int
    bytes: int
    xxh3: int
    index_path: str
    index_bytes: int
    index_xxh3: int
    index_head_bytes: int
    index_prefix_bytes: int
    index_file_xxh3: int
    label_map: int | None = None

    @classmethod
    def of(cls, path: str, index_path: str, summary: Mapping[str, Any], tar: str = "") -> ShardInfo:
        """From what the core reports of a shard that it wrote or indexed.

        Args:
            path: path of the tar.
            index_path: path of the sidecar.
            summary: the core's ``ShardSummary``, or its ``ShardReport`` with `tar` set to "tar_".
            tar: prefix of the names of the tar's size and hash in `summary`.
        """
        return cls(
            path,
            summary["records"],
            summary[f"{tar}bytes"],
            summary[f"{tar}xxh3"],
            index_path,
            summary["index_bytes"],
            summary["index_xxh3"],
            summary["index_head_bytes"],
            summary["index_prefix_bytes"],
            summary["index_file_xxh3"],
        )


@dataclass(frozen=True, slots=True)
class ClassInfo:
    """One class; its place in the manifest's list is its label.

    Attributes:
        name: WNID or folder name; unique in a dataset.
        words: synonyms, the most usual first. Two classes may share words.
        gloss: definition in a sentence; empty: none.
        details: further values, such as ``ilsvrc2012_id``.
        count: records of the class in this split; None: not counted.
    """

    name: str
    words: tuple[str, ...] = ()
    gloss: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    count: int | None = None

    @property
    def wnid(self) -> str:
        """The name, which for ImageNet is the WordNet ID."""
        return self.name

    @property
    def ilsvrc2012_id(self) -> int | None:
        """The devkit's number of the class, from 1; never a label. None: not known."""
        value = self.details.get("ilsvrc2012_id")
        return value if isinstance(value, int) else None


class FileInfo(NamedTuple):
    """A file beside the manifest.

    Attributes:
        path: name of the file.
        bytes: its size.
        xxh3: its XXH3-64.
    """

    path: str
    bytes: int
    xxh3: int


class LabelsFile(NamedTuple):
    """The file of labels.

    Attributes:
        file: the file.
        dtype: "u16", where 0xFFFF means no label, or "i32", where -1 does.
    """

    file: FileInfo
    dtype: Literal["u16", "i32"]


class Permuted(NamedTuple):
    """Says that the records were permuted when the dataset was made.

    Attributes:
        seed: of the permutation.
    """

    seed: int


# "source": the records are in the order of the source, which often means that they are sorted by class.
RecordOrder = Literal["source"] | Permuted


class Source(NamedTuple):
    """One of the datasets that a merged one consists of.

    Attributes:
        shards: number of its shards. The sources' shards follow each other in the order of the sources.
        created_by: what its own manifest said.
    """

    shards: int
    created_by: Mapping[str, Any]


@dataclass(frozen=True)
class Manifest:
    """What ``dataset.json`` says.

    Attributes:
        split: name of the split.
        classes: by label.
        shards: in the order of their records.
        encoding: of the payloads.
        hierarchy: pairs (parent, child) of class or inner-node names; a directed acyclic graph.
        created_by: how the dataset was made: source, options, version of fastinet. No times.
        synsets: words and glosses of the hierarchy's nodes that are not classes.
        record_order: in which order the records are.
        label_maps: for each numbering of labels that differs from the dataset's, the class of each label.
        sources: of a merged dataset, the datasets that it consists of; otherwise empty.
        labels: the file of labels; None: there is none, and readers take the labels from the sidecars.
        chunks: the file of chunk hashes; None: there is none.
        xxh3: the ``manifest_xxh3`` of the file that this was read from; None: it was not read from a file.
    """

    split: str
    classes: tuple[ClassInfo, ...]
    shards: tuple[ShardInfo, ...]
    encoding: str = "jpeg"
    hierarchy: tuple[tuple[str, str], ...] = ()
    created_by: Mapping[str, Any] = field(default_factory=dict)
    synsets: tuple[ClassInfo, ...] = ()
    record_order: RecordOrder = "source"
    label_maps: tuple[tuple[int, ...], ...] = ()
    sources: tuple[Source, ...] = ()
    labels: LabelsFile | None = None
    chunks: FileInfo | None = None
    xxh3: int | None = field(default=None, compare=False)

    @property
    def records(self) -> int:
        """Number of records of all shards."""
        return sum(shard.records for shard in self.shards)

    @property
    def bytes(self) -> int:
        """Size of all tars and sidecars."""
        return sum(shard.bytes + shard.index_bytes for shard in self.shards)

    @property
    def greatest_shard(self) -> int:
        """Size of the greatest shard with its sidecar, which is the least that a cache has to hold."""
        return max((shard.bytes + shard.index_bytes for shard in self.shards), default=0)

    @cached_property
    def shards_xxh3(self) -> str:
        """A hash, 16 hexadecimal digits, of the hashes of the shards in their order: it says which records
        are in which places, and does not depend on where the files lie, on sidecars or on columns."""
        return f"{_core.xxh3(' '.join(f'{s.xxh3:016x}' for s in self.shards).encode()):016x}"

    @cached_property
    def sources_of_shards(self) -> Sequence[Mapping[str, Any]]:
        """The ``created_by`` that tells how each shard was made: a merged dataset's shards have their own."""
        if not self.sources:
            return [self.created_by] * len(self.shards)
        return [source.created_by for source in self.sources for _ in range(source.shards)]


def default_index(path: str) -> str:
    """Path of the sidecar that lies beside a tar: the tar's with ``.idx`` for ``.tar``."""
    return path.removesuffix(".tar") + ".idx"
