"""The challenges' archives of bounding boxes: tars, mostly compressed, of one PASCAL VOC file an image."""

from __future__ import annotations

import gzip
import struct
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, cast

from fastinet.errors import FormatError, ShardIOError
from fastinet.format.boxset import Box, BoxSet, parse_voc

__all__ = ["BoxArchives"]

_GZIP = b"\x1f\x8b"


class BoxArchives:
    """The boxes of all images in some archives, by the image's file name without extension.

    They are read once, and kept packed: about 200 bytes an image, 110 MB for ILSVRC-2012's training images.
    An image of which several archives have boxes gets those of the first.

    Raises:
        FormatError: an archive is damaged.
        ShardIOError: an archive cannot be read.
    """

    def __init__(self, archives: Iterable[Path], labels: Mapping[str, int]) -> None:
        self._held: dict[str, bytes | BoxSet] = {}
        for archive in archives:
            for name, data in _files(archive):
                stem = PurePosixPath(name).stem
                if stem not in self._held:
                    # A training image's name begins with its WNID.
                    default = labels.get(stem.partition("_")[0], -1)
                    self._held[stem] = _packed(parse_voc(data, labels, f"{archive.name}/{name}", default))

    def __len__(self) -> int:
        return len(self._held)

    def get(self, stem: str) -> BoxSet | None:
        """The boxes of an image; None where no archive has any."""
        held = self._held.get(stem)
        return _unpacked(held) if isinstance(held, bytes) else held


def _packed(boxes: BoxSet) -> bytes | BoxSet:
    """As little-endian int32, unless there is something to report."""
    if boxes.problems or boxes.error:
        return boxes
    values = [boxes.width, boxes.height, *(value for box in boxes.boxes for value in box)]
    return struct.pack(f"<{len(values)}i", *values)


def _unpacked(held: bytes) -> BoxSet:
    width, height, *rest = struct.unpack(f"<{len(held) // 4}i", held)
    boxes = tuple(cast(Box, tuple(rest[i : i + 6])) for i in range(0, len(rest), 6))
    return BoxSet(width, height, boxes)


def _files(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of the XML files of an archive, also of tars within it."""
    try:
        with archive.open("rb") as file:
            is_gzip = file.read(2) == _GZIP
            file.seek(0)
            plain = cast(IO[bytes], gzip.GzipFile(fileobj=file)) if is_gzip else file
            yield from _members(plain)
            while plain.read(1 << 20):  # gzip's checksum is behind the last block
                pass
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as e:
        raise FormatError(f"{archive}: damaged or incomplete: {e}", path=str(archive)) from e
    except OSError as e:
        raise ShardIOError(f"{archive}: cannot read: {e.strerror}", path=str(archive), errno=e.errno) from e


def _members(file: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=file, mode="r|") as tar:
        for member in tar:
            tar.members.clear()  # type: ignore[attr-defined]
            content = tar.extractfile(member) if member.isfile() else None
            if content is not None and member.name.endswith(".xml"):
                yield member.name, content.read()
            elif content is not None and member.name.endswith(".tar"):
                yield from _members(content)
