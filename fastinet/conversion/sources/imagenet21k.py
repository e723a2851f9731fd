"""The whole of ImageNet: ``fall11_whole.tar``, ``winter21_whole.tar.gz``, tars of synsets, trees."""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from fastinet.conversion.sources.base import Sample, Source, Survey
from fastinet.conversion.sources.folders import holds_image, look
from fastinet.conversion.sources.imagefolder import ImageFolder
from fastinet.conversion.sources.synset_stream import SynsetStream
from fastinet.conversion.sources.synset_tars import (
    SYNSET_TAR,
    SynsetTar,
    loose_tars,
    nested_tars,
    samples_of,
    survey_of,
)
from fastinet.errors import ArgumentError, FormatError, MissingFileError, ShardIOError
from fastinet.format.file_kinds import describe_ignored
from fastinet.format.manifest import ClassInfo, refuse_repeated
from fastinet.imagenet.names import WNID
from fastinet.storage.tar_stream import is_gzip, stream_tar

__all__ = ["ImageNet21K", "read_class_list"]

_WHOLE = re.compile(r"(fall11|winter21)_whole\.tar(\.gz)?")


class ImageNet21K:
    """ImageNet in one tar of tars (plain or gzip), as a folder of tars, or as a folder of folders.

    Classes are those of the class list, in its order, or else all synsets that are there, sorted by WNID.
    Images come class by class in torchvision's order, but from a gzip-compressed tar in that tar's order: it
    is read from front to back, with nothing kept but the shards at work. Without a class list it is read
    through once more beforehand, to learn which synsets it holds.

    Args:
        root: the tar, or a folder with ``fall11_whole.tar``, ``winter21_whole.tar.gz`` or ``n01440764.tar``
            and its like, or with a folder of images a synset.
        split: of a tree with splits, the one to convert; else the name of the only split, None: "train".
        classes: WNIDs by label; images of other synsets are left out.

    Raises:
        MissingFileError: nothing there.
        ArgumentError: none of these, or none of the classes, or a class twice.
        FormatError, TruncatedError: an archive is damaged.
    """

    kind = "imagenet21k"

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        path = Path(os.path.abspath(root))  # noqa: PTH100 - without following links
        if not path.exists():
            raise MissingFileError(f"{path}: ImageNet's tars were expected, there is nothing", path=str(path))
        self.location = str(path)
        self.splits: tuple[str, ...] = (split or "train",)
        refuse_repeated(classes or ())
        self._whole = _whole_archive(path)
        self._ignored: Counter[str] = Counter()
        self._left: list[str] = []
        self._tars: list[SynsetTar] = []
        self._stream: SynsetStream | None = None
        self._tree: Source | None = None
        if self._whole is not None and is_gzip(self._whole):
            self._stream = SynsetStream(self._whole, classes)
            names: Iterable[str] = self._stream.classes
        elif self._whole is not None:
            self._tars, self._ignored = nested_tars(self._whole)
            names = (tar.wnid for tar in self._tars)
        else:
            self._tars = loose_tars(path)
            self._left = _folders_beside(path, self._tars)
            names = [tar.wnid for tar in self._tars]
            if not self._tars:
                self._tree = ImageFolder(path, split)
                self.splits = tuple(self._tree.splits)
                names = (c.name for c in self._tree.classes if WNID.fullmatch(c.name))
        there = sorted(names)
        if not there or (classes is not None and not set(there) & set(classes)):
            raise ArgumentError(
                f"{path}: no synsets here{' of the class list' if there else ''}; --classes (classes=) "
                "chooses by WNID, --class-order FILE (class_order=) gives the order of classes of any name",
                path=str(path),
            )
        self.classes = tuple(ClassInfo(name) for name in (there if classes is None else classes))

    @property
    def archives(self) -> tuple[Path, ...]:
        """The file that will be read, for the check of its published sum; none where there are many."""
        return () if self._whole is None else (self._whole,)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether the whole tar, or tars of synsets, are at `path` or in it; trees are ImageFolders."""
        if _whole_archive(path) is not None:
            return True
        return path.is_dir() and any(WNID.fullmatch(p.stem) for p in path.glob("n*.tar"))

    def survey(self, split: str) -> Survey:
        """Counts the images by the headers; a compressed tar with a class list is not counted."""
        if self._stream is not None:
            return self._stream.survey()
        if self._tree is not None:
            return self._survey_tree(self._tree, split)
        survey = survey_of(self._tars, self.classes)
        if not survey.records:
            raise ArgumentError(f"{self.location}: holds no images", path=self.location)
        notes = {"members ignored": describe_ignored(self._ignored), "folders left alone": self._left}
        return Survey(survey.records, {**survey.notes, **notes})

    def samples(self, split: str) -> Iterator[Sample]:
        """The images, lazily."""
        if self._stream is not None:
            return self._stream.samples()
        if self._tree is not None:
            return self._tree_samples(self._tree, split)
        return samples_of(self._tars, self.classes)

    def _survey_tree(self, tree: Source, split: str) -> Survey:
        wanted = {c.name for c in self.classes}
        return Survey(
            sum(1 for _ in self._tree_samples(tree, split)),
            {"synsets left out": [c.name for c in tree.classes if c.name not in wanted]},
        )

    def _tree_samples(self, tree: Source, split: str) -> Iterator[Sample]:
        labels = {c.name: label for label, c in enumerate(self.classes)}
        relabel = [labels.get(c.name) for c in tree.classes]
        for sample in tree.samples(split):
            label = relabel[sample.label]
            if label is not None:
                yield sample._replace(label=label)


def read_class_list(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Class names by label from a file with one a line; what follows the first blank of a line is ignored.

    Lists of 21,841 (``imagenet22k_synsets.txt``), 19,167 and 10,450 (ImageNet-21K-P) WNIDs have this form.

    Raises:
        MissingFileError: no such file.
        FormatError: it names a class twice, or none.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise MissingFileError(f"{path}: class list is missing", path=str(path)) from None
    except ValueError:
        raise FormatError(f"{path}: not a text file in UTF-8", path=str(path)) from None
    names = tuple(line.split()[0] for line in lines if line.strip())
    repeated = next((name for name, n in Counter(names).items() if n > 1), None)
    if repeated is not None or not names:
        what = "names no class" if repeated is None else f"names {repeated} twice"
        raise FormatError(f"{path}: this class list {what}", path=str(path))
    return names


def _folders_beside(path: Path, tars: Iterable[SynsetTar]) -> list[str]:
    """Folders that were extracted from the tars they lie beside; refuses those of other synsets."""
    there = {tar.wnid for tar in tars}
    if not there:
        return []
    folders = [name for name in look(str(path)).folders if holds_image(f"{path}/{name}")]
    other = next((name for name in folders if name not in there), None)
    if other is not None:
        raise ArgumentError(
            f"{path}: holds tars of synsets and folders of images that have no tar ({other}); move one or "
            "the other away, or take the folders alone with --source imagefolder",
            path=str(path),
        )
    return [f"{name}: {name}.tar is read" for name in folders]


def _whole_archive(path: Path) -> Path | None:
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if _WHOLE.fullmatch(p.name))
        if len(found) > 1:
            names = " and ".join(p.name for p in found)
            raise ArgumentError(f"{path}: holds {names}; convert one of them", path=str(path))
        return found[0] if found else None
    return path if _WHOLE.fullmatch(path.name) or _begins_with_synset(path) else None


def _begins_with_synset(path: Path) -> bool:
    """Returns whether a file is a tar of synsets' tars, whatever its name."""
    with contextlib.suppress(FormatError, ShardIOError):
        for member in stream_tar(path):
            if member.info.isfile():
                return SYNSET_TAR.fullmatch(member.info.name.rpartition("/")[2]) is not None
    return False
