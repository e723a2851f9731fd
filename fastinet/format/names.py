"""The file names that keys do not tell, kept in ``names.json`` so that export can give the files back.

A key is a name without its extension. One extension a shard covers nearly every record; the others' names
are listed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastinet import _core
from fastinet.errors import FormatError, MissingFileError
from fastinet.storage.files import member, read_json, wrong

if TYPE_CHECKING:
    from fastinet.conversion.sources.base import Sample

__all__ = ["FILE", "name_of", "names_of", "read_names", "renamed"]

FILE = "names.json"
_NUMBERED = re.compile(r"(.*)~\d+\Z", re.DOTALL)


def names_of(samples: Iterable[Sample]) -> dict[str, Any]:
    """Of one shard: the commonest extension, and the names of files that have another or were renamed.

    A name that ends in a dot stands for none: the source numbers its images.
    """
    names = {sample.key: sample.origin.rpartition("/")[2] for sample in samples}
    usual = Counter(_extension(key, name) for key, name in names.items()).most_common(1)
    extension = (usual and usual[0][0]) or ""
    others = {key: name for key, name in names.items() if _extension(key, name) != extension}
    return {"extension": extension, "others": others}


def read_names(folder: Path, shards: int) -> list[dict[str, Any] | None] | None:
    """What ``names_of`` gave for each shard of a split, None for a shard that was indexed in place; None if
    there is no such file.

    Raises:
        FormatError: the file is not such a list, or of another number of shards.
    """
    path = folder / FILE
    try:
        told = read_json(path)
    except MissingFileError:
        return None
    if type(told) is not list or len(told) != shards:
        found = f"{len(told)}" if type(told) is list else told
        raise wrong(
            FormatError, str(path), "the top level", f"a list of {shards} objects, one for each shard", found
        )
    for number, row in enumerate(told):
        if row is None:
            continue
        extension = member(row, "extension", str, str(path), f"[{number}]")
        others = member(row, "others", dict, str(path), f"[{number}]")
        for name in (extension, *others.values()):
            if type(name) is not str or "/" in name or "\0" in name:
                raise wrong(FormatError, str(path), f"[{number}]", "file names", name)
    return told


def name_of(key: str, names: Mapping[str, Any], suffix: str) -> str:
    """The file name of a record, without folders; the inverse of ``names_of``.

    Args:
        key: of the record.
        names: as ``names_of`` gave them.
        suffix: of the record's member in the shard, for what had no file name in the source.
    """
    other = names["others"].get(key)
    name = (
        _core.unescape_key(key.rpartition("/")[2]) + str(names["extension"]) if other is None else str(other)
    )
    return f"{name[:-1]}{suffix}" if name.endswith(".") else name


def renamed(names: Mapping[str, Any]) -> list[str]:
    """Keys that got a number because another file of the split has theirs, each with its file's name."""
    found = []
    for key, name in names["others"].items():
        match = _NUMBERED.fullmatch(key)
        if match is not None and _extension(key, name) is None and _extension(match[1], name) is not None:
            found.append(f"{key} ({name})")
    return found


def _extension(key: str, name: str) -> str | None:
    stem = _core.unescape_key(key.rpartition("/")[2])
    return name[len(stem) :] if name.startswith(stem) and name[len(stem) :][:1] == "." else None
