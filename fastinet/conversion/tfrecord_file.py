"""TFRecord files of ``tf.train.Example`` messages, without TensorFlow.

A file is a run of records, each u64 length, u32 masked CRC-32C of the length, data, u32 masked CRC-32C of the
data, little-endian (tensorflow/core/lib/io/record_writer.h). Nothing marks the end of a file.
"""

from __future__ import annotations

import functools
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from fastinet.conversion.workspace import os_errors
from fastinet.errors import FormatError, TruncatedError, UnsupportedError

__all__ = ["Example", "RawRecord", "count_records", "looks_like_tfrecord", "parse_example", "read_records"]

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_MAX_LENGTH = 1 << 30  # of a record: half of what protobuf allows
_BUFFER = 1 << 20
_HEAD = 64  # bytes of a value that are looked for to find the whole


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
                error = _damaged(
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


class Example:
    """The features of one message by name, with types checked. Errors name file and record.

    Lists may be empty, which is how TensorFlow writes what is not known.
    """

    def __init__(self, features: Mapping[str, Any], path: Path, record: RawRecord) -> None:
        self._features = features
        self._path = path
        self._record = record

    @property
    def names(self) -> list[str]:
        """Of all features, sorted."""
        return sorted(self._features)

    def value(self, name: str) -> bytes | None:
        """The first value of a feature of bytes; None where there is none."""
        values = self._list(name, "bytes_list")
        return bytes(values[0]) if values else None

    def text(self, name: str) -> str:
        """As `value`, as UTF-8 text; "" where there is none."""
        value = self.value(name) or b""
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise self.error(f"feature {name}", "UTF-8 text", repr(value[:40])) from None

    def number(self, name: str) -> int | None:
        """The first value of a feature of ints; None where there is none."""
        values = self._list(name, "int64_list")
        return int(values[0]) if values else None

    def numbers(self, name: str) -> list[int]:
        """A feature of ints."""
        return list(self._list(name, "int64_list"))

    def floats(self, name: str) -> list[float]:
        """A feature of floats."""
        return list(self._list(name, "float_list"))

    def place_of(self, value: bytes) -> int:
        """Offset in the file of a value of bytes, which lie in a row in the message."""
        data = self._record.data
        place = data.find(value[:_HEAD])
        while not data.startswith(value, place):  # ends: the parser copied the value from there
            place = data.find(value[:_HEAD], place + 1)
        return self._record.offset + place

    def error(self, what: str, expected: str, found: str) -> FormatError:
        """An error at this record."""
        return _damaged(self._path, self._record.number, self._record.offset, what, expected, found)

    def _list(self, name: str, kind: str) -> Sequence[Any]:
        feature = self._features.get(name)
        found = feature.WhichOneof("kind") if feature is not None else None
        if found is None:
            return ()
        if found != kind:
            raise self.error(f"feature {name}", f"a {kind}", f"a {found}")
        values: Sequence[Any] = getattr(feature, kind).value
        return values


def parse_example(path: Path, record: RawRecord) -> Example:
    """The message in a record.

    Raises:
        FormatError: it is none.
        UnsupportedError: protobuf is not installed.
    """
    try:
        message_class, decode_error = _example_class()
    except ImportError:
        raise _not_installed(str(path)) from None
    try:
        features = message_class.FromString(record.data).features.feature
    except decode_error as e:
        raise _damaged(path, record.number, record.offset, "data", "a tf.train.Example", str(e)) from None
    # Asking a protobuf map for a name that it does not have would add it.
    return Example({name: features[name] for name in features}, path, record)


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
            raise _damaged(path, number, end, what, f"{expected:08x}", f"{found:08x}")
        if length > _MAX_LENGTH:
            raise _damaged(path, number, end, "length", f"at most {_MAX_LENGTH}", str(length))
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


def _damaged(path: Path, number: int, offset: int, what: str, expected: str, found: str) -> FormatError:
    return FormatError(
        f"{path}: record {number} at offset {offset}: {what}: expected {expected}, found {found}",
        path=str(path), record=number, expected=expected, found=found,
    )  # fmt: skip


def _truncated(path: Path, number: int, offset: int, expected: int, found: int) -> TruncatedError:
    return TruncatedError(
        f"{path}: record {number} cut short: expected {expected} bytes from offset {offset}, found {found}",
        path=str(path), record=number, expected=f"{expected} bytes", found=f"{found} bytes",
    )  # fmt: skip


def _crc32c(path: Path) -> Any:
    try:
        import google_crc32c  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise _not_installed(str(path)) from None
    return google_crc32c.value


def _not_installed(path: str) -> UnsupportedError:
    return UnsupportedError(
        f"{path}: reading TFRecord files needs google-crc32c and protobuf; "
        "install them with: pip install 'fastinet[tfrecord]'",
        path=path,
    )


@functools.cache
def _example_class() -> tuple[Any, type[Exception]]:
    """The class of ``tf.train.Example`` (tensorflow/core/example/example.proto), and its parser's error."""
    from google.protobuf import (  # type: ignore[import-untyped, unused-ignore]
        descriptor_pb2,
        descriptor_pool,
        message,
        message_factory,
    )

    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="fastinet", syntax="proto3")

    def add(name: str, *fields: tuple[str, int, int, str]) -> Any:
        """A message; fields are (name, type, label, name of the message type)."""
        added = file.message_type.add(name=name)
        for number, (field, type_, label, of) in enumerate(fields, 1):
            added.field.add(
                name=field, number=number, type=type_, label=label, type_name=of and f".fastinet.{of}"
            )
        return added

    one, many = kind.LABEL_OPTIONAL, kind.LABEL_REPEATED
    add("BytesList", ("value", kind.TYPE_BYTES, many, ""))
    add("FloatList", ("value", kind.TYPE_FLOAT, many, ""))
    add("Int64List", ("value", kind.TYPE_INT64, many, ""))
    feature = add("Feature", *((name, kind.TYPE_MESSAGE, one, of) for name, of in (
        ("bytes_list", "BytesList"), ("float_list", "FloatList"), ("int64_list", "Int64List"))))  # fmt: skip
    feature.oneof_decl.add(name="kind")
    for field in feature.field:
        field.oneof_index = 0
    features = add("Features", ("feature", kind.TYPE_MESSAGE, many, "Features.FeatureEntry"))
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=kind.TYPE_STRING, label=one)
    entry.field.add(name="value", number=2, type=kind.TYPE_MESSAGE, label=one, type_name=".fastinet.Feature")
    add("Example", ("features", kind.TYPE_MESSAGE, one, "Features"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    example = message_factory.GetMessageClass(pool.FindMessageTypeByName("fastinet.Example"))
    return example, message.DecodeError
