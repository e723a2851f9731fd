"""Reads regular files of places that can contain anything. Every error names the file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fastinet.errors import FastinetError, FormatError, MissingFileError, ShardIOError

__all__ = ["is_there", "open_regular", "os_errors", "read_bytes", "unreadable"]

_SPECIAL = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def is_there(path: Path) -> bool:
    """Returns whether `path` exists, whatever kind of file it is.

    Raises:
        ShardIOError: the operating system refused to look.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as e:
        raise unreadable(path, e) from None
    return True


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """Opens a regular file for reading. Never blocks on other kinds of files, such as a FIFO.

    Raises:
        MissingFileError: the file does not exist.
        FormatError: it is not a regular file.
        ShardIOError: the operating system refused to open the file, or to read it within the block.
    """
    try:
        _refuse_special(path, path.stat())  # before opening it, which alone can start a device
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            _refuse_special(path, os.fstat(file.fileno()))
            yield file
    except FastinetError:
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise MissingFileError(f"{path}: file is missing", path=str(path)) from None
    except OSError as e:
        raise unreadable(path, e) from None


def read_bytes(path: Path, limit: int | None = None) -> bytes:
    """Returns the content of a regular file.

    Args:
        limit: the largest size allowed, in bytes; None: no limit.

    Raises:
        FormatError: the file is longer. Also raises as `open_regular`.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if limit is not None and size > limit:
            expected, found = f"at most {limit} bytes", f"{size} bytes"
            raise FormatError(
                f"{path}: size: expected {expected}, found {found}",
                path=str(path),
                expected=expected,
                found=found,
            )
        return file.read()


def unreadable(path: str | os.PathLike[str], error: OSError) -> ShardIOError:
    """Returns, but does not raise, the error that says why the operating system refused to read `path`."""
    text = f"{os.fspath(path)}: cannot read: {error.strerror or error}"
    return ShardIOError(text, path=os.fspath(path), errno=error.errno)


@contextmanager
def os_errors(path: Path) -> Iterator[None]:
    """Turns an OSError of the block into a ShardIOError that names the error's file, or else `path`."""
    try:
        yield
    except FastinetError:
        raise
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else str(path)
        raise ShardIOError(f"{where}: {error.strerror or error}", path=where, errno=error.errno) from error


def _refuse_special(path: Path, status: os.stat_result) -> None:
    for is_kind, kind in _SPECIAL:
        if is_kind(status.st_mode):
            raise FormatError(
                f"{path}: expected a regular file, found {kind}",
                path=str(path),
                expected="a regular file",
                found=kind,
            )
