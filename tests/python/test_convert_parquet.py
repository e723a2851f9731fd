"""The Parquet source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from folders import small_jpeg

from fastinet import Dataset, convert, errors

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def write(path: Path, labels: list[int], names: list[str] | None, **options: Any) -> list[bytes]:
    images = [small_jpeg(i) for i in range(len(labels))]
    rows = [{"bytes": data, "path": f"n_{i}.JPEG" if i else None} for i, data in enumerate(images)]
    table = pa.table({"image": rows, "label": pa.array(labels, pa.int64())})
    if names is not None:
        features = {"label": {"names": names, "_type": "ClassLabel"}, "image": {"_type": "Image"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **{"row_group_size": 2, **options})
    return images


def records(path: Path) -> list[tuple[str, int, bytes]]:
    return [(r.key, r.label, bytes(r.payload)) for r in Dataset(path)]


def test_hugging_faces_files_are_recognised_with_their_class_names(tmp_path: Path) -> None:
    images = write(tmp_path / "src/data/train-00000-of-00001.parquet", [2, 0, -1], ["crane", "b", "crane"])
    write(tmp_path / "src/data/validation-00000-of-00001.parquet", [1], ["crane", "b", "crane"])
    report = convert(tmp_path / "src", tmp_path / "dst")
    assert list(report.splits) == ["train", "validation"]
    assert [c.name for c in Dataset(tmp_path / "dst" / "train").classes] == ["crane", "b", "crane (2)"]
    assert records(tmp_path / "dst/train") == [
        ("00000000", 2, images[0]),
        ("n_1", 0, images[1]),
        ("n_2", -1, images[2]),
    ]


def test_labels_without_names_are_numbers_and_damage_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", [1, 3], None)
    convert(tmp_path / "a.parquet", tmp_path / "dst")
    assert [c.name for c in Dataset(tmp_path / "dst").classes] == ["0", "1", "2", "3"]
    (tmp_path / "b.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(errors.FormatError, match=r"b\.parquet: not a Parquet file"):
        convert(tmp_path / "b.parquet", tmp_path / "dst2")


@pytest.mark.parametrize("kind", ["binary", "large_binary", "struct without path", "large struct"])
def test_images_may_be_bytes_of_any_kind(tmp_path: Path, kind: str) -> None:
    images = [small_jpeg(i) for i in range(3)]
    large = pa.struct([("bytes", pa.large_binary()), ("path", pa.large_string())])
    column = {
        "binary": pa.array(images, pa.binary()),
        "large_binary": pa.array(images, pa.large_binary()),
        "struct without path": pa.array([{"bytes": data} for data in images]),
        "large struct": pa.array([{"bytes": data, "path": None} for data in images], large),
    }[kind]
    pq.write_table(pa.table({"image": column, "label": [0, 1, 0]}), tmp_path / "x.parquet", row_group_size=2)
    convert(tmp_path / "x.parquet", tmp_path / "dst")
    assert records(tmp_path / "dst") == [(f"{i:08d}", i % 2, data) for i, data in enumerate(images)]


def test_splits_may_be_folders_and_labels_names(tmp_path: Path) -> None:
    for split, labels in (("train", ["wolf", "cat"]), ("test", ["fox", None])):
        (tmp_path / "src" / split).mkdir(parents=True)
        table = pa.table({"image": [small_jpeg(0), small_jpeg(1)], "label": pa.array(labels, pa.string())})
        pq.write_table(table, tmp_path / "src" / split / "0000.parquet")
    report = convert(tmp_path / "src", tmp_path / "dst", split="train")
    assert list(report.splits) == ["train"]
    assert [c.name for c in Dataset(tmp_path / "dst").classes] == ["cat", "fox", "wolf"]
    convert(tmp_path / "src", tmp_path / "both")
    assert Dataset(tmp_path / "both/train").labels.tolist() == [2, 0]
    assert Dataset(tmp_path / "both/test").labels.tolist() == [1, -1]


def test_a_shard_may_begin_amid_a_row_group_and_an_order_be_permuted(tmp_path: Path) -> None:
    images = write(tmp_path / "x.parquet", [0] * 7, ["c"], row_group_size=4)
    convert(tmp_path / "x.parquet", tmp_path / "dst", shard_size="3", workers=3)
    assert [data for _, _, data in records(tmp_path / "dst")] == images
    convert(tmp_path / "x.parquet", tmp_path / "permuted", shard_size="3", shuffle=1)
    permuted = [data for _, _, data in records(tmp_path / "permuted")]
    assert permuted != images
    assert sorted(permuted) == sorted(images)


@pytest.mark.parametrize("checksums", [True, False])
def test_a_damaged_page_is_named_by_file_and_row_group(tmp_path: Path, checksums: bool) -> None:
    path = tmp_path / "train-00000-of-00001.parquet"
    write(path, [0, 0, 0, 0], ["c"], write_page_checksum=checksums, use_dictionary=False)
    offset = pq.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    data = bytearray(path.read_bytes())
    data[offset : offset + 60] = b"\xff" * 60
    path.write_bytes(data)
    with pytest.raises(errors.FormatError, match=r"of-00001\.parquet: row group 1: damaged: "):
        convert(path, tmp_path / "dst")
    report = convert(path, tmp_path / "dst2", on_bad="skip")
    assert (report.records, len(report.splits["train"].bad)) == (2, 2)


def test_a_flipped_bit_in_an_image_is_found_where_pages_have_checksums(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    images = write(path, [0, 0], ["c"], write_page_checksum=True, compression="none", use_dictionary=False)
    data = bytearray(path.read_bytes())
    data[data.index(images[1]) + 700] ^= 1
    path.write_bytes(data)
    with pytest.raises(errors.FormatError, match=r"x\.parquet: row group 0: damaged: .*[Cc][Rr][Cc]"):
        convert(path, tmp_path / "dst")


def test_what_is_no_set_of_images_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"url": ["x"], "label": [1]}), tmp_path / "x.parquet")
    with pytest.raises(
        errors.FormatError,
        match=r"expected columns image\{bytes,path\} and label, found "
        r"url \(string\), label \(int64\)",
    ):
        convert(tmp_path / "x.parquet", tmp_path / "dst")
    rows = pa.table({"image": [small_jpeg(0), None], "label": [0, 0]})
    pq.write_table(rows, tmp_path / "y.parquet")
    with pytest.raises(errors.FormatError, match=r"row group 0, row 1: no bytes of an image"):
        convert(tmp_path / "y.parquet", tmp_path / "dst")
    write(tmp_path / "z.parquet", [0, 5], ["a", "b"])
    with pytest.raises(errors.FormatError, match=r"row group 0, row 1: label: expected -1 to 1, found 5"):
        convert(tmp_path / "z.parquet", tmp_path / "dst2")


def test_a_set_with_a_file_missing_is_refused_unless_that_is_meant(tmp_path: Path) -> None:
    write(tmp_path / "src/data/train-00001-of-00002.parquet", [0], ["c"])
    with pytest.raises(
        errors.MissingFileError,
        match=r"train-00000-of-00002\.parquet: missing: expected 2 "
        "files of the split train, found 1",
    ):
        convert(tmp_path / "src", tmp_path / "dst")
    assert convert(tmp_path / "src/data/train-00001-of-00002.parquet", tmp_path / "dst").records == 1


def test_rows_that_share_one_path_get_numbers(tmp_path: Path) -> None:
    rows = [{"bytes": small_jpeg(0), "path": "../image.jpg"}] * 300
    pq.write_table(pa.table({"image": rows, "label": [0] * 300}), tmp_path / "x.parquet")
    convert(tmp_path / "x.parquet", tmp_path / "dst", entry_points=False)
    keys = list(Dataset(tmp_path / "dst").keys)
    assert keys == ["image", *(f"image~{i}" for i in range(2, 301))]


def test_columns_of_others_with_our_names_are_left_alone(tmp_path: Path) -> None:
    table = pa.table({"image": [small_jpeg(0)], "label": [0], "boxes": [{"x": 1}], "json": [5]})
    pq.write_table(table, tmp_path / "x.parquet")
    convert(tmp_path / "x.parquet", tmp_path / "dst")
    assert Dataset(tmp_path / "dst")[0].boxes == []
    table = pa.table({"image": [small_jpeg(0)], "label": [0], "json": ["{"]})
    pq.write_table(table, tmp_path / "y.parquet")
    with pytest.raises(errors.FormatError, match="row group 0, row 0: json: expected JSON, found"):
        convert(tmp_path / "y.parquet", tmp_path / "dst2")
