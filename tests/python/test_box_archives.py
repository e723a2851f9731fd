"""Bounding boxes from the archives in which ILSVRC-2012 distributes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from archives import devkit, tar_of, tar_of_tars, write
from folders import small_jpeg
from images import SHARED, shared_files

from fastinet import Dataset, errors
from fastinet.conversion import convert
from fastinet.conversion.sources.box_archives import BoxArchives
from fastinet.conversion.sources.voc import parse_voc

KIT = "ILSVRC2012_devkit_t12.tar.gz"
V2, DOGS = "ILSVRC2012_bbox_train_v2.tar.gz", "ILSVRC2012_bbox_train_dogs.tar.gz"
VAL = "ILSVRC2012_bbox_val_v3.tgz"
LABELS = {"n01440764": 0, "n02100735": 1, "n02119789": 2}


def voc(name: str, *boxes: tuple[int, int, int, int], width: int = 64, height: int = 48) -> bytes:
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax>"
        f"<ymax>{d}</ymax></bndbox></object>"
        for a, b, c, d in boxes
    )
    size = f"<size><width>{width}</width><height>{height}</height></size>"
    return f"<annotation>{size}{objects}</annotation>".encode()


def _boxes(path: Path) -> dict[str, list[tuple[int, ...]]]:
    return {r.key: [tuple(box) for box in r.boxes] for r in Dataset(path)}


def test_boxes_come_from_the_archives_beside_the_images(tmp_path: Path) -> None:
    train = {"n01440764": {f"n01440764_{i}.JPEG": small_jpeg(i) for i in (1, 2, 3)}}
    val = {f"ILSVRC2012_val_{i:08d}.JPEG": small_jpeg(10 + i) for i in (2, 1)}
    src = write(
        tmp_path / "src",
        {
            "ILSVRC2012_img_train.tar": tar_of_tars(train),
            "ILSVRC2012_img_val.tar": tar_of(val),
            KIT: devkit(2012, [1, 3]),
            V2: tar_of({"n01440764/n01440764_1.xml": voc("n01440764", (1, 2, 30, 40), (5, 6, 7, 8))}, "gz"),
            DOGS: tar_of(
                {
                    "n01440764/n01440764_1.xml": voc("n01440764", (9, 9, 10, 10)),
                    "n01440764/n01440764_2.xml": voc("fish", (3, 4, 20, 21)),
                },
                "gz",
            ),
            VAL: tar_of({"val/ILSVRC2012_val_00000002.xml": voc("n02100735", (0, 0, 64, 48))}, "gz"),
        },
    )
    convert(src, tmp_path / "dst")
    assert _boxes(tmp_path / "dst" / "train") == {
        "n01440764/n01440764_1": [(0, 1, 2, 30, 40, 0), (0, 5, 6, 7, 8, 0)],
        "n01440764/n01440764_2": [(0, 3, 4, 20, 21, 0)],
        "n01440764/n01440764_3": [],
    }
    assert _boxes(tmp_path / "dst" / "val") == {
        "ILSVRC2012_val_00000001": [],
        "ILSVRC2012_val_00000002": [(1, 0, 0, 64, 48, 0)],
    }


def test_tars_within_the_archive_are_read_and_flaws_are_kept(tmp_path: Path) -> None:
    inner = {"n02119789_4.xml": voc("n02119789", (1, 1, 2, 2)), "n02119789_5.xml": b"no XML"}
    write(tmp_path, {"boxes.tar": tar_of({"readme.txt": b"", "n02119789.tar": tar_of(inner)})})
    held = BoxArchives([tmp_path / "boxes.tar"], LABELS)
    assert len(held) == 2
    good, bad = held.get("n02119789_4"), held.get("n02119789_5")
    assert good is not None
    assert good.boxes == ((2, 1, 1, 2, 2, 0),)
    assert bad is not None
    assert "boxes.tar/n02119789_5.xml: not a PASCAL VOC annotation" in bad.error
    assert held.get("n02119789_6") is None


def test_what_is_packed_is_what_the_parser_gave(tmp_path: Path) -> None:
    files = {p.name: p.read_bytes() for p in shared_files("imagenet-val-boxes/*.xml")}
    if not files:
        pytest.skip("the real boxes are not here")
    write(tmp_path, {VAL: tar_of({f"val/{name}": data for name, data in files.items()}, "gz")})
    names = (SHARED / "imagenet-meta" / "LOC_synset_mapping.txt").read_text().splitlines()
    labels = {line.split()[0]: label for label, line in enumerate(names)}
    held = BoxArchives([tmp_path / VAL], labels)
    for name, data in files.items():
        assert held.get(name[:-4]) == parse_voc(data, labels, f"{VAL}/val/{name}")


@pytest.mark.parametrize("damage", ["cut short", "checksum"])
def test_a_damaged_archive_of_boxes_is_an_error(damage: str, tmp_path: Path) -> None:
    data = tar_of({"val/a.xml": voc("n01440764", (1, 1, 2, 2))}, "gz")
    data = data[:-20] if damage == "cut short" else data[:-6] + bytes([data[-6] ^ 1]) + data[-5:]
    write(tmp_path, {VAL: data})
    with pytest.raises(errors.FormatError, match=r"bbox_val_v3\.tgz: damaged or incomplete"):
        BoxArchives([tmp_path / VAL], LABELS)
