"""The Parquet source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from folders import small_jpeg

from fastinet import Dataset, convert, errors

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def write(path: Path, labels: list[int], names: list[str] | None) -> list[bytes]:
    images = [small_jpeg(i) for i in range(len(labels))]
    rows = [{"bytes": data, "path": f"n_{i}.JPEG" if i else None} for i, data in enumerate(images)]
    table = pa.table({"image": rows, "label": pa.array(labels, pa.int64())})
    if names is not None:
        features = {"label": {"names": names, "_type": "ClassLabel"}, "image": {"_type": "Image"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=2)
    return images


def test_hugging_faces_files_are_recognised_with_their_class_names(tmp_path: Path) -> None:
    images = write(tmp_path / "src/data/train-00000-of-00001.parquet", [2, 0, -1], ["crane", "b", "crane"])
    write(tmp_path / "src/data/validation-00000-of-00001.parquet", [1], ["crane", "b", "crane"])
    report = convert(tmp_path / "src", tmp_path / "dst")
    assert list(report.splits) == ["train", "validation"]
    train = Dataset(tmp_path / "dst" / "train")
    assert [c.name for c in train.classes] == ["crane", "b", "crane (2)"]
    assert [(r.key, r.label, bytes(r.payload)) for r in train] == [
        ("00000000", 2, images[0]), ("n_1", 0, images[1]), ("n_2", -1, images[2]),
    ]  # fmt: skip


def test_labels_without_names_are_numbers_and_damage_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", [1, 3], None)
    convert(tmp_path / "a.parquet", tmp_path / "dst")
    assert [c.name for c in Dataset(tmp_path / "dst").classes] == ["0", "1", "2", "3"]
    (tmp_path / "b.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(errors.FormatError, match=r"b\.parquet: not a Parquet file"):
        convert(tmp_path / "b.parquet", tmp_path / "dst2")
