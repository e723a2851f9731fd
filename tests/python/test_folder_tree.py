"""Which folders are splits and which are classes, held against torchvision's own rule."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import pytest
from folders import listed, torchvision_folder, write_tree

from fastinet import errors
from fastinet.conversion.sources.detect import open_source
from fastinet.conversion.sources.folder_tree import read_tree
from fastinet.conversion.sources.imagefolder import ImageFolder
from fastinet.format.file_kinds import is_noise

CLASSES = ("n01440764", "n02102040")


def train(root: Path, name: str = "train") -> Path:
    return write_tree(root, {f"{name}/{c}/{c}_{i}.JPEG": b"1" for c in CLASSES for i in (2, 10)})


def val(root: Path, name: str = "val") -> Path:
    return write_tree(root, {f"{name}/{c}/v_{c}.JPEG": b"1" for c in CLASSES})


def flat(root: Path, name: str) -> Path:
    return write_tree(root, {f"{name}/ILSVRC2012_{i:08d}.JPEG": b"1" for i in (2, 1)})


def left_alone(source: ImageFolder) -> list[str]:
    """Of its first split, where it is told."""
    return list(source.survey(source.splits[0]).notes.get("folders left alone", ()))


PLAIN = ("a", "b", "B", "10", "2", "9", "a b", "ü", "n01440764", "z.jpg")
STRANGE = ("a", "b", ".hidden", "__MACOSX", "lost+found", "@eaDir", "train", "Training", "val", "Test")
FILES = ("1.jpg", "2.PNG", "10.JPEG", ".webp", "notes.txt", "._1.jpg", ".DS_Store", ".keep")


def grow(root: Path, chance: random.Random, names: tuple[str, ...], depth: int = 0) -> Path:
    """A small tree at random."""
    root.mkdir(parents=True)
    for name in chance.sample(FILES, chance.choice((0, 1, 2, 3))):
        (root / name).write_bytes(b"1")
    for name in chance.sample(names, chance.choice((0, 0, 1, 2) if depth else (1, 2, 3, 4))):
        if depth < 3 and not (root / name).exists():
            grow(root / name, chance, names, depth + 1)
    return root


def without_noise(root: Path, copy: Path) -> Path:
    """A copy as if no system had left anything there."""
    shutil.copytree(root, copy, ignore=lambda _, names: [name for name in names if is_noise(name)])
    return copy


def test_labels_and_samples_are_torchvisions_for_every_tree_that_it_accepts(tmp_path: Path) -> None:
    accepted = stopped = 0
    for seed in range(150):
        root = grow(tmp_path / str(seed) / "tree", random.Random(seed), PLAIN)
        clean = without_noise(root, tmp_path / str(seed) / "clean")
        try:
            class_to_idx, samples = torchvision_folder(str(clean))
        except FileNotFoundError:
            stopped += 1
            continue
        source = ImageFolder(root)
        if any(
            re.search(r"/[^n/][^/]*/(.*/)?n01440764/", path.removeprefix(str(clean))) for path, _ in samples
        ):
            with pytest.raises(
                errors.ArgumentError, match="is a synset"
            ):  # a dataset; torchvision's one class
                source.survey("train")
            continue
        survey = source.survey("train")
        accepted += 1
        assert [c.name for c in source.classes] == list(class_to_idx), seed
        assert listed(source, "train") == [(p.replace(str(clean), str(root), 1), i) for p, i in samples], seed
        assert survey.records == len(samples)
    assert (accepted > 40, stopped > 40) == (True, True)


def test_where_torchvision_stops_labels_are_those_of_the_folders_that_were_not_left_alone(
    tmp_path: Path,
) -> None:
    accepted = refused = 0
    for seed in range(250):
        root = grow(tmp_path / str(seed) / "tree", random.Random(seed), STRANGE)
        try:
            source = ImageFolder(root)
            surveys = [source.survey(split) for split in source.splits]
        except errors.ArgumentError:
            refused += 1
            continue
        place = tmp_path / str(seed) / "clean"
        clean = without_noise(root, place)
        told = {text.partition(":")[0] for text in left_alone(source)}
        names = [c.name for c in source.classes]
        for survey, (split, (path, folders, _)) in zip(
            surveys, read_tree(str(root)).splits.items(), strict=True
        ):
            samples = [(p.replace(str(root), str(clean), 1), label) for p, label in listed(source, split)]
            assert survey.records == len(samples)
            assert (not folders) == ({label for _, label in samples} == {-1}), seed
            if not folders:
                continue
            here = Path(path.replace(str(root), str(clean), 1))
            for name in {entry.name for entry in here.iterdir() if entry.is_dir()} - set(folders):
                assert name in told or split != source.splits[0]
                shutil.rmtree(here / name)
            class_to_idx, expected = torchvision_folder(str(here), allow_empty=True)
            by_name = [(p, names.index(list(class_to_idx)[label])) for p, label in expected]
            assert samples == by_name, seed
            if split == "train":
                assert names == list(class_to_idx), seed
            accepted += 1
    assert (accepted > 40, refused > 40) == (True, True)


# What users hold: each tree, and the records and labels by split that it gives.
def test_a_flat_val_beside_train_is_refused_with_the_options_that_decide(tmp_path: Path) -> None:
    flat(train(tmp_path), "val")
    with pytest.raises(errors.ArgumentError) as caught:
        ImageFolder(tmp_path)
    path = tmp_path / "val"
    assert str(caught.value) == (
        f"{path}: images but no class folders, so no labels; expected {path}/<class>/<image>. Sort them so, "
        "or give their labels in a list (CSV, or val.txt), or convert the archive with its devkit; --split "
        "val converts them without labels, --split train leaves them alone"
    )
    source = ImageFolder(tmp_path, "train")
    assert listed(source, "train") == torchvision_folder(str(tmp_path / "train"))[1]
    assert left_alone(source) == []
    source = ImageFolder(tmp_path, "val")
    assert [label for _, label in listed(source, "val")] == [-1, -1]
    assert [c.name for c in source.classes] == list(CLASSES)
    notes = source.survey("val").notes
    assert notes["images without labels (-1), as there are no class folders"] == ["2"]


def test_a_flat_test_beside_train_and_val_has_no_labels(tmp_path: Path) -> None:
    flat(val(train(tmp_path)), "test")
    source = ImageFolder(tmp_path)
    assert source.splits == ("train", "val", "test")
    assert [label for _, label in listed(source, "test")] == [-1, -1]
    assert [label for _, label in listed(source, "val")] == [0, 1]


def test_what_lies_beside_splits_without_images_is_left_alone_and_named(tmp_path: Path) -> None:
    val(train(tmp_path))
    write_tree(
        tmp_path,
        {
            "ILSVRC2012_devkit_t12/data/truth.txt": b"1",
            "Annotations/n01440764/1.xml": b"<a/>",
            ".ipynb_checkpoints/x.jpg": b"1",
            ".cache/x.jpg": b"1",
            "lost+found/x": b"1",
            "stray.jpg": b"1",
        },
    )
    (tmp_path / "test").mkdir()
    source = ImageFolder(tmp_path)
    assert source.splits == ("train", "val")
    assert [c.name for c in source.classes] == list(CLASSES)
    notes = source.survey("train").notes
    assert notes["folders left alone"] == [
        ".cache: images, but no split",
        "Annotations: no images",
        "ILSVRC2012_devkit_t12: no images",
        "test: no images",
        ".ipynb_checkpoints: of the operating system or a tool",
        "lost+found: of the operating system or a tool",
    ]
    assert notes["images beside the splits, ignored"] == ["stray.jpg"]
    with pytest.raises(errors.ArgumentError, match="/test: no images here, only train, val"):
        ImageFolder(tmp_path, "test")


@pytest.mark.parametrize(
    ("folders", "splits", "renamed"),
    [
        (("Train", "Val"), ("train", "val"), ["Train: train", "Val: val"]),
        (("Training", "Validation"), ("train", "validation"), ["Training: train", "Validation: validation"]),
        (("TRAIN", "test"), ("train", "test"), ["TRAIN: train"]),
        (("train", "valid"), ("train", "valid"), []),
    ],
)
def test_splits_are_known_in_any_case_and_by_their_usual_names(
    tmp_path: Path, folders: tuple[str, str], splits: tuple[str, str], renamed: list[str]
) -> None:
    for name in folders:
        train(tmp_path, name)
    source = ImageFolder(tmp_path)
    assert source.splits == splits
    assert list(source.survey(splits[0]).notes["folders taken for splits"]) == renamed
    for name, split in ((folders[0], splits[0]), (splits[1], splits[1])):
        assert ImageFolder(tmp_path, name).splits == (split,)


def test_two_folders_for_one_split_are_refused(tmp_path: Path) -> None:
    train(train(tmp_path), "Training")
    with pytest.raises(errors.ArgumentError, match="both Training and train are named as the split train"):
        ImageFolder(tmp_path)


def test_folders_of_images_beside_splits_are_taken_for_neither(tmp_path: Path) -> None:
    write_tree(train(tmp_path), {"bus/1.jpg": b"1", "extra/a/1.jpg": b"1"})
    with pytest.raises(errors.ArgumentError) as caught:
        ImageFolder(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: holds splits (train) beside folders of images that are no splits (bus, extra); move "
        "one or the other away, or convert one split alone with --split train; where all are classes, list "
        "the classes with --class-order FILE (class_order=)"
    )
    source = ImageFolder(tmp_path, "train")
    assert left_alone(source) == ["bus: images, but no split", "extra: images, but no split"]
    as_classes = open_source(tmp_path, class_order=["train", "bus", "extra"])
    assert sorted(label for _, label in listed(as_classes, "train")) == [0, 0, 0, 0, 1, 2]


@pytest.mark.parametrize(
    ("above", "named"),
    [
        ("imagenet", "imagenet"),
        ("ILSVRC/Data/CLS-LOC", "ILSVRC/Data/CLS-LOC"),
        ("x/y", "x/y"),
    ],
)
def test_a_path_that_is_too_high_is_refused_with_the_right_one(
    tmp_path: Path, above: str, named: str
) -> None:
    val(train(tmp_path / above))
    with pytest.raises(errors.ArgumentError) as caught:
        ImageFolder(tmp_path).survey("train")
    assert (
        f"{tmp_path}/{named}: is no class: {tmp_path}/{named}/train is a split by its name; convert"
        in str(caught.value)
    )
    assert ImageFolder(tmp_path / named).splits == ("train", "val")


def test_synsets_a_level_below_are_no_class(tmp_path: Path) -> None:
    train(tmp_path / "data", "images")
    with pytest.raises(errors.ArgumentError, match=r"images: is no class: .*/n01440764 is a synset; convert"):
        ImageFolder(tmp_path / "data").survey("train")
    assert len(listed(ImageFolder(tmp_path / "data" / "images"), "train")) == 4


def test_an_archives_name_that_tells_a_split_is_no_class(tmp_path: Path) -> None:
    flat(train(tmp_path, "ILSVRC2012_img_train"), "ILSVRC2012_img_val")
    with pytest.raises(errors.ArgumentError, match="no classes: ILSVRC2012_img_train, ILSVRC2012_img_val; "):
        ImageFolder(tmp_path)
    write_tree(tmp_path, {"zebra/1.jpg": b"1"})
    with pytest.raises(errors.ArgumentError, match="ILSVRC2012_img_train is a split by its name; convert"):
        ImageFolder(tmp_path).survey("train")


def test_splits_within_each_class_are_refused(tmp_path: Path) -> None:
    names = ("bottle/train/good/0.png", "bottle/test/crack/1.png", "cable/train/good/0.png")
    write_tree(tmp_path / "deep", dict.fromkeys(names, b"1"))
    write_tree(tmp_path / "flat", {"cat/train/1.jpg": b"1", "cat/test/2.jpg": b"1", "dog/train/3.jpg": b"1"})
    for name, why in (("deep", "bottle/test is a split by its name"), ("flat", "cat holds splits")):
        with pytest.raises(errors.ArgumentError, match=why):
            ImageFolder(tmp_path / name).survey("train")
    listed_by_hand = open_source(tmp_path / "flat", class_order=["dog", "cat"])
    assert [label for _, label in listed(listed_by_hand, "train")] == [1, 1, 0]


def test_a_split_folder_within_itself_is_no_class(tmp_path: Path) -> None:
    val(train(tmp_path / "train"))
    (tmp_path / "train" / "train").rename(tmp_path / "train" / "Train")
    with pytest.raises(errors.ArgumentError, match="train/Train is a split by its name"):
        ImageFolder(tmp_path).survey("train")
    assert ImageFolder(tmp_path / "train").splits == ("train", "val")


def test_splits_without_class_folders_alone_are_no_classes(tmp_path: Path) -> None:
    flat(flat(tmp_path, "train"), "test")
    with pytest.raises(errors.ArgumentError, match=r"train: images but no class folders.*--split train"):
        ImageFolder(tmp_path)
    assert [label for _, label in listed(ImageFolder(tmp_path, "test"), "test")] == [-1, -1]
    assert [label for _, label in listed(ImageFolder(tmp_path, "train"), "train")] == [-1, -1]


@pytest.mark.parametrize("names", [("train2017", "val2017"), ("test_images",), ("img_train", "notes")])
def test_folders_named_much_as_splits_alone_are_no_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        write_tree(tmp_path, {f"{name}/{'1.txt' if name == 'notes' else '1.jpg'}": b"1"})
    with pytest.raises(errors.ArgumentError, match="its folders are splits by their names and no classes"):
        ImageFolder(tmp_path)
    source = ImageFolder(tmp_path / names[0], "mine")
    assert [label for _, label in listed(source, "mine")] == [-1]
    assert len(open_source(tmp_path, class_order=[n for n in names if n != "notes"]).classes) in (1, 2)


def test_a_split_beside_another_of_an_unusual_name_is_refused(tmp_path: Path) -> None:
    write_tree(tmp_path, {"train/cat.0.jpg": b"1", "test1/1.jpg": b"1"})
    with pytest.raises(errors.ArgumentError, match=r"holds splits \(train\) beside .* no splits \(test1\)"):
        ImageFolder(tmp_path)


def test_classes_that_are_named_much_as_splits_are_classes_beside_others(tmp_path: Path) -> None:
    write_tree(tmp_path, {"bullet train/1.jpg": b"1", "test tube/1.jpg": b"1", "zebra/1.jpg": b"1"})
    assert listed(ImageFolder(tmp_path), "train") == torchvision_folder(str(tmp_path))[1]


def test_one_class_only_is_remarked(tmp_path: Path) -> None:
    write_tree(tmp_path, {"images/1.jpg": b"1"})
    assert ImageFolder(tmp_path).survey("train").notes["one class only"] == ["images"]


def test_labels_do_not_depend_on_which_splits_are_converted(tmp_path: Path) -> None:
    write_tree(train(tmp_path), {f"val/{CLASSES[1]}/1.jpg": b"1"})
    for split in (None, "val"):
        assert [label for _, label in listed(ImageFolder(tmp_path, split), "val")] == [1]


def test_a_split_with_classes_of_its_own_is_refused_or_converted_alone(tmp_path: Path) -> None:
    write_tree(train(tmp_path), {"test/all/1.jpg": b"1", "test/all/2.jpg": b"1"})
    with pytest.raises(errors.ArgumentError, match=r"test has classes that train lacks \(all\), and labels"):
        ImageFolder(tmp_path)
    source = ImageFolder(tmp_path, "train")
    assert listed(source, "train") == torchvision_folder(str(tmp_path / "train"))[1]
    notes = source.survey("train").notes
    assert notes["labels by this split's own classes"] == ["test has classes that train lacks: all"]
    assert [c.name for c in ImageFolder(tmp_path, "test").classes] == ["all"]


def test_a_hidden_folder_with_images_stops_and_one_without_is_left_alone(tmp_path: Path) -> None:
    write_tree(tmp_path, {"b/1.jpg": b"1", "c/1.jpg": b"1", ".git/config": b"", ".a/1.jpg": b"1"})
    with pytest.raises(
        errors.ArgumentError, match=r"\.a: a hidden folder with images, which torchvision tak"
    ):
        ImageFolder(tmp_path)
    with_it = open_source(tmp_path, class_order=[".a", "b", "c"])
    assert [label for _, label in listed(with_it, "train")] == [0, 1, 2]
    shutil.rmtree(tmp_path / ".a")
    source = ImageFolder(tmp_path)
    assert [c.name for c in source.classes] == ["b", "c"]
    assert left_alone(source) == [".git: hidden, and no images"]


def test_a_folder_of_other_things_is_no_class_unless_it_is_listed(tmp_path: Path) -> None:
    write_tree(tmp_path, {"cat/1.jpg": b"1", "dog/1.jpg": b"1", "Labels/1.txt": b"", "Labels/sub/2.txt": b""})
    with pytest.raises(errors.ArgumentError, match=r"Labels: holds no images, only 2 of \.txt: no class"):
        ImageFolder(tmp_path).survey("train")
    source = open_source(tmp_path, class_order=["cat", "dog"])
    assert [label for _, label in listed(source, "train")] == [0, 1]
    notes = source.survey("train").notes
    assert notes["folders left alone"] == ["Labels: not among the classes listed, and no images"]


def test_system_folders_within_classes_are_not_entered(tmp_path: Path) -> None:
    write_tree(tmp_path, {"cat/1.jpg": b"1", "cat/@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg": b"1"})
    source = ImageFolder(tmp_path)
    assert [path for path, _ in listed(source, "train")] == [f"{tmp_path}/cat/1.jpg"]
    assert source.survey("train").notes["system folders in the classes, ignored"] == ["cat/@eaDir"]


@pytest.mark.parametrize(("name", "split"), [("test", "test"), ("photos", "train")])
def test_a_folder_of_images_alone_has_no_labels(tmp_path: Path, name: str, split: str) -> None:
    flat(tmp_path, name)
    write_tree(tmp_path / name, {"readme/x.txt": b"", "._1.jpg": b"", ".small/1.jpg": b""})
    source = open_source(tmp_path / name)
    assert (source.kind, tuple(source.splits), tuple(source.classes)) == ("imagefolder", (split,), ())
    samples = list(source.samples(split))
    assert [(s.key, s.label) for s in samples] == [("ILSVRC2012_00000001", -1), ("ILSVRC2012_00000002", -1)]
    assert source.survey(split).notes["folders left alone"] == [".small: no class", "readme: no class"]
    assert tuple(open_source(tmp_path / name, split="mine").splits) == ("mine",)


def test_images_beside_class_folders_are_counted_as_torchvision_ignores_them(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a/1.jpg": b"1", "2.jpg": b"1", "3.jpg": b"1", "._3.jpg": b"1"})
    source = ImageFolder(tmp_path)
    assert listed(source, "train") == torchvision_folder(str(tmp_path))[1]
    notes = source.survey("train").notes
    assert notes["images outside of the class folders, ignored"] == ["2.jpg", "3.jpg"]
