"""C++ core of fastinet."""

from collections.abc import Sequence
from typing import Any, Literal

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
