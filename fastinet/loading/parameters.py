"""Parameters of transforms as torchvision takes them: numbers of Python and NumPy, Pillow's enumerations.

Every function takes the name of the transform, which the ArgumentError or UnsupportedError begins with.
"""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastinet.errors import ArgumentError, UnsupportedError

__all__ = [
    "antialias",
    "channels",
    "dtype_name",
    "integer",
    "interpolation",
    "interval",
    "number",
    "pair",
    "shown",
    "side",
]

_DTYPES = ("uint8", "float16", "float32")
_FILTERS = ("bilinear", "bicubic")
_PILLOWS_FILTERS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")  # by Image.Resampling
_MAX_SIDE = 65535


def shown(value: Any) -> str:
    """``repr``, also of what holds an int so long that Python refuses to print it."""
    try:
        return repr(value)
    except ValueError:
        return f"{type(value).__name__} too long to print"


def _real(value: Any) -> float | None:
    """A number of Python or NumPy that a float can hold; None for anything else, and for bools."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _whole(value: Any) -> int | None:
    """A number without a fraction, such as ``np.int64(224)`` or ``224.0``, which torchvision takes too."""
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return int(value)
    real = _real(value)
    return int(real) if real is not None and real.is_integer() else None


def _members(value: Any) -> tuple[Any, ...] | None:
    """Of a list, tuple or array of one axis."""
    if isinstance(value, np.ndarray):
        return tuple(value.tolist()) if value.ndim == 1 else None
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else None


def number(name: str, what: str, value: Any) -> float:
    """A float from any real number."""
    real = _real(value)
    if real is None:
        raise ArgumentError(f"{name}: {what} must be a number, not {shown(value)}")
    return real


def integer(name: str, what: str, value: Any) -> int:
    """An int that the core can hold, from any whole number."""
    whole = _whole(value)
    if whole is None or not -(2**31) <= whole < 2**31:
        raise ArgumentError(f"{name}: {what} must be an int of at most 32 bits, not {shown(value)}")
    return whole


def side(name: str, size: Any) -> int | None:
    """The one number that a size is: an int, or a sequence of one; None: it has several."""
    members = _members(size)
    single = size if members is None else members[0] if len(members) == 1 else None
    return None if single is None else pair(name, single)[0]


def pair(name: str, size: Any) -> tuple[int, int]:
    """``(height, width)`` from an int (a square) or a sequence of one or two ints."""
    members = _members(size)
    values = tuple(_whole(v) for v in ((size,) if members is None else members))
    if len(values) == 1:
        values *= 2
    if len(values) != 2 or values[0] is None or values[1] is None:
        raise ArgumentError(f"{name}: size must be an int or (height, width), not {shown(size)}")
    height, width = values[0], values[1]
    if not 1 <= min(height, width) <= max(height, width) <= _MAX_SIDE:
        wrong = width if 1 <= height <= _MAX_SIDE else height
        raise ArgumentError(f"{name}: size: expected 1 to {_MAX_SIDE}, found {shown(wrong)}")
    return height, width


def interval(name: str, what: str, value: Any) -> tuple[float, float]:
    """``(low, high)`` from two real numbers."""
    reals = tuple(_real(v) for v in _members(value) or ())
    if len(reals) != 2 or reals[0] is None or reals[1] is None:
        raise ArgumentError(f"{name}: {what} must be two numbers (low, high), not {shown(value)}")
    return reals[0], reals[1]


def interpolation(name: str, value: Any) -> str:
    """ "bilinear" or "bicubic": so named, torchvision's InterpolationMode, or Pillow's Image.Resampling."""
    text = getattr(value, "value", value)
    place = _whole(text)
    if place is not None:
        text = _PILLOWS_FILTERS[place] if 0 <= place < len(_PILLOWS_FILTERS) else value
    text = str(text).lower()
    if text not in _FILTERS:
        raise UnsupportedError(f"{name}: interpolation must be 'bilinear' or 'bicubic', not {shown(value)}")
    return text


def antialias(name: str, value: Any) -> None:
    """Refuses False."""
    if value is False:
        raise UnsupportedError(
            f"{name}: antialias=False is not supported; torchvision ignores it on Pillow images too"
        )


def channels(name: str, what: str, values: Any) -> tuple[float, float, float]:
    """A number for each channel: three, or one for all as torchvision broadcasts it; a tensor's shape
    (3, 1, 1) is taken too. "std" is never 0."""
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    fits = array.size == 1 or array.shape in ((3,), (3, 1, 1))
    if not fits or not np.isfinite(array).all() or (what == "std" and (array == 0).any()):
        kind = "three numbers other than 0" if what == "std" else "three numbers"
        raise ArgumentError(f"{name}: {what} must be {kind}, or one for all channels, not {shown(values)}")
    first, second, third = np.broadcast_to(array.ravel(), 3).tolist()
    return first, second, third


def dtype_name(dtype: Any) -> str:
    """ "uint8", "float16" or "float32" from a name, a numpy dtype or a torch dtype."""
    name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", None) or str(dtype).split(".")[-1]
    if name not in _DTYPES:
        raise ArgumentError(f"dtype must be one of {', '.join(_DTYPES)}, not {dtype!r}")
    return str(name)
