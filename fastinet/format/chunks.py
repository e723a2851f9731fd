"""``chunks.bin``: the hash of every 8 MiB of the shards, so that parts can be checked alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fastinet import _core
from fastinet.errors import FormatError
from fastinet.format.contents import FileInfo, Manifest, ShardInfo
from fastinet.format.side_file import read_side_file

__all__ = ["CHUNK_BYTES", "FILE_NAME", "ShardChunks", "encode", "expected_bytes", "read"]

FILE_NAME = "chunks.bin"
CHUNK_BYTES = 8 << 20


class ShardChunks(NamedTuple):
    """The hashes of one shard's chunks, uint64; the last chunk of a file may be shorter than the others.

    Attributes:
        tar: of the tar.
        sidecar: of the sidecar.
    """

    tar: npt.NDArray[np.uint64]
    sidecar: npt.NDArray[np.uint64]

    @classmethod
    def of(cls, tar: Sequence[int], sidecar: Sequence[int]) -> ShardChunks:
        """From the hashes as the core reports them."""
        return cls(np.array(tar, "<u8"), np.array(sidecar, "<u8"))


def encode(chunks: Sequence[ShardChunks]) -> tuple[FileInfo, bytes]:
    """The file for these shards, in their order, and its entry in the manifest."""
    hashes = [c.tar for c in chunks] + [c.sidecar for c in chunks]
    data = np.concatenate([np.zeros(0, "<u8"), *hashes]).astype("<u8").tobytes()
    return FileInfo(FILE_NAME, len(data), _core.xxh3(data)), data


def read(folder: Path, manifest: Manifest) -> list[ShardChunks] | None:
    """The hashes of each shard's chunks; None where the manifest lists no such file.

    Raises:
        MissingFileError, ShardIOError: the file cannot be read.
        FormatError: it does not have one hash for each chunk.
        TruncatedError, ChecksumError: it is not the one that the manifest lists.
    """
    if manifest.chunks is None:
        return None
    path, expected = folder / manifest.chunks.path, expected_bytes(manifest.shards)
    if manifest.chunks.bytes != expected:
        raise FormatError(
            f"{path}: expected {expected} bytes, 8 for each chunk, found {manifest.chunks.bytes}",
            path=str(path),
            expected=f"{expected} bytes",
            found=f"{manifest.chunks.bytes} bytes",
        )
    hashes = np.frombuffer(read_side_file(folder, manifest.chunks), "<u8")
    counts = [_count(s.bytes) for s in manifest.shards] + [_count(s.index_bytes) for s in manifest.shards]
    parts = np.split(hashes, np.cumsum(counts)[:-1]) if counts else []
    return [
        ShardChunks(*pair) for pair in zip(parts[: len(parts) // 2], parts[len(parts) // 2 :], strict=True)
    ]


def expected_bytes(shards: Sequence[ShardInfo]) -> int:
    """Size of the file for these shards."""
    return 8 * sum(_count(shard.bytes) + _count(shard.index_bytes) for shard in shards)


def _count(size: int) -> int:
    return -(-size // CHUNK_BYTES)
