"""Existing WebDataset tars, made usable where they are: sidecars and a manifest are written, tars only read.

``conversion/tar_records.py`` says which members are a record.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastinet import __version__, _core
from fastinet.conversion.checks import CHECKS, Check
from fastinet.conversion.label_column import packed
from fastinet.errors import ArgumentError, DecodeError, FormatError, MissingFileError, UnsupportedError
from fastinet.format import columns, manifest, root
from fastinet.format.chunks import ShardChunks
from fastinet.format.fields import Fields
from fastinet.format.finish import with_side_files
from fastinet.format.manifest import ClassInfo, Manifest, ShardInfo, default_index, refuse_repeated
from fastinet.format.tar_records import bad_record, boxes_of, label_of, label_value, records_of, tar_order
from fastinet.storage.files import is_there, open_regular

__all__ = ["IndexReport", "index"]

POLICIES = ("fail", "skip", "keep")
_MAGIC = b"\x89FIDX\r\n\x1a"


@dataclass
class IndexReport:
    """What an indexing found.

    Attributes:
        path: folder of the manifest.
        records: images indexed.
        shards: tars indexed.
        unlabelled: records without a label; theirs is -1.
        left_out: (tar, key, reason) of each record that was not taken.
        undecodable: (tar, key, reason) of records kept although their image cannot be read.
        ignored: number of further members, by field ("": of members without one), or by what they are.
    """

    path: Path
    records: int = 0
    shards: int = 0
    unlabelled: int = 0
    left_out: list[tuple[str, str, str]] = field(default_factory=list)
    undecodable: list[tuple[str, str, str]] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)


def index(
    src: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    dst: str | os.PathLike[str] | None = None,
    *,
    split: str = "train",
    classes: Sequence[str | ClassInfo] | None = None,
    on_bad: str = "fail",
    image_field: str | Sequence[str] | None = None,
    label_field: str | Sequence[str] | None = None,
    labels_as: str | None = None,
    check: Check = "fast",
    workers: int | None = None,
    advance: Callable[[int], None] | None = None,
) -> IndexReport:
    """Writes a sidecar for each tar, and then the manifest.

    Members are records as in WebDataset: the first ``.`` in the last component of a name ends the key, the
    rest is the field; members in a row with one key are a record. Its image is the field that is an image's
    extension. Its label comes from ``.cls`` (a number, or the name of one of `classes`), else from ``.json``
    (a number, or an object with ``label`` or ``cls``); a record without either has -1. What operating systems
    leave in tars (``._x.jpg``) is passed over. Keys lead out of no folder: ``./a``, ``/a`` and ``../a`` are
    all the key ``a``.

    Args:
        src: a folder whose ``*.tar`` are meant, in the order of their names, or tars in the order wanted.
        dst: folder for the manifest and the sidecars, for tars that lie where nothing can be written; it then
            names them by absolute path, or relative if they lie below it. None: the folder of the tars.
        split: name of the split.
        classes: by label. None: as many as there are labels, named by their numbers.
        on_bad: for images that cannot be read, and for members that are no record (without an image or with
            several, with a field twice, with a link for a member, with the key of an earlier one): "fail";
            "skip" leaves them out; "keep" takes images that cannot be read, and leaves out what is no record.
        image_field: the field that is the image (``input.jpg``); of several, the first that a record has.
        label_field: the same for the label; a field whose name ends in ``json`` is read as such.
        labels_as: keep what stands in the label's place (fractions, lists, texts) as an attached column of
            this name, as :meth:`fastinet.Dataset.attach` does; labels are then -1.
        check: how readable images are told from others: "fast", "full" or "none", as for
            :func:`fastinet.convert`.
        workers: threads; None: one a processor.
        advance: called from any thread with the number of records of each tar that is done.

    Raises:
        MissingFileError: no tars.
        ArgumentError: an option out of range, or a file is in the way that fastinet did not write.
        FormatError, TruncatedError: a tar is damaged; members are no record and `on_bad` is "fail"; what
            stands in a label's place is no label; no record is left.
        UnsupportedError: a compressed tar.
        DecodeError: not an image, and `on_bad` is "fail".
    """
    if on_bad not in POLICIES:
        raise ArgumentError(f"on_bad must be one of {', '.join(POLICIES)}, not {on_bad!r}")
    if check not in CHECKS:
        raise ArgumentError(f"check must be one of {', '.join(CHECKS)}, not {check!r}")
    fields = Fields.chosen(image_field, label_field, labels_as)
    tars = _find_tars(src)
    folder = tars[0].parent if dst is None else _absolute(Path(dst))
    if dst is None and any(tar.parent != folder for tar in tars):
        raise ArgumentError("tars of several folders: name a folder for the manifest and sidecars (dst)")
    known = None if classes is None else [c if isinstance(c, ClassInfo) else ClassInfo(c) for c in classes]
    refuse_repeated(c.name for c in known or ())
    labels = None if known is None else {c.name: i for i, c in enumerate(known)}
    targets = [folder / default_index(tar.name) for tar in tars]
    _refuse_strangers(folder, targets)
    folder.mkdir(parents=True, exist_ok=True)

    def work(job: tuple[Path, Path]) -> _Indexed:
        done = _index_tar(*job, labels, on_bad, check, fields)
        if advance is not None:
            advance(done.summary["records"])
        return done

    report = IndexReport(folder)
    shards, chunks, values = [], list[ShardChunks](), list[Any]()
    labels_of: list[int] = []
    highest = -1
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        try:
            jobs = list(zip(tars, targets, strict=True))
            for (tar, target), done in zip(jobs, pool.map(work, jobs), strict=True):
                shards.append(_shard_info(folder, tar, target, done.summary))
                highest = max(highest, done.highest)
                chunks.append(ShardChunks.of(done.summary["tar_chunks"], done.summary["index_chunks"]))
                labels_of += done.labels
                values += done.values
                _add(report, str(tar), done)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if not report.records:
        why = "".join(f"; {key}: {reason}" for _, key, reason in report.left_out[:1])
        raise FormatError(f"{folder}: no record with an image in {len(tars)} tars{why}", path=str(folder))
    if known is None:
        known = [ClassInfo(str(i)) for i in range(highest + 1)]
    elif highest >= len(known):
        raise ArgumentError(f"label {highest} has no class: classes has {len(known)} entries")
    options = {"on_bad": on_bad, "check": check, **fields.options()}
    created_by = {"fastinet": __version__, "source": "webdataset", "options": options}
    described, files = with_side_files(
        Manifest(split, tuple(known), tuple(shards), created_by=created_by),
        np.array(labels_of, np.int32),
        chunks,
    )
    for name, data in files.items():
        _core.write_file(os.fsencode(folder / name), data)
    if labels_as is not None:
        columns.attach(folder, described, labels_as, *packed({split: values})[split], replace=True)
    manifest.write(folder, described)
    root.refresh(folder, manifest.read(folder))
    return report


class _Indexed(NamedTuple):
    summary: _core.ShardSummary
    highest: int
    unlabelled: int
    left_out: list[tuple[str, str]]
    undecodable: list[tuple[str, str]]
    ignored: Counter[str]
    values: list[Any]
    labels: list[int]


def _index_tar(
    tar: Path, target: Path, labels: Mapping[str, int] | None, on_bad: str, check: Check, chosen: Fields
) -> _Indexed:
    with tar.open("rb") as file:
        if file.read(2) == b"\x1f\x8b":
            raise UnsupportedError(
                f"{tar}: compressed with gzip; decompress it first, or convert it", path=str(tar)
            )
    writer = _core.IndexWriter(os.fsencode(tar))
    left_out: list[tuple[str, str]] = []
    undecodable: list[tuple[str, str]] = []
    ignored: Counter[str] = Counter()
    values: list[Any] = []
    record_labels: list[int] = []
    taken: set[str] = set()
    highest, unlabelled = -1, 0
    for record in records_of(tar_order(*writer.scan()), ignored, chosen):
        key = record.key
        if key in taken and not record.problem:
            record = replace(record, image=None, problem="an earlier record has the same key")
        if record.image is None:
            if on_bad == "fail":
                raise bad_record(str(tar), record, "; --on-bad skip (on_bad=) leaves it out")
            left_out.append((key, record.problem))
            continue
        facts, problem = _core.examine(writer.read(*record.image), check)
        if problem and on_bad == "fail":
            raise DecodeError(
                f"{tar}: record {key}: {problem}; --on-bad skip (on_bad=) leaves it out",
                path=str(tar),
                key=key,
            )
        if problem and on_bad == "skip":
            left_out.append((key, problem))
            continue
        if problem:
            undecodable.append((key, problem))
        fields = {field: writer.read(*place) for field, place in record.fields.items()}
        label = label_of(fields, labels, str(tar), key, chosen)
        highest, told = max(highest, label), label >= 0
        if chosen.labels_as:
            values.append(label_value(fields, str(tar), key, chosen)[0])
            told = values[-1] is not None
        unlabelled += not told
        boxes = boxes_of(fields.get("json"), str(tar), key)
        if boxes is not None:
            highest = max([highest, *(box_label for box_label, *_ in boxes[2])])
        record_labels.append(label)
        writer.add(key, *record.image, label, boxes=boxes, **facts)
        taken.add(key)
    summary = writer.finish(os.fsencode(target))
    return _Indexed(summary, highest, unlabelled, left_out, undecodable, ignored, values, record_labels)


def _find_tars(src: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[Path]:
    if isinstance(src, (str, os.PathLike)):
        path = _absolute(Path(src))
        tars = sorted(path.glob("*.tar")) if path.is_dir() else [path]
        if not tars:
            raise MissingFileError(f"{path}: no *.tar here", path=str(path))
    else:
        tars = [_absolute(Path(tar)) for tar in src]
        if not tars:
            raise ArgumentError("no tars given")
    for tar in tars:
        if not tar.is_file():
            raise MissingFileError(f"{tar}: tar is missing", path=str(tar))
    return tars


def _absolute(path: Path) -> Path:
    """As a manifest may name it: without ``..``."""
    return path.resolve() if ".." in path.parts else path.absolute()


def _refuse_strangers(folder: Path, targets: Sequence[Path]) -> None:
    """Keeps what others wrote: DALI's index files, for one, also end in .idx."""
    repeated = [target for target, count in Counter(targets).items() if count > 1]
    if repeated:
        raise ArgumentError(f"{repeated[0]}: two tars need the same sidecar", path=str(repeated[0]))
    for target in targets:
        if is_there(target) and not _starts_with(target, _MAGIC):
            raise ArgumentError(
                f"{target}: exists and is no sidecar of fastinet; name another folder (dst)", path=str(target)
            )
    if is_there(folder / manifest.FILE_NAME):
        try:
            manifest.read(folder)
        except UnsupportedError:
            if not manifest.is_outdated(folder):
                raise
        except FormatError as e:
            path = str(folder / manifest.FILE_NAME)
            problem = "exists and is no manifest of fastinet; name another folder (dst)"
            raise ArgumentError(f"{path}: {problem}", path=path) from e


def _starts_with(path: Path, magic: bytes) -> bool:
    with open_regular(path) as file:
        return file.read(len(magic)) == magic


def _shard_info(folder: Path, tar: Path, target: Path, s: _core.ShardSummary) -> ShardInfo:
    path = tar.relative_to(folder) if tar.is_relative_to(folder) else tar
    return ShardInfo.of(path.as_posix(), target.name, s)


def _add(report: IndexReport, tar: str, done: _Indexed) -> None:
    report.records += done.summary["records"]
    report.shards += 1
    report.unlabelled += done.unlabelled
    report.left_out += [(tar, *row) for row in done.left_out]
    report.undecodable += [(tar, *row) for row in done.undecodable]
    report.ignored += done.ignored
