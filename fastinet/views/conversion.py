"""A conversion's report on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fastinet.format.report import EXAMPLES, ConversionReport, SplitReport

__all__ = ["render"]

_MOST_LISTED = 100  # bad files, and examples of a remark


def render(report: ConversionReport) -> RenderableType:
    """Returns a table of the splits, and below it one line for each remark and bad file."""
    table = Table(title=f"{report.path}", title_justify="left", show_edge=False)
    table.add_column("split")
    for column in ("records", "shards", "images MB", "tar MB", "sidecars MB", "bad"):
        table.add_column(column, justify="right")
    for name, split in report.splits.items():
        sizes = (split.payload_bytes, split.tar_bytes, split.index_bytes)
        table.add_row(
            name,
            f"{split.records:,}",
            f"{split.shards:,}",
            *(f"{size / 1e6:,.1f}" for size in sizes),
            f"{len(split.bad):,}",
        )
    # Terminals take UTF-8 only, and file names may hold any bytes.
    text = "\n".join(_lines(report)).encode(errors="backslashreplace").decode()
    return Group(table, Text(text))


def _lines(report: ConversionReport) -> Iterator[str]:
    yield f"{report.classes:,} classes"
    for name, split in report.splits.items():
        yield from _lines_of_split(report, name, split)
    if report.already_complete:
        yield "already complete: nothing was done"
    elif report.fresh_records:
        rate = report.fresh_records / report.seconds
        yield (
            f"{report.fresh_records:,} images in {report.seconds:.1f} s: {rate:,.0f} images/s, "
            f"{report.fresh_bytes / report.seconds / 1e6:,.0f} MB/s, "
            f"{report.cpu_seconds / report.fresh_records * 1000:.2f} CPU-seconds per 1000 images"
        )


def _lines_of_split(report: ConversionReport, name: str, split: SplitReport) -> Iterator[str]:
    share = split.with_entry_points / max(split.records, 1)
    yield f"{name}: {share:.1%} of the images have entry points"
    for kind, count in split.remarks.items():
        yield f"{name}: {count:,} {kind}: {_some(split.examples.get(kind, ()), count)}"
    for kind, texts in split.notes.items():
        yield f"{name}: {kind} ({len(texts):,}): {_some(texts[:EXAMPLES], len(texts))}"
    full_list = f"{report.path}/{name}/report.json"
    if split.box_problems:
        yield f"{name}: {len(split.box_problems):,} flaws of bounding boxes; {full_list} lists them"
    if split.bad:
        treatment = "left out" if report.on_bad == "skip" else "kept as found"
        yield f"{name}: {len(split.bad):,} bad files {treatment}, all listed in {full_list}"
        yield from (f"    {origin}: {reason}" for origin, reason in split.bad[:_MOST_LISTED])
        if len(split.bad) > _MOST_LISTED:
            yield f"    and {len(split.bad) - _MOST_LISTED:,} more"


def _some(names: Sequence[str], count: int) -> str:
    listed = names[:_MOST_LISTED]
    return ", ".join(listed) + (", ..." if len(listed) < count else "")
