"""Folders of images, one folder a class: torchvision's ImageFolder, with its classes, order and files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from fastinet.conversion.files import EXTENSIONS
from fastinet.conversion.keys import KeyMaker, same_but_for_case
from fastinet.conversion.source import Extent, Sample, Survey
from fastinet.errors import ArgumentError, MissingFileError, ShardIOError
from fastinet.manifest import ClassInfo

__all__ = ["EXTENSIONS", "SPLITS", "ImageFolder"]

# Folder names that are splits rather than classes, in the order in which they are converted.
SPLITS = ("train", "val", "validation", "valid", "test")


class ImageFolder:
    """``root/<class>/**/<image>``, or ``root/<split>/<class>/**/<image>`` for one or more of ``SPLITS``.

    Classes are the sorted folder names (of all splits together), and the samples of a split come in the
    order of ``torchvision.datasets.ImageFolder(...).samples``: by class, then by folder, then by file name.
    Links are followed. A folder without splits is one split, named ``split``; by default as the folder
    itself where that is one of ``SPLITS``, else "train".

    Raises:
        MissingFileError: there is no folder at ``root``.
        ArgumentError: it holds no class folders, or no images at all.
    """

    kind = "imagefolder"

    def __init__(self, root: str | os.PathLike[str], split: str | None = None) -> None:
        path = Path(os.path.abspath(root))  # noqa: PTH100 - without following links
        if not path.is_dir():
            what = "this is a file" if path.exists() else "there is nothing"
            raise MissingFileError(f"{path}: a folder of images was expected, {what}", path=str(path))
        self.location = str(path)
        self._roots = _split_roots(path, split)
        names = sorted({name for folder in self._roots.values() for name in _folders(folder)})
        if not names:
            raise ArgumentError(_no_classes(path), path=str(path))
        self.classes = tuple(ClassInfo(name) for name in names)
        self.splits = tuple(self._roots)

    def survey(self, split: str) -> Survey:
        """Counts the images of a split, class by class."""
        root = self._roots[split]
        records = 0
        ignored: Counter[str] = Counter()
        folders: list[str] = []
        outside = sorted(name for name in os.listdir(root) if _is_lost(root, name))  # noqa: PTH208
        alike: list[str] = []
        for entry in self.classes:
            images: list[str] = []
            for folder, files in _walk(f"{root}/{entry.name}"):
                below = folder[len(root) + 1 :]
                if below.lower().endswith(EXTENSIONS):
                    folders.append(below)
                for file in files:
                    if file.name.lower().endswith(EXTENSIONS):
                        images.append(f"{below}/{file.name}")
                    else:
                        ignored[Path(file.name).suffix.lower() or "no extension"] += 1
            records += len(images)
            alike += same_but_for_case(images)
        if not records:
            raise ArgumentError(
                f"{root}: no images in its {len(self.classes)} folders (looked for {', '.join(EXTENSIONS)})",
                path=root,
            )
        return Survey(
            records,
            {
                "files ignored": [f"{n} of {suffix}" for suffix, n in sorted(ignored.items())],
                "folders named as images are": folders,
                "images outside of the class folders, ignored": outside,
                "names that differ only in case": [
                    *same_but_for_case(entry.name for entry in self.classes),
                    *alike,
                ],
            },
        )

    def samples(self, split: str) -> Iterator[Sample]:
        """The images of a split, one class in memory at a time."""
        root = self._roots[split]
        skip = len(root) + 1
        keys = KeyMaker(entry.name for entry in self.classes)
        for label, entry in enumerate(self.classes):
            make_key = keys.for_folder(entry.name)
            inside = len(f"{root}/{entry.name}") + 1
            for folder, files in _walk(f"{root}/{entry.name}"):
                for file in sorted(files, key=lambda f: f.name):
                    if not file.name.lower().endswith(EXTENSIONS):
                        continue
                    path = f"{folder}/{file.name}"
                    try:
                        status = file.stat()
                        size, stamp = status.st_size, status.st_mtime_ns
                    except OSError:  # a link to nowhere: the policy for bad files decides when it is read
                        size, stamp = 0, 0
                    yield Sample(make_key(path[inside:]), Extent(path), label, size, path[skip:], stamp)


def _split_roots(path: Path, split: str | None) -> dict[str, str]:
    names = _folders(str(path))
    is_tree = bool(names) and all(name in SPLITS and _folders(str(path / name)) for name in names)
    if is_tree:
        chosen = [name for name in SPLITS if name in names and split in (None, name)]
        if not chosen:
            raise ArgumentError(
                f"{path}: no split {split!r} here, only {', '.join(sorted(names))}", path=str(path)
            )
        return {name: str(path / name) for name in chosen}
    if split is not None and (not split.isidentifier() or not split.isascii()):
        raise ArgumentError(f"a split's name is letters, digits and underscores, not {split!r}")
    return {split or (path.name if path.name in SPLITS else "train"): str(path)}


def _no_classes(path: Path) -> str:
    if any(name.lower().endswith(EXTENSIONS) for name in os.listdir(path)):  # noqa: PTH208
        return f"{path}: images but no class folders; expected {path}/<class>/<image>"
    return f"{path}: no class folders; expected {path}/<class>/<image>"


def _folders(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if _is_folder(entry))
    except OSError as error:
        raise _unreadable(folder, error) from error


def _walk(folder: str) -> list[tuple[str, list[os.DirEntry[str]]]]:
    """(folder, its files) for `folder` and all below it, sorted by path; nothing where it does not exist."""
    found: list[tuple[str, list[os.DirEntry[str]]]] = []
    _visit(folder, (), found)
    found.sort(key=lambda item: item[0])
    return found


def _visit(
    path: str, ancestors: tuple[tuple[int, int], ...], found: list[tuple[str, list[os.DirEntry[str]]]]
) -> None:
    try:
        status = os.stat(path)  # noqa: PTH116
        here = (status.st_dev, status.st_ino)
        if here in ancestors:
            raise ArgumentError(f"{path}: a link back to a folder above it; remove the link", path=path)
        with os.scandir(path) as entries:
            listed = list(entries)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not ancestors:
            return  # another split's class
        raise _unreadable(path, error) from error
    files = []
    for entry in listed:
        if _is_folder(entry):
            _visit(f"{path}/{entry.name}", (*ancestors, here), found)
        else:
            files.append(entry)
    found.append((path, files))


def _is_lost(root: str, name: str) -> bool:
    return name.lower().endswith(EXTENSIONS) and not os.path.isdir(f"{root}/{name}")  # noqa: PTH112


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: reading it says so, as the policy for bad files wants
        return False


def _unreadable(path: str, error: OSError) -> ShardIOError:
    return ShardIOError(f"{path}: cannot read this folder: {error.strerror}", path=path, errno=error.errno)
