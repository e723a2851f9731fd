"""Merging datasets: one manifest over shards that stay where they are, with classes merged by name."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from archives import tar_of, write
from folders import small_jpeg
from splits import jpeg_items, write_split

import fastinet
from fastinet import Dataset, Loader, cli, errors, transforms
from fastinet.conversion.index import index
from fastinet.format import manifest
from fastinet.format.manifest import ClassInfo


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def parts(tmp_path: Path) -> tuple[Path, Path]:
    """Two splits: classes cat, dog, owl and dog, elk, cat."""
    first = write_split(tmp_path / "a", jpeg_items(9, 1, 3), 4, ("cat", "dog", "owl"))
    items = [(f"b/{key}", data, label) for key, data, label in jpeg_items(6, 2, 3)]
    second = write_split(tmp_path / "b", items, 4, ("dog", "elk", "cat"))
    return first, second


def test_classes_are_merged_by_name_and_labels_follow(parts: tuple[Path, Path], tmp_path: Path) -> None:
    before = [contents(part) for part in parts]
    report = fastinet.merge(parts, tmp_path / "c")
    assert (report.records, report.shards, report.classes) == (15, 5, 4)
    merged = Dataset(tmp_path / "c")
    assert [c.name for c in merged.classes] == ["cat", "dog", "owl", "elk"]
    wanted = [0, 1, 2] * 3 + [1, 3, 0] * 2
    assert merged.labels.tolist() == wanted
    assert merged.core.labels(0, 15).tolist() == wanted  # from the sidecars, without the file of labels
    assert merged.core.facts(0, 15)["label"].tolist() == wanted
    assert [record.label for record in merged] == wanted
    names = [d.classes[r.label].name for d in map(Dataset, parts) for r in d]
    assert [merged.classes[r.label].name for r in merged] == names
    assert list(merged.keys) == [key for part in parts for key in Dataset(part).keys]
    assert merged.class_counts.tolist() == [5, 5, 3, 2]
    assert merged.select("=dog").indices.tolist() == [1, 4, 7, 9, 12]
    assert [contents(part) for part in parts] == before


def test_a_loader_gives_the_merged_labels(parts: tuple[Path, Path], tmp_path: Path) -> None:
    fastinet.merge(parts, tmp_path / "c")
    loader = Loader(
        tmp_path / "c",
        4,
        [transforms.Resize(8), transforms.CenterCrop(8)],
        columns=("image", "label", "index"),
        shuffle=True,
    )
    wanted = [0, 1, 2] * 3 + [1, 3, 0] * 2
    labels = {int(i): int(label) for batch in loader for label, i in zip(batch[1], batch[2], strict=True)}
    assert labels == dict(enumerate(wanted))


def test_a_merged_dataset_verifies_and_exports(parts: tuple[Path, Path], tmp_path: Path) -> None:
    fastinet.merge(parts, tmp_path / "c")
    report = fastinet.verify(tmp_path / "c")
    assert [str(problem) for problem in report.problems] == []
    fastinet.export(tmp_path / "c", tmp_path / "back", to="webdataset")
    index(tmp_path / "back")
    assert Dataset(tmp_path / "back").labels.tolist() == [0, 1, 2] * 3 + [1, 3, 0] * 2


def test_labels_and_boxes_of_indexed_tars_are_checked_through_the_map(tmp_path: Path) -> None:
    box = b'{"boxes": {"width": 60, "height": 50, "rows": [[1, 1, 2, 5, 6, 0]]}}'
    write(tmp_path / "a", {"x.tar": tar_of({"1.jpg": small_jpeg(1), "1.cls": b"1", "1.json": box})})
    write(tmp_path / "b", {"y.tar": tar_of({"2.jpg": small_jpeg(2), "2.cls": b"1", "2.json": box})})
    index(tmp_path / "a", classes=["p", "q"])
    index(tmp_path / "b", classes=["q", "r"])
    fastinet.merge([tmp_path / "a", tmp_path / "b"], tmp_path)  # a folder that contains the sources
    merged = Dataset(tmp_path)
    assert [s.path for s in merged.manifest.shards] == ["a/x.tar", "b/y.tar"]
    assert [record.boxes[0][0] for record in merged] == [1, 2]
    assert merged.core.boxes(0, 2)[2][:, 0].tolist() == [1, 2]
    assert [str(problem) for problem in fastinet.verify(tmp_path).problems] == []
    moved = shutil.move(tmp_path, tmp_path.parent / "moved")
    assert Dataset(moved).labels.tolist() == [1, 2]


def test_merging_again_composes_the_maps(parts: tuple[Path, Path], tmp_path: Path) -> None:
    fastinet.merge(parts, tmp_path / "c")
    other = write_split(tmp_path / "d", [("z", small_jpeg(5), 0)], classes=("elk",))
    fastinet.merge([other, tmp_path / "c"], tmp_path / "e")
    merged = Dataset(tmp_path / "e")
    assert [c.name for c in merged.classes] == ["elk", "cat", "dog", "owl"]
    names = ["elk"] + ["cat", "dog", "owl"] * 3 + ["dog", "elk", "cat"] * 2
    assert [merged.classes[label].name for label in merged.labels] == names
    assert merged.core.labels(0, 16).tolist() == merged.labels.tolist()
    assert [s.shards for s in merged.manifest.sources] == [1, 3, 2]


def test_hierarchies_synsets_counts_and_columns_are_merged(parts: tuple[Path, Path], tmp_path: Path) -> None:
    for part, edge in zip(parts, (("animal", "cat"), ("animal", "elk")), strict=True):
        old = manifest.read(part)
        synsets = (ClassInfo("animal", ("beast",)),) if edge[1] == "cat" else ()
        classes = tuple(replace(c, count=len(Dataset(part)) // 3) for c in old.classes)
        manifest.write(part, replace(old, hierarchy=(edge,), synsets=synsets, classes=classes))
        Dataset(part).attach("both", np.arange(len(Dataset(part))), order="records")
        Dataset(part).attach("text", [f"{part.name}{i}" for i in range(len(Dataset(part)))], order="records")
    Dataset(parts[0]).attach("one", np.zeros(9), order="records")
    report = fastinet.merge(parts, tmp_path / "c")
    assert (report.columns, report.left_out) == (("both", "text"), ("one",))
    merged = Dataset(tmp_path / "c")
    assert merged.hierarchy.children("animal") == ("cat", "elk")
    assert [c.words for c in merged.manifest.synsets] == [("beast",)]
    assert [c.count for c in merged.classes] == [5, 5, 3, 2]
    assert merged.columns["both"][:].tolist() == [*range(9), *range(6)]
    assert merged.columns["text"][9] == "b0"
    assert [str(problem) for problem in fastinet.verify(tmp_path / "c").problems] == []


def test_what_cannot_be_merged_is_refused(parts: tuple[Path, Path], tmp_path: Path) -> None:
    a, b = parts
    for sources, dst, message in [
        ([a], "c", "merge needs at least two datasets, found 1"),
        ([a, a], "c", "two of the datasets have this shard"),
        ([a, b], "a", "holds a dataset.json already; choose another folder"),
    ]:
        with pytest.raises(errors.ArgumentError, match=message):
            fastinet.merge(sources, tmp_path / dst)
    for part, edge in zip(parts, (("cat", "dog"), ("dog", "cat")), strict=True):
        manifest.write(part, replace(manifest.read(part), hierarchy=(edge,)))
    with pytest.raises(errors.FormatError, match="form a cycle"):
        fastinet.merge(parts, tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_key_of_two_sources_is_refused_only_where_fastinet_wrote_both(tmp_path: Path) -> None:
    parts = [
        write_split(tmp_path / name, [("k", small_jpeg(i), 0)], created_by={"plan": "0"})
        for i, name in enumerate("ab")
    ]
    with pytest.raises(
        errors.ArgumentError, match="key k: expected one that no other dataset has, found that"
    ):
        fastinet.merge(parts, tmp_path / "c")
    manifest.write(parts[1], replace(manifest.read(parts[1]), created_by={}))
    fastinet.merge(parts, tmp_path / "c")
    assert [str(problem) for problem in fastinet.verify(tmp_path / "c").problems] == []


def test_a_label_that_the_map_lacks_is_an_error_of_the_shard(
    parts: tuple[Path, Path], tmp_path: Path
) -> None:
    fastinet.merge(parts, tmp_path / "c")
    old = manifest.read(tmp_path / "c")
    manifest.write(tmp_path / "c", replace(old, label_maps=((1, 3),), labels=None))
    merged = Dataset(tmp_path / "c")
    message = r"b-000000\.idx: label is not in the label map .*: expected -1 to 1, found 2"
    for read in (lambda: merged[11].label, lambda: merged.labels):
        with pytest.raises(errors.FormatError, match=message):
            read()


def test_the_command_line_merges(
    parts: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.cli.main(
        ["merge", *map(str, parts), "-o", str(tmp_path / "c"), "--split", "all"], standalone_mode=False
    )
    assert capsys.readouterr().out == f"{tmp_path / 'c'}: 15 records in 5 shards, 4 classes\n"
    assert Dataset(tmp_path / "c").split == "all"
