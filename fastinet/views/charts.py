"""The layout of charts, in per cent of their width and height. ``charts.html`` draws them.

The page lays out the text, which is not scaled with the drawing, so that it can be read at any width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Bar", "Chart", "HeatMap", "Tick", "bars", "heat_map", "log_ticks", "spaced"]

LEVELS = 9


@dataclass(frozen=True)
class Tick:
    """A label of an axis, at `place` per cent from left or bottom. `minor` ones may be left out."""

    place: float
    label: str
    minor: bool = False


@dataclass(frozen=True)
class Bar:
    """A bar: left edge, width and height in per cent, its tooltip `title`, and the text `name` above it."""

    left: float
    width: float
    height: float
    title: str
    name: str = ""


@dataclass(frozen=True)
class Chart:
    """Bars over an axis. `label` describes the chart in words; `marks` are vertical lines."""

    label: str
    bars: Sequence[Bar]
    ticks: Sequence[Tick]
    marks: Sequence[Tick] = ()
    heights: Sequence[Tick] = ()


@dataclass(frozen=True)
class HeatMap:
    """Cells in nine shades: `levels` are pairs of a shade, 1 to 9, and an SVG path in units of cells."""

    label: str
    columns: int
    rows: int
    levels: Sequence[tuple[int, str]]
    x_ticks: Sequence[Tick] = ()
    y_ticks: Sequence[Tick] = ()


def bars(
    values: Sequence[float] | npt.NDArray[np.generic],
    label: str,
    title: Callable[[int], str],
    ticks: Sequence[Tick],
    marks: Sequence[Tick] = (),
    heights: Sequence[Tick] = (),
    top: float | None = None,
    names: Sequence[str] | None = None,
    gap: float = 0.12,
) -> Chart:
    """Lays out bars of equal width from 0 to `top` (None: the largest value). Leaves out bars of value 0.

    `gap` is the fraction of its place that a bar leaves empty. The smallest bars are drawn as lines, so that
    they can be seen.
    """
    numbers = np.asarray(values, np.float64)
    highest = float(top if top is not None else numbers.max(initial=0)) or 1.0
    place = 100 / max(len(numbers), 1)
    drawn = [
        Bar(
            left=round((i + gap / 2) * place, 3),
            width=round((1 - gap) * place, 3),
            height=max(round(n / highest * 100, 2), 0.6),
            title=title(i),
            name=names[i] if names else "",
        )
        for i, n in enumerate(numbers.tolist())
        if n > 0
    ]
    return Chart(label, drawn, ticks, marks, heights)


def heat_map(
    cells: npt.NDArray[np.generic],
    label: str,
    x_ticks: Sequence[Tick] = (),
    y_ticks: Sequence[Tick] = (),
    logarithmic: bool = False,
) -> HeatMap:
    """Shades `cells`, rows from the top, in nine levels up to the largest. Cells of value 0 stay empty."""
    values = cells.astype(np.float64)
    if logarithmic:
        values = np.log1p(values)
    levels = np.ceil(values / (values.max(initial=0) or 1.0) * LEVELS).astype(int)
    paths = []
    for level in range(1, LEVELS + 1):
        runs = "".join(_runs(y, row == level) for y, row in enumerate(levels))
        if runs:
            paths.append((level, runs))
    return HeatMap(label, cells.shape[1], cells.shape[0], paths, x_ticks, y_ticks)


def log_ticks(low: float, high: float, name: Callable[[float], str]) -> list[Tick]:
    """Returns at most nine evenly spaced ticks, at powers of two, for a logarithmic axis."""
    first, last = int(np.ceil(np.log2(low) - 1e-9)), int(np.floor(np.log2(high) + 1e-9))
    step = max(1, -(-(last - first + 1) // 9))
    powers = range(first, last + 1, step)
    span = np.log2(high) - np.log2(low) or 1.0
    return [
        Tick(round(float((p - np.log2(low)) / span * 100), 3), name(2.0**p), minor=i % 2 == 1)
        for i, p in enumerate(powers)
    ]


def spaced(ticks: Sequence[Tick], room: float) -> list[Tick]:
    """Returns ticks that are at least `room` per cent apart, leaving out minor ones first."""
    kept: list[Tick] = []
    for tick in sorted(ticks, key=lambda tick: tick.minor):
        if all(abs(tick.place - other.place) >= room for other in kept):
            kept.append(tick)
    return sorted(kept, key=lambda tick: tick.place)


def _runs(y: int, mask: npt.NDArray[np.bool_]) -> str:
    """Returns an SVG path with a rectangle for each run of cells of a row."""
    edges = np.flatnonzero(np.diff(np.r_[False, mask, False].astype(np.int8)))
    return "".join(
        f"M{start} {y}h{end - start}v1h{start - end}z"
        for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    )
