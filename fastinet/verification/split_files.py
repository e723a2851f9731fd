"""Checks the files beside a split's shards, and the manifest's hierarchy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from fastinet import _core
from fastinet.dataset.dataset import hierarchy_of, shard_specs
from fastinet.errors import FastinetError, FormatError
from fastinet.format import columns, manifest
from fastinet.format.columns import Column
from fastinet.format.json_files import read_json, wrong
from fastinet.format.layout import REPORT
from fastinet.format.names import FILE as NAMES
from fastinet.format.names import read_names
from fastinet.format.report import SplitReport
from fastinet.storage.files import is_there
from fastinet.verification.records import Split

__all__ = ["split_problems"]


def split_problems(split: Split) -> Iterator[FastinetError]:
    """Yields every problem of the hierarchy, the attached columns, ``names.json`` and ``report.json``."""
    for check in (_of_hierarchy, _of_columns, _of_names, _of_report):
        yield from check(split)


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
        if not row["others"]:
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
