"""Tars of images, one a synset: ``n01440764.tar``, loose in a folder or within one big tar.

Nothing is extracted: the headers say where each image lies, and the images are read from there.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from fastinet import _core
from fastinet.conversion.sources.base import Sample, Survey
from fastinet.errors import FormatError
from fastinet.format.file_kinds import describe_ignored, ignored_kind, is_image_name, is_noise
from fastinet.format.keys import KeyMaker, same_but_for_case
from fastinet.format.manifest import ClassInfo
from fastinet.imagenet.names import WNID
from fastinet.storage.extent import Extent

__all__ = [
    "SYNSET_TAR",
    "Listing",
    "SynsetTar",
    "list_images",
    "loose_tars",
    "nested_tars",
    "samples_of",
    "survey_of",
]

SYNSET_TAR = re.compile(rf"({WNID.pattern})\.tar")


class SynsetTar(NamedTuple):
    """One synset's archive: ``length`` bytes from ``offset`` of the file at ``path``; -1: to its end.

    ``origin`` names it in reports, ``stamp`` is the file's modification time in ns.
    """

    wnid: str
    path: str
    offset: int
    length: int
    origin: str
    stamp: int


class Image(NamedTuple):
    """A member of a tar."""

    name: str
    offset: int
    size: int


class Listing(NamedTuple):
    """The members of a tar: images by file name, and how many others there are by kind."""

    images: list[Image]
    ignored: Counter[str]


def list_images(path: str, offset: int = 0, length: int = -1, origin: str | None = None) -> Listing:
    """The images of a tar, without the folders they are in, sorted by name.

    Raises:
        FormatError, TruncatedError: the tar is damaged; `origin` is what the message names.
        MissingFileError, ShardIOError: the file cannot be read.
    """
    members, skipped = _core.scan_tar(os.fsencode(path), offset, length, origin)
    ignored = Counter(reason for _, reason, _ in skipped if reason != "folder")
    images = []
    for name, start, size in members:
        if is_image_name(name):
            images.append(Image(name.rpartition("/")[2], start, size))
        else:
            ignored[ignored_kind(name)] += 1
    images.sort()
    return Listing(images, ignored)


def nested_tars(path: Path) -> tuple[list[SynsetTar], Counter[str]]:
    """The synsets' tars within one tar, sorted by WNID; and how many other members it has, by kind."""
    stamp = path.stat().st_mtime_ns
    members, skipped = _core.scan_tar(os.fsencode(path))
    ignored = Counter(reason for _, reason, _ in skipped if reason != "folder")
    tars = []
    for name, offset, size in members:
        base = name.rpartition("/")[2]
        match = SYNSET_TAR.fullmatch(base)
        if match and not is_noise(name):
            tars.append(SynsetTar(match[1], str(path), offset, size, f"{path.name}/{base}", stamp))
        else:
            ignored[ignored_kind(name)] += 1
    return _distinct(tars, path), ignored


def loose_tars(folder: Path) -> list[SynsetTar]:
    """The synsets' tars in a folder, sorted by WNID."""
    tars = []
    with os.scandir(folder) as entries:
        for entry in entries:
            match = SYNSET_TAR.fullmatch(entry.name)
            if match and entry.is_file():
                stamp = entry.stat().st_mtime_ns
                tars.append(SynsetTar(match[1], entry.path, 0, -1, entry.name, stamp))
    return _distinct(tars, folder)


def survey_of(tars: Iterable[SynsetTar], classes: Sequence[ClassInfo]) -> Survey:
    """Counts the images of the classes by the tars' headers, one tar in memory at a time."""
    records = 0
    ignored: Counter[str] = Counter()
    left_out = []
    alike: list[str] = []
    names = {c.name for c in classes}
    for tar in tars:
        if tar.wnid not in names:
            left_out.append(tar.wnid)
            continue
        listing = _listing(tar)
        records += len(listing.images)
        ignored += listing.ignored
        alike += same_but_for_case(f"{tar.wnid}/{image.name}" for image in listing.images)
    return Survey(
        records,
        {
            "synsets left out": left_out,
            "files ignored": describe_ignored(ignored),
            "names that differ only in case": alike,
        },
    )


def samples_of(
    tars: Iterable[SynsetTar],
    classes: Sequence[ClassInfo],
    patches: Mapping[str, Sample] | None = None,
) -> Iterator[Sample]:
    """The images of the classes, by class and then by file name: torchvision's order of the extracted tree.

    Args:
        tars: sorted by WNID.
        classes: by label; tars of other synsets are left out.
        patches: payloads that take the place of those of the files so named.
    """
    labels = {c.name: label for label, c in enumerate(classes)}
    keys = KeyMaker(labels)
    for tar in sorted(tars, key=lambda tar: labels.get(tar.wnid, -1)):
        if tar.wnid not in labels:
            continue
        make_key = keys.for_folder(tar.wnid)
        for name, offset, size in _listing(tar).images:
            sample = Sample(
                make_key(name),
                Extent(tar.path, offset, size),
                labels[tar.wnid],
                size,
                f"{tar.origin}/{name}",
                tar.stamp,
            )
            yield patched(sample, name, patches)


def patched(sample: Sample, name: str, patches: Mapping[str, Sample] | None) -> Sample:
    """The sample, with the payload that `patches` holds for the file of that name, if any."""
    patch = patches.get(name) if patches else None
    if patch is None:
        return sample
    return sample._replace(payload=patch.payload, size=patch.size, origin=patch.origin, stamp=patch.stamp)


def _listing(tar: SynsetTar) -> Listing:
    return list_images(tar.path, tar.offset, tar.length, str(Path(tar.path).parent / tar.origin))


def _distinct(tars: list[SynsetTar], where: Path) -> list[SynsetTar]:
    tars.sort()
    for a, b in pairwise(tars):
        if a.wnid == b.wnid:
            raise FormatError(f"{where}: holds {a.wnid}.tar twice", path=str(where))
    return tars
