"""Time and memory of the search for images that look the same, over hashes made up at random.

Unrelated hashes have 32 of 64 bits set, as those of images; planted among them are pairs that differ in up to
DISTANCE bits, all of which must be found.

    python benchmarks/near_hashes.py --hashes 1280000 --distance 6
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import numpy.typing as npt

from fastinet.verification.hamming import near_groups

PLANTED = 1000
_PIECE = 1 << 16


def balanced_hashes(rng: np.random.Generator, count: int) -> npt.NDArray[np.uint64]:
    """Hashes of which each has 32 bits set, uint64 of shape (count,)."""
    hashes = np.empty(count, np.uint64)
    for start in range(0, count, _PIECE):
        values = rng.random((min(_PIECE, count - start), 64), np.float32)
        bits = values > np.median(values, axis=1, keepdims=True)
        hashes[start : start + _PIECE] = np.packbits(bits, axis=1).view(">u8").astype(np.uint64)[:, 0]
    return hashes


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--hashes", type=int, default=1_280_000)
    parser.add_argument("--distance", type=int, default=6)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    hashes = balanced_hashes(rng, arguments.hashes)
    originals, copies = rng.choice(arguments.hashes, 2 * PLANTED, replace=False).reshape(2, PLANTED)
    for original, copy in zip(originals, copies, strict=True):
        flips = rng.choice(64, int(rng.integers(arguments.distance + 1)), replace=False)
        hashes[copy] = hashes[original] ^ np.bitwise_or.reduce(np.uint64(1) << flips.astype(np.uint64))
    before, wall, cpu = peak_mb(), time.monotonic(), time.process_time()
    groups = near_groups(hashes, arguments.distance)
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    found = int(np.count_nonzero(groups[originals] == groups[copies]))
    several = int(np.count_nonzero(np.bincount(groups) > 1))
    print(
        f"{arguments.hashes:,} hashes, up to {arguments.distance} bits: {wall:.1f} s, {cpu:.1f} CPU-seconds, "
        f"{before:.0f} MB before, {peak_mb():.0f} MB at most; {found} of {PLANTED} planted pairs found, "
        f"{several - PLANTED} further groups"
    )


if __name__ == "__main__":
    main()
