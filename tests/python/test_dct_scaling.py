"""The inexact reduced-size decoding, held to Pillow's draft mode (libjpeg's own scaled decode)."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import fastinet


def _jpeg(height: int, width: int, **options: object) -> bytes:
    y, x, c = np.mgrid[0:height, 0:width, 0:3]
    values = 128 + 80 * np.sin((x * (c + 1) + y) / 40) + np.random.default_rng(1).normal(0, 10, x.shape)
    stream = io.BytesIO()
    Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=90, **options)
    return stream.getvalue()


def _oracle(data: bytes, crop: tuple[int, int, int, int], size: tuple[int, int], scale: int) -> np.ndarray:
    """Pillow: libjpeg's decode at 1/scale, then a resize from the crop's place in it."""
    top, left, height, width = crop
    image = Image.open(io.BytesIO(data))
    image.draft("RGB", (image.width // scale, image.height // scale))
    box = (left / scale, top / scale, (left + width) / scale, (top + height) / scale)
    outer = (int(box[0]), int(box[1]), -int(-box[2] // 1), -int(-box[3] // 1))
    inner = (box[0] - outer[0], box[1] - outer[1], box[2] - outer[0], box[3] - outer[1])
    resized = image.crop(outer).resize(size[::-1], Image.Resampling.BILINEAR, box=inner)
    return np.asarray(resized)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize(
    ("crop", "size", "scale"),
    [
        ((0, 0, 400, 480), (96, 96), 4),
        ((3, 7, 385, 391), (96, 96), 4),
        ((5, 2, 201, 203), (100, 100), 2),
        ((1, 1, 399, 300), (100, 100), 2),
    ],
)
def test_a_scaled_crop_is_libjpegs_scaled_decode_resized_as_pillow_does(
    crop: tuple[int, int, int, int], size: tuple[int, int], scale: int, subsampling: int, progressive: bool
) -> None:
    data = _jpeg(400, 480, subsampling=subsampling, progressive=progressive)
    got = fastinet.decode(data, crop, size, dct_scaling=True)
    difference = np.abs(got.astype(int) - _oracle(data, crop, size, scale))
    # Pillow carries its own libjpeg-turbo, whose version may differ.
    assert difference.max() <= 1
    assert difference.mean() < 0.01
    exact = fastinet.decode(data, crop, size)
    assert not np.array_equal(got, exact)
    assert np.abs(got.astype(int) - exact).mean() < 3


def test_scaling_changes_nothing_where_the_crop_is_less_than_twice_the_output() -> None:
    data = _jpeg(300, 300)
    for crop, size in [
        ((0, 0, 199, 300), (100, 100)),
        ((0, 0, 300, 199), (100, 100)),
        ((9, 9, 50, 50), None),
    ]:
        assert np.array_equal(
            fastinet.decode(data, crop, size, dct_scaling=True), fastinet.decode(data, crop, size)
        )


def test_scaling_leaves_turned_images_and_other_formats_exact() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = _jpeg(300, 400, exif=exif)
    options = {"size": (60, 60), "apply_orientation": True}
    assert np.array_equal(
        fastinet.decode(turned, dct_scaling=True, **options), fastinet.decode(turned, **options)
    )
    stream = io.BytesIO()
    Image.open(io.BytesIO(turned)).save(stream, "PNG")
    png = stream.getvalue()
    assert np.array_equal(
        fastinet.decode(png, size=(60, 60), dct_scaling=True), fastinet.decode(png, size=(60, 60))
    )


def test_a_flipped_scaled_crop_is_the_mirror_of_the_unflipped_one() -> None:
    data = _jpeg(301, 403)
    plain = fastinet.decode(data, (1, 3, 297, 390), (70, 90), dct_scaling=True)
    flipped = fastinet.decode(data, (1, 3, 297, 390), (70, 90), flip=True, dct_scaling=True)
    assert np.array_equal(flipped, plain[:, ::-1])
