"""The resampler against Pillow (uint8) and torch (floats), at every SIMD level that this machine can run."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from fastinet import _core

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LEVELS = _core.available_simd_levels()


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    before = _core.simd_level()
    _core.set_simd_level(request.param)
    assert _core.simd_level() == request.param
    yield request.param
    _core.set_simd_level(before)


def picture(seed: int, height: int, width: int, gray: bool = False) -> np.ndarray:
    """Noise that reaches both ends of the range, with saturated areas, so that clipping matters."""
    rng = np.random.default_rng(seed)
    shape = (height, width) if gray else (height, width, 3)
    noise = rng.integers(-160, 416, shape)
    return np.clip(noise, 0, 255).astype(np.uint8)


def oracle(
    image: np.ndarray,
    crop: tuple[int, int, int, int],
    size: tuple[int, int],
    view: tuple[int, int, int, int],
    flip: bool,
    interpolation: str,
) -> np.ndarray:
    top, left, height, width = crop
    pil = Image.fromarray(image).convert("RGB").crop((left, top, left + width, top + height))
    pil = pil.resize((size[1], size[0]), FILTERS[interpolation])
    top, left, height, width = view
    pil = pil.crop((left, top, left + width, top + height))  # zero outside
    if flip:
        pil = pil.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(pil)


def check(image: np.ndarray, crop: Any, size: Any, view: Any, flip: bool, interpolation: str) -> None:
    expected = oracle(image, crop, size, view, flip, interpolation)
    found = _core.resample(image, crop, size, view, flip, interpolation)
    np.testing.assert_array_equal(found, expected)


@st.composite
def geometries(draw: st.DrawFn) -> tuple[Any, ...]:
    side = st.one_of(st.integers(1, 12), st.integers(1, 150), st.integers(120, 400))
    height, width = draw(side), draw(side)
    crop_height, crop_width = draw(st.integers(1, height)), draw(st.integers(1, width))
    crop = (
        draw(st.integers(0, height - crop_height)),
        draw(st.integers(0, width - crop_width)),
        crop_height,
        crop_width,
    )
    target = st.one_of(st.integers(1, 20), st.integers(1, 160))
    size = (
        draw(st.one_of(st.just(crop_height), target)),
        draw(st.one_of(st.just(crop_width), target)),
    )
    view = (
        draw(st.integers(-10, size[0] + 3)),
        draw(st.integers(-10, size[1] + 3)),
        draw(st.integers(1, size[0] + 12)),
        draw(st.integers(1, size[1] + 12)),
    )
    if draw(st.booleans()):
        view = (0, 0, *size)
    return height, width, crop, size, view


@pytest.mark.parametrize("interpolation", FILTERS)
def test_random_geometries_equal_pillow_byte_for_byte(interpolation: str, level: str) -> None:
    @settings(max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(geometries(), st.booleans(), st.booleans(), st.integers(0, 2**32 - 1))
    def run(geometry: tuple[Any, ...], flip: bool, gray: bool, seed: int) -> None:
        height, width, crop, size, view = geometry
        check(picture(seed, height, width, gray), crop, size, view, flip, interpolation)

    run()


@pytest.mark.parametrize("interpolation", FILTERS)
@pytest.mark.parametrize(
    ("source", "size"),
    [
        ((1, 1), (224, 224)),
        ((1, 65500), (3, 224)),
        ((65500, 1), (224, 3)),
        ((65500, 2), (1, 1)),
        ((3, 20000), (5, 1)),
        ((2, 3), (2000, 1500)),
        ((1000, 900), (224, 224)),
        ((940, 1100), (224, 224)),
        ((2300, 2100), (224, 224)),
        ((224, 300), (224, 224)),
        ((300, 224), (224, 224)),
        ((224, 224), (224, 224)),
        ((270, 300), (224, 224)),
        ((100, 120), (224, 224)),
    ],
)
def test_extreme_and_usual_ratios_equal_pillow(
    source: tuple[int, int], size: tuple[int, int], interpolation: str, level: str
) -> None:
    image = picture(7, *source)
    for flip in (False, True):
        check(image, (0, 0, *source), size, (0, 0, *size), flip, interpolation)


@pytest.mark.parametrize("extreme", [0, 255])
def test_flat_extremes_stay_flat(extreme: int, level: str) -> None:
    image = np.full((300, 280, 3), extreme, np.uint8)
    for interpolation in FILTERS:
        out = _core.resample(image, (0, 0, 300, 280), (224, 224), (0, 0, 224, 224), False, interpolation)
        assert (out == extreme).all()


def test_eval_path_computes_the_centre_of_the_resized_image(level: str) -> None:
    image = picture(3, 375, 500)
    for interpolation in FILTERS:
        check(image, (0, 0, 375, 500), (256, 341), (16, 58, 224, 224), False, interpolation)


@pytest.mark.parametrize("view", [(-5, -7, 40, 50), (20, 20, 30, 30), (50, 50, 8, 8), (-20, 3, 10, 9)])
def test_a_view_that_sticks_out_is_zero_there(view: tuple[int, int, int, int], level: str) -> None:
    image = picture(5, 60, 70)
    for flip in (False, True):
        check(image, (3, 4, 50, 60), (30, 31), view, flip, "bilinear")


def torch_reference(pixels: np.ndarray, layout: str, dtype: str, normalize: bool) -> np.ndarray:
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(pixels.transpose(2, 0, 1).copy()).to(torch.float32).div(255)
    if normalize:
        mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
        tensor = tensor.sub_(mean).div_(std)
    if layout == "NHWC":
        tensor = tensor.permute(1, 2, 0).contiguous()
    return np.asarray(tensor.to(getattr(torch, dtype)).numpy())


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_floats_equal_torchs_arithmetic_to_the_bit(
    layout: str, dtype: str, normalize: bool, level: str
) -> None:
    image = np.arange(256 * 3 * 16, dtype=np.uint32).astype(np.uint8).reshape(16, 256, 3)
    image = np.ascontiguousarray(image[:, ::-1])
    image[0, :, 0] = image[0, :, 1] = image[0, :, 2] = np.arange(256)
    for width in (1, 2, 5, 15, 16, 17, 33, 47, 63, 224, 256):
        view = (-1, 0, 10, width)
        expected = torch_reference(
            oracle(image, (0, 0, 16, 256), (16, 256), view, False, "bilinear"), layout, dtype, normalize
        )
        mean, std = (MEAN, STD) if normalize else (None, None)
        found = _core.resample(
            image, (0, 0, 16, 256), (16, 256), view, dtype=dtype, layout=layout, mean=mean, std=std
        )
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found.view(np.uint8), expected.view(np.uint8))


def test_any_mean_and_std_give_torchs_floats(level: str) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    image = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
    cases = [rng.uniform(-2, 2, (2, 3)) for _ in range(60)]
    cases += [
        np.array([[0, 0, 0], [1e-30, 1e30, 3.0]]),
        np.array([[1e38, 0, 1], [1, 1e-45, -0.5]]),
        np.array([[0.5, 0.5, 0.5], [0.5, 1 / 255, 7.0]]),
    ]
    for mean, std in cases:
        found = _core.resample(
            image,
            (0, 0, 1, 256),
            (1, 256),
            (0, 0, 1, 256),
            dtype="float32",
            layout="NCHW",
            mean=mean,
            std=std,
        )
        tensor = torch.from_numpy(image.transpose(2, 0, 1).copy()).to(torch.float32).div(255)
        tensor = tensor.sub_(torch.tensor(mean, dtype=torch.float32)[:, None, None])
        tensor = tensor.div_(torch.tensor(std, dtype=torch.float32)[:, None, None])
        np.testing.assert_array_equal(found.view(np.uint32), tensor.numpy().view(np.uint32))


def test_uint8_layouts_hold_the_same_pixels(level: str) -> None:
    image = picture(11, 90, 130)
    for width in itertools.chain(range(1, 20), (63, 64, 65, 100, 130)):
        geometry = ((0, 0, 90, 130), (40, 130), (0, 0, 40, width))
        rows = _core.resample(image, *geometry, layout="NHWC")
        planes = _core.resample(image, *geometry, layout="NCHW")
        np.testing.assert_array_equal(rows.transpose(2, 0, 1), planes)
