"""What is a label, what is none, and the column that takes what is none; the same for every source."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archives import tar_of
from click.testing import CliRunner
from folders import small_jpeg, snapshot, write_tree
from hypothesis import given
from hypothesis import strategies as st
from tfrecords import write_records

from fastinet import Dataset, Loader, convert, errors, transforms
from fastinet.cli import cli
from fastinet.conversion.index import index
from fastinet.conversion.label_column import packed
from fastinet.format.fields import class_of

JPEGS = [small_jpeg(i) for i in range(4)]
KEPT = "values that are no class can be kept as a column: --labels-as NAME"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, -1),
        ("", -1),
        ("  ", -1),
        ("-1", -1),
        (-1, -1),
        (float("nan"), -1),
        (0, 0),
        (7, 7),
        (7.0, 7),
        ("7", 7),
        (" 7 ", 7),
        ("007", 7),
        ("7.0", 7),
        ("-1.0", -1),
        ("tench", "tench"),
        ("great white shark", "great white shark"),
        ("n01440764", "n01440764"),
        ("2-3", "2-3"),
        ("3D", "3D"),
        ("2 fast", "2 fast"),
        ("1_000", "1_000"),
        ("0.73", None),
        ("-1.5", None),
        ("-2", None),
        ("+3", None),
        ("1e3", None),
        ("nan", None),
        ("inf", None),
        (0.5, None),
        (-2, None),
        (-1.5, None),
        (float("inf"), None),
        (True, None),
        (b"3", None),
        ("1 5", None),
        ("1,5", None),
        ("1; 5", None),
        ("0|1|0", None),
        ("[1, 5]", None),
        ("[5]", None),
        ("[]", None),
        ("(1 2)", None),
        ("0.1 0.9", None),
        ([1, 5], None),
        ([3], None),
        ([], None),
        ({"a": 1}, None),
        ("9" * 30, None),
    ],
)
def test_a_label_is_a_number_from_0_a_name_or_nothing(value: object, expected: int | str | None) -> None:
    assert class_of(value) == expected
    assert type(class_of(value)) is type(expected)


@given(st.text(max_size=30) | st.floats() | st.integers() | st.none() | st.lists(st.integers()))
def test_a_name_is_never_what_python_takes_for_a_number(value: object) -> None:
    found = class_of(value)
    if isinstance(found, str):
        assert found == str(value).strip() != ""
        if "_" not in found and found.isascii():  # 1_000 is a number in Python only
            with pytest.raises(ValueError, match="could not convert"):
                float(found)
    elif found is not None:
        assert found >= -1
        assert value is None or value != value or not str(value).strip() or float(value) == found  # type: ignore[arg-type]


def csv_of(folder: Path, texts: list[str]) -> Path:
    rows = "".join(f'{i}.jpg,"{text}"\n' for i, text in enumerate(texts))
    write_tree(folder, {f"{i}.jpg": JPEGS[i] for i in range(len(texts))})
    (folder / "list.csv").write_text(f"path,label\n{rows}")
    return folder / "list.csv"


def tar_with(folder: Path, field: str, values: list[str]) -> Path:
    files = {}
    for i, value in enumerate(values):
        files |= {f"{i}.jpg": JPEGS[i], f"{i}.{field}": value.encode()}
    folder.mkdir(parents=True)
    (folder / "x.tar").write_bytes(tar_of(files))
    return folder / "x.tar"


def parquet_of(
    folder: Path, values: list[Any], kind: Any = None, name: str = "label", **metadata: Any
) -> Path:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pa.table({"image": JPEGS[: len(values)], name: pa.array(values, kind)})
    if metadata:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": metadata}})})
    folder.mkdir(parents=True)
    pq.write_table(table, folder / "x.parquet", row_group_size=2)
    return folder / "x.parquet"


def tfrecord_of(folder: Path, values: list[Any]) -> Path:
    rows = [{"image": JPEGS[i], "label": value} for i, value in enumerate(values)]
    return write_records(folder / "x.tfrecord", rows)


def parquet_floats(folder: Path) -> Path:
    return parquet_of(folder, [1.0, 2.0, 0.25])


def parquet_lists(folder: Path) -> Path:
    return parquet_of(folder, [None, [1], [2, 3]])


def parquet_texts(folder: Path) -> Path:
    return parquet_of(folder, ["cat", "dog", "0.5"])


def csv_fraction(folder: Path) -> Path:
    return csv_of(folder, ["2", "0", "-1.5"])


def csv_among_names(folder: Path) -> Path:
    return csv_of(folder, ["cat", "dog", "3.0"])


def csv_several(folder: Path) -> Path:
    return csv_of(folder, ["2", "", "0 3"])


def cls_fraction(folder: Path) -> Path:
    return tar_with(folder, "cls", ["0.5", "1", "2"])


def cls_several(folder: Path) -> Path:
    return tar_with(folder, "cls", ["1 5", "1", "2"])


def json_several(folder: Path) -> Path:
    return tar_with(folder, "json", ['{"label": [1, 5]}', "{}", "2"])


def json_fraction(folder: Path) -> Path:
    return tar_with(folder, "json", ['{"label": 0.5}', "{}", "2"])


def bare_list(folder: Path) -> Path:
    return tar_with(folder, "json", ["[0, 1]", "{}", "2"])


def tfrecord_several(folder: Path) -> Path:
    return tfrecord_of(folder, [1, [2, 3], 0])


def tfrecord_floats(folder: Path) -> Path:
    return tfrecord_of(folder, [[0.5], [1.0], [2.0]])


@pytest.mark.parametrize(
    ("make", "place", "found"),
    [
        (csv_fraction, r"list\.csv: line 4: label", r"'-1\.5'"),
        (csv_among_names, r"list\.csv: line 4: label", r"'3\.0'"),
        (csv_several, r"list\.csv: line 4: label", "'0 3'"),
        (parquet_floats, r"x\.parquet: row group 1, row 0: label", r"0\.25"),
        (parquet_lists, r"x\.parquet: row group 0, row 1: label", r"\[1\]"),
        (parquet_texts, r"x\.parquet: row group 1, row 0: label", r"'0\.5'"),
        (cls_fraction, r"x\.tar: record 0: label in \.cls", r"'0\.5'"),
        (cls_several, r"x\.tar: record 0: label in \.cls", "'1 5'"),
        (json_several, r"x\.tar: record 0: label in \.json", r"\[1, 5\]"),
        (json_fraction, r"x\.tar: record 0: label in \.json", r"0\.5"),
        (bare_list, r"x\.tar: record 0: label in \.json", r"\[0, 1\]"),
        (tfrecord_several, r"x\.tfrecord: record 1: feature label", r"\[2, 3\]"),
        (tfrecord_floats, r"x\.tfrecord: record 0: feature label", r"0\.5"),
    ],
)
def test_what_is_no_label_is_named_with_its_place_and_the_way_out(
    tmp_path: Path, make: Callable[[Path], Path], place: str, found: str
) -> None:
    source = make(tmp_path / "src")
    message = rf"{place}: expected a number.*, found {found}; {KEPT}"
    with pytest.raises(errors.FormatError, match=message):
        convert(source, tmp_path / "dst")
    if source.suffix == ".tar":
        with pytest.raises(errors.FormatError, match=message):
            index(source)
    # The way out leads out.
    convert(source, tmp_path / "dst", labels_as="target", overwrite=True)
    dataset = Dataset(tmp_path / "dst")
    assert dataset.labels.tolist() == [-1] * 3
    assert len(dataset.columns["target"]) == 3
    if source.suffix == ".tar":
        index(source, tmp_path / "indexed", labels_as="target")
        kept = Dataset(tmp_path / "indexed").columns["target"]
        for ours, theirs in zip(kept, dataset.columns["target"], strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("make", "kind", "expected"),
    [
        (lambda f: csv_of(f, ["0.5", "2", "-1.5"]), "array", [0.5, 2.0, -1.5]),
        (lambda f: csv_of(f, ["3", "2", "-1"]), "array", [3, 2, -1]),
        (lambda f: csv_of(f, ["1 5", "2", ""]), "list", [[1, 5], [2], []]),
        (lambda f: csv_of(f, ["[0.5, 1]", "[]", "[2]"]), "list", [[0.5, 1.0], [], [2.0]]),
        (lambda f: csv_of(f, ["a cat", "3", ""]), "string", ["a cat", "3", ""]),
        (lambda f: parquet_of(f, [[1, 2], None, []]), "list", [[1, 2], [], []]),
        (lambda f: parquet_of(f, [0.25, 1.0, -3.0]), "array", [0.25, 1.0, -3.0]),
        (lambda f: parquet_of(f, [["a", "b"], ["c"], []]), "string", ['["a", "b"]', '["c"]', "[]"]),
        (lambda f: tar_with(f, "cls", ["0.5", "1", "2"]), "array", [0.5, 1.0, 2.0]),
        (lambda f: tar_with(f, "json", ['{"label": [1, 5]}', "[7]", "{}"]), "list", [[1, 5], [7], []]),
        (lambda f: tfrecord_of(f, [[1, 5], [7], []]), "list", [[1, 5], [7], []]),
        (lambda f: tfrecord_of(f, [[0.5], [1.5], [2.0]]), "array", [0.5, 1.5, 2.0]),
    ],
)
def test_values_become_a_column_of_their_kind(
    tmp_path: Path, make: Callable[[Path], Path], kind: str, expected: list[Any]
) -> None:
    convert(make(tmp_path / "src"), tmp_path / "dst", labels_as="target")
    column = Dataset(tmp_path / "dst").columns["target"]
    assert column.kind == kind
    found = [value if isinstance(value, str) else np.asarray(value).tolist() for value in column]
    assert found == expected
    assert [type(v) for v in found] == [type(v) for v in expected]


def test_a_loader_gives_the_values(tmp_path: Path) -> None:
    convert(csv_of(tmp_path / "src", ["0.5", "2", "-1.5"]), tmp_path / "dst", labels_as="score")
    loader = Loader(tmp_path / "dst", 3, [transforms.CenterCrop(32)], columns=("label", "score"))
    ((labels, scores),) = loader
    assert labels.tolist() == [-1, -1, -1]
    assert scores.tolist() == [0.5, 2.0, -1.5]


def test_every_split_gets_a_column_of_the_same_kind(tmp_path: Path) -> None:
    folder = write_tree(tmp_path / "src", {f"{i}.jpg": JPEGS[i] for i in range(3)})
    rows = 'path,label,split\n0.jpg,"1,5",train\n1.jpg,2,val\n2.jpg,3,val\n'
    (folder / "list.csv").write_text(rows)
    convert(folder / "list.csv", tmp_path / "dst", labels_as="several")
    columns = [Dataset(tmp_path / "dst" / split).columns["several"] for split in ("train", "val")]
    assert [[v.tolist() for v in column] for column in columns] == [[[1, 5]], [[2], [3]]]


def test_values_follow_their_records_in_any_order_and_without_bad_ones(tmp_path: Path) -> None:
    source = csv_of(tmp_path / "src", ["0.5", "1.5", "2.5", "3.5"])
    (tmp_path / "src/1.jpg").write_bytes(b"no image")
    options: dict[str, Any] = {"labels_as": "score", "on_bad": "skip", "shard_size": "2", "shuffle": 3}
    convert(source, tmp_path / "dst", **options)
    dataset = Dataset(tmp_path / "dst")
    assert {record.key: float(dataset.columns["score"][i]) for i, record in enumerate(dataset)} == {
        "0": 0.5,
        "2": 2.5,
        "3": 3.5,
    }
    assert convert(source, tmp_path / "dst", **options).already_complete
    with pytest.raises(errors.ArgumentError, match="labels_as 'score' there, 'other' here"):
        convert(source, tmp_path / "dst", **{**options, "labels_as": "other"})


class StoppedError(Exception):
    """What the test interrupts a conversion with."""


def test_values_survive_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = csv_of(tmp_path / "src", ["0.5", "1 5", "", "3.5"])
    options: dict[str, Any] = {"labels_as": "scores", "shard_size": "1", "workers": 1}
    convert(source, tmp_path / "whole", **options)
    from fastinet.conversion import conversion_job

    for place in ("files_of", "manifest.encode"):
        with monkeypatch.context() as patch:

            def stop(*_: object) -> None:
                raise StoppedError

            patch.setattr(f"{conversion_job.__name__}.{place}", stop)
            with pytest.raises(StoppedError):
                convert(source, tmp_path / "dst", **options)
        assert not (tmp_path / "dst/train/dataset.json").exists()
    report = convert(source, tmp_path / "dst", **options)
    assert report.fresh_records == 0
    assert snapshot(tmp_path / "dst") == snapshot(tmp_path / "whole")


def test_a_dataset_that_is_replaced_leaves_no_column_behind(tmp_path: Path) -> None:
    source = csv_of(tmp_path / "src", ["0", "1", "1"])
    convert(source, tmp_path / "dst", labels_as="target")
    convert(source, tmp_path / "dst", overwrite=True)
    assert Dataset(tmp_path / "dst").labels.tolist() == [0, 1, 1]
    assert not Dataset(tmp_path / "dst").columns
    assert not list((tmp_path / "dst").rglob("column*"))


def test_names_of_columns_and_sources_without_values_are_refused_at_once(tmp_path: Path) -> None:
    source = csv_of(tmp_path / "src", ["0", "1"])
    for name in ("label", "Upper", ""):
        with pytest.raises(errors.ArgumentError, match=r"a column's name is 1 to 64 lower-case letters"):
            convert(source, tmp_path / "dst", labels_as=name)
    write_tree(tmp_path / "tree", {"a/1.jpg": JPEGS[0]})
    with pytest.raises(
        errors.ArgumentError, match=r"chosen of webdataset, parquet, arrow, csv, tfrecord, not of imagefolder"
    ):
        convert(tmp_path / "tree", tmp_path / "dst", labels_as="target")
    with pytest.raises(errors.ArgumentError, match="image_field: expected names of fields"):
        convert(source, tmp_path / "dst", image_field=[""])
    assert not (tmp_path / "dst").exists()


def test_columns_of_other_names_are_chosen_and_what_is_there_is_named(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [{"bytes": data, "path": None} for data in JPEGS[:3]]
    pq.write_table(
        pa.table({"picture": rows, "coarse": [1, 0, 1], "fine": [5, 3, 4]}), tmp_path / "x.parquet"
    )
    message = (
        r"found picture \(struct.*\), coarse \(int64\), fine \(int64\); choose with --image-column NAME and "
        "--label-column NAME"
    )
    with pytest.raises(errors.FormatError, match=message):
        convert(tmp_path / "x.parquet", tmp_path / "dst")
    options = ["--image-column", "picture", "--label-column", "fine"]
    result = CliRunner().invoke(
        cli, ["convert", str(tmp_path / "x.parquet"), str(tmp_path / "dst"), *options]
    )
    assert result.exit_code == 0, result.output
    assert Dataset(tmp_path / "dst").labels.tolist() == [5, 3, 4]
    write_tree(tmp_path / "l", {f"{i}.jpg": JPEGS[i] for i in range(2)})
    (tmp_path / "l/list.csv").write_text("where,width,breed\n0.jpg,64,pug\n1.jpg,64,tabby\n")
    message = r"expected columns for the image's path and the label, found: where, width, breed; choose with"
    with pytest.raises(errors.ArgumentError, match=message):
        convert(tmp_path / "l/list.csv", tmp_path / "dst2")
    with pytest.raises(
        errors.ArgumentError, match=r"expected a column kind for the label, found: where, width"
    ):
        convert(tmp_path / "l/list.csv", tmp_path / "dst2", image_field="where", label_field="kind")
    convert(tmp_path / "l/list.csv", tmp_path / "dst2", image_field="where", label_field=("kind", "breed"))
    assert [c.name for c in Dataset(tmp_path / "dst2").classes] == ["pug", "tabby"]


def test_features_of_other_names_are_chosen(tmp_path: Path) -> None:
    rows = [
        {"pic": JPEGS[i], "label": 9, "coarse": i % 2, "file_name": f"n0144076{i}_1.JPEG"} for i in range(3)
    ]
    write_records(tmp_path / "x.tfrecord", rows)
    message = (
        "expected a feature image or image/encoded, found: coarse, file_name, label, pic; choose with "
        "--image-field NAME"
    )
    with pytest.raises(errors.ArgumentError, match=message):
        convert(tmp_path / "x.tfrecord", tmp_path / "dst")
    convert(tmp_path / "x.tfrecord", tmp_path / "dst", image_field="pic", label_field="coarse")
    assert Dataset(tmp_path / "dst").labels.tolist() == [0, 1, 0]
    assert [c.name for c in Dataset(tmp_path / "dst").classes] == ["0", "1"]


def test_names_of_a_lists_elements_are_the_classes(tmp_path: Path) -> None:
    told = {"feature": {"names": ["cat", "dog"], "_type": "ClassLabel"}, "_type": "List"}
    convert(parquet_of(tmp_path / "src", [[0, 1], [1]], label=told), tmp_path / "dst", labels_as="several")
    assert [c.name for c in Dataset(tmp_path / "dst").classes] == ["cat", "dog"]


def test_numbers_beside_gaps_are_labels_where_all_are_whole(tmp_path: Path) -> None:
    for name, source in (
        ("csv", csv_of(tmp_path / "a", ["3.0", "", "0.0"])),
        ("parquet", parquet_of(tmp_path / "b", [3.0, None, 0.0])),
        ("nan", parquet_of(tmp_path / "c", [3.0, float("nan"), 0.0])),
    ):
        convert(source, tmp_path / name)
        assert Dataset(tmp_path / name).labels.tolist() == [3, -1, 0]
        assert len(Dataset(tmp_path / name).classes) == 4


def test_a_tables_images_alone_have_no_labels(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"image": JPEGS[:2]}), tmp_path / "x.parquet")
    convert(tmp_path / "x.parquet", tmp_path / "dst")
    assert Dataset(tmp_path / "dst").labels.tolist() == [-1, -1]


@given(
    st.lists(
        st.lists(st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False)), min_size=1
    )
)
def test_lists_of_numbers_come_back_as_text_and_as_they_are(rows: list[list[float]]) -> None:
    fraction = any(isinstance(number, float) for row in rows for number in row)
    for column in (packed({"a": rows})["a"], packed({"a": [json.dumps(row) for row in rows]})["a"]):
        assert column.kind == "list"
        assert column.offsets is not None
        assert column.flat.dtype == (np.float64 if fraction else np.int64)
        found = [column.flat[a:b].tolist() for a, b in zip(column.offsets, column.offsets[1:], strict=False)]
        assert found == [[float(n) if fraction else n for n in row] for row in rows]
