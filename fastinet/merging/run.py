"""Merging, from the sources' manifests to one that names the shards of all of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fastinet import _core
from fastinet.dataset.dataset import Dataset, hierarchy_of
from fastinet.errors import ArgumentError, FormatError
from fastinet.format import chunks, columns, manifest
from fastinet.format.chunks import ShardChunks
from fastinet.format.columns import PackedColumn
from fastinet.format.finish import with_side_files
from fastinet.format.json_files import to_json
from fastinet.format.manifest import Manifest, ShardInfo, Source
from fastinet.format.names import FILE as NAMES
from fastinet.format.names import read_names
from fastinet.merging.classes import MergedClasses, merge_classes
from fastinet.storage.files import is_there
from fastinet.version import __version__

__all__ = ["MergeReport", "merge"]


@dataclass(frozen=True)
class MergeReport:
    """What a merge made.

    Attributes:
        path: folder of the merged split.
        records: number of its records.
        shards: number of its shards.
        classes: number of its classes.
        columns: attached columns that all sources have with values of one type, and that it has, too.
        left_out: attached columns that only some sources have, or with values of different types.
    """

    path: Path
    records: int
    shards: int
    classes: int
    columns: tuple[str, ...]
    left_out: tuple[str, ...]


def merge(
    sources: Sequence[str | os.PathLike[str]],
    dst: str | os.PathLike[str],
    *,
    split: str | None = None,
) -> MergeReport:
    """Makes one split of several, which stay where and as they are: no shard is copied or rewritten.

    Classes are merged by name: those of the first source keep their labels, and the new ones of each further
    source follow. The manifest in `dst` names the sources' shards, by relative path where they lie below
    `dst` and by absolute path otherwise, and says which class each label of a shard stands for. Words,
    hierarchies and synsets are merged, too. The records keep the order of the sources.

    Attached columns that all sources have with values of one type are joined; the report names the others.

    Args:
        sources: folders of splits, at least two (a folder that holds a single split stands for that split).
        dst: folder for the manifest; it must not hold a dataset yet. It may be a folder that contains the
            sources, which then can be moved together with it.
        split: name of the merged split; None: the first source's.

    Raises:
        ArgumentError: fewer than two sources, one that is listed twice or shares a shard with another, a
            `dst` that holds a dataset, or a key that two sources have although fastinet wrote all their
            shards.
        MissingFileError: a source is missing, or a file of one.
        FormatError, UnsupportedError: a manifest, a file of labels, or a list of columns is not valid; or
            the hierarchies form a cycle together.
        ShardIOError: the operating system refused to read or write.
    """
    if len(sources) < 2:
        raise ArgumentError(f"merge needs at least two datasets, found {len(sources)}")
    folder = _absolute(Path(dst))
    for name in (manifest.FILE_NAME, columns.FILE_NAME, NAMES):
        if is_there(folder / name):
            raise ArgumentError(f"{folder}: holds a {name} already; choose another folder", path=str(folder))
    datasets = [Dataset(_absolute(Path(source))) for source in sources]
    merged = merge_classes([d.manifest for d in datasets])
    contents = _contents(folder, datasets, merged, split)
    hierarchy_of(folder, contents)  # refuses cycles
    _refuse_shared_shards(contents)
    _refuse_repeated_keys(contents, datasets)
    contents, files = with_side_files(contents, _labels(datasets, merged), _chunks(datasets))
    names = _names(datasets)
    if names is not None:
        files[NAMES] = to_json(names)
    joined, left_out = _columns(datasets)
    files |= columns.files_of(contents, joined)
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        _core.write_file(os.fsencode(folder / name), data)
    manifest.write(folder, contents)
    return MergeReport(
        folder, contents.records, len(contents.shards), len(contents.classes), tuple(joined), left_out
    )


def _contents(
    folder: Path, datasets: Sequence[Dataset], merged: MergedClasses, split: str | None
) -> Manifest:
    label_maps: dict[tuple[int, ...], int] = {}
    shards: list[ShardInfo] = []
    for dataset, classes in zip(datasets, merged.maps, strict=True):
        own = [tuple(-1 if label < 0 else classes[label] for label in m) for m in dataset.manifest.label_maps]
        for shard in dataset.manifest.shards:
            labels = classes if shard.label_map is None else own[shard.label_map]
            number = None
            if labels != tuple(range(len(labels))):
                number = label_maps.setdefault(labels, len(label_maps))
            shards.append(
                shard._replace(
                    path=_relative(folder, dataset.path, shard.path),
                    index_path=_relative(folder, dataset.path, shard.index_path),
                    label_map=number,
                )
            )
    parts = [
        part
        for d in datasets
        for part in d.manifest.sources or (Source(len(d.manifest.shards), d.manifest.created_by),)
    ]
    return Manifest(
        split=datasets[0].split if split is None else split,
        classes=merged.classes,
        shards=tuple(shards),
        hierarchy=merged.hierarchy,
        synsets=merged.synsets,
        label_maps=tuple(label_maps),
        sources=tuple(parts),
        created_by={"fastinet": __version__, "source": "merge"},
    )


def _absolute(path: Path) -> Path:
    """As a manifest may name it: without ``..``."""
    return path.resolve() if ".." in path.parts else path.absolute()


def _relative(folder: Path, source: Path, path: str) -> str:
    whole = source / path
    return (whole.relative_to(folder) if whole.is_relative_to(folder) else whole).as_posix()


def _refuse_shared_shards(contents: Manifest) -> None:
    seen: set[str] = set()
    for shard in contents.shards:
        if shard.path in seen:
            raise ArgumentError(f"{shard.path}: two of the datasets have this shard", path=shard.path)
        seen.add(shard.path)


def _refuse_repeated_keys(contents: Manifest, datasets: Sequence[Dataset]) -> None:
    """As ``verify`` does: only where fastinet wrote all shards, since others may repeat keys."""
    if not all("plan" in created_by for created_by in contents.sources_of_shards):
        return
    # The hashes of Python are enough to find candidates, at 8 bytes a record.
    hashes = np.concatenate([np.fromiter(map(hash, d.keys), np.int64, len(d)) for d in datasets])
    order = np.argsort(hashes, kind="stable")
    ends = np.cumsum([len(d) for d in datasets])

    def key_of(number: int) -> tuple[str, Dataset]:
        place = int(np.searchsorted(ends, number, side="right"))
        return datasets[place].keys[number - int(ends[place])], datasets[place]

    for i in np.flatnonzero(hashes[order[1:]] == hashes[order[:-1]]).tolist():
        (first, here), (second, there) = key_of(int(order[i])), key_of(int(order[i + 1]))
        if first == second and here is not there:
            raise ArgumentError(
                f"{there.path}: key {second}: expected one that no other dataset has, found that of a record "
                f"of {here.path}",
                path=str(there.path),
                key=second,
            )


def _labels(datasets: Sequence[Dataset], merged: MergedClasses) -> npt.NDArray[np.int32]:
    parts = []
    for dataset, classes in zip(datasets, merged.maps, strict=True):
        labels = dataset.labels
        if len(labels) and not -1 <= labels.min() <= labels.max() < len(classes):
            wrong = labels.max() if labels.max() >= len(classes) else labels.min()
            raise FormatError(
                f"{dataset.path}: label {wrong} has no class in the manifest",
                path=str(dataset.path),
                expected=f"-1 to {len(classes) - 1}",
                found=str(wrong),
            )
        parts.append(np.array([*classes, -1], np.int32)[labels])  # label -1 takes the last place
    return np.concatenate(parts)


def _chunks(datasets: Sequence[Dataset]) -> list[ShardChunks] | None:
    found: list[ShardChunks] = []
    for dataset in datasets:
        part = chunks.read(dataset.path, dataset.manifest)
        if part is None:
            return None
        found += part
    return found


def _names(datasets: Sequence[Dataset]) -> list[object] | None:
    parts = [(d, read_names(d.path, len(d.manifest.shards))) for d in datasets]
    if all(names is None for _, names in parts):
        return None
    return [row for d, names in parts for row in names or [None] * len(d.manifest.shards)]


def _columns(datasets: Sequence[Dataset]) -> tuple[dict[str, PackedColumn], tuple[str, ...]]:
    """The joined columns by name, and the names of those that cannot be joined."""
    everywhere = [d.columns for d in datasets]
    joined: dict[str, PackedColumn] = {}
    left_out = []
    for name in sorted({name for found in everywhere for name in found}):
        packed = columns.joined([found[name] for found in everywhere if name in found])
        if packed is None or not all(name in found for found in everywhere):
            left_out.append(name)
        else:
            joined[name] = packed
    return joined, tuple(left_out)
