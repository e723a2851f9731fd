"""What dct_scaling changes and saves: FOLDER's images, one RandomResizedCrop each, at several output sizes.

usage: dct_scaling.py FOLDER
"""

from __future__ import annotations

import math
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import fastinet
from fastinet import _core

REPEATS = 5
SIDES = (224, 112, 64)

Crop = tuple[int, int, int, int]


def crops(files: list[bytes]) -> Iterator[tuple[bytes, Crop]]:
    """Each file with a window of torchvision's RandomResizedCrop."""
    rng = random.Random(1)
    for data in files:
        height, width = _core.image_size(np.frombuffer(data, np.uint8), False)
        h, w = height, width
        for _ in range(10):
            area = rng.uniform(0.08, 1) * height * width
            ratio = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
            h, w = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
            if 0 < h <= height and 0 < w <= width:
                break
        else:
            h, w = height, width
        yield data, (rng.randint(0, height - h), rng.randint(0, width - w), h, w)


def microseconds(work: list[tuple[bytes, Crop]], side: int) -> list[float]:
    """CPU time an image without and with dct_scaling, the least of the repeats, taken in turn."""
    best = [math.inf, math.inf]
    for _ in range(REPEATS):
        for scaling in (False, True):
            start = time.process_time()
            for data, crop in work:
                fastinet.decode(data, crop, (side, side), dct_scaling=scaling)
            best[scaling] = min(best[scaling], time.process_time() - start)
    return [1e6 * seconds / max(1, len(work)) for seconds in best]


def main(folder: str) -> None:
    """Print the table."""
    files = [p.read_bytes() for p in sorted(Path(folder).rglob("*")) if p.suffix.lower() in (".jpg", ".jpeg")]
    work = list(crops(files))
    table = Table("output", "concerned", "PSNR mean", "PSNR least", "mean", "max", "their us", "all us")
    for side in SIDES:
        concerned = [(data, c) for data, c in work if c[2] >= 2 * side and c[3] >= 2 * side]
        psnr, mean, most = [], [], 0
        for data, crop in concerned:
            exact = fastinet.decode(data, crop, (side, side)).astype(int)
            error = exact - fastinet.decode(data, crop, (side, side), dct_scaling=True)
            psnr.append(10 * math.log10(255**2 / max(float((error**2).mean()), 1e-9)))
            mean.append(float(np.abs(error).mean()))
            most = max(most, int(np.abs(error).max()))
        timings = [" -> ".join(f"{t:.0f}" for t in microseconds(w, side)) for w in (concerned, work)]
        figures = [f"{np.mean(psnr):.1f}", f"{min(psnr):.1f}", f"{np.mean(mean):.2f}"] if psnr else ["-"] * 3
        table.add_row(str(side), f"{len(concerned)} of {len(work)}", *figures, str(most), *timings)
    Console().print(table)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
