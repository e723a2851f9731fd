"""Export as WebDataset tars: the shards are such tars already."""

from __future__ import annotations

import shutil
import tarfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fastinet import _core
from fastinet.conversion.fields import Fields
from fastinet.conversion.tar_records import records_of
from fastinet.dataset import shard_specs
from fastinet.errors import FormatError
from fastinet.exporting.chosen import Chosen, write_file
from fastinet.progress import Meter

__all__ = ["write_webdataset"]


def write_webdataset(splits: Sequence[Chosen], dst: Path, shown: Meter) -> None:
    """``DST/<split>-000000.tar``, ... and ``<split>-classnames.txt``, the names of all classes by label."""
    for chosen in splits:
        dataset, written, first = chosen.dataset, 0, 0
        for number, spec in enumerate(shard_specs(dataset.path, dataset.manifest)):
            end = first + spec[2]
            target = dst / f"{chosen.split}-{written:06d}.tar"
            if chosen.indices is None:
                _, size, faults = _core.verify_shard(spec, dataset.manifest.shards[number].xxh3)
                for fault in faults:
                    raise fault
                shutil.copyfile(spec[0], target)
                shown.advance(spec[2], size)
            else:
                wanted = chosen.indices[slice(*np.searchsorted(chosen.indices, (first, end)))].tolist()
                if wanted:
                    _copy_records(chosen, wanted, Path(spec[0]), target, shown)
            first = end
            written += target.exists()
        text = "".join(f"{c.name}\n" for c in dataset.classes)
        write_file(dst / f"{chosen.split}-classnames.txt", text.encode())


def _copy_records(chosen: Chosen, wanted: Sequence[int], source: Path, target: Path, shown: Meter) -> None:
    """All members of the records with those numbers, from one tar into another."""
    records = {record.key: record for record in map(chosen.dataset.__getitem__, wanted)}
    fields = Fields.of_index(chosen.dataset.manifest.created_by)
    try:
        with tarfile.open(source) as tar, tarfile.open(target, "x", format=tarfile.PAX_FORMAT) as copy:
            members = (
                (member.name, member if member.isfile() else "folder" if member.isdir() else "no file")
                for member in tar
            )
            for parts in records_of(members, Counter(), fields):
                record = records.pop(parts.key, None) if parts.image is not None else None
                if record is None or parts.image is None:
                    continue
                size = len(record.payload)  # compares its checksum
                for member in (parts.image, *parts.fields.values()):
                    copy.addfile(member, tar.extractfile(member))
                shown.advance(1, size)
    except tarfile.TarError as e:
        raise FormatError(f"{source}: damaged: {e}", path=str(source)) from e
    if records:
        key = next(iter(records))
        raise FormatError(
            f"{source}: record {key}: in the sidecar, but not in the tar", path=str(source), key=key
        )
