"""PASCAL VOC's XML of bounding boxes, as ImageNet distributes it.

Coordinates are those of an image of the size that the file gives, which can differ from the image's own. A
box covers [xmin, xmax] x [ymin, ymax]: ImageNet's run from 0 to the full width and height.

Files come from anywhere, so the parser is Expat with document types refused: no entity is ever expanded.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, ParseError, TreeBuilder
from xml.parsers import expat

__all__ = ["Box", "BoxSet", "boxes_of_json", "clip_box", "parse_voc"]

_MAX_BYTES = 16 << 20
_MAX_BOXES = 65536  # FORMAT.md
_MAX_SIDE = 1 << 24
_FLAGS = (("difficult", 1), ("truncated", 2), ("occluded", 4))

Box = tuple[int, int, int, int, int, int]  # label, xmin, ymin, xmax, ymax, flags


class BoxSet(NamedTuple):
    """The boxes of one image.

    Attributes:
        width, height: of the image that the coordinates refer to; 0: the image's own.
        boxes: in the file's order, clipped to that size.
        problems: what was dropped or clipped, one sentence each, naming the object.
        error: why nothing could be read; empty: all is well.
    """

    width: int
    height: int
    boxes: tuple[Box, ...]
    problems: tuple[str, ...] = ()
    error: str = ""

    def row(self) -> tuple[int, int, list[Box]] | None:
        """As the core takes them; None where there are none."""
        return (self.width, self.height, list(self.boxes)) if self.boxes else None

    def to_json(self) -> str:
        """As a record's JSON holds them."""
        rows = {"width": self.width, "height": self.height, "rows": [list(box) for box in self.boxes]}
        return json.dumps({"boxes": rows}, separators=(",", ":"))


def boxes_of_json(told: Mapping[str, Any]) -> tuple[int, int, list[Box]]:
    """The inverse of ``BoxSet.to_json``, of the value of "boxes". Raises KeyError, TypeError, ValueError."""
    rows: list[Box] = []
    for row in told["rows"]:
        label, xmin, ymin, xmax, ymax, flags = row
        if any(type(value) is not int for value in row):
            raise TypeError(row)
        rows.append((label, xmin, ymin, xmax, ymax, flags))
    width, height = told["width"], told["height"]
    if type(width) is not int or type(height) is not int:
        raise TypeError(told)
    return width, height, rows


def parse_voc(data: bytes, labels: Mapping[str, int], origin: str, default: int = -1) -> BoxSet:
    """The boxes in one XML file.

    Args:
        data: the file.
        labels: label of each object name (WNID).
        origin: what problems name.
        default: label of objects with another name; -1: none, which is reported.
    """
    try:
        root = _parse(data)
        size = root.find("size")
        width, height = (_side(size, "width"), _side(size, "height"))
    except (ValueError, ParseError, expat.ExpatError) as e:
        error = f"{origin}: not a PASCAL VOC annotation: {e}"
        return BoxSet(0, 0, (), (error,), error)
    boxes: list[Box] = []
    problems: list[str] = []
    if not (width and height):
        width = height = 0
        problems.append(f"{origin}: gives no size; the image's own is taken")
    for number, entry in enumerate(root.iter("object"), 1):
        name = (entry.findtext("name") or "").strip()
        where = f"{origin}: object {number} ({name or 'without name'})"
        if len(boxes) == _MAX_BOXES:
            problems.append(f"{where}: more than {_MAX_BOXES} boxes, the rest dropped")
            break
        edges = _edges(entry)
        if edges is None:
            problems.append(f"{where}: dropped: no box of four numbers")
            continue
        problem, clipped = clip_box(edges, width, height)
        if problem:
            problems.append(f"{where}: {problem}")
        if clipped is None:
            continue
        label = labels.get(name, default)
        if label < 0:
            problems.append(f"{where}: kept without label: the dataset has no such class")
        flags = sum(bit for tag, bit in _FLAGS if (entry.findtext(tag) or "").strip() == "1")
        boxes.append((label, *clipped, flags))
    return BoxSet(width, height, tuple(boxes), tuple(problems))


def clip_box(
    edges: tuple[int, int, int, int], width: int, height: int
) -> tuple[str, tuple[int, int, int, int] | None]:
    """What is wrong with a box, or "", and the part of it inside of the image; None where it is dropped.

    `width` and `height` are 0 where the image's size is not known.
    """
    xmin, ymin, xmax, ymax = edges
    text = f"({xmin}, {ymin}, {xmax}, {ymax})"
    if xmin > xmax or ymin > ymax:
        return f"dropped: the box {text} is turned round", None
    if xmin == xmax or ymin == ymax:
        return f"dropped: the box {text} has no area", None
    right, bottom = (width, height) if width else (_MAX_SIDE, _MAX_SIDE)
    inside = (
        min(max(xmin, 0), right),
        min(max(ymin, 0), bottom),
        min(max(xmax, 0), right),
        min(max(ymax, 0), bottom),
    )
    if inside[0] == inside[2] or inside[1] == inside[3]:
        return f"dropped: the box {text} lies outside of the image of {width}x{height}", None
    if inside != edges:
        return f"clipped: the box {text} reaches out of the image of {width}x{height}", inside
    return "", inside


def _parse(data: bytes) -> Element:
    if len(data) > _MAX_BYTES:
        raise ValueError(f"{len(data)} bytes, more than {_MAX_BYTES}")
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.Parse(data, True)
    root: Element = builder.close()
    if root.tag != "annotation":
        raise ValueError(f"the root is <{root.tag}>, not <annotation>")
    return root


def _refuse_doctype(*_: object) -> None:
    raise ValueError("it declares a document type, which is not allowed")


def _side(size: Element | None, name: str) -> int:
    value = None if size is None else _number(size.findtext(name))
    if value is None:
        return 0
    if not 0 <= value <= _MAX_SIDE:
        raise ValueError(f"{name} of {value}")
    return value


def _edges(entry: Element) -> tuple[int, int, int, int] | None:
    box = entry.find("bndbox")
    if box is None:
        return None
    numbers = [_number(box.findtext(name)) for name in ("xmin", "ymin", "xmax", "ymax")]
    if any(n is None for n in numbers):
        return None
    xmin, ymin, xmax, ymax = (n for n in numbers if n is not None)
    return xmin, ymin, xmax, ymax


def _number(text: str | None) -> int | None:
    """A number of pixels, rounded; None for what is none."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return round(value) if math.isfinite(value) and abs(value) < 2**31 else None
