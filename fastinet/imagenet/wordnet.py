"""Words, glosses, ILSVRC IDs and the ``is_a`` graph of synsets, from ImageNet's metadata files."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from fastinet.dataset.hierarchy import Hierarchy
from fastinet.errors import FormatError, MissingFileError, UnsupportedError
from fastinet.format.manifest import ClassInfo
from fastinet.storage.files import unreadable

__all__ = ["FILE_NAMES", "MetaSynset", "WordNet", "read_meta_mat", "split_words"]

Edge = tuple[str, str]


@dataclass(frozen=True)
class WordNet:
    """Synsets by WNID. Any part may be empty.

    Attributes:
        words: synonyms, the most usual first.
        glosses: definitions.
        edges: pairs (parent, child) of the ``is_a`` graph.
        ilsvrc2012_ids: the devkit's numbers of the 1000 classes, 1 to 1000.
        files: names of the files that were read.
        digest: BLAKE2b hash of their contents, in hex; empty if none was read.
    """

    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    glosses: Mapping[str, str] = field(default_factory=dict)
    edges: tuple[Edge, ...] = ()
    ilsvrc2012_ids: Mapping[str, int] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    digest: str = ""

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> WordNet:
        """Reads those of ``FILE_NAMES`` that are in `folder`. If two files differ, the earlier name wins.

        Raises:
            MissingFileError: the folder has none of them.
            FormatError: a file is malformed; the message names the line.
            UnsupportedError: there is a ``meta.mat``, and SciPy is not installed.
        """
        found = cls.find(folder)
        if not found.files:
            names = ", ".join(FILE_NAMES)
            raise MissingFileError(
                f"{folder}: no metadata of synsets here (looked for {names})", path=str(folder)
            )
        return found

    @classmethod
    def find(cls, *folders: str | os.PathLike[str]) -> WordNet:
        """Like `read`, but takes each file from the first folder that has it. Empty if there are no files."""
        parts: list[WordNet] = []
        names: list[str] = []
        digest = hashlib.blake2b(digest_size=16)
        for name, parse in FILE_NAMES.items():
            path = next((p for p in (Path(f) / name for f in folders) if p.is_file()), None)
            if path is None:
                continue
            try:
                data = path.read_bytes()
            except OSError as e:
                raise unreadable(path, e) from None
            parts.append(parse(str(path), data))
            names.append(name)
            digest.update(hashlib.blake2b(name.encode() + b"\0" + data).digest())
        return cls(
            words=_first(part.words for part in parts),
            glosses=_first(part.glosses for part in parts),
            edges=tuple(next((part.edges for part in parts if part.edges), ())),
            ilsvrc2012_ids=_first(part.ilsvrc2012_ids for part in parts),
            files=tuple(names),
            digest=digest.hexdigest() if names else "",
        )

    def describe(self, classes: Sequence[ClassInfo]) -> tuple[ClassInfo, ...]:
        """Returns the classes, with words, gloss and ILSVRC ID added to those that have none."""
        described = []
        for c in classes:
            details = dict(c.details)
            if c.name in self.ilsvrc2012_ids:
                details.setdefault("ilsvrc2012_id", self.ilsvrc2012_ids[c.name])
            described.append(
                replace(
                    c,
                    words=c.words or self.words.get(c.name, ()),
                    gloss=c.gloss or self.glosses.get(c.name, ""),
                    details=details,
                )
            )
        return tuple(described)

    def hierarchy_of(self, classes: Iterable[str]) -> tuple[tuple[Edge, ...], tuple[ClassInfo, ...]]:
        """Returns the part of the graph above these classes.

        Returns:
            The edges, sorted, and the nodes that are not among the classes, sorted by name, with their words.
        """
        names = set(classes)
        whole = Hierarchy(self.edges)
        kept = {n for n in names if n in whole}
        for name in tuple(kept):
            kept |= whole.ancestors(name)
        edges = sorted({edge for edge in self.edges if edge[1] in kept})
        inner = (ClassInfo(n, self.words.get(n, ()), self.glosses.get(n, "")) for n in sorted(kept - names))
        return tuple(edges), tuple(inner)


def _words(path: str, data: bytes) -> WordNet:
    return WordNet(words={name: split_words(text) for name, text in _rows(path, data, "\t")})


def _loc_mapping(path: str, data: bytes) -> WordNet:
    return WordNet(words={name: split_words(text) for name, text in _rows(path, data, " ")})


def _glosses(path: str, data: bytes) -> WordNet:
    return WordNet(glosses=dict(_rows(path, data, "\t")))


def _is_a(path: str, data: bytes) -> WordNet:
    edges = tuple(_rows(path, data, " "))
    for line, (_, child) in enumerate(edges, 1):
        if not child or " " in child:
            raise _wrong(path, line, "two names", child)
    return WordNet(edges=edges)


class MetaSynset(NamedTuple):
    """A row of ``meta.mat``.

    Attributes:
        number: the ILSVRC ID.
        children: ILSVRC IDs of the children. The classes of the challenge have none.
        train_images: number of training images; None if the file does not contain it.
    """

    number: int
    wnid: str
    words: str
    gloss: str
    children: tuple[int, ...]
    train_images: int | None = None


def read_meta_mat(path: str, data: bytes) -> tuple[int, list[MetaSynset]]:
    """Returns the year of the challenge and the synsets of a devkit's ``meta.mat``.

    Raises:
        FormatError: the data are not such a file.
        UnsupportedError: SciPy is not installed.
    """
    try:
        import scipy.io  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise UnsupportedError(
            f"{path}: reading MATLAB files needs SciPy; install it with: pip install 'fastinet[imagenet]'",
            path=path,
        ) from None
    try:
        rows = scipy.io.loadmat(io.BytesIO(data), squeeze_me=True, variable_names=["synsets"])["synsets"]
        year = next(year for year in (2012, 2010) if f"ILSVRC{year}_ID" in rows.dtype.names)
        return year, [
            MetaSynset(
                int(row[f"ILSVRC{year}_ID"]),
                str(row["WNID"]),
                str(row["words"]),
                str(row["gloss"]),
                tuple(int(child) for child in _each(row["children"])) if int(row["num_children"]) else (),
                int(row["num_train_images"]) if "num_train_images" in rows.dtype.names else None,
            )
            for row in rows
        ]
    except Exception as e:  # SciPy's reader raises many kinds
        raise FormatError(f"{path}: not the devkit's list of synsets: {e}", path=path) from None


def _meta_mat(path: str, data: bytes) -> WordNet:
    year, synsets = read_meta_mat(path, data)
    wnids = {s.number: s.wnid for s in synsets}
    try:
        edges = tuple((s.wnid, wnids[child]) for s in synsets for child in s.children)
    except KeyError as e:
        raise FormatError(f"{path}: names a child {e} that is not in the list", path=path) from None
    return WordNet(
        words={s.wnid: split_words(s.words) for s in synsets},
        glosses={s.wnid: s.gloss for s in synsets},
        edges=edges,
        ilsvrc2012_ids={s.wnid: s.number for s in synsets if not s.children} if year == 2012 else {},
    )


def _devkit(path: str, data: bytes) -> WordNet:
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar:
                if member.isfile() and member.name.endswith("data/meta.mat"):
                    content = tar.extractfile(member)
                    return _meta_mat(f"{path}/{member.name}", content.read() if content else b"")
    except (tarfile.TarError, EOFError, OSError) as e:
        raise FormatError(f"{path}: not a complete tar: {e}", path=path) from None
    raise FormatError(f"{path}: expected a member data/meta.mat, found none", path=path)


FILE_NAMES: Mapping[str, Callable[[str, bytes], WordNet]] = {
    "words.txt": _words,
    "gloss.txt": _glosses,
    "wordnet.is_a.txt": _is_a,
    "LOC_synset_mapping.txt": _loc_mapping,
    "meta.mat": _meta_mat,
    "data/meta.mat": _meta_mat,
    "ILSVRC2012_devkit_t12/data/meta.mat": _meta_mat,
    "ILSVRC2012_devkit_t12.tar.gz": _devkit,
    "devkit-1.0/data/meta.mat": _meta_mat,
    "ILSVRC2010_devkit-1.0.tar.gz": _devkit,
    "devkit-1.0.tar.gz": _devkit,
}


def split_words(text: str) -> tuple[str, ...]:
    """Splits a line of synonyms such as "tench, Tinca tinca"."""
    return tuple(word for word in (part.strip() for part in text.split(",")) if word)


def _rows(path: str, data: bytes, separator: str) -> list[tuple[str, str]]:
    rows = []
    seen: set[tuple[str, str]] = set()
    for number, raw in enumerate(data.splitlines(), 1):
        if not raw.strip():
            continue
        try:
            name, found, text = raw.decode().partition(separator)
        except UnicodeDecodeError:
            raise _wrong(path, number, "UTF-8", repr(raw[:60])) from None
        if not found or not name:
            raise _wrong(path, number, f"a name, {separator!r} and a text", repr(raw[:60].decode()))
        row = name, text.strip()
        if row not in seen:
            seen.add(row)
            rows.append(row)
    return rows


def _wrong(path: str, line: int, expected: str, found: str) -> FormatError:
    return FormatError(
        f"{path}: line {line}: expected {expected}, found {found}", path=path, expected=expected, found=found
    )


def _first(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for part in parts:
        merged = {**part, **merged}
    return merged


def _each(value: Any) -> Iterable[Any]:
    """Returns the elements of an array that SciPy turned into a scalar if it had one element."""
    return (value,) if isinstance(value, int) else value
