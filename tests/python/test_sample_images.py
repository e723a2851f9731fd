"""The photo-like images that the demo and the other tests use."""

from __future__ import annotations

from pathlib import Path

import images
import numpy as np
from click.testing import CliRunner
from PIL import Image

from make_sample_images import main


def test_the_same_seed_gives_the_same_file_and_another_seed_another_one() -> None:
    assert images.sample_jpeg(5) == images.sample_jpeg(5)
    assert images.sample_jpeg(5) != images.sample_jpeg(6)


def test_a_photo_has_the_size_asked_for_and_neighbouring_pixels_that_resemble_each_other() -> None:
    pixels = images.photo(0, width=160, height=90)
    assert pixels.shape == (90, 160, 3)
    luma = pixels.mean(axis=2)
    assert np.corrcoef(luma[:, 1:].ravel(), luma[:, :-1].ravel())[0, 1] > 0.8


def test_the_writer_lays_images_out_as_imagenet_does(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [str(tmp_path / "set"), "--classes", "2", "--per-class", "3"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("6 images in ")
    paths = sorted((tmp_path / "set").rglob("*.JPEG"))
    assert [p.parent.name for p in paths] == ["n01440764"] * 3 + ["n01450737"] * 3
    assert all(p.name.startswith(p.parent.name + "_") for p in paths)
    for path in paths:
        with Image.open(path) as image:
            image.load()
            assert image.format == "JPEG"
