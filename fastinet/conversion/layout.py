"""Names of the files in a dataset folder that a conversion writes.

``DST/<split>/`` holds ``<split>-<number>.tar`` and ``.idx``, ``report.json`` and, last of all,
``dataset.json``. ``DST/.fastinet-convert/`` is there only while a conversion is at work or was interrupted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from fastinet import manifest
from fastinet.conversion.names import FILE as NAMES
from fastinet.conversion.workspace import FOLDER, os_errors

__all__ = ["REPORT", "foreign_entries", "is_complete", "owned_files", "remove_surplus", "shard_name"]

REPORT = "report.json"
_ENDS = (".tar", ".idx")


def shard_name(split: str, number: int) -> str:
    """Without extension: "train-000012"."""
    return f"{split}-{number:06d}"


def is_complete(folder: Path) -> bool:
    """Whether a split's folder has a manifest of fastinet's, be it damaged."""
    try:
        with (folder / manifest.FILE_NAME).open("rb") as file:
            return file.read(32).lstrip(b"{ \n").startswith(b'"format_version"')
    except OSError:
        return False


def foreign_entries(dst: Path) -> list[str]:
    """What lies in `dst` that no conversion put there; nothing where one is at work or was interrupted."""
    with os_errors(dst):
        if not dst.exists() or (dst / FOLDER).exists():
            return []
        return sorted(
            entry.name for entry in dst.iterdir() if entry.name != "lost+found" and not is_complete(entry)
        )


def owned_files(dst: Path, splits: Iterable[str], begun: Iterable[str]) -> list[str]:
    """A conversion's files, relative to `dst`: of `splits` where complete, of `begun` in any case."""
    owned: list[str] = []
    for split in sorted({*begun, *(split for split in splits if is_complete(dst / split))}):
        folder = dst / split
        if not folder.is_dir():
            continue
        shape = re.compile(rf"{re.escape(split)}-\d{{6,}}\.(tar|idx)|{manifest.FILE_NAME}|{REPORT}|{NAMES}")
        with os_errors(folder):
            owned += sorted(f"{split}/{file.name}" for file in folder.iterdir() if shape.fullmatch(file.name))
    return owned


def remove_surplus(folder: Path, split: str, shards: int) -> None:
    """Removes the shards numbered from `shards` on.

    For a run that goes on where another stopped, over a source that has become shorter since. They are ours:
    the folder was empty when the first run began.
    """
    with os_errors(folder):
        number = shards
        while any((folder / f"{shard_name(split, number)}{end}").exists() for end in _ENDS):
            for end in _ENDS:
                (folder / f"{shard_name(split, number)}{end}").unlink(missing_ok=True)
            number += 1
