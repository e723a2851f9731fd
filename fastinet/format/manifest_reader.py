"""From the JSON of ``dataset.json`` to a :class:`Manifest`; errors say which field is wrong and how.

Written by hand rather than with msgspec: its errors do not show the value that was found, it takes an object
with a repeated key for a sound one, and it cannot give back file names that are not UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from fastinet.errors import FormatError, UnsupportedError
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
from fastinet.format.json_files import HASH, member, nested_deeper, wrong

__all__ = ["FORMAT_VERSION", "ManifestReader", "refuse_manifest_version"]

T = TypeVar("T")

FORMAT_VERSION = 2
ENCODINGS = ("jpeg",)

_MAX_DEPTH = 32  # of the values whose shape is free
_MAX_RECORDS, _MAX_BYTES = 1 << 24, 1 << 48  # of a shard
_COUNTS = {
    "records": _MAX_RECORDS,
    "bytes": _MAX_BYTES,
    "index_bytes": _MAX_BYTES,
    "index_head_bytes": _MAX_BYTES,
    "index_prefix_bytes": _MAX_BYTES,
}
_HASHES = ("xxh3", "index_xxh3", "index_file_xxh3")
# The fields that this version defines, as `must_understand` names them.
_KNOWN = frozenset(
    [
        "format_version",
        "must_understand",
        "split",
        "encoding",
        "created_by",
        "records",
        "bytes",
        "greatest_shard",
        "record_order",
        "labels",
        "chunks",
        "sources",
        "classes",
        "hierarchy",
        "synsets",
        "label_maps",
        "shards",
        "manifest_xxh3",
    ]
) | {f"shards.{name}" for name in ("path", "index", "label_map", *_COUNTS, *_HASHES)}
_ODD_PATH = re.compile(r"(?:.*/)?\.{0,2}(?:/.*)?\Z|.*\x00", re.DOTALL)  # an empty, . or .. component; NUL
_FILE_NAME = re.compile(r"(?!\.{1,2}\Z)[^/\x00]+\Z", re.DOTALL)


def refuse_manifest_version(found: int, path: str) -> None:
    """Raises UnsupportedError, which says what to do, where `found` is not the version that is read here."""
    if found == FORMAT_VERSION:
        return
    if found < FORMAT_VERSION:
        folder = path.rpartition("/")[0] or "."
        remedy = (
            f"an earlier fastinet wrote it; `fastinet index {folder}` makes sidecars and manifest anew from "
            "the tars (name the classes with --classes), `fastinet convert --overwrite` the whole dataset"
        )
    else:
        remedy = "a later fastinet wrote it; install that one"
    raise UnsupportedError(
        f"{path}: format_version: expected {FORMAT_VERSION}, found {found}: {remedy}",
        path=path,
        expected=str(FORMAT_VERSION),
        found=str(found),
    )


class ManifestReader:
    """Reads the manifest at `path`, which errors name."""

    def __init__(self, path: str) -> None:
        self._path = path

    def manifest(self, fields: Any, xxh3: int) -> Manifest:
        """The manifest that the file's JSON value describes; `xxh3` is its checksum.

        Raises:
            UnsupportedError: another version or encoding, or an unknown field that must be understood.
            FormatError: a field is missing or has a value that FORMAT.md does not allow.
        """
        refuse_manifest_version(self._get(fields, "format_version", int), self._path)
        self._refuse_unknown(fields)
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
            record_order=self._order(fields.get("record_order")),
            label_maps=self._each({"label_maps": []} | fields, "label_maps", self._label_map),
            sources=self._each({"sources": []} | fields, "sources", self._source),
            labels=self._labels(fields["labels"]) if "labels" in fields else None,
            chunks=self._file("chunks", fields["chunks"]) if "chunks" in fields else None,
            xxh3=xxh3,
        )
        if nested_deeper(manifest.created_by, _MAX_DEPTH):
            raise self._error("created_by", f"at most {_MAX_DEPTH} levels", "more")
        self._check_classes(manifest)
        self._check_totals(fields, manifest)
        return manifest

    def _refuse_unknown(self, fields: Mapping[str, Any]) -> None:
        names = self._get({"must_understand": [], **fields}, "must_understand", list)
        for name in names:
            if not isinstance(name, str):
                raise self._error("must_understand", "names of fields", name)
            if name not in _KNOWN:
                expected = "fields that this version of fastinet knows"
                raise wrong(UnsupportedError, self._path, "must_understand", expected, name)

    def _check_classes(self, manifest: Manifest) -> None:
        names = {c.name for c in manifest.classes}
        if len(names) != len(manifest.classes):
            repeated = f"{len(manifest.classes) - len(names)} repeated"
            raise self._error("classes", "names that differ", repeated)
        for i, classes in enumerate(manifest.label_maps):
            if classes and not -1 <= min(classes) <= max(classes) < len(manifest.classes):
                odd = min(classes) if min(classes) < -1 else max(classes)
                raise self._error(f"label_maps[{i}]", f"classes, -1 to {len(manifest.classes) - 1}", odd)
        for i, shard in enumerate(manifest.shards):
            if shard.label_map is not None and shard.label_map >= len(manifest.label_maps):
                expected = f"the number of one of {len(manifest.label_maps)} label maps"
                raise self._error(f"shards[{i}].label_map", expected, shard.label_map)

    def _check_totals(self, fields: Mapping[str, Any], manifest: Manifest) -> None:
        for name, meaning in (
            ("records", "the sum over the shards"),
            ("bytes", "the sum over the tars and sidecars"),
            ("greatest_shard", "the size of the greatest tar with its sidecar"),
        ):
            expected = getattr(manifest, name)
            if self._get(fields, name, int) != expected:
                raise self._error(name, f"{expected}, {meaning}", fields[name])
        if manifest.sources and sum(s.shards for s in manifest.sources) != len(manifest.shards):
            expected = f"{len(manifest.shards)} shards in all"
            raise self._error("sources", expected, sum(s.shards for s in manifest.sources))
        if manifest.labels is not None:
            width = 2 if manifest.labels.dtype == "u16" else 4
            if manifest.labels.file.bytes != width * manifest.records:
                expected = f"{width * manifest.records}, {width} for each record"
                raise self._error("labels.bytes", expected, manifest.labels.file.bytes)

    def _order(self, value: Any) -> RecordOrder:
        if value == "source":
            return "source"
        if isinstance(value, dict) and value.keys() == {"permuted"}:
            seed = value["permuted"]
            if type(seed) is int:
                return Permuted(seed)
        raise self._error("record_order", '"source" or {"permuted": SEED}', value)

    def _labels(self, row: Any) -> LabelsFile:
        file = self._file("labels", row)
        dtype = row.get("dtype")
        if dtype == "u16" or dtype == "i32":
            return LabelsFile(file, dtype)
        if isinstance(dtype, str):
            raise wrong(UnsupportedError, self._path, "labels.dtype", "u16 or i32", dtype)
        raise self._error("labels.dtype", "u16 or i32", dtype)

    def _file(self, place: str, row: Any) -> FileInfo:
        path = member(row, "path", str, self._path, place)
        if not _FILE_NAME.match(path):
            raise self._error(f"{place}.path", "the name of a file beside the manifest", path)
        size = member(row, "bytes", int, self._path, place)
        if not 0 <= size <= _MAX_BYTES:
            raise self._error(f"{place}.bytes", f"0 to {_MAX_BYTES}", size)
        digits = member(row, "xxh3", str, self._path, place)
        if not HASH.match(digits):
            raise self._error(f"{place}.xxh3", "16 hexadecimal digits", digits)
        return FileInfo(path, size, int(digits, 16))

    def _source(self, i: int, row: Any) -> Source:
        place = f"sources[{i}]"
        shards = member(row, "shards", int, self._path, place)
        if shards < 0:
            raise self._error(f"{place}.shards", "0 or more", shards)
        created_by = member(row, "created_by", dict, self._path, place)
        if nested_deeper(created_by, _MAX_DEPTH):
            raise self._error(f"{place}.created_by", f"at most {_MAX_DEPTH} levels", "more")
        return Source(shards, created_by)

    def _label_map(self, i: int, row: Any) -> tuple[int, ...]:
        if not isinstance(row, list) or not set(map(type, row)) <= {int}:
            raise self._error(f"label_maps[{i}]", "a list of classes", row)
        return tuple(row)

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

    def _edge(self, i: int, edge: Any) -> tuple[str, str]:
        if not isinstance(edge, list) or len(edge) != 2 or not all(isinstance(name, str) for name in edge):
            raise self._error(f"hierarchy[{i}]", "a pair of names", edge)
        return edge[0], edge[1]

    def _shards(self, rows: list[Any]) -> tuple[ShardInfo, ...]:
        """By columns, which is several times faster than by rows: there may be tens of thousands."""
        try:
            paths = [row["path"] for row in rows]
            indexes = [row["index"] if "index" in row else default_index(row["path"]) for row in rows]
            counts = [[row[name] for row in rows] for name in _COUNTS]
            hashes = [[row[name] for row in rows] for name in _HASHES]
            maps = [row.get("label_map") for row in rows]
            sound = (
                {type(text) for column in (paths, indexes, *hashes) for text in column} <= {str}
                and {type(count) for column in counts for count in column} <= {int}
                and {type(number) for number in maps} <= {int, type(None)}
                and not any(
                    number is None and "label_map" in row for number, row in zip(maps, rows, strict=True)
                )
                and not any(map(_ODD_PATH.match, map(_components, paths)))
                and not any(map(_ODD_PATH.match, map(_components, indexes)))
                and all(min(column, default=0) >= 0 for column in counts)
                and all(
                    max(column, default=0) <= limit
                    for column, limit in zip(counts, _COUNTS.values(), strict=True)
                )
                and all(heads <= prefix <= size for size, heads, prefix in zip(*counts[2:], strict=True))
                and min((number for number in maps if number is not None), default=0) >= 0
                and all(HASH.match(text) for column in hashes for text in column)
            )
        except (KeyError, TypeError, AttributeError):
            sound = False
        if not sound:
            for i, row in enumerate(rows):
                self._check_shard(i, row)
        self._refuse_repeated("path", paths)
        self._refuse_repeated("index", indexes)
        tar_xxh3, index_xxh3, file_xxh3 = ([int(text, 16) for text in column] for column in hashes)
        records, sizes, *index_sizes = counts
        return tuple(
            map(
                ShardInfo,
                paths,
                records,
                sizes,
                tar_xxh3,
                indexes,
                index_sizes[0],
                index_xxh3,
                *index_sizes[1:],
                file_xxh3,
                maps,
            )
        )

    def _check_shard(self, i: int, row: Any) -> None:
        required = {"path", *_COUNTS, *_HASHES}
        if not isinstance(row, dict) or not required <= row.keys():
            raise self._error(f"shards[{i}]", f"an object with {', '.join(sorted(required))}", row)
        for name in ("path", "index"):
            text = row.get(name, "beside the tar")
            if not isinstance(text, str) or _ODD_PATH.match(_components(text)):
                raise self._error(f"shards[{i}].{name}", "a path without empty, . or .. components", text)
        for name, limit in _COUNTS.items():
            if type(row[name]) is not int or not 0 <= row[name] <= limit:
                raise self._error(f"shards[{i}].{name}", f"0 to {limit}", row[name])
        for name, least, most in (
            ("index_head_bytes", 0, row["index_prefix_bytes"]),
            ("index_prefix_bytes", row["index_head_bytes"], row["index_bytes"]),
        ):
            if not least <= row[name] <= most:
                raise self._error(f"shards[{i}].{name}", f"{least} to {most}", row[name])
        number = row.get("label_map", 0)
        if type(number) is not int or number < 0:
            raise self._error(f"shards[{i}].label_map", "the number of a label map", number)
        for name in _HASHES:
            if not isinstance(row[name], str) or not HASH.match(row[name]):
                raise self._error(f"shards[{i}].{name}", "16 hexadecimal digits", row[name])

    def _refuse_repeated(self, name: str, paths: Sequence[str]) -> None:
        if len(set(paths)) == len(paths):
            return
        seen: set[str] = set()
        for i, path in enumerate(paths):
            if path in seen:
                raise self._error(f"shards[{i}].{name}", "one that no other shard has", path)
            seen.add(path)

    def _get(self, fields: Mapping[str, Any], name: str, kind: type) -> Any:
        return member(fields, name, kind, self._path)

    def _error(self, name: str, expected: str, found: Any) -> FormatError:
        return wrong(FormatError, self._path, name, expected, found)


def _components(path: str) -> str:
    """The path without the slash that makes it absolute."""
    return path.removeprefix("/")
