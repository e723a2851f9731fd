"""Checks the files beside a split's shards, and the manifest's hierarchy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from fastinet import _core
from fastinet.dataset.dataset import hierarchy_of, shard_specs
from fastinet.errors import FastinetError, FormatError, MissingFileError
from fastinet.format import chunks, columns, labels, manifest, root
from fastinet.format.columns import Column
from fastinet.format.json_files import read_json, wrong
from fastinet.format.layout import REPORT
from fastinet.format.names import FILE as NAMES
from fastinet.format.names import read_names
from fastinet.format.report import SplitReport
from fastinet.storage.files import is_there
from fastinet.verification.records import Split

__all__ = ["root_problems", "split_problems"]


def split_problems(split: Split) -> Iterator[FastinetError]:
    """Yields every problem of the hierarchy and of the files beside the shards.

    These are the labels, the chunk hashes, the attached columns, ``names.json`` and ``report.json``.
    """
    for check in (_of_hierarchy, _of_labels, _of_chunks, _of_columns, _of_names, _of_report):
        yield from check(split)


def root_problems(folder: Path) -> Iterator[FastinetError]:
    """Every difference between ``splits.json`` in this folder and the splits themselves."""
    path = str(folder / root.FILE_NAME)
    try:
        splits = root.read(folder) or {}
    except FastinetError as error:
        yield error
        return
    for name, row in splits.items():
        try:
            contents = manifest.read(folder / name)
        except MissingFileError as error:
            yield error
            continue
        except FastinetError:
            continue  # reported where the split is checked
        for field, expected, found in (
            ("manifest_xxh3", f"{contents.xxh3 or 0:016x}", f"{row.manifest_xxh3:016x}"),
            ("records", str(contents.records), str(row.records)),
        ):
            if expected != found:
                yield wrong(
                    FormatError, path, f"splits.{name}.{field}", f"{expected}, as in its manifest", found
                )


def _attempt(work: Callable[[], object]) -> Iterator[FastinetError]:
    try:
        work()
    except FastinetError as error:
        yield error


def _of_hierarchy(split: Split) -> Iterator[FastinetError]:
    contents = split.manifest
    path = str(split.folder / manifest.FILE_NAME)
    yield from _attempt(lambda: hierarchy_of(split.folder, contents))
    known = {c.name for c in contents.classes}
    for i, synset in enumerate(contents.synsets):
        if synset.name in known:
            yield wrong(
                FormatError, path, f"synsets[{i}].name", "one that no class or synset has", synset.name
            )
        known.add(synset.name)
    if not contents.synsets:  # synsets are optional; without them, any name may be a node
        return
    for i, edge in enumerate(contents.hierarchy):
        for name in edge:
            if name not in known:
                yield wrong(FormatError, path, f"hierarchy[{i}]", "names of classes and synsets", name)


def _of_labels(split: Split) -> Iterator[FastinetError]:
    entry = split.manifest.labels
    if entry is None:
        return
    try:
        found = labels.read(split.folder, entry)
    except FastinetError as error:
        yield error
        return
    path, first = str(split.folder / entry.file.path), 0
    for spec in shard_specs(split.folder, split.manifest):
        try:
            expected = _core.ShardedDataset([spec]).labels(0, spec[2])
        except FastinetError:
            expected = found[first : first + spec[2]]  # reported where the shard is checked
        for i in np.flatnonzero(found[first : first + spec[2]] != expected)[:1].tolist():
            place = f"record {first + i}: label"
            yield wrong(FormatError, path, place, f"{expected[i]}, as in {spec[1]}", str(found[first + i]))
        first += spec[2]


def _of_chunks(split: Split) -> Iterator[FastinetError]:
    """Of the file alone; its hashes are compared where each shard is read."""
    yield from _attempt(lambda: chunks.read(split.folder, split.manifest))


def _of_columns(split: Split) -> Iterator[FastinetError]:
    try:
        stored = columns.read(split.folder, split.manifest)
    except FastinetError as error:
        yield error
        return
    for column in stored.values():
        try:
            Column(split.folder, column, split.manifest.records)
        except FastinetError as error:
            yield error


def _of_names(split: Split) -> Iterator[FastinetError]:
    specs = shard_specs(split.folder, split.manifest)
    path = str(split.folder / NAMES)
    try:
        names = read_names(split.folder, len(specs))
    except FastinetError as error:
        yield error
        return
    for number, (spec, row) in enumerate(zip(specs, names or (), strict=False)):
        if row is None or not row["others"]:
            continue
        try:
            shard = _core.ShardedDataset([spec])
            unknown = row["others"].keys() - set(shard.keys(0, len(shard)))
        except FastinetError:
            continue  # reported by the check of the shard
        for key in sorted(unknown):
            yield wrong(FormatError, path, f"[{number}].others", "keys of the shard's records", key)


def _of_report(split: Split) -> Iterator[FastinetError]:
    path: Path = split.folder / REPORT
    yield from _attempt(lambda: is_there(path) and SplitReport.from_json(read_json(path), str(path)))
