"""Export as Parquet files, as Hugging Face datasets writes and loads them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from fastinet.dataset.dataset import Dataset
from fastinet.dataset.stored import StoredRecord
from fastinet.errors import FormatError, UnsupportedError
from fastinet.exporting.chosen import Chosen, class_of, file_name_of, folders_of
from fastinet.format.boxset import BoxSet
from fastinet.progress import Meter

__all__ = ["write_parquet"]

# As Hugging Face writes them: files of about 500 MB, and groups of at most 100 rows, so that a viewer or a
# shuffled reader fetches few images that it does not need.
_GROUP_ROWS = 100
_GROUP_BYTES = 32 << 20
_FILE_BYTES = 500 * 10**6
_COMPRESSION = {"image.bytes": "none", "image.path": "snappy", "label": "snappy"}
_BOX_FIELDS = ("label", "xmin", "ymin", "xmax", "ymax", "flags")
_MAX_FLAGS = 2**31 - 1  # that the column holds


class _Columns(NamedTuple):
    """Which of the optional columns are written."""

    boxes: bool
    annotation: bool


def write_parquet(splits: Sequence[Chosen], dst: Path, meter: Meter) -> None:
    """Writes ``DST/data/<split>-00000-of-00002.parquet``, .... All files have the same columns.

    Needs memory for one row group, which is at most 32 MB or one image. Reads the tars' headers, sidecars and
    JSON twice: first to find out which columns there are.

    Raises:
        UnsupportedError: PyArrow is not installed.
    """
    try:
        import pyarrow.parquet  # type: ignore[import-untyped, unused-ignore]  # noqa: F401
    except ImportError:
        raise UnsupportedError(
            f"{dst}: writing Parquet needs PyArrow; install it with: pip install 'fastinet[parquet]'"
        ) from None
    columns = _needed_columns(splits)
    folder = dst / "data"
    folder.mkdir()
    for chosen in splits:
        files = _write_split(chosen, folder, columns, meter)
        for file in files:
            file.rename(file.with_name(f"{file.stem}-of-{len(files):05d}.parquet"))


def _needed_columns(splits: Sequence[Chosen]) -> _Columns:
    boxes = annotation = False
    for chosen in splits:
        for stored in chosen:
            boxes = boxes or stored.record.boxes_size is not None
            annotation = annotation or _annotation(stored) is not None
            if boxes and annotation:
                return _Columns(True, True)
    return _Columns(boxes, annotation)


def _write_split(chosen: Chosen, folder: Path, columns: _Columns, meter: Meter) -> list[Path]:
    """Writes a split's files and returns their paths, whose names do not yet contain the number of files."""
    from pyarrow import parquet

    schema = _schema(chosen.dataset, columns)
    files: list[Path] = []
    with ExitStack() as stack:
        writer, size = None, 0
        for group in _groups(chosen):
            group_size = sum(len(payload) for _, payload in group)
            if writer is None or size + group_size > _FILE_BYTES:
                stack.close()
                files.append(folder / f"{chosen.split}-{len(files):05d}.parquet")
                writer = stack.enter_context(
                    parquet.ParquetWriter(
                        files[-1],
                        schema,
                        compression=_COMPRESSION,
                        use_dictionary=["label"],
                        write_statistics=["label"],
                        write_page_checksum=True,
                    )
                )
                size = 0
            if group:
                writer.write_table(_table(group, schema, columns, chosen.dataset), row_group_size=len(group))
            size += group_size
            meter.advance(len(group), group_size)
    return files


def _groups(chosen: Chosen) -> Iterator[list[tuple[StoredRecord, bytes]]]:
    """Yields the records and payloads of each row group; a single empty group if there are no records."""
    group: list[tuple[StoredRecord, bytes]] = []
    size = 0
    for stored in chosen:
        payload = bytes(stored.record.payload)  # verifies its checksum
        if group and (len(group) == _GROUP_ROWS or size + len(payload) > _GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append((stored, payload))
        size += len(payload)
    yield group


def _table(
    group: Sequence[tuple[StoredRecord, bytes]], schema: Any, columns: _Columns, dataset: Dataset
) -> Any:
    import pyarrow as pa

    images = [{"bytes": payload, "path": _path(stored, dataset)} for stored, payload in group]
    for stored, _ in group:
        class_of(stored, dataset)  # raises an error for a label without a class
    values: list[Any] = [images, [stored.record.label for stored, _ in group]]
    if columns.boxes:
        values.append([_boxes(stored) for stored, _ in group])
    if columns.annotation:
        values.append([_annotation(stored) for stored, _ in group])
    arrays = [pa.array(column, field.type) for column, field in zip(values, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _path(stored: StoredRecord, dataset: Dataset) -> str:
    """Returns the image's path in the source; if that is not UTF-8, the record's escaped key."""
    path = "/".join([*folders_of(stored, dataset), file_name_of(stored, dataset)])
    try:
        path.encode()
    except UnicodeEncodeError:
        return f"{stored.record.key}{PurePosixPath(stored.file_name).suffix}"
    return path


def _boxes(stored: StoredRecord) -> dict[str, Any] | None:
    if stored.record.boxes_size is None:
        return None
    width, height = stored.record.boxes_size
    too_large = next((flags for *_, flags in stored.record.boxes if flags > _MAX_FLAGS), None)
    if too_large is not None:
        record = stored.record
        expected = f"at most {_MAX_FLAGS}"
        raise FormatError(
            f"{record.shard}: record {record.index} ({record.key}): flags of a box: expected {expected}, "
            f"found {too_large}",
            path=record.shard,
            record=record.index,
            key=record.key,
            expected=expected,
            found=str(too_large),
        )
    rows = [dict(zip(_BOX_FIELDS, box, strict=True)) for box in stored.record.boxes]
    return {"width": width, "height": height, "rows": rows}


def _annotation(stored: StoredRecord) -> str | None:
    """Returns the record's JSON, unless it holds nothing but the boxes, which a conversion wrote."""
    size = stored.record.boxes_size
    if not stored.annotation or (
        size is not None and stored.annotation == BoxSet(*size, tuple(stored.record.boxes)).to_json()
    ):
        return None
    return stored.annotation


def _schema(dataset: Dataset, columns: _Columns) -> Any:
    """Returns the schema with the features that Hugging Face reads from its metadata."""
    import pyarrow as pa

    def value(kind: str) -> dict[str, str]:
        return {"dtype": kind, "_type": "Value"}

    label: dict[str, Any] = value("int64")
    if dataset.classes:
        label = {"names": [c.name for c in dataset.classes], "_type": "ClassLabel"}
    features: dict[str, Any] = {"image": {"_type": "Image"}, "label": label}
    fields = [
        pa.field("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        pa.field("label", pa.int64()),
    ]
    if columns.boxes:
        row = {name: "int64" if name == "label" else "int32" for name in _BOX_FIELDS}
        rows = pa.list_(pa.struct([(name, pa.type_for_alias(kind)) for name, kind in row.items()]))
        sizes = [("width", pa.int32()), ("height", pa.int32())]
        fields.append(pa.field("boxes", pa.struct([*sizes, ("rows", rows)])))
        features["boxes"] = {name: value("int32") for name, _ in sizes}
        features["boxes"]["rows"] = [{name: value(kind) for name, kind in row.items()}]
    if columns.annotation:
        fields.append(pa.field("json", pa.string()))
        features["json"] = value("string")
    return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": features}})})
