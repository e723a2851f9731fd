"""The unit of work: one shard to write, and what came of it. Both are picklable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from fastinet.conversion.shard_plan import ShardPlan, local_digest
from fastinet.conversion.sources.base import Streamed
from fastinet.format.manifest import FORMAT_VERSION
from fastinet.format.policies import Check, Policy
from fastinet.images.reencode import Reencoding
from fastinet.storage.store import Store

__all__ = ["ShardResult", "ShardTask", "WriteSettings"]


@dataclass(frozen=True)
class WriteSettings:
    """How records are written. Together with a shard's plan, this determines the shard's bytes."""

    on_bad: Policy = "fail"
    entry_points: bool = True
    reencoding: Reencoding = field(default_factory=Reencoding)
    normalise_odd: bool = False
    check: Check = "fast"

    def options(self) -> dict[str, Any]:
        """Returns the settings as a manifest records them."""
        return {
            "on_bad": self.on_bad,
            "check": self.check,
            "entry_points": self.entry_points,
            "max_side": self.reencoding.max_side,
            "short_side": self.reencoding.short_side,
            "quality": self.reencoding.quality,
            "normalise_odd": self.normalise_odd,
        }


@dataclass(frozen=True)
class ShardTask:
    """One shard to write.

    Attributes:
        name: of the shard, without folder and extension.
        split: the folder of the store in which the shard is written.
        plan: the records of the shard.
        store: the destination.
        run: identifies this run to the store.
        settings: how the records are written.
    """

    name: str
    split: str
    plan: ShardPlan
    store: Store
    run: str
    settings: WriteSettings

    @property
    def files(self) -> tuple[str, str]:
        """Names of the tar and its sidecar in the store."""
        return f"{self.split}/{self.name}.tar", f"{self.split}/{self.name}.idx"

    @cached_property
    def digest(self) -> str:
        """Equal for two tasks that would write the same bytes from the same files, if no file is bad."""
        settings = replace(self.settings, on_bad="fail")
        return local_digest(self.plan, f"format {FORMAT_VERSION} {settings!r}")

    @cached_property
    def payload_bytes_in_memory(self) -> int:
        """Size of the payloads that are in memory, as their source can only be read front to back."""
        payloads = (sample.payload for sample in self.plan.samples)
        return sum(len(payload.data) for payload in payloads if isinstance(payload, Streamed))

    def earlier_result(self, note: Mapping[str, Any] | None, sizes: Mapping[str, int]) -> ShardResult | None:
        """Returns the result of an earlier run, if it is still valid for this task.

        Args:
            note: what the earlier run noted about the shard; None: nothing.
            sizes: of the files in the split's folder, by name.
        """
        if note is None or note.get("digest") != self.digest:
            return None
        try:
            result = ShardResult.from_note(note)
            if result.on_bad != self.settings.on_bad and result.depends_on_policy:
                return None
            tar, index = (sizes.get(file.rpartition("/")[2]) for file in self.files)
            complete = tar == result.summary["tar_bytes"] and index == result.summary["index_bytes"]
        except (AttributeError, KeyError, TypeError, ValueError):  # fastinet did not write this note
            return None
        return result if complete else None


@dataclass(frozen=True)
class ShardResult:
    """What was written, as the shard's note in the journal stores it.

    Attributes:
        digest: the task's digest.
        plan: the plan's digest.
        summary: what the core reports about the shard: records, sizes, checksums, images by kind.
        bad: origin and reason of every record that was left out, or stored although it is not an image.
        box_problems: origin and reason of every box that was dropped or clipped.
        names: of the source's files, as ``format/names.py`` describes them.
        on_bad: the policy for bad files.
        values: with ``labels_as``, those of the records written; empty if no record has one.
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
        """Whether another policy could have written something else: there are bad files or annotations."""
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
        """Returns the result as JSON values."""
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
