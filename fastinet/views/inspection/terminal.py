"""The report of an inspection on the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fastinet.inspection.distributions import Distribution
from fastinet.inspection.facts import BoxFacts, Inspection, SplitFacts
from fastinet.views.inspection.wording import class_name, made_by, plural, share, size_of

__all__ = ["render"]

# Characters that a terminal would interpret or cannot display: controls, and bytes that are not UTF-8.
_UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_BLOCKS = "▁▂▃▄▅▆▇█"
_LISTED = 5


def render(inspection: Inspection) -> RenderableType:
    """Returns a table for each split, with a label and its text in each row."""
    parts: list[RenderableType] = []
    for split in inspection.splits.values():
        title = Text.assemble((_plain(str(split.path)), "bold"), ("  " + _headline(split), ""))
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for label, lines in _rows(split):
            table.add_row(label, Text(_plain("\n".join(lines))))
        parts += [title, Padding(table, (0, 0, 1, 2))]
    return Group(*parts)


def _headline(split: SplitFacts) -> str:
    counts = [
        plural(split.records, "image"),
        plural(len(split.classes), "class", "classes"),
        plural(split.shards, "shard"),
    ]
    if split.boxes:
        counts.append(plural(split.boxes.boxes, "box", "boxes"))
    return " · ".join([*counts, size_of(split.tar_bytes)])


def _rows(split: SplitFacts) -> Iterable[tuple[str, list[str]]]:
    yield "classes", _classes(split)
    if split.widths.count:
        yield "width", [_line(split.widths, "px")]
        yield "height", [_line(split.heights, "px")]
        yield "shape", [_shape(split)]
        yield "sizes", [_common(split)]
    if split.records:
        yield "file size", [_line(split.payload_bytes, "B")]
        yield "formats", [", ".join(f"{name} {share(n, split.records)}" for name, n in split.formats.items())]
    if split.oddities:
        yield "oddities", [f"{o.count:,} {o.name}{_keys(split, o.examples, o.keys)}" for o in split.oddities]
    if split.boxes:
        yield "boxes", _boxes(split.boxes, split.records)
    if split.bad:
        yield "bad files", [f"{name}: {reason}" for name, reason in _some(split.bad)]
    if split.box_problems:
        yield "bad boxes", [f"{name}: {reason}" for name, reason in _some(split.box_problems)]
    for kind, texts in split.notes.items():
        yield (
            "notes",
            [f"{len(texts):,} {kind}: {', '.join(texts[:_LISTED])}{', ...' * (len(texts) > _LISTED)}"],
        )
    yield "shards", [_shards(split)]
    if split.columns:
        yield "columns", [f"{c.name}: {c.kind} of {c.dtype}, {size_of(c.bytes)}" for c in split.columns]
    yield "made by", ["; ".join(f"{name} {value}" for name, value in made_by(split)) or "not recorded"]


def _classes(split: SplitFacts) -> list[str]:
    counts = split.class_counts
    if not len(counts):
        return ["none"]
    low, high, middle = int(counts.min()), int(counts.max()), float(np.median(counts))
    if low == high:
        return [f"every class has {plural(low, 'image')}"]
    order = split.classes_by_count().tolist()
    lines = [f"{low:,} to {high:,} images each, median {middle:,.0f}"]
    if high == 1:
        return [*lines, f"{int((counts == 0).sum()):,} have none"]
    lines.append(_spark(-np.sort(-counts)))
    for word, labels in (("most", order[:_LISTED]), ("least", order[: -_LISTED - 1 : -1])):
        listed = ", ".join(f"{class_name(split.classes[i])} {counts[i]:,}" for i in labels)
        lines.append(f"{word}: {listed}")
    return lines


def _line(values: Distribution, unit: str) -> str:
    edges = np.geomspace(max(values.minimum, 1), max(values.maximum, 2) + 1, 25)
    low, q1, median, q3, high = (
        size_of(v) if unit == "B" else f"{v:,}" for v in map(values.quantile, (0, 0.25, 0.5, 0.75, 1))
    )
    middle = f"half of them {q1} to {q3}" if q1 != q3 else f"half of them {q1}"
    end = "" if unit == "B" else f" {unit}"
    bars = _spark(values.histogram(edges))
    return f"{low} to {high}{end}, {middle}, median {median}\n{bars}"


def _shape(split: SplitFacts) -> str:
    aspects, known = split.aspects, split.widths.count
    return (
        f"{share(aspects.wide, known)} landscape, {share(aspects.tall, known)} portrait, "
        f"{share(aspects.square, known)} square"
    )


def _common(split: SplitFacts) -> str:
    least = "at least " if split.common_sizes.missed else ""
    return ", ".join(
        f"{s.width} x {s.height} {least}{share(s.count, split.widths.count)}"
        for s in split.common_sizes.most(_LISTED)
    )


def _boxes(boxes: BoxFacts, records: int) -> list[str]:
    flags = ", ".join(f"{n:,} {name}" for name, n in boxes.flags.items() if n)
    return [
        f"{boxes.boxes:,} in {boxes.images:,} images ({share(boxes.images, records)}), "
        f"1 to {boxes.per_image.maximum:,} each, {boxes.per_image.mean:.2f} in the mean",
        f"share of the image that a box covers: 0% {_spark(boxes.areas)} 100%",
        *([flags] if flags else []),
        *([f"{boxes.unlabelled:,} without a class of the dataset"] if boxes.unlabelled else []),
    ]


def _shards(split: SplitFacts) -> str:
    low, high = split.shard_records
    images = f"{low:,} images" if low == high else f"{low:,} to {high:,} images"
    sizes = f"tars {size_of(split.tar_bytes)}, sidecars {size_of(split.index_bytes)}"
    if split.entry_points_bytes:
        sizes += f", of which entry points {size_of(split.entry_points_bytes)}"
    return f"{split.shards:,} of {images}; {sizes}"


def _keys(split: SplitFacts, examples: Sequence[int], keys: Sequence[str]) -> str:
    listed = [split.dataset.keys[i] for i in examples[:3]] or list(keys[:3])
    return f": {', '.join(listed)}" if listed else ""


def _some(entries: Sequence[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    yield from entries[:_LISTED]
    if len(entries) > _LISTED:
        yield "...", f"{len(entries) - _LISTED:,} more in report.json"


def _plain(text: str) -> str:
    return _UNSAFE.sub("\ufffd", text)


def _spark(values: npt.NDArray[np.int64]) -> str:
    """Returns a bar chart in text. A value that is not 0 is never drawn as empty."""
    if len(values) > 40:
        values = values[np.linspace(0, len(values) - 1, 40).astype(int)]
    top = max(int(values.max(initial=0)), 1)
    levels = np.ceil(values / top * len(_BLOCKS)).astype(int)
    return "".join(" " if level == 0 else _BLOCKS[level - 1] for level in levels.tolist())
