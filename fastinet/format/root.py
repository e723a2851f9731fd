"""``splits.json``: the splits of a dataset folder with the hashes of their manifests.

Object stores that are read over HTTP cannot be listed, so a reader needs one file that names the others.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fastinet import _core
from fastinet.errors import ChecksumError, FormatError, MissingFileError
from fastinet.format.contents import Manifest
from fastinet.format.json_files import HASH, MAX_JSON_BYTES, member, parse_json, refuse_version, wrong
from fastinet.format.manifest import seal
from fastinet.storage.files import read_bytes

__all__ = ["FILE_NAME", "ListedSplit", "decode", "encode", "is_root", "listed", "read", "refresh"]

FILE_NAME = "splits.json"
FORMAT_VERSION = 2

_TAIL = re.compile(rb',\n  "splits_xxh3": "([0-9a-f]{16})"\n}\n\Z')
_FOLDER = re.compile(r"(?!\.{1,2}\Z)[^/\x00]+\Z", re.DOTALL)


class ListedSplit(NamedTuple):
    """One split.

    Attributes:
        manifest_xxh3: the ``manifest_xxh3`` of the split's ``dataset.json``.
        records: number of its records.
    """

    manifest_xxh3: int
    records: int


def listed(contents: Manifest) -> ListedSplit:
    """The entry for a split whose manifest was read from its file."""
    return ListedSplit(contents.xxh3 or 0, contents.records)


def encode(splits: Mapping[str, ListedSplit]) -> bytes:
    """The bytes of the file, for splits by the names of their folders."""
    rows = ",\n".join(
        f"    {json.dumps(folder)}: "
        + json.dumps({"manifest_xxh3": f"{row.manifest_xxh3:016x}", "records": row.records})
        for folder, row in sorted(splits.items())
    )
    inner = f"{{\n{rows}\n  }}" if rows else "{}"
    body = f'{{\n  "format_version": {FORMAT_VERSION},\n  "splits": {inner}'.encode()
    return seal(body, "splits_xxh3")


def decode(data: bytes, path: str) -> dict[str, ListedSplit]:
    """The splits in the bytes of `path`, by the names of their folders.

    Raises:
        ChecksumError: the bytes are not those that were written.
        UnsupportedError: another version of fastinet wrote them.
        FormatError: a field is missing or wrong.
    """
    tail = _TAIL.search(data)
    if tail is None:
        raise FormatError(
            f"{path}: not a complete list of splits: it does not end with its checksum", path=path
        )
    expected, found = tail[1].decode(), f"{_core.xxh3(data[: tail.start()]):016x}"
    if found != expected:
        raise ChecksumError(
            f"{path}: list of splits is damaged: expected XXH3 {expected}, found {found}",
            path=path,
            expected=expected,
            found=found,
        )
    fields = parse_json(data, path)
    refuse_version(fields, FORMAT_VERSION, path)
    rows = member(fields, "splits", dict, path)
    return {folder: _split(folder, row, path) for folder, row in rows.items()}


def _split(folder: str, row: Any, path: str) -> ListedSplit:
    if not _FOLDER.match(folder):
        raise wrong(FormatError, path, "splits", "names of folders", folder)
    place = f"splits.{folder}"
    digits, records = (
        member(row, "manifest_xxh3", str, path, place),
        member(row, "records", int, path, place),
    )
    if not HASH.match(digits):
        raise wrong(FormatError, path, f"{place}.manifest_xxh3", "16 hexadecimal digits", digits)
    if records < 0:
        raise wrong(FormatError, path, f"{place}.records", "0 or more", records)
    return ListedSplit(int(digits, 16), records)


def is_root(data: bytes | None) -> bool:
    """Whether these are the bytes of such a file, be it damaged."""
    return data is not None and b'"splits"' in data[:64] and b'"format_version"' in data[:32]


def read(folder: Path) -> dict[str, ListedSplit] | None:
    """The splits that ``folder/splits.json`` lists; None where there is no such file of fastinet.

    Raises:
        ShardIOError: the file cannot be read. Further errors are those of ``decode``.
    """
    path = folder / FILE_NAME
    try:
        data = read_bytes(path, MAX_JSON_BYTES)
    except MissingFileError:
        return None
    return decode(data, str(path)) if is_root(data) else None


def refresh(split: Path, contents: Manifest) -> None:
    """Enters a split that was made anew in the list of the folder above, if that lists it.

    Args:
        split: the split's folder.
        contents: its manifest, as read from its file.

    Raises:
        ShardIOError: the operating system refused.
        FormatError, UnsupportedError: the list is not valid.
    """
    splits = read(split.parent)
    if splits is not None and split.name in splits:
        splits[split.name] = listed(contents)
        _core.write_file(os.fsencode(split.parent / FILE_NAME), encode(splits))
