"""Arguments of fastinet.decode of any kind and magnitude end in pixels or in an ArgumentError, at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from folders import small_jpeg
from images import encode
from PIL import Image

from fastinet import decode
from fastinet.errors import ArgumentError

JPEG = small_jpeg(1, 40, 30)
LARGE = (2**20 + 1, 2**31 - 1, 2**31, 2**32, 2**40, 2**63, 2**64, 10**400)
NO_INTEGERS: tuple[Any, ...] = (True, np.bool_(1), float("nan"), 1.5, "3", np.float32(3), object(), b"", [])


@pytest.mark.parametrize("number", [-(2**64), -1, 0, *LARGE, np.int64(2**40), np.uint64(2**63), np.int8(-1)])
def test_a_size_out_of_range_is_refused(number: Any) -> None:
    with pytest.raises(ArgumentError, match=r"size must be 1 to 1048576, not "):
        decode(JPEG, size=number)
    for size in ((number, 3), (3, number), [number, number]):
        with pytest.raises(ArgumentError, match=r"of size must be at least 1|at most 1048576 a side"):
            decode(JPEG, size=size)


@pytest.mark.parametrize("value", NO_INTEGERS)
def test_what_is_no_integer_is_refused(value: Any) -> None:
    with pytest.raises(ArgumentError, match=r"size must be 2 integers \(height, width\), not "):
        decode(JPEG, size=value)
    with pytest.raises(ArgumentError, match=r"size must be 2 integers \(height, width\), not "):
        decode(JPEG, size=(value, 3))
    with pytest.raises(ArgumentError, match=r"crop must be 4 integers \(top, left, height, width\), not "):
        decode(JPEG, crop=value)
    with pytest.raises(ArgumentError, match=r"crop must be 4 integers \(top, left, height, width\), not "):
        decode(JPEG, crop=(0, 0, 3, value))


@pytest.mark.parametrize("number", [-1, *LARGE])
@pytest.mark.parametrize("place", range(4))
def test_a_crop_out_of_range_is_refused(number: int, place: int) -> None:
    crop = [0, 0, 3, 3]
    crop[place] = number
    with pytest.raises(ArgumentError, match=r"crop"):
        decode(JPEG, crop=crop)
    with pytest.raises(ArgumentError, match=r"crop|size must be at most"):
        decode(JPEG, crop=crop, size=4)


def test_a_result_of_more_pixels_than_any_image_is_refused_before_memory_is_taken_for_it() -> None:
    limit = "at most 178956970 pixels in it.*found height"
    with pytest.raises(ArgumentError, match=f"{limit} 13378, width 13378 from a crop of height 30"):
        decode(JPEG, size=(13378, 13378))
    tall = encode(Image.new("L", (1, 60000)), subsampling=None)
    with pytest.raises(ArgumentError, match=f"{limit} 1, width 1000000 from a crop of height 60000"):
        decode(tall, size=(1, 1_000_000))
    with pytest.raises(ArgumentError, match="at most 1048576 a side, not height 1200000, width 20"):
        decode(tall, size=20)
    assert decode(JPEG, size=(2**20, 1)).shape == (2**20, 1, 3)


@pytest.mark.parametrize("flag", ["flip", "apply_orientation", "dct_scaling"])
def test_flags_are_true_or_false(flag: str) -> None:
    for value in (None, 2, -1, float("nan"), "yes", np.array([True, False]), object()):
        with pytest.raises(ArgumentError, match=f"{flag} must be True or False, not "):
            decode(JPEG, **{flag: value})  # type: ignore[arg-type]
    for value in (True, np.bool_(0), 1, np.int64(0)):
        assert decode(JPEG, **{flag: value}).shape == (30, 40, 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [None, 2, ["bilinear"], np.array(["bilinear", "x"]), "lanczos"])
def test_an_unknown_interpolation_is_refused(name: Any) -> None:
    with pytest.raises(ArgumentError, match="interpolation must be one of"):
        decode(JPEG, size=9, interpolation=name)


def test_integers_of_numpy_are_integers() -> None:
    expected = decode(JPEG, crop=(1, 2, 20, 30), size=(7, 9))
    crop = tuple(np.array([1, 2, 20, 30], np.int16))
    np.testing.assert_array_equal(decode(JPEG, crop=crop, size=np.array([7, 9], np.uint8)), expected)  # type: ignore[arg-type]
