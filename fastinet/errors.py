"""The exceptions of fastinet. Every one derives from :class:`FastinetError` and says where and what.

Each also derives from the built-in exception that a caller would expect (``OSError``, ``ValueError``, ...).
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
        path: the shard, sidecar, manifest or image file; None where no file is at fault.
        record: number of the record in that file; None where no record is at fault.
        key: key of the record; None likewise.
        expected: what the format, index or checksum says; None where nothing was compared.
        found: what was there instead; None likewise.
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
        error: object = self  # errno belongs to OSError, not to this class
        if isinstance(error, OSError) and errno:
            error.errno = errno

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        """With every attribute, so that an error is the same in the process that started the work."""
        told = {name: getattr(self, name, None) for name in (*_ATTRIBUTES, "errno")}
        return _remade, (type(self), str(self), told)


class ShardIOError(FastinetError, OSError):
    """The operating system refused to read or write; ``errno`` says why."""


class MissingFileError(FastinetError, FileNotFoundError):
    """A file that the dataset names is not there."""


class FormatError(FastinetError, ValueError):
    """Bytes on disk that FORMAT.md does not allow."""


class TruncatedError(FormatError):
    """A file is shorter than its index says."""


class ChecksumError(FormatError):
    """Bytes differ from the checksum that was recorded for them."""


class DecodeError(FastinetError, ValueError):
    """An image that cannot be decoded."""


class ExpectationError(FastinetError, ValueError):
    """A sound dataset that is not what the caller said it is."""


class UnsupportedError(FastinetError, builtins.NotImplementedError):
    """Valid input that this build or option does not handle."""


class ArgumentError(FastinetError, ValueError):
    """A value outside of the contract of the call."""


class StateError(FastinetError, RuntimeError):
    """The call is not possible now: the object is closed, or this is a forked child."""


def _remade(kind: type[FastinetError], message: str, told: dict[str, Any]) -> FastinetError:
    return kind(message, **told)
