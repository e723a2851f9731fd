"""Which copies of FOLDER's images are found by their look: the share within each distance, by kind of copy.

The last row is of different images: the share of their pairs that would be taken for copies.

usage: near_copies.py FOLDER
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance
from rich.console import Console
from rich.table import Table

from fastinet.verification.perceptual import hash_thumbnails, thumbnail

DISTANCES = (2, 4, 6, 8, 10, 12)
LANCZOS = Image.Resampling.LANCZOS


def jpeg(image: Image.Image, quality: int = 85) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def copies(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    width, height = image.size
    yield "quality 50", jpeg(image, 50)
    yield "quality 20", jpeg(image, 20)
    yield "half the size", jpeg(image.resize((max(width // 2, 1), max(height // 2, 1)), LANCZOS))
    yield "1.5 times the size", jpeg(image.resize((width * 3 // 2, height * 3 // 2), LANCZOS))
    yield "256x256", jpeg(image.resize((256, 256), LANCZOS))
    yield "grey", jpeg(image.convert("L"))
    yield "brighter by 20%", jpeg(ImageEnhance.Brightness(image).enhance(1.2))
    for percent in (1, 2, 3, 5):
        left, top = round(width * percent / 100), round(height * percent / 100)
        yield f"cropped by {percent}% a side", jpeg(image.crop((left, top, width - left, height - top)))


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    originals, differing = [], dict[str, list[int]]()
    for path in sorted(Path(sys.argv[1]).rglob("*.JPEG")):
        data = path.read_bytes()
        changed = dict(copies(Image.open(path).convert("RGB")))
        hashes, _ = hash_thumbnails(np.stack([thumbnail(item) for item in (data, *changed.values())]))
        originals.append(hashes[0])
        for kind, value in zip(changed, hashes[1:], strict=True):
            differing.setdefault(kind, []).append(int(value ^ hashes[0]).bit_count())
    whole = np.array(originals, np.uint64)
    apart = np.unpackbits((whole[:, None] ^ whole[None]).view(np.uint8), axis=1).reshape(len(whole), -1, 64)
    differing["(different images)"] = apart.sum(axis=2)[np.triu_indices(len(whole), 1)].tolist()
    table = Table("copy", *(f"{distance} bits" for distance in DISTANCES), show_edge=False)
    for kind, distances in differing.items():
        shares = [np.mean(np.array(distances) <= distance) for distance in DISTANCES]
        texts = (f"{share:.4%}" if 0 < share < 0.01 else f"{share:.1%}" for share in shares)
        table.add_row(kind, *texts)
    Console().print(f"{len(originals):,} images of {sys.argv[1]}", table)


if __name__ == "__main__":
    main()
