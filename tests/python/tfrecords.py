"""TFRecord files written from their specification: no protobuf library, no CRC library, no TensorFlow."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

Value = bytes | str | int | Sequence[float] | Sequence[int]


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE = _crc_table()


def masked_crc(data: bytes) -> int:
    """CRC-32C (Castagnoli), masked as record_writer.h says."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF


def frame(data: bytes) -> bytes:
    """A record."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc(length)) + data + struct.pack("<I", masked_crc(data))


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number: int, data: bytes) -> bytes:
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def feature(value: Value) -> bytes:
    """A tf.train.Feature: bytes and text as bytes_list, ints as int64_list, floats as float_list."""
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return field(1, field(1, value))
    values = [value] if isinstance(value, int) else list(value)
    if values and isinstance(values[0], float):
        return field(2, field(1, struct.pack(f"<{len(values)}f", *values)))
    return field(3, field(1, b"".join(varint(int(v)) for v in values)))


def example(features: Mapping[str, Value]) -> bytes:
    """A serialised tf.train.Example."""
    entries = (field(1, field(1, name.encode()) + field(2, feature(v))) for name, v in features.items())
    return field(1, b"".join(entries))


def write_records(path: Path, records: Iterable[Mapping[str, Value]]) -> Path:
    """A file of examples."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(frame(example(record)) for record in records))
    return path


def classic(
    image: bytes,
    number: int,
    synset: str = "",
    name: str = "",
    size: tuple[int, int] = (0, 0),
    boxes: Sequence[tuple[float, float, float, float]] = (),
) -> dict[str, Value]:
    """The features that build_imagenet_data.py writes; boxes are xmin, ymin, xmax, ymax in shares."""
    features: dict[str, Value] = {
        "image/height": size[1],
        "image/width": size[0],
        "image/colorspace": "RGB",
        "image/channels": 3,
        "image/class/label": number,
        "image/class/synset": synset,
        "image/class/text": f"text of {synset}",
        "image/format": "JPEG",
        "image/filename": name,
    }
    for place, edge in enumerate(("xmin", "ymin", "xmax", "ymax")):
        features[f"image/object/bbox/{edge}"] = [float(box[place]) for box in boxes]
    features["image/object/bbox/label"] = [number] * len(boxes)
    features["image/encoded"] = image
    return features
