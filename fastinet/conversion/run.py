"""START HERE: a conversion from its first look at the source to the manifest."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastinet import __version__, _core, manifest
from fastinet.conversion.describe import Description, describe
from fastinet.conversion.detect import open_source
from fastinet.conversion.engine import Engine, LocalEngine
from fastinet.conversion.layout import (
    REPORT,
    foreign_entries,
    is_complete,
    owned_files,
    remove_surplus,
    shard_name,
)
from fastinet.conversion.names import FILE as NAMES
from fastinet.conversion.official_sums import checked_sums
from fastinet.conversion.plan import ShardLimits, ShardPlan, cut, shuffled
from fastinet.conversion.reencode import Reencoding
from fastinet.conversion.report import ConversionReport, SplitReport
from fastinet.conversion.source import Source
from fastinet.conversion.task import POLICIES, Policy, ShardResult, ShardTask, WriteSettings
from fastinet.conversion.with_boxes import WithBoxes
from fastinet.conversion.workspace import Workspace, os_errors, write_json
from fastinet.errors import ArgumentError
from fastinet.progress import Meter, meter

__all__ = ["convert"]


def convert(
    src: str | os.PathLike[str] | Source,
    dst: str | os.PathLike[str],
    *,
    source: str | None = None,
    split: str | None = None,
    classes: Sequence[str] | str | os.PathLike[str] | None = None,
    workers: int | None = None,
    shard_size: str | ShardLimits | None = None,
    shuffle: int | None = None,
    on_bad: Policy = "fail",
    entry_points: bool = True,
    max_side: int | None = None,
    short_side: int | None = None,
    quality: int | None = None,
    overwrite: bool = False,
    engine: Engine | None = None,
    wordnet: str | os.PathLike[str] | None = None,
    boxes: str | os.PathLike[str] | None = None,
    check_md5: bool = False,
    progress: bool = False,
) -> ConversionReport:
    """Converts images into a dataset of record shards.

    The same source and settings give the same bytes, whatever the workers and however often the run was
    interrupted: called again after a crash, it goes on where it stopped. Files that it did not write are
    never changed or removed.

    Args:
        src: folder of images, folder with ImageNet's archives or one of them (or a
            :class:`fastinet.conversion.source.Source`).
        dst: folder for the dataset; new, empty, or holding an interrupted run of this same conversion.
        source: layout of `src`; None: recognised by looking.
        split: convert only this split, or, for a source without splits, the name of its only one.
        classes: of the whole ImageNet, only these synsets, labelled in this order: WNIDs, or the path of a
            list with one a line (such as those of ImageNet-21K-P). None: all there are, sorted.
        workers: shards written at a time; None: two for each CPU. Changes only the speed.
        shard_size: "1000" (records) or "256MB" (bytes) a shard; None: at most 1000 records and 256 MB.
        shuffle: seed of a permutation of the records; None: the source's order is kept, so that record i is
            sample i of torchvision's ImageFolder.
        on_bad: for files that cannot be read or are no images: "fail"; "skip" (leave out and list in
            ``dst/report.json``); "keep" (store what bytes there are, and list).
        entry_points: note where in each image decoding can begin, which later makes reading crops of it much
            faster; costs most of the time of a conversion. ``fastinet index`` adds them afterwards.
        max_side: shrink images so that the longer side is at most this many pixels.
        short_side: shrink images so that the shorter side is at most this many pixels.
        quality: encode every image anew at this JPEG quality, 1 to 100. The three options lose information;
            ``fastinet/conversion/reencode.py`` has their arithmetic. Without them the bytes stay as they are.
        overwrite: first remove the dataset or the interrupted conversion that is in `dst`.
        engine: runs the shard tasks; None: threads of this process.
        wordnet: folder with ImageNet's metadata (``words.txt``, ``gloss.txt``, ``wordnet.is_a.txt``,
            ``LOC_synset_mapping.txt``, the devkit): words and hierarchy for the manifest. None: looked for in
            the source's folder and the one above it.
        boxes: folder with PASCAL VOC files of bounding boxes, ``X.xml`` for an image ``X.JPEG``, in folders
            as the images' or all in one.
        check_md5: compare the archives, while they are read, with the MD5 sums that image-net.org publishes;
            where one differs, no dataset is made.
        progress: show progress on stderr.

    Raises:
        ArgumentError: an option out of range, no images in `src`, or a `dst` that holds other things.
        MissingFileError: no `src`.
        StateError: another process is converting into `dst`.
        ChecksumError: an archive is not the published one, and `check_md5` is set.
        DecodeError: a file is not an image, and `on_bad` is "fail".
        ShardIOError: the operating system refused to read or write.
    """
    if on_bad not in POLICIES:
        raise ArgumentError(f"on_bad must be one of {', '.join(POLICIES)}, not {on_bad!r}")
    limits = ShardLimits.parse(shard_size) if isinstance(shard_size, str) else shard_size or ShardLimits()
    settings = WriteSettings(on_bad, entry_points, Reencoding(max_side, short_side, quality))
    engine = engine or LocalEngine(workers)
    if isinstance(src, (str, os.PathLike)):
        src = open_source(src, source, split, classes)
    if boxes is not None:
        src = WithBoxes(src, boxes)
    dst = Path(os.path.abspath(dst))  # noqa: PTH100 - without following links
    _keep_apart(src.location, dst)
    _refuse_foreign(dst)
    job = _Job(src, dst, settings, limits, shuffle, describe(src, wordnet))
    started, cpu_started = time.monotonic(), _cpu_seconds()
    with warnings.catch_warnings(), Workspace(dst).claimed() as workspace:
        warnings.filterwarnings("ignore", module="PIL")  # of broken EXIF and the like; the report counts them
        done = job.prepare(workspace, overwrite)
        if done:
            return done
        checks = checked_sums(_archives(src)) if check_md5 else contextlib.nullcontext()
        with meter("converting", job.records, progress) as shown, checks:
            splits, fresh_records, fresh_bytes = job.write_shards(workspace, engine, shown)
        report = ConversionReport(
            dst, len(src.classes), splits, on_bad, time.monotonic() - started, _cpu_seconds() - cpu_started,
            fresh_records, fresh_bytes,
        )  # fmt: skip
        job.finish(workspace, report)
    return report


def _archives(source: Source) -> Sequence[Path]:
    return getattr(source, "archives", ())


class _Job:
    """The steps of one conversion, in order: prepare, write_shards, finish."""

    def __init__(
        self,
        source: Source,
        dst: Path,
        settings: WriteSettings,
        limits: ShardLimits,
        shuffle: int | None,
        description: Description,
    ) -> None:
        self.source = source
        self.dst = dst
        self.settings = settings
        self.limits = limits
        self.shuffle = shuffle
        self.description = description
        self.surveys = {split: source.survey(split) for split in source.splits}
        counts = [survey.records for survey in self.surveys.values()]
        self.records = None if None in counts else sum(n for n in counts if n is not None)
        self._results: dict[str, list[ShardResult]] = {}

    def prepare(self, workspace: Workspace, overwrite: bool) -> ConversionReport | None:
        """Settles what is to become of what is in DST; a report where everything is there already."""
        begun = workspace.settings
        wanted = {**self._options(), "src": self.source.location, "splits": list(self.source.splits)}
        if overwrite:
            workspace.discard(owned_files(self.dst, self.source.splits, (begun or {}).get("splits", ())))
        else:
            workspace.finish_discarding()
            if begun is not None and begun != wanted:
                raise ArgumentError(
                    f"{self.dst}: holds an interrupted conversion with other settings "
                    f"({_differences(begun, wanted)}); repeat those, choose another folder, or overwrite",
                    path=str(self.dst),
                )
            if begun is None and any(is_complete(self.dst / split) for split in self.source.splits):
                return self._already_complete()
        workspace.begin(wanted)
        for split in self.source.splits:
            with os_errors(self.dst / split):
                (self.dst / split).mkdir(exist_ok=True)
            _core.remove_stale_temporaries(os.fsencode(self.dst / split))
        return None

    def write_shards(
        self, workspace: Workspace, engine: Engine, shown: Meter
    ) -> tuple[dict[str, SplitReport], int, int]:
        """Carries out the plan; what each split now holds, and records and bytes that this run wrote."""
        records = size = 0
        reports = {}
        for split in self.source.splits:
            results: dict[int, ShardResult] = {}
            tasks = self._open_tasks(workspace, split, results, shown)
            for task, result in engine.run(tasks, shown.advance):
                results[task.plan.number] = result
                records += result.summary["records"]
                size += result.summary["payload_bytes"]
            ordered = [results[number] for number in range(len(results))]
            self._results[split] = ordered
            remove_surplus(self.dst / split, split, len(ordered))
            reports[split] = SplitReport.of(ordered, self.surveys[split].notes)
        return reports, records, size

    def finish(self, workspace: Workspace, report: ConversionReport) -> None:
        """Each split's report and then its manifest, and only then the end of the journal."""
        for split, results in self._results.items():
            folder = self.dst / split
            write_json(folder / REPORT, report.splits[split].to_json())
            write_json(folder / NAMES, [result.names for result in results])
            manifest.write(folder, self._manifest(split, results))
        workspace.close()

    def _manifest(self, split: str, results: Sequence[ShardResult]) -> manifest.Manifest:
        shards = []
        for number, result in enumerate(results):
            name, summary = shard_name(split, number), result.summary
            shards.append(
                manifest.ShardInfo(
                    f"{name}.tar", summary["records"], summary["tar_bytes"], summary["tar_xxh3"],
                    f"{name}.idx", summary["index_bytes"], summary["index_xxh3"],
                )
            )  # fmt: skip
        return manifest.Manifest(
            split=split,
            classes=_counted(self.description.classes, results),
            hierarchy=self.description.hierarchy,
            synsets=self.description.synsets,
            shards=tuple(shards),
            created_by={**self._options(), "plan": _digest([result.plan for result in results])},
        )

    def _options(self) -> dict[str, Any]:
        """What, beside the source, decides the dataset's bytes."""
        recoding = self.settings.reencoding
        return {
            "fastinet": __version__,
            "source": self.source.kind,
            "shard_size": str(self.limits),
            "shuffle": self.shuffle,
            "on_bad": self.settings.on_bad,
            "entry_points": self.settings.entry_points,
            "max_side": recoding.max_side,
            "short_side": recoding.short_side,
            "quality": recoding.quality,
            "metadata": self.description.digest,
        }

    def _plans(self, split: str) -> Iterator[ShardPlan]:
        samples = self.source.samples(split)
        return cut(samples if self.shuffle is None else shuffled(samples, self.shuffle), self.limits)

    def _open_tasks(
        self, workspace: Workspace, split: str, results: dict[int, ShardResult], shown: Meter
    ) -> Iterator[ShardTask]:
        """The tasks that an earlier run has not finished; results of those that it has go into `results`."""
        folder = self.dst / split
        for plan in self._plans(split):
            name = shard_name(split, plan.number)
            tar, index, note = folder / f"{name}.tar", folder / f"{name}.idx", workspace.note_path(name)
            task = ShardTask(split, plan, str(tar), str(index), str(note), self.settings)
            done = _still_good(task, workspace.finished(name))
            if done is None:
                yield task
            else:
                results[plan.number] = done
                shown.skip(len(plan.samples))

    def _already_complete(self) -> ConversionReport:
        """The report of the splits in DST, if they are what this conversion would make."""
        reports = {}
        for split in self.source.splits:
            folder = self.dst / split
            if not is_complete(folder):
                raise self._in_the_way(f"has no split {split!r} yet; convert that one alone")
            there = manifest.read(folder)
            wanted = {**self._options(), "plan": _digest([plan.digest for plan in self._plans(split)])}
            if dict(there.created_by) != wanted:
                raise self._in_the_way(_differences(there.created_by, wanted))
            for shard in there.shards:
                sizes = {folder / shard.path: shard.bytes, folder / shard.index_path: shard.index_bytes}
                for path, size in sizes.items():
                    if not path.exists() or path.stat().st_size != size:
                        raise self._in_the_way(f"{path} is missing or of another size")
            with os_errors(folder / REPORT):
                told = json.loads((folder / REPORT).read_bytes())
            reports[split] = SplitReport.from_json(told)
        return ConversionReport(
            self.dst, len(self.source.classes), reports, self.settings.on_bad, already_complete=True
        )

    def _in_the_way(self, why: str) -> ArgumentError:
        return ArgumentError(
            f"{self.dst}: holds a dataset that this conversion would not make ({why}); "
            "choose another folder, or overwrite",
            path=str(self.dst),
        )


def _still_good(task: ShardTask, note: Mapping[str, Any] | None) -> ShardResult | None:
    """What the note says, if it is about this very task and the files it tells of are there."""
    if note is None or note["digest"] != task.digest:
        return None
    result = ShardResult.from_note(note)
    for path, size in ((task.tar, "tar_bytes"), (task.index, "index_bytes")):
        try:
            if Path(path).stat().st_size != result.summary[size]:
                return None
        except OSError:
            return None
    return result


def _counted(
    classes: Sequence[manifest.ClassInfo], results: Sequence[ShardResult]
) -> tuple[manifest.ClassInfo, ...]:
    counts: Counter[int] = Counter()
    for result in results:
        counts.update(dict(result.summary["labels"]))
    return tuple(replace(c, count=counts[label]) for label, c in enumerate(classes))


def _digest(plans: Sequence[str]) -> str:
    """Of every record of a split in its place, from the digests of its shards' plans."""
    return hashlib.blake2b(" ".join(plans).encode(), digest_size=16).hexdigest()


def _keep_apart(src: str, dst: Path) -> None:
    if dst.exists() and not dst.is_dir():
        raise ArgumentError(f"{dst}: the destination is a file, not a folder", path=str(dst))
    source, target = Path(src).resolve(), dst.resolve()
    if source == target or source in target.parents or target in source.parents:
        raise ArgumentError(
            f"{dst}: the destination must lie outside of the source, and the source ({src}) outside of it",
            path=str(dst),
        )


def _refuse_foreign(dst: Path) -> None:
    foreign = foreign_entries(dst)
    if foreign:
        raise ArgumentError(
            f"{dst}: not empty, and not a fastinet dataset (it holds {foreign[0]!r}); "
            "choose an empty or new folder",
            path=str(dst),
        )


def _differences(begun: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    names = sorted({*begun, *wanted})
    return ", ".join(
        f"{name} {begun.get(name)!r} there, {wanted.get(name)!r} here"
        for name in names
        if begun.get(name) != wanted.get(name)
    )


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
