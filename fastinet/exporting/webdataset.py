"""Export as WebDataset tars. The shards are such tars already, so whole shards are copied."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from fastinet import _core
from fastinet.dataset.dataset import Dataset, ShardSpec, shard_specs
from fastinet.errors import FormatError
from fastinet.exporting.chosen import Chosen, write_file
from fastinet.format.fields import Fields
from fastinet.format.tar_records import records_of
from fastinet.progress import Meter

__all__ = ["write_webdataset"]


def write_webdataset(splits: Sequence[Chosen], dst: Path, meter: Meter) -> None:
    """Writes ``DST/<split>-000000.tar``, ..., and ``<split>-classnames.txt``, all classes in label order."""
    for chosen in splits:
        dataset, written, first = chosen.dataset, 0, 0
        for number, spec in enumerate(shard_specs(dataset.path, dataset.manifest)):
            end = first + spec[2]
            target = dst / f"{chosen.split}-{written:06d}.tar"
            whole = chosen.indices is None and spec[6] is None and _is_plain(spec[0])
            if whole:
                _, size, faults = _core.verify_shard(spec, dataset.manifest.shards[number].xxh3)
                for fault in faults:
                    raise fault
                shutil.copyfile(spec[0], target)
                meter.advance(spec[2], size)
            else:
                indices = np.arange(first, end) if chosen.indices is None else chosen.indices
                wanted = indices[slice(*np.searchsorted(indices, (first, end)))].tolist()
                if wanted:
                    fields = Fields.of_index(dataset.manifest.sources_of_shards[number])
                    _copy_records(chosen, wanted, spec, fields, target, meter)
            first = end
            written += target.exists()
        write_file(dst / f"{chosen.split}-classnames.txt", b"".join(_lines(dataset)))


def _lines(dataset: Dataset) -> Iterator[bytes]:
    """Yields the names of the classes, one a line."""
    for label, info in enumerate(dataset.classes):
        if "\n" in info.name or "\r" in info.name:
            raise FormatError(
                f"{dataset.path}: class {label}: expected a name of one line, found {info.name!r}",
                path=str(dataset.path),
                expected="a name of one line",
                found=repr(info.name),
            )
        yield os.fsencode(info.name) + b"\n"


def _is_plain(tar: str) -> bool:
    """Whether a tar can be copied as a whole.

    Its members must be folders and files with distinct names that stay within the folder where the tar is
    unpacked. Of other tars, only the records are copied.
    """
    members, skipped = _core.scan_tar(os.fsencode(tar))
    names = [name for name, *_ in members] + [name for name, reason, _ in skipped if reason == "folder"]
    distinct = len({name for name, *_ in members}) == len(members)
    only_folders = all(reason == "folder" for _, reason, _ in skipped)
    return distinct and only_folders and not any(map(_leads_out, names))


def _leads_out(name: str) -> bool:
    """Whether unpacking a member of that name could write outside of the folder."""
    return name.startswith("/") or ".." in name.split("/") or "\0" in name


def _copy_records(
    chosen: Chosen, wanted: Sequence[int], spec: ShardSpec, fields: Fields, target: Path, meter: Meter
) -> None:
    """Copies all members of the records with these numbers from a shard's tar into another tar.

    If the shard's labels are not the dataset's classes, ``.cls`` and the boxes in ``.json`` get the classes.
    """
    source, label_map = Path(spec[0]), spec[6]
    places = chosen.dataset.core.facts(wanted[0], wanted[-1] + 1 - wanted[0])["payload_offset"]
    records = {int(places[i - wanted[0]]): chosen.dataset[i] for i in wanted}
    try:
        with tarfile.open(source) as tar, tarfile.open(target, "x", format=tarfile.PAX_FORMAT) as copy:
            members = (
                (member.name, member if member.isfile() else "folder" if member.isdir() else "no file")
                for member in tar
            )
            for parts in records_of(members, Counter(), fields):
                record = None if parts.image is None else records.pop(parts.image.offset_data, None)
                if record is None or parts.image is None:
                    continue
                size = len(record.payload)  # verifies its checksum
                others = {f: m for f, m in parts.fields.items() if label_map is None or f != "cls"}
                for member in (parts.image, *others.values()):
                    if _leads_out(member.name):
                        expected, found = "a name that stays in its folder", repr(member.name)
                        where = f"{source}: record {record.index} ({record.key})"
                        raise FormatError(
                            f"{where}: expected {expected}, found {found}",
                            path=str(source),
                            record=record.index,
                            key=record.key,
                            expected=expected,
                            found=found,
                        )
                    if label_map is not None and member is others.get("json"):
                        _add(copy, member.name, _with_classes(tar.extractfile(member), label_map))
                    else:
                        copy.addfile(member, tar.extractfile(member))
                if label_map is not None and record.label >= 0:
                    folder, slash, name = parts.image.name.rpartition("/")
                    _add(copy, f"{folder}{slash}{name.partition('.')[0]}.cls", str(record.label).encode())
                meter.advance(1, size)
    except tarfile.TarError as e:
        raise FormatError(f"{source}: damaged: {e}", path=str(source)) from e
    if records:
        key = next(iter(records.values())).key
        raise FormatError(
            f"{source}: record {key}: in the sidecar, but not in the tar", path=str(source), key=key
        )


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def _with_classes(file: IO[bytes] | None, label_map: _core.LabelMap) -> bytes:
    """The annotations in `file` with the dataset's classes as labels of the boxes."""
    data = b"" if file is None else file.read()
    try:
        told = json.loads(data)
        for row in told["boxes"]["rows"]:
            row[0] = label_map(row[0])
    except (ValueError, TypeError, LookupError, RecursionError):  # not boxes as fastinet writes them
        return data
    return json.dumps(told).encode()
