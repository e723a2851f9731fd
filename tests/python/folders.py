"""Small folders for the tests of conversion, and ways to look at what came out."""

from __future__ import annotations

import hashlib
import os
import tarfile
from pathlib import Path

from images import encode, photo
from PIL import Image

from fastinet.conversion.sources.base import Source
from fastinet.storage.extent import Extent

TORCHVISION_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def small_jpeg(seed: int, width: int = 64, height: int = 48, **options: object) -> bytes:
    """A JPEG of a few kilobytes; different for each seed."""
    return encode(Image.fromarray(photo(seed, width, height)), **options)


def write_tree(root: Path, files: dict[str, bytes]) -> Path:
    """`files` by path below `root`."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def members(*tars: Path) -> dict[str, bytes]:
    """Contents of tar archives by member name, in order, as Python's tarfile reads them."""
    found: dict[str, bytes] = {}
    for tar in tars:
        with tarfile.open(tar) as archive:
            for member in archive:
                content = archive.extractfile(member)
                assert content is not None
                assert member.name not in found
                found[member.name] = content.read()
    return found


def snapshot(folder: Path) -> dict[str, str]:
    """Hash of every file below `folder`, by relative path; folders too, so that none is left over."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }


def torchvision_folder(root: str, allow_empty: bool = False) -> tuple[dict[str, int], list[tuple[str, int]]]:
    """class_to_idx and samples of ``torchvision.datasets.ImageFolder``: find_classes and make_dataset, to the
    letter of their loops. Raises FileNotFoundError where these do."""
    classes = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    if not classes:
        raise FileNotFoundError(f"Couldn't find any class folder in {root}.")
    class_to_idx = {name: i for i, name in enumerate(classes)}
    instances = []
    available = set()
    for target_class in sorted(class_to_idx):
        target_dir = os.path.join(root, target_class)  # noqa: PTH118
        for folder, _, names in sorted(os.walk(target_dir, followlinks=True)):
            for name in sorted(names):
                if name.lower().endswith(TORCHVISION_EXTENSIONS):
                    instances.append((os.path.join(folder, name), class_to_idx[target_class]))  # noqa: PTH118
                    available.add(target_class)
    empty = set(class_to_idx) - available
    if empty and not allow_empty:
        raise FileNotFoundError(f"Found no valid file for the classes {', '.join(sorted(empty))}.")
    return class_to_idx, instances


def listed(source: Source, split: str) -> list[tuple[str, int]]:
    """Path and label of a source's samples that are files."""
    return [
        (sample.payload.path, sample.label)
        for sample in source.samples(split)
        if isinstance(sample.payload, Extent)
    ]
