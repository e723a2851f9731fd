"""The steps of one conversion: prepare the destination, write the shards, finish with the manifest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from fastinet.conversion.describe import Description
from fastinet.conversion.engines.base import Engine
from fastinet.conversion.existing import (
    differences,
    existing_reports,
    other_classes,
    read_manifest,
    require_shards,
)
from fastinet.conversion.label_column import packed
from fastinet.conversion.shard_plan import ShardLimits, ShardPlan, cut, shuffled
from fastinet.conversion.shard_task import ShardTask, WriteSettings
from fastinet.conversion.sources.base import Source
from fastinet.conversion.sources.class_order import text_order_remark
from fastinet.conversion.split_totals import SplitTotals, digest_of_plans
from fastinet.conversion.workspace import Workspace
from fastinet.errors import ArgumentError, FormatError, UnsupportedError
from fastinet.format import manifest, root
from fastinet.format.columns import files_of
from fastinet.format.fields import DEFAULT, Fields
from fastinet.format.finish import with_side_files
from fastinet.format.json_files import to_json
from fastinet.format.layout import (
    REPORT,
    complete_splits,
    is_complete,
    owned_files,
    remove_surplus,
    shard_name,
)
from fastinet.format.names import FILE as NAMES
from fastinet.format.report import ConversionReport, SplitReport
from fastinet.progress import Meter
from fastinet.storage.open import is_url
from fastinet.storage.store import Store
from fastinet.version import __version__

__all__ = ["ConversionJob", "Written"]


class Written(NamedTuple):
    """What a run has written.

    Attributes:
        splits: the report of each split, including shards of earlier runs.
        records: records that this run wrote.
        payload_bytes: size of the images that this run wrote.
    """

    splits: dict[str, SplitReport]
    records: int
    payload_bytes: int


class ConversionJob:
    """One conversion. Call, in this order: `prepare`, `write_shards`, `finish`.

    Attributes:
        path: of the dataset; a str if it is a URL.
        records: in the whole source; None: unknown beforehand.
    """

    def __init__(
        self,
        source: Source,
        store: Store,
        settings: WriteSettings,
        limits: ShardLimits,
        shuffle: int | None,
        fields: Fields,
        description: Description,
    ) -> None:
        self.source = source
        self.store = store
        self.path = store.location if is_url(store.location) else Path(store.location)
        self.settings = settings
        self.limits = limits
        self.shuffle = shuffle
        self.fields = fields
        self.description = description
        self.surveys = {split: source.survey(split) for split in source.splits}
        counts = [survey.records for survey in self.surveys.values()]
        self.records = None if None in counts else sum(n for n in counts if n is not None)
        self._totals: dict[str, SplitTotals] = {}

    def prepare(self, workspace: Workspace, overwrite: bool) -> ConversionReport | None:
        """Prepares the destination. Returns a report if it already contains what this conversion would write.

        Raises:
            ArgumentError: the destination contains another dataset or another interrupted conversion.
        """
        begun = workspace.settings
        wanted = {**self._options(), "src": self.source.location, "splits": list(self.source.splits)}
        if overwrite:
            self._prepare_folders(workspace)
            workspace.discard(owned_files(self.store, self.source.splits, (begun or {}).get("splits", ())))
        else:
            workspace.finish_discarding()
            # The error about a bad file suggests another policy; shards that it would change are redone.
            if begun is not None and {**begun, "on_bad": wanted["on_bad"]} != wanted:
                raise ArgumentError(
                    f"{self.path}: contains an interrupted conversion with other settings "
                    f"({differences(begun, wanted)}); repeat those, choose another place, or overwrite",
                    path=str(self.path),
                )
            if begun is None and any(is_complete(self.store, split) for split in self.source.splits):
                reports = existing_reports(self.store, self.source.splits, self._created_by)
                return ConversionReport(
                    self.path,
                    len(self.source.classes),
                    reports,
                    self.settings.on_bad,
                    already_complete=True,
                )
            self._prepare_folders(workspace)
        workspace.begin(wanted)
        return None

    def write_shards(self, workspace: Workspace, engine: Engine, progress: Meter) -> Written:
        """Writes the shards that earlier runs have not finished."""
        records = size = 0
        reports = {}
        for split in self.source.splits:
            totals = self._totals[split] = SplitTotals(split)
            tasks = self._open_tasks(workspace, split, totals, progress)
            for task, result in engine.run(tasks, progress.advance):
                totals.add(task.plan.number, result)
                records += result.summary["records"]
                size += result.summary["payload_bytes"]
            remove_surplus(self.store, split, len(totals.shards))
            reports[split] = totals.report({**self.surveys[split].notes, **self._class_notes(totals)})
        return Written(reports, records, size)

    def finish(self, workspace: Workspace, report: ConversionReport) -> None:
        """Writes each split's files and then its manifest, then the list of splits. Removes the journal last.

        Raises:
            StateError: another run has taken over the destination, or has replaced shards.
        """
        values = {split: totals.values for split, totals in self._totals.items() if self.fields.labels_as}
        columns = packed(values)
        for split, totals in self._totals.items():
            self.store.check(workspace.run, split)
            require_shards(self.store, split, totals.shards)
            self.store.write(f"{split}/{REPORT}", to_json(report.splits[split].to_json()))
            self.store.write(f"{split}/{NAMES}", to_json(totals.names))
            described, files = with_side_files(self._manifest(split, totals), totals.labels, totals.chunks)
            for name, data in files.items():
                self.store.write(f"{split}/{name}", data)
            if split in columns:
                for name, data in files_of(described, {self.fields.labels_as: columns[split]}).items():
                    self.store.write(f"{split}/{name}", data)
            self.store.write(f"{split}/{manifest.FILE_NAME}", manifest.encode(described))
        self._write_root()
        workspace.close()

    def _write_root(self) -> None:
        """Lists all complete splits, including those of earlier runs. A damaged split is left out."""
        splits = {}
        for split in complete_splits(self.store):
            with contextlib.suppress(FormatError, UnsupportedError):
                splits[split] = root.listed(read_manifest(self.store, split))
        self.store.write(root.FILE_NAME, root.encode(splits))

    def _prepare_folders(self, workspace: Workspace) -> None:
        for split in self.source.splits:
            self.store.prepare(workspace.run, split)

    def _open_tasks(
        self, workspace: Workspace, split: str, totals: SplitTotals, progress: Meter
    ) -> Iterator[ShardTask]:
        """Yields the tasks that no earlier run has finished. Adds the results of the others to `totals`."""
        sizes = self.store.entries(split)
        for plan in self._plans(split):
            name = shard_name(split, plan.number)
            task = ShardTask(name, split, plan, self.store, workspace.run, self.settings)
            result = task.earlier_result(workspace.finished(name), sizes)
            if result is None:
                yield task
            else:
                totals.add(plan.number, result)
                progress.skip(len(plan.samples))

    def _plans(self, split: str) -> Iterator[ShardPlan]:
        samples = self.source.samples(split)
        return cut(samples if self.shuffle is None else shuffled(samples, self.shuffle), self.limits)

    def _class_notes(self, totals: SplitTotals) -> dict[str, Sequence[str]]:
        """Notes on classes without images (unless no image has a label), their order, and other splits."""
        classes, counts = self.source.classes, totals.class_counts
        empty = [c.name for label, c in enumerate(classes) if not counts[label]]
        ordered = getattr(self.source, "class_order", None) is not None
        return {
            "classes without images": empty if len(empty) < len(classes) else [],
            "classes sorted as text": [] if ordered else text_order_remark(classes),
            "splits here with other classes, so other labels": other_classes(
                self.store, self.source.splits, [c.name for c in classes]
            ),
        }

    def _manifest(self, split: str, totals: SplitTotals) -> manifest.Manifest:
        classes = enumerate(self.description.classes)
        return manifest.Manifest(
            split=split,
            classes=tuple(replace(c, count=totals.class_counts[label]) for label, c in classes),
            hierarchy=self.description.hierarchy,
            synsets=self.description.synsets,
            shards=totals.shards,
            record_order="source" if self.shuffle is None else manifest.Permuted(self.shuffle),
            created_by={**self._options(), "plan": totals.plan},
        )

    def _created_by(self, split: str) -> Mapping[str, Any]:
        """Returns what the manifest of a split would say about its making. Reads the whole source."""
        return {**self._options(), "plan": digest_of_plans([plan.digest for plan in self._plans(split)])}

    def _options(self) -> dict[str, Any]:
        """Returns everything except the source that determines the dataset's bytes."""
        order = getattr(self.source, "class_order", None)
        return {
            "fastinet": __version__,
            "source": self.source.kind,
            "shard_size": str(self.limits),
            "shuffle": self.shuffle,
            **self.settings.options(),
            "metadata": self.description.digest,
            **({} if order is None else {"class_order": order}),
            **({} if self.fields == DEFAULT else self.fields.options()),
        }
