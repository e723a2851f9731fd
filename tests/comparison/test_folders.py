"""Converted folders have the classes, labels and order that torchvision's datasets give the same files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import archives
import numpy as np
import pytest
from folders import small_jpeg, write_tree
from images import SHARED
from torchvision.datasets import ImageFolder, ImageNet, imagenet

import fastinet
from fastinet.imagenet.devkit import Devkit

DEVKIT = "ILSVRC2012_devkit_t12.tar.gz"


def check_same_records(theirs: ImageFolder, split: Path) -> None:
    """The same classes in the same order; under each number the same file and label."""
    dataset = fastinet.Dataset(split)
    assert [entry.name for entry in dataset.classes] == theirs.classes
    assert dict(dataset.class_to_index) == theirs.class_to_idx
    assert len(dataset) == len(theirs)
    np.testing.assert_array_equal(dataset.labels, theirs.targets)
    for record, (path, label) in zip(dataset, theirs.samples, strict=True):
        assert record.label == label
        assert bytes(record.payload) == Path(path).read_bytes(), path


def test_a_tree_of_awkward_names_is_numbered_as_image_folder_numbers_it(tmp_path: Path) -> None:
    names = [
        "b/2.JPEG",
        "b/10.jpg",
        "b/a-b/1.png",
        "b/a/c/1.jpeg",
        "b/a/9.jpg",
        "b/a b/1.jpg",
        "b/notes.txt",
        "B/1.jpg",
        "Z/1.JPG",
        "a/é.jpg",
        "a/.hidden.jpg",
        "a/1.jpg.bak",
        "10/x.jpg",
        "9/x.jpg",
        "été/1.jpg",
        "n01440764/n01440764_10026.JPEG",
        "n01440764/n01440764_9.JPEG",
        ".dot/1.jpg",
        "loose.jpg",
    ]
    root = write_tree(tmp_path / "src", {name: small_jpeg(number) for number, name in enumerate(names)})
    write_tree(tmp_path / "elsewhere", {"1.jpg": small_jpeg(90), "deep/2.jpg": small_jpeg(91)})
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "a" / "linked.jpg").symlink_to(tmp_path / "elsewhere" / "1.jpg")
    theirs = ImageFolder(root)
    assert len(theirs) == 19
    fastinet.convert(root, tmp_path / "out")
    check_same_records(theirs, tmp_path / "out" / "train")


def test_a_class_without_images_keeps_its_label(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "src", {f"{name}/1.jpg": small_jpeg(1) for name in "ac"})
    (root / "b").mkdir()
    fastinet.convert(root, tmp_path / "out")
    check_same_records(ImageFolder(root, allow_empty=True), tmp_path / "out" / "train")


def test_imagenets_photographs_are_numbered_as_image_folder_numbers_them(tmp_path: Path) -> None:
    samples = SHARED / "imagenet-samples" / "train"
    if not samples.is_dir():
        pytest.skip(f"no real images here: {samples} is not there")
    fastinet.convert(samples, tmp_path / "out")
    check_same_records(ImageFolder(samples), tmp_path / "out" / "train")


def test_archives_give_the_classes_and_labels_of_torchvisions_imagenet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = [3, 1, 2, 1, 3, 3]
    val = {f"ILSVRC2012_val_{n:08}.JPEG": small_jpeg(n) for n in range(1, len(truth) + 1)}
    train = {
        wnid: {f"{wnid}_{n}.JPEG": small_jpeg(100 * place + n) for n in (1, 10, 2)}
        for place, wnid in enumerate(archives.CLASSES)
    }
    files = {
        DEVKIT: archives.devkit(2012, truth),
        "ILSVRC2012_img_train.tar": archives.tar_of_tars(train),
        "ILSVRC2012_img_val.tar": archives.tar_of(val),
    }
    fastinet.convert(archives.write(tmp_path / "src", files), tmp_path / "out")

    monkeypatch.setattr(
        imagenet,
        "ARCHIVE_META",
        {
            "devkit": meta(DEVKIT, files),
            "train": meta("ILSVRC2012_img_train.tar", files),
            "val": meta("ILSVRC2012_img_val.tar", files),
        },
    )
    archives.write(tmp_path / "theirs", files)
    for split in ("train", "val"):
        theirs = ImageNet(tmp_path / "theirs", split)
        dataset = fastinet.Dataset(tmp_path / "out" / split)
        assert [entry.wnid for entry in dataset.classes] == theirs.wnids
        assert [entry.words for entry in dataset.classes] == theirs.classes
        labels = {bytes(record.payload): record.label for record in dataset}
        assert labels == {Path(path).read_bytes(): label for path, label in theirs.samples}


def meta(name: str, files: dict[str, bytes]) -> tuple[str, str]:
    return name, hashlib.md5(files[name]).hexdigest()


def test_the_real_devkit_reads_as_torchvision_reads_it(tmp_path: Path) -> None:
    kit = SHARED / "imagenet-meta" / DEVKIT
    if not kit.is_file():
        pytest.skip(f"no devkit here: {kit} is not there")
    (tmp_path / DEVKIT).symlink_to(kit)
    imagenet.parse_devkit_archive(tmp_path)
    words: dict[str, Any]
    words, val_wnids = imagenet.load_meta_file(tmp_path)
    ours = Devkit.find(tmp_path, 2012, [DEVKIT])
    assert ours is not None
    assert {entry.wnid: entry.words for entry in ours.classes} == words
    assert [entry.wnid for entry in ours.classes] == sorted(words)
    assert [ours.wnids[number] for number in ours.truth["val"]] == val_wnids
    assert len(val_wnids) == 50_000
