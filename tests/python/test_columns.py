"""Columns attached to a dataset after its conversion."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import images
import numpy as np
import pytest
from click.testing import CliRunner
from folders import small_jpeg, snapshot, write_tree

from fastinet import Dataset, Loader, convert, errors
from fastinet.cli import cli
from fastinet.format import columns
from fastinet.transforms import Resize

NAMES = ("d", "b", "e", "a", "c")  # of files, in the dataset's order; classes n1 and n2
REAL = images.SHARED / "imagenet-meta" / "imagenet_real_labels.json"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("columns")
    files = {f"n1/{n}.JPEG": small_jpeg(i) for i, n in enumerate("bd")}
    files |= {f"n2/{n}.JPEG": small_jpeg(9 + i) for i, n in enumerate("ace")}
    write_tree(root / "src", files)
    convert(root / "src", root / "out", shard_size="2", shuffle=3)
    return root / "out" / "train"


@pytest.fixture
def dataset(made: Path, tmp_path: Path) -> Dataset:
    import shutil

    return Dataset(shutil.copytree(made, tmp_path / "train"))


def names_of(dataset: Dataset) -> list[str]:
    return [key.rpartition("/")[2] for key in dataset.keys]


def test_an_array_is_attached_without_touching_what_is_there(dataset: Dataset) -> None:
    before = snapshot(dataset.path)
    values = np.arange(10, dtype=np.float32).reshape(5, 2)
    dataset.attach("score", values, order="records")
    after = snapshot(dataset.path)
    assert {name: after[name] for name in before} == before
    np.testing.assert_array_equal(Dataset(dataset.path).columns["score"][:], values)
    assert dataset.columns["score"][-1].tolist() == [8, 9]


def test_values_without_keys_need_an_order_and_names_sorts_them_by_file(dataset: Dataset) -> None:
    with pytest.raises(errors.ArgumentError, match="has no keys: say order='records'"):
        dataset.attach("value", [1, 2, 3, 4, 5])
    dataset.attach("value", [1, 2, 3, 4, 5], order="names")
    assert dataset.columns["value"][:].tolist() == ["abcde".index(n) + 1 for n in names_of(dataset)]


FORMATS: dict[str, Callable[[Path, list[str]], dict[str, Any]]] = {
    "csv": lambda p, keys: {
        "text": "ImageId,value,more\n" + "".join(f"{k}.JPEG,{ord(k)},x\n" for k in keys),
        "column": "value",
    },
    "tsv": lambda p, keys: {"text": "id\tvalue\n" + "".join(f"{k}\t{ord(k)}\n" for k in keys), "key": "id"},
    "json": lambda p, keys: {"text": json.dumps({k: ord(k) for k in keys})},
}


@pytest.mark.parametrize("suffix", FORMATS)
def test_tables_are_matched_by_key_whatever_their_order(
    dataset: Dataset, tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / f"values.{suffix}"
    options = FORMATS[suffix](file, list("ceabd"))
    file.write_text(options.pop("text"))
    dataset.attach("value", file, **options)
    assert dataset.columns["value"][:].tolist() == [ord(n) for n in names_of(dataset)]


def test_a_parquet_table_and_an_npy_file_are_read(dataset: Dataset, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.arange(5) * 2)
    dataset.attach("evens", tmp_path / "v.npy", order="records")
    assert dataset.columns["evens"][:].tolist() == [0, 2, 4, 6, 8]
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"key": list(dataset.keys), "words": [f"é {k}" for k in dataset.keys]})
    parquet.write_table(table, tmp_path / "v.parquet")
    dataset.attach("words", tmp_path / "v.parquet")
    assert dataset.columns["words"].kind == "string"
    assert dataset.columns["words"][:] == [f"é {k}" for k in dataset.keys]


def test_lists_of_any_length_come_back_as_arrays(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("[[], [970, 795], [1], [], [2, 3, 4]]")
    dataset.attach("real", tmp_path / "real.json", order="records")
    assert [row.tolist() for row in dataset.columns["real"][:]] == [[], [970, 795], [1], [], [2, 3, 4]]
    assert dataset.columns["real"][1].dtype == np.int64


def test_a_loader_gives_attached_columns_for_the_records_of_each_batch(dataset: Dataset) -> None:
    dataset.attach("square", np.arange(5) ** 2, order="records")
    dataset.attach("name", names_of(dataset), order="records")
    dataset.attach("some", [[i] * i for i in range(5)], order="records")
    loader = Loader(
        dataset.path, 2, Resize((8, 8)), shuffle=True, columns=("index", "square", "name", "some")
    )
    for index, square, name, some in loader:
        assert square.tolist() == (index**2).tolist()
        assert name == [names_of(dataset)[i] for i in index]
        assert [row.tolist() for row in some] == [[i] * i for i in index.tolist()]
    with pytest.raises(errors.ArgumentError, match=r"expected some of .*square.*, found 'cube'"):
        Loader(dataset.path, 2, Resize((8, 8)), columns=("cube",))


def test_blacklisted_images_are_flagged_by_their_numbers(dataset: Dataset, tmp_path: Path) -> None:
    blacklist = tmp_path / "ILSVRC2014_clsloc_validation_blacklist.txt"
    blacklist.write_text("2\n5\n")
    dataset.attach("blacklisted", blacklist, order="names", flags=True)
    assert dataset.columns["blacklisted"][:].tolist() == [n in "be" for n in names_of(dataset)]
    blacklist.write_text("6\n")
    with pytest.raises(errors.ArgumentError, match="record 6, counted from 1, of 5"):
        dataset.attach("more", blacklist, order="names", flags=True)


def test_a_blacklist_flags_validation_images_by_the_numbers_in_their_names(tmp_path: Path) -> None:
    numbers = (7, 50_000, 3, 12, 9)
    files = {f"n1/ILSVRC2012_val_{i:08d}.JPEG": small_jpeg(i) for i in numbers}
    write_tree(tmp_path / "src", {**files, "n1/ILSVRC2012_val_00000001.JPEG": b""})
    convert(tmp_path / "src", tmp_path / "out", shuffle=1, on_bad="skip")
    blacklist = tmp_path / "ILSVRC2014_clsloc_validation_blacklist.txt"
    blacklist.write_text("1\n9\n12\n36\n50000\n")
    run = CliRunner().invoke(
        cli, ["attach", str(tmp_path / "out"), "blacklisted", str(blacklist), "--order", "names", "--flags"]
    )
    assert run.exit_code == 0, run.output
    dataset = Dataset(tmp_path / "out")
    flagged = {
        key[-5:] for key, flag in zip(dataset.keys, dataset.columns["blacklisted"][:], strict=True) if flag
    }
    assert flagged == {"00009", "00012", "50000"}
    loader = Loader(tmp_path / "out" / "train", 8, Resize((8, 8)), columns=("blacklisted",))
    assert next(iter(loader))[0].sum() == 3
    blacklist.write_text("50001\n")
    with pytest.raises(errors.ArgumentError, match="record 50001, counted from 1, of 5"):
        dataset.attach("more", blacklist, order="names", flags=True)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ([1, 2], {"order": "records"}, "column v: expected 5 values, one a record, found 2"),
        ({"a": 1}, {}, r"no value for 4 of 5 records \(n\d/\w, n\d/\w, n\d/\w, \.\.\.\); missing="),
        (dict.fromkeys("abcdefg", 1), {}, r"2 keys are not of this dataset \(f, g\)"),
        ({"a": 1, "a.JPEG": 2}, {}, r"1 keys are repeated \(a.JPEG\)"),
        ([1, "x", None, 2, 3], {"order": "records"}, "expected numbers, strings, or a list of numbers"),
        (np.array([1j] * 5), {"order": "records"}, "expected numbers"),
        ("nothing.npy", {}, "nothing.npy: file does not exist"),
    ],
)
def test_values_that_do_not_fit_the_records_are_refused(
    dataset: Dataset, source: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(errors.FastinetError, match=message):
        dataset.attach("v", source, **options)
    assert not dataset.columns


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("v.csv", "key,v\na,1\nb\n", "line 3: expected 2 values, found 1"),
        ("v.csv", "key,v,w\na,1,2\n", "choose the column to attach: v, w"),
        ("v.csv", "", "empty; expected a line of column names"),
        ("v.csv", "key,key\na,1\n", "two columns have the same name"),
        ("v.json", "{", "not a valid .json file"),
        ("v.json", "3", "neither a list nor an object"),
        ("v.npy", "no", "not a valid .npy file"),
        ("v.xlsx", "", "expected .npy, .json, .csv, .tsv, .txt or .parquet"),
    ],
)
def test_a_damaged_file_of_values_is_named(
    dataset: Dataset, tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(errors.FastinetError, match=message) as error:
        dataset.attach("v", tmp_path / name, order="records")
    assert error.value.path == str(tmp_path / name)


@pytest.mark.parametrize("name", ["label", "", "Upper", "a-b", "../x", "1st"])
def test_a_name_that_a_column_may_not_have_is_refused(dataset: Dataset, name: str) -> None:
    with pytest.raises(errors.ArgumentError, match="a column's name is 1 to 64 lower-case letters"):
        dataset.attach(name, np.zeros(5), order="records")


def test_missing_values_replacing_and_detaching(dataset: Dataset) -> None:
    dataset.attach("v", {"a": 7}, missing=-1)
    assert dataset.columns["v"][:].tolist() == [7 if n == "a" else -1 for n in names_of(dataset)]
    with pytest.raises(errors.ArgumentError, match="has a column 'v' already"):
        dataset.attach("v", np.ones(5), order="records")
    dataset.attach("v", np.ones(5), order="records", replace=True)
    assert dataset.columns["v"][:].tolist() == [1] * 5
    assert len(list(dataset.path.glob("column-*"))) == 1
    dataset.detach("v")
    assert not dataset.columns
    assert not list(dataset.path.glob("column-*"))
    with pytest.raises(errors.ArgumentError, match="no column 'v'"):
        dataset.detach("v")


def test_a_crash_before_the_list_is_replaced_leaves_the_old_columns(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset.attach("v", np.zeros(5), order="records")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(columns, "_write_list", crash)
        with pytest.raises(KeyboardInterrupt):
            dataset.attach("v", np.ones(5), order="records", replace=True)
    assert Dataset(dataset.path).columns["v"][:].tolist() == [0] * 5
    dataset.attach("v", np.ones(5), order="records", replace=True)
    assert Dataset(dataset.path).columns["v"][:].tolist() == [1] * 5


def test_damage_to_a_column_or_to_the_list_is_found(dataset: Dataset) -> None:
    dataset.attach("v", np.zeros(5), order="records")
    (file,) = dataset.path.glob("column-v-*.npy")
    good = file.read_bytes()
    file.write_bytes(good[:-1] + b"\1")
    with pytest.raises(errors.ChecksumError, match=r"column-v-values-.*: column is damaged"):
        _ = Dataset(dataset.path).columns
    file.write_bytes(good[:-9])
    with pytest.raises(errors.ChecksumError, match="column is damaged"):
        _ = Dataset(dataset.path).columns
    file.unlink()
    with pytest.raises(errors.MissingFileError, match="file of column v is missing"):
        _ = Dataset(dataset.path).columns
    listed = dataset.path / columns.FILE_NAME
    listed.write_text(listed.read_text().replace('"array"', '"lists"'))
    with pytest.raises(errors.ChecksumError, match=r"columns\.json: damaged"):
        _ = Dataset(dataset.path).columns
    listed.write_text("[]")
    with pytest.raises(errors.FormatError, match="the top level: expected an object"):
        _ = Dataset(dataset.path).columns


def test_columns_of_another_conversion_never_meet_these_records(dataset: Dataset, tmp_path: Path) -> None:
    write_tree(tmp_path / "src", {f"n1/{n}.JPEG": small_jpeg(50 + i) for i, n in enumerate("abcde")})
    convert(tmp_path / "src", tmp_path / "other")
    dataset.attach("v", np.zeros(5), order="records")
    for file in (*dataset.path.glob("column*"),):
        (tmp_path / "other" / "train" / file.name).write_bytes(file.read_bytes())
    with pytest.raises(errors.FormatError, match=r"attached to other shards than dataset\.json lists"):
        _ = Dataset(tmp_path / "other").columns


def test_the_command_line_attaches_and_removes(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("key,v\na,1\nb,2\n")
    run = CliRunner().invoke(
        cli, ["attach", str(dataset.path), "v", str(tmp_path / "v.csv"), "--missing", "0"]
    )
    assert run.exit_code == 0, run.output
    assert "column v for 5 records (array)" in run.output.replace("\n", " ")
    assert sorted(Dataset(dataset.path).columns["v"][:].tolist()) == [0, 0, 0, 1, 2]
    assert CliRunner().invoke(cli, ["attach", str(dataset.path), "v", "--remove"]).exit_code == 0
    assert not Dataset(dataset.path).columns
    assert CliRunner().invoke(cli, ["attach", str(dataset.path), "v"]).exit_code == 2


@pytest.mark.skipif(not REAL.is_file(), reason="the real ReaL labels are not here")
def test_real_labels_of_imagenet_are_a_column_in_the_order_of_names(dataset: Dataset, tmp_path: Path) -> None:
    told = json.loads(REAL.read_text())[:5]
    (tmp_path / "real.json").write_text(json.dumps(told))
    dataset.attach("real", tmp_path / "real.json", order="names")
    found = {n: row.tolist() for n, row in zip(names_of(dataset), dataset.columns["real"][:], strict=True)}
    assert [found[n] for n in "abcde"] == told
