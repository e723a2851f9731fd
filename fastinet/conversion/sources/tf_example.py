"""``tf.train.Example`` messages (tensorflow/core/example/example.proto), parsed by protobuf."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastinet.conversion.sources.tfrecord_file import RawRecord, damaged_record, not_installed
from fastinet.errors import FormatError
from fastinet.format.fields import no_label

__all__ = ["Example", "parse_example"]

_HEAD = 64  # bytes of a value that are looked for to find the whole

# The messages as protobuf describes them: what protoc makes of example.proto and feature.proto.
_DESCRIPTION = """
name: "example.proto" package: "fastinet" syntax: "proto3"
message_type { name: "BytesList" field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_BYTES } }
message_type { name: "FloatList" field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_FLOAT } }
message_type { name: "Int64List" field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_INT64 } }
message_type {
  name: "Feature"
  oneof_decl { name: "kind" }
  field { name: "bytes_list" number: 1 type_name: ".fastinet.BytesList" oneof_index: 0 ONE }
  field { name: "float_list" number: 2 type_name: ".fastinet.FloatList" oneof_index: 0 ONE }
  field { name: "int64_list" number: 3 type_name: ".fastinet.Int64List" oneof_index: 0 ONE }
}
message_type {
  name: "Features"
  field { name: "feature" number: 1 type_name: ".fastinet.Features.FeatureEntry"
          label: LABEL_REPEATED type: TYPE_MESSAGE }
  nested_type {
    name: "FeatureEntry"
    options { map_entry: true }
    field { name: "key" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING }
    field { name: "value" number: 2 type_name: ".fastinet.Feature" ONE }
  }
}
message_type {
  name: "Example"
  field { name: "features" number: 1 type_name: ".fastinet.Features" ONE }
}
""".replace("ONE", "label: LABEL_OPTIONAL type: TYPE_MESSAGE")


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
        """The value of a feature of ints; None where there is none. Several are an error."""
        values = self._list(name, "int64_list")
        if len(values) > 1:
            raise self.error(f"feature {name}", "one number", str(list(values[:8])))
        return int(values[0]) if values else None

    def label(self, name: str) -> int | None:
        """As `number`; the error for others says what can be done with values that are no label."""
        value = self.values(name)
        if value is not None and type(value) is not int:
            where = f"{self._path}: record {self._record.number}: feature {name}"
            raise no_label(value, where, str(self._path), expected="a number")
        return value

    def values(self, name: str) -> Any:
        """A feature of any type: its value, a list of several, None for none; bytes as UTF-8 text."""
        feature = self._features.get(name)
        found = feature.WhichOneof("kind") if feature is not None else None
        values = list(getattr(feature, found).value) if found else []
        if found == "bytes_list":
            values = [value.decode(errors="backslashreplace") for value in values]
        return values if len(values) > 1 else values[0] if values else None

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
        return damaged_record(self._path, self._record.number, self._record.offset, what, expected, found)

    def _list(self, name: str, kind: str) -> Sequence[Any]:
        feature = self._features.get(name)
        found = feature.WhichOneof("kind") if feature is not None else None
        values: Sequence[Any] = getattr(feature, found).value if found else ()
        if values and found != kind:
            raise self.error(f"feature {name}", kind, str(found))
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
        raise not_installed(str(path)) from None
    try:
        features = message_class.FromString(record.data).features.feature
    except decode_error as e:
        raise damaged_record(
            path, record.number, record.offset, "data", "a tf.train.Example", str(e)
        ) from None
    # Asking a protobuf map for a name that it does not have would add it.
    return Example({name: features[name] for name in features}, path, record)


@functools.cache
def _example_class() -> tuple[Any, type[Exception]]:
    """The class of the messages, and its parser's error. Raises ImportError."""
    from google.protobuf import (  # type: ignore[import-untyped, unused-ignore]
        descriptor_pb2,
        descriptor_pool,
        message,
        message_factory,
        text_format,
    )

    pool = descriptor_pool.DescriptorPool()
    pool.Add(text_format.Parse(_DESCRIPTION, descriptor_pb2.FileDescriptorProto()))
    example = message_factory.GetMessageClass(pool.FindMessageTypeByName("fastinet.Example"))
    return example, message.DecodeError
