"""The splits in a dataset's folder."""

from __future__ import annotations

from pathlib import Path

from fastinet.dataset.dataset import find_split
from fastinet.format.layout import split_folders

__all__ = ["find_splits"]


def find_splits(root: Path) -> list[Path]:
    """Returns the folders of all splits of the dataset in `root`, sorted by name; at least one.

    Raises:
        MissingFileError: there is none.
        ShardIOError: the operating system refuses to look.
    """
    return split_folders(root) or [find_split(root)]  # find_split raises the error that says what is missing
