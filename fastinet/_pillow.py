"""Pillow, for the images that the core does not decode itself.

The core calls :func:`decode` from any of its threads.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from fastinet import _core

__all__ = ["decode", "defaults", "reason_of"]


class _Defaults:
    """Pillow's global settings as they are by default, and no warnings, while any thread decodes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0

    @contextmanager
    def applied(self) -> Iterator[None]:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._truncated = ImageFile.LOAD_TRUNCATED_IMAGES
                self._pixels = Image.MAX_IMAGE_PIXELS
                self._warnings = warnings.catch_warnings()
                self._warnings.__enter__()
                warnings.simplefilter("ignore")
                ImageFile.LOAD_TRUNCATED_IMAGES = False
                Image.MAX_IMAGE_PIXELS = _core.MAX_IMAGE_PIXELS // 2  # Pillow refuses from twice that on
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    ImageFile.LOAD_TRUNCATED_IMAGES = self._truncated
                    Image.MAX_IMAGE_PIXELS = self._pixels
                    self._warnings.__exit__(None, None, None)


defaults = _Defaults()


def decode(data: bytes, apply_orientation: bool) -> tuple[int, int, bytes] | str:
    """Height, width and interleaved RGB bytes of an image, or why Pillow refuses it."""
    try:
        with defaults.applied(), Image.open(io.BytesIO(data)) as image:
            upright = ImageOps.exif_transpose(image) if apply_orientation else image
            rgb = upright.convert("RGB")
            return rgb.height, rgb.width, rgb.tobytes()
    except UnidentifiedImageError:
        return "Pillow cannot identify the image"
    except Exception as error:  # Pillow's plugins raise whatever their parsers meet
        return f"Pillow cannot decode the image: {reason_of(error)}"


def reason_of(error: Exception) -> str:
    """Why Pillow refuses an image, and where a setting of Pillow's that would allow it does not count."""
    text = str(error) or type(error).__name__
    if isinstance(error, Image.DecompressionBombError):
        return f"{text} (whatever Image.MAX_IMAGE_PIXELS is set to)"
    if isinstance(error, OSError) and "truncated" in text:
        return f"{text} (whatever ImageFile.LOAD_TRUNCATED_IMAGES is set to)"
    return text
