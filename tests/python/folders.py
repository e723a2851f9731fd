"""Small folders for the tests of conversion, and ways to look at what came out."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

from images import encode, photo
from PIL import Image


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
