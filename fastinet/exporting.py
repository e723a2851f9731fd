"""The way back: a dataset's files as an ImageFolder, or its shards as WebDataset tars."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import Any

from fastinet import _core, manifest
from fastinet.conversion.names import FILE, name_of
from fastinet.conversion.store import os_errors
from fastinet.dataset import Dataset, Record, find_split, shard_specs
from fastinet.errors import ArgumentError, FormatError, StateError

__all__ = ["export"]


def export(src: str | os.PathLike[str], dst: str | os.PathLike[str], *, to: str = "imagefolder") -> int:
    """Writes the files of a dataset, byte for byte as they were converted, after checking their checksums.

    "imagefolder": ``DST/<split>/<class>/<file>`` with the names of the source, and beside an image with
    annotations ``<file>.json``; files without a label lie in ``DST/<split>``. "webdataset": the shards, and
    ``<split>-classnames.txt``. DST appears when all is written: what a crash leaves behind has another name
    (``.<name>.fastinet-export``), which the next export to DST removes.

    Args:
        src: a split's folder, or a folder of splits: then all of them.
        dst: a folder that does not exist, or is empty.
        to: the layout.

    Returns:
        The number of images.

    Raises:
        ArgumentError: no such layout, or DST holds something.
        StateError: another process is exporting to DST.
        FormatError: the dataset is damaged, or a key or class name would lead out of DST.
        ShardIOError: the operating system refused.
    """
    if to not in ("imagefolder", "webdataset"):
        raise ArgumentError(f"to must be imagefolder or webdataset, not {to!r}")
    target = Path(os.path.abspath(dst))  # noqa: PTH100 - without following links
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ArgumentError(f"{target}: exists; export to a new or empty folder", path=str(target))
    splits = sorted(file.parent for file in Path(src).glob(f"*/{manifest.FILE_NAME}")) or [find_split(src)]
    if (Path(src) / manifest.FILE_NAME).is_file():
        splits = [Path(src)]
    staging = target.parent / f".{target.name}.fastinet-export"
    with os_errors(staging):
        staging.mkdir(parents=True, exist_ok=True)
        lock = os.open(staging, os.O_RDONLY)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StateError(f"{target}: another process is exporting to it", path=str(target)) from None
            try:
                for entry in staging.iterdir():
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
                write = _image_folder if to == "imagefolder" else _webdataset
                records = sum(write(split, staging) for split in splits)
                os.sync()
                staging.rename(target)
            except BaseException:
                shutil.rmtree(staging, ignore_errors=True)
                raise
        finally:
            os.close(lock)
    return records


def _image_folder(split: Path, dst: Path) -> int:
    dataset = Dataset(split)
    root = dst / _component(dataset.split, split)
    root.mkdir()
    names = split / FILE
    told: list[dict[str, Any]] = json.loads(names.read_bytes()) if names.exists() else []
    for number, spec in enumerate(shard_specs(dataset.path, dataset.manifest)):
        tar = _core.IndexWriter(spec[0])
        members = {name: (start, size) for name, start, size in tar.scan()[0]}
        suffixes = {
            n.rpartition(".")[0]: n[n.rindex(".") :] for n in members if not n.endswith((".cls", ".json"))
        }
        shard = _core.ShardedDataset([spec])  # mapped only while it is read
        for record in (Record(shard.record(i), i) for i in range(len(shard))):
            shard_names = (
                told[number] if number < len(told) else {"extension": suffixes[record.key], "others": {}}
            )
            folders = [_component(_core.unescape_key(p), split) for p in record.key.split("/")[:-1]]
            if record.label >= 0:
                name = _component(dataset.classes[record.label].name, split)
                folders = folders if folders[:1] == [name] else [name, *folders]
            folder = root.joinpath(*folders)
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / _component(name_of(record.key, shard_names), split)
            _write(path, record.payload)
            if f"{record.key}.json" in members:
                _write(path.with_name(f"{path.name}.json"), tar.read(*members[f"{record.key}.json"]))
    return len(dataset)


def _webdataset(split: Path, dst: Path) -> int:
    dataset = Dataset(split)
    name = _component(dataset.split, split)
    for number, spec in enumerate(shard_specs(dataset.path, dataset.manifest)):
        _, _, faults = _core.verify_shard(spec, dataset.manifest.shards[number].xxh3)
        for fault in faults:
            raise fault
        shutil.copyfile(spec[0], dst / f"{name}-{number:06d}.tar")
    text = "".join(f"{c.name}\n" for c in dataset.classes)
    _write(dst / f"{name}-classnames.txt", memoryview(text.encode()))
    return len(dataset)


def _write(path: Path, data: bytes | memoryview) -> None:
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        raise FormatError(f"{path}: two records would be this file", path=str(path)) from None


def _component(name: str, split: Path) -> str:
    """`name`, if it is one component of a path that leads nowhere else."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise FormatError(f"{split}: {name!r} cannot be the name of a file or folder", path=str(split))
    return name
