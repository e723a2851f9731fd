"""Peak memory of conversion, index, verify and export by number of records: it must not grow with them.

python benchmarks/convert_memory.py [--records 10000 --records 100000] [--ways imagefolder,ilsvrc,...]

Each command runs in a process of its own, over tiny images that are made for it; the figure is that
process's greatest resident set (``VmHWM``; ``ru_maxrss`` begins with the parent's), which also counts the
pages of mapped files. The last column is the growth from the last dataset but one to the last, in bytes a
record: the first few shards bring buffers, caches and the allocator to their size.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click
from PIL import Image
from rich.console import Console
from rich.table import Table

from machine import describe

_PER_CLASS = 1000
_SHARD = "1000"
_CHILD = """
import sys
from fastinet.cli import cli
cli.main(sys.argv[1:], standalone_mode=False)
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def tiny_images() -> list[bytes]:
    """A hundred different JPEGs of some hundred bytes."""
    images = []
    for shade in range(100):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8), (2 * shade, 128, 255 - shade)).save(buffer, "jpeg")
        images.append(buffer.getvalue())
    return images


def synsets(records: int) -> Iterator[tuple[str, range]]:
    """WNIDs, and the numbers of their images."""
    for first in range(0, records, _PER_CLASS):
        yield f"n{first // _PER_CLASS:08d}", range(first, min(first + _PER_CLASS, records))


def image_folder(root: Path, records: int) -> Path:
    images = tiny_images()
    for wnid, numbers in synsets(records):
        folder = root / wnid
        folder.mkdir(parents=True)
        for number in numbers:
            (folder / f"{wnid}_{number}.JPEG").write_bytes(images[number % len(images)])
    return root


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))
    tar.members.clear()  # type: ignore[attr-defined]


def ilsvrc(root: Path, records: int) -> Path:
    """``ILSVRC2012_img_train.tar``: a tar of one tar a synset."""
    images = tiny_images()
    with tarfile.open(root / "ILSVRC2012_img_train.tar", "w") as outer:
        for wnid, numbers in synsets(records):
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode="w") as inner:
                for number in numbers:
                    add(inner, f"{wnid}_{number}.JPEG", images[number % len(images)])
            add(outer, f"{wnid}.tar", buffer.getvalue())
    return root


def gzipped(root: Path, records: int) -> Path:
    """``winter21_whole.tar.gz``, which can only be read from front to back."""
    tar = ilsvrc(root, records) / "ILSVRC2012_img_train.tar"
    with tar.open("rb") as plain:
        subprocess.run(
            ["gzip", "-1"], stdin=plain, stdout=(root / "winter21_whole.tar.gz").open("wb"), check=True
        )
    tar.unlink()
    return root


def csv_list(root: Path, records: int) -> Path:
    """A list of files that are the same thousand again and again, through links to their folder."""
    images = tiny_images()
    (root / "images").mkdir()
    for number in range(_PER_CLASS):
        (root / "images" / f"{number}.jpg").write_bytes(images[number % len(images)])
    with (root / "list.csv").open("w") as file:
        file.write("path,label\n")
        for wnid, numbers in synsets(records):
            (root / wnid).symlink_to("images")
            file.writelines(f"{wnid}/{n % _PER_CLASS}.jpg,{n % 100}\n" for n in numbers)
    return root / "list.csv"


def parquet(root: Path, records: int) -> Path:
    import pyarrow  # type: ignore[import-untyped, unused-ignore]
    from pyarrow import parquet as files  # type: ignore[import-untyped, unused-ignore]

    images = tiny_images()
    kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    schema = pyarrow.schema([("image", kind), ("label", pyarrow.int64())])
    with files.ParquetWriter(root / "train-00000-of-00001.parquet", schema) as writer:
        for _, numbers in synsets(records):
            rows = [{"bytes": images[n % len(images)], "path": f"{n:08d}.JPEG"} for n in numbers]
            labels = [n % 100 for n in numbers]
            writer.write_table(pyarrow.table({"image": rows, "label": labels}, schema=schema))
    return root


SOURCES: Mapping[str, tuple[Callable[[Path, int], Path], tuple[str, ...]]] = {
    "imagefolder": (image_folder, ()),
    "imagefolder shuffled": (image_folder, ("--shuffle", "1")),
    "ilsvrc": (ilsvrc, ()),
    "gzip": (gzipped, ()),
    "csv": (csv_list, ()),
    "parquet": (parquet, ()),
}


def peak(*command: str | Path) -> int:
    """Peak memory of ``fastinet COMMAND`` in bytes."""
    run = [sys.executable, "-c", _CHILD, *map(str, command)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"{command}: {done.stderr}")
    return int(done.stdout.split()[-1]) << 10


def measure(name: str, records: int, scratch: Path) -> dict[str, int]:
    """Peaks of a conversion, and, of the first source, of what can be done with its result."""
    make, options = SOURCES[name]
    (scratch / "src").mkdir()
    src = make(scratch / "src", records)
    dst = scratch / "dst"
    peaks = {f"convert {name}": peak("convert", src, dst, "--shard-size", _SHARD, "--workers", "2", *options)}
    if name == next(iter(SOURCES)):
        peaks["verify"] = peak("verify", dst)
        peaks["export"] = peak("export", dst, scratch / "back")
        peaks["index"] = peak("index", dst / "train", scratch / "index", "--workers", "2")
    return peaks


@click.command()
@click.option("--records", type=int, multiple=True, default=(1000, 10_000, 100_000), show_default=True)
@click.option("--ways", default=",".join(SOURCES), show_default=True)
@click.option("--json", "json_file", type=click.Path(path_type=Path))
def main(records: tuple[int, ...], ways: str, json_file: Path | None) -> None:
    """Measure peak memory."""
    found: dict[str, list[int]] = {}
    for name in ways.split(","):
        for number in records:
            with tempfile.TemporaryDirectory() as scratch:
                for way, size in measure(name, number, Path(scratch)).items():
                    found.setdefault(way, []).append(size)
    table = Table("peak memory, MB", *(f"{number:,}" for number in records), "bytes a further record")
    for way, sizes in found.items():
        growth = (sizes[-1] - sizes[-2]) / max(records[-1] - records[-2], 1) if sizes[1:] else 0
        table.add_row(way, *(f"{size / 1e6:.1f}" for size in sizes), f"{growth:.1f}")
    Console().print(table)
    if json_file is not None:
        report = {"machine": describe("fastinet"), "records": records, "peak_bytes": found}
        json_file.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
