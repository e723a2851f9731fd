"""What a transform compiles to, and what runs on the finished batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from fastinet import _core
from fastinet.errors import ArgumentError

__all__ = ["BatchCall", "BatchCallable", "Normalization", "Plan"]

BatchCallable: TypeAlias = Callable[[Any], Any]
Normalization: TypeAlias = tuple[tuple[float, float, float], tuple[float, float, float]]  # mean, std


@dataclass(frozen=True)
class BatchCall:
    """A callable on the finished batch, and its place in the transform.

    Raises:
        ArgumentError: the callable failed on an array as one does that was made for single images or tensors
            (AttributeError, TypeError). Other exceptions pass.
    """

    function: BatchCallable
    place: str

    def __call__(self, images: Any) -> Any:
        """What takes the images' place."""
        try:
            return self.function(images)
        except (AttributeError, TypeError) as e:
            given = f"a {type(images).__module__}.{type(images).__qualname__}"
            if hasattr(images, "shape"):
                given += f" of shape {tuple(images.shape)}, {images.dtype}"
            raise ArgumentError(
                f"{self} raised {type(e).__name__}: {e}. It was taken for a callable on the finished batch "
                f"and given {given}; what needs single images, Pillow's or tensors cannot run there"
            ) from e

    def __str__(self) -> str:
        return f"{self.place}: {_named(self.function)}"


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
    normalize: Normalization | None
    interpolation: str = "bilinear"
    callables: tuple[BatchCall, ...] = field(default=())

    @property
    def output_size(self) -> tuple[int, int] | None:
        """``(height, width)`` of every image; None where it depends on the image."""
        return self.core.output_size

    def fixed_size(self) -> tuple[int, int]:
        """``(height, width)`` of every image.

        Raises:
            ArgumentError: it depends on the image, so that no batch can be made.
        """
        size = self.output_size
        if size is None:
            problem = (
                "the transform leaves images of different sizes, which do not fit into one batch; end it "
                "with RandomResizedCrop, CenterCrop or Resize((height, width))"
            )
            if self.callables:
                shape = "(n, 3, height, width)" if self.layout == "NCHW" else "(n, height, width, 3)"
                calls = ", ".join(map(str, self.callables))
                problem += (
                    f". What fastinet does not know ({calls}) was taken for a callable on the finished "
                    f"batch, a numpy array of shape {shape}, not on single images: give the transforms that "
                    "it knows by themselves"
                )
            raise ArgumentError(problem)
        return size


def _named(item: Any) -> str:
    """A user's object, as an error names it: its type and, in one line, its text."""
    if hasattr(item, "__qualname__"):
        return f"{item.__module__}.{item.__qualname__}"
    kind, text = f"{type(item).__module__}.{type(item).__qualname__}", " ".join(repr(item).split())
    text = text if len(text) <= 100 else text[:97] + "..."
    return text if kind in text else f"{kind} {text}"
