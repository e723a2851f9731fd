"""Existing WebDataset tars, made usable where they are: sidecars and a manifest are written, tars only read.

``conversion/tar_records.py`` says which members are a record.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from fastinet import __version__, _core, manifest
from fastinet.conversion.checks import CHECKS, Check
from fastinet.conversion.tar_records import boxes_of, label_of, records_of
from fastinet.errors import ArgumentError, DecodeError, FormatError, MissingFileError, UnsupportedError
from fastinet.manifest import ClassInfo, Manifest, ShardInfo, default_index, refuse_repeated

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
        left_out: (tar, key or member, reason) of each record or special member that was not taken.
        undecodable: (tar, key, reason) of records kept although their image cannot be read.
        ignored: number of further members, by extension.
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
    check: Check = "fast",
    workers: int | None = None,
    advance: Callable[[int], None] | None = None,
) -> IndexReport:
    """Writes a sidecar for each tar, and then the manifest.

    Labels come from ``.cls`` (a number, or the name of one of `classes`), else from ``.json`` (a number, or
    an object with ``label`` or ``cls``); a record without either has -1.

    Args:
        src: a folder whose ``*.tar`` are meant, in the order of their names, or tars in the order wanted.
        dst: folder for the manifest and the sidecars, for tars that lie where nothing can be written; it then
            names them by absolute path, or relative if they lie below it. None: the folder of the tars.
        split: name of the split.
        classes: by label. None: as many as there are labels, named by their numbers.
        on_bad: for members that are no readable image: "fail"; "skip" leaves them out; "keep" takes them.
        check: how readable images are told from others: "fast", "full" or "none", as for
            :func:`fastinet.convert`.
        workers: threads; None: one a processor.
        advance: called from any thread with the number of records of each tar that is done.

    Raises:
        MissingFileError: no tars.
        ArgumentError: an option out of range, or a file is in the way that fastinet did not write.
        FormatError, TruncatedError: a tar is damaged; a label cannot be understood.
        UnsupportedError: a compressed tar.
        DecodeError: not an image, and `on_bad` is "fail".
    """
    if on_bad not in POLICIES:
        raise ArgumentError(f"on_bad must be one of {', '.join(POLICIES)}, not {on_bad!r}")
    if check not in CHECKS:
        raise ArgumentError(f"check must be one of {', '.join(CHECKS)}, not {check!r}")
    tars = _find_tars(src)
    folder = tars[0].parent if dst is None else Path(dst).absolute()
    if dst is None and any(tar.parent != folder for tar in tars):
        raise ArgumentError("tars of several folders: name a folder for the manifest and sidecars (dst)")
    known = None if classes is None else [c if isinstance(c, ClassInfo) else ClassInfo(c) for c in classes]
    refuse_repeated(c.name for c in known or ())
    labels = None if known is None else {c.name: i for i, c in enumerate(known)}
    targets = [folder / default_index(tar.name) for tar in tars]
    _refuse_strangers(folder, targets)
    folder.mkdir(parents=True, exist_ok=True)

    def work(job: tuple[Path, Path]) -> _Indexed:
        done = _index_tar(*job, labels, on_bad, check)
        if advance is not None:
            advance(done.summary["records"])
        return done

    report = IndexReport(folder)
    shards = []
    highest = -1
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        try:
            jobs = list(zip(tars, targets, strict=True))
            for (tar, target), done in zip(jobs, pool.map(work, jobs), strict=True):
                shards.append(_shard_info(folder, tar, target, done.summary))
                highest = max(highest, done.highest)
                _add(report, str(tar), done)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if known is None:
        known = [ClassInfo(str(i)) for i in range(highest + 1)]
    elif highest >= len(known):
        raise ArgumentError(f"label {highest} has no class: classes has {len(known)} entries")
    created_by = {
        "fastinet": __version__,
        "source": "webdataset",
        "options": {"on_bad": on_bad, "check": check},
    }
    manifest.write(folder, Manifest(split, tuple(known), tuple(shards), created_by=created_by))
    return report


class _Indexed(NamedTuple):
    summary: _core.ShardSummary
    highest: int
    unlabelled: int
    left_out: list[tuple[str, str]]
    undecodable: list[tuple[str, str]]
    ignored: Counter[str]


def _index_tar(
    tar: Path, target: Path, labels: Mapping[str, int] | None, on_bad: str, check: Check
) -> _Indexed:
    with tar.open("rb") as file:
        if file.read(2) == b"\x1f\x8b":
            raise UnsupportedError(f"{tar}: compressed with gzip; decompress it first, or convert it",
                                   path=str(tar))  # fmt: skip
    writer = _core.IndexWriter(os.fsencode(tar))
    regular, skipped = writer.scan()
    left_out = [(name, reason) for name, reason in skipped if reason != "folder"]
    undecodable: list[tuple[str, str]] = []
    ignored: Counter[str] = Counter()
    highest, unlabelled = -1, 0
    members = ((name, (offset, size)) for name, offset, size in regular)
    for record in records_of(members, ignored):
        key = record.key
        if record.image is None:
            left_out.append((key, "no image among its members"))
            continue
        facts, problem = _core.examine(writer.read(*record.image), check)
        if problem and on_bad == "fail":
            raise DecodeError(f"{tar}: record {key}: {problem}; on_bad='skip' leaves it out",
                              path=str(tar), key=key)  # fmt: skip
        if problem and on_bad == "skip":
            left_out.append((key, problem))
            continue
        if problem:
            undecodable.append((key, problem))
        fields = {extension: writer.read(*place) for extension, place in record.fields.items()}
        label = label_of(fields, labels, str(tar), key)
        highest, unlabelled = max(highest, label), unlabelled + (label < 0)
        boxes = boxes_of(fields.get("json"), str(tar), key)
        writer.add(key, *record.image, label, boxes=boxes, **facts)
    summary = writer.finish(os.fsencode(target))
    return _Indexed(summary, highest, unlabelled, left_out, undecodable, ignored)


def _find_tars(src: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[Path]:
    if isinstance(src, (str, os.PathLike)):
        path = Path(src).absolute()
        tars = sorted(path.glob("*.tar")) if path.is_dir() else [path]
        if not tars:
            raise MissingFileError(f"{path}: no *.tar here", path=str(path))
    else:
        tars = [Path(tar).absolute() for tar in src]
        if not tars:
            raise ArgumentError("no tars given")
    for tar in tars:
        if not tar.is_file():
            raise MissingFileError(f"{tar}: tar is missing", path=str(tar))
    return tars


def _refuse_strangers(folder: Path, targets: Sequence[Path]) -> None:
    """Keeps what others wrote: DALI's index files, for one, also end in .idx."""
    repeated = [target for target, count in Counter(targets).items() if count > 1]
    if repeated:
        raise ArgumentError(f"{repeated[0]}: two tars need the same sidecar", path=str(repeated[0]))
    for target in targets:
        if target.exists() and not _starts_with(target, _MAGIC):
            raise ArgumentError(
                f"{target}: exists and is no sidecar of fastinet; name another folder (dst)", path=str(target)
            )
    if (folder / manifest.FILE_NAME).exists():
        try:
            manifest.read(folder)
        except FormatError as e:
            path = str(folder / manifest.FILE_NAME)
            problem = "exists and is no manifest of fastinet; name another folder (dst)"
            raise ArgumentError(f"{path}: {problem}", path=path) from e


def _starts_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def _shard_info(folder: Path, tar: Path, target: Path, s: _core.ShardSummary) -> ShardInfo:
    path = tar.relative_to(folder) if tar.is_relative_to(folder) else tar
    return ShardInfo(path.as_posix(), s["records"], s["bytes"], s["xxh3"], target.name, s["index_bytes"],
                     s["index_xxh3"])  # fmt: skip


def _add(report: IndexReport, tar: str, done: _Indexed) -> None:
    report.records += done.summary["records"]
    report.shards += 1
    report.unlabelled += done.unlabelled
    report.left_out += [(tar, *row) for row in done.left_out]
    report.undecodable += [(tar, *row) for row in done.undecodable]
    report.ignored += done.ignored
