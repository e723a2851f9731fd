"""Make the golden shard of the current format version: a split of three records, by the core's own writer.

Run it only when the format changes; tests hold its files, FORMAT.md and the code together.
"""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np

from fastinet import _core
from fastinet.format import manifest
from fastinet.format.chunks import ShardChunks
from fastinet.format.finish import with_side_files
from fastinet.format.manifest import ClassInfo, Manifest, ShardInfo

FOLDER = Path(__file__).parent / "golden-v2"
# An 8x8 gray JPEG; kept as bytes, so that no encoder's version matters.
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19i"
    "Z2hnPk1xeXBkeFxlZ2P/wAALCAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAf/EABgQAAIDAAAAAAAAAAAAAAAAAAADBmOh"
    "/9oACAEBAAA/ABEOrw//2Q=="
)


def main(folder: Path = FOLDER) -> None:
    """Write tar, sidecar and manifest into `folder`."""
    folder.mkdir(exist_ok=True)
    tar, index = folder / "train-000000.tar", folder / "train-000000.idx"
    writer = _core.ShardWriter(str(tar), str(index))
    boxes = (8, 8, [(0, 1, 2, 5, 6, 1)])
    facts = {"width": 8, "height": 8, "format": "JPEG", "clean": True}
    writer.add("n01440764/a", "jpg", JPEG, 0, **facts, entry_points=b"\x01\x02\x03\x04\x05")
    writer.add("n01443537/b", "jpg", JPEG, 1, **facts, orientation=6, json='{"boxes": 1}', boxes=boxes)
    writer.add("é", "png", b"\x89PNG")
    s = writer.finish()
    shard = ShardInfo.of(tar.name, index.name, s)
    classes = (ClassInfo("n01440764", ("tench", "Tinca tinca")), ClassInfo("n01443537", ("goldfish",)))
    created_by = {"source": "golden", "options": {}}
    edges = (("n01439514", "n01440764"),)
    contents = Manifest("train", classes, (shard,), hierarchy=edges, created_by=created_by)
    hashes = [ShardChunks.of(s["tar_chunks"], s["index_chunks"])]
    contents, files = with_side_files(contents, np.array([0, 1, -1], np.int32), hashes)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    manifest.write(folder, contents)


if __name__ == "__main__":
    main()
