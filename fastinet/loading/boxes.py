"""The loader's columns of bounding boxes: ragged, one array a sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastinet import _core
from fastinet.errors import ArgumentError

__all__ = ["COLUMNS", "FORMATS", "BoxColumns", "pad"]

COLUMNS = ("boxes", "box_labels", "box_visible", "box_flags")
FORMATS = ("xyxy", "xywh", "cxcywh")


class BoxColumns:
    """Makes the columns of boxes of a batch.

    Args:
        box_format: "xyxy" (edges), "xywh" (left, top, width, height) or "cxcywh" (centre, width, height), as
            ``torchvision.ops.box_convert`` names them.
        relative: in shares of the image's sides, not in pixels.
        size: height and width of the finished images.
    """

    def __init__(self, box_format: str, relative: bool, size: tuple[int, int] | None) -> None:
        if box_format not in FORMATS:
            raise ArgumentError(f"box_format must be one of {', '.join(FORMATS)}, not {box_format!r}")
        if relative and size is None:
            raise ArgumentError("box_relative: the transform must give images of one size")
        self._format = box_format
        self._scale = (
            np.array([size[1], size[0], size[1], size[0]], np.float32) if relative and size else None
        )

    def __call__(self, batch: _core.Batch) -> dict[str, list[npt.NDArray[Any]]]:
        """The columns by name; each a list with one array a sample, views of one array a batch."""
        counts, edges, labels, visible, flags = batch.boxes
        if self._scale is not None:
            edges = edges / self._scale
        values: tuple[npt.NDArray[Any], ...] = (self._convert(edges), labels, visible, flags)
        if not len(counts):  # np.split makes at least one part
            return {name: [] for name in COLUMNS}
        places = np.cumsum(counts)[:-1]
        return {name: np.split(value, places) for name, value in zip(COLUMNS, values, strict=True)}

    def _convert(self, edges: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if self._format == "xyxy":
            return edges
        low, size = edges[:, :2], edges[:, 2:] - edges[:, :2]
        return np.concatenate([low + size / 2 if self._format == "cxcywh" else low, size], axis=1)


def pad(arrays: Sequence[npt.NDArray[Any]], length: int, fill: float = -1) -> npt.NDArray[Any]:
    """A ragged column as one array of shape (n, length, ...), for code that needs fixed shapes.

    Args:
        arrays: one a sample; none of them empty of dimensions, all alike but for their first.
        length: rows of each sample; more are cut off, the first ones stay.
        fill: value of the rows that a sample does not have.
    """
    if not arrays or length < 0:
        raise ArgumentError(f"pad: expected at least one array and a length of 0 or more, not {length}")
    padded = np.full((len(arrays), length, *arrays[0].shape[1:]), fill, arrays[0].dtype)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array[:length]
    return padded
