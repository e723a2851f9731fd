"""Small pictures of records as data URIs, with their bounding boxes, or the reason why there is none."""

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

# Both look about as good. WebP is a third smaller, but some builds of Pillow lack it.
_FORMAT, _QUALITY = ("WEBP", 55) if features.check("webp") else ("JPEG", 70)
_MIME = f"data:image/{_FORMAT.lower()};base64,"


@dataclass(frozen=True)
class ThumbnailBox:
    """A box in pixels of the thumbnail. `label` is the label of its class; -1: no class of the dataset."""

    left: float
    top: float
    width: float
    height: float
    label: int


@dataclass(frozen=True)
class Thumbnail:
    """A thumbnail of one record.

    Attributes:
        index, key, label: of the record.
        image_size: width and height of the stored image.
        width, height: of the thumbnail.
        uri: the picture as a data URI; empty if there is none.
        problem: why there is no picture; otherwise empty.
        boxes: the record's boxes.
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
        """Width by height, limited to what fits a grid of pictures."""
        return round(min(max(self.width / self.height, 0.4), 2.6), 3)


def thumbnails(dataset: Dataset, indices: Iterable[int], side: int, meter: Meter) -> dict[int, Thumbnail]:
    """Returns thumbnails by record number. Shrinks images whose longer side is above `side` pixels.

    Does not apply the EXIF orientation, because boxes refer to the stored image. For a record that cannot be
    read or decoded, the thumbnail has the reason instead of a picture.
    """

    def make(index: int) -> Thumbnail:
        thumbnail = _thumbnail(dataset, index, side)
        meter.advance(1, 0)
        return thumbnail

    with ThreadPoolExecutor(available_cpus(), thread_name_prefix="fastinet-thumbnails") as pool:
        try:
            return {t.index: t for t in pool.map(make, sorted(set(indices)))}
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _thumbnail(dataset: Dataset, index: int, side: int) -> Thumbnail:
    key, label = f"record {index}", -1
    try:
        record = dataset[index]
        key, label = record.key, record.label
        picture = Image.fromarray(decode(record.payload, dct_scaling=True, size=_fitting(record, side)))
        picture.thumbnail((side, side))  # if the sidecar does not have the size
        width, height = picture.size
        boxes = _boxes(record, width, height)
    except FastinetError as error:
        return Thumbnail(index, key, label, (0, 0), 4, 3, "", str(error))
    buffer = io.BytesIO()
    picture.save(buffer, _FORMAT, quality=_QUALITY)
    uri = _MIME + base64.b64encode(buffer.getvalue()).decode()
    return Thumbnail(index, key, label, (record.width, record.height), width, height, uri, boxes=boxes)


def _fitting(record: Record, side: int) -> tuple[int, int] | None:
    """Returns height and width of the thumbnail; None if the image is small enough."""
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
