"""``fastinet verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastinet.cli.errors import BAD_DATA
from fastinet.cli.options import json_option, print_report, write_json
from fastinet.errors import MissingFileError

if TYPE_CHECKING:
    from fastinet.verification import VerifyReport

__all__ = ["verify"]

_MOST_LISTED = 20  # problems


@click.command()
@click.argument("path", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--decode",
    is_flag=True,
    help="Also decode every image, and compare the entry points of every image, not of one in 64, with a "
    "fresh scan.",
)
@click.option(
    "--expect",
    metavar="DATASET",
    help="Fail unless each split is the whole split of this published dataset: ilsvrc2012, ilsvrc2010, "
    "imagenet21k-fall11, imagenet21k-winter21, tiny-imagenet, imagenette2 or imagewoof2.",
)
@click.option(
    "--duplicates",
    type=click.Choice(["none", "exact", "perceptual"]),
    default="exact",
    show_default=True,
    help="Find images with the same bytes (exact), and also those that look the same (perceptual), which "
    "decodes every image.",
)
@click.option(
    "--distance",
    type=int,
    metavar="BITS",
    help="How many of the 64 bits of two perceptual hashes may differ.  [default: 6]",
)
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Also report images that occur in this other dataset.",
)
@click.option(
    "--fail-on",
    multiple=True,
    type=click.Choice(["duplicates", "overlap"]),
    help="Fail if images have the same bytes: in different splits (overlap), or anywhere (duplicates).",
)
@click.option("--workers", type=int, help="Shards checked at the same time. By default, the CPUs.")
@json_option
def verify(path: Path, json_file: Path | None, **options: Any) -> None:
    """Read the whole dataset in DIR, compare every checksum, and report every problem (exit status 3).

    Sidecars are compared with the tars (offsets, keys, labels, boxes) and with the images (format, size,
    orientation, entry points). Attached columns, the hierarchy and the names of files are checked, too.

    Remarks are printed about the balance of the classes, differences from a published dataset, labels that
    contradict the image's name, and images that occur more than once.
    """
    from fastinet.verification import verify as run

    if json_file is not None and not json_file.absolute().parent.is_dir():  # found now, not hours later
        raise MissingFileError(f"{json_file}: its folder does not exist", path=str(json_file))
    report = run(path, progress=True, **options)
    _print_problems(report)
    print_report(report)
    click.echo(_summary(report, options["decode"]))
    if json_file is not None:
        write_json(json_file, report.to_json())
    if not report.ok:
        click.get_current_context().exit(BAD_DATA)


def _print_problems(report: VerifyReport) -> None:
    for problem in report.problems[:_MOST_LISTED]:
        click.echo(f"fastinet: {problem}", err=True)
    if report.problem_count > _MOST_LISTED:
        more = report.problem_count - _MOST_LISTED
        click.echo(
            f"fastinet: ... and {more:,} more problems; --json FILE lists up to 1,000 a shard", err=True
        )


def _summary(report: VerifyReport, decoded: bool) -> str:
    rate = report.payload_bytes / 1e6 / max(report.seconds, 1e-6)
    return (
        f"{report.records:,} records in {report.shards:,} shards of {report.splits} split(s)"
        + (f", {report.decoded:,} images decoded" if decoded else "")
        + f", {report.seconds:.1f} s, {rate:,.0f} MB/s: "
        + ("no problems" if report.ok else f"{report.problem_count:,} problem(s)")
    )
