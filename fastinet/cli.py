"""The command line. Each command is a thin face of a Python function of the same name."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from fastinet import __version__, errors

# Exit status by error class, the most specific first. 1 is left to programming errors, 2 is also click's
# for wrong usage, 130 is the shell's for Ctrl-C.
EXIT_STATUS = (
    (errors.ArgumentError, 2),
    (errors.FormatError, 3),  # checksum, truncation
    (errors.DecodeError, 3),
    (errors.ShardIOError, 4),
    (errors.MissingFileError, 4),
    (errors.StateError, 5),
    (errors.UnsupportedError, 6),
)
INTERRUPTED = 130

_STATUS_HELP = """
\b
Exit status:
  0    done
  2    wrong usage or arguments
  3    bad data: a wrong checksum, a malformed file, an image that cannot be decoded
  4    the operating system refused, or a file is missing
  5    not possible now (another process is at work there)
  6    not supported by this build
  130  interrupted
"""


@click.group(epilog=_STATUS_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="fastinet")
@click.option("--debug", is_flag=True, help="Show Python's traceback of an error.")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """The ImageNet data engine: convert images once, load them fast for ever."""
    context.obj = debug


@cli.command()
@click.argument("src")
@click.argument("dst", type=click.Path(path_type=Path))
@click.option("--source", help="Layout of SRC; recognised by looking when not given.")
@click.option("--split", help="Convert only this split, or name the only one.")
@click.option("--workers", type=int, help="Shards written at a time; the CPUs when not given.")
@click.option(
    "--shard-size", help="Records (1000) or bytes (256MB) a shard.  [default: whichever comes first]"
)
@click.option("--shuffle", type=int, metavar="SEED", help="Permute the records; default: the source's order.")
@click.option(
    "--on-bad", type=click.Choice(["fail", "skip", "keep"]), default="fail", show_default=True,
    help="What to do with files that cannot be read or are no images.",
)  # fmt: skip
@click.option(
    "--entry-points/--no-entry-points", default=True, show_default=True,
    help="Note where in each image decoding can begin: slower to convert, much faster to load.",
)  # fmt: skip
@click.option("--max-side", type=int, metavar="PIXELS", help="Shrink: the longer side at most this (lossy).")
@click.option(
    "--short-side", type=int, metavar="PIXELS", help="Shrink: the shorter side at most this (lossy)."
)
@click.option("--quality", type=int, metavar="1-100", help="Encode every image anew (lossy).")
@click.option("--overwrite", is_flag=True, help="Remove the dataset or interrupted conversion in DST first.")
def convert(src: str, dst: Path, **options: Any) -> None:
    """Convert the images in SRC into a dataset of record shards in DST.

    SRC is a folder with one folder a class, or with splits (train, val, ...) that are such folders. An
    interrupted conversion goes on where it stopped when the same command is given again.
    """
    from fastinet.conversion import convert as run

    _print(run(src, dst, progress=True, **options))


def _print(value: object) -> None:
    from rich.console import Console

    Console().print(value)


@contextlib.contextmanager
def _one_line_errors() -> Iterator[None]:
    """Exits with one clear line for every error that a user can do something about."""
    debug = "--debug" in sys.argv[1:2]
    try:
        yield
    except errors.FastinetError as error:
        if debug:
            raise
        click.echo(f"fastinet: {error}", err=True)
        sys.exit(next((status for kind, status in EXIT_STATUS if isinstance(error, kind)), 1))
    except (KeyboardInterrupt, click.Abort):
        click.echo("fastinet: interrupted", err=True)
        sys.exit(INTERRUPTED)


def main() -> None:
    """Entry point of the ``fastinet`` command."""
    with _one_line_errors():
        try:
            sys.exit(cli.main(standalone_mode=False) or 0)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
