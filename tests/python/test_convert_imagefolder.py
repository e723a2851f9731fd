"""The ImageFolder source."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from folders import listed, torchvision_folder, write_tree

from fastinet import errors
from fastinet.conversion.sources.imagefolder import ImageFolder


def test_samples_come_in_torchvisions_order_with_its_labels(tmp_path: Path) -> None:
    names = [
        "b/2.JPEG",
        "b/10.jpg",
        "b/a-b/1.png",
        "b/a/c/1.webp",
        "b/a/9.jpg",
        "b/notes.txt",
        "a/é.jpg",
        "Z/1.BMP",
    ]
    write_tree(tmp_path / "src", {name: name.encode() for name in names})
    (tmp_path / "src" / "empty").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.tiff").write_bytes(b"x")
    (tmp_path / "src" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "src" / "a" / "gone.jpg").symlink_to("nowhere")
    source = ImageFolder(tmp_path / "src")
    _, expected = torchvision_folder(str(tmp_path / "src"), allow_empty=True)
    assert len(expected) == 9
    assert listed(source, "train") == expected
    assert [entry.name for entry in source.classes] == ["Z", "a", "b", "empty", "linked"]


def test_the_survey_counts_images_and_names_ignored_files(tmp_path: Path) -> None:
    write_tree(
        tmp_path, {"a/1.jpg": b"1", "a/2.jpg": b"2", "a/readme.txt": b"", "a/x": b"", "b/.hidden": b""}
    )
    survey = ImageFolder(tmp_path).survey("train")
    assert survey.records == 2
    assert survey.notes["files ignored"] == ["1 of .txt", "2 of no extension"]


def test_folders_named_as_splits_become_splits_with_common_labels(tmp_path: Path) -> None:
    write_tree(tmp_path, {"val/b/1.jpg": b"1", "train/a/1.jpg": b"1", "train/b/1.jpg": b"1"})
    source = ImageFolder(tmp_path)
    assert source.splits == ("train", "val")
    assert [sample.label for sample in source.samples("val")] == [1]
    assert ImageFolder(tmp_path, split="val").splits == ("val",)
    with pytest.raises(errors.ArgumentError, match="no split 'test' here, only train, val"):
        ImageFolder(tmp_path, split="test")


def test_classes_that_are_named_as_splits_are_still_classes(tmp_path: Path) -> None:
    write_tree(tmp_path, {"train/1.jpg": b"1", "bus/1.jpg": b"1"})
    source = ImageFolder(tmp_path)
    assert source.splits == ("train",)
    assert [entry.name for entry in source.classes] == ["bus", "train"]


@pytest.mark.parametrize(("folder", "split"), [("val", "val"), ("photos", "train")])
def test_a_folder_without_splits_is_named_after_itself_or_train(
    tmp_path: Path, folder: str, split: str
) -> None:
    write_tree(tmp_path / folder, {"a/1.jpg": b"1"})
    assert ImageFolder(tmp_path / folder).splits == (split,)
    assert ImageFolder(tmp_path / folder, split="mine").splits == ("mine",)
    with pytest.raises(errors.ArgumentError, match=r"letters, digits and underscores, not '\.\./x'"):
        ImageFolder(tmp_path / folder, split="../x")


def test_a_source_without_classes_or_images_is_refused_with_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(
        errors.MissingFileError, match="gone: a folder of images was expected, there is nothing"
    ):
        ImageFolder(tmp_path / "gone")
    (tmp_path / "1.jpg").write_bytes(b"1")
    with pytest.raises(errors.MissingFileError, match="this is a file"):
        ImageFolder(tmp_path / "1.jpg")
    (tmp_path / "1.jpg").unlink()
    with pytest.raises(
        errors.ArgumentError, match=r"no class folders and no images; expected .*/<class>/<image>"
    ):
        ImageFolder(tmp_path)
    (tmp_path / "a").mkdir()
    with pytest.raises(errors.ArgumentError, match="no images in its 1 folders"):
        ImageFolder(tmp_path).survey("train")


def test_a_link_back_to_a_folder_above_is_refused_instead_of_followed_for_ever(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a/1.jpg": b"1"})
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    with pytest.raises(errors.ArgumentError, match=r"loop/?.*: a link back to a folder above it"):
        list(ImageFolder(tmp_path).samples("train"))


def test_keys_are_paths_that_webdataset_reads_and_that_never_meet(tmp_path: Path) -> None:
    names = [
        b"a/x.y.jpg",
        b"a/x%y.jpg",
        b"a/i.jpg",
        b"a/i.png",
        b"a/sub.d/i.jpg",
        b"a/\xff.jpg",
        b"a/.jpg",
        "a/ü.jpg".encode(),
    ]
    for name in names:
        path = os.fsencode(tmp_path) + b"/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(name)
    keys = [sample.key for sample in ImageFolder(tmp_path).samples("train")]
    assert sorted(keys) == sorted(
        ["a/x%2Ey", "a/x%25y", "a/i", "a/i~2", "a/sub.d/i", "a/%FF", "a/%2E", "a/ü"]
    )
    assert all("." not in key.rpartition("/")[2] for key in keys)


def test_descriptions_are_made_one_class_at_a_time(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a/1.jpg": b"1", "b/1.jpg": b"1"})
    samples = ImageFolder(tmp_path).samples("train")
    assert next(samples).key == "a/1"
    (tmp_path / "b" / "2.jpg").write_bytes(b"2")
    assert [sample.key for sample in samples] == ["b/1", "b/2"]
