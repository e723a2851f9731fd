"""The exceptions that fastinet raises.

All derive from :class:`FastinetError`, which names the file and record at fault. Each also derives from the
built-in exception that a caller would expect (``OSError``, ``ValueError``, ...).
"""

from __future__ import annotations

import builtins
from typing import Any

__all__ = [
    "ArgumentError",
    "ChecksumError",
    "DecodeError",
    "ExpectationError",
    "FastinetError",
    "FormatError",
    "MissingFileError",
    "ShardIOError",
    "StateError",
    "TruncatedError",
    "UnsupportedError",
]

_ATTRIBUTES = ("path", "record", "key", "expected", "found")


class FastinetError(Exception):
    """Base of all errors that fastinet raises.

    Attributes:
        path: the shard, sidecar, manifest or image file; None if no file is at fault.
        record: number of the record in that file; None if no record is at fault.
        key: key of the record; None if no record is at fault.
        expected: the value that the format, the sidecar or a checksum requires; None if nothing was compared.
        found: the value that was found instead; None if nothing was compared.
    """

    path: str | None
    record: int | None
    key: str | None
    expected: str | None
    found: str | None

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        record: int | None = None,
        key: str | None = None,
        expected: str | None = None,
        found: str | None = None,
        errno: int | None = None,
    ) -> None:
        super().__init__(message)
        self.path = path or None
        self.record = record if record is not None and record >= 0 else None
        self.key = key or None
        self.expected = expected or None
        self.found = found or None
        error: object = self  # errno is an attribute of OSError, not of this class
        if isinstance(error, OSError) and errno:
            error.errno = errno

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        """Keeps every attribute when the error is sent from a worker process to its parent."""
        attributes = {name: getattr(self, name, None) for name in (*_ATTRIBUTES, "errno")}
        return _rebuild, (type(self), str(self), attributes)


class ShardIOError(FastinetError, OSError):
    """The operating system refused to read or write. ``errno`` says why."""


class MissingFileError(FastinetError, FileNotFoundError):
    """A file that is needed does not exist."""


class FormatError(FastinetError, ValueError):
    """A file does not have the format that it should have; for datasets, that of FORMAT.md."""


class TruncatedError(FormatError):
    """A file is shorter than its sidecar or manifest says."""


class ChecksumError(FormatError):
    """Bytes do not match the checksum that was recorded for them."""


class DecodeError(FastinetError, ValueError):
    """An image cannot be decoded."""


class ExpectationError(FastinetError, ValueError):
    """A dataset is intact, but not what the caller expected."""


class UnsupportedError(FastinetError, builtins.NotImplementedError):
    """The input is valid, but this build, or the environment, does not support it."""


class ArgumentError(FastinetError, ValueError):
    """An argument is invalid."""


class StateError(FastinetError, RuntimeError):
    """The call is not possible now, for example because the object is closed or the process was forked."""


def _rebuild(kind: type[FastinetError], message: str, attributes: dict[str, Any]) -> FastinetError:
    return kind(message, **attributes)
