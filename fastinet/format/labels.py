"""``labels.bin``: the label of every record, so that choosing classes needs no sidecar."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from fastinet import _core
from fastinet.format.contents import FileInfo, LabelsFile
from fastinet.format.side_file import read_side_file

__all__ = ["FILE_NAME", "encode", "read"]

FILE_NAME = "labels.bin"
_UNLABELLED = 0xFFFF


def encode(labels: npt.NDArray[np.int32], classes: int) -> tuple[LabelsFile, bytes]:
    """The file for these labels, int32 of shape (records,), and its entry in the manifest.

    Args:
        labels: of the records in order; -1: none.
        classes: number of classes, which decides how wide an entry is.
    """
    if classes <= _UNLABELLED and not len(labels[labels >= _UNLABELLED]):
        # -1 becomes 0xFFFF
        data, dtype = labels.astype("<u2").tobytes(), "u16"
    else:
        data, dtype = labels.astype("<i4").tobytes(), "i32"
    file = FileInfo(FILE_NAME, len(data), _core.xxh3(data))
    return LabelsFile(file, "u16" if dtype == "u16" else "i32"), data


def read(folder: Path, entry: LabelsFile) -> npt.NDArray[np.int32]:
    """The labels, int32 of shape (records,); -1: none.

    Raises:
        MissingFileError, ShardIOError: the file cannot be read.
        TruncatedError, ChecksumError: it is not the one that the manifest lists.
    """
    data = read_side_file(folder, entry.file)
    if entry.dtype == "i32":
        return np.frombuffer(data, "<i4").astype(np.int32)
    labels = np.frombuffer(data, "<u2").astype(np.int32)
    labels[labels == _UNLABELLED] = -1
    return labels
