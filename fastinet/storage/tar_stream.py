"""Reads tars from front to back, gzip-compressed or not, and tars within tars. Nothing is extracted."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from fastinet.errors import FormatError, TruncatedError
from fastinet.storage.files import unreadable

__all__ = ["StreamedMember", "is_gzip", "stream_tar"]

_GZIP = b"\x1f\x8b"


class StreamedMember:
    """A member of a tar that is being read. Its content must be read before the next member is asked for.

    Attributes:
        info: of the member, from its header.
    """

    def __init__(self, path: Path, place: str, tar: tarfile.TarFile, info: tarfile.TarInfo) -> None:
        self.info = info
        self._path = path
        self._place = place
        self._tar = tar

    def read(self) -> bytes:
        """Returns the content of a regular file. Raises as `stream_tar`."""
        with _named_errors(self._path, self._place):
            content = self._tar.extractfile(self.info)
            return b"" if content is None else content.read()

    def members(self) -> Iterator[StreamedMember]:
        """Yields the members of a tar within the tar. Raises as `stream_tar`."""
        with _named_errors(self._path, self._place):
            content = self._tar.extractfile(self.info)
            assert content is not None
            yield from _members(self._path, f"{self._place}/", content)


def stream_tar(path: Path) -> Iterator[StreamedMember]:
    """Yields the members of a tar, one at a time. After the last one, gzip's checksum is verified.

    Raises:
        TruncatedError: the archive ends early.
        FormatError: the archive is damaged. Errors name the member, if it is one's content that is damaged.
        ShardIOError: the file cannot be read.
    """
    with _named_errors(path, str(path)), path.open("rb") as file:
        compressed = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        plain = cast(IO[bytes], gzip.GzipFile(fileobj=file)) if compressed else file
        yield from _members(path, f"{path}: member ", plain)
        while plain.read(1 << 20):  # gzip's checksum is behind the last block
            pass


def is_gzip(path: Path) -> bool:
    """Returns whether a file begins as a gzip stream does.

    Raises:
        ShardIOError: the file cannot be read.
    """
    with _named_errors(path, str(path)), path.open("rb") as file:
        return file.read(len(_GZIP)) == _GZIP


def _members(path: Path, prefix: str, file: IO[bytes]) -> Iterator[StreamedMember]:
    with tarfile.open(fileobj=file, mode="r|") as tar:
        for info in tar:
            tar.members.clear()  # type: ignore[attr-defined]  # which would grow with every member
            yield StreamedMember(path, f"{prefix}{info.name}", tar, info)


@contextmanager
def _named_errors(path: Path, place: str) -> Iterator[None]:
    try:
        yield
    except EOFError as error:
        raise TruncatedError(f"{place}: damaged or incomplete: {error}", path=str(path)) from error
    except (tarfile.TarError, zlib.error, gzip.BadGzipFile) as error:
        raise FormatError(f"{place}: damaged or incomplete: {error}", path=str(path)) from error
    except OSError as error:
        raise unreadable(path, error) from error
