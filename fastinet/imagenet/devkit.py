"""The development kits of ILSVRC-2010 and ILSVRC-2012: the classes, and the ground truth."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fastinet.errors import FormatError
from fastinet.format.manifest import ClassInfo
from fastinet.imagenet.wordnet import MetaSynset, read_meta_mat, split_words
from fastinet.storage.files import unreadable

__all__ = ["Devkit"]

_TRUTH = re.compile(r"ILSVRC\d{4}_(validation|test|testing)_ground_truth\.txt")
_SPLITS = {"validation": "val", "test": "test", "testing": "test"}


@dataclass(frozen=True)
class Devkit:
    """The metadata of one year's challenge.

    Attributes:
        location: the ``meta.mat`` that was read.
        classes: the synsets of the challenge, sorted by WNID, which is the label order of torchvision, timm
            and Kaggle. Each has its ``ilsvrc2012_id`` or ``ilsvrc2010_id``, and its ``num_train_images``.
        wnids: WNID of each ILSVRC ID. IDs begin at 1, and are not in label order: in 2012, 1 is n02119789.
        truth: for each split, the ILSVRC ID of each image, in ascending order of the file names.
    """

    location: str
    classes: tuple[ClassInfo, ...]
    wnids: Mapping[int, str]
    truth: Mapping[str, tuple[int, ...]]

    @classmethod
    def find(cls, folder: Path, year: int, names: Iterable[str]) -> Devkit | None:
        """Reads a year's kit in `folder`, unpacked or in an archive with one of `names`. None if missing.

        Raises:
            FormatError: a file of the kit is malformed.
            UnsupportedError: SciPy, which reads ``meta.mat``, is not installed.
        """
        places = [*(folder / name for name in names), folder]
        files: dict[str, tuple[str, bytes]] = {}
        for place in places:
            for path, name, data in _kit_files(place):
                files.setdefault(name, (path, data))
        if "meta.mat" not in files:
            return None
        location, data = files.pop("meta.mat")
        found_year, synsets = read_meta_mat(location, data)
        if found_year != year:
            return None
        wnids = {s.number: s.wnid for s in synsets if not s.children}
        classes = sorted(
            (
                ClassInfo(s.wnid, split_words(s.words), s.gloss, _details(year, s))
                for s in synsets
                if not s.children
            ),
            key=lambda c: c.name,
        )
        truth = {}
        for name, (path, data) in files.items():
            match = _TRUTH.fullmatch(name)
            if match and name.startswith(f"ILSVRC{year}"):
                truth[_SPLITS[match[1]]] = _parse_truth(path, data, wnids)
        return cls(location, tuple(classes), wnids, truth)


def _details(year: int, synset: MetaSynset) -> dict[str, int]:
    details = {f"ilsvrc{year}_id": synset.number}
    return details if synset.train_images is None else {**details, "num_train_images": synset.train_images}


def _kit_files(place: Path) -> Iterator[tuple[str, str, bytes]]:
    """Yields (location, name, content) of a kit's files in a tar, or in a folder and its ``data``."""
    try:
        if place.is_file():
            with tarfile.open(place) as tar:
                for member in tar:
                    name = member.name.rpartition("/")[2]
                    if member.isfile() and _is_wanted(name):
                        content = tar.extractfile(member)
                        yield f"{place}/{member.name}", name, content.read() if content else b""
            return
        for folder in (place, place / "data"):
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                if path.is_file() and _is_wanted(path.name):
                    yield str(path), path.name, path.read_bytes()
    except (tarfile.TarError, EOFError) as e:
        raise FormatError(f"{place}: not a complete tar: {e}", path=str(place)) from None
    except OSError as e:
        raise unreadable(place, e) from None


def _is_wanted(name: str) -> bool:
    return name == "meta.mat" or _TRUTH.fullmatch(name) is not None


def _parse_truth(path: str, data: bytes, wnids: Mapping[int, str]) -> tuple[int, ...]:
    ids = []
    for line, text in enumerate(data.split(), 1):
        number = int(text) if text.isdigit() else 0
        if number not in wnids:
            expected, found = f"an ILSVRC ID, 1 to {max(wnids)}", repr(text.decode("utf-8", "replace"))
            raise FormatError(
                f"{path}: line {line}: expected {expected}, found {found}",
                path=path,
                expected=expected,
                found=found,
            )
        ids.append(number)
    return tuple(ids)
