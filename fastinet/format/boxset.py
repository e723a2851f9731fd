"""The bounding boxes of one image: as a record's JSON has them (FORMAT.md), and clipped to the image.

Coordinates are those of an image of the size that the set gives, which can differ from the image's own size.
A box covers [xmin, xmax] x [ymin, ymax]; ImageNet's coordinates run from 0 to the full width and height.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from fastinet.format.limits import MAX_SIDE

__all__ = ["Box", "BoxSet", "boxes_of_json", "clip_box"]

Box = tuple[int, int, int, int, int, int]  # label, xmin, ymin, xmax, ymax, flags


class BoxSet(NamedTuple):
    """The boxes of one image.

    Attributes:
        width, height: of the image to which the coordinates refer; 0: the size of the image itself.
        boxes: in the order of the file, clipped to that size.
        problems: what was dropped or clipped, one sentence for each object.
        error: why the boxes could not be read; empty if they could.
    """

    width: int
    height: int
    boxes: tuple[Box, ...]
    problems: tuple[str, ...] = ()
    error: str = ""

    def row(self) -> tuple[int, int, list[Box]] | None:
        """Returns the boxes as the core takes them, or None if there are none."""
        return (self.width, self.height, list(self.boxes)) if self.boxes else None

    def to_json(self) -> str:
        """Returns the boxes as a record's JSON has them."""
        rows = {"width": self.width, "height": self.height, "rows": [list(box) for box in self.boxes]}
        return json.dumps({"boxes": rows}, separators=(",", ":"))


def boxes_of_json(value: Mapping[str, Any]) -> tuple[int, int, list[Box]]:
    """Returns width, height and boxes from the value of "boxes": the inverse of ``BoxSet.to_json``.

    Raises:
        KeyError, TypeError, ValueError: the value has another shape.
    """
    rows: list[Box] = []
    for row in value["rows"]:
        label, xmin, ymin, xmax, ymax, flags = row
        if any(type(number) is not int for number in row):
            raise TypeError(row)
        rows.append((label, xmin, ymin, xmax, ymax, flags))
    width, height = value["width"], value["height"]
    if type(width) is not int or type(height) is not int:
        raise TypeError(value)
    return width, height, rows


def clip_box(
    edges: tuple[int, int, int, int], width: int, height: int
) -> tuple[str, tuple[int, int, int, int] | None]:
    """Clips a box to its image.

    Args:
        edges: xmin, ymin, xmax, ymax.
        width, height: of the image; 0 if unknown.

    Returns:
        What is wrong with the box, or "", and the part of it that lies inside the image, or None if the box
        is dropped.
    """
    xmin, ymin, xmax, ymax = edges
    text = f"({xmin}, {ymin}, {xmax}, {ymax})"
    if xmin > xmax or ymin > ymax:
        return f"dropped: the box {text} is inverted", None
    if xmin == xmax or ymin == ymax:
        return f"dropped: the box {text} has no area", None
    right, bottom = (width, height) if width else (MAX_SIDE, MAX_SIDE)
    inside = (
        min(max(xmin, 0), right),
        min(max(ymin, 0), bottom),
        min(max(xmax, 0), right),
        min(max(ymax, 0), bottom),
    )
    if inside[0] == inside[2] or inside[1] == inside[3]:
        return f"dropped: the box {text} lies outside the image of {width}x{height}", None
    if inside != edges:
        return f"clipped: the box {text} extends beyond the image of {width}x{height}", inside
    return "", inside
