"""Folders as they lie on disk, without what operating systems put there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from fastinet.errors import ArgumentError
from fastinet.format.file_kinds import is_image_name, is_noise
from fastinet.storage.files import unreadable

__all__ = ["Folder", "holds_image", "look", "walk"]


class Folder(NamedTuple):
    """One folder.

    Attributes:
        path: of it.
        images: the files that are images by their names; all names are sorted.
        others: the other files.
        folders: in it, but for noise.
        noise: folders of the operating system or of a tool.
    """

    path: str
    images: list[str]
    others: list[str]
    folders: list[str]
    noise: list[str]


def look(path: str) -> Folder:
    """The folder at `path`. Raises ShardIOError where it cannot be read."""
    try:
        return _scan(path)
    except OSError as error:
        raise unreadable(path, error) from error


def walk(folder: str) -> Iterator[Folder]:
    """`folder` and all folders below it, but for noise; links are followed. Nothing where it does not exist.

    Raises:
        ArgumentError: a link leads back to a folder above it.
        ShardIOError: a folder cannot be read.
    """
    waiting: list[tuple[str, tuple[tuple[int, int], ...]]] = [(folder, ())]
    while waiting:
        path, above = waiting.pop()
        try:
            status = os.stat(path)  # noqa: PTH116 - one of many string paths here
            place = (status.st_dev, status.st_ino)
            if place in above:
                raise ArgumentError(f"{path}: a link back to a folder above it; remove the link", path=path)
            found = _scan(path)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not above:
                return
            raise unreadable(path, error) from error
        yield found
        waiting += [(f"{path}/{name}", (*above, place)) for name in reversed(found.folders)]


def holds_image(folder: str) -> bool:
    """Whether there is an image in `folder` or anywhere below it."""
    return any(found.images for found in walk(folder))


def _scan(path: str) -> Folder:
    found = Folder(path, [], [], [], [])
    with os.scandir(path) as entries:
        for entry in entries:
            name = entry.name
            if _is_folder(entry):
                (found.noise if is_noise(name) else found.folders).append(name)
            else:
                (found.images if is_image_name(name) else found.others).append(name)
    for names in found[1:]:
        names.sort()
    return found


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: reading it says so, as the policy for bad files wants
        return False
