"""START HERE: a conversion from the first look at the source to the manifest.

Each stage has a file: ``sources/`` describes the images, ``shard_plan.py`` assigns them to shards, an engine
of ``engines/`` runs the shard tasks, ``write_shard.py`` writes one shard, and ``conversion_job.py`` goes
through these stages and ends with the manifest. ``workspace.py`` is the journal that makes a conversion
resumable.
"""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Sequence
from pathlib import Path

from fastinet.conversion.conversion_job import ConversionJob
from fastinet.conversion.describe import describe
from fastinet.conversion.engines.base import Engine
from fastinet.conversion.engines.select import open_engine
from fastinet.conversion.existing import refuse_foreign, refuse_overlap
from fastinet.conversion.shard_plan import ShardLimits
from fastinet.conversion.shard_task import WriteSettings
from fastinet.conversion.sources.base import Source
from fastinet.conversion.sources.class_order import InOrder, read_class_order
from fastinet.conversion.sources.detect import open_source
from fastinet.conversion.sources.with_boxes import WithBoxes
from fastinet.conversion.workspace import Workspace
from fastinet.errors import ArgumentError, UnsupportedError
from fastinet.format.fields import DEFAULT, Fields
from fastinet.format.policies import Check, Policy, refuse_unknown
from fastinet.format.report import ConversionReport
from fastinet.imagenet.official_sums import checked_sums
from fastinet.images.reencode import Reencoding
from fastinet.progress import meter
from fastinet.storage.open import is_url, open_store

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

    The same source and settings give the same bytes, whatever the number of workers and however often the run
    was interrupted: called again after a crash, a conversion resumes where it stopped. Files that fastinet
    did not write are never changed or removed.

    Args:
        src: a folder of images, a folder with ImageNet's archives or one of these archives (or a
            :class:`fastinet.conversion.sources.base.Source`).
        dst: the folder for the dataset. It must be new, empty, or contain an interrupted run of this same
            conversion. It can be a URL of an object store that fsspec knows, such as
            ``s3://bucket/imagenet``. Nothing prevents two runs from writing to one such place at the same
            time; the earlier run stops with StateError (``storage/remote.py``).
        source: layout of `src`; None: recognised from its files.
        split: convert only this split, or, if the source has one split without a name, the name of that
            split.
        classes: for the whole ImageNet, convert only these synsets, labelled in this order: WNIDs, or the
            path of a list with one per line (such as those of ImageNet-21K-P). None: all synsets found,
            sorted.
        class_order: the names of all classes in the order of their labels, or the path of a file with one per
            line (a description may follow the first word). None: the source's order. For folders, this is the
            order of their names as text, as in torchvision: "10" before "2". For labels that are numbers,
            these are the names. The list also decides which folders are classes if the tree is ambiguous.
        workers: number of shards written at the same time; None: two for each CPU. Changes only the speed.
        shard_size: size of a shard: "1000" (records) or "256MB" (bytes); None: at most 1000 records and 256
            MB.
        shuffle: seed of a permutation of the records; None: keep the source's order, so that record i is
            sample i of torchvision's ImageFolder.
        on_bad: what to do with files that cannot be read or are not images: "fail" (abort); "skip" (leave
            them out and list them in ``dst/<split>/report.json``); "keep" (store whatever bytes there are,
            and list them). An interrupted run can be resumed with another policy.
        entry_points: record where decoding can begin within each image, which makes reading crops much
            faster. Takes most of the time of a conversion. ``fastinet index`` can add them later.
        max_side: shrink images so that the longer side has at most this many pixels.
        short_side: shrink images so that the shorter side has at most this many pixels.
        quality: re-encode every image at this JPEG quality, 1 to 100. These three options lose information;
            ``fastinet/images/reencode.py`` documents the arithmetic. Without them the bytes stay unchanged.
        normalise_odd: store files that are not RGB or gray JPEGs (a PNG named .JPEG, a CMYK or YCCK JPEG,
            ...) as RGB JPEGs of quality 100 in 4:4:4, with the pixels of Pillow's ``convert("RGB")``. By
            default, such files stay unchanged. The report lists them in either case.
        check: how to find images that training cannot decode. An image is "bad" if Pillow refuses it. "fast":
            parse each scan to its end, which also yields the entry points, and decode images that are damaged
            or of an unusual kind to their last row. "full": decode every image with Pillow. "none": accept a
            JPEG file by its header and its end-of-image marker; training will find other damage. The README
            gives the cost of each.
        overwrite: first remove the dataset or the interrupted conversion in `dst`.
        engine: what runs the shard tasks: "local" or None, threads of this process; "ray", the Ray cluster
            that is available; or an :class:`Engine`, such as ``RayEngine(address)``.
        wordnet: folder with ImageNet's metadata (``words.txt``, ``gloss.txt``, ``wordnet.is_a.txt``,
            ``LOC_synset_mapping.txt``, the devkit): words and hierarchy for the manifest. None: search the
            source's folder and its parent.
        boxes: folder with PASCAL VOC files of bounding boxes, ``X.xml`` for an image ``X.JPEG``, in the same
            folders as the images or all in one.
        check_md5: while the archives are read, compare them with the MD5 sums that image-net.org publishes.
            If one differs, no dataset is made.
        image_field: name of the field (WebDataset tars), column (CSV, Parquet) or feature (TFRecord files)
            that holds the image, or its path in a CSV file. Of several names, the first that exists is used.
            None: the rule of the source.
        label_field: the same for the label.
        labels_as: for sources whose labels are not classes (fractions, several per record, texts): store them
            as an attached column of this name (``Dataset.columns``) of int64 or float64, lists of these, or
            texts. The labels are then -1.
        progress: show progress on stderr.

    Returns:
        What was converted, split by split.

    Raises:
        ArgumentError: an option is out of range, `src` has no images, or `dst` contains other files.
        MissingFileError: `src` does not exist.
        StateError: another process is converting into `dst`; or the cluster is unavailable, or lost a task
            several times.
        UnsupportedError: the package for that engine or URL is not installed, or `src` is a URL.
        ChecksumError: `check_md5` is set, and an archive is not the published one.
        DecodeError: a file is not an image, and `on_bad` is "fail".
        ShardIOError: the operating system refused to read or write.
    """
    refuse_unknown(on_bad, check)
    limits = ShardLimits.parse(shard_size) if isinstance(shard_size, str) else shard_size or ShardLimits()
    settings = WriteSettings(
        on_bad, entry_points, Reencoding(max_side, short_side, quality), normalise_odd, check
    )
    fields = Fields.chosen(image_field, label_field, labels_as)
    if engine is None or isinstance(engine, str):
        engine = open_engine(engine or "local", workers)
    opened = _open(src, source, split, classes, class_order, fields)
    if boxes is not None:
        opened = WithBoxes(opened, boxes)
    store = open_store(dst)
    refuse_overlap(opened.location, store.location)
    refuse_foreign(store)
    job = ConversionJob(opened, store, settings, limits, shuffle, fields, describe(opened, wordnet))
    started, cpu_started = time.monotonic(), _cpu_seconds()
    with Workspace(store).claimed() as workspace:
        with checked_sums(_archives(opened)) if check_md5 else contextlib.nullcontext():
            finished = job.prepare(workspace, overwrite)
            if finished is not None:
                return finished
            with meter("converting", job.records, progress) as progress_meter:
                written = job.write_shards(workspace, engine, progress_meter)
        report = ConversionReport(
            job.path,
            len(opened.classes),
            written.splits,
            on_bad,
            time.monotonic() - started,
            _cpu_seconds() - cpu_started,
            written.records,
            written.payload_bytes,
        )
        job.finish(workspace, report)
    return report


def _open(
    src: str | os.PathLike[str] | Source,
    kind: str | None,
    split: str | None,
    classes: Sequence[str] | str | os.PathLike[str] | None,
    class_order: Sequence[str] | str | os.PathLike[str] | None,
    fields: Fields,
) -> Source:
    if is_url(src):
        raise UnsupportedError(
            f"{src}: a source is read from a file system; only the destination can be a URL"
        )
    if isinstance(src, (str, os.PathLike)):
        return open_source(src, kind, split, classes, class_order, fields)
    if fields != DEFAULT:
        raise ArgumentError("image_field, label_field and labels_as require a path as the source")
    return src if class_order is None else InOrder(src, *read_class_order(class_order))


def _archives(source: Source) -> Sequence[Path]:
    return getattr(source, "archives", ())


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
