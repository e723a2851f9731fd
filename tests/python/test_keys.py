"""Keys of records, and the splits that file names tell."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastinet.conversion.sources.split_files import choose_split, split_of
from fastinet.errors import ArgumentError, MissingFileError
from fastinet.format.keys import Distinct, KeyMaker, inside, kept_key


@given(st.lists(st.sampled_from(["a", "a~2", "a~3", "b", "é", "%2E"]), max_size=40))
def test_names_are_numbered_as_a_plain_set_would(names: list[str]) -> None:
    taken: set[str] = set()
    distinct = Distinct()
    for name in names:
        expected = next(c for c in (name, *(f"{name}~{i}" for i in range(2, 99))) if c not in taken)
        taken.add(expected)
        assert distinct(name) == expected


def test_many_names_are_told_apart_in_little_memory() -> None:
    distinct = Distinct()
    assert all(distinct(f"n{i:08d}") == f"n{i:08d}" for i in range(20_000))
    assert distinct("n00000007") == "n00000007~2"
    assert len(distinct._slots) * distinct._slots.itemsize <= 32 * 20_001


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b.jpg", "a/b.jpg"),
        ("./a//b", "a/b"),
        ("/abs/x", "abs/x"),
        ("../../x", "x"),
        ("a/../../x", "x"),
        ("..", ""),
        (".", ""),
        ("", ""),
        ("//x", "x"),
    ],
)
def test_paths_never_lead_out(path: str, expected: str) -> None:
    assert inside(path) == expected


def test_names_without_extension_are_keys_of_their_own() -> None:
    make_key = KeyMaker(()).for_folder("")
    names = ("x", "y", "a/z", ".hidden", "x.jpg")
    assert [make_key(name) for name in names] == ["x", "y", "a/z", "%2E", "x~2"]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a%20b", "a%20b"),
        ("./d.d/k", "d.d/k"),
        ("tab\tkey", "tab%09key"),
        ("\udcff", "%FF"),
        ("..", "%2E"),
    ],
)
def test_keys_of_tars_change_only_where_they_must(key: str, expected: str) -> None:
    assert kept_key(key) == expected


@pytest.mark.parametrize(
    ("file", "split"),
    [
        ("train-00000-of-00294.parquet", "train"),
        ("train-00000-of-00294-9f51dae4d5a3f6c1.parquet", "train"),
        ("imagenet2012-validation.tfrecord-00000-of-00064", "validation"),
        ("imagenet2012_real-validation.tfrecord-00000-of-00004", "validation"),
        ("my_split-00000-of-00001.parquet", "my_split"),
        ("train-00000-of-01024", "train"),
        ("train-000000.tar", "train"),
        ("imagenet1k-validation-00.tar", "validation"),
        ("imagenet_val_000.tar.gz", "val"),
        ("test/00000.tar", "test"),
        ("train/0000.parquet", "train"),
        ("00000.tar", "default"),
        ("training-0.tar", "default"),
    ],
)
def test_names_and_folders_tell_splits(file: str, split: str) -> None:
    assert split_of(Path("/data") / file, "default") == split


def test_sets_of_numbered_files_have_to_be_whole(tmp_path: Path) -> None:
    def files(*names: str) -> list[Path]:
        return [tmp_path / name for name in names]

    whole = files(*(f"train-{i:05d}-of-00003" for i in range(3)), "val-00000-of-00001")
    assert list(choose_split(whole, tmp_path, None)) == ["train", "val"]
    assert choose_split(whole, tmp_path, "val") == {"val": whole[3:]}
    message = r"train-00001-of-00003: missing: expected 3 files of the split train, found 2; to convert"
    with pytest.raises(MissingFileError, match=message):
        choose_split([whole[0], whole[2]], tmp_path, None)
    with pytest.raises(MissingFileError, match=r"x-00000-of-99999999999: missing"):
        choose_split(files("x-00001-of-99999999999"), tmp_path, None)
    with pytest.raises(
        ArgumentError, match=r"more than one set of files: .*/a-train-\*-of-1 and .*/b-train-"
    ):
        choose_split(files("a-train-0-of-1", "b-train-0-of-1"), tmp_path, None)
    with pytest.raises(ArgumentError, match="letters, digits and underscores, not 'a-b'"):
        choose_split(whole, tmp_path, "a-b")
