"""A gzip-compressed tar of synsets' tars, read from front to back; nothing is extracted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fastinet.conversion.sources.base import Sample, Streamed, Survey
from fastinet.conversion.sources.synset_tars import SYNSET_TAR
from fastinet.errors import FormatError
from fastinet.format.file_kinds import describe_ignored, ignored_kind, is_image_name, is_noise
from fastinet.format.keys import KeyMaker
from fastinet.storage.tar_stream import stream_tar

__all__ = ["SynsetStream"]


class _Image(NamedTuple):
    wnid: str
    name: str
    data: bytes
    size: int


class SynsetStream:
    """The images of such a tar, in its order. One image is in memory at a time.

    Attributes:
        classes: WNIDs by label: those given, or else all of them, sorted, which takes one more pass.
    """

    def __init__(self, path: Path, classes: Sequence[str] | None = None) -> None:
        self._path = path
        self._stamp = path.stat().st_mtime_ns
        self._counts: Counter[str] | None = None
        self._ignored: Counter[str] = Counter()
        if classes is None:
            self._counts = Counter()
            for image in self._images(None, with_data=False):
                self._counts[image.wnid] += bool(image.name)
        self.classes: Sequence[str] = (
            sorted(self._counts) if self._counts is not None else tuple(classes or ())
        )

    def survey(self) -> Survey:
        """Returns the counts of the pass over all classes; without such a pass, the number is None."""
        if self._counts is None:
            return Survey(None)
        return Survey(
            sum(self._counts.values()),
            {"files ignored": describe_ignored(self._ignored)},
        )

    def samples(self) -> Iterator[Sample]:
        """The images of the classes."""
        labels = {name: label for label, name in enumerate(self.classes)}
        keys = KeyMaker(labels)
        wnid, make_key = "", keys.for_folder("")
        for image in self._images(labels, with_data=True):
            if image.wnid != wnid:
                wnid, make_key = image.wnid, keys.for_folder(image.wnid)
            if image.name:
                origin = f"{self._path.name}/{wnid}.tar/{image.name}"
                yield Sample(
                    make_key(image.name), Streamed(image.data), labels[wnid], image.size, origin, self._stamp
                )

    def _images(self, wanted: dict[str, int] | None, with_data: bool) -> Iterator[_Image]:
        """Yields the images of the wanted synsets, and, where a synset's tar begins, one without a name."""
        seen: set[str] = set()
        for member in stream_tar(self._path):
            name = member.info.name
            match = SYNSET_TAR.fullmatch(name.rpartition("/")[2])
            if not match or not member.info.isfile() or is_noise(name):
                continue
            wnid = match[1]
            if wanted is not None and wnid not in wanted:
                continue
            if wnid in seen:
                raise FormatError(f"{self._path}: contains {wnid}.tar twice", path=str(self._path))
            seen.add(wnid)
            yield _Image(wnid, "", b"", 0)
            for image in member.members():
                if image.info.isdir():
                    continue
                if image.info.isfile() and is_image_name(image.info.name):
                    data = image.read() if with_data else b""
                    yield _Image(wnid, image.info.name.rpartition("/")[2], data, image.info.size)
                else:
                    self._ignored[ignored_kind(image.info.name)] += 1
