"""Reading a file that the manifest lists with its size and hash."""

from __future__ import annotations

from pathlib import Path

from fastinet import _core
from fastinet.errors import ChecksumError, TruncatedError
from fastinet.format.contents import FileInfo
from fastinet.storage.files import read_bytes

__all__ = ["read_side_file"]


def read_side_file(folder: Path, file: FileInfo) -> bytes:
    """The content of `file`.

    Raises:
        MissingFileError, ShardIOError: the file cannot be read.
        FormatError: it is not a regular file, or is longer than the manifest says.
        TruncatedError: it is shorter.
        ChecksumError: its bytes are not those that the manifest lists.
    """
    path = folder / file.path
    data = read_bytes(path, file.bytes)
    if len(data) < file.bytes:
        raise TruncatedError(
            f"{path}: expected {file.bytes} bytes, found {len(data)}",
            path=str(path),
            expected=f"{file.bytes} bytes",
            found=f"{len(data)} bytes",
        )
    found = _core.xxh3(data)
    if found != file.xxh3:
        raise ChecksumError(
            f"{path}: file is damaged: expected XXH3 {file.xxh3:016x}, found {found:016x}",
            path=str(path),
            expected=f"{file.xxh3:016x}",
            found=f"{found:016x}",
        )
    return data
