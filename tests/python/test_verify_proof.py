"""fastinet.verify compares sidecars and manifests with tars and images, even if every checksum is right."""

from __future__ import annotations

import io
import json
import shutil
import struct
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from folders import small_jpeg, write_tree
from forge import BOXES, Forgery
from images import encode, photo
from PIL import Image
from splits import jpeg_items, write_split
from wordnet_files import write_wordnet

import fastinet
from fastinet import Dataset, _core, convert, errors, verify
from fastinet.cli import cli
from fastinet.conversion.index import index
from fastinet.format import manifest, names
from fastinet.format.manifest import ClassInfo, Manifest, ShardInfo

VOC = """<annotation><size><width>64</width><height>48</height></size><object><name>n00000020</name>
<bndbox><xmin>3</xmin><ymin>5</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object></annotation>"""


def png(seed: int, width: int = 50, height: int = 40) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(photo(seed, width, height)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shards of three images, the last a PNG file; one with a box."""
    root = tmp_path_factory.mktemp("proof")
    tree = {f"n0000002{i % 2}/{i}.jpg": small_jpeg(i) for i in range(5)} | {"n00000021/5.png": png(5)}
    write_tree(root / "src", tree)
    write_tree(root / "boxes", {"n00000020/2.xml": VOC.encode()})
    convert(
        root / "src",
        root / "out",
        shard_size="3",
        boxes=root / "boxes",
        wordnet=write_wordnet(root / "wordnet"),
    )
    return root / "out" / "train"


@pytest.fixture
def split(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "train"))


def told(split: Path, **options: bool) -> list[str]:
    """The problems, in the words after the file's path."""
    return [str(problem).replace(f"{split}/", "") for problem in verify(split, **options).problems]


def keys(split: Path) -> list[str]:
    return list(Dataset(split).keys)


@pytest.mark.parametrize("decode", [False, True])
def test_a_converted_dataset_has_no_problems(split: Path, decode: bool) -> None:
    report = verify(split, decode=decode)
    assert report.ok
    assert (report.problem_count, report.scanned, report.records) == (0, 6, 6)
    assert keys(split)[2] == "n00000020/4"


LIES: Mapping[str, tuple[Callable[[Forgery], object], str]] = {
    "a label": (lambda f: f.set(1, "label", 1), "label: expected 0, as in .cls, found 1"),
    "no label": (lambda f: f.set(1, "label", -1), "label: expected 0, as in .cls, found -1"),
    "a width": (lambda f: f.set(1, "width", 63), "image size: expected 64x48, found 63x48"),
    "sides in another order": (
        lambda f: f.set(1, "width", 48).set(1, "height", 64),
        "image size: expected 64x48, found 48x64",
    ),
    "an orientation": (
        lambda f: f.set(1, "flags", f.get(1, "flags") & ~15 | 6),
        "EXIF orientation: expected 1, found 6",
    ),
    "a format": (
        lambda f: f.set(1, "flags", f.get(1, "flags") & ~0xFF00 | 0x200),
        "payload's format: expected JPEG, found PNG",
    ),
    "a key": (lambda f: f.key(1, b"n00000020/3"), "key: expected 'n00000020/2', as in the tar, found"),
    "a forbidden key": (
        lambda f: f.key(1, b"../../../12"),
        "key: expected one that FORMAT.md allows, found one that has a '.' or '..' path component",
    ),
    "a key that is there": (
        lambda f: f.key(1, b"n00000020/0"),
        "key: expected one that no other record of the shard has, found that of record 0",
    ),
    "a size": (
        lambda f: f.set(1, "payload_size", f.get(1, "payload_size") - 1),
        "size of the image's member: expected",
    ),
    "a place": (
        lambda f: f.set(1, "payload_offset", f.get(1, "payload_offset") - 512),
        "image's member at byte",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_wrong_value_in_a_sidecar_is_found_by_comparing_it_with_tar_and_image(
    split: Path, lie: str
) -> None:
    tell, message = LIES[lie]
    forgery = Forgery(split)
    tell(forgery)
    forgery.save()
    found = [problem for problem in verify(split).problems if message in str(problem)]
    assert len(found) == 1, told(split)
    assert isinstance(found[0], errors.FormatError)
    assert (found[0].path, found[0].record) == (str(split / "train-000000.idx"), 1)
    assert found[0].key
    assert found[0].expected
    assert found[0].found


def test_a_decoder_checks_the_size_of_images_that_are_not_jpegs(split: Path) -> None:
    Forgery(split, 1).set(2, "height", 41).save()
    assert told(split) == [
        "train-000001.idx: record 2 (n00000021/5): image size: expected 50x40, found 50x41"
    ]


def test_boxes_are_compared_with_the_json_of_their_record(split: Path) -> None:
    forgery = Forgery(split)
    struct.pack_into("<i", forgery.section(BOXES), 16, 4)  # xmin
    forgery.save()
    assert told(split) == [
        "train-000000.idx: record 1 (n00000020/2): boxes: expected [64, 48, [[0, 3, 5, 30, 40, 0]]], as in "
        ".json, found [64, 48, [[0, 4, 5, 30, 40, 0]]]"
    ]
    Forgery(split).set(1, "boxes_size", 0).save()
    assert "boxes: expected [64, 48, [[0, 3, 5, 30, 40, 0]]], as in .json, found [0, 0, []]" in told(split)[0]


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (16, 30, "box: expected 0 <= xmin < xmax <= 64 and 0 <= ymin < ymax <= 48, found (30, 5, 30, 40)"),
        (16, -1, "box: expected 0 <= xmin < xmax <= 64"),
        (28, 49, "box: expected 0 <= xmin < xmax <= 64 and 0 <= ymin < ymax <= 48, found (3, 5, 30, 49)"),
        (12, 2, "label of a box: expected -1 to 1, found 2"),
        (12, -2, "label of a box: expected -1 to 1, found -2"),
        (32, 8, "flags of a box: expected 0 to 7, found 8"),
    ],
)
def test_a_box_that_no_image_can_have_is_a_problem(split: Path, at: int, value: int, message: str) -> None:
    forgery = Forgery(split)
    struct.pack_into("<i", forgery.section(BOXES), at, value)
    forgery.save()
    assert [text for text in told(split) if f"record 1 (n00000020/2): {message}" in text], told(split)


def test_a_wrong_entry_point_is_found_by_a_fresh_scan(split: Path) -> None:
    forgery = Forgery(split)
    forgery.entry_points(2)[30] ^= 4
    forgery.save()
    (problem,) = told(split)
    assert problem.startswith("train-000000.idx: record 2 (n00000020/4): entry point at MCU row ")
    assert " is false: expected bit " in problem
    assert ", found bit " in problem


def test_entry_points_of_another_image_are_found_without_a_scan(split: Path) -> None:
    forgery = Forgery(split)
    forgery.entry_points(0)[14] ^= 1  # MCU columns
    forgery.save()
    message = (
        "train-000000.idx: record 0 (n00000020/0): entry points are malformed or were made for another image"
    )
    assert told(split) == [message]


def test_entry_points_at_another_spacing_are_not_a_problem(tmp_path: Path) -> None:
    """What another version of fastinet chose is as good as what this one would choose."""
    write_tree(tmp_path / "src", {"a/1.jpg": small_jpeg(1, 400, 300)})
    convert(tmp_path / "src", tmp_path / "out")
    forgery = Forgery(tmp_path / "out" / "train")
    points = forgery.entry_points(0)
    spacing, columns = struct.unpack_from("<HH", points, 12)
    assert spacing < columns
    rows = struct.unpack_from("<H", points, 16)[0]
    bits = int.from_bytes(points[22:], "little")
    row_bits, column_bits = points[1], points[2]
    predictors = points[3] + points[4] + points[5]
    per_row = -(-columns // spacing)
    sparse, at = 0, 0
    for row in range(rows):  # of each row, only its first entry is kept
        start = row * (row_bits + predictors + (per_row - 1) * (column_bits + predictors))
        sparse |= (bits >> start & (1 << row_bits + predictors) - 1) << at
        at += row_bits + predictors
    head = bytearray(points[:22])
    struct.pack_into("<H", head, 12, columns)
    body = sparse.to_bytes((at + 7) // 8, "little") + bytes(7)
    points[: len(head) + len(body)] = bytes(head) + body
    forgery.set(0, "entry_points_size", len(head) + len(body))
    forgery.save()
    assert told(tmp_path / "out" / "train", decode=True) == []


def test_a_sample_of_the_images_is_scanned_and_all_of_them_with_decode(tmp_path: Path) -> None:
    write_tree(tmp_path / "src", {f"a/{i:02}.jpg": small_jpeg(i, 32, 32) for i in range(40)})
    convert(tmp_path / "src", tmp_path / "out")
    split = tmp_path / "out" / "train"
    forgery = Forgery(split)
    forgery.entry_points(7)[26] ^= 16
    forgery.save()
    report = verify(split)
    assert (report.ok, report.scanned) == (True, 20)
    report = verify(split, decode=True)
    assert (report.scanned, report.decoded, len(report.problems)) == (40, 40, 1)
    assert report.problems[0].record == 7


def member_of(tar: Path, name: str) -> tuple[int, int]:
    with tarfile.open(tar) as archive:
        member = archive.getmember(name)
        return member.offset_data, member.size


def test_a_label_in_the_tar_is_compared_with_the_sidecar(split: Path) -> None:
    forgery = Forgery(split)
    at, _ = member_of(split / "train-000000.tar", "n00000020/4.cls")
    forgery.tar[at : at + 1] = b"1"
    forgery.save()
    assert told(split) == ["train-000000.idx: record 2 (n00000020/4): label: expected 1, as in .cls, found 0"]


def test_a_sidecar_of_another_tar_is_recognised_by_its_hash(split: Path) -> None:
    forgery = Forgery(split)
    forgery.tar[100:104] = b"0600"  # the mode of the first member: nothing that a record tells
    (split / "train-000000.tar").write_bytes(forgery.tar)
    contents = manifest.read(split)
    shards = (contents.shards[0]._replace(xxh3=_core.xxh3(bytes(forgery.tar))), *contents.shards[1:])
    manifest.write(split, replace(contents, shards=shards))
    problems = verify(split).problems
    assert any("sidecar was made for another shard than the manifest names" in str(p) for p in problems)


def indexed(folder: Path, members: Mapping[str, bytes], **options: object) -> Path:
    """A tar of another tool, indexed in place."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / "x-000000.tar", "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    index(folder, **options)  # type: ignore[arg-type]
    return folder


def test_tars_of_other_tools_that_were_indexed_have_no_problems(tmp_path: Path) -> None:
    metadata = json.dumps({"caption": "a\ud83d", "similarity": float("nan"), "label": 2}).encode()
    broken = small_jpeg(3)[:200]
    for name, members, options in [
        (
            "named",
            {"a.jpg": small_jpeg(1), "a.cls": b"dog\n", "b.jpg": small_jpeg(2), "b.cls": b" cat"},
            {"classes": ["cat", "dog"]},
        ),
        ("json", {"0/a.jpg": small_jpeg(1), "0/a.json": metadata, "0/a.txt": b"?", "0/b.png": png(2)}, {}),
        (
            "numbers",
            {"a.json": b"1", "a.jpeg": small_jpeg(1), "b.json": b'{"cls": "0"}', "b.png": png(1)},
            {},
        ),
        ("skipped", {"a.jpg": small_jpeg(1), "b.jpg": broken, "c.txt": b"no image"}, {"on_bad": "skip"}),
        ("kept", {"a.jpg": small_jpeg(1), "b.jpg": broken}, {"on_bad": "keep"}),
        (
            "other names",
            {"._a.jpg": b"noise", "a.left.jpg": b"?", "./b.JPG": small_jpeg(1), "./b.CLS": b"0"},
            {"on_bad": "skip"},
        ),
        (
            "chosen",
            {"a.left.jpg": small_jpeg(1), "a.right.jpg": small_jpeg(2), "a.truth.cls": b"1"},
            {"image_field": "right.jpg", "label_field": "truth.cls"},
        ),
        ("as a column", {"a.jpg": small_jpeg(1), "a.cls": b"0.75"}, {"labels_as": "score"}),
    ]:
        folder = indexed(tmp_path / name, members, **options)
        assert told(folder) == [], name


def test_labels_of_indexed_tars_are_compared_with_names_or_json(tmp_path: Path) -> None:
    members = {"a.jpg": small_jpeg(1), "a.cls": b"dog", "b.jpg": small_jpeg(2), "b.json": b'{"label": 1}'}
    folder = indexed(tmp_path / "x", members, classes=["cat", "dog"])
    Forgery(folder).set(0, "label", 0).set(1, "label", 0).save()
    assert told(folder) == [
        "x-000000.idx: record 0 (a): label: expected dog, as in .cls, found 0",
        "x-000000.idx: record 1 (b): label: expected 1, as in .json, found 0",
    ]


def test_labels_come_from_the_members_that_the_manifest_names(tmp_path: Path) -> None:
    members = {"a.jpg": small_jpeg(1), "a.cls": b"1", "a.truth.json": b'{"label": 0.0}'}
    folder = indexed(tmp_path / "x", members)
    contents = manifest.read(folder)
    for options, problem in [
        ({"label_field": ["truth.json"]}, "label: expected 0.0, as in .truth.json, found 1"),
        ({"label_field": ["other", "cls"]}, ""),
        ({"labels_as": "truth"}, "label: expected -1, as a column has the labels, found 1"),
    ]:
        manifest.write(folder, replace(contents, created_by={"source": "webdataset", "options": options}))
        assert [text.partition("(a): ")[2] for text in told(folder)] == [problem] * bool(problem)


def test_an_image_of_the_tar_that_the_sidecar_lacks_is_a_problem(tmp_path: Path) -> None:
    folder = indexed(tmp_path / "x", {f"{i}.jpg": small_jpeg(i) for i in range(3)})
    writer = _core.IndexWriter(str(folder / "x-000000.tar"))
    for name, offset, size in writer.scan()[0]:
        if name != "1.jpg":
            writer.add(name[:-4], offset, size)
    s = writer.finish(str(folder / "x-000000.idx"))
    info = ShardInfo.of("x-000000.tar", "x-000000.idx", s)
    manifest.write(folder, Manifest("x", (), (info,)))
    assert told(folder) == ["x-000000.idx: key 1: expected a record, as the tar has one, found none"]


def test_a_key_in_two_shards_is_a_problem_only_if_fastinet_wrote_them(tmp_path: Path) -> None:
    items = [("a/1", small_jpeg(1), 0), ("a/2", small_jpeg(2), 0), ("a/1", small_jpeg(3), 0)]
    written = write_split(tmp_path / "train", items, per_shard=2, created_by={"plan": "0"})
    assert told(written) == [
        "train-000001.tar: record 0 (a/1): key: expected one that no other record of the split has, found "
        "that of record 0 of train-000000.tar"
    ]
    other = write_split(tmp_path / "other" / "train", items, per_shard=2)
    assert told(other) == []


def test_a_cycle_or_an_unknown_name_in_the_hierarchy_is_a_problem(split: Path) -> None:
    contents = manifest.read(split)
    parent, child = contents.hierarchy[0]
    manifest.write(split, replace(contents, hierarchy=(*contents.hierarchy, (child, parent))))
    (problem,) = told(split)
    assert problem.startswith("dataset.json: hierarchy: the edges through ")
    edges, synsets = (("n1", child), *contents.hierarchy), (*contents.synsets, ClassInfo("n00000020"))
    manifest.write(split, replace(contents, hierarchy=edges, synsets=synsets))
    assert sorted(told(split)) == [
        "dataset.json: hierarchy[0]: expected names of classes and synsets, found n1",
        f"dataset.json: synsets[{len(synsets) - 1}].name: expected one that no class or synset has, found "
        "n00000020",
    ]


def test_counts_of_classes_are_compared_with_the_sidecars(split: Path) -> None:
    contents = manifest.read(split)
    classes = (replace(contents.classes[0], count=4), *contents.classes[1:])
    manifest.write(split, replace(contents, classes=classes))
    assert told(split) == ["dataset.json: classes[0].count: expected 3, as the sidecars have, found 4"]


def test_attached_columns_are_verified(split: Path, made: Path, tmp_path: Path) -> None:
    dataset = Dataset(split)
    dataset.attach("score", np.arange(6), order="records")
    dataset.attach("words", ["a", "b", "c", "d", "e", "f"], order="records")
    assert told(split) == []
    file = next(split.glob("column-words-values-*.npy"))
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"g")
    assert [type(problem) for problem in verify(split).problems] == [errors.ChecksumError]
    assert told(split)[0].startswith(f"{file.name}: column is damaged: expected XXH3 ")
    file.unlink()
    assert told(split) == [f"{file.name}: file of column words is missing"]
    file.write_bytes(whole)
    write_tree(tmp_path / "src", {"a/1.jpg": small_jpeg(77)})
    convert(tmp_path / "src", tmp_path / "other")
    for path in (*split.glob("column*"), *split.glob("columns.json")):
        shutil.copy(path, tmp_path / "other" / "train")
    (problem,) = told(tmp_path / "other" / "train")
    assert "its columns were attached to other shards than dataset.json lists" in problem


def test_names_of_missing_records_in_names_json_are_a_problem(split: Path) -> None:
    listed = json.loads((split / names.FILE).read_text())
    listed[1]["others"]["n00000021/99"] = "99.gif"
    (split / names.FILE).write_text(json.dumps(listed))
    assert told(split) == ["names.json: [1].others: expected keys of the shard's records, found n00000021/99"]


def test_all_problems_are_counted_and_the_first_ones_are_listed(tmp_path: Path) -> None:
    split = write_split(tmp_path / "train", [(f"{i}", b"%d" % i, 0) for i in range(1100)], 1100)
    forgery = Forgery(split)
    for record in range(1100):
        forgery.set(record, "label", 1)
    forgery.save()
    report = verify(split)
    assert (len(report.problems), report.problem_count, report.ok) == (1000, 1100, False)
    assert report.to_json()["problem_count"] == 1100
    done = CliRunner().invoke(cli, ["verify", str(split)])
    assert done.exit_code == 3
    assert f"{split}/train-000000.idx: record 0 (0): label: expected 0, as in .cls, found 1" in done.output
    assert "... and 1,080 more problems" in done.output
    assert ": 1,100 problem(s)" in done.output


def test_a_split_in_which_only_some_records_have_annotations_gets_a_remark(
    tmp_path: Path,
) -> None:
    some = indexed(tmp_path / "some", {"a.jpg": small_jpeg(1), "b.jpg": small_jpeg(2), "b.json": b'{"x": 1}'})
    done = CliRunner().invoke(cli, ["verify", str(some)])
    assert done.exit_code == 0
    assert "1 of 2 records have annotations (.json): Hugging Face datasets" in " ".join(done.output.split())
    plain = write_split(tmp_path / "plain", jpeg_items(3))
    assert "annotations" not in CliRunner().invoke(cli, ["verify", str(plain)]).output


def test_unusual_images_have_no_problems(tmp_path: Path) -> None:
    image = Image.fromarray(photo(1, 60, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    gif = io.BytesIO()
    image.save(gif, "GIF")
    whole = small_jpeg(9)
    tree = {
        "a/progressive.jpg": encode(image, progressive=True),
        "a/gray.jpg": encode(image.convert("L")),
        "a/cmyk.jpg": encode(image.convert("CMYK")),
        "a/turned.jpg": encode(image, exif=exif),
        "a/gif.JPEG": gif.getvalue(),
        "a/png.jpg": png(3),
        "a/open.jpg": whole[:-2],
        "a/cut.jpg": whole[: len(whole) // 2],
        "a/noise.jpg": b"no image",
    }
    write_tree(tmp_path / "src", tree)
    convert(tmp_path / "src", tmp_path / "out", on_bad="keep")
    assert told(tmp_path / "out" / "train") == []
    assert all(
        isinstance(p, errors.DecodeError) for p in fastinet.verify(tmp_path / "out", decode=True).problems
    )
