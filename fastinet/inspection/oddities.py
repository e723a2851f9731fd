"""What is out of the ordinary about images, from the sidecars and from what the conversion wrote down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from fastinet import _core
from fastinet.errors import FormatError
from fastinet.format.layout import REPORT
from fastinet.format.names import read_names
from fastinet.format.report import SplitReport
from fastinet.storage.files import is_there, read_json

__all__ = ["FORMATS", "JPEG", "KINDS", "MEANINGS", "FileNames", "meaning_of", "read_report"]

FORMATS = ("unknown", *_core.ENCODINGS[1:])  # by the codes of FORMAT.md
JPEG = FORMATS.index("JPEG")

_SUFFIXES = {
    "jpg": 1,
    "jpeg": 1,
    "jpe": 1,
    "jfif": 1,
    "png": 2,
    "gif": 3,
    "bmp": 4,
    "dib": 4,
    "tif": 5,
    "tiff": 5,
    "webp": 6,
}

T = TypeVar("T")
Facts = npt.NDArray[np.void]
Mask = npt.NDArray[np.bool_]

# What sidecars tell, as a mask over their facts.
KINDS: Mapping[str, Callable[[Facts], Mask]] = {
    "not JPEG": lambda f: (f["format"] != JPEG) & (f["format"] != 0),
    "no known format": lambda f: f["format"] == 0,
    "size not known": lambda f: (f["width"] == 0) | (f["height"] == 0),
    "EXIF-rotated": lambda f: f["orientation"] > 1,
    "JPEG without entry points": lambda f: (f["format"] == JPEG) & (f["entry_points_bytes"] == 0),
    "under 32 px": lambda f: (np.minimum(f["width"], f["height"]) < 32) & (f["width"] > 0),
    "without a label": lambda f: f["label"] < 0,
}

# The conversion's remarks, of which those that sidecars tell, too, are left to them.
_TOLD_BY_SIDECARS = {
    "EXIF-rotated",
    "under 32 px",
    "neither JPEG nor another common format",
    *FORMATS[2:],
}

MEANINGS = {
    "not JPEG": "Another format, whatever the file's name says. Pillow decodes these, at its speed.",
    "no known format": "Bytes that begin like no common image format.",
    "size not known": "No decoder accepted these files when they were converted or indexed.",
    "EXIF-rotated": "Stored turned or mirrored. torchvision trains on them as stored, and so does fastinet.",
    "JPEG without entry points": "Decoded from the first row on: progressive, CMYK or unusual files, or a "
    "conversion that was told to leave entry points out.",
    "under 32 px": "A side is shorter than 32 pixels.",
    "without a label": "Loaders give these the label -1.",
    "misnamed": "The file's extension promises another format than its bytes are.",
    "gray": "One channel; decoding repeats it into red, green and blue.",
    "CMYK": "Four channels for printing; decoding converts them to RGB as Pillow does.",
    "progressive": "Stored in several passes, which must all be read before the first pixel is final.",
    "irregular JPEG": "Junk or odd headers that Pillow, as arbiter, still reads.",
    "JPEG without an end-of-image marker": "Its last bytes are missing; Pillow reads it all the same.",
    "broken EXIF": "Metadata that cannot be parsed; the image then counts as not turned, as for torchvision.",
    "several EXIF segments": "Pillow, as arbiter, said whether the image is turned.",
}
_NORMALISED = "normalised to RGB JPEG"


def meaning_of(remark: str) -> str:
    """What a conversion's remark means, in a sentence; "" where the remark says it all."""
    if remark.endswith(_NORMALISED):
        return "Not the source's bytes: the conversion was asked to make such files RGB JPEGs."
    return MEANINGS.get(remark.partition(":")[0], "")


def read_report(folder: Path) -> SplitReport | None:
    """What the conversion wrote down; None for a split that was not converted, or without that file.

    Raises:
        FormatError: the file is not such a report.
    """
    path = folder / REPORT
    return _spared(lambda: SplitReport.from_json(read_json(path), str(path)) if is_there(path) else None)


def remarks_of(report: SplitReport) -> dict[str, int]:
    """The remarks that only the report tells, with their counts."""
    return {kind: count for kind, count in report.remarks.items() if kind not in _TOLD_BY_SIDECARS and count}


class FileNames:
    """Which records had file names that promise another format than they have, by ``names.json``."""

    def __init__(self, folder: Path, shard_ends: npt.NDArray[np.int64]) -> None:
        """`shard_ends`: number of records up to and with each shard.

        Raises:
            FormatError: ``names.json`` is malformed or of another number of shards.
        """
        self._ends = shard_ends
        told = _spared(lambda: read_names(folder, len(shard_ends)))
        self.known = told is not None
        rows = [shard or {"extension": "", "others": {}} for shard in told or ()]
        self._others: Sequence[Mapping[str, str]] = [row["others"] for row in rows]
        self._usual = np.array([_promised(row["extension"]) for row in rows], np.int64)

    def misnamed(self, first: int, formats: npt.NDArray[np.uint8], core: _core.ShardedDataset) -> Mask:
        """Of the records from `first` on with these formats, those whose names promise another one."""
        if not self.known or not len(formats):
            return np.zeros(len(formats), np.bool_)
        shards = np.searchsorted(self._ends, np.arange(first, first + len(formats)), side="right")
        promised = self._usual[shards]
        if any(self._others[shard] for shard in range(shards[0], shards[-1] + 1)):
            for place, key in enumerate(core.keys(first, len(formats))):
                name = self._others[shards[place]].get(key)
                if name is not None:
                    promised[place] = _promised(name)
        wrong: Mask = (promised != 0) & (formats != 0) & (promised != formats)
        return wrong


def _promised(name: str) -> int:
    """The number of the format that a file name's extension stands for; 0: none."""
    return _SUFFIXES.get(name.rpartition(".")[2].lower(), 0)


def _spared(read: Callable[[], T]) -> T:
    """What `read` gives; its errors say that inspecting does without the file."""
    try:
        return read()
    except FormatError as e:
        raise FormatError(f"{e}; remove it to inspect without it", path=e.path) from None
