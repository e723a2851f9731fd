"""Fixtures for all tests."""

from __future__ import annotations

import signal
from pathlib import Path

import images
import pytest

from fastinet.dali import cuda_device_count

# Shells start background jobs with Ctrl-C ignored, which child processes inherit; tests are to see it work.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small photo-like ImageFolder tree: 4 classes of 6 images. Read it; do not write to it."""
    folder = tmp_path_factory.mktemp("images")
    images.write_image_folder(folder, classes=4, per_class=6)
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked ``gpu`` run where a CUDA driver shows a device."""
    if cuda_device_count() > 0:
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="no NVIDIA GPU here: what this test says is unproven"))
