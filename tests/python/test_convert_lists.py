"""Sources that are lists and folders of files: CSV, Tiny ImageNet, Kaggle, Imagenette."""

from __future__ import annotations

from pathlib import Path

import pytest
from folders import small_jpeg, write_tree

from fastinet import Dataset, convert, errors
from fastinet.conversion.sources.detect import open_source

KAGGLE_XML = """<annotation><size><width>64</width><height>48</height></size><object><name>n02</name>
<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object></annotation>"""


def text(content: str) -> bytes:
    return content.encode()


def rows(dataset: Dataset) -> list[tuple[str, int, bytes]]:
    return [(record.key, record.label, bytes(record.payload)) for record in dataset]


def kaggle(root: Path, annotations: bool = True) -> Path:
    base = "ILSVRC/Data/CLS-LOC"
    files = {f"{base}/train/{n}/{n}_{i}.JPEG": small_jpeg(i) for n in ("n01", "n02") for i in (1, 10)}
    files |= {f"{base}/val/ILSVRC2012_val_0000000{i}.JPEG": small_jpeg(20 + i) for i in (1, 2)}
    files |= {f"{base}/test/ILSVRC2012_test_00000001.JPEG": small_jpeg(30)}
    files["LOC_synset_mapping.txt"] = text("n01 tench, Tinca tinca\nn02 crane\n")
    files["LOC_val_solution.csv"] = text(
        "ImageId,PredictionString\nILSVRC2012_val_00000002,n01 1 2 3 4 \n"
        "ILSVRC2012_val_00000001,n02 5 6 20 30 n01 0 0 9 9 \n"
    )
    files["ILSVRC/ImageSets/CLS-LOC/val.txt"] = text("ILSVRC2012_val_00000001 1\n")
    if annotations:
        files["ILSVRC/Annotations/CLS-LOC/val/ILSVRC2012_val_00000001.xml"] = text(KAGGLE_XML)
    return write_tree(root, files)


def test_kaggles_folders_are_recognised_with_labels_of_the_solution_and_boxes(tmp_path: Path) -> None:
    root = kaggle(tmp_path / "src")
    report = convert(root, tmp_path / "dst")
    assert list(report.splits) == ["train", "val", "test"]
    val = Dataset(tmp_path / "dst" / "val")
    assert [(r.key, r.label) for r in val] == [("ILSVRC2012_val_00000001", 1), ("ILSVRC2012_val_00000002", 0)]
    assert (val[0].boxes, val[0].boxes_size) == ([(1, 1, 2, 30, 40, 0)], (64, 48))
    assert val.classes[0].words == ("tench", "Tinca tinca")
    assert [r.label for r in Dataset(tmp_path / "dst" / "test")] == [-1]
    train = Dataset(tmp_path / "dst" / "train")
    assert [r.key for r in train][:2] == ["n01/n01_1", "n01/n01_10"]
    assert report.splits["val"].notes["differences from ImageSets"] == ["val.txt lists 1, found 2"]


def test_kaggles_names_that_differ_only_in_case_are_named(tmp_path: Path) -> None:
    root = kaggle(tmp_path / "src")
    (train,) = root.rglob("train/n01")
    (train / "N01_1.JPEG").write_bytes(small_jpeg(9))
    notes = open_source(root).survey("train").notes
    assert notes["names that differ only in case"] == ["n01/N01_1.JPEG, n01/n01_1.JPEG"]


def test_kaggles_boxes_come_from_the_solution_where_there_are_no_annotations(tmp_path: Path) -> None:
    source = open_source(kaggle(tmp_path / "src", annotations=False))
    first = next(iter(source.samples("val")))
    assert first.boxes is not None
    assert first.boxes.boxes == ((1, 5, 6, 20, 30, 0), (0, 0, 0, 9, 9, 0))


def test_kaggles_validation_images_without_labels_are_refused(tmp_path: Path) -> None:
    root = kaggle(tmp_path / "src")
    (root / "LOC_val_solution.csv").unlink()
    with pytest.raises(errors.MissingFileError, match=r"LOC_val_solution\.csv is missing.*--split train"):
        open_source(root)
    assert tuple(open_source(root, split="train").splits) == ("train",)
    (root / "LOC_val_solution.csv").write_text("ImageId,PredictionString\nILSVRC2012_val_00000001,n09\n")
    with pytest.raises(errors.FormatError, match="line 2: expected an image, and a class"):
        list(open_source(root).samples("val"))


@pytest.mark.parametrize("place", [".", "ILSVRC", "ILSVRC/Data", "ILSVRC/Data/CLS-LOC"])
def test_kaggles_folders_are_known_from_whichever_of_them_is_given(tmp_path: Path, place: str) -> None:
    root = kaggle(tmp_path / "src")
    write_tree(root, {"ILSVRC/Data/CLS-LOC/train/.ipynb_checkpoints/1.JPEG": small_jpeg(1)})
    source = open_source(root / place)
    assert (source.kind, tuple(source.splits)) == ("kaggle", ("train", "val", "test"))
    assert [sample.label for sample in source.samples("train")] == [0, 0, 1, 1]
    assert [sample.label for sample in source.samples("val")] == [1, 0]
    assert source.survey("train").notes["folders that are no class"] == [".ipynb_checkpoints"]


def test_kaggles_classes_without_their_list_are_folders_but_for_hidden_ones(tmp_path: Path) -> None:
    root = kaggle(tmp_path / "src")
    (root / "LOC_synset_mapping.txt").unlink()
    for name in (".cache", "lost+found"):
        (root / "ILSVRC/Data/CLS-LOC/train" / name).mkdir()
    assert [c.name for c in open_source(root).classes] == ["n01", "n02"]


def test_tiny_imagenet_with_its_validation_images_sorted_anew_is_refused_with_the_remedy(
    tmp_path: Path,
) -> None:
    root = write_tree(
        tmp_path,
        {
            "wnids.txt": b"n00000001\n",
            "train/n00000001/images/n00000001_0.JPEG": small_jpeg(0),
            "train/n00000009/images/n00000009_0.JPEG": small_jpeg(1),
            "val/n00000001/val_0.JPEG": small_jpeg(2),
        },
    )
    source = open_source(root)
    assert source.survey("train").notes["folders that are no class"] == ["n00000009"]
    with pytest.raises(errors.ArgumentError, match=r"val: no images in images, .*--source imagefolder"):
        source.survey("val")
    assert [c.name for c in open_source(root / "val").classes] == ["n00000001"]


def test_tiny_imagenet_is_recognised_with_its_boxes_and_sorted_classes(tmp_path: Path) -> None:
    files = {
        "wnids.txt": text("n00000002\nn00000001\n"),
        "words.txt": text("n00000001\ttench\nn00000002\tcrane, bird\n"),
        "train/n00000001/n00000001_boxes.txt": text("n00000001_0.JPEG\t0\t10\t63\t48\n"),
        "train/n00000002/n00000002_boxes.txt": text("n00000002_0.JPEG\t5\t5\t5\t9\n"),
        "val/val_annotations.txt": text(
            "val_0.JPEG\tn00000002\t1\t2\t3\t4\nval_1.JPEG\tn00000001\t1\t2\t3\t4\n"
        ),
    }
    images = [f"train/{n}/images/{n}_0" for n in ("n00000001", "n00000002")]
    images += ["val/images/val_0", "val/images/val_1", "test/images/test_0"]
    root = write_tree(tmp_path / "src", files | {f"{n}.JPEG": small_jpeg(i) for i, n in enumerate(images)})
    report = convert(root, tmp_path / "dst")
    train, val = (Dataset(tmp_path / "dst" / name) for name in ("train", "val"))
    assert [(c.name, c.details["wnids_txt_index"]) for c in train.classes] == [
        ("n00000001", 1),
        ("n00000002", 0),
    ]
    assert train.classes[1].words == ("crane", "bird")
    assert [(r.key, r.label, r.boxes) for r in train] == [
        ("n00000001/images/n00000001_0", 0, [(0, 0, 10, 63, 48, 0)]),
        ("n00000002/images/n00000002_0", 1, []),
    ]
    assert "has no area" in report.splits["train"].box_problems[0][1]
    assert [r.label for r in val] == [1, 0]
    assert [r.label for r in Dataset(tmp_path / "dst" / "test")] == [-1]
    (root / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn00000002\t1\t2\t3\tx\n")
    with pytest.raises(errors.FormatError, match="line 1: expected xmin, ymin, xmax and ymax"):
        list(open_source(root).samples("val"))


@pytest.mark.parametrize(
    ("content", "labels", "classes"),
    [
        ("label,path\ncat,i/1.jpg\nant,i/2.jpg\n,i/3.jpg\n", [1, 0, -1], ["ant", "cat"]),
        ("i/1.jpg;2\ni/2.jpg;0\ni/3.jpg;-1\n", [2, 0, -1], ["0", "1", "2"]),
        ("what\twhere\ni/1.jpg\tb\ni/2.jpg\ta\ni/3.jpg\ta\n", [1, 0, 0], ["a", "b"]),
    ],
)
def test_a_csv_gives_its_rows_in_order_by_named_or_first_columns(
    tmp_path: Path, content: str, labels: list[int], classes: list[str]
) -> None:
    images = {f"i/{i}.jpg": small_jpeg(i) for i in (1, 2, 3)}
    root = write_tree(tmp_path / "src", images | {"list.csv": text(content)})
    convert(root / "list.csv", tmp_path / "dst")
    dataset = Dataset(tmp_path / "dst")
    assert rows(dataset) == [
        (f"i/{i}", label, images[f"i/{i}.jpg"]) for i, label in zip((1, 2, 3), labels, strict=True)
    ]
    assert [c.name for c in dataset.classes] == classes


def list_of(folder: Path, name: str, content: str) -> Path:
    """A list, and images for all that it names."""
    write_tree(folder, {f"i/{i}.jpg": small_jpeg(i) for i in (1, 2, 3)})
    write_tree(folder, {"i/a b.PNG": small_jpeg(4), name: text(content)})
    return folder / name


@pytest.mark.parametrize(
    ("name", "content", "labels", "classes"),
    [
        ("val.txt", "i/1.jpg 2\ni/2.jpg 0\n", [2, 0], ["0", "1", "2"]),
        ("val.txt", "i/1.jpg\t2\r\ni/2.jpg\t0\r\n", [2, 0], ["0", "1", "2"]),
        ("val.txt", "i/1.jpg   n02 \n\ni/2.jpg n01\n", [1, 0], ["n01", "n02"]),
        ("val.txt", "i/a b.PNG 1\ni/2.jpg 0\n", [1, 0], ["0", "1"]),
        ("val.txt", "i/1.jpg great white shark\ni/2.jpg tench\n", [0, 1], ["great white shark", "tench"]),
        ("val.txt", "i/1.jpg -1\ni/2.jpg 0\n", [-1, 0], ["0"]),
        ("images.csv", "name label\ni/1.jpg 1\ni/2.jpg 0\n", [1, 0], ["0", "1"]),
        ("val.txt", "i/1.jpg\ni/a b.PNG\n", [-1, -1], []),
        ("images.csv", "i/1.jpg\ni/2.jpg\n", [-1, -1], []),
        ("images.csv", "path\ni/1.jpg\ni/2.jpg\n", [-1, -1], []),
        ("images.csv", "split,path\ntrain,i/1.jpg\ntrain,i/2.jpg\n", [-1, -1], []),
        ("images.csv", "i/1.jpg,\ni/2.jpg,\n", [-1, -1], []),
        ("images.csv", "breed,path\npug,i/1.jpg\ncat,i/2.jpg\n", [1, 0], ["cat", "pug"]),
        ("images.csv", "where,label\ni/1.jpg,pug\ni/2.jpg,cat\n", [1, 0], ["cat", "pug"]),
        ("images.csv", "path,breed\ni/1.jpg,3\ni/2.jpg,pug\n", [0, 1], ["3", "pug"]),
        ("images.csv", "i/1.gif,1\ni/2.jpg,0\n", [1, 0], ["0", "1"]),
    ],
)
def test_lists_are_read_by_their_first_line(
    tmp_path: Path, name: str, content: str, labels: list[int], classes: list[str]
) -> None:
    path = list_of(tmp_path, name, content)
    write_tree(tmp_path, {"i/1.gif": small_jpeg(5)})
    for kind in (None, "csv"):  # both by itself and when asked for
        source = open_source(path, kind)
        (split,) = source.splits
        assert split == ("val" if name == "val.txt" else "train")
        assert source.survey(split).records == len(labels)
        samples = list(source.samples(split))
        assert [sample.label for sample in samples] == labels
        assert all(sample.size for sample in samples)  # the files are there
        assert [c.name for c in source.classes] == classes


def test_a_list_without_labels_becomes_a_dataset_without_classes(tmp_path: Path) -> None:
    convert(list_of(tmp_path / "src", "test.txt", "i/3.jpg\ni/1.jpg\n"), tmp_path / "dst")
    dataset = Dataset(tmp_path / "dst/test")
    assert [(r.key, r.label) for r in dataset] == [("i/3", -1), ("i/1", -1)]
    assert not dataset.classes


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "l.txt",
            "i/1.jpg\ni/2.jpg 3\n",
            r"line 2: expected a path alone, as in the first row, found 'i/2\.jpg 3'",
        ),
        ("l.txt", "i/1.jpg 3\ni/2.jpg\n", "line 2: expected the path of an image, blanks and a label, found"),
        (
            "l.csv",
            "path\ni/1.jpg 3\n",
            "line 2: expected a path alone, as in the first row, found 'i/1.jpg 3'",
        ),
        (
            "l.csv",
            "path,width,height\ni/1.jpg,6,4\n",
            "expected columns for the image's path and the label, found",
        ),
        (
            "l.csv",
            "a,b,c\ni/1.jpg,6,4\n",
            "expected columns for the image's path and the label, found: a, b, c",
        ),
        ("l.txt", "i/1.jpg 1 5\n", "line 1: label: expected a number of 0 or more, .*, found '1 5'; values"),
    ],
)
def test_a_list_never_takes_a_guess_for_a_label(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    path = list_of(tmp_path / "src", name, content)
    with pytest.raises((errors.FormatError, errors.ArgumentError), match=message):
        convert(path, tmp_path / "dst")
    assert not (tmp_path / "dst").exists()


def test_a_text_that_is_no_list_is_not_taken_for_one(tmp_path: Path) -> None:
    for name, content in (("a.txt", b"tench\nshark\n"), ("b.txt", b"\xff\xfe"), ("c.md", b"i/1.jpg 3\n")):
        path = write_tree(tmp_path, {name: content}) / name
        with pytest.raises(errors.FastinetError):
            open_source(path)


def test_a_csv_may_name_splits_and_a_wrong_row_is_named(tmp_path: Path) -> None:
    path = write_tree(tmp_path, {"l.csv": b"path,label,split\na.jpg,x,val\nb.jpg,y,train\n"}) / "l.csv"
    source = open_source(path)
    assert list(source.splits) == ["train", "val"]
    assert [(s.key, s.label) for s in source.samples("val")] == [("a", 0)]
    with pytest.raises(errors.ArgumentError, match="no rows of the split 'test', only: train, val"):
        open_source(path, split="test")
    path.write_text("path,label\na.jpg\n")
    with pytest.raises(errors.FormatError, match=r"line 2: expected at least 2 columns, found 'a\.jpg'"):
        open_source(path)


def test_imagenette_with_its_noise_table_is_an_imagefolder(tmp_path: Path) -> None:
    files = {f"{s}/n0144076{c}/{s}_{c}.JPEG": small_jpeg(c) for s in ("train", "val") for c in (4, 5)}
    root = write_tree(
        tmp_path / "imagenette2-320", files | {"noisy_imagenette.csv": b"path,noisy_labels_0\n"}
    )
    source = open_source(root)
    assert (source.kind, list(source.splits)) == ("imagefolder", ["train", "val"])
    assert [c.name for c in source.classes] == ["n01440764", "n01440765"]
