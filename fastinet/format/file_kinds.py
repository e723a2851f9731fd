"""Tells by its name whether a file is an image, or one that operating systems and tools leave behind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["EXTENSIONS", "describe_ignored", "ignored_kind", "is_image_name", "is_noise"]

# torchvision.datasets.folder.IMG_EXTENSIONS
EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")

# Files and folders of operating systems, network storage and notebooks, compared without case.
_NOISE = frozenset(
    (
        ".ds_store",
        "thumbs.db",
        "desktop.ini",
        "__macosx",
        "lost+found",
        "@eadir",
        "$recycle.bin",
        "system volume information",
        ".ipynb_checkpoints",
    )
)


def is_noise(name: str) -> bool:
    """Returns whether a file or folder belongs to an operating system or a tool: no image and no class.

    Examples are AppleDouble files (``._x.jpg``, which macOS writes beside ``x.jpg`` in tars and on foreign
    file systems), ``.DS_Store``, ``Thumbs.db``, ``desktop.ini``, and everything in folders like ``__MACOSX``.

    Args:
        name: a name or a path with slashes, of a file, a folder or a member of a tar.
    """
    parts = name.lower().split("/")
    return parts[-1].startswith("._") or not _NOISE.isdisjoint(parts)


def is_image_name(name: str) -> bool:
    """Returns whether torchvision would treat a file as an image by its name, unless `is_noise`."""
    return name.lower().endswith(EXTENSIONS) and not is_noise(name)


def ignored_kind(name: str) -> str:
    """Returns the kind under which an ignored file is counted: its extension, or the kind of noise."""
    base = name.rpartition("/")[2]
    if base.startswith("._"):
        return "._* (macOS)"
    noise = next((part for part in reversed(name.split("/")) if part.lower() in _NOISE), None)
    return noise or Path(base).suffix.lower() or "no extension"


def describe_ignored(ignored: Mapping[str, int]) -> list[str]:
    """Returns one text for each kind of ignored file."""
    return [f"{n} of {kind}" for kind, n in sorted(ignored.items())]
