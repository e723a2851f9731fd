"""Writes one shard: carries out a task. Doing it twice, even at the same time, does no harm."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fastinet import _core
from fastinet.conversion.shard_task import ShardResult, ShardTask, WriteSettings
from fastinet.conversion.sources.base import Sample
from fastinet.conversion.workspace import note_name
from fastinet.errors import DecodeError, FastinetError, FormatError
from fastinet.format.json_files import to_json
from fastinet.format.names import names_of
from fastinet.format.policies import Policy
from fastinet.format.tar_records import NO_ANNOTATION
from fastinet.storage.extent import Extent

__all__ = ["Cancelled", "write_shard"]

_CHUNK = 64  # records written between two checks for cancellation


class Cancelled(Exception):  # noqa: N818 - not an error
    """The run was stopped, and this shard was abandoned."""


def write_shard(
    task: ShardTask, advance: Callable[[int, int], None], cancelled: Callable[[], bool]
) -> ShardResult:
    """Writes the shard and its sidecar, and then its note. No file appears before it is complete.

    Args:
        task: the shard to write.
        advance: called after each chunk with the number of records and bytes that were processed.
        cancelled: called before each chunk; returns whether to stop.

    Raises:
        Cancelled: `cancelled` returned True.
        FastinetError: a file is bad and the policy is "fail", or the operating system refused to write.
    """
    settings = task.settings
    bad: list[tuple[Sample, str]] = []
    annotated = any(_annotation(sample) for sample in task.plan.samples)
    with task.store.staged(task.run, task.files) as (tar, index):
        writer = _core.ShardBuilder(
            tar, index, settings.on_bad, settings.entry_points, settings.normalise_odd, settings.check
        )
        try:
            for chunk in _chunks(task.plan.samples):
                if cancelled():
                    raise Cancelled
                try:
                    bad += _write(writer, chunk, settings, annotated)
                except FastinetError as error:
                    raise _with_remedy(error, chunk, settings.on_bad) from error
                advance(len(chunk), sum(sample.size for sample in chunk))
            summary = writer.finish()
        finally:
            writer.abandon()  # does nothing after finish()
    problems = tuple(
        (sample.origin, problem)
        for sample in task.plan.samples
        if sample.boxes is not None
        for problem in sample.boxes.problems
    )
    result = ShardResult(
        task.digest,
        task.plan.digest,
        summary,
        tuple((sample.origin, reason) for sample, reason in bad),
        problems,
        names_of((sample.key, sample.origin) for sample in task.plan.samples),
        settings.on_bad,
        _values(task, bad),
    )
    task.store.write(note_name(task.name), to_json(result.note()))
    return result


def _values(task: ShardTask, bad: Sequence[tuple[Sample, str]]) -> tuple[Any, ...]:
    """Returns the values of the samples that were written, in order; empty if no sample has one."""
    left_out = {sample.key for sample, _ in bad} if task.settings.on_bad == "skip" else set()
    samples = task.plan.samples
    if all(sample.value is None for sample in samples):
        return ()
    return tuple(sample.value for sample in samples if sample.key not in left_out)


def _write(
    writer: _core.ShardBuilder, chunk: tuple[Sample, ...], settings: WriteSettings, annotated: bool
) -> list[tuple[Sample, str]]:
    """Appends a chunk. Returns the bad samples with the reasons.

    Every record gets a ``.json`` if `annotated`, that is, if any of the shard has annotations: Hugging Face
    ``datasets`` refuses a tar whose records have different members.
    """
    for sample in chunk:
        if sample.boxes is not None and sample.boxes.error and settings.on_bad == "fail":
            raise FormatError(sample.boxes.error, path=sample.origin, key=sample.key)
    if not settings.reencoding and all(isinstance(sample.payload, Extent) for sample in chunk):
        rows = [
            (s.key, *s.payload, _listed_size(s), s.label, _json(s, annotated), s.boxes and s.boxes.row())
            for s in chunk
            if isinstance(s.payload, Extent)
        ]
        return [(chunk[i], reason) for i, reason in writer.add_extents(rows)]
    bad = []
    for sample in chunk:
        reason = _write_one(writer, sample, settings, annotated)
        if reason:
            bad.append((sample, reason))
    return bad


def _with_remedy(error: FastinetError, chunk: tuple[Sample, ...], policy: Policy) -> FastinetError:
    """Returns the error; if it is about a file of the source, with the option that avoids it."""
    payloads = (sample.payload for sample in chunk)
    sources = {payload.path for payload in payloads if isinstance(payload, Extent)}
    if policy == "skip" or not (error.key or error.path in sources or isinstance(error, DecodeError)):
        return error
    remedy = "--on-bad skip (on_bad=) leaves such files out and lists them"
    if policy == "fail" and isinstance(error, DecodeError):
        remedy += ", keep stores them as they are"
    remake, (kind, message, details) = error.__reduce__()
    found: FastinetError = remake(
        kind, f"{message}. {remedy}; finished shards are not written again", details
    )
    return found


def _write_one(writer: _core.ShardBuilder, sample: Sample, settings: WriteSettings, annotated: bool) -> str:
    try:
        data = (
            _core.read_extent(*sample.payload, _listed_size(sample))
            if isinstance(sample.payload, Extent)
            else sample.payload.read()
        )
    except (OSError, FastinetError) as error:
        if settings.on_bad == "skip":
            return str(error)
        raise
    original = data
    if settings.reencoding and data:
        try:
            data = settings.reencoding.apply(original)
        except DecodeError as error:
            reason = _core.examine(data)[1] or str(error)
            if settings.on_bad == "fail":
                raise DecodeError(
                    f"{sample.origin}: bad image: {reason}", path=sample.origin, key=sample.key
                ) from error
            if settings.on_bad == "skip":
                return reason
    boxes = sample.boxes and sample.boxes.row()
    original_xxh3 = None if data is original else _core.xxh3(original)
    return writer.add_bytes(
        sample.key, data, sample.label, _json(sample, annotated), sample.origin, boxes, original_xxh3
    )


def _listed_size(sample: Sample) -> int:
    """Returns the file's size at listing time if the sample is a whole file with a stamp, else -1."""
    whole = isinstance(sample.payload, Extent) and sample.payload.length < 0
    return sample.size if whole and sample.stamp else -1


def _json(sample: Sample, annotated: bool) -> str:
    """Returns the content of the record's ``.json``, or "" if it gets none."""
    return _annotation(sample) or (NO_ANNOTATION if annotated else "")


def _annotation(sample: Sample) -> str:
    """Returns the source's JSON, or else the boxes as JSON, or "": the tar alone suffices for the sidecar."""
    own = "" if sample.annotation.strip() == NO_ANNOTATION else sample.annotation
    if own or sample.boxes is None or not sample.boxes.boxes:
        return own
    return sample.boxes.to_json()


def _chunks(samples: tuple[Sample, ...]) -> Iterator[tuple[Sample, ...]]:
    for start in range(0, len(samples), _CHUNK):
        yield samples[start : start + _CHUNK]
