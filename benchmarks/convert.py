"""Conversion of an ImageFolder beside webdataset's ShardWriter: the same files, the same disk, in one run.

python benchmarks/convert.py IMAGES [--copies N] [--repeats N]

Each way converts the whole folder in turn, `repeats` times over, from a warm page cache; images/s are of the
fastest repeat, CPU-seconds (user and system) of the cheapest. fastinet also hashes every image, parses its
header, fsyncs each shard and writes a sidecar; webdataset's writer does none of that.
"""

from __future__ import annotations

import json
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import webdataset  # type: ignore[import-untyped, unused-ignore]
from rich.console import Console
from rich.table import Table

import fastinet
from fastinet.conversion import Extent, ImageFolder
from machine import describe

RECORDS = 250  # a shard; the same for all


def with_fastinet(entry_points: bool, workers: int | None) -> Callable[[Path, Path], None]:
    def run(src: Path, dst: Path) -> None:
        fastinet.convert(src, dst, shard_size=str(RECORDS), entry_points=entry_points, workers=workers)

    return run


def with_webdataset(src: Path, dst: Path) -> None:
    dst.mkdir()
    with webdataset.ShardWriter(f"{dst}/%06d.tar", maxcount=RECORDS, verbose=0) as writer:
        for sample in ImageFolder(src).samples("train"):
            assert isinstance(sample.payload, Extent)
            data = Path(sample.payload.path).read_bytes()
            writer.write({"__key__": sample.key, "jpg": data, "cls": str(sample.label).encode()})


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@click.command()
@click.argument("images", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--copies", default=4, show_default=True, help="Of the images, as further classes.")
@click.option("--repeats", default=5, show_default=True)
@click.option("--workers", type=int, help="Of fastinet, if not its default; webdataset writes with one.")
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Where to write; a temporary folder if not given."
)
@click.option("--json", "json_file", type=click.Path(path_type=Path))
def main(
    images: Path, copies: int, repeats: int, workers: int | None, folder: Path | None, json_file: Path | None
) -> None:
    """Measure conversion of the ImageFolder IMAGES."""
    ways = {
        "fastinet, bytes passed through": with_fastinet(False, workers),
        "fastinet, with entry points": with_fastinet(True, workers),
        "webdataset ShardWriter": with_webdataset,
    }
    best: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        src = Path(scratch) / "src"
        for copy in range(copies):
            for entry in sorted(images.resolve().iterdir()):
                shutil.copytree(entry, src / f"{copy}_{entry.name}")
        records = sum(1 for _ in ImageFolder(src, split="train").samples("train"))
        for _ in range(repeats):
            for name, way in ways.items():
                dst = Path(scratch) / "dst"
                wall, cpu = time.perf_counter(), cpu_seconds()
                way(src, dst)
                wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
                shutil.rmtree(dst)
                least = best.get(name, (wall, cpu))
                best[name] = (min(wall, least[0]), min(cpu, least[1]))
    table = Table("", "images/s", "CPU-s per 1000 images", title=f"{records} images")
    for name, (wall, cpu) in best.items():
        table.add_row(name, f"{records / wall:,.0f}", f"{cpu / records * 1000:.3f}")
    Console().print(table)
    if json_file is not None:
        figures = {
            name: {"images_per_second": records / wall, "cpu_seconds": cpu / records * 1000}
            for name, (wall, cpu) in best.items()
        }
        report = {"machine": describe("fastinet", "webdataset"), "images": records, "ways": figures}
        json_file.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
