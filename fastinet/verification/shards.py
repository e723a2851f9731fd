"""The check of one shard: its checksums, its images, and what is learned of its records on the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastinet import _core
from fastinet.decode import decode
from fastinet.errors import DecodeError, FastinetError, FormatError
from fastinet.verification.perceptual import hash_thumbnails, thumbnail
from fastinet.verification.records import Fingerprints
from fastinet.verification.tally import Tally

__all__ = ["ShardResult", "ShardTask", "check_shard"]

_CHUNK = 64  # images decoded between two looks at whether to go on


@dataclass(frozen=True)
class ShardTask:
    """One shard to check.

    Attributes:
        spec: as the core takes a shard.
        xxh3: of the tar.
        number: of its first record among all that are verified; ``first`` in its split.
        classes: of its split.
        tally: where its records are counted; None: it is only compared with, and not checked.
    """

    spec: tuple[str, str, int, int, int, int]
    xxh3: int
    number: int
    first: int
    classes: int
    tally: Tally | None


@dataclass(frozen=True)
class ShardResult:
    """What the check of a shard found."""

    records: int = 0
    payload_bytes: int = 0
    decoded: int = 0
    problems: tuple[FastinetError, ...] = ()


def check_shard(task: ShardTask, decoding: bool, prints: Fingerprints, stop: threading.Event) -> ShardResult:
    """Checks a shard, counts its records in the tally and enters their fingerprints; safe from any thread."""
    if stop.is_set():
        return ShardResult()
    records = payload_bytes = decoded = 0
    problems: list[FastinetError] = []
    if task.tally is not None:
        records, payload_bytes, faults = _core.verify_shard(task.spec, task.xxh3)
        problems += [fault for fault in faults if isinstance(fault, FastinetError)]
        if not records:
            return ShardResult(problems=tuple(problems))
    try:
        dataset = _core.ShardedDataset([task.spec])
        _fingerprint(dataset, task, prints, stop)
        if task.tally is not None:
            labels = dataset.labels(0, len(dataset))
            task.tally.add(task.first, labels, dataset.keys(0, len(dataset)))
            problems += _label_problems(labels, task)
    except FastinetError as error:
        if str(error) not in map(str, problems):  # only compared with, or changed since it was checked
            problems.append(error)
        return ShardResult(records, payload_bytes, 0, tuple(problems))
    if decoding and task.tally is not None:
        for problem in _decode(dataset, stop):
            decoded += problem is None
            if problem is not None:
                problems.append(problem)
    return ShardResult(records, payload_bytes, decoded, tuple(problems))


def _fingerprint(
    dataset: _core.ShardedDataset, task: ShardTask, prints: Fingerprints, stop: threading.Event
) -> None:
    place = slice(task.number, task.number + len(dataset))
    if len(prints.payload):
        prints.payload[place] = dataset.payload_hashes(0, len(dataset))
        prints.has_payload[place] = True
    if not len(prints.perceptual):
        return
    for start in range(0, len(dataset), _CHUNK):
        if stop.is_set():
            return
        numbers, thumbnails = [], []
        for number in range(start, min(start + _CHUNK, len(dataset))):
            try:
                record = dataset.record(number)
                record.check_payload()
                thumbnails.append(thumbnail(memoryview(record)))  # type: ignore[arg-type, unused-ignore]
            except FastinetError:
                continue  # its checksum is wrong, or it is no image: not compared
            numbers.append(task.number + number)
        if numbers:
            hashes, telling = hash_thumbnails(np.stack(thumbnails))
            prints.perceptual[numbers] = hashes
            prints.has_perceptual[numbers] = telling


def _label_problems(labels: npt.NDArray[np.int32], task: ShardTask) -> Iterator[FastinetError]:
    if not task.classes:
        return
    path = task.spec[1]
    for record in ((labels < -1) | (labels >= task.classes)).nonzero()[0].tolist():
        yield FormatError(
            f"{path}: record {record}: label {labels[record]} has no class among {task.classes}",
            path=path, record=record, expected=f"-1 to {task.classes - 1}", found=str(labels[record]),
        )  # fmt: skip


def _decode(dataset: _core.ShardedDataset, stop: threading.Event) -> Iterator[FastinetError | None]:
    """For each image None, or what is wrong with it."""
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
