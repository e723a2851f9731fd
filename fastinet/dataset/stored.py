"""The records of a dataset with what is only in its tars and in ``names.json``: file names, JSON, offsets."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastinet import _core
from fastinet.dataset.dataset import Dataset, Record, ShardSpec, shard_specs
from fastinet.errors import FormatError
from fastinet.format.fields import Fields
from fastinet.format.keys import kept_key
from fastinet.format.names import name_of, read_names
from fastinet.format.tar_records import NO_ANNOTATION, records_of, tar_order
from fastinet.storage.extent import Extent
from fastinet.storage.files import os_errors

__all__ = ["StoredRecord", "stored_records"]


class StoredRecord(NamedTuple):
    """One record.

    Attributes:
        record: the record. Reading its payload verifies the checksum.
        file_name: name of the file in the source, without folders.
        image: the tar, offset and size of the payload.
        annotation: the record's JSON; empty if there is none.
    """

    record: Record
    file_name: str
    image: Extent
    annotation: str


def stored_records(dataset: Dataset, indices: npt.NDArray[np.int64] | None = None) -> Iterator[StoredRecord]:
    """Yields all records, or those with these ascending numbers, in order.

    Keeps the members of one shard in memory at a time.

    Raises:
        FormatError: a tar is damaged, or lacks a record of its sidecar.
        MissingFileError, ShardIOError: a file cannot be read.
    """
    names = read_names(dataset.path, len(dataset.manifest.shards))  # None if indexed in place
    first = 0
    for number, spec in enumerate(shard_specs(dataset.path, dataset.manifest)):
        end = first + spec[2]
        if indices is None:
            wanted = range(first, end)
        else:
            wanted = indices[slice(*np.searchsorted(indices, (first, end)))].tolist()
        if wanted:
            fields = Fields.of_index(dataset.manifest.sources_of_shards[number])
            yield from _of_shard(spec, first, wanted, names[number] if names else None, fields)
        first = end


def _of_shard(
    spec: ShardSpec,
    first: int,
    wanted: range | list[int],
    names: Mapping[str, Any] | None,
    fields: Fields,
) -> Iterator[StoredRecord]:
    tar = spec[0]
    shard = _core.ShardedDataset([spec])  # mapped only while it is read
    members = tar_order(*_core.scan_tar(os.fsencode(tar)))
    found = {r.image[0]: r for r in records_of(members, Counter(), fields) if r.image is not None}
    places = shard.facts(0, len(shard))["payload_offset"].tolist()
    with os_errors(Path(tar)), open(tar, "rb", buffering=0) as file:  # noqa: PTH123
        for record in (Record(shard.record(i - first), i) for i in wanted):
            stored = found.get(places[record.index - first])
            if stored is None or stored.image is None:
                raise _wrong(tar, record, "place", "an image's member", "none")
            if stored.key != kept_key(record.key):
                raise _wrong(tar, record, "key", f"{stored.key!r}, as in the tar", repr(record.key))
            member = PurePosixPath(stored.name)
            name = member.name if names is None else name_of(record.key, names, member.suffix)
            annotation = ""
            if "json" in stored.fields:
                offset, size = stored.fields["json"]
                annotation = _text(os.pread(file.fileno(), size, offset), tar, record.key)
            if annotation.strip() == NO_ANNOTATION:
                annotation = ""
            yield StoredRecord(record, name, Extent(tar, *stored.image), annotation)


def _wrong(tar: str, record: Record, what: str, expected: str, found: str) -> FormatError:
    return FormatError(
        f"{tar}: record {record.index} ({record.key}): {what}: expected {expected}, found {found}",
        path=tar,
        record=record.index,
        key=record.key,
        expected=expected,
        found=found,
    )


def _text(data: bytes, tar: str, key: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as e:
        raise FormatError(
            f"{tar}: record {key}: .json: expected UTF-8 text, found {e}", path=tar, key=key
        ) from None
