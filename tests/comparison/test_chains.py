"""Chains of torchvision's transforms in any order: what fastinet takes has torchvision's pixels."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from images import photo
from PIL import Image
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms import transforms as v1

import fastinet
from fastinet.errors import FastinetError

SIZES = ((60, 50), (41, 90), (70, 70))
DTYPES = (torch.float32, torch.float16, torch.uint8)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> fastinet.Dataset:
    root = tmp_path_factory.mktemp("chains")
    (root / "images" / "n0").mkdir(parents=True)
    for number, (height, width) in enumerate(SIZES):
        pixels = photo(number, max(height, 64), max(width, 64))[:height, :width]
        Image.fromarray(pixels).save(root / "images" / "n0" / f"{number}.jpg", quality=90)
    fastinet.convert(root / "images", root / "shards")
    return fastinet.Dataset(root / "shards")


def any_step(chance: random.Random, v: Any) -> Any:
    of_both: list[Any] = [
        lambda: v.Resize(chance.choice([[20, 30], [33, 17]])),
        lambda: v.Resize([24, 24], interpolation=InterpolationMode.BICUBIC),
        lambda: v.CenterCrop(chance.choice([16, (20, 30), 75])),
        lambda: v.RandomHorizontalFlip(chance.choice([0.0, 1.0])),
        lambda: v.ToTensor(),
        lambda: v.PILToTensor(),
        lambda: v.Normalize([0.5] * 3, [0.25] * 3),
        lambda: v.ConvertImageDtype(chance.choice(DTYPES)),
    ]
    of_v2: list[Any] = [
        lambda: v2.ToImage(),
        lambda: v2.ToPureTensor(),
        lambda: v2.ToDtype(chance.choice(DTYPES), scale=chance.random() < 0.8),
        lambda: v2.ToDtype({torch.Tensor: chance.choice(DTYPES), "others": torch.float32}, scale=True),
        lambda: v2.RGB(),
    ]
    return chance.choice(of_both + (of_v2 if v is v2 else []))()


def theirs(compose: Any, images: list[Image.Image]) -> np.ndarray[Any, Any] | None:
    """None: torchvision fails, or makes no tensors of one size."""
    try:
        batch: np.ndarray[Any, Any] = torch.stack([compose(image) for image in images]).numpy()
    except (TypeError, ValueError, RuntimeError):
        return None
    return batch


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("v", [v1, v2])
@pytest.mark.parametrize("seed", range(3))
def test_a_chain_in_any_order_has_torchvisions_pixels_or_is_refused(
    dataset: fastinet.Dataset, v: Any, seed: int
) -> None:
    images = [Image.fromarray(record.decode()) for record in dataset]
    chance = random.Random(f"{seed} {v.__name__}")
    taken = refused = 0
    while taken < 25:
        chain = [v.Resize([35, 41]), *(any_step(chance, v) for _ in range(chance.randint(1, 5)))]
        chain = chain[1:] if chance.random() < 0.3 else chain
        expected = theirs(v.Compose(chain), images)
        if expected is None:
            continue
        try:
            with fastinet.Loader(dataset, len(dataset), v.Compose(chain), threads=1) as loader:
                ours = next(iter(loader))[0]
        except FastinetError:
            refused += 1
            continue
        taken += 1
        assert ours.dtype == expected.dtype, chain
        # ToDtype multiplies by 1 / 255 where ToTensor divides by 255: a rounding may differ.
        unit = np.finfo(ours.dtype).eps / 0.25 if ours.dtype != np.uint8 and v is v2 else 0
        np.testing.assert_allclose(ours, expected, rtol=0, atol=4 * float(unit), err_msg=str(chain))
    assert refused > 10
