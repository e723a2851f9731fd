"""Unusual images, from the sidecars and from the conversion's report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from fastinet import _core
from fastinet.errors import FormatError
from fastinet.format.json_files import read_json
from fastinet.format.layout import REPORT
from fastinet.format.names import read_names
from fastinet.format.report import SplitReport
from fastinet.storage.files import is_there

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

# Properties that sidecars record: from their facts to a mask.
KINDS: Mapping[str, Callable[[Facts], Mask]] = {
    "not JPEG": lambda f: (f["format"] != JPEG) & (f["format"] != 0),
    "no known format": lambda f: f["format"] == 0,
    "size not known": lambda f: (f["width"] == 0) | (f["height"] == 0),
    "EXIF-rotated": lambda f: f["orientation"] > 1,
    "JPEG without entry points": lambda f: (f["format"] == JPEG) & (f["entry_points_bytes"] == 0),
    "under 32 px": lambda f: (np.minimum(f["width"], f["height"]) < 32) & (f["width"] > 0),
    "without a label": lambda f: f["label"] < 0,
}

# Remarks of the conversion that are left out, because the sidecars record the same.
_IN_SIDECARS = {
    "EXIF-rotated",
    "under 32 px",
    "neither JPEG nor another common format",
    *FORMATS[2:],
}

MEANINGS = {
    "not JPEG": "Another format, whatever the file's extension is. Pillow decodes these, at its speed.",
    "no known format": "Files that do not begin like any common image format.",
    "size not known": "No decoder accepted these files when they were converted or indexed.",
    "EXIF-rotated": "Stored rotated or mirrored. torchvision trains on them as stored, and so does fastinet.",
    "JPEG without entry points": "Always decoded from the first row: progressive, CMYK or unusual files, or "
    "a conversion without entry points.",
    "under 32 px": "A side is shorter than 32 pixels.",
    "without a label": "Loaders give these the label -1.",
    "misnamed": "The file has the extension of another format.",
    "gray": "One channel; decoding repeats it into red, green and blue.",
    "CMYK": "Four channels for printing; decoding converts them to RGB as Pillow does.",
    "progressive": "Stored in several passes, all of which must be read before the first pixel is final.",
    "irregular JPEG": "Junk bytes or unusual headers. Pillow still decodes these, and decides their pixels.",
    "JPEG without an end-of-image marker": "The last bytes are missing. Pillow still decodes these files.",
    "broken EXIF": "Metadata that cannot be parsed. As in torchvision, the image counts as not rotated.",
    "several EXIF segments": "Pillow decided whether the image is rotated.",
}
_NORMALISED = "normalised to RGB JPEG"


def meaning_of(remark: str) -> str:
    """Returns what a conversion's remark means, in a sentence; "" if the remark needs no explanation."""
    if remark.endswith(_NORMALISED):
        return "Not the source's bytes: the conversion turned such files into RGB JPEGs, as requested."
    return MEANINGS.get(remark.partition(":")[0], "")


def read_report(folder: Path) -> SplitReport | None:
    """Returns the conversion's report; None if the split has none, for example because it was indexed.

    Raises:
        FormatError: the file is malformed.
    """
    path = folder / REPORT
    return _optional(lambda: SplitReport.from_json(read_json(path), str(path)) if is_there(path) else None)


def remarks_of(report: SplitReport) -> dict[str, int]:
    """Returns the counts of the remarks that are in the report only."""
    return {kind: count for kind, count in report.remarks.items() if kind not in _IN_SIDECARS and count}


class FileNames:
    """The source's file names, from ``names.json``, whose extensions may contradict the format."""

    def __init__(self, folder: Path, shard_ends: npt.NDArray[np.int64]) -> None:
        """Reads the names. `shard_ends` are the numbers of records up to and including each shard.

        Raises:
            FormatError: ``names.json`` is malformed or of another number of shards.
        """
        self._ends = shard_ends
        names = _optional(lambda: read_names(folder, len(shard_ends)))
        self.known = names is not None
        rows = [shard or {"extension": "", "others": {}} for shard in names or ()]
        self._others: Sequence[Mapping[str, str]] = [row["others"] for row in rows]
        self._usual = np.array([_format_of_name(row["extension"]) for row in rows], np.int64)

    def misnamed(self, first: int, formats: npt.NDArray[np.uint8], core: _core.ShardedDataset) -> Mask:
        """Returns a mask of the records from `first` on whose names have the extension of another format.

        `formats` are their actual formats.
        """
        if not self.known or not len(formats):
            return np.zeros(len(formats), np.bool_)
        shards = np.searchsorted(self._ends, np.arange(first, first + len(formats)), side="right")
        expected = self._usual[shards]
        if any(self._others[shard] for shard in range(shards[0], shards[-1] + 1)):
            for place, key in enumerate(core.keys(first, len(formats))):
                name = self._others[shards[place]].get(key)
                if name is not None:
                    expected[place] = _format_of_name(name)
        wrong: Mask = (expected != 0) & (formats != 0) & (expected != formats)
        return wrong


def _format_of_name(name: str) -> int:
    """Returns the number of the format that a file name's extension stands for; 0 if there is none."""
    return _SUFFIXES.get(name.rpartition(".")[2].lower(), 0)


def _optional(read: Callable[[], T]) -> T:
    """Calls `read`. Adds to its errors that the file is optional."""
    try:
        return read()
    except FormatError as e:
        raise FormatError(f"{e}; remove it to inspect without it", path=e.path) from None
