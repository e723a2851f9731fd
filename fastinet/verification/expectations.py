"""Expectations of the caller that a dataset does not meet, as errors."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from fastinet.errors import ExpectationError
from fastinet.verification.report import Comparison, DuplicateGroup, DuplicateReport, SplitContents
from fastinet.verification.wording import abbreviated

__all__ = ["broken_expectations"]

_EXAMPLES = 3


def broken_expectations(
    root: Path, splits: Iterable[SplitContents], exact: DuplicateReport | None, fail_on: Collection[str]
) -> Iterator[ExpectationError]:
    """Yields an error for each difference between a split and the published split that it was expected to be,
    and for images that occur more than once although that is to fail."""
    for split in splits:
        if split.published is not None and split.published.stated:
            yield from _differences(split, split.published)
    if exact is None:
        return
    across = [group for group in exact.listed if len(group.splits) > 1]
    within = [group for group in exact.listed if len(group.splits) == 1]
    if fail_on and exact.overlaps:
        yield _error(
            root,
            f"{exact.overlaps:,} images are in more than one split: {_same(across)}",
            "none",
            str(exact.overlaps),
        )
    count = exact.groups - exact.overlaps
    if "duplicates" in fail_on and count:
        yield _error(
            root, f"{count:,} images occur more than once in a split: {_same(within)}", "none", str(count)
        )


def _differences(split: SplitContents, published: Comparison) -> Iterator[ExpectationError]:
    what = f"{published.title}, {published.split}"
    if published.found != published.expected:
        expected, found = f"{published.expected:,} images", f"{published.found:,}"
        yield _error(split.path, f"{what}: expected {expected} as published, found {found}", expected, found)
    if published.deviating:
        texts = [f"{c.name} has {c.found:,} of {c.expected:,}" for c in published.deviating]
        yield _error(
            split.path,
            f"{what}: {len(texts):,} classes do not have as many images as published: {abbreviated(texts)}",
            "0",
            str(len(texts)),
        )
    for names, how in ((published.missing_names, "are missing"), (published.repeated_names, "are repeated")):
        if names:
            yield _error(
                split.path, f"{what}: {len(names):,} images {how}: {abbreviated(names)}", "0", str(len(names))
            )
    if published.strange_names:
        names, count = published.strange_examples, published.strange_names
        yield _error(
            split.path,
            f"{what}: {count:,} names do not belong to this split: {abbreviated(names, count)}",
            "0",
            str(count),
        )
    if split.contradicting:
        texts = [f"{image.key} labelled {image.class_name}" for image in split.contradicting_examples]
        yield _error(
            split.path,
            f"{what}: {split.contradicting:,} labels contradict the image's name: "
            f"{abbreviated(texts, split.contradicting)}",
            "0",
            str(split.contradicting),
        )


def _error(path: Path, text: str, expected: str, found: str) -> ExpectationError:
    return ExpectationError(f"{path}: {text}", path=str(path), expected=expected, found=found)


def _same(groups: Sequence[DuplicateGroup]) -> str:
    if not groups:
        return "too many to list"
    return " = ".join(f"{image.split}/{image.key}" for image in groups[0].images[:_EXAMPLES])
