"""Pillow, for the images that the core does not decode itself.

The core calls :func:`decode` from any of its threads. No setting of the process is read or changed: see
``private_pillow.py``. Formats that another package's plug-in adds to Pillow are decoded by that plug-in,
under the process's settings.
"""

from __future__ import annotations

import io
from typing import Any

import PIL.Image

from fastinet.images.private_pillow import Image, ImageOps, UnidentifiedImageError, core

__all__ = ["Image", "decode", "open_image", "orientation_of", "refusal"]

_ORIENTATION = 0x0112
_CODEC_MEMORY = -9  # IMAGING_CODEC_MEMORY
_UNIDENTIFIED = "cannot identify image file"  # Pillow's own text goes on with an object's address


def open_image(data: bytes) -> Image.Image:
    """``Image.open``, as it is in a program that has changed nothing."""
    try:
        return Image.open(io.BytesIO(data))
    except UnidentifiedImageError:
        added = [name for name in PIL.Image.ID if name not in Image.ID]
        if not added:
            raise
    return PIL.Image.open(io.BytesIO(data), formats=added)


def refusal(error: Exception) -> str:
    """Why Pillow refuses an image, never empty, from whatever its plug-ins raised.

    It says where a setting of Pillow's that would allow the image does not count.

    Raises:
        MemoryError: it did not refuse it; there was no memory for it.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError) or _codec_lacked_memory(cause):
            raise MemoryError("no memory for Pillow to decode an image") from error
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, (PIL.UnidentifiedImageError, UnidentifiedImageError)):
        return _UNIDENTIFIED
    text = str(error).strip() or type(error).__name__
    if isinstance(error, Image.DecompressionBombError):
        return f"{text} (whatever Image.MAX_IMAGE_PIXELS is set to)"
    if isinstance(error, OSError) and "truncated" in text:
        return f"{text} (whatever ImageFile.LOAD_TRUNCATED_IMAGES is set to)"
    return text


def decode(data: bytes, apply_orientation: bool) -> tuple[int, int, bytes] | str:
    """Height, width and interleaved RGB bytes of an image, or why Pillow refuses it.

    Raises:
        MemoryError: there was no memory for it; this says nothing of the image.
    """
    try:
        with open_image(data) as image:
            upright: Any = ImageOps.exif_transpose(image) if apply_orientation else image
            rgb = upright.convert("RGB")
            return rgb.height, rgb.width, rgb.tobytes()
    except Exception as error:
        reason = refusal(error)
        if reason == _UNIDENTIFIED:
            return "Pillow cannot identify the image"
        return f"Pillow cannot decode the image: {reason}"


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8. Load the image before: Pillow turns TIFF images as it loads them.

    Raises:
        MemoryError: there was no memory for it.
    """
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception as error:  # broken EXIF counts as none
        refusal(error)
        return 1
    return value if value in range(1, 9) else 1


def _codec_lacked_memory(error: BaseException) -> bool:
    return isinstance(error, OSError) and str(error).startswith(f"{core.getcodecstatus(_CODEC_MEMORY)} ")
