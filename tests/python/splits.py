"""Small splits for tests, written through the core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import images
import numpy as np
from PIL import Image

from fastinet import _core
from fastinet.format import manifest
from fastinet.format.manifest import ClassInfo, Manifest, ShardInfo

Item = tuple[str, bytes, int]


def write_split(
    folder: Path,
    items: Sequence[Item],
    per_shard: int = 7,
    classes: int | Sequence[str] = 4,
    created_by: Mapping[str, object] = MappingProxyType({}),
) -> Path:
    """A split of these (key, encoded image, label), `per_shard` to a shard; classes by number or names."""
    folder.mkdir(parents=True)
    shards = []
    for start in range(0, len(items), per_shard):
        name = f"{folder.name}-{len(shards):06d}"
        writer = _core.ShardWriter(str(folder / f"{name}.tar"), str(folder / f"{name}.idx"))
        for key, data, label in items[start : start + per_shard]:
            array = np.frombuffer(data, np.uint8)
            try:
                height, width = _core.image_size(array, False) if len(data) > 20 else (0, 0)  # no image
            except ValueError:
                height = width = 0
            kind = "JPEG" if data.startswith(b"\xff\xd8\xff") else ""
            facts, problem = _core.examine(data, "none")
            turned = 1 if problem else facts["orientation"]
            writer.add(key, "jpg", array, label, width=width, height=height, orientation=turned, format=kind)
        s = writer.finish()
        shards.append(ShardInfo.of(f"{name}.tar", f"{name}.idx", s))
    names = [f"n{i:08d}" for i in range(classes)] if isinstance(classes, int) else classes
    infos = tuple(ClassInfo(name, (f"word {i}",)) for i, name in enumerate(names))
    manifest.write(folder, Manifest(folder.name, infos, tuple(shards), created_by=created_by))
    return folder


def jpeg_items(count: int, seed: int = 0, classes: int = 4) -> list[Item]:
    """Photo-like JPEG files of differing sizes."""
    items = []
    for i in range(count):
        image = Image.fromarray(images.photo(seed * 1000 + i, 60 + 13 * (i % 5), 50 + 17 * (i % 4)))
        items.append((f"n{i % classes:08d}/image {i}", images.encode(image), i % classes))
    return items
