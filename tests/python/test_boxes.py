"""Bounding boxes: from PASCAL VOC files through conversion into the loader's batches."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import images
import numpy as np
import pytest
from folders import small_jpeg, write_tree
from PIL import Image

from fastinet import Dataset, Loader, _core, convert, errors
from fastinet import transforms as T  # noqa: N812
from fastinet.conversion.index import index
from fastinet.conversion.sources.voc import parse_voc
from fastinet.format.boxset import BoxSet
from fastinet.loading import boxes

LABELS = {"n1": 0, "n2": 1}
VAL = images.SHARED / "imagenet-val-boxes"


VocBox = tuple[str, object, object, object, object]


def voc(objects: Sequence[VocBox], width: object = 64, height: object = 48, flags: str = "") -> bytes:
    """An annotation in the layout of ImageNet's files."""
    entries = "".join(
        f"<object><name>{name}</name><pose>Unspecified</pose>{flags}<bndbox><xmin>{a}</xmin><ymin>{b}</ymin>"
        f"<xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for name, a, b, c, d in objects
    )
    return (
        f"<annotation><folder>val</folder><size><width>{width}</width><height>{height}</height>"
        f"<depth>3</depth></size><segmented>0</segmented>{entries}</annotation>"
    ).encode()


def test_boxes_names_and_flags_are_read() -> None:
    found = parse_voc(
        voc([("n2", 1, 2, 30, 40)], flags="<truncated>1</truncated><difficult>1</difficult>"), LABELS, "x.xml"
    )
    assert found == BoxSet(64, 48, ((1, 1, 2, 30, 40, 3),))


@pytest.mark.parametrize(
    ("box", "left", "problem"),
    [
        (("n1", 5, 6, 5, 40), None, "dropped: the box (5, 6, 5, 40) has no area"),
        (("n1", 30, 6, 5, 40), None, "dropped: the box (30, 6, 5, 40) is inverted"),
        (("n1", 70, 6, 80, 40), None, "dropped: the box (70, 6, 80, 40) lies outside the image of 64x48"),
        (
            ("n1", -3, 6, 80, 40),
            (0, 0, 6, 64, 40, 0),
            "clipped: the box (-3, 6, 80, 40) extends beyond the image of 64x48",
        ),
        (("n1", "x", 6, 80, 40), None, "dropped: no box of four numbers"),
        (("n1", "nan", 6, 80, 40), None, "dropped: no box of four numbers"),
        (("n9", 1, 6, 9, 40), (-1, 1, 6, 9, 40, 0), "kept without label: the dataset has no such class"),
        (("n1", "1.4", 6, "8.6", 40), (0, 1, 6, 9, 40, 0), ""),
    ],
)
def test_a_flawed_box_is_reported_with_its_file_object_and_reason(
    box: tuple[str, object, object, object, object], left: tuple[int, ...] | None, problem: str
) -> None:
    found = parse_voc(voc([("n1", 0, 0, 64, 48), box]), LABELS, "a/b.xml")
    assert found.boxes == ((0, 0, 0, 64, 48, 0),) + ((left,) if left else ())
    assert found.problems == ((f"a/b.xml: object 2 ({box[0]}): {problem}",) if problem else ())
    assert not found.error


def test_a_file_without_a_size_refers_to_the_image_itself() -> None:
    found = parse_voc(voc([("n1", 5, 6, 99, 40)], width=0), LABELS, "x.xml")
    assert (found.width, found.height, found.boxes) == (0, 0, ((0, 5, 6, 99, 40, 0),))
    assert found.problems == ("x.xml: gives no size; that of the image is used",)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no element found"),
        (b"<annotation><object>", "no element found"),
        (b"<html></html>", "the root is <html>, not <annotation>"),
        (b"\xff\xfe\x00", "not well-formed|unclosed|no element"),
        (
            b'<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>',
            "document type, which is not allowed",
        ),
        (voc([], width=1e9), "width of 1000000000"),
        (b" " * (17 << 20), "more than 16777216"),
    ],
)
def test_what_is_no_annotation_is_an_error_that_names_the_file(data: bytes, reason: str) -> None:
    found = parse_voc(data, LABELS, "x.xml")
    assert not found.boxes
    assert found.error.startswith("x.xml: not a PASCAL VOC annotation: ")
    assert any(part in found.error for part in reason.split("|"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two classes; boxes in mirrored folders and in one flat folder; one image has none."""
    write_tree(
        tmp_path / "src",
        {"n1/a.JPEG": small_jpeg(1), "n1/b.JPEG": small_jpeg(2), "n2/c.JPEG": small_jpeg(3)},
    )
    write_tree(
        tmp_path / "boxes",
        {
            "n1/a.xml": voc([("n1", 10, 6, 42, 30), ("n2", 0, 0, 64, 48)]),
            "c.xml": voc([("n2", 200, 120, 400, 240), ("n2", 7, 7, 7, 9)], width=640, height=480),
        },
    )
    return tmp_path


def test_a_conversion_stores_boxes_and_reports_their_flaws(source: Path) -> None:
    convert(source / "src", source / "out", boxes=source / "boxes")
    dataset = Dataset(source / "out")
    assert [record.boxes for record in dataset] == [
        [(0, 10, 6, 42, 30, 0), (1, 0, 0, 64, 48, 0)],
        [],
        [(1, 200, 120, 400, 240, 0)],
    ]
    assert [record.boxes_size for record in dataset] == [(64, 48), None, (640, 480)]
    assert [c.count for c in dataset.classes] == [2, 1]
    report = json.loads((dataset.path / "report.json").read_text())
    assert report["box_problems"] == [
        {"file": "n2/c.JPEG", "reason": "c.xml: object 2 (n2): dropped: the box (7, 7, 7, 9) has no area"}
    ]
    again = convert(source / "src", source / "out", boxes=source / "boxes")
    assert again.already_complete
    assert len(again.splits["train"].box_problems) == 1


def test_boxes_survive_when_the_sidecars_are_made_again_from_the_tars(source: Path) -> None:
    convert(source / "src", source / "out", boxes=source / "boxes")
    dataset = Dataset(source / "out")
    (source / "tars").mkdir()
    for shard in dataset.manifest.shards:
        shutil.copy(dataset.path / shard.path, source / "tars")
    index(source / "tars", source / "indexed")
    assert [r.boxes for r in Dataset(source / "indexed")] == [r.boxes for r in dataset]


def test_an_unreadable_annotation_follows_the_policy_for_bad_files(source: Path) -> None:
    (source / "boxes" / "c.xml").write_bytes(b"<annotation>")
    with pytest.raises(
        errors.FormatError, match=r"c\.xml: not a PASCAL VOC annotation: no element found"
    ) as e:
        convert(source / "src", source / "out", boxes=source / "boxes")
    assert e.value.key == "n2/c"
    report = convert(source / "src", source / "kept", boxes=source / "boxes", on_bad="skip")
    assert len(Dataset(source / "kept")) == 3
    assert len(report.splits["train"].box_problems) == 1
    with pytest.raises(errors.MissingFileError, match="no folder of bounding boxes here"):
        convert(source / "src", source / "other", boxes=source / "nowhere")


def load(dataset: Dataset, transform: object, **options: object) -> dict[str, list[np.ndarray]]:
    names = ("boxes", "box_labels", "box_visible", "box_flags", "batch")
    (batch,) = Loader(dataset, len(dataset), transform, columns=names, **options)  # type: ignore[arg-type]
    return dict(zip(names, batch, strict=True))


@pytest.fixture
def dataset(source: Path) -> Dataset:
    convert(source / "src", source / "out", boxes=source / "boxes")
    return Dataset(source / "out")


def test_a_resize_scales_boxes_from_the_size_that_the_annotation_gives(dataset: Dataset) -> None:
    found = load(dataset, T.Resize((96, 32)))
    np.testing.assert_allclose(found["boxes"][0], [[5, 12, 21, 60], [0, 0, 32, 96]])
    np.testing.assert_allclose(found["boxes"][2], [[10, 24, 20, 48]])
    assert [a.shape for a in found["boxes"]] == [(2, 4), (0, 4), (1, 4)]
    assert [a.tolist() for a in found["box_labels"]] == [[0, 1], [], [1]]
    assert [a.dtype for a in (found["boxes"][0], found["box_labels"][0])] == [np.float32, np.int64]


def test_a_flip_mirrors_boxes_and_formats_are_those_of_torchvision(dataset: Dataset) -> None:
    transform = [T.Resize((48, 64)), T.RandomHorizontalFlip(1.0)]
    np.testing.assert_allclose(load(dataset, transform)["boxes"][0][0], [22, 6, 54, 30])
    np.testing.assert_allclose(load(dataset, transform, box_format="xywh")["boxes"][0][0], [22, 6, 32, 24])
    np.testing.assert_allclose(
        load(dataset, transform, box_format="cxcywh", box_relative=True)["boxes"][0][0],
        [38 / 64, 18 / 48, 32 / 64, 24 / 48],
    )


def test_a_crop_clips_boxes_and_drops_those_of_which_too_little_is_left(dataset: Dataset) -> None:
    crop = T.CenterCrop(24)  # columns 20 to 44, rows 12 to 36
    found = load(dataset, crop)
    np.testing.assert_allclose(found["boxes"][0], [[0, 0, 22, 18], [0, 0, 24, 24]])
    np.testing.assert_allclose(found["box_visible"][0], [22 * 18 / (32 * 24), 24 * 24 / (64 * 48)], rtol=1e-6)
    assert [len(a) for a in load(dataset, crop, min_visible=0.2)["boxes"]] == [1, 0, 1]
    assert [len(a) for a in load(dataset, crop, min_visible=1.0)["boxes"]] == [0, 0, 1]
    padded = load(dataset, T.CenterCrop((48, 100)))
    np.testing.assert_allclose(padded["boxes"][0], [[28, 6, 60, 30], [18, 0, 82, 48]])


def test_a_crop_and_flip_of_boxes_in_another_size_is_right_in_every_format(dataset: Dataset) -> None:
    transform = [T.CenterCrop(24), T.RandomHorizontalFlip(1.0)]  # columns 20 to 44, rows 12 to 36
    formats = {
        "xyxy": [4, 0, 24, 12],  # (200, 120, 400, 240) of 640x480 is (20, 12, 40, 24) of the image's 64x48
        "xywh": [4, 0, 20, 12],
        "cxcywh": [14, 6, 20, 12],
    }
    for name, expected in formats.items():
        absolute = load(dataset, transform, box_format=name)["boxes"][2]
        np.testing.assert_allclose(absolute, [expected], atol=1e-5)
        relative = load(dataset, transform, box_format=name, box_relative=True)["boxes"][2]
        np.testing.assert_allclose(relative, np.array([expected]) / 24, atol=1e-6)
    np.testing.assert_allclose(load(dataset, transform)["box_visible"][2], [1.0])


def test_random_windows_move_boxes_exactly_as_they_move_pixels(dataset: Dataset) -> None:
    transform = [T.RandomResizedCrop((40, 30)), T.RandomHorizontalFlip()]
    for seed in range(8):
        found = load(dataset, transform, seed=seed)
        top, left, height, width = found["batch"].crops[0]
        for box, label in zip(((10, 6, 42, 30), (0, 0, 64, 48)), (0, 1), strict=True):
            x = np.clip((np.array([box[0], box[2]]) - left) * 30 / width, 0, 30)
            y = np.clip((np.array([box[1], box[3]]) - top) * 40 / height, 0, 40)
            if found["batch"].flips[0]:
                x = 30 - x[::-1]
            at = np.flatnonzero(found["box_labels"][0] == label)
            if x[0] < x[1] and y[0] < y[1]:
                np.testing.assert_allclose(found["boxes"][0][at[0]], [x[0], y[0], x[1], y[1]], atol=1e-4)
            else:
                assert not len(at)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_turn_with_the_image_where_its_exif_orientation_is_applied(
    tmp_path: Path, orientation: int
) -> None:
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[8:24, 32:56] = 255  # what the box frames
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = images.encode(Image.fromarray(picture), exif=exif, quality=95)
    write_tree(tmp_path / "src", {"n1/a.JPEG": data})
    write_tree(tmp_path / "boxes", {"a.xml": voc([("n1", 32, 8, 56, 24)])})
    convert(tmp_path / "src", tmp_path / "out", boxes=tmp_path / "boxes")
    loader = Loader(
        Dataset(tmp_path / "out"),
        1,
        T.Resize((60, 60)),
        dtype="uint8",
        layout="NHWC",
        columns=("image", "boxes"),
        apply_orientation=True,
    )
    ((image, (found,)),) = list(loader)
    bright = image[0, :, :, 0] > 128
    rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
    expected = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    np.testing.assert_allclose(found[0], expected, atol=1.01)


def test_ragged_columns_become_lists_of_tensors(dataset: Dataset) -> None:
    torch = pytest.importorskip("torch")
    import fastinet.torch

    loader = fastinet.torch.Loader(dataset, 3, T.Resize((8, 8)), columns=("boxes", "box_labels"))
    ((found, labels),) = list(loader)
    assert [tuple(t.shape) for t in found] == [(2, 4), (0, 4), (1, 4)]
    assert labels[0].dtype == torch.int64


def test_padding_makes_one_array_of_a_ragged_column() -> None:
    column = [np.ones((2, 4), np.float32), np.zeros((0, 4), np.float32), np.full((3, 4), 2, np.float32)]
    padded = boxes.pad(column, 2, fill=-1)
    assert padded.shape == (3, 2, 4)
    assert padded[:, :, 0].tolist() == [[1, 1], [-1, -1], [2, 2]]
    with pytest.raises(errors.ArgumentError, match="at least one array"):
        boxes.pad([], 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"box_format": "yxyx"}, "box_format must be one of xyxy, xywh, cxcywh, not 'yxyx'"),
        ({"min_visible": 1.5}, "min_visible must be from 0 to 1"),
    ],
)
def test_wrong_options_of_boxes_are_refused(
    dataset: Dataset, options: dict[str, object], message: str
) -> None:
    with pytest.raises(errors.ArgumentError, match=message):
        Loader(dataset, 1, T.Resize((8, 8)), columns=("boxes",), **options)  # type: ignore[arg-type]


@pytest.mark.skipif(not VAL.is_dir(), reason="the real validation boxes are not here")
def test_imagenets_own_annotations_arrive_as_they_are_in_their_files(tmp_path: Path) -> None:
    names = sorted({ElementTree.parse(f).findtext("object/name") or "" for f in VAL.glob("*.xml")})
    for file in sorted(VAL.glob("*.JPEG")):
        name = ElementTree.parse(file.with_suffix(".xml")).findtext("object/name") or ""
        (tmp_path / "src" / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tmp_path / "src" / name)
    report = convert(tmp_path / "src", tmp_path / "out", boxes=VAL)
    assert not report.splits["train"].box_problems
    for record in Dataset(tmp_path / "out"):
        tree = ElementTree.parse(VAL / f"{record.key.split('/')[-1]}.xml")
        expected = [
            (
                names.index(o.findtext("name") or ""),
                *(int(o.findtext(f"bndbox/{e}") or "") for e in ("xmin", "ymin", "xmax", "ymax")),
            )
            for o in tree.iter("object")
        ]
        assert [box[:5] for box in record.boxes] == expected


# Windows that keep an object


def tensorflows_window(
    generator: np.random.Generator,
    image: tuple[int, int],
    objects: Sequence[tuple[int, int, int, int]],
    covered: float,
    area_range: tuple[float, float],
    aspect_ratio_range: tuple[float, float],
    attempts: int,
) -> tuple[int, int, int, int]:
    """TensorFlow's sample_distorted_bounding_box_op.cc; objects are top, left, height, width."""
    rows, columns = image
    low, high = (share * rows * columns for share in area_range)
    for _ in range(attempts):
        ratio = generator.random() * (aspect_ratio_range[1] - aspect_ratio_range[0]) + aspect_ratio_range[0]
        height, tallest = round((low / ratio) ** 0.5), round((high / ratio) ** 0.5)
        if round(tallest * ratio) > columns:
            tallest = int((columns + 0.5 - 1e-7) / ratio)
            tallest -= round(tallest * ratio) > columns
        tallest = min(tallest, rows)
        height = min(height, tallest)
        if height < tallest:
            height += int(generator.integers(tallest - height + 1))
        width = round(height * ratio)
        if width * height < low:
            height += 1
            width = round(height * ratio)
        if width * height > high:
            height -= 1
            width = round(height * ratio)
        if not (low <= width * height <= high and 0 < width <= columns and 0 < height <= rows):
            continue
        top = int(generator.integers(rows - height)) if height < rows else 0
        left = int(generator.integers(columns - width)) if width < columns else 0
        for y, x, h, w in objects:
            common = max(0, min(top + height, y + h) - max(top, y)) * max(
                0, min(left + width, x + w) - max(left, x)
            )
            if h * w >= 1 and common / (h * w) >= covered:
                return top, left, height, width
    return 0, 0, rows, columns


@pytest.mark.parametrize("covered", [0.1, 0.7])
def test_windows_around_objects_have_tensorflows_distribution(covered: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    image, objects = (120, 160), [(20, 90, 40, 50), (0, 0, 30, 20)]
    scale, ratio = (0.05, 1.0), (0.75, 1.33)
    crop = T.RandomResizedCrop(8, scale=scale, ratio=ratio, min_object_covered=covered)
    plan = T.compile_transform(crop).core
    ours = np.array([plan.sample(*image, 1, 0, i, objects)[0] for i in range(4000)])
    generator = np.random.default_rng(0)
    theirs = np.array(
        [tensorflows_window(generator, image, objects, covered, scale, ratio, 100) for _ in range(4000)]
    )
    values = [(w[:, 0], w[:, 1], w[:, 2] * w[:, 3], w[:, 3] / w[:, 2]) for w in (ours, theirs)]
    for mine, reference in zip(*values, strict=True):
        assert stats.ks_2samp(mine, reference).pvalue > 1e-3


@pytest.mark.parametrize("covered", [0.1, 0.5, 0.9, 1.0])
def test_a_window_is_accepted_exactly_where_tensorflows_rule_accepts_it(covered: float) -> None:
    image, objects = (120, 160), [(20, 90, 40, 50), (0, 0, 30, 20), (50, 50, 0, 9)]

    def window(share: float, draw: int) -> tuple[int, ...]:
        crop = T.RandomResizedCrop(8, scale=(0.05, 0.9), min_object_covered=share, max_attempts=1)
        return tuple(T.compile_transform(crop).core.sample(*image, 3, 0, draw, objects)[0])

    accepted = 0
    for draw in range(400):
        proposed = window(0.0, draw)  # whatever it covers
        mask = np.zeros(image, bool)
        mask[proposed[0] : proposed[0] + proposed[2], proposed[1] : proposed[1] + proposed[3]] = True
        shares = [mask[y : y + h, x : x + w].mean() for y, x, h, w in objects if h * w >= 1]
        accepts = max(shares) >= covered
        accepted += accepts
        assert window(covered, draw) == (proposed if accepts else (0, 0, *image))
    assert 0 < accepted < 400


def test_every_window_keeps_the_share_of_an_object_that_was_asked_for() -> None:
    crop = T.RandomResizedCrop(8, scale=(0.01, 1.0), min_object_covered=1.0, max_attempts=256)
    plan = T.compile_transform(crop).core
    for i in range(500):
        top, left, height, width = plan.sample(100, 100, 0, 0, i, [(40, 60, 10, 12)])[0]
        assert top <= 40
        assert left <= 60
        assert top + height >= 50
        assert left + width >= 72


def test_without_objects_the_whole_image_is_the_object_and_failing_that_the_window() -> None:
    crop = T.RandomResizedCrop(8, scale=(0.05, 0.5), min_object_covered=0.9)
    assert T.compile_transform(crop).core.sample(100, 80, 0, 0, 0)[0] == [0, 0, 100, 80]


def test_the_loader_chooses_windows_by_the_boxes_of_each_record(dataset: Dataset) -> None:
    crop = T.RandomResizedCrop(16, scale=(0.05, 1.0), min_object_covered=0.9, max_attempts=256)
    for seed in range(10):
        found = load(dataset, crop, seed=seed)
        assert max(found["box_visible"][2]) >= 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_object_covered": 1.5}, "min_object_covered: expected 0 to 1"),
        ({"min_object_covered": 0.5, "max_attempts": 257}, "max_attempts: expected 1 to 256"),
        ({"min_object_covered": 0.5, "max_attempts": 1.5}, "max_attempts must be an int"),
    ],
)
def test_wrong_parameters_of_object_crops_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(errors.ArgumentError, match=message):
        T.compile_transform(T.RandomResizedCrop(8, **options))  # type: ignore[arg-type]


def test_the_core_counts_boxes_by_sample(dataset: Dataset) -> None:
    loader = Loader(dataset, 3, T.Resize((8, 8)), columns=("batch",))
    ((batch,),) = list(loader)
    assert isinstance(batch, _core.Batch)
    assert batch.boxes[0].tolist() == [2, 0, 1]
