"""From exceptions to messages and exit statuses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click

from fastinet import errors

__all__ = ["BAD_DATA", "EXIT_STATUS", "EXIT_STATUS_HELP", "exit_with_one_line"]

BAD_DATA = 3
_INTERRUPTED = 130

# Exit status by class of error, the most specific class first. 1 is left to programming errors, 2 is also
# click's status for wrong usage, and 130 is the shell's status for Ctrl-C.
EXIT_STATUS = (
    (errors.ArgumentError, 2),
    (errors.FormatError, BAD_DATA),  # includes ChecksumError and TruncatedError
    (errors.DecodeError, BAD_DATA),
    (errors.ExpectationError, BAD_DATA),
    (errors.ShardIOError, 4),
    (errors.MissingFileError, 4),
    (errors.StateError, 5),
    (errors.UnsupportedError, 6),
)

EXIT_STATUS_HELP = """
\b
Exit status:
  0    success
  2    wrong usage or arguments
  3    bad data: a wrong checksum, a malformed file, an image that cannot be decoded, or a failed expectation
  4    a file is missing, or the operating system refused to read or write
  5    not possible now, for example because another process is writing there
  6    not supported by this build
  130  interrupted
"""


@contextlib.contextmanager
def exit_with_one_line(context: click.Context, debug: bool) -> Iterator[None]:
    """Turns every error that a user can act on into one line on stderr and an exit status.

    Args:
        context: exits through it.
        debug: let fastinet's errors pass, so that Python prints their traceback.
    """
    try:
        yield
    except errors.FastinetError as error:
        if debug:
            raise
        click.echo(f"fastinet: {error}", err=True)
        context.exit(next((status for kind, status in EXIT_STATUS if isinstance(error, kind)), 1))
    except MemoryError:
        if debug:
            raise
        click.echo("fastinet: out of memory; fewer workers need less", err=True)
        context.exit(1)
    except (KeyboardInterrupt, click.Abort):
        click.echo("fastinet: interrupted", err=True)
        context.exit(_INTERRUPTED)
