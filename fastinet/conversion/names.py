"""The file names that keys do not tell, kept in ``names.json`` so that export can give the files back.

A key is a name without its extension. One extension a shard covers nearly every record; the others' names
are listed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from fastinet import _core
from fastinet.conversion.source import Sample

__all__ = ["FILE", "name_of", "names_of"]

FILE = "names.json"


def names_of(samples: Iterable[Sample]) -> dict[str, Any]:
    """Of one shard: the commonest extension, and the names of files that have another or were renamed."""
    names = {sample.key: sample.origin.rpartition("/")[2] for sample in samples}
    usual = Counter(_extension(key, name) for key, name in names.items()).most_common(1)
    extension = (usual and usual[0][0]) or ""
    others = {key: name for key, name in names.items() if _extension(key, name) != extension}
    return {"extension": extension, "others": others}


def name_of(key: str, names: Mapping[str, Any]) -> str:
    """The file name of a record, without folders; the inverse of ``names_of``."""
    other = names["others"].get(key)
    if other is not None:
        return str(other)
    return _core.unescape_key(key.rpartition("/")[2]) + str(names["extension"])


def _extension(key: str, name: str) -> str | None:
    stem = _core.unescape_key(key.rpartition("/")[2])
    return name[len(stem) :] if name.startswith(stem) and name[len(stem) :][:1] == "." else None
