"""The records of TFRecord files, without TensorFlow.

A file is a run of records, each u64 length, u32 masked CRC-32C of the length, data, u32 masked CRC-32C of the
data, little-endian (tensorflow/core/lib/io/record_writer.h). Nothing marks the end of a file.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from fastinet.errors import FormatError, TruncatedError, UnsupportedError
from fastinet.storage.files import os_errors

__all__ = [
    "RawRecord",
    "count_records",
    "damaged_record",
    "looks_like_tfrecord",
    "not_installed",
    "read_records",
]

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_MAX_LENGTH = 1 << 30  # of a record: half of what protobuf allows
_BUFFER = 1 << 20


class RawRecord(NamedTuple):
    """One record.

    Attributes:
        number: from 0.
        offset: of the data in the file.
        data: a serialised message.
        error: what is wrong with the data; None: their checksum is right.
    """

    number: int
    offset: int
    data: bytes
    error: FormatError | None


def read_records(path: Path) -> Iterator[RawRecord]:
    """The records of a file, one in memory at a time.

    Raises:
        TruncatedError: the file ends within a record.
        FormatError: a length has a wrong checksum, so that nothing behind it can be found.
        ShardIOError: the file cannot be read.
        UnsupportedError: it is compressed, or google-crc32c is not installed.
    """
    crc32c = _crc32c(path)
    with os_errors(path), path.open("rb", buffering=_BUFFER) as file:
        for number, offset, length in _frames(path, file, crc32c):
            data = _read(path, file, number, offset, length)
            expected = _FOOTER.unpack(_read(path, file, number, offset + length, _FOOTER.size))[0]
            found = _masked(crc32c(data))
            error = None
            if found != expected:
                error = damaged_record(
                    path, number, offset, "CRC-32C of the data", f"{expected:08x}", f"{found:08x}"
                )
            yield RawRecord(number, offset, data, error)


def count_records(path: Path) -> int:
    """The number of records, by their lengths alone. Raises as `read_records`."""
    count = 0
    with os_errors(path), path.open("rb") as file:
        for number, offset, length in _frames(path, file, _crc32c(path)):
            file.seek(offset + length + _FOOTER.size)
            count = number + 1
    return count


def looks_like_tfrecord(path: Path) -> bool:
    """Whether a file begins with a length that lies within it; no proof, but PNG, JPEG, tar, ... do not."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER.size)
            size = os.fstat(file.fileno()).st_size
    except OSError:
        return False
    return len(header) == _HEADER.size and _HEADER.unpack(header)[0] + _HEADER.size + _FOOTER.size <= size


def _frames(path: Path, file: IO[bytes], crc32c: Any) -> Iterator[tuple[int, int, int]]:
    """(number, offset of the data, length) of each record. The caller leaves `file` at the record's end."""
    size = os.fstat(file.fileno()).st_size
    number = end = 0
    while end < size:
        header = _read(path, file, number, end, _HEADER.size)
        length, expected = _HEADER.unpack(header)
        found = _masked(crc32c(header[:8]))
        if found != expected and header[:2] == b"\x1f\x8b" and not number:
            raise UnsupportedError(f"{path}: compressed with gzip; decompress it first", path=str(path))
        if found != expected:
            what = "CRC-32C of the length"
            raise damaged_record(path, number, end, what, f"{expected:08x}", f"{found:08x}")
        if length > _MAX_LENGTH:
            raise damaged_record(path, number, end, "length", f"at most {_MAX_LENGTH}", str(length))
        offset = end + _HEADER.size
        end = offset + length + _FOOTER.size
        if end > size:
            raise _truncated(path, number, offset, length + _FOOTER.size, size - offset)
        yield number, offset, length
        number += 1


def _read(path: Path, file: IO[bytes], number: int, offset: int, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise _truncated(path, number, offset, size, len(data))
    return data


def _masked(crc: int) -> int:
    """As TensorFlow stores it: rotated right by 15 bits, plus a constant."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def damaged_record(path: Path, number: int, offset: int, what: str, expected: str, found: str) -> FormatError:
    """The error for a record."""
    return FormatError(
        f"{path}: record {number} at offset {offset}: {what}: expected {expected}, found {found}",
        path=str(path),
        record=number,
        expected=expected,
        found=found,
    )


def _truncated(path: Path, number: int, offset: int, expected: int, found: int) -> TruncatedError:
    return TruncatedError(
        f"{path}: record {number} cut short: expected {expected} bytes from offset {offset}, found {found}",
        path=str(path),
        record=number,
        expected=f"{expected} bytes",
        found=f"{found} bytes",
    )


def _crc32c(path: Path) -> Any:
    try:
        import google_crc32c  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise not_installed(str(path)) from None
    return google_crc32c.value


def not_installed(path: str) -> UnsupportedError:
    """The error where a library is missing."""
    return UnsupportedError(
        f"{path}: reading TFRecord files needs google-crc32c and protobuf; "
        "install them with: pip install 'fastinet[tfrecord]'",
        path=path,
    )
