"""Pillow's pixels at every SIMD level, on real photographs and unusual files if they are available."""

from __future__ import annotations

import io
import random
import re
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import images
import numpy as np
import pytest
from PIL import Image

import fastinet
from fastinet import _core
from fastinet.errors import DecodeError

WINDOWS = 8  # of each image
LEVELS = _core.available_simd_levels()


def _at_level(level: str, work: Callable[[], None]) -> None:
    """Runs `work` in a new thread, since a thread keeps its decoder, which keeps its level."""
    before, raised = _core.simd_level(), []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    _core.set_simd_level(level)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        _core.set_simd_level(before)
    if raised:
        raise raised[0]


def _pillow(data: bytes) -> Image.Image | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Image.open(io.BytesIO(data)).convert("RGB")
        except Exception:
            return None


def _assert_windows_equal(data: bytes, image: Image.Image, name: str, seed: int) -> None:
    """Compares random windows without resizing, and one of them resized and flipped."""
    rng = random.Random(seed)
    pixels = np.asarray(image)
    for _ in range(WINDOWS):
        height, width = rng.randint(1, image.height), rng.randint(1, image.width)
        box = rng.randint(0, image.height - height), rng.randint(0, image.width - width), height, width
        top, left = box[:2]
        found = fastinet.decode(data, box)
        assert np.array_equal(found, pixels[top : top + height, left : left + width]), (name, box)
    resized = fastinet.decode(data, box, (112, 96), flip=True)
    window = image.crop((left, top, left + width, top + height)).resize((96, 112), Image.Resampling.BILINEAR)
    assert np.array_equal(resized, np.asarray(window)[:, ::-1]), (name, box, "resized")


@pytest.mark.parametrize("level", LEVELS)
def test_samples_are_pillows_at_every_level_and_take_the_fast_path(level: str) -> None:
    samples = [(path.name, path.read_bytes()) for path in images.shared_files("imagenet-samples/train/*/*")]
    if not samples:  # the photographs are not available: generated images
        samples = [(f"made {seed}", images.sample_jpeg(seed)) for seed in range(20)]

    def work() -> None:
        before = _core.decode_counts()
        for seed, (name, data) in enumerate(samples):
            image = _pillow(data)
            assert image is not None, name
            _assert_windows_equal(data, image, name, seed)
        counts = {path: count - before[path] for path, count in _core.decode_counts().items()}
        assert counts["fast"] >= 0.999 * len(samples) * (WINDOWS + 1), counts
        assert sum(counts.values()) == len(samples) * (WINDOWS + 1), counts

    _at_level(level, work)


@pytest.mark.parametrize("level", LEVELS)
def test_odd_files_are_pillows_or_refused_as_pillow_refuses_them_at_every_level(level: str) -> None:
    files = [path for path in images.shared_files("odd-jpegs/**/*") if path.is_file()]
    if not files:
        pytest.skip("the folder of unusual files is not available; test_decode.py generates such files")

    def work() -> None:
        for seed, path in enumerate(files):
            data = path.read_bytes()
            image = _pillow(data)
            if image is None:
                with pytest.raises(DecodeError):
                    fastinet.decode(data)
            else:
                assert np.array_equal(fastinet.decode(data), np.asarray(image)), path.name
                _assert_windows_equal(data, image, path.name, seed)

    _at_level(level, work)


def test_no_source_changes_or_follows_the_choice_that_users_of_highway_share() -> None:
    shared = re.compile(r"HWY_DYNAMIC_\w+\(|\b(DisableTargets|SetSupportedTargetsForTest|DeInit)\(")
    core = Path(__file__).parents[2] / "src_cpp"
    sources = [path for path in core.rglob("*") if path.suffix in {".cc", ".h"}]
    assert any("FASTINET_DISPATCH(" in path.read_text() for path in sources)
    found = [
        f"{path.relative_to(core)}:{number}: {line.strip()}"
        for path in sources
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if shared.search(line.partition("//")[0])
    ]
    assert found == []
