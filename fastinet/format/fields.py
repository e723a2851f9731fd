"""Which part of a record is its image, which is its label, and what counts as a label, for every source.

A label is a class: its number, from 0, or its name. -1 or nothing means no class. Anything else in the place
of a label (a fraction, several numbers, an object) is an error. The message suggests ``labels_as``, which
stores the values unchanged in an attached column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastinet.errors import ArgumentError, FormatError
from fastinet.format.columns import check_name
from fastinet.format.limits import MAX_CLASSES

__all__ = ["DEFAULT", "MAX_CLASSES", "NUMBERS", "Fields", "class_of", "no_label", "wrong_label"]

LABEL = "a number of 0 or more, or the name of a class"

_CLASS_NUMBER = re.compile(r"(-1|[0-9]{1,18})(?:\.0*)?")  # 3.0 is 3: what tables make of numbers beside gaps
_NUMBER = r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?|nan|inf|infinity)"
# A number, or several with blanks or , ; | between them, perhaps in brackets.
NUMBERS = re.compile(rf"(?:[\[(]\s*)?(?:{_NUMBER}(?:(?:\s*[,;|]\s*|\s+){_NUMBER})*\s*)?[\])]?", re.IGNORECASE)
_LONGEST = 60  # characters of a value in a message


@dataclass(frozen=True)
class Fields:
    """The parts of a record that a caller chose: fields of a WebDataset tar, columns of a table, features of
    TFRecord files.

    Attributes:
        image: names of the image's field; the first one that a record has is used. Empty: the source's rule.
        label: the same for the label.
        labels_as: name of the attached column that stores the values in the place of labels, which are then
            all -1; "": the values must be labels.
    """

    image: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    labels_as: str = ""

    @classmethod
    def chosen(
        cls,
        image_field: str | Sequence[str] | None,
        label_field: str | Sequence[str] | None,
        labels_as: str | None = None,
    ) -> Fields:
        """Makes the choice from a caller's arguments.

        Raises:
            ArgumentError: a name is empty, or is not allowed for a column.
        """
        if labels_as is not None:
            check_name(labels_as)
        return cls(_names("image_field", image_field), _names("label_field", label_field), labels_as or "")

    @classmethod
    def of_index(cls, created_by: Mapping[str, Any]) -> Fields:
        """Returns the choice that ``fastinet index`` was given, from its manifest's ``created_by``."""
        options = created_by.get("options")
        chosen = options if isinstance(options, Mapping) else {}
        image, label = (chosen.get(name) or () for name in ("image_field", "label_field"))
        return cls(tuple(map(str, image)), tuple(map(str, label)), str(chosen.get("labels_as") or ""))

    def options(self) -> dict[str, Any]:
        """Returns the choice as a manifest records it."""
        return {
            "image_field": list(self.image),
            "label_field": list(self.label),
            "labels_as": self.labels_as or None,
        }


DEFAULT = Fields()


def class_of(value: object) -> int | str | None:
    """Returns the number or the name of the class that a value stands for; -1: no class; None: not a label.

    A text that looks like a number is a number and never a name. A number with a fraction, or several
    numbers, are not a label. A missing value (None, NaN, a blank text) means no class, and 3.0 is 3.
    """
    if value is None:
        return -1
    if isinstance(value, str):
        text = value.strip()
        number = _CLASS_NUMBER.fullmatch(text)
        if number is not None:
            return int(number[1])
        return -1 if not text else None if NUMBERS.fullmatch(text) else text
    if isinstance(value, float) and value != value:
        return -1
    whole = type(value) is int or (isinstance(value, float) and value.is_integer())
    return int(value) if whole and value >= -1 else None  # type: ignore[call-overload, operator]


def no_label(value: object, where: str, path: str, key: str = "", expected: str = LABEL) -> FormatError:
    """Returns the error for a value that is not a label. It names the option that stores such values."""
    found = _shown(value)
    return FormatError(
        f"{where}: expected {expected}, found {found}; values that are no class can be kept as a column: "
        "--labels-as NAME",
        path=path,
        key=key,
        expected=expected,
        found=found,
    )


def wrong_label(value: object, where: str, path: str, expected: str, key: str = "") -> FormatError:
    """Returns the error for a label that the dataset cannot have."""
    found = _shown(value)
    return FormatError(
        f"{where}: expected {expected}, found {found}", path=path, key=key, expected=expected, found=found
    )


def _names(option: str, given: str | Sequence[str] | None) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given or ())
    if not all(isinstance(name, str) and name for name in names):
        raise ArgumentError(f"{option}: expected names of fields, found {given!r}")
    return names


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
