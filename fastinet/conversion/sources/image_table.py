"""Tables of images as Hugging Face datasets has them: which columns hold what, and what their values mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fastinet.errors import FormatError
from fastinet.format.boxset import BoxSet, boxes_of_json
from fastinet.format.fields import Fields, class_of, no_label, wrong_label

__all__ = [
    "ImageColumns",
    "annotation_of",
    "boxes_of",
    "class_names",
    "find_columns",
    "json_value",
    "label_of",
]

_IMAGE_COLUMNS = ("image", "img")
_LABEL_COLUMNS = ("label", "labels")
_OWN_COLUMNS = ("boxes", "json")  # written by an export of fastinet's


class ImageColumns(NamedTuple):
    """Names of the columns; "" for those that do not exist."""

    image: str
    in_struct: bool  # image{bytes}, not image
    path: bool  # image{path}
    label: str
    boxes: str
    annotation: str

    def described(self) -> list[str]:
        """Returns the columns that describe a row, without the image itself."""
        names = (self.path and f"{self.image}.path", self.label, self.boxes, self.annotation)
        return [name for name in names if name]


def find_columns(schema: Any, path: Path, chosen: Fields) -> ImageColumns:
    """Finds the columns of a table by the names and types of an Arrow schema.

    Raises:
        FormatError: there is no column of images, or it is unclear which column is the label.
    """
    import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]

    def is_bytes(kind: Any) -> bool:
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    image = next((name for name in chosen.image or _IMAGE_COLUMNS if name in schema.names), "")
    label = next((name for name in chosen.label or _LABEL_COLUMNS if name in schema.names), "")
    kind = schema.field(image).type if image else None
    fields = {field.name: field.type for field in kind} if kind and pa.types.is_struct(kind) else {}
    others = [name for name in schema.names if name not in (image, *_OWN_COLUMNS)]
    has_image = (kind and is_bytes(kind)) or is_bytes(fields.get("bytes", pa.null()))
    if not has_image or (not label and (others or chosen.label or chosen.labels_as)):
        wanted = " or ".join(chosen.image or ("image",)), " or ".join(chosen.label or ("label",))
        found = ", ".join(f"{field.name} ({field.type})" for field in schema) or "none"
        expected = f"columns {wanted[0]}{{bytes,path}} and {wanted[1]}"
        raise FormatError(
            f"{path}: expected {expected}, found {found}; choose with --image-column NAME and "
            "--label-column NAME",
            path=str(path),
            expected=expected,
            found=found,
        )
    boxes = schema.field("boxes").type if "boxes" in schema.names else pa.null()
    has_boxes = pa.types.is_struct(boxes) and {field.name for field in boxes} == {"width", "height", "rows"}
    annotation = "json" if "json" in schema.names and pa.types.is_string(schema.field("json").type) else ""
    return ImageColumns(
        image, bool(fields), "path" in fields, label, "boxes" if has_boxes else "", annotation
    )


def class_names(schema: Any, label: str, path: Path) -> list[str] | None:
    """Returns the class names in Hugging Face's metadata, made distinct (crane, maillot), or None.

    Raises:
        FormatError: the metadata have another form.
    """
    try:
        info = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        feature = info.get("info", {}).get("features", {}).get(label, {})
        names = feature.get(
            "names", (feature.get("feature") or {}).get("names")
        )  # the second: of a list's elements
    except (ValueError, AttributeError) as e:
        raise FormatError(
            f"{path}: the metadata of Hugging Face have an unexpected form: {e}", path=str(path)
        ) from None
    if names is None:
        return None
    seen: dict[str, int] = {}
    for i, name in enumerate(map(str, names)):
        seen[name if name not in seen else f"{name} ({i})"] = i
    return list(seen)


def label_of(value: object, labels: Mapping[str, int], where: str, path: Path) -> int:
    """Returns the label that a value stands for: the name or the number of a class, or -1 for none.

    Args:
        value: of the label's column.
        labels: label of each class by its name.
        where: names the value in errors.
        path: of the file.

    Raises:
        FormatError: the value does not stand for a class.
    """
    if isinstance(value, str) and value in labels:
        return labels[value]
    label = class_of(value)
    if label is None:
        raise no_label(value, where, str(path))
    if not isinstance(label, int) or label >= len(labels):
        raise wrong_label(value, where, str(path), f"-1 to {len(labels) - 1}")
    return label


def boxes_of(value: Mapping[str, Any] | None, where: str, path: Path) -> BoxSet | None:
    """Returns the boxes that an export of fastinet wrote. Raises FormatError if they have another form."""
    if value is None:
        return None
    try:
        rows = [list(row.values()) for row in value["rows"]]
        width, height, boxes = boxes_of_json({**value, "rows": rows})
    except (KeyError, TypeError, ValueError, AttributeError):
        raise FormatError(
            f"{where}: boxes: expected width, height and rows of six ints, found {value}", path=str(path)
        ) from None
    return BoxSet(width, height, tuple(boxes))


def annotation_of(value: str | None, where: str, path: Path) -> str:
    """Returns a JSON text, or "" for none. Raises FormatError if it is not JSON."""
    try:
        json.loads(value or "null")
    except ValueError as e:
        raise FormatError(f"{where}: json: expected JSON, found {e}", path=str(path)) from None
    return value or ""


def json_value(value: Any) -> Any:
    """Returns a label's value as JSON, with text for what JSON lacks (bytes, dates, decimals)."""
    return json.loads(json.dumps(value, default=str))
