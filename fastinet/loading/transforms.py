"""torchvision's transforms, compiled to a plan that the core runs: crop, resize, view, flip, one last write.

Names, parameters, defaults, arithmetic and distributions are those of ``torchvision.transforms``; images are
what torchvision gets from Pillow, so resizing always antialiases. A transform is a list of these, a
torchvision ``Compose`` or list of the transforms of the same names (``torchvision.transforms`` or ``.v2``),
or a mix. At the end of the list, plain callables may follow; each is called with the finished batch of
images (a numpy array) and returns what takes its place.

One plan is at most one crop, one resize and one crop of the result, with flips anywhere. The order counts as
it does in torchvision: what would give other pixels on a tensor (a resize after ``ToTensor``), or in another
precision, is refused, and the error names the place: ``transform[1]`` is the second of a list or Compose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastinet.errors import ArgumentError
from fastinet.loading import parameters as P  # noqa: N812

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "CenterCrop",
    "ConvertImageDtype",
    "Normalize",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "Resize",
    "ToTensor",
]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


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
        P.antialias(name, self.antialias)
        scale = P.interval(name, "scale", self.scale)
        ratio = P.interval(name, "ratio", self.ratio)
        kind = P.interpolation(name, self.interpolation)
        share = self.min_object_covered
        share = None if share is None else P.number(name, "min_object_covered", share)
        attempts = P.integer(name, "max_attempts", self.max_attempts)
        return ("random_resized_crop", *P.pair(name, self.size), scale, ratio, kind, share, attempts)


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
        P.antialias("Resize", self.antialias)
        kind = P.interpolation("Resize", self.interpolation)
        side = P.side("Resize", self.size)
        if side is not None:
            most = 0 if self.max_size is None else P.integer("Resize", "max_size", self.max_size)
            return ("resize_short", side, most, kind)
        if self.max_size is not None:
            raise ArgumentError("Resize: max_size goes with an int size, the shorter side")
        return ("resize_to", *P.pair("Resize", self.size), kind)


@dataclass(frozen=True)
class CenterCrop:
    """The central ``size``; an image that is smaller is padded with zeros on both sides."""

    size: int | Sequence[int]

    def _step(self) -> tuple[Any, ...]:
        return ("center_crop", *P.pair("CenterCrop", self.size))


@dataclass(frozen=True)
class RandomHorizontalFlip:
    """Left to right with probability ``p``."""

    p: float = 0.5

    def _step(self) -> tuple[Any, ...]:
        return ("random_horizontal_flip", P.number("RandomHorizontalFlip", "p", self.p))


@dataclass(frozen=True)
class Normalize:
    """``(x / 255 - mean) / std`` for each channel, or one number for all; the defaults are ImageNet's."""

    mean: Sequence[float] | float = IMAGENET_MEAN
    std: Sequence[float] | float = IMAGENET_STD
    inplace: bool = False


@dataclass(frozen=True)
class ToTensor:
    """Accepted for the likeness to torchvision: floats are ``x / 255`` in any case."""


@dataclass(frozen=True)
class ConvertImageDtype:
    """The loader's ``dtype``, unless that is given: "uint8", "float16" or "float32"."""

    dtype: Any = "float32"
