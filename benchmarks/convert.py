"""Conversion of an ImageFolder and of ILSVRC-2012's training archive beside others, on one disk, in one run.

python benchmarks/convert.py IMAGES [--copies N] [--repeats N]

IMAGES has a folder for each WNID. Each way takes its turn at the same images, `repeats` times over, from a
warm page cache; images/s are of the fastest repeat, CPU-seconds (user and system) of the cheapest. The folder
is beside webdataset's ShardWriter; the archive, a tar of tars, beside Python's tarfile, which only reads it.
fastinet also hashes every image, parses its header, fsyncs each shard and writes a sidecar; "checked" are
images whose data were walked through or decoded (``check="fast"``), "in full" all of them by Pillow. The
others do none of that.
"""

from __future__ import annotations

import io
import json
import resource
import shutil
import tarfile
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
from fastinet.format.policies import Check
from machine import describe

RECORDS = 250  # a shard; the same for all


def with_fastinet(entry_points: bool, workers: int | None, check: Check) -> Callable[[Path, Path], None]:
    def run(src: Path, dst: Path) -> None:
        fastinet.convert(
            src, dst, shard_size=str(RECORDS), entry_points=entry_points, check=check, workers=workers
        )

    return run


def with_webdataset(src: Path, dst: Path) -> None:
    dst.mkdir()
    with webdataset.ShardWriter(f"{dst}/%06d.tar", maxcount=RECORDS, verbose=0) as writer:
        for sample in ImageFolder(src).samples("train"):
            assert isinstance(sample.payload, Extent)
            data = Path(sample.payload.path).read_bytes()
            writer.write({"__key__": sample.key, "jpg": data, "cls": str(sample.label).encode()})


def read_with_tarfile(src: Path, dst: Path) -> None:
    dst.mkdir()
    with tarfile.open(src) as outer:
        for synset in outer:
            with tarfile.open(fileobj=outer.extractfile(synset)) as inner:
                for member in inner:
                    data = inner.extractfile(member)
                    assert data is not None
                    data.read()


def write_archive(images: Path, copies: int, path: Path) -> None:
    """A tar of one tar a folder, as ``ILSVRC2012_img_train.tar`` is."""
    with tarfile.open(path, "w") as outer:
        for folder in sorted(images.iterdir()):
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode="w") as inner:
                for copy in range(copies):
                    for number, file in enumerate(sorted(folder.iterdir())):
                        inner.add(file, f"{folder.name}_{copy}{number:04d}.JPEG")
            member = tarfile.TarInfo(f"{folder.name}.tar")
            member.size = buffer.tell()
            buffer.seek(0)
            outer.addfile(member, buffer)


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
    """Measure conversion of the images in IMAGES, as a folder and as an archive."""
    best: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        src, archive = Path(scratch) / "src", Path(scratch) / "ILSVRC2012_img_train.tar"
        for copy in range(copies):
            for entry in sorted(images.resolve().iterdir()):
                shutil.copytree(entry, src / f"{copy}_{entry.name}")
        write_archive(images.resolve(), copies, archive)
        records = sum(1 for _ in ImageFolder(src, split="train").samples("train"))
        ways = {
            "folder: fastinet, bytes passed through": (with_fastinet(False, workers, "none"), src),
            "folder: fastinet, checked": (with_fastinet(False, workers, "fast"), src),
            "folder: fastinet, with entry points": (with_fastinet(True, workers, "none"), src),
            "folder: fastinet, with entry points, checked": (with_fastinet(True, workers, "fast"), src),
            "folder: fastinet, with entry points, checked in full": (
                with_fastinet(True, workers, "full"),
                src,
            ),
            "folder: webdataset ShardWriter": (with_webdataset, src),
            "archive: fastinet, bytes passed through": (with_fastinet(False, workers, "none"), archive),
            "archive: fastinet, with entry points, checked": (with_fastinet(True, workers, "fast"), archive),
            "archive: Python's tarfile, reading only": (read_with_tarfile, archive),
        }
        for _ in range(repeats):
            for name, (way, source) in ways.items():
                dst = Path(scratch) / "dst"
                wall, cpu = time.perf_counter(), cpu_seconds()
                way(source, dst)
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
