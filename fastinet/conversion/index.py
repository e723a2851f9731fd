"""Indexes existing WebDataset tars in place: writes sidecars and a manifest, and only reads the tars.

``format/tar_records.py`` defines which members form a record. The core's IndexBuilder examines images and
applies the policy for bad ones by the same code as a conversion.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from fastinet import _core
from fastinet.conversion.label_column import packed
from fastinet.conversion.split_totals import labels_of_runs
from fastinet.errors import ArgumentError, DecodeError, FormatError, MissingFileError, UnsupportedError
from fastinet.format import columns, manifest, root
from fastinet.format.chunks import ShardChunks
from fastinet.format.fields import Fields
from fastinet.format.finish import with_side_files
from fastinet.format.manifest import ClassInfo, Manifest, ShardInfo, default_index, refuse_repeated
from fastinet.format.policies import Check, Policy, refuse_unknown
from fastinet.format.tar_records import bad_record, boxes_of, label_of, label_value, records_of, tar_order
from fastinet.storage.files import is_there, open_regular
from fastinet.storage.tar_stream import is_gzip
from fastinet.version import __version__

__all__ = ["IndexReport", "index"]

_MAGIC = b"\x89FIDX\r\n\x1a"
_REMEDY = "; --on-bad skip (on_bad=) leaves it out"


@dataclass
class IndexReport:
    """What an indexing found.

    Attributes:
        path: folder of the manifest.
        records: number of images indexed.
        shards: number of tars indexed.
        unlabelled: number of records without a label; their label is -1.
        left_out: (tar, key, reason) of each record that was left out.
        undecodable: (tar, key, reason) of each record that was kept although its image cannot be decoded.
        ignored: number of members that belong to no record, by field ("" if they have none) or by kind.
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
    on_bad: Policy = "fail",
    image_field: str | Sequence[str] | None = None,
    label_field: str | Sequence[str] | None = None,
    labels_as: str | None = None,
    check: Check = "fast",
    workers: int | None = None,
    advance: Callable[[int], None] | None = None,
) -> IndexReport:
    """Writes a sidecar for each tar, and then the manifest.

    Records are those of WebDataset: the first ``.`` in the last component of a member's name ends the key,
    and the rest is the field. Consecutive members with the same key are one record. Its image is the field
    that is an image's extension. Its label comes from ``.cls`` (a number, or the name of one of `classes`),
    or else from ``.json`` (a number, or an object with ``label`` or ``cls``); a record without either has
    label -1. Files that operating systems leave in tars (``._x.jpg``) are ignored. Keys cannot escape their
    folder: ``./a``, ``/a`` and ``../a`` all become the key ``a``.

    Args:
        src: a folder, for its ``*.tar`` in the order of their names, or tars in the order wanted.
        dst: folder for the manifest and the sidecars, for tars in a read-only place. The manifest then names
            the tars by absolute path, or by relative path if they lie below `dst`. None: the folder of the
            tars.
        split: name of the split.
        classes: by label. None: as many classes as there are labels, named by their numbers.
        on_bad: what to do with images that cannot be read, and with members that do not form a record (no
            image or several, a field that occurs twice, a link, the key of an earlier record): "fail"
            (abort); "skip" (leave them out); "keep" (keep images that cannot be read, leave out what is not a
            record).
        image_field: name of the field that is the image (``input.jpg``); of several, the first that a record
            has.
        label_field: the same for the label; a field whose name ends in ``json`` is parsed as JSON.
        labels_as: store what is in the place of labels (fractions, lists, texts) as an attached column of
            this name, as :meth:`fastinet.Dataset.attach` does. The labels are then -1.
        check: how to find images that cannot be decoded: "fast", "full" or "none", as for
            :func:`fastinet.convert`.
        workers: number of threads; None: one for each CPU.
        advance: called from any thread with the number of records of each tar that was indexed.

    Returns:
        What was indexed and what was left out.

    Raises:
        MissingFileError: there are no tars.
        ArgumentError: an option is out of range, or fastinet would overwrite a file that it did not write.
        FormatError, TruncatedError: a tar is damaged; members do not form a record and `on_bad` is "fail"; a
            label is not a class; or no record is left.
        UnsupportedError: a tar is compressed.
        DecodeError: an image cannot be decoded, and `on_bad` is "fail".
    """
    refuse_unknown(on_bad, check)
    fields = Fields.chosen(image_field, label_field, labels_as)
    tars = _find_tars(src)
    folder = tars[0].parent if dst is None else _absolute(Path(dst))
    if dst is None and any(tar.parent != folder for tar in tars):
        raise ArgumentError("tars of several folders: choose a folder for the manifest and sidecars (dst)")
    known = None if classes is None else [c if isinstance(c, ClassInfo) else ClassInfo(c) for c in classes]
    refuse_repeated(c.name for c in known or ())
    labels = None if known is None else {c.name: i for i, c in enumerate(known)}
    targets = [folder / default_index(tar.name) for tar in tars]
    _refuse_foreign_files(folder, targets)
    folder.mkdir(parents=True, exist_ok=True)

    def work(job: tuple[Path, Path]) -> _IndexedTar:
        indexed = _index_tar(*job, labels, on_bad, check, fields)
        if advance is not None:
            advance(indexed.core["records"])
        return indexed

    report = IndexReport(folder)
    shards, chunks, values = [], list[ShardChunks](), list[Any]()
    runs = list[tuple[int, int]]()  # of labels
    highest = -1
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        try:
            jobs = list(zip(tars, targets, strict=True))
            for (tar, target), indexed in zip(jobs, pool.map(work, jobs), strict=True):
                shards.append(ShardInfo.of(_relative(tar, folder), target.name, indexed.core, "tar_"))
                chunks.append(ShardChunks.of(indexed.core["tar_chunks"], indexed.core["index_chunks"]))
                runs += indexed.core["labels"]
                highest = max(highest, indexed.highest_label)
                values += indexed.values
                _add(report, str(tar), indexed)
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
        Manifest(split, tuple(known), tuple(shards), created_by=created_by), labels_of_runs(runs), chunks
    )
    for name, data in files.items():
        _core.write_file(os.fsencode(folder / name), data)
    if labels_as is not None:
        columns.attach(folder, described, labels_as, *packed({split: values})[split], replace=True)
    manifest.write(folder, described)
    root.refresh(folder, manifest.read(folder))
    return report


class _IndexedTar(NamedTuple):
    core: _core.ShardReport
    highest_label: int
    unlabelled: int
    left_out: list[tuple[str, str]]
    undecodable: list[tuple[str, str]]
    ignored: Counter[str]
    values: list[Any]


def _index_tar(
    tar: Path,
    target: Path,
    labels: Mapping[str, int] | None,
    on_bad: Policy,
    check: Check,
    fields: Fields,
) -> _IndexedTar:
    if is_gzip(tar):
        raise UnsupportedError(
            f"{tar}: compressed with gzip; decompress it first, or convert it", path=str(tar)
        )
    builder = _core.IndexBuilder(os.fsencode(tar), on_bad, check)
    left_out: list[tuple[str, str]] = []
    undecodable: list[tuple[str, str]] = []
    ignored: Counter[str] = Counter()
    values: list[Any] = []
    keys: set[str] = set()
    highest, unlabelled = -1, 0
    for record in records_of(tar_order(*builder.scan()), ignored, fields):
        key = record.key
        if key in keys and not record.problem:
            record = replace(record, image=None, problem="an earlier record has the same key")
        if record.image is None:
            if on_bad == "fail":
                raise bad_record(str(tar), record, _REMEDY)
            left_out.append((key, record.problem))
            continue
        try:
            problem = builder.examine(key, *record.image)
        except DecodeError as error:
            raise DecodeError(f"{error}{_REMEDY}", path=str(tar), key=key) from error
        if not builder.accepted:
            left_out.append((key, problem))
            continue
        if problem:
            undecodable.append((key, problem))
        contents = {field: builder.read(*extent) for field, extent in record.fields.items()}
        label = label_of(contents, labels, str(tar), key, fields)
        is_labelled = label >= 0
        if fields.labels_as:
            values.append(label_value(contents, str(tar), key, fields)[0])
            is_labelled = values[-1] is not None
        unlabelled += not is_labelled
        boxes = boxes_of(contents.get("json"), str(tar), key)
        builder.add(label, boxes)
        highest = max([highest, label, *(box_label for box_label, *_ in (boxes[2] if boxes else ()))])
        keys.add(key)
    report = builder.finish(os.fsencode(target))
    return _IndexedTar(report, highest, unlabelled, left_out, undecodable, ignored, values)


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
    """Returns the path as a manifest may name it: without ``..``."""
    return path.resolve() if ".." in path.parts else path.absolute()


def _refuse_foreign_files(folder: Path, targets: Sequence[Path]) -> None:
    """Raises ArgumentError rather than overwrite files of others. DALI's index files also end in .idx."""
    repeated = [target for target, count in Counter(targets).items() if count > 1]
    if repeated:
        raise ArgumentError(f"{repeated[0]}: two tars need the same sidecar", path=str(repeated[0]))
    for target in targets:
        if is_there(target) and not _starts_with(target, _MAGIC):
            raise ArgumentError(
                f"{target}: exists and is not a sidecar of fastinet; choose another folder (dst)",
                path=str(target),
            )
    if is_there(folder / manifest.FILE_NAME):
        try:
            manifest.read(folder)
        except UnsupportedError:
            if not manifest.is_outdated(folder):
                raise
        except FormatError as e:
            path = str(folder / manifest.FILE_NAME)
            problem = "exists and is not a manifest of fastinet; choose another folder (dst)"
            raise ArgumentError(f"{path}: {problem}", path=path) from e


def _starts_with(path: Path, magic: bytes) -> bool:
    with open_regular(path) as file:
        return file.read(len(magic)) == magic


def _relative(tar: Path, folder: Path) -> str:
    """Returns the path of a tar as a manifest in `folder` names it."""
    return (tar.relative_to(folder) if tar.is_relative_to(folder) else tar).as_posix()


def _add(report: IndexReport, tar: str, indexed: _IndexedTar) -> None:
    report.records += indexed.core["records"]
    report.shards += 1
    report.unlabelled += indexed.unlabelled
    report.left_out += [(tar, *row) for row in indexed.left_out]
    report.undecodable += [(tar, *row) for row in indexed.undecodable]
    report.ignored += indexed.ignored
