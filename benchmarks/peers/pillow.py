"""Pillow and NumPy in one process, image after image: the simplest correct loader."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from peers import MEAN, STD, Epoch, Work
from reference import center_crop, image_folder, random_crop

DISTRIBUTIONS = ("pillow", "numpy")


def open_epochs(work: Work) -> Epoch:
    samples = image_folder(work.images)
    mean, std = np.array(MEAN, np.float32), np.array(STD, np.float32)

    def sample(path: str) -> npt.NDArray[Any]:
        with Image.open(path) as image:
            rgb = image.convert("RGB")
        pixels: npt.NDArray[Any] = np.asarray(random_crop(rgb, random) if work.train else center_crop(rgb))
        if work.normalised:
            pixels = (pixels.astype(np.float32) / 255 - mean) / std
        planes: npt.NDArray[Any] = pixels.transpose(2, 0, 1)
        return planes

    def epoch() -> int:
        order = random.sample(samples, len(samples)) if work.train else samples
        count = 0
        for start in range(0, len(order), work.batch_size):
            chunk = order[start : start + work.batch_size]
            count += len(np.stack([sample(str(path)) for path, _ in chunk]))
        return count

    return epoch
