"""Lossy re-encoding at conversion, for those who trade pixels for space. Recorded in the manifest.

Arithmetic, for an image of width w and height h:

- ``short_side=n``: where min(w, h) > n, the shorter side becomes n and the longer ``int(n * longer /
  shorter)``, as torchvision's Resize(n) rounds.
- ``max_side=n``: where max(w, h) > n, the longer side becomes n and the shorter ``max(1, int(n * shorter /
  longer))``.
- both: ``short_side`` first, then ``max_side`` on its result.
- Resizing is Pillow's Lanczos filter, antialiased, on the fully decoded image.
- An image that needs no resizing keeps its bytes, unless ``quality`` is given: then every image is encoded
  anew. ``quality`` is libjpeg's, 1 to 100, 90 where only sides are given, with 4:2:0 chroma.
- Gray images stay gray; everything else becomes RGB as Pillow's ``convert("RGB")``. The EXIF orientation is
  kept, and no other metadata.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

from fastinet.errors import ArgumentError, DecodeError
from fastinet.images.pillow import Image, open_image, orientation_of, refusal

__all__ = ["Reencoding"]

_DEFAULT_QUALITY = 90
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Reencoding:
    """What to do to every image; the module's documentation has the arithmetic.

    Raises:
        ArgumentError: a side below 1, or a quality outside of 1 to 100.
    """

    max_side: int | None = None
    short_side: int | None = None
    quality: int | None = None

    def __post_init__(self) -> None:
        for name in ("max_side", "short_side"):
            side = getattr(self, name)
            if side is not None and not 1 <= side <= 65500:
                raise ArgumentError(f"{name} must be 1 to 65500 pixels, not {side}")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise ArgumentError(f"quality must be 1 to 100, not {self.quality}")

    def __bool__(self) -> bool:
        return not (self.max_side is None and self.short_side is None and self.quality is None)

    def target(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the result for an image of that size."""
        short, long = sorted((width, height))
        if self.short_side is not None and short > self.short_side:
            short, long = self.short_side, int(self.short_side * long / short)
        if self.max_side is not None and long > self.max_side:
            short, long = max(1, int(self.max_side * short / long)), self.max_side
        return (short, long) if width <= height else (long, short)

    def apply(self, data: bytes) -> bytes:
        """The image's new bytes; `data` itself where nothing is to be done.

        Raises:
            DecodeError: Pillow cannot decode `data`.
            MemoryError: there was no memory for it.
        """
        try:
            with open_image(data) as image:
                target = self.target(*image.size)
                if target == image.size and self.quality is None:
                    return data
                image.load()
                orientation = orientation_of(image)
                pixels = image if image.mode == "L" else image.convert("RGB")
                if target != image.size:
                    pixels = pixels.resize(target, Image.Resampling.LANCZOS)
                exif = Image.Exif()
                if orientation != 1:
                    exif[_ORIENTATION] = orientation
                out = io.BytesIO()
                pixels.save(
                    out,
                    "JPEG",
                    quality=self.quality or _DEFAULT_QUALITY,
                    subsampling="4:2:0",
                    exif=exif if len(exif) else b"",
                )
                return out.getvalue()
        except Exception as error:  # Pillow's plugins raise whatever their parsing runs into
            raise DecodeError(f"cannot re-encode: {refusal(error)}") from error
