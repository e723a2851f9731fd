"""``fastinet export``."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["export"]


@click.command()
@click.argument("path", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("dst", type=click.Path(path_type=Path))
@click.option(
    "--to",
    type=click.Choice(["imagefolder", "webdataset", "parquet"]),
    default="imagefolder",
    show_default=True,
    help="Layout of DST.",
)
@click.option("--split", help="Export only this split.")
@click.option(
    "--classes",
    multiple=True,
    metavar="CLASS",
    help="Export only these classes, chosen as for `fastinet classes`; repeatable.",
)
def export(path: Path, dst: Path, to: str, split: str | None, classes: tuple[str, ...]) -> None:
    """Export the images of the dataset in DIR, byte for byte, to the new folder DST.

    The layout is a tree of the original files, WebDataset tars, or Parquet files that Hugging Face datasets
    loads. Labels stay those of the whole dataset.
    """
    from fastinet.exporting import export as run

    count = run(path, dst, to=to, split=split, classes=classes or None, progress=True)
    click.echo(f"{dst}: {count:,} images")
