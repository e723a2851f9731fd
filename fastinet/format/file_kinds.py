"""What a file's name tells: whether it is an image, or litter of operating systems and tools."""

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
    """Whether a file or folder is an operating system's or a tool's own, and neither image nor class.

    Such are AppleDouble files (``._x.jpg``, which macOS writes beside ``x.jpg`` in tars and on foreign file
    systems), ``.DS_Store``, ``Thumbs.db``, ``desktop.ini``, and all that lies in folders like ``__MACOSX``.

    Args:
        name: a name or a path with slashes, of a file, a folder or a member of a tar.
    """
    parts = name.lower().split("/")
    return parts[-1].startswith("._") or not _NOISE.isdisjoint(parts)


def is_image_name(name: str) -> bool:
    """Whether torchvision would take a file for an image by its name, and it is no noise."""
    return name.lower().endswith(EXTENSIONS) and not is_noise(name)


def ignored_kind(name: str) -> str:
    """How a file that is passed over is counted: by its extension, or by which noise it is."""
    base = name.rpartition("/")[2]
    if base.startswith("._"):
        return "._* (macOS)"
    noise = next((part for part in reversed(name.split("/")) if part.lower() in _NOISE), None)
    return noise or Path(base).suffix.lower() or "no extension"


def describe_ignored(ignored: Mapping[str, int]) -> list[str]:
    """One text for each kind of file that was passed over."""
    return [f"{n} of {kind}" for kind, n in sorted(ignored.items())]
