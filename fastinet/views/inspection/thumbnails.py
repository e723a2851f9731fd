"""Small pictures of records as data URIs, with their bounding boxes; or why there is none."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from PIL import Image, features

from fastinet.cpus import available_cpus
from fastinet.dataset.dataset import Dataset, Record
from fastinet.errors import FastinetError
from fastinet.images.decode import decode
from fastinet.progress import Meter

__all__ = ["Thumbnail", "ThumbnailBox", "thumbnails"]

# Of about the same quality to the eye; WebP is a third smaller, and not in every build of Pillow.
_FORMAT, _QUALITY = ("WEBP", 55) if features.check("webp") else ("JPEG", 70)
_MIME = f"data:image/{_FORMAT.lower()};base64,"


@dataclass(frozen=True)
class ThumbnailBox:
    """In pixels of the thumbnail; `label`: place of its class in the dataset, -1: none of them."""

    left: float
    top: float
    width: float
    height: float
    label: int


@dataclass(frozen=True)
class Thumbnail:
    """One record.

    Attributes:
        index, key, label: of the record.
        image_size: width and height of the image as stored.
        width, height: of the thumbnail.
        uri: the picture; "": there is none, and `problem` says why.
        boxes: that the record has.
    """

    index: int
    key: str
    label: int
    image_size: tuple[int, int]
    width: int
    height: int
    uri: str
    problem: str = ""
    boxes: Sequence[ThumbnailBox] = ()

    @property
    def aspect(self) -> float:
        """Width by height, within what a grid of pictures can take."""
        return round(min(max(self.width / self.height, 0.4), 2.6), 3)


def thumbnails(dataset: Dataset, indices: Iterable[int], side: int, shown: Meter) -> dict[int, Thumbnail]:
    """By record number; `side` is the longer one's length in pixels, of images that are larger than that.

    Images are as stored, before their EXIF orientation, which is what their boxes refer to. A record that
    cannot be read or decoded has no picture but the reason.
    """

    def make(index: int) -> Thumbnail:
        made = _thumbnail(dataset, index, side)
        shown.advance(1, 0)
        return made

    with ThreadPoolExecutor(available_cpus(), thread_name_prefix="fastinet-thumbnails") as pool:
        try:
            return {made.index: made for made in pool.map(make, sorted(set(indices)))}
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _thumbnail(dataset: Dataset, index: int, side: int) -> Thumbnail:
    key, label = f"record {index}", -1
    try:
        record = dataset[index]
        key, label = record.key, record.label
        picture = Image.fromarray(decode(record.payload, dct_scaling=True, size=_fitting(record, side)))
        picture.thumbnail((side, side))  # where the sidecar did not know the size
        width, height = picture.size
        boxes = _boxes(record, width, height)
    except FastinetError as error:
        return Thumbnail(index, key, label, (0, 0), 4, 3, "", str(error))
    buffer = io.BytesIO()
    picture.save(buffer, _FORMAT, quality=_QUALITY)
    uri = _MIME + base64.b64encode(buffer.getvalue()).decode()
    return Thumbnail(index, key, label, (record.width, record.height), width, height, uri, boxes=boxes)


def _fitting(record: Record, side: int) -> tuple[int, int] | None:
    """Height and width of the thumbnail; None: the image as it is."""
    longer = max(record.width, record.height)
    if longer <= side:
        return None
    return max(1, round(record.height * side / longer)), max(1, round(record.width * side / longer))


def _boxes(record: Record, width: int, height: int) -> list[ThumbnailBox]:
    reference = record.boxes_size or (0, 0)
    x = width / (reference[0] or record.width or width)
    y = height / (reference[1] or record.height or height)
    return [
        ThumbnailBox(
            round(left * x, 2),
            round(top * y, 2),
            round((right - left) * x, 2),
            round((bottom - top) * y, 2),
            label,
        )
        for label, left, top, right, bottom, _ in record.boxes
    ]
