"""torchvision's training and evaluation crops on Pillow images, without torch: the oracle of the demo.

The arithmetic is torchvision's for PIL input; only the source of random numbers is Python's.
"""

from __future__ import annotations

import math
import random
from pathlib import Path
from types import ModuleType

from PIL import Image


def image_folder(root: Path) -> list[tuple[Path, int]]:
    """(path, label) of every file, in torchvision's order."""
    classes = sorted(entry for entry in root.iterdir() if entry.is_dir())
    return [(path, label) for label, folder in enumerate(classes) for path in sorted(folder.iterdir())]


Crop = tuple[int, int, int, int]  # top, left, height, width


def crop_params(width: int, height: int, rng: random.Random | ModuleType = random) -> Crop:
    """A training crop, drawn as `RandomResizedCrop.get_params` does with the default parameters."""
    for _ in range(10):
        target = width * height * rng.uniform(0.08, 1.0)
        aspect = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(target * aspect)), round(math.sqrt(target / aspect))
        if 0 < w <= width and 0 < h <= height:
            return rng.randint(0, height - h), rng.randint(0, width - w), h, w
    w, h = width, height
    if width / height < 3 / 4:
        h = round(width / (3 / 4))
    elif width / height > 4 / 3:
        w = round(height * (4 / 3))
    return (height - h) // 2, (width - w) // 2, h, w


def resized_crop(image: Image.Image, crop: Crop, flip: bool) -> Image.Image:
    """Crop, antialiased bilinear resize to 224x224, flip."""
    top, left, height, width = crop
    image = image.crop((left, top, left + width, top + height)).resize((224, 224), Image.Resampling.BILINEAR)
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flip else image


def random_crop(image: Image.Image, rng: random.Random | ModuleType = random) -> Image.Image:
    """RandomResizedCrop(224), then RandomHorizontalFlip()."""
    return resized_crop(image, crop_params(*image.size, rng), rng.random() < 0.5)


def center_crop(image: Image.Image) -> Image.Image:
    """Resize(256), then CenterCrop(224)."""
    width, height = image.size
    short = min(width, height)
    size = (int(256 * width / short), int(256 * height / short))
    image = image.resize(size, Image.Resampling.BILINEAR)
    left, top = round((size[0] - 224) / 2), round((size[1] - 224) / 2)
    return image.crop((left, top, left + 224, top + 224))
