"""The challenges' archives of bounding boxes: tars, mostly compressed, with one PASCAL VOC file per image."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import cast

from fastinet.conversion.sources.voc import parse_voc
from fastinet.format.boxset import Box, BoxSet
from fastinet.storage.tar_stream import StreamedMember, stream_tar

__all__ = ["BoxArchives"]


class BoxArchives:
    """The boxes of all images in several archives, by the image's file name without extension.

    The archives are read once. The boxes take about 200 bytes of memory per image, 110 MB for ILSVRC-2012's
    training images. If several archives have boxes of an image, those of the first archive are used.

    Raises:
        FormatError: an archive is damaged.
        ShardIOError: an archive cannot be read.
    """

    def __init__(self, archives: Iterable[Path], labels: Mapping[str, int]) -> None:
        self._packed: dict[str, bytes | BoxSet] = {}
        for archive in archives:
            for file in _xml_files(stream_tar(archive)):
                stem = PurePosixPath(file.info.name).stem
                if stem not in self._packed:
                    # A training image's name begins with its WNID.
                    default = labels.get(stem.partition("_")[0], -1)
                    origin = f"{archive.name}/{file.info.name}"
                    self._packed[stem] = _pack(parse_voc(file.read(), labels, origin, default))

    def __len__(self) -> int:
        return len(self._packed)

    def get(self, stem: str) -> BoxSet | None:
        """Returns the boxes of an image, or None if no archive has any."""
        packed = self._packed.get(stem)
        return _unpack(packed) if isinstance(packed, bytes) else packed


def _pack(boxes: BoxSet) -> bytes | BoxSet:
    """Returns the boxes as little-endian int32, or unchanged if they have problems to report."""
    if boxes.problems or boxes.error:
        return boxes
    values = [boxes.width, boxes.height, *(value for box in boxes.boxes for value in box)]
    return struct.pack(f"<{len(values)}i", *values)


def _unpack(packed: bytes) -> BoxSet:
    width, height, *rest = struct.unpack(f"<{len(packed) // 4}i", packed)
    boxes = tuple(cast(Box, tuple(rest[i : i + 6])) for i in range(0, len(rest), 6))
    return BoxSet(width, height, boxes)


def _xml_files(members: Iterable[StreamedMember]) -> Iterator[StreamedMember]:
    """Yields the XML files of an archive, also those of tars within it."""
    for member in members:
        if member.info.isfile() and member.info.name.endswith(".xml"):
            yield member
        elif member.info.isfile() and member.info.name.endswith(".tar"):
            yield from _xml_files(member.members())
