"""Sidecars that lie and whose checksums are right all the same, made with nothing but FORMAT.md's offsets."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import xxhash

from fastinet.format import manifest

KEYS, BOXES, ENTRY_POINTS = 1, 2, 3
HEADER, SECTION, RECORD, HEAD_HASH = 72, 32, 80, 64
_FIELDS = {
    "payload_offset": (0, "<Q"),
    "payload_xxh3": (8, "<Q"),
    "entry_points_xxh3": (16, "<Q"),
    "entry_points_offset": (24, "<Q"),
    "entry_points_size": (32, "<I"),
    "payload_size": (36, "<I"),
    "label": (40, "<i"),
    "width": (44, "<I"),
    "height": (48, "<I"),
    "flags": (52, "<I"),
    "key_offset": (56, "<I"),
    "key_size": (60, "<I"),
    "boxes_offset": (64, "<I"),
    "boxes_size": (68, "<I"),
    "original_xxh3": (72, "<Q"),
}


class Forgery:
    """One shard of a split, to be changed and saved with all hashes made to fit."""

    def __init__(self, folder: Path, number: int = 0) -> None:
        self.folder, self.number = folder, number
        self.info = manifest.read(folder).shards[number]
        self.index = bytearray((folder / self.info.index_path).read_bytes())
        self.tar = bytearray((folder / self.info.path).read_bytes())
        self._sections = struct.unpack_from("<I", self.index, 52)[0]
        self._table = HEADER + SECTION * self._sections

    def get(self, record: int, field: str) -> int:
        """A field of the record table."""
        offset, kind = _FIELDS[field]
        return int(struct.unpack_from(kind, self.index, self._table + RECORD * record + offset)[0])

    def set(self, record: int, field: str, value: int) -> Forgery:
        """Another value for it."""
        offset, kind = _FIELDS[field]
        struct.pack_into(kind, self.index, self._table + RECORD * record + offset, value)
        return self

    def section(self, number: int) -> memoryview:
        """The bytes of a section, which may be changed in place."""
        for i in range(self._sections):
            found, _, offset, size, _ = struct.unpack_from("<IIQQQ", self.index, HEADER + SECTION * i)
            if found == number:
                return memoryview(self.index)[offset : offset + size]
        raise KeyError(number)

    def key(self, record: int, key: bytes) -> Forgery:
        """Another key, of the same length."""
        at, size = self.get(record, "key_offset"), self.get(record, "key_size")
        assert len(key) == size
        self.section(KEYS)[at : at + size] = key
        return self

    def entry_points(self, record: int) -> memoryview:
        """A record's entry points; ``save`` makes their hash fit."""
        at, size = self.get(record, "entry_points_offset"), self.get(record, "entry_points_size")
        return self.section(ENTRY_POINTS)[at : at + size]

    def save(self, **manifest_fields: Any) -> None:
        """Writes tar, sidecar and manifest."""
        for record in range(self.info.records):
            if self.get(record, "entry_points_size"):
                at, size = self.get(record, "payload_offset"), self.get(record, "payload_size")
                hashed = xxhash.xxh3_64_intdigest(bytes(self.tar[at : at + size]))
                self.set(record, "payload_xxh3", hashed).set(record, "original_xxh3", hashed)
                points, seed = bytes(self.entry_points(record)), self.get(record, "payload_xxh3")
                self.set(record, "entry_points_xxh3", xxhash.xxh3_64_intdigest(points, seed=seed))
        for i in range(self._sections):
            _, _, offset, size, _ = struct.unpack_from("<IIQQQ", self.index, HEADER + SECTION * i)
            hashed = xxhash.xxh3_64_intdigest(bytes(self.index[offset : offset + size]))
            struct.pack_into("<Q", self.index, HEADER + SECTION * i + 24, hashed)
        tar_hash = xxhash.xxh3_64_intdigest(bytes(self.tar))
        struct.pack_into("<Q", self.index, 32, tar_hash)
        head = self._table + RECORD * self.info.records
        index_hash = xxhash.xxh3_64_intdigest(bytes(self.index[:HEAD_HASH] + self.index[HEADER:head]))
        struct.pack_into("<Q", self.index, HEAD_HASH, index_hash)
        (self.folder / self.info.path).write_bytes(self.tar)
        (self.folder / self.info.index_path).write_bytes(self.index)
        contents = manifest.read(self.folder)
        shards = list(contents.shards)
        file_hash = xxhash.xxh3_64_intdigest(bytes(self.index))
        shards[self.number] = shards[self.number]._replace(
            xxh3=tar_hash, index_xxh3=index_hash, index_file_xxh3=file_hash
        )
        # The files of labels and of chunk hashes would tell the forgery: the dataset does without them.
        fields = {"labels": None, "chunks": None, **manifest_fields}
        manifest.write(self.folder, replace(contents, shards=tuple(shards), **fields))
