"""Proof that a dataset is what was converted: every checksum, and on request every image."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fastinet import _core, manifest
from fastinet.cpus import available_cpus
from fastinet.dataset import find_split, shard_specs
from fastinet.errors import ArgumentError, DecodeError, FastinetError, FormatError, MissingFileError
from fastinet.progress import Meter, meter

__all__ = ["VerifyReport", "verify"]

_CHUNK = 64  # images decoded between two looks at whether to go on


@dataclass(frozen=True)
class VerifyReport:
    """What :func:`verify` found.

    Attributes:
        path: what was verified.
        splits: number of manifests.
        shards, records, payload_bytes: what could be read and was checked.
        decoded: images that were decoded.
        problems: every fault, as the error that reading there would raise; empty: all is well.
        seconds: it took.
    """

    path: Path
    splits: int
    shards: int
    records: int
    payload_bytes: int
    decoded: int
    problems: tuple[FastinetError, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


@dataclass(frozen=True)
class _Job:
    spec: tuple[str, str, int, int, int, int]  # as the core takes a shard
    xxh3: int  # of the tar
    classes: int


@dataclass(frozen=True)
class _Found:
    records: int = 0
    payload_bytes: int = 0
    decoded: int = 0
    problems: tuple[FastinetError, ...] = ()


def verify(
    path: str | os.PathLike[str],
    *,
    decode: bool = False,
    workers: int | None = None,
    progress: bool = False,
) -> VerifyReport:
    """Reads a whole dataset and compares every checksum, in parallel.

    Checked are each manifest, each sidecar (tables, keys, entry points, boxes), each payload, the whole of
    each tar, counts and sizes, and that labels have a class. Nothing stops at the first problem.

    Args:
        path: a split's folder, or a folder of splits: then all of them.
        decode: also decode every image fully, and compare its size with the recorded one.
        workers: shards checked at a time; None: as many as there are CPUs.
        progress: show progress on stderr.

    Raises:
        MissingFileError: there is no dataset at `path`. Everything else is in the report.
    """
    if workers is not None and workers < 1:
        raise ArgumentError(f"workers must be at least 1, not {workers}")
    root = Path(path)
    folders = _splits(root)
    started = time.monotonic()
    problems: list[FastinetError] = []
    contents: list[tuple[Path, manifest.Manifest]] = []
    for folder in folders:
        try:
            contents.append((folder, manifest.read(folder)))
        except FastinetError as error:
            problems.append(error)
    jobs = [
        _Job(spec, shard.xxh3, len(found.classes))
        for folder, found in contents
        for spec, shard in zip(shard_specs(folder, found), found.shards, strict=True)
    ]
    total = sum(found.records for _, found in contents)
    stop = threading.Event()
    with (
        meter("verifying", total, progress) as shown,
        ThreadPoolExecutor(workers or available_cpus(), thread_name_prefix="fastinet-verify") as pool,
    ):
        try:
            results = list(pool.map(lambda job: _shard(job, decode, shown, stop), jobs))
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    problems += [problem for result in results for problem in result.problems]
    return VerifyReport(
        root, len(folders), len(jobs), sum(r.records for r in results), sum(r.payload_bytes for r in results),
        sum(r.decoded for r in results), tuple(problems), time.monotonic() - started,
    )  # fmt: skip


def _splits(root: Path) -> list[Path]:
    try:
        return [find_split(root)]
    except MissingFileError:
        raise
    except ArgumentError:  # several
        return sorted(file.parent for file in root.glob(f"*/{manifest.FILE_NAME}"))


def _shard(job: _Job, decode: bool, shown: Meter, stop: threading.Event) -> _Found:
    if stop.is_set():
        return _Found()
    records, payload_bytes, faults = _core.verify_shard(job.spec, job.xxh3)
    problems = [fault for fault in faults if isinstance(fault, FastinetError)]
    decoded = 0
    if records:
        dataset = _core.ShardedDataset([job.spec])
        problems += _label_problems(dataset, job)
        if decode:
            for problem in _decode(dataset, stop):
                decoded += problem is None
                if problem is not None:
                    problems.append(problem)
    shown.advance(job.spec[2], payload_bytes)
    return _Found(records, payload_bytes, decoded, tuple(problems))


def _label_problems(dataset: _core.ShardedDataset, job: _Job) -> Iterator[FastinetError]:
    labels = dataset.labels(0, len(dataset))
    if not job.classes:
        return
    path = job.spec[1]
    for record in ((labels < -1) | (labels >= job.classes)).nonzero()[0].tolist():
        yield FormatError(
            f"{path}: record {record}: label {labels[record]} has no class among {job.classes}",
            path=path, record=record, expected=f"-1 to {job.classes - 1}", found=str(labels[record]),
        )  # fmt: skip


def _decode(dataset: _core.ShardedDataset, stop: threading.Event) -> Iterator[FastinetError | None]:
    """For each image None, or what is wrong with it."""
    from fastinet.decode import decode

    for number in range(len(dataset)):
        if number % _CHUNK == 0 and stop.is_set():
            return
        try:
            record = dataset.record(number)
            pixels = decode(memoryview(record))  # type: ignore[arg-type, unused-ignore]  # Buffer before 3.12
        except DecodeError as error:
            where = f"{record.shard}: record {number} ({record.key})"
            yield DecodeError(f"{where}: {error}", path=record.shard, record=number, key=record.key)
            continue
        except FastinetError:
            continue  # its checksum is wrong, or the shard is cut short: told already
        expected, found = f"{record.width}x{record.height}", f"{pixels.shape[1]}x{pixels.shape[0]}"
        if record.width and expected != found:
            yield FormatError(
                f"{record.shard}: record {number} ({record.key}): image size differs from the recorded one: "
                f"expected {expected}, found {found}",
                path=record.shard, record=number, key=record.key, expected=expected, found=found,
            )  # fmt: skip
        else:
            yield None
