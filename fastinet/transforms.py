"""torchvision's transforms, compiled to a plan that the core runs: crop, resize, view, flip, one last write.

Names, parameters, defaults, arithmetic and distributions are those of ``torchvision.transforms``; images are
what torchvision gets from Pillow, so resizing always antialiases. A transform is a list of these, a
torchvision ``Compose`` or list of the transforms of the same names (``torchvision.transforms`` or ``.v2``),
or a mix. At the end of the list, plain callables may follow; each is called with the finished batch of
images (a numpy array) and returns what takes its place.

One plan is at most one crop, one resize and one crop of the result, with flips after the resize.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from fastinet import _core
from fastinet.errors import ArgumentError, UnsupportedError

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "CenterCrop",
    "ConvertImageDtype",
    "Normalize",
    "Plan",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "Resize",
    "ToTensor",
    "compile_transform",
]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_DTYPES = ("uint8", "float16", "float32")
_LAYOUTS = ("NCHW", "NHWC")
_STEPS_THAT_DO_NOTHING_HERE = ("ToImage", "ToPureTensor")

BatchCallable: TypeAlias = Callable[[Any], Any]


def _pair(name: str, size: Any) -> tuple[int, int]:
    """``(height, width)`` from an int (a square) or a sequence of one or two ints."""
    values = (size, size) if _is_int(size) else tuple(size) if isinstance(size, Sequence) else ()
    if len(values) == 1:
        values = values * 2
    if len(values) != 2 or not all(_is_int(v) for v in values):
        raise ArgumentError(f"{name}: size must be an int or (height, width), not {size!r}")
    return int(values[0]), int(values[1])


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _range(name: str, what: str, value: Any) -> tuple[float, float]:
    values = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else ()
    if len(values) != 2 or not all(isinstance(v, (int, float)) for v in values):
        raise ArgumentError(f"{name}: {what} must be two numbers (low, high), not {value!r}")
    return float(values[0]), float(values[1])


def _interpolation(name: str, value: Any) -> str:
    """ "bilinear" or "bicubic", also from torchvision's or Pillow's enumerations."""
    text = getattr(value, "value", value)
    text = getattr(value, "name", text) if not isinstance(text, str) else text
    text = str(text).lower()
    if text not in ("bilinear", "bicubic"):
        raise UnsupportedError(f"{name}: interpolation must be 'bilinear' or 'bicubic', not {value!r}")
    return text


def _antialias(name: str, value: Any) -> None:
    if value is False:
        raise UnsupportedError(
            f"{name}: antialias=False is not supported; torchvision ignores it on Pillow images too"
        )


@dataclass(frozen=True)
class RandomResizedCrop:
    """A random window of a random share of the area and a random aspect ratio, resized to ``size``.

    The window is ``torchvision.transforms.RandomResizedCrop.get_params``: ten tries, area uniform in
    ``scale`` (shares of the image), aspect ratio (width to height) log-uniform in ``ratio``; failing those
    the largest central crop within ``ratio``.

    With ``min_object_covered`` the windows are those of ``tf.image.sample_distorted_bounding_box`` over the
    record's boxes, where ``scale`` is its ``area_range`` and ``ratio`` its ``aspect_ratio_range``: the aspect
    ratio is uniform in ``ratio``, and a window is taken if it holds at least this share of at least one
    object. A record without boxes counts as one object of its whole size; after ``max_attempts`` (1 to 256)
    the window is the whole image. TensorFlow's ImageNet pipeline has 0.1, with scale (0.05, 1).
    """

    size: int | Sequence[int]
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3.0 / 4.0, 4.0 / 3.0)
    interpolation: str = "bilinear"
    antialias: bool | None = True
    min_object_covered: float | None = None
    max_attempts: int = 100

    def _step(self) -> tuple[Any, ...]:
        name = "RandomResizedCrop"
        _antialias(name, self.antialias)
        scale = _range(name, "scale", self.scale)
        ratio = _range(name, "ratio", self.ratio)
        kind = _interpolation(name, self.interpolation)
        share = None if self.min_object_covered is None else float(self.min_object_covered)
        if not _is_int(self.max_attempts):
            raise ArgumentError(f"{name}: max_attempts must be an int, not {self.max_attempts!r}")
        return ("random_resized_crop", *_pair(name, self.size), scale, ratio, kind, share, self.max_attempts)


@dataclass(frozen=True)
class Resize:
    """To ``(height, width)``, or with an int the shorter side to ``size`` and the longer in proportion.

    With ``max_size`` the longer side is at most that, and the shorter is smaller than ``size`` where it must
    be.
    """

    size: int | Sequence[int]
    interpolation: str = "bilinear"
    max_size: int | None = None
    antialias: bool | None = True

    def _step(self) -> tuple[Any, ...]:
        _antialias("Resize", self.antialias)
        kind = _interpolation("Resize", self.interpolation)
        size = self.size
        if not _is_int(size) and isinstance(size, Sequence) and len(size) == 1:
            size = size[0]
        if isinstance(size, int) and _is_int(size):
            if self.max_size is not None and not _is_int(self.max_size):
                raise ArgumentError(f"Resize: max_size must be an int, not {self.max_size!r}")
            return ("resize_short", size, self.max_size or 0, kind)
        if self.max_size is not None:
            raise ArgumentError("Resize: max_size goes with an int size, the shorter side")
        return ("resize_to", *_pair("Resize", size), kind)


@dataclass(frozen=True)
class CenterCrop:
    """The central ``size``; an image that is smaller is padded with zeros on both sides."""

    size: int | Sequence[int]

    def _step(self) -> tuple[Any, ...]:
        return ("center_crop", *_pair("CenterCrop", self.size))


@dataclass(frozen=True)
class RandomHorizontalFlip:
    """Left to right with probability ``p``."""

    p: float = 0.5

    def _step(self) -> tuple[Any, ...]:
        return ("random_horizontal_flip", float(self.p))


@dataclass(frozen=True)
class Normalize:
    """``(x / 255 - mean) / std`` for each channel; the defaults are ImageNet's."""

    mean: Sequence[float] = IMAGENET_MEAN
    std: Sequence[float] = IMAGENET_STD
    inplace: bool = False


@dataclass(frozen=True)
class ToTensor:
    """Accepted for the likeness to torchvision: floats are ``x / 255`` in any case."""


@dataclass(frozen=True)
class ConvertImageDtype:
    """The loader's ``dtype``, unless that is given: "uint8", "float16" or "float32"."""

    dtype: Any = "float32"


@dataclass(frozen=True)
class Plan:
    """What a transform compiles to. Immutable.

    Attributes:
        core: the geometric steps; ``core.sample`` gives a record's window.
        dtype: "uint8", "float16" or "float32".
        layout: "NCHW" or "NHWC".
        normalize: ``(mean, std)``, or None.
        interpolation: of the resize, "bilinear" or "bicubic".
        callables: what runs on the finished batch.
    """

    core: _core.TransformPlan
    dtype: str
    layout: str
    normalize: tuple[tuple[float, float, float], tuple[float, float, float]] | None
    interpolation: str = "bilinear"
    callables: tuple[BatchCallable, ...] = field(default=())

    @property
    def output_size(self) -> tuple[int, int] | None:
        """``(height, width)`` of every image; None where it depends on the image."""
        return self.core.output_size


_OWN = (RandomResizedCrop, Resize, CenterCrop, RandomHorizontalFlip, Normalize, ToTensor, ConvertImageDtype)
_TORCHVISION_FIELDS: dict[str, tuple[type[Any], tuple[str, ...]]] = {
    "RandomResizedCrop": (RandomResizedCrop, ("size", "scale", "ratio", "interpolation", "antialias")),
    "Resize": (Resize, ("size", "interpolation", "max_size", "antialias")),
    "CenterCrop": (CenterCrop, ("size",)),
    "RandomHorizontalFlip": (RandomHorizontalFlip, ("p",)),
    "Normalize": (Normalize, ("mean", "std", "inplace")),
    "ToTensor": (ToTensor, ()),
    "ConvertImageDtype": (ConvertImageDtype, ("dtype",)),
}


def _is_torchvision(item: Any) -> bool:
    return type(item).__module__.split(".")[0] == "torchvision"


def _flatten(transform: Any) -> Iterable[Any]:
    if transform is None:
        return
    if _is_torchvision(transform) and type(transform).__name__ == "Compose":
        transform = transform.transforms
    if isinstance(transform, (list, tuple)):
        for item in transform:
            yield from _flatten(item)
    else:
        yield transform


def _translate(item: Any) -> Any:
    """A torchvision transform as ours; a callable as it is; None for what has nothing to do here."""
    if isinstance(item, _OWN):
        return item
    name = type(item).__name__
    if _is_torchvision(item):
        if name == "PILToTensor":
            return ConvertImageDtype("uint8")
        if name in _STEPS_THAT_DO_NOTHING_HERE:
            return None
        if name == "ToDtype":
            if not item.scale and dtype_name(item.dtype) != "uint8":
                raise UnsupportedError("ToDtype: floats without scale=True are not supported")
            return ConvertImageDtype(item.dtype)
        if name in _TORCHVISION_FIELDS:
            own, fields = _TORCHVISION_FIELDS[name]
            return own(**{f: getattr(item, f) for f in fields if hasattr(item, f)})
        known = ", ".join(_TORCHVISION_FIELDS)
        raise UnsupportedError(
            f"torchvision's {name} is not one that the core knows ({known}); wrap it in a function at the "
            "end of the transform to run it on the finished batch"
        )
    if callable(item) and not isinstance(item, type):
        return item
    raise ArgumentError(f"transform: expected transforms or callables on a batch, found {item!r}")


def dtype_name(dtype: Any) -> str:
    """ "uint8", "float16" or "float32" from a name, a numpy dtype or a torch dtype."""
    name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", None) or str(dtype).split(".")[-1]
    if name not in _DTYPES:
        raise ArgumentError(f"dtype must be one of {', '.join(_DTYPES)}, not {dtype!r}")
    return str(name)


def _three(what: str, values: Sequence[float]) -> tuple[float, float, float]:
    numbers = [float(v) for v in values]
    if len(numbers) != 3 or not all(map(math.isfinite, numbers)) or (what == "std" and 0.0 in numbers):
        kind = "three numbers other than 0" if what == "std" else "three numbers"
        raise ArgumentError(f"Normalize: {what} must be {kind}, not {values!r}")
    return numbers[0], numbers[1], numbers[2]


def compile_transform(transform: Any, dtype: Any = None, layout: str = "NCHW") -> Plan:
    """Compile a transform to the plan that a loader runs.

    Args:
        transform: see the module's documentation; None for the images as they are.
        dtype: "uint8" (the pixels), "float16" or "float32" (``x / 255``, normalised where the transform says
            so). None: what ``ConvertImageDtype``, ``PILToTensor`` or ``ToDtype`` say, else "float32".
        layout: "NCHW" or "NHWC".

    Raises:
        UnsupportedError: a transform that the core does not know, or a chain that is more than one plan.
        ArgumentError: a parameter out of range.
    """
    steps: list[tuple[Any, ...]] = []
    normalize = None
    said_dtype: str | None = None
    interpolation = "bilinear"
    callables: list[BatchCallable] = []
    for item in map(_translate, _flatten(transform)):
        if item is None:
            continue
        if not isinstance(item, _OWN):
            callables.append(item)
        elif callables:
            raise UnsupportedError(
                f"transform: {type(item).__name__} comes after a callable, which runs on the finished batch; "
                "callables go to the end"
            )
        elif isinstance(item, Normalize):
            if normalize is not None:
                raise UnsupportedError("transform: Normalize comes twice")
            normalize = (_three("mean", item.mean), _three("std", item.std))
        elif isinstance(item, ConvertImageDtype):
            said_dtype = dtype_name(item.dtype)
        elif isinstance(item, ToTensor):
            said_dtype = "float32"
        else:
            if normalize is not None:
                raise UnsupportedError(
                    f"transform: {type(item).__name__} comes after Normalize, which is part of the last write"
                )
            if isinstance(item, (RandomResizedCrop, Resize)):
                interpolation = _interpolation(type(item).__name__, item.interpolation)
            steps.append(item._step())
    name = dtype_name(dtype) if dtype is not None else said_dtype or "float32"
    if name == "uint8" and normalize is not None:
        raise ArgumentError("Normalize gives floats, but dtype is uint8: take one of them out")
    if layout not in _LAYOUTS:
        raise ArgumentError(f"layout must be one of {', '.join(_LAYOUTS)}, not {layout!r}")
    return Plan(_core.TransformPlan(steps), name, layout, normalize, interpolation, tuple(callables))
