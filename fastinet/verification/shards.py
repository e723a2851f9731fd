"""The check of one shard: its checksums, its sidecar against tar and images, and what its records are."""

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
from fastinet.storage.store import os_errors
from fastinet.verification.members import LabelRule, Sidecar, check_boxes, check_keys, check_members
from fastinet.verification.perceptual import hash_thumbnails, thumbnail
from fastinet.verification.records import Fingerprints
from fastinet.verification.tally import Tally

__all__ = ["ShardResult", "ShardTask", "check_shard"]

_CHUNK = 64  # images decoded between two looks at whether to go on
_LISTED = 1000  # problems that are kept of a shard; the others are counted
# Of each shard at least so many images are scanned to their last bit, evenly spread, and one in _EVERY.
_SCANNED, _EVERY = 16, 64


@dataclass(frozen=True)
class ShardTask:
    """One shard to check.

    Attributes:
        spec: as the core takes a shard.
        xxh3: of the tar.
        number: of its first record among all that are verified; ``first`` in its split.
        classes: of its split.
        rule: how its split came by its labels.
        tally: where its records are counted; None: it is only compared with, and not checked.
        chunks: the hashes of its chunks by ``chunks.bin``; None: not known.
    """

    spec: ShardSpec
    xxh3: int
    number: int
    first: int
    classes: int
    rule: LabelRule
    tally: Tally | None
    chunks: ShardChunks | None = None


@dataclass(frozen=True)
class ShardResult:
    """What the check of a shard found; of its problems, the first are listed."""

    records: int = 0
    payload_bytes: int = 0
    decoded: int = 0
    scanned: int = 0
    problems: tuple[FastinetError, ...] = ()
    problem_count: int = 0


@dataclass
class _Problems:
    """The problems of a shard: some of them, and how many."""

    listed: list[FastinetError] = field(default_factory=list)
    count: int = 0

    def add(self, problem: FastinetError) -> None:
        self.count += 1
        if len(self.listed) < _LISTED:
            self.listed.append(problem)


def check_shard(task: ShardTask, decoding: bool, prints: Fingerprints, stop: threading.Event) -> ShardResult:
    """Checks a shard, counts its records in the tally and enters their fingerprints; safe from any thread."""
    if stop.is_set():
        return ShardResult()
    found = _Problems()
    records = payload_bytes = decoded = scanned = 0
    if task.tally is not None:
        records, payload_bytes, faults = _core.verify_shard(task.spec, task.xxh3)
        for fault in faults:
            if isinstance(fault, FastinetError):
                found.add(fault)
        if not found.count and task.chunks is not None:
            for wrong_hash in _chunk_problems(task, task.chunks):
                found.add(wrong_hash)
        if not records:
            return ShardResult(problems=tuple(found.listed), problem_count=found.count)
    try:
        dataset = _core.ShardedDataset([task.spec])
        _fingerprint(dataset, task, prints, stop)
        if task.tally is not None:
            scanned = _prove(dataset, task, task.tally, prints, decoding, stop, found)
    except FastinetError as error:
        if str(error) not in map(str, found.listed):  # only compared with, or changed since it was checked
            found.add(error)
    else:
        if decoding and task.tally is not None:
            for problem in _decode(dataset, stop):
                decoded += problem is None
                if problem is not None:
                    found.add(problem)
    return ShardResult(records, payload_bytes, decoded, scanned, tuple(found.listed), found.count)


def _chunk_problems(task: ShardTask, chunks: ShardChunks) -> Iterator[FastinetError]:
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
    task: ShardTask,
    tally: Tally,
    prints: Fingerprints,
    all_images: bool,
    stop: threading.Event,
    found: _Problems,
) -> int:
    """Everything that the sidecar says of its records. Returns how many images were scanned."""
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
        false, unsettled = _core.check_images(dataset, start, count, every)
        scanned += len(range(-(-start // every) * every, start + count, every))
        for number, what, expected, there in false:
            found.add(sidecar.wrong(number, what, expected, there))
        for number in unsettled:
            _settle(dataset, sidecar, number, found)
    with_json = 0
    try:
        with os_errors(Path(sidecar.tar)):
            with_json = check_members(sidecar, task.rule, found.add)
    finally:
        tally.add(task.first, labels, sidecar.keys, with_json)
    return scanned


def _settle(dataset: _core.ShardedDataset, sidecar: Sidecar, number: int, found: _Problems) -> None:
    """The recorded size and orientation of an image of which only a decoder can tell them."""
    record = dataset.record(number)
    record.check_payload()
    verdict = judge(bytes(memoryview(record)))  # type: ignore[arg-type, unused-ignore]  # Buffer before 3.12
    if isinstance(verdict, str):
        return  # no image: for --decode to say
    width, height, orientation, _ = verdict
    if (width, height) != (record.width, record.height):
        found.add(sidecar.wrong(number, "image size", f"{width}x{height}", f"{record.width}x{record.height}"))
    if orientation != record.orientation:
        found.add(sidecar.wrong(number, "EXIF orientation", str(orientation), str(record.orientation)))


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
            path=path,
            record=record,
            expected=f"-1 to {task.classes - 1}",
            found=str(labels[record]),
        )


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
