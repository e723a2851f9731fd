"""fastinet.verify beside what was published: counts, classes, names."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
import pytest
import scipy.io
from archives import CLASSES, IDS, devkit, tar_of_tars, write
from folders import small_jpeg
from images import SHARED
from splits import Item, write_split

import fastinet
from fastinet import errors
from fastinet.cli.verify import verify as verify_command
from fastinet.format.manifest import ClassInfo, Manifest, ShardInfo
from fastinet.imagenet import published
from fastinet.verification import ClassCount, Comparison, SplitContents

ILSVRC = published.find("ilsvrc2012").splits["train"].classes
FIRST_TWO = ILSVRC[:2]
VAL = "ILSVRC2012_val_{:08d}"


def one(path: Path, **options: object) -> SplitContents:
    report = fastinet.verify(path, duplicates="none", **options)
    assert len(report.contents) == 1
    return report.contents[0]


def comparison(split: SplitContents) -> Comparison:
    assert split.published is not None
    return split.published


def validation_set(numbers: Iterable[int], key: str = VAL) -> list[Item]:
    """Fifty a class, as the real set has them; the payloads are no images."""
    return [(key.format(number), b"%d" % number, (number - 1) % 1000) for number in numbers]


def written(folder: Path, items: Sequence[Item], classes: Sequence[str] = ILSVRC, source: str = "") -> Path:
    return write_split(folder, items, 5000, classes, {"source": source})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("whole") / "val", validation_set(range(1, 50_001)))


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without 3 images, with one of them twice under another folder, and two that do not belong."""
    items = validation_set(n for n in range(1, 50_001) if n not in (7, 49_999, 50_000))
    items += [(f"again/{VAL.format(11)}", b"11", 10), (VAL.format(50_001), b"?", 0), ("cat", b"??", 0)]
    return written(tmp_path_factory.mktemp("faulty") / "val", items)


def test_the_table_holds_the_published_numbers_of_every_class() -> None:
    train = published.find("ilsvrc2012").splits["train"]
    counts = train.class_images
    assert counts is not None
    assert (len(counts), sum(counts.values())) == (1000, train.images)
    assert (min(counts.values()), max(counts.values())) == (732, 1300)
    for name in published.names():
        dataset = published.find(name)
        assert dataset.sources
        for split in dataset.splits.values():
            assert split.each_class in (None, split.images // split.class_count)
            assert len(split.classes) in (0, split.class_count)
    with pytest.raises(errors.ArgumentError, match="no published counts of 'mnist'; known are ilsvrc2012"):
        published.find("mnist")


def test_the_table_agrees_with_the_devkit() -> None:
    kit = SHARED / "imagenet-meta" / "ILSVRC2012_devkit_t12.tar.gz"
    if not kit.exists():
        pytest.skip("no devkit here")
    with tarfile.open(kit) as tar:
        content = tar.extractfile("ILSVRC2012_devkit_t12/data/meta.mat")
        assert content is not None
        rows = scipy.io.loadmat(io.BytesIO(content.read()), squeeze_me=True)["synsets"]
    leaves = {row["WNID"]: row["num_train_images"] for row in rows if not row["num_children"]}
    assert published.find("ilsvrc2012").splits["train"].class_images == leaves


def test_the_whole_validation_set_is_recognised_and_nothing_is_missing(whole: Path) -> None:
    split = one(whole)
    assert comparison(split) == Comparison(
        "ilsvrc2012", "ILSVRC-2012", "val", False, 1000, 1000, 50_000, 50_000
    )
    assert split.balance is not None
    assert (split.balance.smallest, split.balance.median, split.balance.largest) == (50, 50, 50)
    assert fastinet.verify(whole, duplicates="none", expect="ilsvrc2012").ok


def test_missing_repeated_and_foreign_names_are_listed(faulty: Path) -> None:
    report = fastinet.verify(faulty, duplicates="none")
    assert report.ok  # remarks, unless the user says what must be there
    found = comparison(report.contents[0])
    assert (found.expected, found.found, found.missing, found.surplus) == (50_000, 50_000, 0, 0)
    assert found.missing_names == (VAL.format(7), VAL.format(49_999), VAL.format(50_000))
    assert found.repeated_names == (VAL.format(11),)
    assert (found.strange_names, found.strange_examples) == (2, (VAL.format(50_001), "cat"))
    assert found.deviating == (
        ClassCount(ILSVRC[0], 50, 52),
        ClassCount(ILSVRC[6], 50, 49),
        ClassCount(ILSVRC[10], 50, 51),
        ClassCount(ILSVRC[998], 50, 49),
        ClassCount(ILSVRC[999], 50, 49),
    )


def test_each_difference_from_a_dataset_that_the_user_named_is_a_problem(faulty: Path) -> None:
    report = fastinet.verify(faulty, duplicates="none", expect="ilsvrc2012")
    assert {type(problem) for problem in report.problems} == {errors.ExpectationError}
    assert {problem.path for problem in report.problems} == {str(faulty)}
    texts = [str(problem).removeprefix(f"{faulty}: ILSVRC-2012, val: ") for problem in report.problems]
    counts = {0: 52, 6: 49, 10: 51, 998: 49, 999: 49}
    assert texts == [
        "5 classes do not have as many images as published: "
        + ", ".join(f"{ILSVRC[label]} has {count} of 50" for label, count in counts.items()),
        f"3 images are missing: {VAL.format(7)}, {VAL.format(49_999)}, {VAL.format(50_000)}",
        f"1 images are repeated: {VAL.format(11)}",
        f"2 names do not belong to this split: {VAL.format(50_001)}, cat",
    ]


def test_hugging_face_adds_the_synset_to_the_names_which_are_the_same_names(tmp_path: Path) -> None:
    words = [f"word {i}" for i in range(1000)]
    items = validation_set(range(2, 1001), VAL + "_n01440764")
    path = written(tmp_path / "validation", items, words, "parquet")
    assert one(path).published is None
    found = comparison(one(path, expect="ilsvrc2012"))
    assert len(found.missing_names) == 50_000 - 999
    assert found.missing_names[:2] == (VAL.format(1), VAL.format(1001))
    assert (found.strange_names, found.deviating) == (0, ())


def test_a_subset_of_the_classes_is_compared_with_their_published_numbers(tmp_path: Path) -> None:
    items = [(f"{FIRST_TWO[0]}_{i}", b"a%d" % i, 0) for i in range(1300)]
    items += [(f"{FIRST_TWO[1]}_{i}", b"b%d" % i, 1) for i in range(1297)]
    path = written(tmp_path / "train", items, FIRST_TWO)
    found = comparison(one(path))
    assert (found.classes, found.published_classes) == (2, 1000)
    assert (found.expected, found.found, found.missing) == (2600, 2597, 3)
    assert found.deviating == (ClassCount(FIRST_TWO[1], 1300, 1297),)
    assert found.missing_names == ()  # the names of training images have gaps
    stated = comparison(one(path, expect="ilsvrc2012"))
    assert (stated.expected, stated.missing) == (1_281_167, 1_278_570)
    assert len(stated.deviating) == 999
    assert ClassCount(ILSVRC[2], 1300, 0) in stated.deviating


def test_labels_that_contradict_the_name_of_the_image_are_listed(tmp_path: Path) -> None:
    names = ("n00000001", "n00000002", "dog")
    items = [
        ("a/n00000001_5", b"1", 0),
        ("n00000001_6", b"2", 1),
        ("n00000001_7", b"3", 2),
        ("other", b"4", 1),
        ("n00000002_1", b"5", -1),
    ]
    split = one(written(tmp_path / "train", items, names))
    assert split.contradicting == 1
    assert [(image.key, image.record, image.class_name) for image in split.contradicting_examples] == [
        ("n00000001_6", 1, "n00000002")
    ]
    assert split.balance is not None
    assert (split.balance.unlabelled, split.records) == (1, 5)


def test_the_balance_of_the_classes_names_the_empty_ones(tmp_path: Path) -> None:
    items = [(str(i), b"%d" % i, label) for i, label in enumerate([0, 0, 0, 0, 2, 2, 3])]
    balance = one(written(tmp_path / "train", items, ["a", "b", "c", "d", "e"])).balance
    assert balance is not None
    assert (balance.classes, balance.smallest, balance.median, balance.largest) == (5, 0, 1.0, 4)
    assert balance.empty == ("b", "e")
    unlabelled = [(str(i), b"%d" % i, -1) for i in range(3)]
    assert one(written(tmp_path / "test", unlabelled, ["a", "b"])).balance is None


def test_images_of_a_test_set_need_no_labels_to_be_counted(tmp_path: Path) -> None:
    items = [(f"ILSVRC2012_test_{i:08d}", b"%d" % i, -1) for i in range(2, 40)]
    found = comparison(one(written(tmp_path / "test", items, source="ilsvrc2012")))
    assert (found.split, found.expected, found.found, found.deviating) == ("test", 100_000, 38, ())
    assert len(found.missing_names) == 100_000 - 38
    assert found.missing_names[:2] == ("ILSVRC2012_test_00000001", "ILSVRC2012_test_00000040")


def manifest_of(
    split: str, classes: Sequence[str], source: str, records: int = 0, count: int | None = None
) -> Manifest:
    shards = (ShardInfo("a.tar", records, 0, 0, "a.idx", 0, 0, 0, 0, 0),)
    infos = tuple(ClassInfo(name, count=count) for name in classes)
    return Manifest(split, infos, shards, created_by={"source": source})


IMAGENETTE = published.find("imagenette2").splits["train"].classes
IMAGEWOOF = published.find("imagewoof2").splits["train"].classes
MANY = tuple(f"n{i:08d}" for i in range(21_841))


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (manifest_of("train", ILSVRC, "imagefolder"), ("ilsvrc2012", "train")),
        (manifest_of("validation", ILSVRC, "webdataset"), ("ilsvrc2012", "val")),
        (manifest_of("train", ILSVRC, "ilsvrc2010"), ("ilsvrc2010", "train")),
        (manifest_of("test", ILSVRC[:3], "kaggle"), ("ilsvrc2012", "test")),
        (manifest_of("val", ["x"], "tiny-imagenet"), ("tiny-imagenet", "val")),
        (manifest_of("train", IMAGENETTE, "imagefolder", 9469), ("imagenette2", "train")),
        (manifest_of("train", IMAGENETTE, "imagefolder", 13_000), ("ilsvrc2012", "train")),
        (manifest_of("val", IMAGEWOOF, "imagefolder", 3900), ("imagewoof2", "val")),
        (manifest_of("train", MANY, "imagenet21k"), ("imagenet21k-fall11", "train")),
        (manifest_of("train", MANY[:19_167], "imagenet21k"), ("imagenet21k-winter21", "train")),
        (manifest_of("train", MANY[:10_450], "imagenet21k"), None),
        (manifest_of("train", MANY, "imagefolder"), None),
        (manifest_of("train_t3", ILSVRC, "ilsvrc2012"), None),
        (manifest_of("train", [*ILSVRC, "more"], "imagefolder"), None),
        (manifest_of("train", [], "csv"), None),
    ],
)
def test_a_published_split_is_recognised_by_its_source_or_its_classes(
    manifest: Manifest, expected: tuple[str, str] | None
) -> None:
    found = published.recognise(manifest)
    assert (found and (found.dataset, found.split)) == expected


def test_the_devkits_own_numbers_come_before_the_table() -> None:
    told = ClassInfo("n1", details={"num_train_images": 17})
    splits = published.find("ilsvrc2010").splits
    assert (splits["train"].images_of(told), splits["val"].images_of(told)) == (17, 50)
    assert splits["train"].images_of(ClassInfo("n1")) is None


def test_a_conversion_from_the_archives_keeps_the_devkits_details_of_each_class(tmp_path: Path) -> None:
    train = {name: {f"{name}_{i}.JPEG": small_jpeg(i) for i in range(3)} for name in CLASSES}
    files = {"ILSVRC2012_img_train.tar": tar_of_tars(train), "ILSVRC2012_devkit_t12.tar.gz": devkit(2012, [])}
    fastinet.convert(write(tmp_path / "src", files), tmp_path / "dst")
    found = comparison(one(tmp_path / "dst"))
    assert (found.dataset, found.classes, found.expected) == ("ilsvrc2012", 3, 101 + 102 + 103)
    assert found.deviating == tuple(
        ClassCount(IDS[number], 100 + number, 3) for number in sorted((1, 2, 3), key=lambda n: IDS[n])
    )


def test_the_help_of_the_command_line_names_every_published_dataset() -> None:
    option = next(option for option in verify_command.params if option.name == "expect")
    assert isinstance(option, click.Option)
    assert all(name in (option.help or "") for name in published.names())


def test_a_dataset_that_the_user_named_must_be_known_and_have_such_a_split(tmp_path: Path) -> None:
    path = written(tmp_path / "extra", [("a", b"1", 0)])
    with pytest.raises(errors.ArgumentError, match="no published counts of 'imagenet'"):
        fastinet.verify(path, expect="imagenet")
    with pytest.raises(errors.ArgumentError, match="ILSVRC-2012 has train, val, test, and none of these is"):
        fastinet.verify(path, expect="ilsvrc2012")
