"""Samples that are files, for the sources that know them by a list or by their place."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from fastinet.conversion.sources.base import Sample
from fastinet.errors import FormatError, MissingFileError
from fastinet.format.boxset import Box, BoxSet, clip_box
from fastinet.format.file_kinds import is_image_name
from fastinet.storage.extent import Extent
from fastinet.storage.files import unreadable

__all__ = [
    "boxes_of_rows",
    "existing_folder",
    "file_sample",
    "images_in",
    "lines_of",
    "wrong_line",
]

Edges = tuple[int, int, int, int]  # xmin, ymin, xmax, ymax


def file_sample(path: str, key: str, label: int, origin: str, boxes: BoxSet | None = None) -> Sample:
    """A whole file as a sample; of size 0 where it is not there: the policy for bad files decides later."""
    try:
        status = os.stat(path)  # noqa: PTH116 - a million times
        size, stamp = status.st_size, status.st_mtime_ns
    except OSError:
        size, stamp = 0, 0
    return Sample(key, Extent(path), label, size, origin, stamp, boxes=boxes)


def images_in(folder: Path) -> list[str]:
    """Names of the image files in `folder`, in torchvision's order; none where it does not exist."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - only the names
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unreadable(folder, error) from None
    return sorted(filter(is_image_name, names))


def existing_folder(root: str | os.PathLike[str], what: str) -> Path:
    """`root` as an absolute path.

    Raises:
        MissingFileError: no folder is there; the message says that `what` was expected.
    """
    path = Path(os.path.abspath(root))  # noqa: PTH100 - without following links
    if not path.is_dir():
        found = "this is a file" if path.exists() else "there is nothing"
        raise MissingFileError(f"{path}: {what} was expected, {found}", path=str(path))
    return path


def lines_of(path: Path) -> list[tuple[int, str]]:
    """The lines of a text file that are not blank, with their numbers from 1.

    Raises:
        MissingFileError, ShardIOError: it cannot be read.
        FormatError: it is not UTF-8.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise MissingFileError(f"{path}: is missing", path=str(path)) from None
    except OSError as e:
        raise unreadable(path, e) from None
    except UnicodeDecodeError as e:
        raise FormatError(f"{path}: expected UTF-8 text, found {e}", path=str(path)) from None
    return [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def wrong_line(path: Path | str, number: int, expected: str, found: str) -> FormatError:
    """The error for a line of a text file."""
    return FormatError(
        f"{path}: line {number}: expected {expected}, found {found!r}",
        path=str(path),
        expected=expected,
        found=found,
    )


def boxes_of_rows(
    rows: Iterable[tuple[str, Edges]],
    labels: Mapping[str, int],
    origin: str,
    size: tuple[int, int] = (0, 0),
) -> BoxSet | None:
    """Boxes from (name, edges) pairs, with the checks that XML files get; None where there are no rows.

    Args:
        rows: of one image.
        labels: label of each name.
        origin: what problems name.
        size: width and height that the edges refer to; 0: the image's own.
    """
    boxes: list[Box] = []
    problems: list[str] = []
    number = 0
    for number, (name, edges) in enumerate(rows, 1):
        problem, clipped = clip_box(edges, *size)
        if problem:
            problems.append(f"{origin}: object {number} ({name}): {problem}")
        if clipped is not None:
            boxes.append((labels.get(name, -1), *clipped, 0))
    return BoxSet(*size, tuple(boxes), tuple(problems)) if number else None
