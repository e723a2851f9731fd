"""The charts and tables of one split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastinet.inspection.distributions import AspectRatios, Distribution, SizeGrid
from fastinet.inspection.facts import QUANTILES, SplitFacts
from fastinet.views.charts import Chart, HeatMap, Tick, bars, heat_map, log_ticks, spaced
from fastinet.views.inspection.wording import class_name, share, size_of

__all__ = ["Figures", "figures"]

_CLASS_BARS = 160
_NAMED = 5  # classes
_SIZE_BARS = 56
_RATIOS = {"1:3": 1 / 3, "1:2": 1 / 2, "3:4": 3 / 4, "1:1": 1.0, "4:3": 4 / 3, "2:1": 2.0, "3:1": 3.0}
_MINOR_RATIOS = {"3:4", "4:3"}


@dataclass(frozen=True)
class Figures:
    """Charts and tables of a split; None if there is nothing to draw.

    Attributes:
        classes: number of images by class, the largest first.
        most, least: (class, images) of a few classes. No class is in both.
        sizes: heat map of width and height.
        widths, heights: histograms with the bins of `sizes`.
        aspects, file_sizes: histograms.
        table: (name, quantiles) of widths, heights and file sizes.
        coverage, box_counts, box_areas: charts of the boxes.
    """

    classes: Chart | None
    most: Sequence[tuple[str, int]]
    least: Sequence[tuple[str, int]]
    empty_classes: int
    sizes: HeatMap | None
    widths: Chart | None
    heights: Chart | None
    aspects: Chart | None
    file_sizes: Chart | None
    quantiles: Sequence[str]
    table: Sequence[tuple[str, Sequence[str]]]
    coverage: HeatMap | None
    box_counts: Chart | None
    box_areas: Chart | None


def figures(split: SplitFacts) -> Figures:
    """Lays out the charts and tables of a split."""
    measured = split.widths.count > 0
    order = split.classes_by_count()
    low, high = split.class_counts.min(initial=2**62), split.class_counts.max(initial=0)
    ranked = [(class_name(split.classes[i]), int(split.class_counts[i])) for i in order[:_NAMED]]
    last = order[::-1][: min(_NAMED, len(order) - len(ranked))]
    sizes, widths, heights = _sizes(split.size_grid) if measured else (None, None, None)
    return Figures(
        classes=_classes(split) if high > max(low, 1) else None,
        most=ranked,
        least=[(class_name(split.classes[i]), int(split.class_counts[i])) for i in last],
        empty_classes=int((split.class_counts == 0).sum()),
        sizes=sizes,
        widths=widths,
        heights=heights,
        aspects=_aspects(split.aspects) if measured else None,
        file_sizes=_file_sizes(split.payload_bytes) if split.records else None,
        quantiles=("smallest", *QUANTILES, "largest"),
        table=_table(split),
        coverage=_coverage(split),
        box_counts=_box_counts(split),
        box_areas=_box_areas(split),
    )


def _classes(split: SplitFacts) -> Chart:
    """Draws a bar for each class, or for each group of classes that are neighbours in rank."""
    order = split.classes_by_count()
    counts = split.class_counts[order]
    groups = np.array_split(np.arange(len(order)), min(_CLASS_BARS, len(order)))

    def title(i: int) -> str:
        first, last = groups[i][0], groups[i][-1]
        if first == last:
            return f"{class_name(split.classes[order[first]])}: {counts[first]:,}"
        return f"classes {first + 1:,} to {last + 1:,} by size: {counts[first]:,} to {counts[last]:,} images"

    top, middle = int(counts[0]), float(np.median(counts))
    heights = [Tick(0, "0")]
    if middle > 0.1 * top:
        heights.append(Tick(round(middle / top * 100, 2), f"median {middle:,.0f}"))
    if middle < 0.9 * top:
        heights.append(Tick(100, f"{top:,}"))
    return bars(
        [float(counts[group].mean()) for group in groups],
        f"Images of each of {len(order):,} classes, the largest first: {top:,} down to {counts[-1]:,}",
        title,
        [Tick(0, "largest class"), Tick(100, f"smallest of {len(order):,}")],
        heights=heights,
        gap=0.0 if len(groups) > 60 else 0.12,
    )


def _sizes(grid: SizeGrid) -> tuple[HeatMap, Chart, Chart]:
    """Draws both axes over the same octaves, so that square images are on the diagonal."""
    used = np.flatnonzero(grid.counts.any(axis=0) | grid.counts.any(axis=1))
    step = grid.PER_OCTAVE
    low, high = int(used[0]) // step * step, -(-(int(used[-1]) + 1) // step) * step
    cells = grid.counts[low:high, low:high]
    ticks = log_ticks(2 ** (low / step), 2 ** (high / step), lambda v: f"{v:,.0f}")
    ticks = spaced(ticks, 12)

    def title(i: int) -> str:
        first, last = 2 ** ((low + i) / step), 2 ** ((low + i + 1) / step)
        return f"{int(np.ceil(first)):,} to {max(int(np.ceil(last)) - 1, int(np.ceil(first))):,} px"

    def side(axis: int, name: str) -> Chart:
        counts = cells.sum(axis=axis)
        return bars(counts, f"Histogram of {name}s", lambda i: f"{name} {title(i)}: {counts[i]:,}", ticks)

    label = "Images by width (across) and height (upwards), darker where there are more"
    return heat_map(cells[::-1], label, ticks, ticks, logarithmic=True), side(0, "width"), side(1, "height")


def _aspects(aspects: AspectRatios) -> Chart:
    used = np.flatnonzero(aspects.counts)
    middle, step = aspects.OCTAVES * aspects.PER_OCTAVE, aspects.PER_OCTAVE
    reach = min(max(int(np.abs(used - middle).max()) + 1, step), middle)
    counts = aspects.counts[middle - reach : middle + reach + 1]
    total = 2 * reach + 1

    def title(i: int) -> str:
        ratio = 2 ** ((i - reach) / step)
        name = f"{ratio:.2f}:1" if ratio >= 1 else f"1:{1 / ratio:.2f}"
        return f"width to height about {name}: {counts[i]:,}"

    ticks = [
        Tick(round((np.log2(ratio) * step + reach + 0.5) / total * 100, 3), name, name in _MINOR_RATIOS)
        for name, ratio in _RATIOS.items()
        if abs(np.log2(ratio)) * step <= reach
    ]
    return bars(counts, "Histogram of width to height, on a logarithmic scale", title, spaced(ticks, 9))


def _file_sizes(sizes: Distribution) -> Chart:
    low = 2.0 ** np.floor(np.log2(max(sizes.quantile(0.001), 1)))
    high = 2.0 ** np.ceil(np.log2(max(sizes.maximum + 1, low * 2)))
    edges = np.geomspace(low, high, _SIZE_BARS + 1)
    counts = sizes.histogram(edges)
    span = np.log2(high / low)
    marks = [
        Tick(
            round(float(np.log2(max(sizes.quantile(0.5), low) / low) / span * 100), 3),
            f"median {size_of(sizes.quantile(0.5))}",
        )
    ]
    # The axis has powers of ten and their 1-2-5 steps, as sizes have decimal units.
    steps = [m * 10**p for p in range(0, 11) for m in (1, 2, 5)]
    visible = [s for s in steps if low <= s <= high]
    coarse = [s for s in visible if str(s)[0] == "1"] if len(visible) > 7 else visible
    ticks = [Tick(round(float(np.log2(s / low) / span * 100), 3), _round_size(s)) for s in coarse]

    def title(i: int) -> str:
        return f"{size_of(edges[i])} to {size_of(edges[i + 1])}: {counts[i]:,}"

    return bars(counts, "Histogram of file sizes, on a logarithmic scale", title, spaced(ticks, 11), marks)


def _round_size(count: int) -> str:
    return size_of(count).replace(".0 ", " ")


def _table(split: SplitFacts) -> list[tuple[str, list[str]]]:
    def row(values: Distribution, say: Callable[[int], str]) -> list[str]:
        return [say(values.quantile(q)) for q in (0.0, *QUANTILES.values(), 1.0)]

    rows = []
    if split.widths.count:
        rows += [
            ("width, px", row(split.widths, "{:,}".format)),
            ("height, px", row(split.heights, "{:,}".format)),
        ]
    if split.records:
        rows.append(("file size", row(split.payload_bytes, size_of)))
    return rows


def _coverage(split: SplitFacts) -> HeatMap | None:
    if split.boxes is None:
        return None
    label = f"Where in their images boxes lie: darkest where {share_of(split.boxes.coverage)} of them cover"
    return heat_map(split.boxes.coverage, label)


def share_of(coverage: npt.NDArray[np.float64]) -> str:
    """Returns the largest share as a percentage."""
    return f"{coverage.max() * 100:.0f}%"


def _box_counts(split: SplitFacts) -> Chart | None:
    if split.boxes is None:
        return None
    per_image = split.boxes.per_image
    most = min(per_image.maximum, 12)
    counts = per_image.histogram(np.r_[np.arange(1.0, most + 1), np.inf])
    names = [f"{i + 1}" for i in range(most)]
    if per_image.maximum > most:
        names[-1] += "+"
    ticks = [Tick(round((i + 0.5) / most * 100, 3), name) for i, name in enumerate(names)]
    return bars(
        counts,
        "Images by number of boxes",
        lambda i: (
            f"{names[i]} boxes: {counts[i]:,} images ({share(int(counts[i]), split.boxes.images)})"
            if split.boxes
            else ""
        ),
        ticks,
    )


def _box_areas(split: SplitFacts) -> Chart | None:
    if split.boxes is None:
        return None
    areas = split.boxes.areas
    ticks = [Tick(place, f"{place}%") for place in (0, 25, 50, 75, 100)]
    return bars(
        areas,
        "Boxes by the share of the image that they cover",
        lambda i: f"{i * 5} to {i * 5 + 5}%: {areas[i]:,} boxes",
        ticks,
    )
