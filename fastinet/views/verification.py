"""A verification's report on the terminal. Its length is bounded, however much was found."""

from __future__ import annotations

from collections.abc import Iterator

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
from fastinet.verification.wording import LISTED, abbreviated

__all__ = ["render"]


def render(report: VerifyReport) -> RenderableType:
    """Returns a table of the splits, and a line for each remark."""
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
        yield f"{split.name}: {len(balance.empty):,} classes without images: {abbreviated(balance.empty)}"
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
        yield f"{split.name}: {count:,} labels contradict the image's name: {abbreviated(texts, count)}"


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
        yield f"{len(texts):,} classes do not have as many images as published: {abbreviated(texts)}"
    for listed, how in (
        (published.missing_names, "images missing by name"),
        (published.repeated_names, "names more than once"),
    ):
        if listed:
            yield f"{len(listed):,} {how}: {abbreviated(listed)}"
    if published.strange_names:
        count = published.strange_names
        names = abbreviated(published.strange_examples, count)
        yield f"{count:,} names that do not belong to this split: {names}"


def _duplicates(report: DuplicateReport) -> Iterator[str]:
    exact = report.kind == "exact"
    what, join = ("with the same bytes", " = ") if exact else ("that look the same", " ~ ")
    left_out = f", {report.not_compared:,} left out" if report.not_compared else ""
    if not report.groups:
        yield f"no {'' if exact else 'other '}images {what} ({report.compared:,} compared{left_out})"
        return
    yield (
        f"{report.groups:,} groups of images {what}, {report.images:,} images ({report.compared:,} compared"
        f"{left_out}): {report.overlaps:,} across splits, {report.contradictions:,} with different labels"
    )
    for group in report.listed[:LISTED]:
        yield "  " + _group(group, join)
    if report.groups > LISTED:
        yield f"  ... and {report.groups - LISTED:,} more"


def _group(group: DuplicateGroup, join: str) -> str:
    listed, more = group.images[:LISTED], len(group.images) - LISTED
    names = join.join(map(_name, listed)) + (f", ... and {more:,} more" if more > 0 else "")
    notes = [f"{group.distance} bits"] if group.distance else []
    if len(group.classes) > 1:
        notes.append(f"labelled {abbreviated(group.classes)}")
    return names + (f" ({'; '.join(notes)})" if notes else "")


def _name(image: ImageRef) -> str:
    return f"{image.split}/{image.key}"
