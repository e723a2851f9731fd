"""Which folders of a tree of images are splits, and which are classes.

A folder that holds a split is never a class: its images would all get one label. What cannot be told from the
names and from where the images lie is an error that names what was found and the option that decides.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from fastinet.conversion.sources.class_order import resolved
from fastinet.conversion.sources.folders import Folder, holds_image, look
from fastinet.errors import ArgumentError
from fastinet.imagenet.names import WNID

__all__ = ["SPLITS", "FolderTree", "SplitFolder", "read_tree", "refuse_splits_within", "split_name"]

# Names of splits, in the order in which they are converted.
SPLITS = ("train", "val", "validation", "valid", "test")

_SYNONYMS = {"training": "train", "testing": "test"}
_SOUNDS = frozenset((*SPLITS, *_SYNONYMS, "trainval"))
_LIST = "list the classes with --class-order FILE (class_order=)"

_LEFT = "folders left alone"


class SplitFolder(NamedTuple):
    """A split.

    Attributes:
        path: of its folder.
        folders: of its classes, sorted; none: its images lie in `path` itself and have no labels.
        notes: what was left alone or taken for something else, by kind.
    """

    path: str
    folders: tuple[str, ...]
    notes: Mapping[str, list[str]]


class FolderTree(NamedTuple):
    """The splits to convert, by name, and the classes that they have in common."""

    splits: Mapping[str, SplitFolder]
    classes: tuple[str, ...]


class _Named(NamedTuple):
    """A folder with a split's name, and what it holds: "classes", "images" without such, or "nothing"."""

    folder: str
    split: str
    holds: str


def read_tree(root: str, split: str | None = None, classes: Collection[str] | None = None) -> FolderTree:
    """The splits and classes of the tree at `root`.

    Folders named as ``SPLITS`` (or ``Training``, ``Testing``; case does not count) are splits where one of
    them holds class folders, or where no other folder holds images; otherwise all folders are classes.

    Args:
        root: of the tree.
        split: convert only this split; or the name of the only one.
        classes: names of all classes as `resolved` reads them; they settle what is a class and what is left
            alone.

    Raises:
        ArgumentError: it cannot be told what is what, or there is no such split.
        ShardIOError: a folder cannot be read.
    """
    here = look(root)
    if classes is not None and set(resolved(classes, here.folders)) <= set(here.folders):
        return _one_split(here, split, classes)
    named = [_Named(name, s, _content(f"{root}/{name}")) for name in here.folders if (s := split_name(name))]
    filled = [n for n in named if n.holds != "nothing"]
    if not (any(n.holds == "classes" for n in filled) or len(filled) > 1 or _all_sound(here)):
        return _one_split(here, split, classes)
    others = [name for name in _visible(here) if not split_name(name)]
    with_images = [name for name in others if holds_image(f"{root}/{name}")]
    if not filled:
        raise ArgumentError(
            f"{root}: its folders are splits by their names and no classes: {_some(with_images)}; convert "
            f"each by its own path, with --split NAME, or, where these are classes, {_LIST}",
            path=root,
        )
    for a, b in combinations(filled, 2):
        if a.split == b.split:
            raise ArgumentError(
                f"{root}: both {a.folder} and {b.folder} are named as the split {a.split}; rename one, or "
                "convert each by its own path",
                path=root,
            )
    if with_images and split is None:
        raise ArgumentError(
            f"{root}: holds splits ({_some(n.folder for n in filled)}) beside folders of images that are no "
            f"splits ({_some(with_images)}); move one or the other away, or convert one split alone with "
            f"--split {filled[0].split}; where all are classes, {_LIST}",
            path=root,
        )
    return _splits(here, filled, _chosen(root, named, split), classes)


def refuse_splits_within(root: str, folders: Iterable[Folder]) -> None:
    """Refuses a class below `root` of which the `folders` are a dataset's: splits, or synsets.

    Raises:
        ArgumentError: naming the folder that is to be converted instead.
    """
    flat: dict[str, set[str | None]] = {}
    for folder in folders:
        if not folder.images:
            continue
        parts = folder.path[len(root) + 1 :].split("/")
        for at, part in enumerate(parts):
            place = "/".join((root, *parts[:at]))
            if at < len(parts) - 1 and _sounds(part):
                raise _no_class(place if at else f"{root}/{part}", f"{place}/{part} is a split by its name")
            if at and WNID.fullmatch(part) and not WNID.fullmatch(parts[0]):
                raise _no_class(place, f"{place}/{part} is a synset")
        if len(parts) > 1 and split_name(parts[-1]):
            names = flat.setdefault(place, set())
            names.add(split_name(parts[-1]))
            if len(names) > 1:
                raise _no_class(place, f"{place} holds splits")


def split_name(folder: str) -> str | None:
    """The split that a folder's name stands for; None: it is no such name."""
    name = folder.lower()
    name = _SYNONYMS.get(name, name)
    return name if name in SPLITS else None


def _sounds(folder: str) -> bool:
    """Whether a name holds a split's as a word: "train2017", "ILSVRC2012_img_val"."""
    return not _SOUNDS.isdisjoint(re.split(r"[^a-z]+", folder.lower()))


def _all_sound(here: Folder) -> bool:
    """Whether the folders with images are named as splits, and there are any."""
    others = (name for name in _visible(here) if not _sounds(name))
    if any(holds_image(f"{here.path}/{name}") for name in others):
        return False
    return any(_sounds(name) and holds_image(f"{here.path}/{name}") for name in _visible(here))


def _content(path: str) -> str:
    here = look(path)
    if any(holds_image(f"{path}/{name}") for name in _visible(here)):
        return "classes"
    return "images" if here.images else "nothing"


def _visible(here: Folder) -> list[str]:
    return [name for name in here.folders if not name.startswith(".")]


def _chosen(root: str, named: Sequence[_Named], split: str | None) -> str | None:
    """The split asked for by its own or its folder's name; None: all. Refuses one that has no images."""
    there = next((n for n in named if split in (n.split, n.folder) and n.holds != "nothing"), None)
    if split is None or there is not None:
        return there and there.split
    names = ", ".join(sorted(n.split for n in named if n.holds != "nothing"))
    empty = next((n.folder for n in named if split in (n.split, n.folder)), None)
    what = f"{root}: no split {split!r} here" if empty is None else f"{root}/{empty}: no images here"
    raise ArgumentError(f"{what}, only {names}", path=root)


def _one_split(here: Folder, split: str | None, classes: Collection[str] | None) -> FolderTree:
    """A folder that is one split: of classes, or of images without labels."""
    if split is not None and (not split.isidentifier() or not split.isascii()):
        raise ArgumentError(f"a split's name is letters, digits and underscores, not {split!r}")
    name = split or split_name(os.path.basename(here.path)) or "train"  # noqa: PTH119
    if _content(here.path) == "images":
        left = [*(f"{folder}: no class" for folder in here.folders), *_told_noise(here)]
        return FolderTree({name: SplitFolder(here.path, (), {_LEFT: left})}, ())
    found = _class_folders(here, classes)
    if not found.folders:
        raise ArgumentError(
            f"{here.path}: no class folders and no images; expected {here.path}/<class>/<image>",
            path=here.path,
        )
    return FolderTree({name: found}, found.folders)


def _splits(
    here: Folder, filled: Sequence[_Named], split: str | None, classes: Collection[str] | None
) -> FolderTree:
    """A folder of splits, of which `split` alone or all are wanted."""
    root = here.path
    trees = {
        n.split: _class_folders(look(f"{root}/{n.folder}"), classes) for n in filled if n.holds == "classes"
    }
    _refuse_unlabelled(root, filled, split, tuple(trees))
    common, notes = _common_classes(root, {s: t.folders for s, t in trees.items()}, split, classes)
    chosen = {n.split: n for s in SPLITS for n in filled if n.split == s and split in (None, s)}
    left = [
        f"{name}: {'images, but no split' if holds_image(f'{root}/{name}') else 'no images'}"
        for name in here.folders
        if name not in {n.folder for n in filled}
    ]
    first, *_ = found = {
        s: trees.get(s) or SplitFolder(f"{root}/{n.folder}", (), {}) for s, n in chosen.items()
    }
    told = {
        _LEFT: [*left, *_told_noise(here), *found[first].notes.get(_LEFT, ())],
        "folders taken for splits": [f"{n.folder}: {s}" for s, n in chosen.items() if n.folder != s],
        "images beside the splits, ignored": here.images,
        **notes,
    }
    return FolderTree({**found, first: found[first]._replace(notes=told)}, common)


def _class_folders(here: Folder, classes: Collection[str] | None) -> SplitFolder:
    """The classes of a split; of folders that can be none, what became of them."""
    names, left = [], _told_noise(here)
    wanted = None if classes is None else set(resolved(classes, here.folders))
    for name in here.folders:
        hidden = name.startswith(".")
        if (wanted is None and not hidden) or (wanted is not None and name in wanted):
            names.append(name)
        elif not holds_image(f"{here.path}/{name}"):
            left.append(f"{name}: {'hidden' if hidden else 'not among the classes listed'}, and no images")
        elif wanted is not None:
            names.append(name)  # the list lacks it, which is an error
        else:
            raise ArgumentError(
                f"{here.path}/{name}: a hidden folder with images, which torchvision takes for a class; "
                f"remove it, or {_LIST}",
                path=f"{here.path}/{name}",
            )
    return SplitFolder(here.path, tuple(names), {_LEFT: left})


def _refuse_unlabelled(root: str, filled: Sequence[_Named], split: str | None, trees: Sequence[str]) -> None:
    """Images without class folders are what a test split has; elsewhere their labels are missing."""
    flat = next((n for n in filled if n.holds == "images" and n.split != "test"), None)
    if split is not None or flat is None:
        return
    path = f"{root}/{flat.folder}"
    others = f", --split {trees[0]} leaves them alone" if trees else f"; where these are classes, {_LIST}"
    raise ArgumentError(
        f"{path}: images but no class folders, so no labels; expected {path}/<class>/<image>. Sort them so, "
        "or give their labels in a list (CSV, or val.txt), or convert the archive with its devkit; "
        f"--split {flat.split} converts them without labels{others}",
        path=path,
    )


def _common_classes(
    root: str, folders: Mapping[str, tuple[str, ...]], split: str | None, classes: Collection[str] | None
) -> tuple[tuple[str, ...], dict[str, list[str]]]:
    """The classes of all splits together: those of train, or of the split with the most.

    Labels are then those of torchvision's ImageFolder of that split, and the same in every split, whichever
    are converted.
    """
    union = tuple(sorted({name for names in folders.values() for name in names}))
    main = "train" if "train" in folders else max(folders, key=lambda s: len(folders[s]), default="")
    extra = {s: sorted(set(names) - set(folders[main])) for s, names in folders.items()}
    other = next((s for s, names in extra.items() if names), None)
    if other is None or classes is not None:
        return union, {}
    if split is not None:
        told = f"{other} has classes that {main} lacks: {_some(extra[other])}"
        return folders.get(split, ()), {"labels by this split's own classes": [told]}
    raise ArgumentError(
        f"{root}: {other} has classes that {main} lacks ({_some(extra[other])}), and labels would be those "
        f"of neither; convert one split at a time with --split, or {_LIST}",
        path=root,
    )


def _no_class(place: str, why: str) -> ArgumentError:
    return ArgumentError(
        f"{place}: is no class: {why}; convert {place} instead, or, where it is one, {_LIST}", path=place
    )


def _told_noise(here: Folder) -> list[str]:
    return [f"{name}: of the operating system or a tool" for name in here.noise]


def _some(names: Iterable[str], most: int = 5) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
