"""Export: the way back to files."""

from __future__ import annotations

from pathlib import Path

import pytest
from folders import members, small_jpeg, snapshot, write_tree

from fastinet import convert, errors, export


@pytest.fixture
def source(tmp_path: Path) -> Path:
    names = ("a/1.JPEG", "a/x.y.jpg", "a/i.jpg", "a/i.png", "b/sub.d/%.jpeg", "b/\u00e9.JPEG")
    return write_tree(tmp_path / "src", {f"train/{n}": small_jpeg(i) for i, n in enumerate(names)})


def test_an_exported_imagefolder_is_its_source_in_every_name_and_byte(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "data", shard_size="4")
    assert export(tmp_path / "data", tmp_path / "back") == 6
    assert snapshot(tmp_path / "back") == snapshot(source)


def test_exported_webdataset_tars_are_the_shards(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "data", shard_size="4")
    assert export(tmp_path / "data", tmp_path / "back", to="webdataset") == 6
    tars = (sorted(p.glob("*.tar")) for p in (tmp_path / "back", tmp_path / "data" / "train"))
    exported, shards = (members(*paths) for paths in tars)
    assert exported == shards
    assert (tmp_path / "back" / "train-classnames.txt").read_text() == "a\nb\n"


def test_export_overwrites_nothing_and_leaves_nothing_of_a_failure(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "data")
    with pytest.raises(errors.ArgumentError, match="exists; export to a new or empty folder"):
        export(tmp_path / "data", source)
    tar = tmp_path / "data" / "train" / "train-000000.tar"
    data = bytearray(tar.read_bytes())
    data[600] ^= 1
    tar.write_bytes(data)
    for to in ("imagefolder", "webdataset"):
        with pytest.raises(errors.ChecksumError):
            export(tmp_path / "data", tmp_path / "back", to=to)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "src"]
