"""Loaded batches hold torchvision's pixels: its ImageFolder, its transforms, its tensors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from images import SHARED, encode, photo, shared_files
from PIL import Image
from torchvision.datasets import ImageFolder
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms import functional as F  # noqa: N812
from torchvision.transforms import transforms as v1

import fastinet
from fastinet import transforms as T  # noqa: N812

SEED = 11
SIZES = [
    (375, 500),
    (500, 333),
    (333, 500),
    (97, 411),
    (640, 57),
    (224, 224),
    (225, 301),
    (31, 37),
    (1, 1),
    (900, 701),
]
INTERPOLATIONS = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}


class Pair:
    """A folder as torchvision reads it, and the split that fastinet made of it."""

    def __init__(self, folder: Path, converted: Path) -> None:
        self.theirs = ImageFolder(folder)
        self.split = converted / "train"

    def ours(self, transform: Any, **options: Any) -> Iterator[tuple[int, np.ndarray[Any, Any], int]]:
        """(record, image, label) of one epoch of a loader."""
        columns = ("index", "image", "label")
        with fastinet.Loader(
            self.split, 16, transform, seed=SEED, threads=2, columns=columns, **options
        ) as loader:
            for batch in loader:
                yield from zip(*batch, strict=True)


@pytest.fixture(scope="module", params=["made", "ImageNet", "odd"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Images of odd sizes, modes and subsamplings; real ones; files that are valid but unusual."""
    root = tmp_path_factory.mktemp("pixels")
    folder = root / "images"
    if request.param == "made":
        _write_made(folder)
    elif not SHARED.is_dir():
        pytest.skip(f"no real images here: {SHARED} is not there")
    elif request.param == "ImageNet":
        for path in shared_files("imagenet-samples/train/*/*.JPEG")[::10]:
            _link(path, folder / path.parent.name)
    else:
        for path in shared_files("odd-jpegs/*.*"):
            if path.suffix.lower() in (".jpg", ".jpeg") and _opens(path):
                _link(path, folder / "odd")
    fastinet.convert(folder, root / "shards")
    return Pair(folder, root / "shards")


def _write_made(folder: Path) -> None:
    for number, (height, width) in enumerate(SIZES):
        pixels = Image.fromarray(photo(number, max(width, 64), max(height, 64))[:height, :width])
        files = {
            "420.jpg": encode(pixels, quality=87),
            "444.jpg": encode(pixels, quality=95, subsampling=0),
            "422.jpeg": encode(pixels, subsampling=1, progressive=True),
            "gray.JPEG": encode(pixels.convert("L")),
            "cmyk.jpg": encode(pixels.convert("CMYK")),
        }
        place = folder / f"class{number}"
        place.mkdir(parents=True)
        for name, data in files.items():
            (place / name).write_bytes(data)
        pixels.convert("RGBA").save(place / "rgba.png")
        pixels.quantize(16).save(place / "palette.png")


def _link(path: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / path.name).symlink_to(path)


def _opens(path: Path) -> bool:
    """Whether Pillow decodes it, and no side of it goes beyond 65535 when the shorter one becomes 256."""
    try:
        with Image.open(path) as image:
            image.convert("RGB")
            return 256 * max(image.size) <= 65535 * min(image.size)
    except Exception:
        return False


DETERMINISTIC = {
    "Resize 256, CenterCrop 224": [v1.Resize(256), v1.CenterCrop(224)],
    "Resize 97, CenterCrop (61, 83)": [v1.Resize(97), v1.CenterCrop((61, 83))],
    "CenterCrop 301, which pads": [v1.CenterCrop(301)],
    "CenterCrop (33, 7)": [v1.CenterCrop((33, 7))],
    "Resize (31, 257)": [v1.Resize((31, 257))],
    "Resize 129 to at most 191, CenterCrop 129": [v1.Resize(129, max_size=191), v1.CenterCrop(129)],
    "Resize 235 bicubic, CenterCrop 224": [v1.Resize(235, InterpolationMode.BICUBIC), v1.CenterCrop(224)],
    "Resize (97, 64) bicubic": [v1.Resize((97, 64), InterpolationMode.BICUBIC)],
    "Resize 64, CenterCrop 64, flip": [v1.Resize(64), v1.CenterCrop(64), v1.RandomHorizontalFlip(1.0)],
    "flip, Resize (61, 97), CenterCrop 57": [
        v1.RandomHorizontalFlip(1.0),
        v1.Resize((61, 97)),
        v1.CenterCrop(57),
    ],
    "Resize 64, flip, CenterCrop 57": [v1.Resize(64), v1.RandomHorizontalFlip(1.0), v1.CenterCrop((57, 58))],
}


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_a_compose_without_chance_gives_the_same_bytes(pair: Pair, name: str) -> None:
    compose = v1.Compose([*DETERMINISTIC[name], v1.PILToTensor()])
    seen = 0
    for record, image, label in pair.ours(compose):
        expected, expected_label = pair.theirs[record]
        np.testing.assert_array_equal(
            image, compose(expected).numpy(), err_msg=pair.theirs.samples[record][0]
        )
        assert label == expected_label
        seen += 1
    assert seen == len(pair.theirs)


RANDOM = {
    "the usual": v1.RandomResizedCrop(224),
    "odd and oblong": v1.RandomResizedCrop((97, 131), scale=(0.3, 0.9), ratio=(0.4, 3.0)),
    "bicubic": v1.RandomResizedCrop(176, interpolation=InterpolationMode.BICUBIC),
    "small": v1.RandomResizedCrop(32, scale=(0.01, 0.2)),
}


@pytest.mark.parametrize("name", RANDOM)
def test_random_crops_and_flips_are_torchvisions_of_the_window_that_was_drawn(pair: Pair, name: str) -> None:
    crop = RANDOM[name]
    compose = v1.Compose([crop, v1.RandomHorizontalFlip(), v1.PILToTensor()])
    plan = T.compile_transform(compose).core
    flips = []
    for record, image, _ in pair.ours(compose, shuffle=True):
        source, _ = pair.theirs[record]
        window, *_, flip = plan.sample(source.height, source.width, SEED, 0, record)
        expected = F.resized_crop(source, *window, list(crop.size), crop.interpolation)
        expected = F.hflip(expected) if flip else expected
        np.testing.assert_array_equal(
            image, F.pil_to_tensor(expected).numpy(), err_msg=pair.theirs.samples[record][0]
        )
        flips.append(flip)
    assert len(flips) == len(pair.theirs)
    assert len(flips) < 8 or 0 < sum(flips) < len(flips)


def test_the_windows_that_the_batch_reports_are_those_of_its_pixels(pair: Pair) -> None:
    with fastinet.Loader(
        pair.split,
        16,
        [T.RandomResizedCrop(65), T.RandomHorizontalFlip()],
        shuffle=True,
        seed=SEED,
        dtype="uint8",
        columns=("index", "image", "batch"),
    ) as loader:
        for records, images, batch in loader:
            for record, image, window, flip in zip(records, images, batch.crops, batch.flips, strict=True):
                source, _ = pair.theirs[record]
                expected = F.resized_crop(source, *(int(v) for v in window), [65, 65])
                expected = F.hflip(expected) if flip else expected
                np.testing.assert_array_equal(image, F.pil_to_tensor(expected).numpy())


@pytest.mark.parametrize(
    ("mean", "std"), [((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), ((0.5, 0.5, 0.5), (0.5, 0.25, 1.0))]
)
def test_normalised_floats_are_torchvisions_to_the_last_bit(pair: Pair, mean: Any, std: Any) -> None:
    compose = v1.Compose([v1.Resize(64), v1.CenterCrop(64), v1.ToTensor(), v1.Normalize(mean, std)])
    for record, image, _ in pair.ours(compose):
        assert image.dtype == np.float32
        np.testing.assert_array_equal(image, compose(pair.theirs[record][0]).numpy())


@pytest.mark.parametrize("ends", ["crop, flip", "flip"])
def test_crops_and_flips_of_tensors_are_torchvisions_to_the_last_bit(pair: Pair, ends: str) -> None:
    flip, normalize = v1.RandomHorizontalFlip(1.0), v1.Normalize(0.5, 0.25)
    last = [v1.CenterCrop(70), flip, normalize] if ends == "crop, flip" else [normalize, flip]
    compose = v1.Compose([v1.Resize((64, 64)), v1.ToTensor(), *last])
    for record, image, _ in pair.ours(compose):
        np.testing.assert_array_equal(image, compose(pair.theirs[record][0]).numpy())


def test_floats_that_are_not_normalised_are_to_tensors(pair: Pair) -> None:
    compose = v1.Compose([v1.Resize((40, 40)), v1.ToTensor()])
    for record, image, _ in pair.ours(compose):
        np.testing.assert_array_equal(image, compose(pair.theirs[record][0]).numpy())


def test_a_compose_of_transforms_v2_is_taken_as_it_is(pair: Pair) -> None:
    # ToDtype multiplies by 1 / 255 where ToTensor divides by 255: one rounding of a number up to 1 differs.
    mean, std = 0.5, 0.25
    difference = np.finfo(np.float32).epsneg / std

    def compose(dtype: torch.dtype, *ends: Any) -> Any:
        return v2.Compose(
            [v2.Resize(71), v2.CenterCrop((64, 70)), v2.PILToTensor(), v2.ToDtype(dtype, scale=True), *ends]
        )

    pixels, floats = compose(torch.uint8), compose(torch.float32, v2.Normalize([mean] * 3, [std] * 3))
    for record, image, _ in pair.ours(pixels):
        np.testing.assert_array_equal(image, pixels(pair.theirs[record][0]).numpy())
    for record, image, _ in pair.ours(floats):
        expected = floats(pair.theirs[record][0]).numpy()
        np.testing.assert_allclose(image, expected, rtol=0, atol=difference)
