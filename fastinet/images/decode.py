"""Decoding of one image, by the code that the loader runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastinet import _core
from fastinet.errors import ArgumentError

if TYPE_CHECKING:
    from typing import Literal

    import numpy.typing as npt

    BytesLike = bytes | bytearray | memoryview | npt.NDArray[np.uint8]

__all__ = ["decode"]

_INTERPOLATIONS = ("bilinear", "bicubic")
_MOST_A_SIDE = 2**20  # of a result of resizing: its tables take some 60 bytes a row and column


def decode(
    data: BytesLike,
    crop: Sequence[int] | None = None,
    size: int | Sequence[int] | None = None,
    flip: bool = False,
    interpolation: Literal["bilinear", "bicubic"] = "bilinear",
    *,
    apply_orientation: bool = False,
    dct_scaling: bool = False,
) -> npt.NDArray[np.uint8]:
    """Decode an encoded image, or a rectangle of it, to RGB.

    The result equals, byte for byte, what Pillow makes of ``Image.open(...).convert("RGB")``, then ``crop``,
    ``resize`` with antialiasing and ``transpose(FLIP_LEFT_RIGHT)``. Only the part of the image that the
    result needs is decoded. JPEG files go through the core; what the core leaves alone (PNG, WebP, damaged
    files, ...) goes through Pillow itself.

    Args:
        data: the file's bytes: ``bytes``, ``bytearray``, ``memoryview`` or a one-dimensional uint8 array.
        crop: ``(top, left, height, width)`` in pixels, within the image; None: the whole image.
        size: ``(height, width)`` to resize the crop to; an int is the length of its shorter side, the other
            one following as in torchvision's ``Resize``; None: no resizing. Each side is at most 2**20, and
            the result, and the image between the two passes of resizing (the crop's height by the result's
            width), have at most ``2 * Image.MAX_IMAGE_PIXELS`` (178,956,970) pixels, as any image.
        flip: mirror the result left to right.
        interpolation: ``"bilinear"`` or ``"bicubic"``, both antialiased as Pillow does it.
        apply_orientation: turn the image upright by its EXIF orientation first, as
            ``ImageOps.exif_transpose``; ``crop`` is then in the upright image. Off, as in torchvision.
        dct_scaling: faster, but the pixels change: where the crop is at least 2 (4) times as large as
            ``size`` in both directions, a JPEG image that needs no turning is decoded at 1/2 (1/4) of its
            size by a reduced inverse DCT (libjpeg's ``scale_denom``, Pillow's ``draft``) and resized from
            there. The README gives the measured difference.

    Returns:
        uint8 array of shape (height, width, 3), values 0 to 255.

    Raises:
        DecodeError: Pillow refuses the image; the message holds its reason.
        ArgumentError: an argument is malformed or beyond its limits, or the crop is not within the image.
        MemoryError: there is no memory for it; this says nothing of the image.
    """
    buffer = _bytes_view(data)
    box = None if crop is None else _integers("crop", crop, ("top", "left", "height", "width"))
    if box and box[2] * box[3] > _core.MAX_IMAGE_PIXELS:
        raise ArgumentError(
            f"crop is not within the image: no image has more than {_core.MAX_IMAGE_PIXELS} pixels, "
            f"found height {box[2]}, width {box[3]}"
        )
    if not isinstance(interpolation, str) or interpolation not in _INTERPOLATIONS:
        raise ArgumentError(f"interpolation must be one of {_INTERPOLATIONS}, not {interpolation!r}")
    upright = _flag("apply_orientation", apply_orientation)
    flags = _flag("flip", flip), _flag("dct_scaling", dct_scaling)
    target: tuple[int, ...] | None = None
    if isinstance(size, (int, np.integer)) and not isinstance(size, bool):
        if not 1 <= size <= _MOST_A_SIDE:
            raise ArgumentError(f"size must be 1 to {_MOST_A_SIDE}, not {_shown(size)}")
        height, width = box[2:] if box else _core.image_size(buffer, upright)
        target = _shorter_side_to(int(size), height, width)
    elif size is not None:
        target = _integers("size", size, ("height", "width"))
    if target is not None and max(target) > _MOST_A_SIDE:
        raise ArgumentError(
            f"size must be at most {_MOST_A_SIDE} a side, not height {target[0]}, width {target[1]}"
        )
    return _core.decode(buffer, box, target, flags[0], interpolation, upright, flags[1])


def _bytes_view(data: Any) -> npt.NDArray[np.uint8]:
    try:
        view = memoryview(data)
    except TypeError:
        raise ArgumentError(
            f"data must be the bytes of an image file (bytes-like or uint8 array), not {type(data).__name__}"
        ) from None
    if view.ndim != 1 or view.itemsize != 1 or not view.contiguous:
        raise ArgumentError(
            "data must be contiguous bytes in one dimension, "
            f"not format {view.format!r} of shape {view.shape} with strides {view.strides}"
        )
    return np.frombuffer(view, np.uint8)


def _integers(name: str, values: Any, fields: tuple[str, ...]) -> tuple[int, ...]:
    try:
        numbers = tuple(value.__index__() for value in values if not isinstance(value, (bool, np.bool_)))
    except (TypeError, AttributeError):
        numbers = ()
    if len(numbers) != len(fields):
        raise ArgumentError(
            f"{name} must be {len(fields)} integers ({', '.join(fields)}), not {_shown(values)}"
        )
    for field, number in zip(fields, numbers, strict=True):
        least = 1 if field in ("height", "width") else 0
        if not least <= number < 2**31:
            raise ArgumentError(
                f"{field} of {name} must be at least {least} and below 2**31, not {_shown(number)}"
            )
    return numbers


def _flag(name: str, value: Any) -> bool:
    if isinstance(value, (bool, np.bool_)) or (isinstance(value, (int, np.integer)) and value in (0, 1)):
        return bool(value)
    raise ArgumentError(f"{name} must be True or False, not {_shown(value)}")


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # an int of more digits than Python prints
        text = f"an int of {value.bit_length()} bits" if isinstance(value, int) else type(value).__name__
    return text if len(text) <= 100 else f"{text[:97]}..."


def _shorter_side_to(length: int, height: int, width: int) -> tuple[int, int]:
    """Torchvision's ``Resize(int)``: the longer side is cut off to an integer, not rounded."""
    if width <= height:
        return int(length * height / width), length
    return length, int(length * width / height)
