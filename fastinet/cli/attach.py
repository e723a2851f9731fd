"""``fastinet attach``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

__all__ = ["attach"]


@click.command()
@click.argument("path", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("name")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--key", metavar="COLUMN", help="Column of FILE that holds the records' keys.")
@click.option("--column", metavar="COLUMN", help="Column of FILE to attach.")
@click.option(
    "--order",
    type=click.Choice(["records", "names"]),
    help="Order of the values if FILE has no keys: that of the records, or that of the images' file names.",
)
@click.option(
    "--missing",
    help="Value, as JSON or text, of records that FILE does not name. By default, these are an error.",
)
@click.option(
    "--flags",
    is_flag=True,
    help="FILE lists numbers of records, counted from 1, for which the value is true.",
)
@click.option("--replace", is_flag=True, help="Replace the column NAME if it exists.")
@click.option("--remove", is_flag=True, help="Remove the column NAME instead. Takes no FILE.")
def attach(
    path: Path, name: str, file: Path | None, missing: str | None, remove: bool, **options: Any
) -> None:
    """Attach the values in FILE (.npy, .json, .csv, .tsv, .txt, .parquet) to the records of the split in DIR.

    The shards stay as they are. A loader returns the column NAME on request.
    """
    from fastinet.dataset import Dataset

    dataset = Dataset(path)
    if remove != (file is None):
        raise click.UsageError("give FILE, or --remove")
    if remove:
        dataset.detach(name)
        return
    dataset.attach(name, file, missing=None if missing is None else _json_or_text(missing), **options)
    click.echo(f"{dataset.path}: column {name} for {len(dataset):,} records ({dataset.columns[name].kind})")


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value
