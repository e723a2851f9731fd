"""A verification's report on the terminal: bounded, however much was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from fastinet.verification.report import (
    ClassBalance,
    Comparison,
    DuplicateGroup,
    DuplicateReport,
    ImageRef,
    SplitContents,
    VerifyReport,
)

__all__ = ["rendered", "some"]

_LISTED = 5


def rendered(report: VerifyReport) -> RenderableType:
    """A table of the splits, and a line for each remark."""
    counts = [Column(name, justify="right") for name in ("images", "classes", "images a class")]
    table = Table("split", *counts, "published as", show_edge=False)
    for split in report.contents:
        table.add_row(
            Text(split.name), f"{split.records:,}", *_balance(split.balance), _title(split.published)
        )
    lines = [line for split in report.contents for line in _remarks(split)]
    for duplicates in (report.exact, report.perceptual):
        if duplicates is not None:
            lines += _duplicates(duplicates)
    return Group(*([table] if report.contents else []), *(Text(line) for line in lines))


def some(texts: Sequence[str], count: int | None = None, shown: int = _LISTED) -> str:
    """The first of `texts`, and how many more there are (of `count`; None: of these)."""
    more = (len(texts) if count is None else count) - len(texts[:shown])
    return ", ".join(texts[:shown]) + (f", ... and {more:,} more" if more else "")


def _balance(balance: ClassBalance | None) -> tuple[str, str]:
    if balance is None:
        return "no labels", ""
    spread = f"{balance.smallest:,} to {balance.largest:,}, median {balance.median:,g}"
    return f"{balance.classes:,}", spread if balance.smallest != balance.largest else f"{balance.smallest:,}"


def _title(published: Comparison | None) -> str:
    return "" if published is None else f"{published.title}, {published.split}"


def _remarks(split: SplitContents) -> Iterator[str]:
    if split.published is not None:
        yield from (f"{split.name}: {remark}" for remark in _differences(split.published))
    balance = split.balance
    if balance is not None and balance.empty:
        yield f"{split.name}: {len(balance.empty):,} classes without images: {some(balance.empty)}"
    if balance is not None and balance.unlabelled:
        yield f"{split.name}: {balance.unlabelled:,} images without a label"
    if 0 < split.with_json < split.records:
        yield (
            f"{split.name}: {split.with_json:,} of {split.records:,} records have annotations (.json): "
            "Hugging Face datasets reads tars only where all records have the same members"
        )
    if split.contradicting:
        texts = [f"{image.key} labelled {image.class_name}" for image in split.contradicting_examples]
        count = split.contradicting
        yield f"{split.name}: {count:,} labels contradict the image's name: {some(texts, count)}"


def _differences(published: Comparison) -> Iterator[str]:
    part = ""
    if published.classes < published.published_classes:
        part = f" for {published.classes:,} of its {published.published_classes:,} classes"
    difference = f" (missing {published.missing:,})" if published.missing else ""
    if published.surplus:
        difference = f" ({published.surplus:,} more)"
    yield (
        f"{published.title}, {published.split}{part}: expected {published.expected:,} as published, "
        f"found {published.found:,}{difference}"
    )
    if published.deviating:
        texts = [f"{c.name} {c.found:,} of {c.expected:,}" for c in published.deviating]
        yield f"{len(texts):,} classes have not as many images as published: {some(texts)}"
    if published.missing_names:
        yield f"{len(published.missing_names):,} images missing by name: {some(published.missing_names)}"
    if published.repeated_names:
        yield f"{len(published.repeated_names):,} names more than once: {some(published.repeated_names)}"
    if published.strange_names:
        names, count = published.strange_examples, published.strange_names
        yield f"{count:,} names that are not of this split: {some(names, count)}"


def _duplicates(found: DuplicateReport) -> Iterator[str]:
    exact = found.kind == "exact"
    what, join = ("with the same bytes", " = ") if exact else ("that look the same", " ~ ")
    left_out = f", {found.not_compared:,} left out" if found.not_compared else ""
    if not found.groups:
        yield f"no {'' if exact else 'other '}images {what} ({found.compared:,} compared{left_out})"
        return
    yield (
        f"{found.groups:,} groups of images {what}, {found.images:,} images ({found.compared:,} compared"
        f"{left_out}): {found.overlaps:,} across splits, {found.contradictions:,} with different labels"
    )
    for group in found.listed[:_LISTED]:
        yield "  " + _group(group, join)
    if found.groups > _LISTED:
        yield f"  ... and {found.groups - _LISTED:,} more"


def _group(group: DuplicateGroup, join: str) -> str:
    shown, more = group.images[:_LISTED], len(group.images) - _LISTED
    names = join.join(map(_name, shown)) + (f", ... and {more:,} more" if more > 0 else "")
    notes = [f"{group.distance} bits"] if group.distance else []
    if len(group.classes) > 1:
        notes.append(f"labelled {some(group.classes)}")
    return names + (f" ({'; '.join(notes)})" if notes else "")


def _name(image: ImageRef) -> str:
    return f"{image.split}/{image.key}"
