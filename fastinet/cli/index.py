"""``fastinet index``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from fastinet.cli.options import bad_files_option, check_option, field_options

__all__ = ["index"]


@click.command()
@click.argument("src", type=click.Path(path_type=Path))
@click.argument("dst", required=False, type=click.Path(path_type=Path))
@click.option("--split", default="train", show_default=True, help="Name of the split.")
@click.option("--classes", type=click.File(), help="File with one class name a line, in label order.")
@bad_files_option("What to do with members that are not records, and with images that cannot be read.")
@field_options
@check_option("How to find images that cannot be decoded; see `fastinet convert`.")
@click.option("--workers", type=int, help="Tars read at the same time. By default, the CPUs.")
def index(src: Path, dst: Path | None, classes: Iterable[str] | None, **options: Any) -> None:
    """Index the WebDataset tars in SRC, so that they can be loaded without converting them.

    Writes a sidecar for each tar, and the manifest, to DST, or beside the tars if DST is not given. The tars
    are only read. As in WebDataset, the first dot in a member's file name ends the key of its record, and the
    rest is the field: s1.jpg, s1.cls. Members that do not form a record (no image, several images, a field
    that occurs twice) are bad files.
    """
    from fastinet.conversion.index import index as run
    from fastinet.format.file_kinds import describe_ignored

    names = None if classes is None else [line.strip() for line in classes if line.strip()]
    report = run(src, dst, classes=names, **options)
    click.echo(f"{report.path}: {report.records:,} records in {report.shards:,} tars")
    if report.unlabelled:
        click.echo(f"{report.unlabelled:,} records without a label")
    for tar, name, reason in (*report.left_out, *report.undecodable):
        click.echo(f"{tar}: {name}: {reason}", err=True)
    for text in describe_ignored({kind or "no field": n for kind, n in report.ignored.items()}):
        click.echo(f"members not used: {text}")
