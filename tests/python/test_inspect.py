"""fastinet.inspect: the facts, and the terminal's view of them."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from folders import small_jpeg, write_tree
from images import photo, shared_files
from PIL import Image
from rich.console import Console
from test_boxes import voc
from test_cli import run

import fastinet
from fastinet import errors
from fastinet.inspection.distributions import AspectRatios, CommonSizes, Distribution, SizeGrid
from fastinet.inspection.sampling import Choice
from fastinet.views.inspection.wording import share, size_of


def image(width: int, height: int, kind: str = "JPEG", mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(photo(width, width, height)).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def exif_rotated(width: int, height: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return image(width, height, exif=exif)


ODD = {
    "n1/a.jpg": image(64, 48),
    "n1/b.jpg": image(64, 48),
    "n1/c.jpg": image(48, 64),
    "n1/turned.jpg": exif_rotated(60, 40),
    "n1/named.jpg": image(50, 50, "PNG"),
    "n2/gray.jpg": image(70, 40, mode="L"),
    "n2/cmyk.jpg": image(70, 40, mode="CMYK"),
    "n2/progressive.jpg": image(70, 40, progressive=True),
    "n2/honest.png": image(80, 80, "PNG"),
    "n2/tiny.jpg": image(20, 90),
    "n2/text.jpg": b"no image",
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("odd")
    write_tree(root / "src", ODD)
    (root / "boxes").mkdir()
    annotations = {
        "a": voc([("n1", 0, 0, 32, 24), ("n1", 32, 24, 64, 48)]),
        "b": voc([("n1", 0, 0, 64, 48)], flags="<truncated>1</truncated><difficult>1</difficult>"),
        "c": voc([("n9", 0, 0, 24, 64)], width=48, height=64),
    }
    for name, text in annotations.items():
        (root / "boxes" / f"{name}.xml").write_bytes(text)
    fastinet.convert(root / "src", root / "dst", on_bad="keep", shard_size="4", boxes=root / "boxes")
    return root / "dst"


def test_counts_sizes_and_formats_are_those_that_pillow_finds_in_the_files(odd: Path) -> None:
    facts = fastinet.inspect(odd).splits["train"]
    pictures = []
    for data in ODD.values():
        if data != b"no image":
            with Image.open(io.BytesIO(data)) as picture:
                pictures.append((picture.width, picture.height, picture.format))
    widths = np.array([width for width, _, _ in pictures])
    heights = np.array([height for _, height, _ in pictures])
    assert facts.records == len(ODD)
    assert facts.class_counts.tolist() == [5, 6]
    assert facts.shards == 3
    assert facts.shard_records == (3, 4)
    assert (facts.widths.minimum, facts.widths.maximum, facts.widths.total) == (20, 80, widths.sum())
    assert facts.heights.quantile(0.5) == np.quantile(heights, 0.5, method="inverted_cdf")
    assert facts.payload_bytes.total == sum(map(len, ODD.values()))
    assert facts.unknown_size == 1
    assert facts.formats == {"JPEG": 8, "PNG": 2, "unknown": 1}
    assert (facts.aspects.wide, facts.aspects.square, facts.aspects.tall) == (6, 2, 2)
    common = facts.common_sizes.most(2)
    assert [(s.width, s.height, s.count) for s in common] == [(70, 40, 3), (64, 48, 2)]
    assert facts.created_by["source"] == "imagefolder"
    assert facts.tar_bytes == sum(file.stat().st_size for file in odd.rglob("*.tar"))
    assert facts.index_bytes == sum(file.stat().st_size for file in odd.rglob("*.idx"))


def test_each_oddity_is_counted_with_examples(odd: Path) -> None:
    facts = fastinet.inspect(odd).splits["train"]
    found = {oddity.name: oddity for oddity in facts.oddities}
    assert {name: oddity.count for name, oddity in found.items()} == {
        "JPEG without entry points": 2,
        "not JPEG": 2,
        "CMYK": 1,
        "EXIF-rotated": 1,
        "gray": 1,
        "misnamed": 1,
        "no known format": 1,
        "progressive": 1,
        "size not known": 1,
        "under 32 px": 1,
    }
    keys = {name: [facts.dataset[i].key for i in oddity.examples] for name, oddity in found.items()}
    assert keys["misnamed"] == ["n1/named"]
    assert keys["not JPEG"] == ["n1/named", "n2/honest"]
    assert keys["EXIF-rotated"] == ["n1/turned"]
    assert keys["JPEG without entry points"] == ["n2/cmyk", "n2/progressive"]
    assert found["gray"].keys == ["n2/gray"]
    ((name, reason),) = facts.bad
    assert name == "n2/text.jpg"
    assert reason.startswith("expected an image, found 8 bytes that begin with 6e 6f 20")
    assert all(oddity.meaning for oddity in facts.oddities)


def test_boxes_are_measured_against_the_image_of_their_annotation(odd: Path) -> None:
    boxes = fastinet.inspect(odd).splits["train"].boxes
    assert boxes is not None
    assert (boxes.images, boxes.boxes, boxes.per_image.maximum) == (3, 4, 2)
    assert boxes.flags == {"difficult": 1, "truncated": 1, "occluded": 0}
    assert boxes.unlabelled == 1
    expected = np.zeros(20, np.int64)
    expected[[5, 10, 19]] = 2, 1, 1  # two quarters, half, whole
    assert boxes.areas.tolist() == expected.tolist()
    # One box covers the whole, one the left half, and one each the upper left and the lower right quarter.
    quarters = boxes.coverage.reshape(2, 16, 2, 16).transpose(0, 2, 1, 3).reshape(2, 2, -1)
    assert (quarters.min(axis=2) == quarters.max(axis=2)).all()
    assert quarters.max(axis=2).tolist() == [[0.75, 0.25], [0.5, 0.5]]


def test_an_indexed_dataset_is_inspected_without_the_report_of_a_conversion(
    odd: Path, tmp_path: Path
) -> None:
    from fastinet.conversion.index import index

    index(odd / "train", tmp_path / "indexed", on_bad="keep")
    facts = fastinet.inspect(tmp_path / "indexed").splits["train"]
    assert facts.bad is None
    assert facts.records == len(ODD) - 1  # text.bin has no image's extension
    assert {"gray", "misnamed"}.isdisjoint(oddity.name for oddity in facts.oddities)
    assert "JPEG 80%, PNG 20%" in _printed(tmp_path / "indexed")


def test_a_file_that_was_renamed_in_conversion_is_misnamed_by_its_original_name(tmp_path: Path) -> None:
    jpeg, png = image(64, 48), image(60, 48, "PNG")
    write_tree(tmp_path / "src", {"c/a.jpg": jpeg, "c/b.jpg": jpeg, "c/a.png": jpeg, "c/d.png": png})
    fastinet.convert(tmp_path / "src", tmp_path / "dst")
    facts = fastinet.inspect(tmp_path / "dst").splits["train"]
    misnamed = next(oddity for oddity in facts.oddities if oddity.name == "misnamed")
    assert [facts.dataset[i].key for i in misnamed.examples] == ["c/a~2"]


def test_attached_columns_are_listed_with_type_and_size(tmp_path: Path) -> None:
    write_tree(tmp_path / "src", {f"c/{i}.jpg": small_jpeg(i) for i in range(3)})
    fastinet.convert(tmp_path / "src", tmp_path / "dst")
    dataset = fastinet.Dataset(tmp_path / "dst")
    dataset.attach("score", np.array([1.5, 2.5, 3.5], np.float32), order="records")
    dataset.attach("note", ["a", "b", "c"], order="records")
    columns = {c.name: c for c in fastinet.inspect(tmp_path / "dst").splits["train"].columns}
    assert (columns["score"].kind, columns["score"].dtype, columns["score"].shape) == (
        "array",
        "float32",
        (3,),
    )
    assert columns["note"].kind == "string"
    assert sum(c.bytes for c in columns.values()) == sum(
        file.stat().st_size for file in (tmp_path / "dst" / "train").glob("column-*.npy")
    )


@pytest.fixture
def two_splits(tmp_path: Path) -> Path:
    files = {
        f"{split}/c{i % 2}/{i}.jpg": small_jpeg(i)
        for split, n in (("train", 6), ("val", 2))
        for i in range(n)
    }
    write_tree(tmp_path / "src", files)
    fastinet.convert(tmp_path / "src", tmp_path / "dst")
    return tmp_path / "dst"


def test_all_splits_are_inspected_or_only_those_that_are_requested(two_splits: Path) -> None:
    assert {name: s.records for name, s in fastinet.inspect(two_splits).splits.items()} == {
        "train": 6,
        "val": 2,
    }
    assert list(fastinet.inspect(two_splits, split="val").splits) == ["val"]
    assert list(fastinet.inspect(two_splits / "train").splits) == ["train"]
    with pytest.raises(errors.ArgumentError, match="no split 'test'; there is train, val"):
        fastinet.inspect(two_splits, split=["val", "test"])


def test_copies_of_a_split_are_distinguished_by_their_folders(two_splits: Path) -> None:
    shutil.copytree(two_splits / "val", two_splits / "val-copy")
    with pytest.raises(
        errors.FormatError, match="splits of the same name: train: train, val: val, val-copy: val"
    ):
        fastinet.inspect(two_splits)
    assert fastinet.inspect(two_splits, split="val-copy").splits["val"].records == 2


def test_damage_is_a_typed_error_that_names_the_file(two_splits: Path) -> None:
    train = two_splits / "train"
    sidecar = train / "train-000000.idx"
    sound = sidecar.read_bytes()
    sidecar.write_bytes(sound[:100] + b"\xff" + sound[101:])
    with pytest.raises(errors.ChecksumError, match=r"train-000000\.idx: header or tables"):
        fastinet.inspect(two_splits)
    sidecar.write_bytes(sound[:-1])
    with pytest.raises(errors.TruncatedError, match=r"train-000000\.idx"):
        fastinet.inspect(two_splits)
    sidecar.unlink()
    with pytest.raises(errors.MissingFileError, match=r"train-000000\.idx: sidecar of a shard is missing"):
        fastinet.inspect(two_splits)
    sidecar.write_bytes(sound)
    sound_report = (train / "report.json").read_text()
    for name, text, message in [
        ("report.json", "{", r"report\.json: not JSON"),
        ("report.json", "{}", r"report\.json: records: expected an integer, found nothing; remove it"),
        (
            "report.json",
            sound_report.replace('"bad": []', '"bad": [{"file": 1, "reason": "?"}]'),
            r"report\.json: bad\[0\]\.file: expected a string, found 1; remove it",
        ),
        (
            "names.json",
            "[]",
            r"names\.json: the top level: expected a list of 1 objects, one for each shard, found 0",
        ),
        (
            "names.json",
            '[{"extension": 1, "others": {}}]',
            r"names\.json: \[0\]\.extension: expected a string, found 1",
        ),
    ]:
        before = (train / name).read_text()
        (train / name).write_text(text)
        with pytest.raises(errors.FormatError, match=message):
            fastinet.inspect(two_splits)
        (train / name).write_text(before)
    assert fastinet.inspect(two_splits).splits["train"].records == 6
    with pytest.raises(errors.MissingFileError, match=r"no dataset\.json here"):
        fastinet.inspect(two_splits / "nothing")
    with pytest.raises(errors.ArgumentError, match="seed must be from 0"):
        fastinet.inspect(two_splits, seed=-1)


def test_a_dataset_without_records_or_classes_is_inspected(tmp_path: Path) -> None:
    from fastinet.format import manifest

    (tmp_path / "train").mkdir()
    manifest.write(tmp_path / "train", manifest.Manifest("train", (), ()))
    facts = fastinet.inspect(tmp_path).splits["train"]
    assert facts.records == facts.unknown_size == facts.widths.count == 0
    assert "0 images" in _printed(tmp_path)


def test_the_command_prints_the_facts_and_writes_them_as_json(
    odd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    assert run(monkeypatch, "inspect", odd, "--json", tmp_path / "facts.json") == 0
    out = capsys.readouterr().out
    for text in (
        "11 images · 2 classes · 3 shards · 4 boxes · ",
        "5 to 6 images each",
        "20 to 80 px, half of them 50 to 70, median 64",
        "60% landscape, 20% portrait, 20% square",
        "70 x 40 30%",
        "JPEG 73%, PNG 18%, unknown 9.1%",
        "1 misnamed: n1/named",
        "4 in 3 images (27%), 1 to 2 each",
        "n2/text.jpg: expected an image, found ",
        "3 of 3 to 4 images",
    ):
        assert text in out
    told = json.loads((tmp_path / "facts.json").read_text())["splits"]["train"]
    assert told["class_counts"] == {"n1": 5, "n2": 6}
    assert told["oddities"]["CMYK"] == 1
    assert told["boxes"]["boxes"] == 4
    assert run(monkeypatch, "inspect", odd, "--split", "test") == 2
    assert "no split 'test'; there is train" in capsys.readouterr().err


def test_control_characters_in_names_do_not_reach_the_terminal(tmp_path: Path) -> None:
    from splits import jpeg_items, write_split

    from fastinet.format import manifest

    folder = write_split(tmp_path / "train", jpeg_items(3, classes=2), classes=2)
    written = manifest.read(folder)
    names = (manifest.ClassInfo("a\x1b[2J", ("[red]x\x07",)), manifest.ClassInfo("b\udcff"))
    manifest.write(folder, dataclasses.replace(written, classes=(*names, manifest.ClassInfo("c"))))
    printed = _printed(folder)
    assert "[red]x\ufffd (a\ufffd[2J)" in printed
    assert not set(printed) & {"\x1b", "\x07", "\udcff"}


def test_sizes_and_formats_of_real_photographs_are_those_that_pillow_finds(tmp_path: Path) -> None:
    files = shared_files("imagenet-samples/train/*/*.JPEG")[:60]
    if not files:
        pytest.skip("no shared samples here")
    for file in files:
        folder = tmp_path / "src" / file.parent.name
        folder.mkdir(parents=True)
        shutil.copy(file, folder)
    fastinet.convert(tmp_path / "src", tmp_path / "dst")
    facts = fastinet.inspect(tmp_path / "dst").splits["train"]
    sizes = []
    for file in files:
        with Image.open(file) as picture:
            sizes.append(picture.size)
    for values, place in ((facts.widths, 0), (facts.heights, 1)):
        sides = [size[place] for size in sizes]
        for q in (0.0, 0.25, 0.5, 0.75, 1.0):
            assert values.quantile(q) == np.quantile(sides, q, method="inverted_cdf")
    assert facts.payload_bytes.total == sum(file.stat().st_size for file in files)


def test_a_distribution_is_exact_for_small_numbers_and_close_for_large_ones() -> None:
    rng = np.random.default_rng(0)
    small, large = rng.integers(0, 16384, 3000), rng.integers(0, 2**31, 3000)
    for values, tolerance in ((small, 0.0), (large, 2.0**-13)):
        found = Distribution()
        for part in np.array_split(values, 7):
            found.add(part)
        assert (found.count, found.total) == (3000, values.sum())
        assert (found.minimum, found.maximum) == (values.min(), values.max())
        for q in (0.0, 0.01, 0.3, 0.5, 0.99, 1.0):
            exact = np.quantile(values, q, method="inverted_cdf")
            assert exact * (1 - tolerance) <= found.quantile(q) <= exact
        edges = np.r_[0.0, 2.0 ** np.arange(32)]
        assert found.histogram(edges).tolist() == np.histogram(values, edges)[0].tolist()
    assert Distribution().quantile(0.5) == 0


def test_common_sizes_are_exact_until_there_are_too_many_and_then_say_how_far_they_may_be_off() -> None:
    rng = np.random.default_rng(1)
    found = CommonSizes()
    for _ in range(4):
        widths = np.r_[np.full(500, 500), rng.integers(1, 3000, 40000)].astype(np.int32)
        heights = np.r_[np.full(500, 375), rng.integers(1, 3000, 40000)].astype(np.int32)
        found.add(widths, heights)
    [first] = found.most(1)
    assert (first.width, first.height) == (500, 375)
    assert found.missed > 0
    assert first.count <= 2000 + 160000 // 9000000 + 5
    assert first.count + found.missed >= 2000


def test_size_grid_and_aspect_ratios_count_every_image_once() -> None:
    widths, heights = np.array([1, 500, 500, 2**24], np.int32), np.array([1, 375, 500, 1], np.int32)
    grid, aspects = SizeGrid(), AspectRatios()
    grid.add(widths, heights)
    aspects.add(widths, heights)
    assert grid.counts.sum() == aspects.counts.sum() == 4
    assert grid.counts[0, 0] == grid.counts[0, -1] == 1
    assert grid.counts[int(np.log2(375) * 8), int(np.log2(500) * 8)] == 1
    middle = len(aspects.counts) // 2
    assert aspects.counts[[middle, middle + 7, -1]].tolist() == [2, 1, 1]  # 4:3 is 0.415 octaves wide


def test_a_choice_depends_on_seed_and_records_but_not_on_how_they_are_offered() -> None:
    groups = np.repeat(np.arange(5), [1, 2, 30, 100, 400])
    records = np.arange(len(groups)) * 7
    chosen = []
    for parts in (1, 2, 13):
        choice = Choice(3, seed=4)
        for places in np.array_split(np.random.default_rng(parts).permutation(len(groups)), parts):
            choice.offer(groups[places], records[places])
        chosen.append(choice.chosen())
    assert chosen[0] == chosen[1] == chosen[2]
    assert [len(found) for found in chosen[0].values()] == [1, 2, 3, 3, 3]
    assert all(set(found) <= set(records[groups == group]) for group, found in chosen[0].items())
    other = Choice(3, seed=5)
    other.offer(groups, records)
    assert other.chosen() != chosen[0]


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 9, "0%"),
        (9, 9, "100%"),
        (1, 10**7, "<0.01%"),
        (10**7 - 1, 10**7, "99.99%"),
        (1, 3, "33%"),
        (1, 40, "2.5%"),
        (3, 2000, "0.1%"),
        (0, 0, "0%"),
    ],
)
def test_a_share_is_rounded_to_0_or_100_percent_only_if_it_is(part: int, whole: int, text: str) -> None:
    assert share(part, whole) == text


def test_bytes_have_decimal_units() -> None:
    counts = (0, 999, 1000, 123456, 138_000_000_000, 9.99e14)
    assert [size_of(n) for n in counts] == ["0 B", "999 B", "1.0 kB", "123 kB", "138 GB", "999 TB"]


def _printed(path: Path) -> str:
    console = Console(width=140, file=io.StringIO())
    console.print(fastinet.inspect(path))
    return str(console.file.getvalue())  # type: ignore[attr-defined]
