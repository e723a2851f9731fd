"""Fixtures for all tests."""

from __future__ import annotations

from pathlib import Path

import images
import pytest


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small photo-like ImageFolder tree: 4 classes of 6 images. Read it; do not write to it."""
    folder = tmp_path_factory.mktemp("images")
    images.write_image_folder(folder, classes=4, per_class=6)
    return folder
