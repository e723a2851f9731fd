"""``dataset.json``: what a split holds, as FORMAT.md defines it. Read strictly, written atomically."""

from __future__ import annotations

import gc
import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fastinet import _core
from fastinet.errors import ArgumentError, ChecksumError, FormatError, MissingFileError
from fastinet.format.contents import (
    ClassInfo,
    FileInfo,
    LabelsFile,
    Manifest,
    Permuted,
    RecordOrder,
    ShardInfo,
    Source,
    default_index,
)
from fastinet.format.json_files import MAX_JSON_BYTES, parse_json
from fastinet.format.manifest_reader import FORMAT_VERSION, ManifestReader, refuse_manifest_version
from fastinet.storage.files import read_bytes

__all__ = [
    "FILE_NAME",
    "FORMAT_VERSION",
    "ClassInfo",
    "FileInfo",
    "LabelsFile",
    "Manifest",
    "Permuted",
    "RecordOrder",
    "ShardInfo",
    "Source",
    "decode",
    "default_index",
    "encode",
    "is_outdated",
    "read",
    "refuse_repeated",
    "seal",
    "write",
]

FILE_NAME = "dataset.json"

# The file's last line but one; the checksum is of all bytes before this.
_TAIL = re.compile(rb',\n  "manifest_xxh3": "([0-9a-f]{16})"\n}\n\Z')
_TAIL_SIZE = len(b',\n  "manifest_xxh3": "0123456789abcdef"\n}\n')
_HEAD = re.compile(rb'\{\s*"format_version": (\d{1,9}),')  # every version begins so


def write(folder: str | os.PathLike[str], manifest: Manifest) -> None:
    """Writes ``folder/dataset.json``; the old one stays until the new one is complete.

    Raises:
        ShardIOError: the operating system refused.
    """
    _core.write_file(os.fsencode(Path(folder) / FILE_NAME), encode(manifest))


def encode(manifest: Manifest) -> bytes:
    """The bytes of ``dataset.json``. Equal manifests give equal bytes."""
    head: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "split": manifest.split,
        "encoding": manifest.encoding,
        "created_by": dict(manifest.created_by),
        "records": manifest.records,
        "bytes": manifest.bytes,
        "greatest_shard": manifest.greatest_shard,
        "record_order": _order_row(manifest.record_order),
    }
    if manifest.labels is not None:
        head["labels"] = {"dtype": manifest.labels.dtype, **_file_row(manifest.labels.file)}
    if manifest.chunks is not None:
        head["chunks"] = _file_row(manifest.chunks)
    lines = [f'  "{name}": {_json(value)}' for name, value in head.items()]
    if manifest.sources:
        lines.append(_rows("sources", [_source_row(s) for s in manifest.sources]))
    lines.append(_rows("classes", [_class_row(c) for c in manifest.classes]))
    lines.append(_rows("hierarchy", [list(edge) for edge in manifest.hierarchy]))
    if manifest.synsets:
        lines.append(_rows("synsets", [_class_row(c) for c in manifest.synsets]))
    if manifest.label_maps:
        lines.append(_rows("label_maps", [list(classes) for classes in manifest.label_maps]))
    lines.append(_rows("shards", [_shard_row(s) for s in manifest.shards]))
    return seal(("{\n" + ",\n".join(lines)).encode())


def seal(body: bytes, name: str = "manifest_xxh3") -> bytes:
    """A JSON object without its closing brace, with its hash as the last member, called `name`."""
    return body + f',\n  "{name}": "{_core.xxh3(body):016x}"\n}}\n'.encode()


def read(folder: str | os.PathLike[str]) -> Manifest:
    """Reads ``folder/dataset.json``.

    Raises:
        MissingFileError: the file does not exist.
        ChecksumError: its bytes are not those that were written.
        UnsupportedError: it has another version or encoding than this fastinet reads, or a field that a
            reader must understand.
        FormatError: a field is missing or has a value that FORMAT.md does not allow.
    """
    path = Path(folder) / FILE_NAME
    try:
        data = read_bytes(path, MAX_JSON_BYTES)
    except MissingFileError:
        raise MissingFileError(f"{path}: manifest is missing", path=str(path)) from None
    return decode(data, str(path))


def decode(data: bytes, path: str) -> Manifest:
    """The manifest in the bytes of `path`, which errors name; they are those of ``read``."""
    tail = _TAIL.match(data, max(0, len(data) - _TAIL_SIZE))
    if tail is None:
        version = _version(data)
        if version is not None:  # another version may end in another way
            refuse_manifest_version(version, path)
        raise FormatError(
            f"{path}: not a complete fastinet manifest: it does not end with its checksum", path=path
        )
    hashed = _core.xxh3(data[: tail.start()])
    expected, found = tail[1].decode(), f"{hashed:016x}"
    if found != expected:
        raise ChecksumError(
            f"{path}: manifest is damaged: expected XXH3 {expected}, found {found}",
            path=path,
            expected=expected,
            found=found,
        )
    # Tens of thousands of small objects set off the cyclic collector again and again, which takes a third of
    # the time; none of them is garbage.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return ManifestReader(path).manifest(parse_json(data, path), hashed)
    finally:
        if collecting:
            gc.enable()


def is_outdated(folder: str | os.PathLike[str]) -> bool:
    """Whether an earlier version of fastinet wrote ``folder/dataset.json``.

    Raises:
        MissingFileError, ShardIOError: the file cannot be read.
    """
    version = _version(read_bytes(Path(folder) / FILE_NAME, MAX_JSON_BYTES))
    return version is not None and version < FORMAT_VERSION


def _version(data: bytes) -> int | None:
    head = _HEAD.match(data)
    return int(head[1]) if head else None


def refuse_repeated(names: Iterable[str], where: str = "classes") -> None:
    """Raises ArgumentError where two classes would have one name, as words (crane, maillot) may have it."""
    first: dict[str, int] = {}
    for label, name in enumerate(names):
        if first.setdefault(name, label) != label:
            raise ArgumentError(
                f"{where}: expected names that differ, found {name!r} for labels {first[name]} and {label}; "
                "name the classes by WNID",
                expected="names that differ",
                found=name,
            )


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True, default=list)


def _rows(name: str, rows: Sequence[Any]) -> str:
    """A list with one row a line, so that a person can read it and a tool can compare it."""
    lines = ",\n".join("    " + json.dumps(row, ensure_ascii=True, default=list) for row in rows)
    return f'  "{name}": [\n{lines}\n  ]' if rows else f'  "{name}": []'


def _order_row(order: RecordOrder) -> Any:
    return {"permuted": order.seed} if isinstance(order, Permuted) else order


def _file_row(file: FileInfo) -> dict[str, Any]:
    return {"path": file.path, "bytes": file.bytes, "xxh3": f"{file.xxh3:016x}"}


def _source_row(s: Source) -> dict[str, Any]:
    return {"shards": s.shards, "created_by": dict(s.created_by)}


def _class_row(c: ClassInfo) -> dict[str, Any]:
    row: dict[str, Any] = {"name": c.name}
    if c.words:
        row["words"] = list(c.words)
    if c.gloss:
        row["gloss"] = c.gloss
    if c.count is not None:
        row["count"] = c.count
    return row | {name: c.details[name] for name in sorted(c.details)}


def _shard_row(s: ShardInfo) -> dict[str, Any]:
    row: dict[str, Any] = {"path": s.path, "records": s.records, "bytes": s.bytes, "xxh3": f"{s.xxh3:016x}"}
    if s.index_path != default_index(s.path):
        row["index"] = s.index_path
    row |= {
        "index_bytes": s.index_bytes,
        "index_xxh3": f"{s.index_xxh3:016x}",
        "index_head_bytes": s.index_head_bytes,
        "index_prefix_bytes": s.index_prefix_bytes,
        "index_file_xxh3": f"{s.index_file_xxh3:016x}",
    }
    if s.label_map is not None:
        row["label_map"] = s.label_map
    return row
