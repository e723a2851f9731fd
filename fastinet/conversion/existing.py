"""Compares what the destination already contains with what a conversion would write there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastinet.errors import ArgumentError, FormatError, StateError, UnsupportedError
from fastinet.format import manifest
from fastinet.format.json_files import parse_json
from fastinet.format.layout import REPORT, complete_splits, foreign_entries, is_complete
from fastinet.format.manifest import ShardInfo
from fastinet.format.report import SplitReport
from fastinet.storage.open import is_url
from fastinet.storage.store import Store

__all__ = [
    "differences",
    "existing_reports",
    "other_classes",
    "read_manifest",
    "refuse_foreign",
    "refuse_overlap",
    "require_shards",
]


def refuse_overlap(src: str, dst: str) -> None:
    """Raises ArgumentError if one of the two places contains the other, or if `dst` is a file."""
    if is_url(src) or is_url(dst):
        source, target = f"{src.rstrip('/')}/", f"{dst}/"
        nested = source.startswith(target) or target.startswith(source)
    else:
        source_path, target_path = Path(src).resolve(), Path(dst).resolve()
        if target_path.exists() and not target_path.is_dir():
            raise ArgumentError(f"{dst}: the destination is a file, not a folder", path=dst)
        nested = (
            source_path == target_path
            or source_path in target_path.parents
            or target_path in source_path.parents
        )
    if nested:
        raise ArgumentError(
            f"{dst}: the destination must lie outside of the source, and the source ({src}) outside of it",
            path=dst,
        )


def refuse_foreign(store: Store) -> None:
    """Raises ArgumentError if the destination contains files that no conversion has written."""
    foreign = foreign_entries(store)
    if foreign:
        raise ArgumentError(
            f"{store.location}: not empty, and not a fastinet dataset (it contains {foreign[0]!r}); "
            "choose an empty or new folder",
            path=store.location,
        )


def existing_reports(
    store: Store, splits: Iterable[str], created_by: Callable[[str], Mapping[str, Any]]
) -> dict[str, SplitReport]:
    """Returns the report of each split, if the splits are what a conversion would write.

    Args:
        store: the destination.
        splits: names of the splits.
        created_by: returns what the manifest of a split would say about its making.

    Raises:
        ArgumentError: the destination contains another dataset, or only a part of this one.
    """
    reports = {}
    for split in splits:
        if not is_complete(store, split):
            raise _other_dataset(store, f"has no split {split!r} yet; convert that one alone")
        found, report = read_manifest(store, split), _read_report(store, split)
        wanted = dict(created_by(split))
        if not report.bad and not report.box_problems:  # then the policy for bad files changed nothing
            wanted["on_bad"] = found.created_by.get("on_bad")
        if dict(found.created_by) != wanted:
            raise _other_dataset(store, differences(found.created_by, wanted))
        for path, _, _ in _changed_files(store, split, found.shards):
            raise _other_dataset(store, f"{path} is missing or of another size")
        reports[split] = report
    return reports


def other_classes(store: Store, splits: Iterable[str], names: Sequence[str]) -> list[str]:
    """Returns the other splits in the destination whose classes are not `names`.

    Splits without classes, and those whose manifest is damaged, are not listed.
    """
    found = []
    for split in sorted(set(complete_splits(store)) - set(splits)):
        with contextlib.suppress(FormatError, UnsupportedError):
            others = [c.name for c in read_manifest(store, split).classes]
            if names and others and list(names) != others:
                found.append(split)
    return found


def require_shards(store: Store, split: str, shards: Iterable[ShardInfo]) -> None:
    """Raises StateError if a shard has not the size with which it was written: another run replaced it."""
    for path, expected, size in _changed_files(store, split, shards):
        found = "nothing" if size is None else f"{size} bytes"
        raise StateError(
            f"{path}: changed while the conversion ran: expected {expected} bytes, found {found}; "
            "make sure that no other run writes there, and repeat this one",
            path=path,
            expected=f"{expected} bytes",
            found=found,
        )


def differences(begun: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Describes the settings in which two conversions differ."""
    names = sorted({*begun, *wanted})
    return ", ".join(
        f"{name} {begun.get(name)!r} there, {wanted.get(name)!r} here"
        for name in names
        if begun.get(name) != wanted.get(name)
    )


def _changed_files(
    store: Store, split: str, shards: Iterable[ShardInfo]
) -> Iterable[tuple[str, int, int | None]]:
    """Yields place, expected size and actual size of each file that is missing (None) or has another size."""
    sizes = store.entries(split)
    for shard in shards:
        for name, size in ((shard.path, shard.bytes), (shard.index_path, shard.index_bytes)):
            if sizes.get(name) != size:
                yield store.place(f"{split}/{name}"), size, sizes.get(name)


def read_manifest(store: Store, split: str) -> manifest.Manifest:
    """Returns the manifest of a split in the destination. Raises what ``manifest.decode`` raises."""
    name = f"{split}/{manifest.FILE_NAME}"
    return manifest.decode(store.read(name) or b"", store.place(name))


def _read_report(store: Store, split: str) -> SplitReport:
    path = store.place(f"{split}/{REPORT}")
    data = store.read(f"{split}/{REPORT}")
    if data is None:
        raise _other_dataset(store, f"{path} is missing")
    return SplitReport.from_json(parse_json(data, path), path)


def _other_dataset(store: Store, why: str) -> ArgumentError:
    return ArgumentError(
        f"{store.location}: contains a dataset that this conversion would not make ({why}); "
        "choose another place, or overwrite",
        path=store.location,
    )
