"""START HERE: a verification, from the folders to the report."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path
from typing import Literal

from fastinet.cpus import available_cpus
from fastinet.dataset.splits import find_splits
from fastinet.errors import ArgumentError, FastinetError
from fastinet.format import chunks, manifest
from fastinet.format.chunks import ShardChunks
from fastinet.imagenet import published
from fastinet.progress import meter
from fastinet.verification.duplicate_keys import repeated_keys
from fastinet.verification.duplicates import find_exact, find_perceptual
from fastinet.verification.expectations import broken_expectations
from fastinet.verification.hamming import MAX_DISTANCE
from fastinet.verification.members import LabelRule
from fastinet.verification.records import Fingerprints, Records, Split
from fastinet.verification.report import DuplicateReport, VerifyReport
from fastinet.verification.shards import ShardCheck, ShardFindings, check_shard
from fastinet.verification.split_counter import SplitCounter
from fastinet.verification.split_files import root_problems, split_problems

__all__ = ["DEFAULT_DISTANCE", "DUPLICATES", "FAIL_ON", "verify"]

DUPLICATES = ("none", "exact", "perceptual")
FAIL_ON = ("duplicates", "overlap")

# If the bits were random, one in 10**11 pairs of unrelated images would be as near: a dozen pairs among the
# 1.28 million images of ILSVRC-2012. Of copies of 500 ImageNet photographs, this distance finds all that were
# re-encoded, resized or made grey, 98% of those made brighter by a fifth, and 98, 74 and 38% of those cropped
# by 1, 2 and 3% on each side (``benchmarks/near_copies.py``).
DEFAULT_DISTANCE = 6


def verify(
    path: str | os.PathLike[str],
    *,
    decode: bool = False,
    expect: str | None = None,
    duplicates: Literal["none", "exact", "perceptual"] = "exact",
    distance: int | None = None,
    against: str | os.PathLike[str] | None = None,
    fail_on: Collection[Literal["duplicates", "overlap"]] = (),
    workers: int | None = None,
    progress: bool = False,
) -> VerifyReport:
    """Reads a whole dataset in parallel, checks everything that is recorded about it, and describes it.

    It checks

    - the checksums of each manifest, sidecar, payload and tar, and of the attached columns;
    - each sidecar against its tar: offsets, keys, labels (``.cls``) and boxes (``.json``);
    - each sidecar against its images: format, size, orientation. For one image in 64, and at least 16 of each
      shard (with `decode`: for all images), the entry points are compared with a fresh scan, and images whose
      size is not in their header are decoded;
    - the rules of FORMAT.md for keys, boxes, labels and the hierarchy, the counts, ``names.json`` and
      ``report.json``, and that no key is repeated in a split that fastinet wrote.

    A problem does not stop the verification.

    The report contains the balance of the classes, differences from the published counts and names if the
    dataset is a known one, labels that contradict the image's name, and images that occur more than once,
    within a split or across splits. These are remarks and not problems, unless the arguments say otherwise.

    Needs 9 bytes of memory a record for the keys and for each kind of duplicates, and during the search 16
    bytes a record more for exact and about 50 for perceptual duplicates.

    Args:
        path: the folder of a split, or a folder of splits, which are then all verified.
        decode: also decode every image fully, and compare the entry points of every image.
        expect: name of a published dataset (``fastinet.imagenet.published.names()``). Each split must be the
            whole split of this dataset: every difference in counts and names, and every contradicting label,
            is a problem.
        duplicates: "exact" searches images with the same bytes; "perceptual" also images that look the same,
            which decodes every image at a reduced size; "none" does not search.
        distance: how many of the 64 bits of two perceptual hashes may differ, 0 to 16; None stands for 6.
        against: another dataset, of one split or several. It is not verified. Images that occur in both
            datasets count as overlap.
        fail_on: "overlap" makes images with the same bytes in different splits a problem; "duplicates" also
            those within a split. Perceptual duplicates are never a problem.
        workers: number of shards checked at the same time; None: the number of CPUs.
        progress: show progress on stderr.

    Raises:
        MissingFileError: there is no dataset at `path` or `against`. Everything else is in the report.
        ArgumentError: the arguments contradict each other, or `expect` has none of the splits.
    """
    _check_arguments(duplicates, distance, against, fail_on, workers)
    known = None if expect is None else published.find(expect)
    started = time.monotonic()
    root = Path(path)
    folders = find_splits(root)
    problems: list[FastinetError] = []
    problems += root_problems(root)
    splits = list(_read(folders, "", problems))
    counters = [
        SplitCounter(
            s,
            published.recognise(s.manifest) if known is None else known.split(s.manifest.split),
            known is not None,
        )
        for s in splits
    ]
    if known is not None and splits and not any(known.split(s.manifest.split) for s in splits):
        raise ArgumentError(
            f"{root}: {known.title} has {', '.join(known.splits)}, and none of these is here, only "
            f"{', '.join(s.name for s in splits)}",
            path=str(root),
        )
    if against is not None:
        others = find_splits(Path(against))
        _refuse_shared(folders, others)
        splits += _read(others, f"{against}: ", problems, own=False)
    records = Records(splits)
    prints = Fingerprints(len(records), duplicates != "none", duplicates == "perceptual", keys=True)
    tasks = list(_tasks(records, counters))
    results = _check(tasks, decode, prints, workers or available_cpus(), progress)
    problems += [problem for result in results for problem in result.problems]
    unlisted = sum(result.problem_count - len(result.problems) for result in results)
    for split, counter in zip(splits, counters, strict=False):
        for more in (split_problems(split), counter.problems(), repeated_keys(records, prints, split)):
            problems += more

    exact: DuplicateReport | None = None
    perceptual: DuplicateReport | None = None
    if duplicates != "none":
        exact, groups = find_exact(records, prints)
        if duplicates == "perceptual":
            allowed = DEFAULT_DISTANCE if distance is None else distance
            perceptual = find_perceptual(records, prints, allowed, groups)
    contents = tuple(counter.contents() for counter in counters)
    problems += broken_expectations(root, contents, exact, fail_on)
    return VerifyReport(
        root,
        len(folders),
        sum(s.own * len(s.manifest.shards) for s in splits),
        sum(r.records for r in results),
        sum(r.payload_bytes for r in results),
        sum(r.decoded for r in results),
        tuple(problems),
        time.monotonic() - started,
        contents,
        exact,
        perceptual,
        len(problems) + unlisted,
        sum(r.scanned for r in results),
    )


def _check_arguments(
    duplicates: str,
    distance: int | None,
    against: object,
    fail_on: Collection[str],
    workers: int | None,
) -> None:
    if workers is not None and workers < 1:
        raise ArgumentError(f"workers must be at least 1, not {workers}")
    if duplicates not in DUPLICATES:
        raise ArgumentError(f"duplicates must be one of {', '.join(DUPLICATES)}, not {duplicates!r}")
    unknown = sorted(set(fail_on) - set(FAIL_ON))
    if unknown:
        raise ArgumentError(f"fail_on takes {' and '.join(FAIL_ON)}, not {unknown[0]!r}")
    if distance is not None and duplicates != "perceptual":
        raise ArgumentError(f"distance needs duplicates='perceptual', not {duplicates!r}")
    if distance is not None and not 0 <= distance <= MAX_DISTANCE:
        raise ArgumentError(f"distance must be 0 to {MAX_DISTANCE} bits, not {distance}")
    if duplicates == "none" and (fail_on or against is not None):
        what = "against" if against is not None else "fail_on"
        raise ArgumentError(f"{what} needs duplicates='exact' or 'perceptual'")


def _read(
    folders: Sequence[Path], prefix: str, problems: list[FastinetError], own: bool = True
) -> Iterator[Split]:
    for folder in folders:
        try:
            contents = manifest.read(folder)
        except FastinetError as error:
            problems.append(error)
            continue
        name = contents.split if len(folders) == 1 else folder.name
        yield Split(f"{prefix}{name}", folder, contents, own)


def _refuse_shared(folders: Sequence[Path], others: Sequence[Path]) -> None:
    shared = {folder.resolve() for folder in folders} & {folder.resolve() for folder in others}
    if shared:
        raise ArgumentError(f"{min(shared)}: cannot be compared with itself", path=str(min(shared)))


def _tasks(records: Records, counters: Sequence[SplitCounter]) -> Iterator[ShardCheck]:
    """Yields the shards of all splits. Splits that are only compared with have no counter."""
    specs = iter(records.specs)
    number = 0
    for split, counter in zip_longest(records.splits, counters):
        start, rules = number, _label_rules(split.manifest)
        hashes = _chunks(split)
        for shard, rule, row in zip(split.manifest.shards, rules, hashes, strict=True):
            classes = len(split.manifest.classes)
            yield ShardCheck(next(specs), shard.xxh3, number, number - start, classes, rule, counter, row)
            number += shard.records


def _chunks(split: Split) -> Sequence[ShardChunks | None]:
    """The hashes of each shard's chunks; None where they are not known."""
    unknown = [None] * len(split.manifest.shards)
    try:
        return chunks.read(split.folder, split.manifest) or unknown
    except FastinetError:  # reported among the problems of the split's files
        return unknown


def _label_rules(contents: manifest.Manifest) -> Sequence[LabelRule]:
    """The rule of each shard."""
    if not contents.sources:
        return [LabelRule.of(contents, contents.created_by)] * len(contents.shards)
    return [
        rule
        for source in contents.sources
        for rule in [LabelRule.of(contents, source.created_by)] * source.shards
    ]


def _check(
    tasks: Sequence[ShardCheck], decoding: bool, prints: Fingerprints, workers: int, progress: bool
) -> list[ShardFindings]:
    stop = threading.Event()
    total = sum(task.spec[2] for task in tasks)
    with (
        meter("verifying", total, progress) as progress_meter,
        ThreadPoolExecutor(workers, thread_name_prefix="fastinet-verify") as pool,
    ):

        def work(task: ShardCheck) -> ShardFindings:
            result = check_shard(task, decoding, prints, stop)
            progress_meter.advance(task.spec[2], result.payload_bytes)
            return result

        try:
            return list(pool.map(work, tasks))
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
