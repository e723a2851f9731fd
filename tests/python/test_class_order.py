"""The order of classes: torchvision's, told where it surprises, or as a file lists them."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from folders import members, small_jpeg, snapshot, write_tree

from fastinet import Dataset, cli, convert, errors
from fastinet.conversion.sources.class_order import InOrder, read_class_order, text_order_remark
from fastinet.conversion.sources.detect import open_source
from fastinet.format import manifest
from fastinet.format.manifest import ClassInfo

XML = b"""<annotation><size><width>64</width><height>48</height></size>
<object><name>b</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object>
<object><name>q</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object>
</annotation>"""


def labels(folder: Path) -> dict[str, int]:
    return {record.key: record.label for record in Dataset(folder)}


def numbered(root: Path, count: int = 11, prefix: str = "") -> Path:
    return write_tree(root, {f"{prefix}{i}/a.jpg": small_jpeg(i) for i in range(count)})


def test_folders_that_are_numbers_sort_as_text_and_the_report_says_so(tmp_path: Path) -> None:
    report = convert(numbered(tmp_path / "src"), tmp_path / "dst")
    assert labels(tmp_path / "dst")["2/a"] == 3
    told = [
        "10 before 2, as torchvision sorts: label 3 is 2; "
        "--class-order FILE (class_order=) gives another order"
    ]
    assert report.splits["train"].notes["classes sorted as text"] == told
    written = json.loads((tmp_path / "dst" / "train" / "report.json").read_text())
    assert written["notes"]["classes sorted as text"] == told


@pytest.mark.parametrize(
    ("names", "label"),
    [
        (["0", "1", "10", "2"], 3),
        (["c1", "c11", "c2"], 2),
        (["0", "1", "2"], None),
        (["00", "01", "10"], None),
        (["a", "10", "2"], None),
        (["a10", "b2"], None),
        (["10", "9", "2"], None),  # of a list: no order by text
        ([], None),
    ],
)
def test_only_numbers_out_of_their_order_are_remarked(names: list[str], label: int | None) -> None:
    remarks = text_order_remark([ClassInfo(name) for name in names])
    assert len(remarks) == (label is not None)
    assert all(f"label {label} is" in remark for remark in remarks)


def test_a_file_gives_the_order_on_the_command_line_and_the_manifest_records_it(tmp_path: Path) -> None:
    src = numbered(tmp_path / "src", 12)
    (tmp_path / "order.txt").write_text("".join(f"{i}\n\n" for i in range(12)))
    args = ["convert", str(src), str(tmp_path / "dst"), "--class-order", str(tmp_path / "order.txt")]
    result = CliRunner().invoke(cli.cli, args)
    assert result.exit_code == 0, result.output
    assert "order of the classes (1): as given, by class_order" in " ".join(result.output.split())
    assert "sorted as text" not in result.output
    assert labels(tmp_path / "dst") == {f"{i}/a": i for i in range(12)}
    made = manifest.read(tmp_path / "dst" / "train")
    assert [c.name for c in made.classes] == [str(i) for i in range(12)]
    assert str(made.created_by["class_order"]).startswith("as given (")
    inspected = CliRunner().invoke(cli.cli, ["inspect", str(tmp_path / "dst")])
    assert "class order" in inspected.output
    assert convert(src, tmp_path / "dst", class_order=[str(i) for i in range(12)]).already_complete


def test_the_help_names_the_option() -> None:
    assert "--class-order FILE" in CliRunner().invoke(cli.cli, ["convert", "--help"]).output


def test_records_keep_torchvisions_order_and_only_their_labels_change(tmp_path: Path) -> None:
    src = write_tree(tmp_path / "src", {f"{c}/{i}.jpg": small_jpeg(i) for i, c in enumerate("abc")})
    convert(src, tmp_path / "dst", class_order=["c", "a", "b"])
    found = members(tmp_path / "dst" / "train" / "train-000000.tar")
    assert {k: v for k, v in found.items() if k.endswith(".cls")} == {
        "a/0.cls": b"1",
        "b/1.cls": b"2",
        "c/2.cls": b"0",
    }
    assert [k for k in found if k.endswith(".jpg")] == ["a/0.jpg", "b/1.jpg", "c/2.jpg"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["b", "a"], "missing: c"),
        (["a", "b", "c", "d"], "unknown: d"),
        (["a", "b", "c", "b"], "twice: b"),
        (["a a", "a", "x y"], "missing: b, c; unknown: x y; twice: a"),
        ([], "missing: a, b, c"),
    ],
)
def test_an_order_that_is_not_of_all_classes_is_refused_with_their_names(
    tmp_path: Path, names: list[str], told: str
) -> None:
    src = write_tree(tmp_path / "src", {f"{c}/1.jpg": b"1" for c in "abc"})
    path = tmp_path / "order.txt"
    path.write_text("\n".join(names) or "\n")
    with pytest.raises(errors.ArgumentError) as caught:
        open_source(src, class_order=path)
    assert str(caught.value) == (
        f"{path}: expected each of the 3 classes of {src} (a, b, c) once, found {len(names)} names; {told}"
    )


def test_a_name_may_hold_blanks_and_a_list_may_hold_words_behind_it(tmp_path: Path) -> None:
    src = write_tree(tmp_path / "src", {f"{c}/1.jpg": b"1" for c in ("great dane", "great", "n01440764")})
    (src / "n02102040").mkdir()
    (src / "n00000001").mkdir()
    lines = ("n02102040 English springer", "n01440764 tench, Tinca tinca", "great dane", "great")
    (tmp_path / "order.txt").write_text("\n".join(lines))
    source = open_source(src, class_order=tmp_path / "order.txt")
    assert [c.name for c in source.classes] == ["n02102040", "n01440764", "great dane", "great"]
    notes = source.survey("train").notes
    assert notes["folders left alone"] == ["n00000001: not among the classes listed, and no images"]
    with pytest.raises(errors.MissingFileError, match=r"gone\.txt: is missing"):
        open_source(src, class_order=tmp_path / "gone.txt")
    (tmp_path / "order.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(errors.FormatError, match="expected UTF-8 text"):
        read_class_order(tmp_path / "order.txt")


def test_labels_that_are_numbers_are_ordered_by_their_numbers_as_names(tmp_path: Path) -> None:
    write_tree(tmp_path, {f"{i}.jpg": small_jpeg(i) for i in range(3)})
    (tmp_path / "l.csv").write_text("path,label\n0.jpg,0\n1.jpg,1\n2.jpg,2\n")
    convert(tmp_path / "l.csv", tmp_path / "csv", class_order=["2", "0", "1"])
    assert labels(tmp_path / "csv") == {"0": 1, "1": 2, "2": 0}
    with tarfile.open(tmp_path / "a-000000.tar", "w") as tar:
        for i in range(3):
            for name, data in ((f"{i}.jpg", small_jpeg(i)), (f"{i}.cls", b"%d" % i)):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    convert(tmp_path / "a-000000.tar", tmp_path / "wds", class_order=["2", "0", "1"])
    assert labels(tmp_path / "wds") == {"0": 1, "1": 2, "2": 0}
    with pytest.raises(errors.ArgumentError, match="missing: 0, 1, 2; unknown: cat, dog, cow"):
        convert(tmp_path / "l.csv", tmp_path / "names", class_order=["cat", "dog", "cow"])


def test_boxes_and_the_json_that_holds_them_follow_the_order(tmp_path: Path) -> None:
    src = write_tree(tmp_path / "src", {f"{c}/1.jpg": small_jpeg(i) for i, c in enumerate("ab")})
    boxes = write_tree(tmp_path / "boxes", {"a/1.xml": XML})
    convert(src, tmp_path / "own", boxes=boxes)
    convert(src, tmp_path / "given", boxes=boxes, class_order=["b", "a"])
    convert(tmp_path / "own", tmp_path / "again", class_order=["b", "a"])
    assert Dataset(tmp_path / "own")[0].boxes == [(1, 1, 2, 30, 40, 0), (-1, 1, 2, 3, 4, 0)]
    for name in ("given", "again"):
        dataset = Dataset(tmp_path / name)
        assert dataset[0].boxes == [(0, 1, 2, 30, 40, 0), (-1, 1, 2, 3, 4, 0)], name
        told = json.loads(members(tmp_path / name / "train" / "train-000000.tar")["a/1.json"])
        assert told["boxes"]["rows"] == [[0, 1, 2, 30, 40, 0], [-1, 1, 2, 3, 4, 0]]
        assert [record.label for record in dataset] == [1, 0]


def test_unlabelled_records_stay_so(tmp_path: Path) -> None:
    write_tree(tmp_path, {"0.jpg": small_jpeg(0), "1.jpg": small_jpeg(1)})
    (tmp_path / "l.csv").write_text("path,label\n0.jpg,a\n1.jpg,\n")
    source = open_source(tmp_path / "l.csv", class_order=["a"])
    assert [sample.label for sample in source.samples("train")] == [0, -1]
    assert isinstance(source, InOrder)


def test_an_interrupted_run_does_not_go_on_with_another_order(tmp_path: Path) -> None:
    src = write_tree(
        tmp_path / "src", {"a/1.jpg": small_jpeg(1), "b/1.jpg": small_jpeg(2), "b/2.jpg": b"bad"}
    )
    with pytest.raises(errors.DecodeError):
        convert(src, tmp_path / "dst", shard_size="1", workers=1, class_order=["b", "a"])
    for other in (None, ["a", "b"]):
        with pytest.raises(errors.ArgumentError, match=r"interrupted .* settings \(class_order 'as given"):
            convert(src, tmp_path / "dst", shard_size="1", on_bad="skip", class_order=other)
    convert(src, tmp_path / "dst", shard_size="1", on_bad="skip", class_order=["b", "a"])
    assert labels(tmp_path / "dst") == {"a/1": 1, "b/1": 0}
    convert(src, tmp_path / "fresh", shard_size="1", on_bad="skip", class_order=["b", "a"])
    assert snapshot(tmp_path / "dst") == snapshot(tmp_path / "fresh")


def test_choosing_synsets_where_there_are_none_points_to_the_order(tmp_path: Path) -> None:
    src = numbered(tmp_path / "src", 3)
    with pytest.raises(errors.ArgumentError, match=r"no synsets here; .*--class-order FILE \(class_order=\)"):
        open_source(src, classes=["2", "1", "0"])
    with pytest.raises(errors.ArgumentError, match="classes chooses synsets and gives their order"):
        open_source(src, classes=["2"], class_order=["2"])
    (tmp_path / "l.csv").write_text("a.jpg,1\n")
    with pytest.raises(errors.ArgumentError, match="not of csv; --class-order FILE"):
        open_source(tmp_path / "l.csv", classes=["1"])


def test_a_split_with_other_classes_than_the_one_there_is_remarked(tmp_path: Path) -> None:
    src = write_tree(tmp_path / "src", {"train/a/1.jpg": small_jpeg(1), "train/b/1.jpg": small_jpeg(2)})
    write_tree(src, {"val/b/1.jpg": small_jpeg(3), "test/1.jpg": small_jpeg(4)})
    kind = "splits here with other classes, so other labels"
    for name, remark in (("train", None), ("val", ["train"]), ("test", None)):
        report = convert(src / name, tmp_path / "dst")
        assert report.splits[name].notes.get(kind) == remark
    again = convert(src, tmp_path / "whole")
    assert all(kind not in split.notes for split in again.splits.values())
