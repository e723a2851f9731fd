"""Assigns records to shards. The source and the limits determine the plan; the workers do not.

A shard is a run of consecutive samples, limited by size and count. Since the plan depends on nothing else,
any number of workers, in any order, on any machine, writes the same files. Plans are made one at a time while
they are carried out, so they take almost no memory.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fastinet.conversion.sorting import sorted_on_disk
from fastinet.conversion.sources.base import Sample, Streamed
from fastinet.errors import ArgumentError
from fastinet.storage.extent import Extent

__all__ = ["ShardLimits", "ShardPlan", "cut", "local_digest", "shuffled"]

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "KI": 2**10, "MI": 2**20, "GI": 2**30}


@dataclass(frozen=True)
class ShardLimits:
    """A shard ends before the record that would exceed either limit, and contains at least one record.

    The default, 1000 records or 256 MB, gives ImageNet-1k 1282 shards of about 110 MB: enough for hundreds
    of workers and ranks, few enough to list and open, and little to repeat after a crash.
    """

    records: int = 1000
    bytes: int = 256 * 10**6

    @classmethod
    def parse(cls, text: str) -> ShardLimits:
        """Parses "1000" (records) or "256MB", "1GiB" (bytes); the other quantity is then unlimited.

        Raises:
            ArgumentError: `text` is not such a size.
        """
        match = re.fullmatch(r"(\d+)\s*(?:([KMG]I?)?B)?", text.strip().upper())
        if not match or int(match[1]) < 1:
            raise ArgumentError(f"a shard's size is a number of records or bytes: 1000, 256MB; not {text!r}")
        no_limit = 2**62
        if text.strip().isdigit():
            return cls(records=int(match[1]), bytes=no_limit)
        return cls(records=no_limit, bytes=int(match[1]) * _UNITS[match[2] or ""])

    def __str__(self) -> str:
        parts = [f"{self.records} records"] if self.records < 2**62 else []
        parts += [f"{self.bytes} bytes"] if self.bytes < 2**62 else []
        return " or ".join(parts)


@dataclass(frozen=True)
class ShardPlan:
    """One shard of a split.

    Attributes:
        number: of the shard within its split, from 0.
        samples: the records, in order.
        digest: of the samples' keys, labels, sizes, annotations, boxes and values, but not of their places.
    """

    number: int
    samples: tuple[Sample, ...]
    digest: str


def cut(samples: Iterable[Sample], limits: ShardLimits) -> Iterator[ShardPlan]:
    """Yields the shards of `samples`."""
    number, total, collected = 0, 0, list[Sample]()
    for sample in samples:
        if collected and (len(collected) >= limits.records or total + sample.size > limits.bytes):
            yield _plan(number, collected)
            number, total, collected = number + 1, 0, []
        collected.append(sample)
        total += sample.size
    if collected:
        yield _plan(number, collected)


def shuffled(samples: Iterable[Sample], seed: int) -> Iterator[Sample]:
    """Yields the samples in the order of the keyed BLAKE2b hashes of their keys, the same on every machine.

    The samples' descriptions are sorted on disk in ``$TMPDIR``, where they take about 0.5 KB each.

    Raises:
        ArgumentError: the source can only be read from front to back.
        ShardIOError: the disk is full or cannot be written.
    """
    secret = seed.to_bytes(16, "little", signed=True)

    def rank(sample: Sample) -> bytes:
        if isinstance(sample.payload, Streamed):
            raise ArgumentError(
                f"{sample.origin}: can only be read from front to back, so records cannot be shuffled; "
                "decompress the archive first"
            )
        return hashlib.blake2b(sample.key.encode(), key=secret, digest_size=16).digest()

    ranked = ((rank(sample), sample) for sample in samples)
    return (sample for _, sample in sorted_on_disk(ranked))


def local_digest(plan: ShardPlan, settings: str) -> str:
    """Returns a digest of the plan, of where the samples are and when they changed, and of `settings`.

    If two digests are equal, so are the bytes written.
    """
    digest = hashlib.blake2b(f"{plan.digest} {settings}".encode(), digest_size=16)
    for sample in plan.samples:
        place = sample.payload if isinstance(sample.payload, Extent) else ()
        digest.update(repr((*place, sample.origin, sample.stamp)).encode())
    return digest.hexdigest()


def _plan(number: int, samples: list[Sample]) -> ShardPlan:
    digest = hashlib.blake2b(digest_size=16)
    for sample in samples:
        digest.update(
            repr(
                (sample.key, sample.label, sample.size, sample.annotation, sample.boxes, sample.value)
            ).encode()
        )
    return ShardPlan(number, tuple(samples), digest.hexdigest())
