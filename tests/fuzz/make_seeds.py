"""Make the JPEG seeds of the image fuzzers: one small file for each kind that a code path depends on."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

CORPUS = Path(__file__).parent / "corpus"
SAMPLINGS = {"444": 0, "422": 1, "420": 2}


def picture(height: int, width: int, channels: int) -> Image.Image:
    """Smooth shades and a little noise."""
    rng = np.random.default_rng(height * 1000 + width)
    y, x, c = np.mgrid[0:height, 0:width, 0:channels]
    values = 128 + 90 * np.sin((x * (c + 1) + y) / 5) + rng.normal(0, 12, x.shape)
    pixels = values.clip(0, 255).astype(np.uint8)
    return Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)


def jpeg(image: Image.Image, **options: object) -> bytes:
    """The file's bytes."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", **options)
    return stream.getvalue()


def main() -> None:
    """Write every seed for every target; files that fuzzing found stay."""
    seeds = {"gray": jpeg(picture(9, 21, 1)), "progressive": jpeg(picture(20, 20, 3), progressive=True)}
    for name, sampling in SAMPLINGS.items():
        seeds[name] = jpeg(picture(17, 35, 3), subsampling=sampling)
        seeds[f"{name}-restart"] = jpeg(picture(33, 19, 3), subsampling=sampling, restart_marker_rows=1)
        seeds[f"{name}-optimised"] = jpeg(picture(24, 40, 3), subsampling=sampling, quality=95, optimize=True)
    seeds["rgb"] = jpeg(picture(10, 12, 3), keep_rgb=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    seeds["exif"] = jpeg(picture(16, 24, 3), exif=exif)
    for target in ("decoder", "differential", "entropy", "header"):
        (CORPUS / target).mkdir(parents=True, exist_ok=True)
        for name, data in seeds.items():
            (CORPUS / target / f"{name}.jpg").write_bytes(data)


if __name__ == "__main__":
    main()
