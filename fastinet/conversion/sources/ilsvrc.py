"""ILSVRC-2012 and ILSVRC-2010 as they were distributed: tars read where they are, labels from the devkit."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from fastinet import _core
from fastinet.conversion.sources.base import Sample, Survey
from fastinet.conversion.sources.box_archives import BoxArchives
from fastinet.conversion.sources.folders import holds_image, look
from fastinet.conversion.sources.synset_tars import (
    SynsetTar,
    list_images,
    nested_tars,
    patched,
    samples_of,
    survey_of,
)
from fastinet.errors import ArgumentError, FormatError, MissingFileError
from fastinet.format.file_kinds import describe_ignored
from fastinet.format.keys import KeyMaker, same_but_for_case
from fastinet.format.manifest import ClassInfo
from fastinet.imagenet.devkit import Devkit
from fastinet.imagenet.published import find
from fastinet.storage.extent import Extent

__all__ = ["ILSVRC2010", "ILSVRC2012"]


class _Challenge:
    """A folder that holds a challenge's archives, or one of the archives; the devkit lies beside them.

    Every split whose archive is there is converted, or only the one named. Training images come class by
    class in torchvision's order; validation and test images by file name. Classes are sorted by WNID; the
    ILSVRC ID is kept among their details. Images of a test set without published truth have label -1.
    Archives of bounding boxes that lie beside the images' give these their boxes.

    Raises:
        MissingFileError: nothing there, or no devkit where labels need one.
        ArgumentError: none of the archives, or not the one of that split.
        FormatError, TruncatedError: an archive is damaged, or disagrees with the devkit.
        UnsupportedError: SciPy, which reads the devkit's ``meta.mat``, is not installed.
    """

    kind: ClassVar[str]
    year: ClassVar[int]
    # By split: the archive's name; of several, the last in alphabetical order is taken.
    archive_names: ClassVar[Mapping[str, re.Pattern[str]]]
    devkits: ClassVar[Sequence[str]]
    box_archives: ClassVar[Mapping[str, Sequence[str]]] = {}  # by split, the one that counts first
    needs_truth: ClassVar[Sequence[str]]  # splits that have no use without labels

    def __init__(self, root: str | os.PathLike[str], split: str | None = None) -> None:
        path = Path(os.path.abspath(root))  # noqa: PTH100 - without following links
        if not path.exists():
            raise MissingFileError(
                f"{path}: archives of {self.kind} were expected, there is nothing", path=str(path)
            )
        self.location = str(path)
        found = self.find_archives(path)
        if split is not None and split not in found:
            there = ", ".join(found) or "no archive at all"
            raise ArgumentError(f"{path}: no archive of the split {split!r}, only {there}", path=str(path))
        if not found:
            names = ", ".join(p.pattern.replace("\\", "") for p in self.archive_names.values())
            raise ArgumentError(
                f"{path}: no archive of {self.kind} here (looked for {names})", path=str(path)
            )
        self._archives = {name: file for name, file in found.items() if split in (None, name)}
        self.splits = tuple(self._archives)
        self._folder = folder = path if path.is_dir() else path.parent
        self._devkit = Devkit.find(folder, self.year, self.devkits)
        self._tars: dict[str, tuple[list[SynsetTar], Counter[str]]] = {
            name: nested_tars(file) for name, file in self._archives.items() if name.startswith("train")
        }
        self._patches = self._find_patches(folder)
        self._require_truth()
        self.classes = self._find_classes()

    @property
    def archives(self) -> tuple[Path, ...]:
        """The files that will be read, for the check of their published sums."""
        kits = [self._folder / name for name in self.devkits]
        boxes = dict.fromkeys(path for split in self.splits for path in self._box_archives(split))
        return (*(kit for kit in kits if kit.is_file()), *boxes, *self._archives.values())

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether one of the challenge's archives is at `path` or in it."""
        return bool(cls.find_archives(path))

    @classmethod
    def find_archives(cls, path: Path) -> dict[str, Path]:
        """The archive of each split that is in the folder `path`; or `path` itself if it is one."""
        files = os.listdir(path) if path.is_dir() else [path.name]  # noqa: PTH208 - of many names, few paths
        folder = path if path.is_dir() else path.parent
        found = {}
        for split, pattern in cls.archive_names.items():
            names = sorted(filter(pattern.fullmatch, files))
            if any((folder / name).is_file() for name in names):
                found[split] = folder / names[-1]
        return found

    def survey(self, split: str) -> Survey:
        """Counts a split by its archive's headers."""
        if split in self._tars:
            tars, ignored = self._tars[split]
            survey = survey_of(tars, self.classes)
            notes = dict(survey.notes)
            if ignored:
                notes["members ignored"] = describe_ignored(ignored)
            records = survey.records
        else:
            listing = list_images(str(self._archives[split]))
            records = len(listing.images)
            notes = {
                "files ignored": describe_ignored(listing.ignored),
                "names that differ only in case": same_but_for_case(image.name for image in listing.images),
            }
        if not records:
            raise ArgumentError(f"{self._archives[split]}: holds no images", path=str(self._archives[split]))
        published = find(self.kind).split(split)
        if published is not None and records != published.images:
            notes["differences from the published set"] = [
                f"{records:,} images, {published.images:,} were published"
            ]
        notes["folders left alone"] = self._folders_beside() if split == self.splits[0] else []
        if self._patches.get(split):
            notes["images replaced by patch_images.tar"] = sorted(self._patches[split])
        return Survey(records, notes)

    def _folders_beside(self) -> list[str]:
        """Folders with images that an ImageFolder would have; the archives are what is read."""
        names = look(self.location).folders if self.location == str(self._folder) else []
        with_images = [name for name in names if holds_image(f"{self._folder}/{name}")]
        return [f"{name}: images, but the archives are read" for name in with_images]

    def samples(self, split: str) -> Iterator[Sample]:
        """The images of a split, lazily; their boxes are read beforehand."""
        if split in self._tars:
            samples = samples_of(self._tars[split][0], self.classes, self._patches.get(split))
        else:
            samples = self._flat_samples(split)
        archives = self._box_archives(split)
        if not archives:
            yield from samples
            return
        boxes = BoxArchives(archives, {c.name: label for label, c in enumerate(self.classes)})
        for sample in samples:
            yield sample._replace(boxes=boxes.get(sample.key.rpartition("/")[2]))

    def _box_archives(self, split: str) -> list[Path]:
        paths = (self._folder / name for name in self.box_archives.get(split, ()))
        return [path for path in paths if path.is_file()]

    def _flat_samples(self, split: str) -> Iterator[Sample]:
        archive = self._archives[split]
        stamp = archive.stat().st_mtime_ns
        truth = self._devkit.truth.get(split) if self._devkit else None
        labels = {c.name: label for label, c in enumerate(self.classes)}
        make_key = KeyMaker([""]).for_folder("")
        for name, offset, size in list_images(str(archive)).images:
            label = -1 if truth is None else labels[self._wnid(archive, name, split, truth)]
            sample = Sample(
                make_key(name),
                Extent(str(archive), offset, size),
                label,
                size,
                f"{archive.name}/{name}",
                stamp,
            )
            yield patched(sample, name, self._patches.get(split))

    def _wnid(self, archive: Path, name: str, split: str, truth: Sequence[int]) -> str:
        """By the number in the file's name, which is its place among the names in ascending order."""
        assert self._devkit is not None
        match = re.fullmatch(rf"ILSVRC{self.year}_{split}_(\d{{8}})\.\w+", name)
        if match is None or not 1 <= int(match[1]) <= len(truth):
            expected = f"ILSVRC{self.year}_{split}_00000001 to _{len(truth):08d}"
            raise FormatError(
                f"{archive}: no ground truth for {name}: expected {expected}",
                path=str(archive),
                expected=expected,
                found=name,
            )
        return self._devkit.wnids[truth[int(match[1]) - 1]]

    def _require_truth(self) -> None:
        for split in self.needs_truth:
            if split in self._archives and (self._devkit is None or split not in self._devkit.truth):
                archive = self._archives[split]
                raise MissingFileError(
                    f"{archive}: the labels are in the devkit, which is not here; "
                    f"put {self.devkits[0]} into {archive.parent}",
                    path=str(archive),
                )

    def _find_classes(self) -> tuple[ClassInfo, ...]:
        wnids = sorted({tar.wnid for tars, _ in self._tars.values() for tar in tars})
        if self._devkit is None:
            return tuple(ClassInfo(wnid) for wnid in wnids)
        known = {c.name for c in self._devkit.classes}
        for split, (tars, _) in self._tars.items():
            for tar in tars:
                if tar.wnid not in known:
                    archive = self._archives[split]
                    raise FormatError(
                        f"{archive}: holds {tar.wnid}.tar, which is none of the {len(known)} classes of "
                        f"{self._devkit.location}",
                        path=str(archive),
                    )
        return self._devkit.classes

    def _find_patches(self, folder: Path) -> dict[str, dict[str, Sample]]:
        """By split and file name, the images that take the place of others: only their payload counts."""
        return {}


class ILSVRC2012(_Challenge):
    """ILSVRC-2012; see the base class."""

    kind = "ilsvrc2012"
    year = 2012
    archive_names: ClassVar[Mapping[str, re.Pattern[str]]] = {
        "train": re.compile(r"ILSVRC2012_img_train\.tar"),
        "train_t3": re.compile(r"ILSVRC2012_img_train_t3\.tar"),
        "val": re.compile(r"ILSVRC2012_img_val\.tar"),
        "test": re.compile(r"ILSVRC2012_img_test(_v\d+)?\.tar"),
    }
    devkits = ("ILSVRC2012_devkit_t12.tar.gz", "ILSVRC2012_devkit_t12")
    box_archives: ClassVar[Mapping[str, Sequence[str]]] = {
        "train": ("ILSVRC2012_bbox_train_v2.tar.gz", "ILSVRC2012_bbox_train_dogs.tar.gz"),
        "train_t3": ("ILSVRC2012_bbox_train_dogs.tar.gz", "ILSVRC2012_bbox_train_v2.tar.gz"),
        "val": ("ILSVRC2012_bbox_val_v3.tgz",),
    }
    needs_truth = ("val",)


class ILSVRC2010(_Challenge):
    """ILSVRC-2010; see the base class. ``patch_images.tar`` replaces the images that it holds."""

    kind = "ilsvrc2010"
    year = 2010
    archive_names: ClassVar[Mapping[str, re.Pattern[str]]] = {
        "train": re.compile(r"ILSVRC2010_images_train\.tar"),
        "val": re.compile(r"ILSVRC2010_images_val\.tar"),
        "test": re.compile(r"ILSVRC2010_images_test\.tar"),
    }
    devkits = ("ILSVRC2010_devkit-1.0.tar.gz", "devkit-1.0.tar.gz", "devkit-1.0", "ILSVRC2010_devkit-1.0")
    needs_truth = ("val",)

    def _find_patches(self, folder: Path) -> dict[str, dict[str, Sample]]:
        path = folder / "patch_images.tar"
        patches: dict[str, dict[str, Sample]] = {}
        if path.is_file():
            stamp = path.stat().st_mtime_ns
            for name, offset, size in _core.scan_tar(os.fsencode(path))[0]:
                *folders, base = name.split("/")
                split = next((s for s in reversed(folders) if s in self.archive_names), None)
                if split is not None:
                    patch = Sample(
                        "", Extent(str(path), offset, size), -1, size, f"{path.name}/{name}", stamp
                    )
                    patches.setdefault(split, {})[base] = patch
        return patches
