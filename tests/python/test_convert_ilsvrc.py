"""Conversion of ILSVRC-2012 and ILSVRC-2010 from the archives as distributed."""

from __future__ import annotations

import csv
import itertools
import json
import random
import sys
import tarfile
from pathlib import Path

import pytest
from archives import CLASSES, IDS, devkit, tar_of, tar_of_tars, write
from click.testing import CliRunner
from folders import members, small_jpeg, write_tree
from images import SHARED, encode, shared_files
from PIL import Image

from fastinet import Dataset, cli, errors
from fastinet.conversion import convert
from fastinet.conversion.sources.detect import open_source
from fastinet.format import manifest

KIT = "ILSVRC2012_devkit_t12.tar.gz"
TRUTH = [1, 2, 3, 1]


def _train() -> dict[str, dict[str, bytes]]:
    """Synsets and files out of order, as nothing promises an order."""
    return {
        wnid: {f"{wnid}_{i}.JPEG": small_jpeg(100 * c + i) for i in (10, 9, 2)}
        for c, wnid in enumerate(reversed(CLASSES))
    }


def _numbered(split: str, numbers: tuple[int, ...], year: int = 2012, folder: str = "") -> dict[str, bytes]:
    return {f"{folder}ILSVRC{year}_{split}_{i:08d}.JPEG": small_jpeg(1000 + i) for i in numbers}


@pytest.fixture
def ilsvrc2012(tmp_path: Path) -> Path:
    return write(
        tmp_path / "src",
        {
            "ILSVRC2012_img_train.tar": tar_of_tars(_train()),
            "ILSVRC2012_img_val.tar": tar_of(_numbered("val", (3, 1, 4, 2))),
            "ILSVRC2012_img_test_v10102019.tar": tar_of(_numbered("test", (2, 1), folder="test/")),
            KIT: devkit(2012, TRUTH),
        },
    )


def test_all_three_splits_are_found_and_converted_with_one_call(ilsvrc2012: Path, tmp_path: Path) -> None:
    report = convert(ilsvrc2012, tmp_path / "dst")
    assert {name: split.records for name, split in report.splits.items()} == {"train": 9, "val": 4, "test": 2}
    train = members(tmp_path / "dst" / "train" / "train-000000.tar")
    images = [name for name in train if name.endswith(".jpg")]
    assert images == [f"{n}/{n}_{i}.jpg" for n in CLASSES for i in ("10", "2", "9")]
    for wnid, files in _train().items():
        for name, data in files.items():
            assert train[f"{wnid}/{name.replace('.JPEG', '.jpg')}"] == data
            assert train[f"{wnid}/{name.replace('.JPEG', '.cls')}"] == b"%d" % CLASSES.index(wnid)


def test_validation_labels_follow_the_ground_truth_in_file_name_order(
    ilsvrc2012: Path, tmp_path: Path
) -> None:
    convert(ilsvrc2012, tmp_path / "dst", split="val")
    val = members(tmp_path / "dst" / "val" / "val-000000.tar")
    expected = {
        f"ILSVRC2012_val_{i:08d}.cls": b"%d" % CLASSES.index(IDS[number]) for i, number in enumerate(TRUTH, 1)
    }
    assert {name: data for name, data in val.items() if name.endswith(".cls")} == expected
    assert [n for n in val if n.endswith(".jpg")] == [f"ILSVRC2012_val_{i:08d}.jpg" for i in (1, 2, 3, 4)]
    assert val["ILSVRC2012_val_00000003.jpg"] == small_jpeg(1003)


def test_classes_are_sorted_by_wnid_and_keep_their_ilsvrc_id(ilsvrc2012: Path, tmp_path: Path) -> None:
    convert(ilsvrc2012, tmp_path / "dst")
    dataset = Dataset(tmp_path / "dst" / "val")
    assert [(c.name, c.ilsvrc2012_id) for c in dataset.classes] == [
        ("n01440764", 2),
        ("n02100735", 3),
        ("n02119789", 1),
    ]
    assert dataset.classes[2].words == ("word of n02119789", "synonym")
    assert dataset.classes[2].gloss == "gloss of n02119789"
    assert dataset.hierarchy.descendants("n00001740") == set(CLASSES)


def test_test_images_have_no_label_and_newer_test_sets_win(ilsvrc2012: Path, tmp_path: Path) -> None:
    write(ilsvrc2012, {"ILSVRC2012_img_test.tar": tar_of(_numbered("test", (7,)))})
    convert(ilsvrc2012, tmp_path / "dst", split="test")
    dataset = Dataset(tmp_path / "dst" / "test")
    assert [dataset[i].label for i in range(len(dataset))] == [-1, -1]
    assert dataset[0].key == "ILSVRC2012_test_00000001"


def test_a_single_archive_is_recognised_and_task_3_is_a_split_of_its_own(
    ilsvrc2012: Path, tmp_path: Path
) -> None:
    dogs = {"n02100735": {"n02100735_5.JPEG": small_jpeg(5)}}
    write(ilsvrc2012, {"ILSVRC2012_img_train_t3.tar": tar_of_tars(dogs)})
    report = convert(ilsvrc2012 / "ILSVRC2012_img_train_t3.tar", tmp_path / "dst")
    assert (list(report.splits), report.classes) == (["train_t3"], 3)
    dataset = Dataset(tmp_path / "dst" / "train_t3")
    assert (dataset[0].key, dataset[0].label) == ("n02100735/n02100735_5", 1)
    assert report.splits["train_t3"].notes["classes without images"] == ["n01440764", "n02119789"]


def test_training_images_need_no_devkit(ilsvrc2012: Path, tmp_path: Path) -> None:
    (ilsvrc2012 / KIT).unlink()
    convert(ilsvrc2012, tmp_path / "dst", split="train")
    assert tuple(c.name for c in manifest.read(tmp_path / "dst" / "train").classes) == CLASSES


def test_validation_images_without_devkit_are_refused_with_the_remedy(
    ilsvrc2012: Path, tmp_path: Path
) -> None:
    (ilsvrc2012 / KIT).unlink()
    with pytest.raises(errors.MissingFileError, match=f"ILSVRC2012_img_val.tar.*put {KIT} into"):
        convert(ilsvrc2012, tmp_path / "dst")


def test_an_unpacked_devkit_serves_as_well(ilsvrc2012: Path, tmp_path: Path) -> None:
    with tarfile.open(ilsvrc2012 / KIT) as tar:
        tar.extractall(ilsvrc2012, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    packed = convert(ilsvrc2012, tmp_path / "a", split="val")
    (ilsvrc2012 / KIT).unlink()
    convert(ilsvrc2012, tmp_path / "b", split="val")
    assert packed.records == 4
    tars = [members(tmp_path / d / "val" / "val-000000.tar") for d in "ab"]
    assert tars[0] == tars[1]


def test_a_devkit_without_scipy_names_the_extra(ilsvrc2012: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(errors.UnsupportedError, match=r"meta.mat.*pip install 'fastinet\[imagenet\]'"):
        open_source(ilsvrc2012)


def test_an_image_beyond_the_ground_truth_is_named(ilsvrc2012: Path, tmp_path: Path) -> None:
    write(ilsvrc2012, {"ILSVRC2012_img_val.tar": tar_of(_numbered("val", (1, 5)))})
    with pytest.raises(errors.FormatError, match=r"no ground truth for ILSVRC2012_val_00000005\.JPEG"):
        convert(ilsvrc2012, tmp_path / "dst", split="val")


def test_a_ground_truth_of_something_else_is_refused_with_its_line(ilsvrc2012: Path) -> None:
    write(ilsvrc2012, {KIT: devkit(2012, [1, 2, 4])})
    with pytest.raises(errors.FormatError, match=r"ground_truth.txt: line 3: expected an ILSVRC ID.*'4'"):
        open_source(ilsvrc2012)


def test_folders_of_images_beside_the_archives_are_named(ilsvrc2012: Path, tmp_path: Path) -> None:
    write_tree(ilsvrc2012, {"train/n01440764/1.JPEG": small_jpeg(1), "docs/readme.txt": b""})
    notes = open_source(ilsvrc2012).survey("train").notes
    assert notes["folders left alone"] == ["train: images, but the archives are read"]


def test_a_synset_that_the_devkit_does_not_know_is_refused(ilsvrc2012: Path) -> None:
    write(ilsvrc2012, {"ILSVRC2012_img_train.tar": tar_of_tars({"n99999999": {"a.JPEG": small_jpeg(1)}})})
    with pytest.raises(errors.FormatError, match=r"n99999999\.tar, which is none of the 3 classes"):
        open_source(ilsvrc2012)


def test_a_damaged_inner_tar_is_named(ilsvrc2012: Path, tmp_path: Path) -> None:
    damaged = bytearray(tar_of(_train()["n02100735"]))
    damaged[150] ^= 1  # in the first header's checksum
    inner = {f"{n}.tar": tar_of(files) for n, files in _train().items()}
    write(ilsvrc2012, {"ILSVRC2012_img_train.tar": tar_of({**inner, "n02100735.tar": bytes(damaged)})})
    with pytest.raises(errors.FormatError, match=r"ILSVRC2012_img_train.tar/n02100735.tar: "):
        convert(ilsvrc2012, tmp_path / "dst")


def test_a_truncated_download_is_an_error_before_anything_is_written(
    ilsvrc2012: Path, tmp_path: Path
) -> None:
    tar = ilsvrc2012 / "ILSVRC2012_img_train.tar"
    tar.write_bytes(tar.read_bytes()[:-30000])
    with pytest.raises(errors.FormatError, match=r"ILSVRC2012_img_train\.tar"):
        convert(ilsvrc2012, tmp_path / "dst")
    assert not (tmp_path / "dst").exists()


def test_a_split_that_is_not_there_is_named(ilsvrc2012: Path) -> None:
    (ilsvrc2012 / "ILSVRC2012_img_test_v10102019.tar").unlink()
    with pytest.raises(errors.ArgumentError, match="no archive of the split 'test', only train, val"):
        open_source(ilsvrc2012, split="test")


def test_a_bad_image_is_reported_by_its_place_in_the_archives(ilsvrc2012: Path, tmp_path: Path) -> None:
    files = _train()
    files["n02100735"]["n02100735_2.JPEG"] = b""
    write(ilsvrc2012, {"ILSVRC2012_img_train.tar": tar_of_tars(files)})
    report = convert(ilsvrc2012, tmp_path / "dst", split="train", on_bad="skip")
    assert [origin for origin, _ in report.splits["train"].bad] == [
        "ILSVRC2012_img_train.tar/n02100735.tar/n02100735_2.JPEG"
    ]


def test_an_unfinished_set_is_compared_with_the_published_count(ilsvrc2012: Path, tmp_path: Path) -> None:
    report = convert(ilsvrc2012, tmp_path / "dst", split="val")
    assert report.splits["val"].notes["differences from the published set"] == [
        "4 images, 50,000 were published"
    ]


def test_the_command_line_recognises_the_archives(ilsvrc2012: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.cli, ["convert", str(ilsvrc2012), str(tmp_path / "dst")])
    assert result.exit_code == 0, result.output
    assert manifest.read(tmp_path / "dst" / "val").created_by["source"] == "ilsvrc2012"


def test_ilsvrc2010_takes_images_from_the_patch(tmp_path: Path) -> None:
    patch = small_jpeg(77)
    src = write(
        tmp_path / "src",
        {
            "ILSVRC2010_images_train.tar": tar_of_tars(_train()),
            "ILSVRC2010_images_val.tar": tar_of(_numbered("val", (2, 1), 2010, "val/")),
            "ILSVRC2010_images_test.tar": tar_of(_numbered("test", (1, 2), 2010, "test/")),
            "patch_images.tar": tar_of(
                {
                    "patch_images/train/n01440764_9.JPEG": patch,
                    "patch_images/val/ILSVRC2010_val_00000002.JPEG": patch,
                }
            ),
            "ILSVRC2010_devkit-1.0.tar.gz": devkit(2010, [3, 2]),
            "ILSVRC2010_test_ground_truth.txt": b"1\n3\n",
        },
    )
    report = convert(src, tmp_path / "dst")
    assert list(report.splits) == ["train", "val", "test"]
    train = members(tmp_path / "dst" / "train" / "train-000000.tar")
    assert train["n01440764/n01440764_9.jpg"] == patch
    assert train["n01440764/n01440764_2.jpg"] == _train()["n01440764"]["n01440764_2.JPEG"]
    val, test = Dataset(tmp_path / "dst" / "val"), Dataset(tmp_path / "dst" / "test")
    assert [val[i].label for i in (0, 1)] == [CLASSES.index(IDS[3]), CLASSES.index(IDS[2])]
    assert [test[i].label for i in (0, 1)] == [CLASSES.index(IDS[1]), CLASSES.index(IDS[3])]
    assert members(tmp_path / "dst" / "val" / "val-000000.tar")["ILSVRC2010_val_00000002.jpg"] == patch
    assert dict(val.classes[0].details) == {"ilsvrc2010_id": 2, "num_train_images": 102}
    assert report.splits["val"].notes["images replaced by patch_images.tar"] == [
        "ILSVRC2010_val_00000002.JPEG"
    ]


@pytest.fixture(scope="module")
def real_validation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real devkit beside a tar of all 50,000 validation images' names, in scrambled order."""
    meta = SHARED / "imagenet-meta"
    if not meta.is_dir():
        pytest.skip("the real devkit is not here")
    src = write(tmp_path_factory.mktemp("val"), {KIT: (meta / KIT).read_bytes()})
    image = encode(Image.new("L", (8, 8)), subsampling=None)
    header = tarfile.TarInfo("ILSVRC2012_val_00000000.JPEG")
    header.size = len(image)
    block, payload = bytearray(header.tobuf(tarfile.USTAR_FORMAT)), image + bytes(-len(image) % 512)
    numbers = list(range(1, 50_001))
    random.Random(0).shuffle(numbers)
    with (src / "ILSVRC2012_img_val.tar").open("wb") as tar:
        for number in numbers:
            block[15:23] = b"%08d" % number
            block[148:156] = b" " * 8
            block[148:156] = b"%06o\0 " % sum(block)
            tar.write(block + payload)
        tar.write(bytes(1024))
    return src


def test_labels_of_all_50000_validation_images_agree_with_kaggle_and_real(real_validation: Path) -> None:
    meta = SHARED / "imagenet-meta"
    source = open_source(real_validation)
    order = [line.split()[0] for line in (meta / "LOC_synset_mapping.txt").read_text().splitlines()]
    assert [c.name for c in source.classes] == order == sorted(order)
    ours = {sample.key: source.classes[sample.label].name for sample in source.samples("val")}
    assert list(ours) == [f"ILSVRC2012_val_{i:08d}" for i in range(1, 50_001)]
    with (meta / "LOC_val_solution.csv").open() as file:
        kaggles = {row["ImageId"]: row["PredictionString"].split()[0] for row in csv.DictReader(file)}
    assert ours == kaggles
    # ReaL holds what people saw in each image, by label: nine of ten agree, in another order none would.
    real = json.loads((meta / "imagenet_real_labels.json").read_text())
    by_name = {wnid: label for label, wnid in enumerate(order)}
    judged = [(by_name[wnid], seen) for wnid, seen in zip(ours.values(), real, strict=True) if seen]
    agreeing = sum(label in seen for label, seen in judged)
    assert len(judged) == 46_837
    assert 0.89 < agreeing / len(judged) < 0.91
    shifted = sum(label in seen for (label, _), (_, seen) in itertools.pairwise(judged))
    assert shifted / len(judged) < 0.02


def test_ilsvrc_ids_are_never_labels(real_validation: Path) -> None:
    source = open_source(real_validation)
    ids = [c.ilsvrc2012_id for c in source.classes]
    assert sorted(ids) == list(range(1, 1001))
    wnids = {c.ilsvrc2012_id: c.name for c in source.classes}
    labels = {c.name: label for label, c in enumerate(source.classes)}
    assert (wnids[1], labels["n02119789"]) == ("n02119789", 278)
    assert (ids[0], source.classes[0].name) == (449, "n01440764")
    with tarfile.open(real_validation / KIT) as tar:
        member = tar.extractfile("ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt")
        assert member is not None
        truth = [int(line) for line in member.read().split()]
    assert [sample.label for sample in source.samples("val")] == [labels[wnids[number]] for number in truth]


def test_real_images_with_the_real_devkit_have_the_labels_of_their_folders(tmp_path: Path) -> None:
    boxes = shared_files("imagenet-val-boxes/*.JPEG")
    photos = shared_files("imagenet-samples/train/*/*.JPEG")[:40]
    if not boxes or not photos:
        pytest.skip("the real samples are not here")
    train: dict[str, dict[str, bytes]] = {}
    for path in photos:
        train.setdefault(path.parent.name, {})[path.name] = path.read_bytes()
    src = write(
        tmp_path / "src",
        {
            "ILSVRC2012_img_train.tar": tar_of_tars(train),
            "ILSVRC2012_img_val.tar": tar_of({p.name: p.read_bytes() for p in reversed(boxes)}),
            KIT: (SHARED / "imagenet-meta" / KIT).read_bytes(),
        },
    )
    convert(src, tmp_path / "dst", entry_points=False)
    dataset = Dataset(tmp_path / "dst" / "train")
    assert len(dataset.classes) == 1000
    for i, path in enumerate(photos):
        assert dataset.classes[dataset[i].label].name == path.parent.name
        assert bytes(memoryview(dataset[i].payload)) == path.read_bytes()
    val = Dataset(tmp_path / "dst" / "val")
    with (SHARED / "imagenet-meta" / "LOC_val_solution.csv").open() as file:
        wnids = {row["ImageId"]: row["PredictionString"].split()[0] for row in csv.DictReader(file)}
    assert [val.classes[val[i].label].name for i in range(len(val))] == [wnids[p.stem] for p in boxes]
