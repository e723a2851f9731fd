"""Images for tests: the photo-like generator, and the folder of real and odd samples where there is one."""

from __future__ import annotations

import os
from pathlib import Path

from make_sample_images import encode, photo, sample_jpeg, write_image_folder

__all__ = ["SHARED", "encode", "photo", "sample_jpeg", "shared_files", "write_image_folder"]

SHARED = Path(os.environ.get("FASTINET_SHARED") or Path(__file__).resolve().parents[3] / "shared")


def shared_files(pattern: str) -> list[Path]:
    """Files of the shared samples that match, sorted; an empty list where that folder is absent."""
    return sorted(SHARED.glob(pattern))
