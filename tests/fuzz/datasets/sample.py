"""The dataset that is mutated: small, made here, and with everything in it that FORMAT.md knows."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

import fastinet
from fastinet import _core
from fastinet.format import manifest
from fastinet.format.manifest import ClassInfo, Manifest, ShardInfo

__all__ = ["SHARDS", "SPLIT", "Item", "make_sample", "write_shard"]

SPLIT = "train"
CLASSES = (
    ClassInfo("n01440764", ("tench", "Tinca tinca"), "a freshwater fish", {"ilsvrc2012_id": 449}, 5),
    ClassInfo("n02102040", ("English springer", "crane"), "a gun dog", {"ilsvrc2012_id": 2}, 4),
    ClassInfo("n03000684", ("chain saw", "chainsaw"), "", {}, 2),
)
SYNSETS = (ClassInfo("n00001740", ("entity",), "all there is"), ClassInfo("n00015388", ("animal",)))
HIERARCHY = (
    ("n00001740", "n00015388"),
    ("n00015388", "n01440764"),
    ("n00015388", "n02102040"),
    ("n00001740", "n03000684"),
)
Boxes = tuple[int, int, list[tuple[int, int, int, int, int, int]]]


class Item(NamedTuple):
    """What a record is made of; its size, format and entry points are read from the payload."""

    key: str
    extension: str
    payload: bytes
    label: int
    boxes: Boxes | None = None


def _pixels(seed: int, width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / rng.uniform(3, 9) + y / rng.uniform(3, 9) + c) for c in range(3)]
    image = 128 + 90 * np.stack(waves, -1) + rng.normal(0, 6, (height, width, 3))
    return Image.fromarray(np.clip(image, 0, 255).astype(np.uint8))


def _encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _turned(image: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return _encoded(image, quality=85, exif=exif)


def _items() -> list[list[Item]]:
    """By shard: every way of decoding, labels of all classes and of none, keys that are escaped."""
    boxes = (48, 40, [(0, 3, 4, 30, 31, 0), (1, 10, 0, 47, 39, 1), (-1, 0, 0, 5, 5, 6)])
    return [
        [
            Item("n01440764/n01440764_1", "jpeg", _encoded(_pixels(1, 48, 40), subsampling=0), 0, boxes),
            Item("n01440764/n01440764_2", "jpeg", _encoded(_pixels(2, 52, 36), subsampling="4:2:0"), 0),
            Item("n02102040/n02102040_7", "jpeg", _encoded(_pixels(3, 40, 44), progressive=True), 1),
            Item("n02102040/a%2Eb", "png", _encoded(_pixels(4, 20, 18), "PNG"), 1),
        ],
        [
            Item("n03000684/gray", "jpeg", _encoded(_pixels(5, 44, 30).convert("L")), 2),
            Item(
                "n01440764/n01440764_3",
                "jpeg",
                _encoded(_pixels(6, 150, 120), subsampling="4:2:0"),
                0,
                (0, 0, [(0, 20, 10, 140, 110, 2)]),
            ),
            Item(
                "n02102040/turned", "jpeg", _turned(_pixels(7, 36, 28)), 1, (72, 56, [(1, 0, 0, 71, 55, 0)])
            ),
            Item("unlabelled/é", "jpeg", _encoded(_pixels(8, 33, 35), subsampling="4:2:2"), -1),
        ],
        [
            Item("n01440764/cmyk", "jpeg", _encoded(_pixels(9, 24, 20).convert("CMYK")), 0),
            Item("n01440764/restart", "jpeg", _encoded(_pixels(10, 64, 48), restart_marker_blocks=2), 0),
            Item(f"n02102040/{'long' * 30}", "jpeg", _encoded(_pixels(11, 30, 30)), 1),
            Item("n03000684/webp", "webp", _encoded(_pixels(12, 26, 22), "WEBP", lossless=True), 2),
        ],
    ]


SHARDS: Sequence[Sequence[Item]] = _items()


def write_shard(folder: Path, number: int, items: Sequence[Item], facts: Sequence[bytes] = ()) -> ShardInfo:
    """A tar and its sidecar. What the sidecar says of the images is read from `facts`, if there are any."""
    name = f"{SPLIT}-{number:06d}"
    writer = _core.ShardWriter(str(folder / f"{name}.tar"), str(folder / f"{name}.idx"))
    for item, told in zip(items, [*facts] or [item.payload for item in items], strict=True):
        rows = item.boxes and {"width": item.boxes[0], "height": item.boxes[1], "rows": item.boxes[2]}
        text = json.dumps({"boxes": rows}, separators=(",", ":")) if rows else ""
        writer.add(
            item.key,
            item.extension,
            item.payload,
            item.label,
            boxes=item.boxes,
            json=text,
            **_core.examine(told)[0],
        )
    done = writer.finish()
    return ShardInfo.of(f"{name}.tar", f"{name}.idx", done)


def make_sample(folder: Path) -> None:
    """The split, with a column of each kind."""
    folder.mkdir(parents=True)
    shards = tuple(write_shard(folder, number, items) for number, items in enumerate(SHARDS))
    created_by = {"fastinet": "0", "source": "imagefolder", "options": {"shard_size": 4}}
    told = Manifest(SPLIT, CLASSES, shards, hierarchy=HIERARCHY, created_by=created_by, synsets=SYNSETS)
    manifest.write(folder, told)
    names = [
        {"extension": ".JPEG", "others": {i.key: f"Other name.{i.extension}" for i in items[-1:]}}
        for items in SHARDS
    ]
    (folder / "names.json").write_text(json.dumps(names))
    count = sum(map(len, SHARDS))
    dataset = fastinet.Dataset(folder)
    rng = np.random.default_rng(0)
    columns = {
        "weight": rng.random((count, 3)).astype(np.float32),
        "teacher": np.arange(count) % 3,
        "tags": [list(range(i % 4)) for i in range(count)],
        "caption": [f"number {i} é" * (i % 3) for i in range(count)],
    }
    for name, values in columns.items():
        dataset.attach(name, values, order="records")
