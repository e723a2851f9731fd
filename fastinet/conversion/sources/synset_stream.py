"""A gzip-compressed tar of synsets' tars, read from front to back; nothing is extracted."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fastinet.conversion.sources.base import Sample, Streamed, Survey
from fastinet.conversion.sources.synset_tars import SYNSET_TAR
from fastinet.errors import FormatError, ShardIOError
from fastinet.format.file_kinds import describe_ignored, ignored_kind, is_image_name, is_noise
from fastinet.format.keys import KeyMaker

__all__ = ["SynsetStream"]


class _Image(NamedTuple):
    wnid: str
    name: str
    data: bytes
    size: int


class SynsetStream:
    """The images of such a tar, in its order. Memory: one image and what the caller holds of them.

    Attributes:
        classes: WNIDs by label: those given, or else all there are, sorted; finding them takes a pass.
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
        """What the pass found that the classes came from; None records where there was none."""
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
        """The images of the wanted synsets, and one without name where a synset's tar begins."""
        seen: set[str] = set()
        place = str(self._path)
        try:
            with gzip.open(self._path) as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as outer:
                for member in outer:
                    match = SYNSET_TAR.fullmatch(member.name.rpartition("/")[2])
                    outer.members.clear()  # type: ignore[attr-defined]
                    if not match or not member.isfile() or is_noise(member.name):
                        continue
                    if wanted is not None and match[1] not in wanted:
                        continue
                    wnid = match[1]
                    place = f"{self._path}/{wnid}.tar"
                    if wnid in seen:
                        raise FormatError(f"{self._path}: holds {wnid}.tar twice", path=str(self._path))
                    seen.add(wnid)
                    yield _Image(wnid, "", b"", 0)
                    with tarfile.open(fileobj=outer.extractfile(member), mode="r|") as inner:
                        yield from self._inner_images(inner, wnid, with_data)
                    place = str(self._path)
                while unpacked.read(1 << 20):  # the checksum of all that was read is behind the last block
                    pass
        except (tarfile.TarError, EOFError, zlib.error) as e:
            raise FormatError(f"{place}: damaged or incomplete: {e}", path=place) from e
        except OSError as e:
            if e.errno is None:  # gzip.BadGzipFile
                raise FormatError(f"{place}: damaged or incomplete: {e}", path=place) from e
            raise ShardIOError(f"{place}: cannot read: {e.strerror}", path=place, errno=e.errno) from e

    def _inner_images(self, inner: tarfile.TarFile, wnid: str, with_data: bool) -> Iterator[_Image]:
        for member in inner:
            inner.members.clear()  # type: ignore[attr-defined]
            if member.isdir():
                continue
            if not member.isfile() or not is_image_name(member.name):
                self._ignored[ignored_kind(member.name)] += 1
                continue
            name = member.name.rpartition("/")[2]
            content = inner.extractfile(member) if with_data else None
            yield _Image(wnid, name, content.read() if content else b"", member.size)
