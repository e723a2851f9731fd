"""``fastinet merge``."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["merge"]


@click.command()
@click.argument(
    "sources", metavar="DIR DIR...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)
@click.option(
    "-o",
    "--output",
    "dst",
    required=True,
    metavar="DST",
    type=click.Path(path_type=Path),
    help="Folder for the manifest of the merged split.",
)
@click.option("--split", metavar="NAME", help="Name of the merged split. Default: that of the first DIR.")
def merge(sources: tuple[Path, ...], dst: Path, split: str | None) -> None:
    """Merge the splits in each DIR into one split in DST, without copying or rewriting their shards.

    Classes are merged by name, also where the splits number them differently. The manifest in DST names
    the shards where they are, so every DIR has to stay in place. A DIR below DST can be moved with it.
    """
    from fastinet.merging import merge as run

    report = run(sources, dst, split=split)
    click.echo(
        f"{report.path}: {report.records:,} records in {report.shards:,} shards, {report.classes:,} classes"
    )
    if report.columns:
        click.echo(f"attached columns joined: {', '.join(report.columns)}")
    if report.left_out:
        click.echo(
            "attached columns left out, since not all of the splits have them with values of one type: "
            f"{', '.join(report.left_out)}"
        )
