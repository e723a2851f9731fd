"""FFCV on the original JPEG bytes, which its own writer would encode anew.

FFCV ignores the result of decoding and delivers what its buffer held before. A file that its decoder refuses
is therefore encoded anew before the measurement, so that what is measured are images.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ffcv import libffcv
from ffcv.fields import IntField, RGBImageField
from ffcv.fields.decoders import CenterCropRGBImageDecoder, IntDecoder, RandomResizedCropRGBImageDecoder
from ffcv.fields.rgb_image import IMAGE_MODES
from ffcv.loader import Loader, OrderOption
from ffcv.transforms import NormalizeImage, RandomHorizontalFlip, Squeeze, ToTensor, ToTorchImage
from ffcv.writer import DatasetWriter
from PIL import Image

from peers import MEAN, STD, Epoch, Work
from reference import image_folder

DISTRIBUTIONS = ("ffcv", "numba", "torch", "opencv-python")

# FFCV allocates its buffers anew for each epoch, which in one of few batches would be much of the work.
# Epochs of a small dataset are therefore parts of one as long as ImageNet's.
_EPOCH = 1_281_167


def _jpeg(path: Path) -> tuple[npt.NDArray[np.uint8], int, int]:
    """The file's bytes, height and width; of one that FFCV cannot decode, a JPEG file of the same pixels."""
    with Image.open(path) as image:
        width, height = image.size
        if image.format == "JPEG":
            data = np.fromfile(path, np.uint8)
            pixels = np.empty(3 * height * width, np.uint8)
            if libffcv.imdecode(data, pixels, height, width, height, width) == 0:
                return data, height, width
        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, "JPEG", quality=95)
    return np.frombuffer(buffer.getvalue(), np.uint8), height, width


class _JpegField(RGBImageField):  # type: ignore[misc]
    """A path, of which the dataset gets the JPEG file as it is."""

    def encode(self, destination: Any, path: Path, malloc: Callable[[int], Any]) -> None:
        data, destination["height"], destination["width"] = _jpeg(path)
        destination["mode"] = IMAGE_MODES["jpg"]
        destination["data_ptr"], storage = malloc(data.nbytes)
        storage[:] = data


def _write(samples: list[tuple[Path, int]], beton: Path, processes: int) -> None:
    for path, _ in samples:
        _jpeg(path)  # what fails raises here: FFCV would wait for ever for the process that it fails in
    fields = {"image": _JpegField(), "label": IntField()}
    DatasetWriter(str(beton), fields, num_workers=processes).from_indexed_dataset(samples)


def open_epochs(work: Work) -> Epoch:
    samples = image_folder(work.images)
    beton = work.shards.parents[1] / "ffcv.beton"
    if not beton.exists():
        _write(samples, beton, work.threads)

    images: list[Any] = (
        [RandomResizedCropRGBImageDecoder((224, 224)), RandomHorizontalFlip()]
        if work.train
        else [CenterCropRGBImageDecoder((224, 224), ratio=224 / 256)]
    )
    if work.normalised:
        images.append(NormalizeImage(255 * np.array(MEAN), 255 * np.array(STD), np.float32))
    repeats = -(-_EPOCH // len(samples))
    loader = Loader(
        str(beton),
        batch_size=work.batch_size,
        num_workers=work.threads,
        order=OrderOption.RANDOM if work.train else OrderOption.SEQUENTIAL,
        indices=np.tile(np.arange(len(samples)), repeats),
        pipelines={
            "image": [*images, ToTensor(), ToTorchImage()],
            "label": [IntDecoder(), ToTensor(), Squeeze()],
        },
        custom_fields={"image": _JpegField},
        drop_last=False,
    )

    def stream() -> Iterator[Any]:
        while True:
            yield from loader

    batches = stream()
    per_epoch = math.ceil(len(samples) / work.batch_size)

    def epoch() -> int:  # its batches are full: they run on into the next epoch
        return sum(len(next(batches)[0]) for _ in range(per_epoch))

    return epoch
