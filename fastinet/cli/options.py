"""Options that several commands take, and what they print and write."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from fastinet.errors import ShardIOError

__all__ = ["bad_files_option", "check_option", "field_options", "json_option", "print_report", "write_json"]

F = TypeVar("F", bound=Callable[..., Any])


def field_options(command: F) -> F:
    """Adds the options of `convert` and `index` that choose the fields of a record."""
    for option in (
        click.option(
            "--labels-as",
            metavar="NAME",
            help="If labels are not classes (but fractions, lists, texts), store them as the column NAME.",
        ),
        click.option(
            "--label-field",
            "--label-column",
            metavar="NAME",
            multiple=True,
            help="Field, column or feature that holds the label; repeatable, as --image-field.",
        ),
        click.option(
            "--image-field",
            "--image-column",
            metavar="NAME",
            multiple=True,
            help="Field of WebDataset tars (input.jpg), column of tables or feature of TFRecord files that "
            "holds the image; repeatable: the first one that a record has is used.",
        ),
    ):
        command = option(command)
    return command


def bad_files_option(help_text: str) -> Callable[[F], F]:
    """``--on-bad fail|skip|keep``."""
    return click.option(
        "--on-bad",
        type=click.Choice(["fail", "skip", "keep"]),
        default="fail",
        show_default=True,
        help=help_text,
    )


def check_option(help_text: str) -> Callable[[F], F]:
    """``--check fast|full|none``."""
    return click.option(
        "--check",
        type=click.Choice(["fast", "full", "none"]),
        default="fast",
        show_default=True,
        help=help_text,
    )


def json_option(command: F) -> F:
    """``--json FILE``, passed as ``json_file``."""
    return click.option(
        "--json",
        "json_file",
        type=click.Path(path_type=Path, dir_okay=False, writable=True),
        metavar="FILE",
        help="Also write the report to FILE as JSON.",
    )(command)


def write_json(path: Path, value: object) -> None:
    """Writes a value as JSON with sorted keys.

    Raises:
        ShardIOError: the file cannot be written.
    """
    text = json.dumps(value, indent=1, sort_keys=True) + "\n"
    try:
        path.write_text(text)
    except OSError as error:
        raise ShardIOError(f"{path}: {error.strerror}", path=str(path), errno=error.errno) from error


def print_report(report: object) -> None:
    """Prints a report on stdout with its colours and tables."""
    from rich.console import Console

    Console().print(report)
