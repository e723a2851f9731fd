"""Converts unusual images (PNG and other formats named as JPEG, CMYK and YCCK JPEGs) to RGB JPEG files.

The pixels that are encoded are those of Pillow's ``convert("RGB")`` of the file, which is what torchvision's
loader trains on. TensorFlow Datasets (``imagenet2012`` from version 3 on) normalises the same files of
ILSVRC-2012, one PNG and 22 CMYK JPEGs, also at quality 100, but with TensorFlow's conversion from CMYK and
with chroma at half the resolution. Here chroma keeps its resolution: quality 100 in 4:4:4 is as near to the
pixels as a JPEG comes, and for so few files the size does not matter.
"""

from __future__ import annotations

import io

from fastinet.images.pillow import Image, open_image, orientation_of, refusal

__all__ = ["QUALITY", "to_rgb_jpeg"]

QUALITY = 100
_MAX_SIDE = 65500  # libjpeg's
_ORIENTATION = 0x0112


def to_rgb_jpeg(data: bytes) -> bytes | str:
    """Returns an image that Pillow decodes as an RGB JPEG file, or, as a str, why that is impossible.

    Keeps the EXIF orientation and no other metadata.

    Raises:
        MemoryError: there was no memory for it.
    """
    try:
        with open_image(data) as image:
            rgb = image.convert("RGB")
            if max(rgb.size) > _MAX_SIDE:
                found = f"{rgb.width}x{rgb.height}"
                return f"cannot become a JPEG: expected at most {_MAX_SIDE} pixels a side, found {found}"
            orientation = orientation_of(image)
            exif = Image.Exif()
            if orientation != 1:
                exif[_ORIENTATION] = orientation
            rgb.info.clear()
            out = io.BytesIO()
            rgb.save(out, "JPEG", quality=QUALITY, subsampling="4:4:4", exif=exif.tobytes() if exif else b"")
            return out.getvalue()
    except Exception as error:  # Pillow's plugins raise whatever their parsing runs into
        return f"cannot become a JPEG: {refusal(error)}"
