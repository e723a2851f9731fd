"""``fastinet inspect``."""

from __future__ import annotations

from pathlib import Path

import click

from fastinet.cli.options import json_option, print_report, write_json

__all__ = ["inspect"]


@click.command()
@click.argument("path", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--split", multiple=True, help="Inspect only this split of the dataset in DIR; repeatable.")
@click.option(
    "--html",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write an HTML page: one file that loads nothing from the network.",
)
@json_option
@click.option(
    "--images",
    type=int,
    default=1000,
    show_default=True,
    help="Number of sample images of the classes on the page, about 4 KB each.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the choice of samples.")
def inspect(
    path: Path, split: tuple[str, ...], html: Path | None, json_file: Path | None, images: int, seed: int
) -> None:
    """Describe the dataset in DIR: classes, sizes, formats, unusual images, boxes, and how it was made."""
    from fastinet.inspection import inspect as run
    from fastinet.views import pages

    if html is not None:
        pages.prepare(html)
    report = run(path, split=split or None, seed=seed, progress=True)
    print_report(report)
    if json_file is not None:
        write_json(json_file, report.to_json())
    if html is not None:
        for key, reason in report.write_html(html, images=images, progress=True):
            click.echo(f"fastinet: {key}: {reason}", err=True)
        click.echo(f"{html}: {html.stat().st_size / 1e6:.1f} MB")
