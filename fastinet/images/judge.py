"""Asks Pillow about files that the core cannot judge by itself."""

from __future__ import annotations

from fastinet.images.pillow import open_image, orientation_of, refusal

__all__ = ["judge"]


def judge(data: bytes) -> tuple[int, int, int, str] | str:
    """Decodes `data` to the last row, as torchvision's loader would.

    Returns:
        Width, height, EXIF orientation (1 to 8) and Pillow's name of the mode; or, as one str, the reason for
        which Pillow refuses the data.

    Raises:
        MemoryError: there was no memory for it; this says nothing of the data.
    """
    try:
        with open_image(data) as image:
            mode = image.mode
            width, height = image.convert("RGB").size
            return width, height, orientation_of(image), mode
    except Exception as error:  # Pillow's plugins raise whatever their parsing runs into
        return refusal(error)
