"""``dataset.json``: what a split holds, as FORMAT.md defines it. Read strictly, written atomically."""

from __future__ import annotations

import gc
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from fastinet import _core
from fastinet.errors import ArgumentError, ChecksumError, FormatError, MissingFileError, UnsupportedError
from fastinet.format.json_files import (
    HASH,
    MAX_JSON_BYTES,
    member,
    nested_deeper,
    parse_json,
    refuse_version,
    wrong,
)
from fastinet.storage.files import read_bytes

__all__ = [
    "FILE_NAME",
    "FORMAT_VERSION",
    "ClassInfo",
    "Manifest",
    "ShardInfo",
    "decode",
    "encode",
    "read",
    "write",
]

T = TypeVar("T")

FILE_NAME = "dataset.json"
FORMAT_VERSION = 1
ENCODINGS = ("jpeg",)

# The file's last line but one; the checksum is of all bytes before this.
_TAIL = re.compile(rb',\n  "manifest_xxh3": "([0-9a-f]{16})"\n}\n\Z')
_TAIL_SIZE = len(b',\n  "manifest_xxh3": "0123456789abcdef"\n}\n')
_HEAD = re.compile(rb'\{\s*"format_version": (\d{1,9}),')  # before which no version puts anything
_MAX_DEPTH = 32  # of the values whose shape is free
_MAX_RECORDS, _MAX_BYTES = 1 << 24, 1 << 48  # of a shard


class ShardInfo(NamedTuple):
    """One shard.

    Attributes:
        path: of the tar, relative to the manifest's folder, with ``/``; or absolute.
        records: number of records.
        bytes: size of the tar.
        xxh3: XXH3-64 of the tar.
        index_path: of the sidecar, as `path`.
        index_bytes: size of the sidecar.
        index_xxh3: checksum of the sidecar's header and tables.
    """

    path: str
    records: int
    bytes: int
    xxh3: int
    index_path: str
    index_bytes: int
    index_xxh3: int


@dataclass(frozen=True, slots=True)
class ClassInfo:
    """One class; its place in the manifest's list is its label.

    Attributes:
        name: WNID or folder name; unique in a dataset.
        words: synonyms, the most usual first. Two classes may share words.
        gloss: definition in a sentence; empty: none.
        details: further values, such as ``ilsvrc2012_id``.
        count: records of the class in this split; None: not counted.
    """

    name: str
    words: tuple[str, ...] = ()
    gloss: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    count: int | None = None

    @property
    def wnid(self) -> str:
        """The name, which for ImageNet is the WordNet ID."""
        return self.name

    @property
    def ilsvrc2012_id(self) -> int | None:
        """The devkit's number of the class, from 1; never a label. None: not known."""
        value = self.details.get("ilsvrc2012_id")
        return value if isinstance(value, int) else None


@dataclass(frozen=True)
class Manifest:
    """What ``dataset.json`` says.

    Attributes:
        split: name of the split.
        classes: by label.
        shards: in the order of their records.
        encoding: of the payloads.
        hierarchy: pairs (parent, child) of class or inner-node names; a directed acyclic graph.
        synsets: words and glosses of the hierarchy's nodes that are no classes.
        created_by: how the dataset was made: source, options, version of fastinet. No times.
    """

    split: str
    classes: tuple[ClassInfo, ...]
    shards: tuple[ShardInfo, ...]
    encoding: str = "jpeg"
    hierarchy: tuple[tuple[str, str], ...] = ()
    created_by: Mapping[str, Any] = field(default_factory=dict)
    synsets: tuple[ClassInfo, ...] = ()

    @property
    def records(self) -> int:
        """Number of records of all shards."""
        return sum(shard.records for shard in self.shards)

    @cached_property
    def identity(self) -> str:
        """16 hexadecimal digits that tell which records are in which places: a hash of the hashes of the
        shards, in their order. It does not depend on where the files lie, on sidecars or on columns."""
        return f"{_core.xxh3(' '.join(f'{s.xxh3:016x}' for s in self.shards).encode()):016x}"


def write(folder: str | os.PathLike[str], manifest: Manifest) -> None:
    """Writes ``folder/dataset.json``; the old one stays until the new one is complete.

    Raises:
        ShardIOError: the operating system refused.
    """
    _core.write_file(os.fsencode(Path(folder) / FILE_NAME), encode(manifest))


def encode(manifest: Manifest) -> bytes:
    """The bytes of ``dataset.json``. The same manifest gives the same ones."""
    head: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "split": manifest.split,
        "encoding": manifest.encoding,
        "created_by": dict(manifest.created_by),
        "records": manifest.records,
    }
    lines = [f'  "{name}": {_json(value)}' for name, value in head.items()]
    lines.append(_rows("classes", [_class_row(c) for c in manifest.classes]))
    lines.append(_rows("hierarchy", [list(edge) for edge in manifest.hierarchy]))
    if manifest.synsets:
        lines.append(_rows("synsets", [_class_row(c) for c in manifest.synsets]))
    lines.append(_rows("shards", [_shard_row(s) for s in manifest.shards]))
    body = ("{\n" + ",\n".join(lines)).encode()
    tail = f',\n  "manifest_xxh3": "{_core.xxh3(body):016x}"\n}}\n'.encode()
    return body + tail


def read(folder: str | os.PathLike[str]) -> Manifest:
    """Reads ``folder/dataset.json``.

    Raises:
        MissingFileError: there is none.
        ChecksumError: its bytes are not those that were written.
        UnsupportedError: of another version or encoding than this fastinet reads.
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
        head = _HEAD.match(data)
        if head is not None and int(head[1]) != FORMAT_VERSION:  # of which we do not know how it ends
            refuse_version({"format_version": int(head[1])}, FORMAT_VERSION, path)
        raise FormatError(
            f"{path}: not a complete fastinet manifest: it does not end with its checksum", path=path
        )
    expected, found = tail[1].decode(), f"{_core.xxh3(data[: tail.start()]):016x}"
    if found != expected:
        raise ChecksumError(
            f"{path}: manifest is damaged: expected XXH3 {expected}, found {found}",
            path=path,
            expected=expected,
            found=found,
        )
    # Tens of thousands of small objects set the cyclic collector off again and again, for a third of the
    # time; none of them is garbage.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _Reader(path).manifest(parse_json(data, path))
    finally:
        if collecting:
            gc.enable()


class _Reader:
    """From parsed JSON to a manifest; errors name the field."""

    def __init__(self, path: str) -> None:
        self._path = path

    def manifest(self, fields: Any) -> Manifest:
        refuse_version(fields, FORMAT_VERSION, self._path)
        encoding = self._get(fields, "encoding", str)
        if encoding not in ENCODINGS:
            raise wrong(UnsupportedError, self._path, "encoding", " or ".join(ENCODINGS), encoding)
        manifest = Manifest(
            split=self._get(fields, "split", str),
            classes=self._each(fields, "classes", self._class),
            shards=self._shards(self._get(fields, "shards", list)),
            encoding=encoding,
            hierarchy=self._each(fields, "hierarchy", self._edge),
            created_by=self._get(fields, "created_by", dict),
            synsets=self._each({"synsets": []} | fields, "synsets", self._synset),
        )
        if nested_deeper(manifest.created_by, _MAX_DEPTH):
            raise self._error("created_by", f"at most {_MAX_DEPTH} levels", "more")
        names = {c.name for c in manifest.classes}
        if len(names) != len(manifest.classes):
            raise self._error(
                "classes", "names that differ", f"{len(manifest.classes) - len(names)} repeated"
            )
        if self._get(fields, "records", int) != manifest.records:
            raise self._error("records", f"{manifest.records}, the sum over the shards", fields["records"])
        return manifest

    def _each(self, fields: Mapping[str, Any], name: str, parse: Callable[[int, Any], T]) -> tuple[T, ...]:
        return tuple(parse(i, row) for i, row in enumerate(self._get(fields, name, list)))

    def _class(self, i: int, row: Any) -> ClassInfo:
        return self._class_info("classes", i, row)

    def _synset(self, i: int, row: Any) -> ClassInfo:
        return self._class_info("synsets", i, row)

    def _class_info(self, table: str, i: int, row: Any) -> ClassInfo:
        if not isinstance(row, dict):
            raise self._error(f"{table}[{i}]", "an object", row)
        name, words, gloss = row.pop("name", None), row.pop("words", []), row.pop("gloss", "")
        if not isinstance(name, str) or not name:
            raise self._error(f"{table}[{i}].name", "a name", name)
        if not isinstance(words, list) or not set(map(type, words)) <= {str}:
            raise self._error(f"{table}[{i}].words", "a list of strings", words)
        if not isinstance(gloss, str):
            raise self._error(f"{table}[{i}].gloss", "a string", gloss)
        count = row.pop("count", None)
        if count is not None and (type(count) is not int or count < 0):
            raise self._error(f"{table}[{i}].count", "a count of 0 or more", count)
        if not {dict, list}.isdisjoint(map(type, row.values())) and nested_deeper(row, _MAX_DEPTH):
            raise self._error(f"{table}[{i}]", f"at most {_MAX_DEPTH} levels", "more")
        return ClassInfo(name, tuple(words), gloss, row, count)

    def _shards(self, rows: list[Any]) -> tuple[ShardInfo, ...]:
        """By columns, which is several times faster than by rows: there may be tens of thousands."""
        try:
            paths = [row["path"] for row in rows]
            indexes = [row["index"] if "index" in row else default_index(row["path"]) for row in rows]
            counts = [[row[name] for row in rows] for name in ("records", "bytes", "index_bytes")]
            hashes = [[row[name] for row in rows] for name in ("xxh3", "index_xxh3")]
            sound = (
                all(paths)
                and all(indexes)
                and {type(text) for column in (paths, indexes, *hashes) for text in column} <= {str}
                and {type(count) for column in counts for count in column} <= {int}
                and not any("\0" in path for path in paths)
                and not any("\0" in path for path in indexes)
                and all(min(column, default=0) >= 0 for column in counts)
                and all(
                    max(column, default=0) <= limit
                    for column, limit in zip(counts, (_MAX_RECORDS, _MAX_BYTES, _MAX_BYTES), strict=True)
                )
                and all(map(HASH.match, hashes[0] + hashes[1]))
            )
        except (KeyError, TypeError, AttributeError):
            sound = False
        if not sound:
            for i, row in enumerate(rows):
                self._check_shard(i, row)
        tar_xxh3, index_xxh3 = ([int(text, 16) for text in column] for column in hashes)
        return tuple(map(ShardInfo, paths, counts[0], counts[1], tar_xxh3, indexes, counts[2], index_xxh3))

    def _check_shard(self, i: int, row: Any) -> None:
        required = {"path", "records", "bytes", "xxh3", "index_bytes", "index_xxh3"}
        if not isinstance(row, dict) or not required <= row.keys():
            raise self._error(f"shards[{i}]", f"an object with {', '.join(sorted(required))}", row)
        for name in ("path", "index"):
            text = row.get(name, "beside the tar")
            if not isinstance(text, str) or not text or "\0" in text:
                raise self._error(f"shards[{i}].{name}", "a path", text)
        for name, limit in (("records", _MAX_RECORDS), ("bytes", _MAX_BYTES), ("index_bytes", _MAX_BYTES)):
            if type(row[name]) is not int or not 0 <= row[name] <= limit:
                raise self._error(f"shards[{i}].{name}", f"0 to {limit}", row[name])
        for name in ("xxh3", "index_xxh3"):
            if not isinstance(row[name], str) or not HASH.match(row[name]):
                raise self._error(f"shards[{i}].{name}", "16 hexadecimal digits", row[name])

    def _edge(self, i: int, edge: Any) -> tuple[str, str]:
        if not isinstance(edge, list) or len(edge) != 2 or not all(isinstance(name, str) for name in edge):
            raise self._error(f"hierarchy[{i}]", "a pair of names", edge)
        return edge[0], edge[1]

    def _get(self, fields: Mapping[str, Any], name: str, kind: type) -> Any:
        return member(fields, name, kind, self._path)

    def _error(self, name: str, expected: str, found: Any) -> FormatError:
        return wrong(FormatError, self._path, name, expected, found)


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


def default_index(path: str) -> str:
    """Path of the sidecar that lies beside a tar: the tar's with ``.idx`` for ``.tar``."""
    return (path[: -len(".tar")] if path.endswith(".tar") else path) + ".idx"


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True, default=list)


def _rows(name: str, rows: Sequence[Any]) -> str:
    """A list with one row a line, so that a person can read it and a tool can compare it."""
    lines = ",\n".join("    " + json.dumps(row, ensure_ascii=True) for row in rows)
    return f'  "{name}": [\n{lines}\n  ]' if rows else f'  "{name}": []'


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
    return row | {"index_bytes": s.index_bytes, "index_xxh3": f"{s.index_xxh3:016x}"}
