"""C++ core of fastinet."""

from collections.abc import Sequence
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

def simd_level() -> str: ...
def available_simd_levels() -> list[str]: ...
def set_simd_level(name: str) -> None: ...
def resample(
    image: NDArray[np.uint8],
    crop: Sequence[int],
    size: Sequence[int],
    view: Sequence[int],
    flip: bool = False,
    interpolation: Literal["bilinear", "bicubic"] = "bilinear",
    dtype: Literal["uint8", "float16", "float32"] = "uint8",
    layout: Literal["NCHW", "NHWC"] = "NHWC",
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> NDArray[Any]: ...

class ProbeResult(TypedDict):
    format: str
    regular: bool
    height: int
    width: int
    orientation: int
    components: int
    baseline: bool
    progressive: bool
    complete: bool
    entry_points: bytes

class DecodeCounts(TypedDict):
    fast: int
    turbo: int
    foreign: int

def decode(
    data: NDArray[np.uint8],
    crop: tuple[int, ...] | None,
    size: tuple[int, ...] | None,
    flip: bool,
    interpolation: str,
    apply_orientation: bool,
) -> NDArray[np.uint8]: ...
def image_size(data: NDArray[np.uint8], apply_orientation: bool) -> tuple[int, int]: ...
def decode_counts() -> DecodeCounts: ...  # of this thread's calls of decode and image_size
def probe(data: NDArray[np.uint8]) -> ProbeResult: ...
