"""The unit of work: one shard. A task is picklable, and carrying it out twice, even at once, does no harm."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, get_args

from fastinet import _core
from fastinet.conversion.checks import Check
from fastinet.conversion.plan import ShardPlan, local_digest
from fastinet.conversion.sources.base import Sample, Streamed
from fastinet.conversion.workspace import note_name
from fastinet.errors import DecodeError, FastinetError, FormatError
from fastinet.format.manifest import FORMAT_VERSION
from fastinet.format.names import names_of
from fastinet.format.tar_records import NO_ANNOTATION
from fastinet.images.reencode import Reencoding
from fastinet.storage.extent import Extent
from fastinet.storage.files import to_json
from fastinet.storage.store import Store

__all__ = [
    "POLICIES",
    "Cancelled",
    "Policy",
    "ShardResult",
    "ShardTask",
    "WriteSettings",
    "execute",
]

# What to do with a file that cannot be read or is not an image: stop; leave it out and list it in the
# report; store its bytes as they are (where there are any) and list it.
Policy = Literal["fail", "skip", "keep"]
POLICIES = get_args(Policy)

_CHUNK = 64  # records written between two looks at whether to go on


class Cancelled(Exception):  # noqa: N818 - not an error
    """The run was stopped; the shard at hand has been given up."""


@dataclass(frozen=True)
class WriteSettings:
    """How records are written; all that decides a shard's bytes but its plan."""

    on_bad: Policy = "fail"
    entry_points: bool = True
    reencoding: Reencoding = field(default_factory=Reencoding)
    normalise_odd: bool = False
    check: Check = "fast"


@dataclass(frozen=True)
class ShardTask:
    """One shard to write.

    Attributes:
        name: of the shard, without folder and extension.
        plan: its records.
        store: where it goes, in the folder `split`.
        run: what the store knows this run by.
        settings: how.
    """

    name: str
    split: str
    plan: ShardPlan
    store: Store
    run: str
    settings: WriteSettings

    @property
    def files(self) -> tuple[str, str]:
        """Names of tar and sidecar in the store."""
        return f"{self.split}/{self.name}.tar", f"{self.split}/{self.name}.idx"

    @cached_property
    def digest(self) -> str:
        """Equal for two tasks that would write the same bytes from the same files, if none is bad."""
        settings = replace(self.settings, on_bad="fail")
        return local_digest(self.plan, f"format {FORMAT_VERSION} {settings!r}")

    @cached_property
    def held_bytes(self) -> int:
        """Of payloads that are in memory, because their source can only be read from front to back."""
        payloads = (sample.payload for sample in self.plan.samples)
        return sum(len(payload.data) for payload in payloads if isinstance(payload, Streamed))


@dataclass(frozen=True)
class ShardResult:
    """What was written, as the note holds it.

    Attributes:
        digest: the task's.
        plan: the plan's digest.
        summary: of the shard, as the core reports it (records, sizes, checksums, counts by kind of image).
        bad: origin and reason of every record that was left out, or kept although it is no image.
        box_problems: origin and reason of every box that was dropped or clipped.
        names: of the files, as ``names.py`` says.
        on_bad: the policy for bad files.
        values: of the records written, with ``labels_as``; empty where no record has any.
    """

    digest: str
    plan: str
    summary: Mapping[str, Any]
    bad: tuple[tuple[str, str], ...]
    box_problems: tuple[tuple[str, str], ...] = ()
    names: Mapping[str, Any] = field(default_factory=dict)
    on_bad: Policy = "fail"
    values: tuple[Any, ...] = ()

    @property
    def depends_on_policy(self) -> bool:
        """Whether another policy might have written something else: there are bad files or annotations."""
        return bool(self.bad or self.box_problems)

    @classmethod
    def from_note(cls, note: Mapping[str, Any]) -> ShardResult:
        """The inverse of ``note``."""
        bad = tuple((origin, reason) for origin, reason in note["bad"])
        problems = tuple((origin, reason) for origin, reason in note["box_problems"])
        names, values = note["names"], tuple(note["values"])
        return cls(
            note["digest"], note["plan"], note["summary"], bad, problems, names, note["on_bad"], values
        )

    def note(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "digest": self.digest,
            "plan": self.plan,
            "summary": dict(self.summary),
            "bad": [list(entry) for entry in self.bad],
            "box_problems": [list(entry) for entry in self.box_problems],
            "names": dict(self.names),
            "on_bad": self.on_bad,
            "values": list(self.values),
        }


def execute(
    task: ShardTask, advance: Callable[[int, int], None], cancelled: Callable[[], bool]
) -> ShardResult:
    """Writes the shard and its sidecar, and then the note; none appears before it is complete.

    Args:
        task: what to write.
        advance: told after each chunk how many records and bytes have been taken.
        cancelled: asked before each chunk.

    Raises:
        Cancelled: `cancelled` said so.
        FastinetError: a bad file where the policy is "fail", or the disk refused.
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
            writer.abandon()  # nothing once finished
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
        names_of(task.plan.samples),
        settings.on_bad,
        _values(task, bad),
    )
    task.store.write(note_name(task.name), to_json(result.note()))
    return result


def _values(task: ShardTask, bad: Sequence[tuple[Sample, str]]) -> tuple[Any, ...]:
    """Of the samples that were written, in order; nothing where no sample has any."""
    left_out = {sample.key for sample, _ in bad} if task.settings.on_bad == "skip" else set()
    samples = task.plan.samples
    if all(sample.value is None for sample in samples):
        return ()
    return tuple(sample.value for sample in samples if sample.key not in left_out)


def _write(
    writer: _core.ShardBuilder, chunk: tuple[Sample, ...], settings: WriteSettings, annotated: bool
) -> list[tuple[Sample, str]]:
    """Appends the chunk; returns the bad ones, with the reasons.

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
    """The error, with the option that would go on, if it is about a file of the source."""
    payloads = (sample.payload for sample in chunk)
    sources = {payload.path for payload in payloads if isinstance(payload, Extent)}
    if policy == "skip" or not (error.key or error.path in sources or isinstance(error, DecodeError)):
        return error
    remedy = "--on-bad skip (on_bad=) leaves such files out and lists them"
    if policy == "fail" and isinstance(error, DecodeError):
        remedy += ", keep stores them as they are"
    remake, (kind, message, told) = error.__reduce__()
    found: FastinetError = remake(kind, f"{message}. {remedy}; finished shards are not written again", told)
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
    """Of the whole file, if that is what the sample is and a stamp vouches for its size; else -1."""
    whole = isinstance(sample.payload, Extent) and sample.payload.length < 0
    return sample.size if whole and sample.stamp else -1


def _json(sample: Sample, annotated: bool) -> str:
    """Content of the record's ``.json``; "": it gets none."""
    return _annotation(sample) or (NO_ANNOTATION if annotated else "")


def _annotation(sample: Sample) -> str:
    """The source's JSON, or else the boxes as JSON, so that the tar alone suffices to make the sidecar again;
    "" where the sample has neither."""
    own = "" if sample.annotation.strip() == NO_ANNOTATION else sample.annotation
    if own or sample.boxes is None or not sample.boxes.boxes:
        return own
    return sample.boxes.to_json()


def _chunks(samples: tuple[Sample, ...]) -> Iterator[tuple[Sample, ...]]:
    for start in range(0, len(samples), _CHUNK):
        yield samples[start : start + _CHUNK]
