"""START HERE: a conversion from its first look at the source to the manifest."""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastinet import __version__
from fastinet.conversion.checks import CHECKS, Check
from fastinet.conversion.describe import Description, describe
from fastinet.conversion.engines.local import Engine, open_engine
from fastinet.conversion.label_column import packed
from fastinet.conversion.plan import ShardLimits, ShardPlan, cut, shuffled
from fastinet.conversion.sources.base import Source
from fastinet.conversion.sources.class_order import InOrder, read_class_order, text_order_remark
from fastinet.conversion.sources.detect import open_source
from fastinet.conversion.sources.with_boxes import WithBoxes
from fastinet.conversion.tally import Tally, digest_of_plans
from fastinet.conversion.task import (
    POLICIES,
    Policy,
    ShardResult,
    ShardTask,
    WriteSettings,
)
from fastinet.conversion.workspace import Workspace
from fastinet.errors import ArgumentError, FormatError, StateError, UnsupportedError
from fastinet.format import manifest, root
from fastinet.format.columns import files_of
from fastinet.format.fields import DEFAULT, Fields
from fastinet.format.finish import with_side_files
from fastinet.format.layout import (
    REPORT,
    complete_splits,
    foreign_entries,
    is_complete,
    owned_files,
    remove_surplus,
    shard_name,
)
from fastinet.format.names import FILE as NAMES
from fastinet.format.report import ConversionReport, SplitReport
from fastinet.imagenet.official_sums import checked_sums
from fastinet.images.reencode import Reencoding
from fastinet.progress import Meter, meter
from fastinet.storage.files import parse_json, to_json
from fastinet.storage.store import Store, is_url, open_store

__all__ = ["convert"]


def convert(
    src: str | os.PathLike[str] | Source,
    dst: str | os.PathLike[str],
    *,
    source: str | None = None,
    split: str | None = None,
    classes: Sequence[str] | str | os.PathLike[str] | None = None,
    class_order: Sequence[str] | str | os.PathLike[str] | None = None,
    workers: int | None = None,
    shard_size: str | ShardLimits | None = None,
    shuffle: int | None = None,
    on_bad: Policy = "fail",
    entry_points: bool = True,
    max_side: int | None = None,
    short_side: int | None = None,
    quality: int | None = None,
    normalise_odd: bool = False,
    check: Check = "fast",
    overwrite: bool = False,
    engine: Engine | str | None = None,
    wordnet: str | os.PathLike[str] | None = None,
    boxes: str | os.PathLike[str] | None = None,
    check_md5: bool = False,
    image_field: str | Sequence[str] | None = None,
    label_field: str | Sequence[str] | None = None,
    labels_as: str | None = None,
    progress: bool = False,
) -> ConversionReport:
    """Converts images into a dataset of record shards.

    The same source and settings give the same bytes, whatever the workers and however often the run was
    interrupted: called again after a crash, it goes on where it stopped. Files that it did not write are
    never changed or removed.

    Args:
        src: folder of images, folder with ImageNet's archives or one of them (or a
            :class:`fastinet.conversion.sources.base.Source`).
        dst: folder for the dataset; new, empty, or holding an interrupted run of this same conversion. Or a
            URL of an object store that fsspec knows, such as ``s3://bucket/imagenet``; two runs at once into
            one such place are not held apart (``remote_store.py``): the earlier one stops with StateError.
        source: layout of `src`; None: recognised by looking.
        split: convert only this split, or, for a source without splits, the name of its only one.
        classes: of the whole ImageNet, only these synsets, labelled in this order: WNIDs, or the path of a
            list with one a line (such as those of ImageNet-21K-P). None: all there are, sorted.
        class_order: the names of all classes in the order of their labels, or the path of a file with one a
            line (what follows a name's first word may be a description). None: the source's order, which for
            folders is that of their names as text, as in torchvision: "10" before "2". For labels that are
            numbers, these are the names. It also settles what is a class where the folders do not show it.
        workers: shards written at a time; None: two for each CPU. Changes only the speed.
        shard_size: "1000" (records) or "256MB" (bytes) a shard; None: at most 1000 records and 256 MB.
        shuffle: seed of a permutation of the records; None: the source's order is kept, so that record i is
            sample i of torchvision's ImageFolder.
        on_bad: for files that cannot be read or are no images: "fail"; "skip" (leave out and list in
            ``dst/report.json``); "keep" (store what bytes there are, and list). An interrupted run may go on
            with another one.
        entry_points: note where in each image decoding can begin, which later makes reading crops of it much
            faster; costs most of the time of a conversion. ``fastinet index`` adds them afterwards.
        max_side: shrink images so that the longer side is at most this many pixels.
        short_side: shrink images so that the shorter side is at most this many pixels.
        quality: encode every image anew at this JPEG quality, 1 to 100. The three options lose information;
            ``fastinet/conversion/reencode.py`` has their arithmetic. Without them the bytes stay as they are.
        normalise_odd: store what is no RGB or gray JPEG (a PNG named .JPEG, a CMYK or YCCK JPEG, ...) as an
            RGB JPEG of quality 100 in 4:4:4, of the pixels that Pillow's ``convert("RGB")`` gives. Off, such
            files stay as they are. The report lists them in any case.
        check: how files are told from images that training can decode; "bad" is what Pillow refuses. "fast":
            each scan is walked to its end, which also makes the entry points, and what is not sound or not
            of a usual kind is decoded to its last row. "full": Pillow decodes every image. "none": a JPEG
            file is taken by its header and its end-of-image marker; damage behind them is found in training.
            The README gives the cost of each.
        overwrite: first remove the dataset or the interrupted conversion that is in `dst`.
        engine: runs the shard tasks: "local", threads of this process (also None); "ray", the Ray cluster
            that is at hand; or an :class:`Engine`, such as ``RayEngine(address)``.
        wordnet: folder with ImageNet's metadata (``words.txt``, ``gloss.txt``, ``wordnet.is_a.txt``,
            ``LOC_synset_mapping.txt``, the devkit): words and hierarchy for the manifest. None: looked for in
            the source's folder and the one above it.
        boxes: folder with PASCAL VOC files of bounding boxes, ``X.xml`` for an image ``X.JPEG``, in folders
            as the images' or all in one.
        check_md5: compare the archives, while they are read, with the MD5 sums that image-net.org publishes;
            where one differs, no dataset is made.
        image_field: of WebDataset tars the field, of a table (CSV, Parquet) the column, of TFRecord files the
            feature with the image (of a CSV, its path). Of several, the first that is there. None: see the
            source.
        label_field: the same for the label.
        labels_as: for sources where the labels are no classes (fractions, several a record, texts): keep what
            stands in their place as an attached column of this name (``Dataset.columns``), int64 or float64,
            lists of these, or texts. Labels are then -1.
        progress: show progress on stderr.

    Raises:
        ArgumentError: an option out of range, no images in `src`, or a `dst` that holds other things.
        MissingFileError: no `src`.
        StateError: another process is converting into `dst`; a cluster is not there, or lost a task again
            and again.
        UnsupportedError: the package for that engine or URL is not installed, or `src` is a URL.
        ChecksumError: an archive is not the published one, and `check_md5` is set.
        DecodeError: a file is not an image, and `on_bad` is "fail".
        ShardIOError: the operating system refused to read or write.
    """
    if on_bad not in POLICIES:
        raise ArgumentError(f"on_bad must be one of {', '.join(POLICIES)}, not {on_bad!r}")
    if check not in CHECKS:
        raise ArgumentError(f"check must be one of {', '.join(CHECKS)}, not {check!r}")
    limits = ShardLimits.parse(shard_size) if isinstance(shard_size, str) else shard_size or ShardLimits()
    settings = WriteSettings(
        on_bad, entry_points, Reencoding(max_side, short_side, quality), normalise_odd, check
    )
    fields = Fields.chosen(image_field, label_field, labels_as)
    if engine is None or isinstance(engine, str):
        engine = open_engine(engine or "local", workers)
    if is_url(src):
        raise UnsupportedError(
            f"{src}: a source is read from a file system; only the destination can be a URL"
        )
    if isinstance(src, (str, os.PathLike)):
        src = open_source(src, source, split, classes, class_order, fields)
    else:
        if fields != DEFAULT:
            raise ArgumentError("image_field, label_field and labels_as are for a path as source")
        if class_order is not None:
            src = InOrder(src, *read_class_order(class_order))
    if boxes is not None:
        src = WithBoxes(src, boxes)
    store = open_store(dst)
    _keep_apart(src.location, store.location)
    _refuse_foreign(store)
    job = _Job(src, store, settings, limits, shuffle, fields, describe(src, wordnet))
    started, cpu_started = time.monotonic(), _cpu_seconds()
    with Workspace(store).claimed() as workspace:
        with checked_sums(_archives(src)) if check_md5 else contextlib.nullcontext():
            done = job.prepare(workspace, overwrite)
            if done:
                return done
            with meter("converting", job.records, progress) as shown:
                splits, fresh_records, fresh_bytes = job.write_shards(workspace, engine, shown)
        report = ConversionReport(
            job.path,
            len(src.classes),
            splits,
            on_bad,
            time.monotonic() - started,
            _cpu_seconds() - cpu_started,
            fresh_records,
            fresh_bytes,
        )
        job.finish(workspace, report)
    return report


def _archives(source: Source) -> Sequence[Path]:
    return getattr(source, "archives", ())


class _Job:
    """The steps of one conversion, in order: prepare, write_shards, finish."""

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
        self._tallies: dict[str, Tally] = {}

    def prepare(self, workspace: Workspace, overwrite: bool) -> ConversionReport | None:
        """Settles what is to become of what is in DST; a report where everything is there already."""
        begun = workspace.settings
        wanted = {**self._options(), "src": self.source.location, "splits": list(self.source.splits)}
        if overwrite:
            self._prepare_folders(workspace)
            workspace.discard(owned_files(self.store, self.source.splits, (begun or {}).get("splits", ())))
        else:
            workspace.finish_discarding()
            # The error of a bad file asks for another policy; shards that this would change are redone.
            if begun is not None and {**begun, "on_bad": wanted["on_bad"]} != wanted:
                raise ArgumentError(
                    f"{self.path}: holds an interrupted conversion with other settings "
                    f"({_differences(begun, wanted)}); repeat those, choose another place, or overwrite",
                    path=str(self.path),
                )
            if begun is None and any(is_complete(self.store, split) for split in self.source.splits):
                return self._already_complete()
            self._prepare_folders(workspace)
        workspace.begin(wanted)
        return None

    def write_shards(
        self, workspace: Workspace, engine: Engine, shown: Meter
    ) -> tuple[dict[str, SplitReport], int, int]:
        """Carries out the plan; what each split now holds, and records and bytes that this run wrote."""
        records = size = 0
        reports = {}
        for split in self.source.splits:
            tally = self._tallies[split] = Tally(split)
            for task, result in engine.run(self._open_tasks(workspace, split, tally, shown), shown.advance):
                tally.add(task.plan.number, result)
                records += result.summary["records"]
                size += result.summary["payload_bytes"]
            remove_surplus(self.store, split, len(tally.shards))
            reports[split] = tally.report({**self.surveys[split].notes, **self._class_notes(tally)})
        return reports, records, size

    def _class_notes(self, tally: Tally) -> dict[str, list[str]]:
        """Classes of which no image was written, unless nothing has a label; numbers sorted as text."""
        classes, counts = self.source.classes, tally.class_counts
        empty = [c.name for label, c in enumerate(classes) if not counts[label]]
        ordered = getattr(self.source, "class_order", None) is not None
        return {
            "classes without images": empty if len(empty) < len(classes) else [],
            "classes sorted as text": [] if ordered else text_order_remark(classes),
            "splits here with other classes, so other labels": self._other_classes(),
        }

    def _other_classes(self) -> list[str]:
        """Of the splits that were converted before, if they have labels; a damaged one says nothing."""
        names = [c.name for c in self.source.classes]
        found = []
        for split in sorted(set(complete_splits(self.store)) - set(self.source.splits)):
            with contextlib.suppress(FormatError, UnsupportedError):
                others = [c.name for c in self._read_manifest(split).classes]
                if names and others and names != others:
                    found.append(split)
        return found

    def finish(self, workspace: Workspace, report: ConversionReport) -> None:
        """Writes each split's files and then its manifest, then the list of splits, and ends the journal."""
        values = {split: tally.values for split, tally in self._tallies.items() if self.fields.labels_as}
        columns = packed(values)
        for split, tally in self._tallies.items():
            self.store.check(workspace.run, split)
            self._require_shards(split, tally)
            self.store.write(f"{split}/{REPORT}", to_json(report.splits[split].to_json()))
            self.store.write(f"{split}/{NAMES}", to_json(tally.names))
            described, files = with_side_files(self._manifest(split, tally), tally.labels, tally.chunks)
            for name, data in files.items():
                self.store.write(f"{split}/{name}", data)
            if split in columns:
                for name, data in files_of(described, {self.fields.labels_as: columns[split]}).items():
                    self.store.write(f"{split}/{name}", data)
            self.store.write(f"{split}/{manifest.FILE_NAME}", manifest.encode(described))
        self._write_root()
        workspace.close()

    def _write_root(self) -> None:
        """Lists all complete splits, also those that were converted before; a damaged one is left out."""
        splits = {}
        for split in complete_splits(self.store):
            with contextlib.suppress(FormatError, UnsupportedError):
                splits[split] = root.listed(self._read_manifest(split))
        self.store.write(root.FILE_NAME, root.encode(splits))

    def _prepare_folders(self, workspace: Workspace) -> None:
        for split in self.source.splits:
            self.store.prepare(workspace.run, split)

    def _require_shards(self, split: str, tally: Tally) -> None:
        """All shards are there as they were written: no other run has put its own in their place."""
        sizes = self.store.entries(split)
        for shard in tally.shards:
            for name, size in ((shard.path, shard.bytes), (shard.index_path, shard.index_bytes)):
                if sizes.get(name) != size:
                    found = f"{sizes[name]} bytes" if name in sizes else "nothing"
                    path = self.store.place(f"{split}/{name}")
                    raise StateError(
                        f"{path}: changed while the conversion ran: expected {size} bytes, found {found}; "
                        "see that no other run writes there, and repeat this one",
                        path=path,
                        expected=f"{size} bytes",
                        found=found,
                    )

    def _manifest(self, split: str, tally: Tally) -> manifest.Manifest:
        classes = enumerate(self.description.classes)
        return manifest.Manifest(
            split=split,
            classes=tuple(replace(c, count=tally.class_counts[label]) for label, c in classes),
            hierarchy=self.description.hierarchy,
            synsets=self.description.synsets,
            shards=tally.shards,
            record_order="source" if self.shuffle is None else manifest.Permuted(self.shuffle),
            created_by={**self._options(), "plan": tally.plan},
        )

    def _options(self) -> dict[str, Any]:
        """What, beside the source, decides the dataset's bytes."""
        recoding = self.settings.reencoding
        order = getattr(self.source, "class_order", None)
        return {
            "fastinet": __version__,
            "source": self.source.kind,
            "shard_size": str(self.limits),
            "shuffle": self.shuffle,
            "on_bad": self.settings.on_bad,
            "check": self.settings.check,
            "entry_points": self.settings.entry_points,
            "max_side": recoding.max_side,
            "short_side": recoding.short_side,
            "quality": recoding.quality,
            "normalise_odd": self.settings.normalise_odd,
            "metadata": self.description.digest,
            **({} if order is None else {"class_order": order}),
            **({} if self.fields == DEFAULT else self.fields.options()),
        }

    def _plans(self, split: str) -> Iterator[ShardPlan]:
        samples = self.source.samples(split)
        return cut(samples if self.shuffle is None else shuffled(samples, self.shuffle), self.limits)

    def _open_tasks(
        self, workspace: Workspace, split: str, tally: Tally, shown: Meter
    ) -> Iterator[ShardTask]:
        """The tasks that an earlier run has not finished; results of those that it has go into `tally`."""
        sizes = self.store.entries(split)
        for plan in self._plans(split):
            name = shard_name(split, plan.number)
            task = ShardTask(name, split, plan, self.store, workspace.run, self.settings)
            done = _still_good(task, workspace.finished(name), sizes)
            if done is None:
                yield task
            else:
                tally.add(plan.number, done)
                shown.skip(len(plan.samples))

    def _already_complete(self) -> ConversionReport:
        """The report of the splits in DST, if they are what this conversion would make."""
        reports = {}
        for split in self.source.splits:
            if not is_complete(self.store, split):
                raise self._in_the_way(f"has no split {split!r} yet; convert that one alone")
            there, report = self._read_manifest(split), self._read_report(split)
            wanted = {**self._options(), "plan": digest_of_plans([p.digest for p in self._plans(split)])}
            if not report.bad and not report.box_problems:  # then the policy for such made no difference
                wanted["on_bad"] = there.created_by.get("on_bad")
            if dict(there.created_by) != wanted:
                raise self._in_the_way(_differences(there.created_by, wanted))
            sizes = self.store.entries(split)
            for shard in there.shards:
                for name, size in ((shard.path, shard.bytes), (shard.index_path, shard.index_bytes)):
                    if sizes.get(name) != size:
                        path = self.store.place(f"{split}/{name}")
                        raise self._in_the_way(f"{path} is missing or of another size")
            reports[split] = report
        return ConversionReport(
            self.path, len(self.source.classes), reports, self.settings.on_bad, already_complete=True
        )

    def _read_manifest(self, split: str) -> manifest.Manifest:
        name = f"{split}/{manifest.FILE_NAME}"
        return manifest.decode(self.store.read(name) or b"", self.store.place(name))

    def _read_report(self, split: str) -> SplitReport:
        path = self.store.place(f"{split}/{REPORT}")
        told = self.store.read(f"{split}/{REPORT}")
        if told is None:
            raise self._in_the_way(f"{path} is missing")
        return SplitReport.from_json(parse_json(told, path), path)

    def _in_the_way(self, why: str) -> ArgumentError:
        return ArgumentError(
            f"{self.path}: holds a dataset that this conversion would not make ({why}); "
            "choose another place, or overwrite",
            path=str(self.path),
        )


def _still_good(
    task: ShardTask, note: Mapping[str, Any] | None, sizes: Mapping[str, int]
) -> ShardResult | None:
    """What the note says, if it is about this very task and the files it tells of are there."""
    if note is None or note.get("digest") != task.digest:
        return None
    try:
        result = ShardResult.from_note(note)
        if result.on_bad != task.settings.on_bad and result.depends_on_policy:
            return None
        tar, index = (sizes.get(file.rpartition("/")[2]) for file in task.files)
        there = tar == result.summary["tar_bytes"] and index == result.summary["index_bytes"]
    except (AttributeError, KeyError, TypeError, ValueError):  # not as we write them: as if it were not there
        return None
    return result if there else None


def _keep_apart(src: str, dst: str) -> None:
    if is_url(src) or is_url(dst):
        source, target = f"{src.rstrip('/')}/", f"{dst}/"
        nested = source.startswith(target) or target.startswith(source)
    else:
        here, there = Path(src).resolve(), Path(dst).resolve()
        if there.exists() and not there.is_dir():
            raise ArgumentError(f"{dst}: the destination is a file, not a folder", path=dst)
        nested = here == there or here in there.parents or there in here.parents
    if nested:
        raise ArgumentError(
            f"{dst}: the destination must lie outside of the source, and the source ({src}) outside of it",
            path=dst,
        )


def _refuse_foreign(store: Store) -> None:
    foreign = foreign_entries(store)
    if foreign:
        raise ArgumentError(
            f"{store.location}: not empty, and not a fastinet dataset (it holds {foreign[0]!r}); "
            "choose an empty or new folder",
            path=store.location,
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
