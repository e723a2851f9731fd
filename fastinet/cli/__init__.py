"""START HERE: the command line. Each command is a thin layer over the Python function of the same name.

There is a module for each command, which is imported when the command runs or its help is shown. A command
imports what it runs within its function, so ``fastinet --help`` loads none of it.
"""

from __future__ import annotations

import importlib
from typing import Any

import click

from fastinet.cli.errors import EXIT_STATUS_HELP, exit_with_one_line
from fastinet.version import __version__

__all__ = ["cli", "main"]

_COMMANDS = ("attach", "bench", "classes", "convert", "export", "index", "inspect", "merge", "verify")


class _Commands(click.Group):
    """Finds the command NAME in the module ``fastinet.cli.NAME``, and turns errors into exit statuses."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"fastinet.cli.{cmd_name}"), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        with exit_with_one_line(ctx, debug=ctx.params["debug"]):
            return super().invoke(ctx)


@click.group(cls=_Commands, epilog=EXIT_STATUS_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="fastinet")
@click.option("--debug", is_flag=True, help="Show the Python traceback of an error.")
def cli(debug: bool) -> None:
    """The ImageNet data engine: convert images once, then load them fast."""


def main() -> None:
    """Runs the ``fastinet`` command and exits."""
    cli(prog_name="fastinet")
