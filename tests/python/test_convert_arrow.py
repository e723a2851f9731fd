"""Folders that Hugging Face datasets saved with ``save_to_disk``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from folders import small_jpeg

from fastinet import Dataset, convert, errors

pa = pytest.importorskip("pyarrow")


def save(
    folder: Path, labels: Sequence[Any], names: list[str] | None = None, split: str = "train"
) -> list[bytes]:
    """As ``Dataset.save_to_disk`` writes a dataset, in two files, with two rows a record batch."""
    folder.mkdir(parents=True, exist_ok=True)
    images = [small_jpeg(i) for i in range(len(labels))]
    rows = [{"bytes": data, "path": f"cat.{i}.JPEG" if i else None} for i, data in enumerate(images)]
    table = pa.table({"image": rows, "label": pa.array(labels)})
    if names is not None:
        features = {"label": {"names": names, "_type": "ClassLabel"}, "image": {"_type": "Image"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    half = (len(labels) + 1) // 2
    files = ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"]
    for name, part in zip(files, (table.slice(0, half), table.slice(half)), strict=True):
        with pa.ipc.new_stream(str(folder / name), table.schema) as stream:
            stream.write_table(part, max_chunksize=2)
    state = {"_data_files": [{"filename": name} for name in files], "_split": split, "_fingerprint": "0"}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text("{}")
    return images


def records(path: Path) -> list[tuple[str, int, bytes]]:
    return [(r.key, r.label, bytes(r.payload)) for r in Dataset(path)]


def test_a_saved_dataset_is_recognised_with_its_class_names(tmp_path: Path) -> None:
    images = save(tmp_path / "src", [1, 0, -1, 1, 0], ["cat", "dog"], split="validation")
    report = convert(tmp_path / "src", tmp_path / "dst")
    assert list(report.splits) == ["validation"]
    assert [c.name for c in Dataset(tmp_path / "dst/validation").classes] == ["cat", "dog"]
    keys = ["00000000", *(f"cat%2E{i}" for i in range(1, 5))]
    assert records(tmp_path / "dst/validation") == list(zip(keys, [1, 0, -1, 1, 0], images, strict=True))


def test_a_saved_dataset_dict_has_a_split_a_folder(tmp_path: Path) -> None:
    for split, labels in (("train", [0, 1, 1]), ("test", [1])):
        save(tmp_path / "src" / split, labels, ["a", "b"])
    (tmp_path / "src/dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    report = convert(tmp_path / "src", tmp_path / "dst", shuffle=1)
    assert {name: split.records for name, split in report.splits.items()} == {"train": 3, "test": 1}
    assert convert(tmp_path / "src", tmp_path / "one", split="test").records == 1
    with pytest.raises(errors.ArgumentError, match="no split 'val' here, only: train, test"):
        convert(tmp_path / "src", tmp_path / "none", split="val")


@pytest.mark.parametrize(("labels", "classes"), [([2, 0], ["0", "1", "2"]), (["dog", "cat"], ["cat", "dog"])])
def test_classes_without_metadata_are_those_of_the_labels(
    tmp_path: Path, labels: list[Any], classes: list[str]
) -> None:
    save(tmp_path / "src", labels)
    convert(tmp_path / "src", tmp_path / "dst")
    assert [c.name for c in Dataset(tmp_path / "dst/train").classes] == classes


def test_a_row_without_bytes_is_a_bad_file(tmp_path: Path) -> None:
    table = pa.table({"image": [{"bytes": small_jpeg(0)}, {"bytes": None}], "label": [0, 0]})
    save(tmp_path / "src", [0])
    with pa.ipc.new_stream(str(tmp_path / "src/data-00000-of-00002.arrow"), table.schema) as stream:
        stream.write_table(table)
    with pa.ipc.new_stream(str(tmp_path / "src/data-00001-of-00002.arrow"), table.schema) as stream:
        stream.write_table(table.slice(0, 0))
    with pytest.raises(errors.FormatError, match=r"row 1: no bytes of an image"):
        convert(tmp_path / "src", tmp_path / "dst")
    report = convert(tmp_path / "src", tmp_path / "dst", on_bad="skip", overwrite=True)
    assert [reason.rpartition(": ")[2] for _, reason in report.splits["train"].bad] == [
        "no bytes of an image"
    ]


def test_damaged_missing_and_compressed_files_are_named(tmp_path: Path) -> None:
    save(tmp_path / "src", [0, 0, 0])
    last = tmp_path / "src/data-00001-of-00002.arrow"
    whole = last.read_bytes()
    last.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(errors.FormatError, match=r"data-00001-of-00002\.arrow: damaged: "):
        convert(tmp_path / "src", tmp_path / "dst")
    last.unlink()
    with pytest.raises(errors.MissingFileError, match=r"data-00001-of-00002\.arrow: file is missing"):
        convert(tmp_path / "src", tmp_path / "dst")
    table = pa.table({"image": [b"x" * 10_000], "label": [0]})
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(str(last), table.schema, options=options) as stream:
        stream.write_table(table)
    (tmp_path / "src/state.json").write_text(json.dumps({"_data_files": [{"filename": last.name}]}))
    with pytest.raises(errors.UnsupportedError, match="compressed; save the dataset without compression"):
        convert(tmp_path / "src", tmp_path / "dst")


def test_a_file_list_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "src", [0])
    (tmp_path / "src/state.json").write_text(json.dumps({"_data_files": [{"filename": "../x.arrow"}]}))
    with pytest.raises(errors.FormatError, match=r"expected names of files of this folder, found \.\./x"):
        convert(tmp_path / "src", tmp_path / "dst")
