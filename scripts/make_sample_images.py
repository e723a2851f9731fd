"""Photo-like JPEG images, made without any photograph: the stand-in for ImageNet in the demo and the tests.

Each image is a pile of occluding shapes ("dead leaves") over noise with a 1/f amplitude spectrum, with
lines of text and sensor noise: the edges, textures and entropy of a photograph. Sizes, qualities and chroma
samplings are mixed about as in ImageNet's training set (500x375 and smaller; quality 96 and less; 76 %
4:4:4, 22 % 4:2:0, 2 % gray; about 4.7 bits a pixel). The same seed gives the same image.
"""

from __future__ import annotations

import io
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Pixels = npt.NDArray[np.uint8]
_FIELD = npt.NDArray[np.float32]
_SIZES = [(500, 375), (500, 333), (375, 500), (333, 500), (500, 500), (400, 300), (250, 188), (640, 480)]
_SIZE_SHARES = [0.35, 0.15, 0.12, 0.08, 0.08, 0.1, 0.07, 0.05]


def photo(seed: int, width: int = 500, height: int = 375) -> Pixels:
    """One photo-like image: uint8, height x width x 3, RGB."""
    rng = np.random.default_rng(seed)
    canvas = Image.fromarray(_background(rng, width, height))
    draw = ImageDraw.Draw(canvas)
    for _ in range(int(rng.integers(25, 60))):
        _leaf(rng, draw, width, height)
    for _ in range(int(rng.integers(0, 4))):
        _text_line(rng, draw, width, height)
    texture = _one_over_f(rng, width, height, exponent=0.7)[..., None] * rng.uniform(2, 10)
    grain = rng.normal(0, rng.uniform(0.3, 3), (height, width, 3))
    pixels: Pixels = np.clip(np.asarray(canvas) + texture + grain, 0, 255).astype(np.uint8)
    return pixels


def sample_jpeg(seed: int) -> bytes:
    """One JPEG file whose size, quality and sampling are drawn from ImageNet's mix."""
    rng = np.random.default_rng([seed, 1])
    width, height = _SIZES[rng.choice(len(_SIZES), p=_SIZE_SHARES)]
    kind = rng.choice(["4:4:4", "4:2:0", "gray"], p=[0.76, 0.22, 0.02])
    image = Image.fromarray(photo(seed, width, height))
    if kind == "gray":
        image = image.convert("L")
    quality = int(rng.choice([96, 94, 90, 75], p=[0.65, 0.05, 0.2, 0.1]))
    return encode(image, quality, subsampling=None if kind == "gray" else str(kind))


def encode(
    image: Image.Image, quality: int = 94, subsampling: str | None = "4:4:4", **options: object
) -> bytes:
    """The image as a JPEG file; further options are those of Pillow's JPEG writer."""
    if subsampling is not None:
        options["subsampling"] = subsampling
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, **options)
    return buffer.getvalue()


def write_image_folder(dst: Path, classes: int, per_class: int, seed: int = 0) -> list[Path]:
    """Writes `dst/<wnid>/<wnid>_<number>.JPEG`, laid out as ImageNet is, and returns the paths."""
    paths = []
    for label in range(classes):
        wnid = f"n{1440764 + 9973 * label:08d}"
        (dst / wnid).mkdir(parents=True, exist_ok=True)
        for number in range(per_class):
            path = dst / wnid / f"{wnid}_{number}.JPEG"
            path.write_bytes(sample_jpeg(seed + label * per_class + number))
            paths.append(path)
    return paths


def _one_over_f(rng: np.random.Generator, width: int, height: int, exponent: float) -> _FIELD:
    """Noise of unit variance whose amplitude falls with frequency as 1/f**exponent."""
    fy = np.fft.fftfreq(height)[:, None]
    fx = np.fft.rfftfreq(width)[None, :]
    frequency = np.hypot(fy, fx)
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.normal(size=(height, width))) / frequency**exponent
    field = np.fft.irfft2(spectrum, s=(height, width))
    scaled: _FIELD = (field / field.std()).astype(np.float32)
    return scaled


def _background(rng: np.random.Generator, width: int, height: int) -> Pixels:
    luma = _one_over_f(rng, width, height, 1.25)[..., None] * rng.uniform(20, 50)
    tint = _one_over_f(rng, width, height, 1.3)[..., None] * rng.normal(0, 10, 3)
    pixels: Pixels = np.clip(rng.uniform(70, 180, 3) + luma + tint, 0, 255).astype(np.uint8)
    return pixels


def _colour(rng: np.random.Generator) -> tuple[int, int, int]:
    gray = rng.uniform(10, 245)
    red, green, blue = np.clip(gray + rng.normal(0, 30, 3), 0, 255).astype(int).tolist()
    return red, green, blue


def _leaf(rng: np.random.Generator, draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    radius = min(width, height) * 0.04 / rng.uniform(0.08, 1)  # many small shapes, few large ones
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    box = (x - radius, y - radius * rng.uniform(0.3, 1), x + radius, y + radius * rng.uniform(0.3, 1))
    match rng.integers(3):
        case 0:
            draw.ellipse(box, fill=_colour(rng), outline=_colour(rng))
        case 1:
            draw.rectangle(box, fill=_colour(rng))
        case _:
            angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 8))))
            corners = [(x + radius * float(np.cos(a)), y + radius * float(np.sin(a))) for a in angles]
            draw.polygon(corners, fill=_colour(rng))


def _text_line(rng: np.random.Generator, draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    size = int(rng.integers(6, 22))
    left, top = int(rng.integers(0, width // 2)), int(rng.integers(0, height - size))
    letters = "".join(map(chr, rng.integers(97, 123, int(rng.integers(4, 18))).tolist()))
    draw.text((left, top), letters, fill=_colour(rng), font_size=size)


@click.command()
@click.argument("dst", type=click.Path(file_okay=False, path_type=Path))
@click.option("--classes", default=10, show_default=True, help="Number of class folders.")
@click.option("--per-class", default=50, show_default=True, help="Images in each.")
@click.option("--seed", default=0, show_default=True, help="Of the first image; the others count up.")
def main(dst: Path, classes: int, per_class: int, seed: int) -> None:
    """Write photo-like JPEG images to DST, laid out as ImageNet's training set."""
    paths = write_image_folder(dst, classes, per_class, seed)
    click.echo(f"{len(paths)} images in {dst}, {sum(p.stat().st_size for p in paths) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
