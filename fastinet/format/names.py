"""``names.json``: the names of the source's files, as far as keys do not tell them, for export.

A key is a file name without its extension. One extension per shard covers nearly every record; the names of
the other files are listed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fastinet import _core
from fastinet.errors import FormatError, MissingFileError
from fastinet.format.json_files import member, read_json, wrong

__all__ = ["FILE", "name_of", "names_of", "read_names", "renamed"]

FILE = "names.json"
_NUMBERED = re.compile(r"(.*)~\d+\Z", re.DOTALL)


def names_of(origins: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Returns the most common extension of a shard, and the names of files with another one or another name.

    Args:
        origins: the key of each record, and the path of its file in the source. A path that ends in a dot
            means that there is no file name: the source numbers its images.
    """
    names = {key: origin.rpartition("/")[2] for key, origin in origins}
    usual = Counter(_extension(key, name) for key, name in names.items()).most_common(1)
    extension = (usual and usual[0][0]) or ""
    others = {key: name for key, name in names.items() if _extension(key, name) != extension}
    return {"extension": extension, "others": others}


def read_names(folder: Path, shards: int) -> list[dict[str, Any] | None] | None:
    """Returns what ``names_of`` returned for each shard of a split, or None if the file does not exist.

    A shard that was indexed in place has None.

    Raises:
        FormatError: the file is not such a list, or has another number of shards.
    """
    path = folder / FILE
    try:
        rows = read_json(path)
    except MissingFileError:
        return None
    if type(rows) is not list or len(rows) != shards:
        found = f"{len(rows)}" if type(rows) is list else rows
        raise wrong(
            FormatError, str(path), "the top level", f"a list of {shards} objects, one for each shard", found
        )
    for number, row in enumerate(rows):
        if row is None:
            continue
        extension = member(row, "extension", str, str(path), f"[{number}]")
        others = member(row, "others", dict, str(path), f"[{number}]")
        for name in (extension, *others.values()):
            if type(name) is not str or "/" in name or "\0" in name:
                raise wrong(FormatError, str(path), f"[{number}]", "file names", name)
    return rows


def name_of(key: str, names: Mapping[str, Any], suffix: str) -> str:
    """Returns the file name of a record, without folders. The inverse of ``names_of``.

    Args:
        key: of the record.
        names: what ``names_of`` returned.
        suffix: of the record's member in the shard, used if the record had no file name in the source.
    """
    other = names["others"].get(key)
    name = (
        _core.unescape_key(key.rpartition("/")[2]) + str(names["extension"]) if other is None else str(other)
    )
    return f"{name[:-1]}{suffix}" if name.endswith(".") else name


def renamed(names: Mapping[str, Any]) -> list[str]:
    """Lists the keys that got a number because another file had the same key, each with its file name."""
    found = []
    for key, name in names["others"].items():
        match = _NUMBERED.fullmatch(key)
        if match is not None and _extension(key, name) is None and _extension(match[1], name) is not None:
            found.append(f"{key} ({name})")
    return found


def _extension(key: str, name: str) -> str | None:
    stem = _core.unescape_key(key.rpartition("/")[2])
    return name[len(stem) :] if name.startswith(stem) and name[len(stem) :][:1] == "." else None
