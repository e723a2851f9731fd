"""Checksums made anew, so that a change reaches what lies behind them; by FORMAT.md, not by the code."""

from __future__ import annotations

import contextlib
import json
import struct
from typing import Any

from mutant import Files
from xxhash import xxh3_64_hexdigest, xxh3_64_intdigest

__all__ = ["HEADER", "RECORD", "SECTION", "canonical", "manifest_bytes", "seal_all", "seal_head"]

# Fields of a sidecar: offset and bits.
HEADER = {
    "version": (8, 32),
    "header_size": (12, 32),
    "record_count": (16, 64),
    "tar_size": (24, 64),
    "tar_xxh3": (32, 64),
    "index_size": (40, 64),
    "record_size": (48, 32),
    "section_count": (52, 32),
    "flags": (56, 32),
    "reserved": (60, 32),
    "head_xxh3": (64, 64),
}
SECTION = {"id": (0, 32), "flags": (4, 32), "offset": (8, 64), "size": (16, 64), "xxh3": (24, 64)}
RECORD = {
    "payload_offset": (0, 64),
    "payload_xxh3": (8, 64),
    "entry_points_xxh3": (16, 64),
    "entry_points_offset": (24, 64),
    "entry_points_size": (32, 32),
    "payload_size": (36, 32),
    "label": (40, 32),
    "width": (44, 32),
    "height": (48, 32),
    "flags": (52, 32),
    "key_offset": (56, 32),
    "key_size": (60, 32),
    "boxes_offset": (64, 32),
    "boxes_size": (68, 32),
    "original_xxh3": (72, 64),
}


def seal_head(sidecar: bytes, sections: bool = False) -> bytes:
    """With the right head_xxh3, and with those of the sections as their table places them, if asked for."""
    if len(sidecar) < 72:
        return sidecar
    data = bytearray(sidecar)
    (records,) = struct.unpack_from("<Q", data, 16)
    count = min(struct.unpack_from("<I", data, 52)[0], (len(data) - 72) // 32)
    for at in range(72, 72 + 32 * count * sections, 32):
        start, size = struct.unpack_from("<QQ", data, at + 8)
        struct.pack_into("<Q", data, at + 24, xxh3_64_intdigest(bytes(data[start : start + size])))
    end = min(len(data), 72 + 32 * count + 80 * records)
    struct.pack_into("<Q", data, 64, xxh3_64_intdigest(bytes(data[:64] + data[72:end])))
    return bytes(data)


def manifest_bytes(text: bytes) -> bytes:
    """A manifest: an object as JSON, without its closing brace, and its checksum."""
    return text + b',\n  "manifest_xxh3": "%s"\n}\n' % xxh3_64_hexdigest(text).encode()


def canonical(columns: Any) -> str:
    """The checksum of the value of "columns"."""
    return xxh3_64_hexdigest(json.dumps(columns, sort_keys=True, separators=(",", ":")).encode())


def seal_all(files: Files) -> dict[str, bytes]:
    """The manifest and the list of columns that go with these tars and sidecars."""
    told = json.loads(files["dataset.json"])
    for shard in told["shards"]:
        tar = files[shard["path"]]
        sidecar = files[shard["path"][:-4] + ".idx"]
        shard |= {"bytes": len(tar), "xxh3": xxh3_64_hexdigest(tar), "index_bytes": len(sidecar)}
        with contextlib.suppress(struct.error):  # too short
            shard["index_xxh3"] = f"{struct.unpack_from('<Q', sidecar, 64)[0]:016x}"
    del told["manifest_xxh3"]
    columns = json.loads(files["columns.json"])
    hashes = " ".join(shard["xxh3"] for shard in told["shards"])
    columns["columns"]["shards_xxh3"] = xxh3_64_hexdigest(hashes.encode())
    columns["columns_xxh3"] = canonical(columns["columns"])
    manifest = manifest_bytes(json.dumps(told)[:-1].encode())
    return {"dataset.json": manifest, "columns.json": json.dumps(columns).encode()}
