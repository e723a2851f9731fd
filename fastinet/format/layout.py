"""Names of the files in a dataset folder that a conversion writes.

``DST/<split>/`` holds ``<split>-<number>.tar`` and ``.idx``, ``report.json``, ``names.json``,
``labels.bin``, ``chunks.bin``, with ``labels_as`` a column's files, and, last of all, ``dataset.json``.
``DST/splits.json`` lists the splits. ``DST/.fastinet-convert/`` exists only while a conversion runs or
after it was interrupted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from fastinet.format import chunks, columns, labels, manifest, root
from fastinet.format.names import FILE as NAMES
from fastinet.storage.files import is_there
from fastinet.storage.store import JOURNAL, Store

__all__ = [
    "REPORT",
    "complete_splits",
    "foreign_entries",
    "is_complete",
    "owned_files",
    "remove_surplus",
    "shard_name",
    "split_folders",
]

REPORT = "report.json"


def shard_name(split: str, number: int) -> str:
    """Without extension: "train-000012"."""
    return f"{split}-{number:06d}"


def split_folders(root: Path) -> list[Path]:
    """Returns the folders of a dataset's splits, sorted by name. Does not read their manifests.

    They are `root` alone if it holds a manifest, and otherwise its subfolders that hold one. The list is
    empty if there is none.

    Raises:
        ShardIOError: the operating system refuses to look.
    """
    if is_there(root / manifest.FILE_NAME):
        return [root]
    return sorted(file.parent for file in root.glob(f"*/{manifest.FILE_NAME}"))


def is_complete(store: Store, split: str) -> bool:
    """Whether a split's folder has a manifest of fastinet's, be it damaged."""
    found = store.read(f"{split}/{manifest.FILE_NAME}")
    return found is not None and found[:32].lstrip(b"{ \n").startswith(b'"format_version"')


def complete_splits(store: Store) -> list[str]:
    """The splits there that have a manifest."""
    names = set(store.entries()) - {JOURNAL, "lost+found", root.FILE_NAME}
    return sorted(name for name in names if is_complete(store, name))


def foreign_entries(store: Store) -> list[str]:
    """What lies there that no conversion put there; nothing where one is at work or was interrupted."""
    names = store.entries()
    if JOURNAL in names:
        return []
    ours = {root.FILE_NAME} if root.is_root(store.read(root.FILE_NAME)) else set()
    return sorted(set(names) - {"lost+found", *ours, *complete_splits(store)})


def owned_files(store: Store, splits: Iterable[str], begun: Iterable[str]) -> list[str]:
    """A conversion's files: of `splits` where complete, of `begun` in any case, and the list of splits."""
    owned = [root.FILE_NAME] if root.is_root(store.read(root.FILE_NAME)) else []
    for split in sorted({*begun, *(split for split in splits if is_complete(store, split))}):
        shape = re.compile(
            rf"{re.escape(split)}-\d{{6,}}\.(tar|idx)|{manifest.FILE_NAME}|{REPORT}|{NAMES}|"
            rf"{labels.FILE_NAME}|{chunks.FILE_NAME}|"
            rf"{columns.FILE_NAME}|column-[a-z0-9_]+-(values|offsets)-[0-9a-f]{{16}}\.npy"
        )
        owned += sorted(f"{split}/{name}" for name in store.entries(split) if shape.fullmatch(name))
    return owned


def remove_surplus(store: Store, split: str, shards: int) -> None:
    """Removes the shards numbered from `shards` on.

    For a run that goes on where another stopped, over a source that has become shorter since. They are ours:
    the folder was empty when the first run began.
    """
    shape = re.compile(rf"{re.escape(split)}-(\d{{6,}})\.(tar|idx)")
    matches = (shape.fullmatch(name) for name in sorted(store.entries(split)))
    store.remove(f"{split}/{m[0]}" for m in matches if m and int(m[1]) >= shards)
