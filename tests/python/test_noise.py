"""What operating systems leave in folders and tars is neither image nor class."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from archives import tar_of, tar_of_tars, write
from folders import small_jpeg

from fastinet.conversion import convert
from fastinet.conversion.sources.files import images_in
from fastinet.format.file_kinds import is_noise

APPLE_DOUBLE = b"\0\5\x16\7\0\2\0\0Mac OS X        "


@pytest.mark.parametrize(
    "name",
    [
        "._1.jpg",
        "a/._b.JPEG",
        ".DS_Store",
        "Thumbs.db",
        "x/desktop.ini",
        "__MACOSX/a/b.jpg",
        "lost+found",
        "@eaDir",
        "a/@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg",
        "$RECYCLE.BIN",
        "System Volume Information",
        ".ipynb_checkpoints",
        "THUMBS.DB",
    ],
)
def test_the_names_of_noise_are_known(name: str) -> None:
    assert is_noise(name)


@pytest.mark.parametrize(
    "name", ["1.jpg", ".jpg", ".hidden.png", "a._b.jpg", "./a/1.jpg", "lost and found", "thumbs/1.jpg", ""]
)
def test_other_names_are_not_taken_for_noise(name: str) -> None:
    assert not is_noise(name)


def test_a_listing_of_images_leaves_noise_out(tmp_path: Path) -> None:
    write(tmp_path, {"b.jpg": b"", "a.png": b"", "._b.jpg": APPLE_DOUBLE, ".DS_Store": b""})
    assert images_in(tmp_path) == ["a.png", "b.jpg"]


@pytest.mark.parametrize("name", ["fall11_whole.tar", "winter21_whole.tar.gz", "ILSVRC2012_img_train.tar"])
def test_noise_in_tars_is_skipped_and_counted(name: str, tmp_path: Path) -> None:
    noisy = {"._n01440764_1.JPEG": APPLE_DOUBLE, "n01440764_1.JPEG": small_jpeg(1), ".DS_Store": b"x"}
    outer = tar_of(
        {"._n01440764.tar": APPLE_DOUBLE, "n01440764.tar": tar_of(noisy), "__MACOSX/n01440764.tar": b"x"}
    )
    write(tmp_path / "src", {name: gzip.compress(outer) if name.endswith(".gz") else outer})
    split = convert(tmp_path / "src", tmp_path / "dst").splits["train"]
    assert (split.records, split.bad) == (1, [])
    assert {"1 of ._* (macOS)", "1 of .DS_Store"} <= set(split.notes["files ignored"])


def test_noise_beside_validation_images_is_no_image(tmp_path: Path) -> None:
    tar = tar_of_tars({"n01440764": {"n01440764_1.JPEG": small_jpeg(1)}})
    flat = tar_of(
        {"._ILSVRC2012_test_00000001.JPEG": APPLE_DOUBLE, "ILSVRC2012_test_00000001.JPEG": small_jpeg(2)}
    )
    write(tmp_path / "src", {"ILSVRC2012_img_train.tar": tar, "ILSVRC2012_img_test.tar": flat})
    report = convert(tmp_path / "src", tmp_path / "dst")
    assert report.splits["test"].records == 1
    assert report.splits["test"].notes["files ignored"] == ["1 of ._* (macOS)"]
