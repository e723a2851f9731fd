"""Folders of images, one folder a class: torchvision's ImageFolder, with its classes, order and files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator

from fastinet.conversion.sources.base import Sample, Survey
from fastinet.conversion.sources.files import existing_folder, file_sample
from fastinet.conversion.sources.folder_tree import SPLITS, SplitFolder, read_tree, refuse_splits_within
from fastinet.conversion.sources.folders import Folder, look, walk
from fastinet.errors import ArgumentError
from fastinet.format.file_kinds import EXTENSIONS, describe_ignored, ignored_kind, is_noise
from fastinet.format.keys import KeyMaker, same_but_for_case
from fastinet.format.manifest import ClassInfo

__all__ = ["EXTENSIONS", "SPLITS", "ImageFolder"]


class ImageFolder:
    """``root/<class>/**/<image>``, or ``root/<split>/<class>/**/<image>`` for one or more of ``SPLITS``.

    Classes are the sorted folder names, those of the split with all of them, and the samples of a split come
    in the order of ``torchvision.datasets.ImageFolder(...).samples``: by class, then by folder, then by file
    name. Links are followed. A folder without splits is one split, named `split`; by default as the folder
    itself where that is a split's name, else "train". Images that lie in a folder without class folders, or
    in such a split ``test``, have no labels (-1).

    What lies there beside is named in the survey and left alone: folders of the operating system, hidden
    ones, those without images beside splits. An empty class folder stays a class, as for torchvision with
    ``allow_empty``. ``folder_tree.py`` has what is refused, since labels would be wrong.

    Args:
        root: the folder.
        split: convert only this split, or the name of the only one.
        classes: names of all classes; settles what is a class where that is not plain, and not their order.

    Raises:
        MissingFileError: there is no folder at ``root``.
        ArgumentError: there are no images, or it cannot be told which folders are classes and which splits.
        ShardIOError: a folder cannot be read.
    """

    kind = "imagefolder"

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str | None = None,
        classes: Collection[str] | None = None,
    ) -> None:
        self.location = str(existing_folder(root, "a folder of images"))
        self._are_listed = classes is not None
        self._splits, names = read_tree(self.location, split, classes)
        self.classes = tuple(ClassInfo(name) for name in names)
        self.splits = tuple(self._splits)

    def survey(self, split: str) -> Survey:
        """Counts the images of a split, class by class."""
        folder = self._splits[split]
        if not folder.folders:
            return _survey_unlabelled(folder)
        root = folder.path
        records = 0
        ignored: Counter[str] = Counter()
        odd_names: list[str] = []
        noise: list[str] = []
        alike: list[str] = []
        for entry in self.classes:
            images: list[str] = []
            others: list[str] = []
            for below in self._folders_of(root, entry.name):
                place = below.path[len(root) + 1 :]
                if place.lower().endswith(EXTENSIONS):
                    odd_names.append(place)
                noise += [f"{place}/{name}" for name in below.noise]
                images += (f"{place}/{name}" for name in below.images)
                others += below.others
            if not images and not self._are_listed:
                _refuse_other_things(f"{root}/{entry.name}", others)
            records += len(images)
            ignored.update(map(ignored_kind, others))
            alike += same_but_for_case(images)
        if not records:
            raise ArgumentError(
                f"{root}: no images in its {len(self.classes)} folders (looked for {', '.join(EXTENSIONS)})",
                path=root,
            )
        return Survey(
            records,
            {
                **folder.notes,
                "one class only": [entry.name for entry in self.classes if len(self.classes) == 1],
                "system folders in the classes, ignored": noise,
                "files ignored": describe_ignored(ignored),
                "folders named as images are": odd_names,
                "images outside of the class folders, ignored": look(root).images,
                "names that differ only in case": [
                    *same_but_for_case(entry.name for entry in self.classes),
                    *alike,
                ],
            },
        )

    def samples(self, split: str) -> Iterator[Sample]:
        """The images of a split, one class in memory at a time."""
        folder = self._splits[split]
        root = folder.path
        if not folder.folders:
            make_key = KeyMaker(()).for_folder("")
            for name in look(root).images:
                yield file_sample(f"{root}/{name}", make_key(name), -1, name)
            return
        keys = KeyMaker(entry.name for entry in self.classes)
        for label, entry in enumerate(self.classes):
            make_key = keys.for_folder(entry.name)
            inside = len(f"{root}/{entry.name}") + 1
            for below in self._folders_of(root, entry.name):
                for name in below.images:
                    path = f"{below.path}/{name}"
                    yield file_sample(path, make_key(path[inside:]), label, path[len(root) + 1 :])

    def _folders_of(self, root: str, name: str) -> list[Folder]:
        """A class's folder and all below it, in torchvision's order; none where this split lacks it."""
        folders = sorted(walk(f"{root}/{name}"), key=lambda folder: folder.path)
        if not self._are_listed:
            refuse_splits_within(root, folders)
        return folders


def _survey_unlabelled(folder: SplitFolder) -> Survey:
    images = look(folder.path).images
    return Survey(
        len(images),
        {
            **folder.notes,
            "images without labels (-1), as there are no class folders": [f"{len(images):,}"],
            "names that differ only in case": same_but_for_case(images),
        },
    )


def _refuse_other_things(path: str, files: list[str]) -> None:
    """A folder that is not empty and has no images is none of a class; it would shift the labels."""
    kinds = Counter(ignored_kind(name) for name in files if not name.startswith(".") and not is_noise(name))
    if kinds:
        raise ArgumentError(
            f"{path}: holds no images, only {', '.join(describe_ignored(kinds))}: no class, and torchvision "
            "stops at it; remove it, or list the classes with --class-order FILE (class_order=)",
            path=path,
        )
