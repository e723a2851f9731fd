"""``fastinet bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fastinet.cli.options import json_option, print_report, write_json

__all__ = ["bench"]


@click.command()
@click.argument("path", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--classes",
    multiple=True,
    metavar="CLASS",
    help="Load only these classes, chosen as for `fastinet classes`; repeatable.",
)
@click.option(
    "--work",
    type=click.Choice(["train", "eval"]),
    default="train",
    show_default=True,
    help="Transform: RandomResizedCrop and flip (train), or Resize and CenterCrop (eval).",
)
@click.option(
    "--threads", type=int, multiple=True, help="Number of decoding threads; repeat to measure several."
)
@click.option("--batch-size", type=int, default=256, show_default=True, help="Images in a batch.")
@click.option(
    "--size", type=int, default=224, show_default=True, help="Side of the square images, in pixels."
)
@click.option(
    "--dtype", type=click.Choice(["uint8", "float16", "float32"]), default="float32", show_default=True
)
@click.option("--layout", type=click.Choice(["NCHW", "NHWC"]), default="NCHW", show_default=True)
@click.option("--seconds", type=float, default=3.0, show_default=True, help="Least duration of a run.")
@click.option("--repeats", type=int, default=3, show_default=True, help="Runs for each number of threads.")
@json_option
@click.option(
    "--html", type=click.Path(path_type=Path), metavar="FILE", help="Also write an HTML page with charts."
)
def bench(
    path: Path,
    threads: tuple[int, ...],
    classes: tuple[str, ...],
    json_file: Path | None,
    html: Path | None,
    **options: Any,
) -> None:
    """Measure how fast the split in DIR loads on this machine."""
    from fastinet.benchmarking import bench as run
    from fastinet.views import pages

    if html is not None:
        pages.prepare(html)
    report = run(path, threads=threads or None, classes=classes or None, **options)
    print_report(report)
    if json_file is not None:
        write_json(json_file, report.to_json())
    if html is not None:
        report.write_html(html)
