"""The files of sources that hold many images a file, by split, with none missing."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fastinet.conversion.sources.folder_tree import SPLITS
from fastinet.errors import ArgumentError, MissingFileError
from fastinet.storage.files import unreadable

__all__ = ["choose_split", "find_files", "split_of"]

# The end of a name that numbers a file among all of its split: "-00003-of-01024", and what follows it (older
# files of Hugging Face have a fingerprint there).
_NUMBERED = re.compile(r"-(\d+)-of-(\d+)(?:-[0-9a-f]{8,})?(\.[^/]*)?\Z")


def find_files(root: Path, matches: Callable[[str], bool]) -> list[Path]:
    """The files with a name that `matches`: `root` itself; or those in it, in ``data/``, or in split folders.

    Sorted by folder and name. Empty where there are none.
    """
    if root.is_file():
        return [root] if matches(root.name) else []
    for base in (root, root / "data"):
        found = [
            file for folder in (base, *(base / name for name in SPLITS)) for file in _in(folder, matches)
        ]
        if found:
            return found
    return []


def split_of(file: Path, default: str) -> str:
    """The split that a file's name tells, else its folder's, else `default`.

    A name that is numbered "-of-" ends in the split: ``train-00000-of-00294.parquet``,
    ``imagenet2012-train.tfrecord-00000-of-01024``. In others a part of the name is one of ``SPLITS``:
    ``imagenet1k-train-0000.tar``.
    """
    numbered = _NUMBERED.search(file.name)
    if numbered:
        name = file.name[: numbered.start()].split(".")[0].rpartition("-")[2]
        if name.isidentifier() and name.isascii():
            return name
    parts = [file.parent.name, *re.split(r"[-_.]", file.name)]
    return next((part for part in reversed(parts) if part in SPLITS), default)


def choose_split(files: Sequence[Path], root: Path, split: str | None) -> dict[str, list[Path]]:
    """The files by split, of all splits or of `split` alone; one that nothing names is `split` or "train".

    Raises:
        ArgumentError: there is no such split, or a split's files are of two sets.
        MissingFileError: of files numbered "-of-" some are missing. (`root` as one file is converted alone.)
    """
    if split is not None and not (split.isidentifier() and split.isascii()):
        raise ArgumentError(f"a split's name is letters, digits and underscores, not {split!r}")
    by_split: defaultdict[str, list[Path]] = defaultdict(list)
    for file in files:
        by_split[split_of(file, split or "train")].append(file)
    order = [name for name in SPLITS if name in by_split] + sorted(set(by_split) - set(SPLITS))
    chosen = {name: by_split[name] for name in order if split in (None, name)}
    if not chosen:
        raise ArgumentError(f"{root}: no split {split!r} here, only: {', '.join(order)}", path=str(root))
    if root.is_dir():
        _refuse_incomplete(chosen, root)
    return chosen


def _refuse_incomplete(by_split: Mapping[str, Sequence[Path]], root: Path) -> None:
    for split, files in by_split.items():
        sets: defaultdict[str, dict[int, Path]] = defaultdict(dict)
        for file in files:
            match = _NUMBERED.search(file.name)
            if match:
                sets[f"{file.parent}/{file.name[: match.start()]}-*-of-{match[2]}"][int(match[1])] = file
        if len(sets) > 1:
            listed = " and ".join(sorted(sets))
            raise ArgumentError(
                f"{root}: split {split}: more than one set of files: {listed}", path=str(root)
            )
        for name, there in sets.items():
            total = int(name.rpartition("-")[2])
            missing = next((i for i in range(total) if i not in there), None)
            if missing is None:
                continue
            path = _sibling(next(iter(there.values())), missing)
            raise MissingFileError(
                f"{path}: missing: expected {total} files of the split {split}, found {len(there)}; "
                "to convert only some, give them one by one",
                path=str(path),
                expected=str(total),
                found=str(len(there)),
            )


def _sibling(file: Path, number: int) -> Path:
    """The file of the same set with that number."""
    return file.with_name(
        _NUMBERED.sub(lambda m: f"-{number:0{len(m[1])}d}-of-{m[2]}{m[3] or ''}", file.name)
    )


def _in(folder: Path, matches: Callable[[str], bool]) -> list[Path]:
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - only the names
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as e:
        raise unreadable(folder, e) from None
    return [folder / name for name in names if matches(name) and (folder / name).is_file()]
