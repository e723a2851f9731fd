"""Checks one shard: its checksums, and its sidecar against its tar and its images."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fastinet import _core
from fastinet.dataset.dataset import ShardSpec
from fastinet.errors import DecodeError, FastinetError, FormatError
from fastinet.format.chunks import FILE_NAME, ShardChunks
from fastinet.images.decode import decode
from fastinet.images.judge import judge
from fastinet.storage.files import os_errors
from fastinet.verification.members import LabelRule, Sidecar, check_boxes, check_keys, check_members
from fastinet.verification.perceptual import hash_thumbnails, thumbnail
from fastinet.verification.records import Fingerprints
from fastinet.verification.split_counter import SplitCounter

__all__ = ["ShardCheck", "ShardFindings", "check_shard"]

_CHUNK = 64  # images decoded between two checks of whether to stop
_LISTED = 1000  # problems of a shard that are kept; the others are only counted
# One image in _EVERY, and at least _SCANNED of each shard, evenly spread, are scanned to their last bit.
_SCANNED, _EVERY = 16, 64


@dataclass(frozen=True)
class ShardCheck:
    """One shard to check.

    Attributes:
        spec: the shard, as the core takes it.
        xxh3: hash of the tar.
        number: number of its first record among all splits.
        first: number of its first record in its split.
        classes: number of classes of its split.
        rule: where the labels of its split come from.
        counter: counts its records; None if the shard is only compared with, and not checked.
        chunks: hashes of its chunks, as ``chunks.bin`` has them; None if they are not known.
    """

    spec: ShardSpec
    xxh3: int
    number: int
    first: int
    classes: int
    rule: LabelRule
    counter: SplitCounter | None
    chunks: ShardChunks | None = None


@dataclass(frozen=True)
class ShardFindings:
    """The result of the check of a shard, with the first of its problems."""

    records: int = 0
    payload_bytes: int = 0
    decoded: int = 0
    scanned: int = 0
    problems: tuple[FastinetError, ...] = ()
    problem_count: int = 0


@dataclass
class _Problems:
    """The first problems of a shard, and how many there are."""

    listed: list[FastinetError] = field(default_factory=list)
    count: int = 0

    def add(self, problem: FastinetError) -> None:
        self.count += 1
        if len(self.listed) < _LISTED:
            self.listed.append(problem)


def check_shard(
    task: ShardCheck, decoding: bool, prints: Fingerprints, stop: threading.Event
) -> ShardFindings:
    """Checks a shard, adds its records to the counter, and stores their fingerprints. Thread-safe."""
    if stop.is_set():
        return ShardFindings()
    found = _Problems()
    records = payload_bytes = decoded = scanned = 0
    if task.counter is not None:
        records, payload_bytes, faults = _core.verify_shard(task.spec, task.xxh3)
        for fault in faults:
            if isinstance(fault, FastinetError):
                found.add(fault)
        if not found.count and task.chunks is not None:
            for wrong_hash in _chunk_problems(task, task.chunks):
                found.add(wrong_hash)
        if not records:
            return ShardFindings(problems=tuple(found.listed), problem_count=found.count)
    try:
        dataset = _core.ShardedDataset([task.spec])
        _fingerprint(dataset, task, prints, stop)
        if task.counter is not None:
            scanned = _prove(dataset, task, task.counter, prints, decoding, stop, found)
    except FastinetError as error:
        if str(error) not in map(str, found.listed):  # unless its check has reported the same
            found.add(error)
    else:
        if decoding and task.counter is not None:
            for problem in _decode(dataset, stop):
                decoded += problem is None
                if problem is not None:
                    found.add(problem)
    return ShardFindings(records, payload_bytes, decoded, scanned, tuple(found.listed), found.count)


def _chunk_problems(task: ShardCheck, chunks: ShardChunks) -> Iterator[FastinetError]:
    """The first wrong hash of tar and of sidecar, which are themselves sound."""
    for path, hashes in ((task.spec[0], chunks.tar), (task.spec[1], chunks.sidecar)):
        try:
            expected = np.array(_core.chunk_hashes(os.fsencode(path)), np.uint64)
        except FastinetError as error:
            yield error
            continue
        for i in np.flatnonzero(expected != hashes)[:1].tolist():
            right, wrong = f"{expected[i]:016x}", f"{hashes[i]:016x}"
            yield FormatError(
                f"{path}: chunk {i}: hash in {FILE_NAME}: expected {right}, found {wrong}",
                path=path,
                expected=right,
                found=wrong,
            )


def _prove(
    dataset: _core.ShardedDataset,
    task: ShardCheck,
    counter: SplitCounter,
    prints: Fingerprints,
    all_images: bool,
    stop: threading.Event,
    found: _Problems,
) -> int:
    """Checks everything that the sidecar says about its records. Returns how many images were scanned."""
    sidecar = Sidecar.of(dataset, task.spec)
    labels = sidecar.facts["label"]
    check_keys(sidecar, found.add)
    check_boxes(sidecar, task.classes, found.add)
    for problem in _label_problems(labels, task):
        found.add(problem)
    prints.add_keys(task.number, sidecar.keys)
    scanned = 0
    every = 1 if all_images else max(1, min(_EVERY, len(dataset) // _SCANNED))
    for start in range(0, len(dataset), _CHUNK):
        if stop.is_set():
            return scanned
        count = min(_CHUNK, len(dataset) - start)
        wrong, unsettled = _core.check_images(dataset, start, count, every)
        scanned += len(range(-(-start // every) * every, start + count, every))
        for number, what, expected, actual in wrong:
            found.add(sidecar.wrong(number, what, expected, actual))
        for number in unsettled:
            _settle(dataset, sidecar, number, found)
    with_json = 0
    try:
        with os_errors(Path(sidecar.tar)):
            with_json = check_members(sidecar, task.rule, found.add)
    finally:
        counter.add(task.first, labels, sidecar.keys, with_json)
    return scanned


def _settle(dataset: _core.ShardedDataset, sidecar: Sidecar, number: int, found: _Problems) -> None:
    """Checks the recorded size and orientation of an image if only a decoder can find them out."""
    record = dataset.record(number)
    record.check_payload()
    verdict = judge(bytes(memoryview(record)))  # type: ignore[arg-type, unused-ignore]  # Buffer before 3.12
    if isinstance(verdict, str):
        return  # not an image, which --decode reports
    width, height, orientation, _ = verdict
    if (width, height) != (record.width, record.height):
        found.add(sidecar.wrong(number, "image size", f"{width}x{height}", f"{record.width}x{record.height}"))
    if orientation != record.orientation:
        found.add(sidecar.wrong(number, "EXIF orientation", str(orientation), str(record.orientation)))


def _fingerprint(
    dataset: _core.ShardedDataset, task: ShardCheck, prints: Fingerprints, stop: threading.Event
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
                continue  # not compared: its checksum is wrong, or it cannot be decoded
            numbers.append(task.number + number)
        if numbers:
            hashes, telling = hash_thumbnails(np.stack(thumbnails))
            prints.perceptual[numbers] = hashes
            prints.has_perceptual[numbers] = telling


def _label_problems(labels: npt.NDArray[np.int32], task: ShardCheck) -> Iterator[FastinetError]:
    if not task.classes:
        return
    path = task.spec[1]
    for record in ((labels < -1) | (labels >= task.classes)).nonzero()[0].tolist():
        yield FormatError(
            f"{path}: record {record}: label {labels[record]} has no class among {task.classes}",
            path=path,
            record=record,
            expected=f"-1 to {task.classes - 1}",
            found=str(labels[record]),
        )


def _decode(dataset: _core.ShardedDataset, stop: threading.Event) -> Iterator[FastinetError | None]:
    """Decodes each image. Yields its problem, or None."""
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
            continue  # a wrong checksum or a truncated shard, which has been reported
        expected, found = f"{pixels.shape[1]}x{pixels.shape[0]}", f"{record.width}x{record.height}"
        if record.width and expected != found:
            yield FormatError(
                f"{record.shard}: record {number} ({record.key}): recorded size is not the decoded image's: "
                f"expected {expected}, found {found}",
                path=record.shard,
                record=number,
                key=record.key,
                expected=expected,
                found=found,
            )
        else:
            yield None
