"""The end of every split, whoever makes it: the files that the manifest lists, and the manifest last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fastinet.format import chunks, labels
from fastinet.format.chunks import ShardChunks
from fastinet.format.contents import Manifest

__all__ = ["with_side_files"]


def with_side_files(
    contents: Manifest, record_labels: npt.NDArray[np.int32], shard_chunks: Sequence[ShardChunks] | None
) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest with its entries for the file of labels and the file of chunk hashes, and these files.

    Write the files first, by name in the order in which they are given, and then the manifest: a split with a
    manifest is complete.

    Args:
        contents: the manifest without these entries.
        record_labels: the class of each record, int32 of shape (records,); -1: none.
        shard_chunks: of each shard; None: not known, and the split gets no such file.
    """
    entry, data = labels.encode(record_labels, len(contents.classes))
    files = {labels.FILE_NAME: data}
    described = replace(contents, labels=entry, chunks=None)
    if shard_chunks is not None:
        file, data = chunks.encode(shard_chunks)
        files[chunks.FILE_NAME] = data
        described = replace(described, chunks=file)
    return described, files
