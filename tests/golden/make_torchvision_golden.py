"""Writes tests/data/torchvision_golden.npz: torchvision's own answers, so that tests need not have it.

Usage: python tests/golden/make_torchvision_golden.py WHEEL

WHEEL is torchvision's, as ``pip download --no-deps torchvision`` gives it; it is read, not
installed. Needs the torch that it was built for, on the CPU.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

OUT = Path(__file__).parents[1] / "data" / "torchvision_golden.npz"
CROP_IMAGES = [(375, 500), (500, 333), (64, 640), (1200, 90), (224, 224)]
CROPS_PER_IMAGE = 4000
VARIANTS = {"default": ((0.08, 1.0), (3 / 4, 4 / 3)), "wide": ((0.3, 0.9), (0.4, 3.0))}


def import_torchvision(wheel: str, folder: str) -> Any:
    """torchvision without its compiled operators, which no transform here calls."""
    zipfile.ZipFile(wheel).extractall(folder)
    sys.path.insert(0, folder)
    import_torchvision.library = torch.library.Library("torchvision", "DEF")  # type: ignore[attr-defined]
    for source in (Path(folder) / "torchvision").glob("_meta_registrations.py"):
        source.write_text("")
    import_torchvision.library.define("nms(Tensor dets, Tensor scores, float iou) -> Tensor")  # type: ignore[attr-defined]
    import torchvision

    return torchvision


def center_crop_offset(functional: Any, image: tuple[int, int], crop: tuple[int, int]) -> tuple[int, int]:
    """Top and left of the crop in the image, found from an image that numbers its pixels from 1."""
    height, width = image
    numbers = torch.arange(1, height * width + 1, dtype=torch.int64).reshape(1, height, width)
    out = functional.center_crop(numbers, list(crop))[0].numpy()
    row, column = np.argwhere(out > 0)[0]
    source_row, source_column = divmod(int(out[row, column]) - 1, width)
    return source_row - int(row), source_column - int(column)


def main() -> None:
    """See the module."""
    with tempfile.TemporaryDirectory() as folder:
        torchvision = import_torchvision(sys.argv[1], folder)
        from torchvision.transforms import RandomResizedCrop, functional

        torch.manual_seed(0)
        arrays: dict[str, Any] = {"crop_images": np.array(CROP_IMAGES, np.int32)}
        for name, (scale, ratio) in VARIANTS.items():
            arrays[f"crops_{name}"] = np.array(
                [
                    [
                        RandomResizedCrop.get_params(torch.empty(3, h, w), scale, ratio)
                        for _ in range(CROPS_PER_IMAGE)
                    ]
                    for h, w in CROP_IMAGES
                ],
                np.int16,
            )
            arrays[f"parameters_{name}"] = np.array([scale, ratio])

        rng = np.random.default_rng(0)
        resizes, offsets = [], []
        for _ in range(3000):
            height, width = (int(v) for v in rng.integers(1, 900, 2))
            size = int(rng.integers(1, 400))
            largest = int(rng.integers(size + 1, 2 * size + 2)) if rng.random() < 0.5 else None
            new = functional._compute_resized_output_size((height, width), [size], largest)
            if min(new) > 0 and max(new) <= 65535:
                resizes.append((height, width, size, largest or 0, *new))
        for _ in range(1500):
            height, width, h, w = (int(v) for v in rng.integers(1, 60, 4))
            offsets.append((height, width, h, w, *center_crop_offset(functional, (height, width), (h, w))))
        arrays["resizes"] = np.array(resizes, np.int32)
        arrays["center_crops"] = np.array(offsets, np.int16)
        arrays["torchvision"] = np.array(torchvision.__version__)
    np.savez_compressed(OUT, **arrays)


if __name__ == "__main__":
    main()
