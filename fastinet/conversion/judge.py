"""Pillow's word on the few files that the core cannot judge by their headers."""

from __future__ import annotations

import io

from PIL import Image, UnidentifiedImageError

from fastinet._pillow import defaults, reason_of

__all__ = ["judge", "orientation_of"]

_ORIENTATION = 0x0112


def judge(data: bytes) -> tuple[int, int, int, str] | str:
    """Decodes `data` to the last row, as torchvision's loader would.

    Returns:
        Width, height, EXIF orientation (1 to 8) and Pillow's name of the mode; or, as one str, the reason for
        which Pillow refuses the data.
    """
    try:
        with defaults.applied(), Image.open(io.BytesIO(data)) as image:
            mode = image.mode
            width, height = image.convert("RGB").size
            return width, height, orientation_of(image), mode
    except UnidentifiedImageError:
        return "cannot identify image file"
    except Exception as error:  # Pillow's plugins raise whatever their parsing runs into
        return reason_of(error)


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8. Load the image before: Pillow turns TIFF images as it loads them."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # broken EXIF counts as none
        return 1
    return value if value in range(1, 9) else 1
