"""Whole loaders side by side: the same images, the same work, the same threads, one run.

    make bench IMAGES=/path/to/ImageFolder
    .venv/bin/python benchmarks/loaders.py --images DIR --work train --peers fastinet,dali --rounds 5

Counts CPU-seconds per 1000 images (user and system time of all processes of a loader), which says more than
images/s where a machine has other work or a training process wants the cores.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

import fastinet
import machine
import peers
from reference import image_folder
from side_by_side import Result, measure

sys.path.append(str(Path(__file__).resolve().parents[1] / "scripts"))
from make_sample_images import write_image_folder

console = Console()


@click.command(context_settings={"show_default": True})
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="ImageFolder tree; without it, 512 photo-like images are made.",
)
@click.option("--work", "works", default=",".join(peers.WORKS), help="Kinds of work, comma-separated.")
@click.option("--peers", "names", default=",".join(peers.NAMES), help="Loaders, comma-separated.")
@click.option(
    "--python",
    "interpreters",
    multiple=True,
    metavar="LOADER=FILE",
    help="Interpreter for a loader whose packages do not go with the others'; needs psutil and Pillow too.",
)
@click.option("--threads", default=2, help="Worker threads or processes of each loader.")
@click.option("--batch-size", default=256)
@click.option("--rounds", default=5, help="Turns that every loader gets.")
@click.option("--epochs", default=2, help="Epochs a turn.")
@click.option(
    "--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), help="Write figures here."
)
def main(
    images: Path | None,
    works: str,
    names: str,
    interpreters: tuple[str, ...],
    threads: int,
    batch_size: int,
    rounds: int,
    epochs: int,
    json_path: Path | None,
) -> None:
    """Measure loaders side by side."""
    chosen, kinds = names.split(","), works.split(",")
    for given, known in ((chosen, peers.NAMES), (kinds, tuple(peers.WORKS))):
        if unknown := set(given) - set(known):
            raise click.UsageError(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(known)}")
    pythons = dict(_interpreter(text) for text in interpreters)
    with tempfile.TemporaryDirectory(prefix="fastinet-bench-") as scratch:
        folder = Path(scratch)
        if images is None:
            images = folder / "images"
            write_image_folder(images, classes=16, per_class=32)
        count = len(image_folder(images))
        per_shard = -(-count // max(threads, 2))  # webdataset wants a shard for each worker
        fastinet.convert(images, folder / "shards", shard_size=str(per_shard))
        about = {
            "command": shlex.join(["benchmarks/loaders.py", *sys.argv[1:]]),
            "machine": machine.describe("fastinet", "numpy", "pillow"),
            "simd": fastinet._core.simd_level(),
            "images": count,
            "threads": threads,
            "batch_size": batch_size,
            "rounds": rounds,
            "epochs": epochs,
        }
        results = {}
        for kind in kinds:
            work = peers.Work(kind, images.absolute(), folder / "shards" / "train", threads, batch_size)
            try:
                with console.status("") as status:
                    results[kind] = measure(
                        chosen,
                        work,
                        rounds=rounds,
                        epochs=epochs,
                        logs=folder / "logs",
                        interpreters=pythons,
                        tell=status.update,
                    )
            except RuntimeError as e:
                raise click.ClickException(str(e)) from None
            console.print(table(kind, results[kind]))
    measured = {row.peer for rows in results.values() for row in rows if row.unavailable is None}
    for name in chosen:
        if name in measured and name in peers.NOTES:
            console.print(peers.NOTES[name])
    host = about["machine"]
    assert isinstance(host, dict)
    console.print(
        f"{count} images, batches of {batch_size}, {threads} threads; {host['cpu']}, {host['date']}"
    )
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        figures = {kind: [asdict(result) for result in rows] for kind, rows in results.items()}
        json_path.write_text(json.dumps({**about, "results": figures}, indent=1) + "\n")


def _interpreter(text: str) -> tuple[str, str]:
    name, _, file = text.partition("=")
    if name not in peers.NAMES:
        raise click.BadParameter(f"{text}: expected LOADER=FILE, LOADER one of {', '.join(peers.NAMES)}")
    found = shutil.which(file)
    if found is None:
        raise click.BadParameter(f"{text}: no program {file!r}")
    return name, str(Path(found).absolute())


def table(kind: str, results: list[Result]) -> Table:
    """Figures of one kind of work; ratios are to the first loader."""
    shown = Table(title=f"{kind}: {peers.WORKS[kind]}", title_justify="left")
    shown.add_column("loader")
    for column in ("CPU-s per 1000: min", "median", "ratio", "images/s"):
        shown.add_column(column, justify="right")
    base = results[0].best_cpu if results[0].unavailable is None else None
    for result in results:
        title = peers.TITLES[result.peer]
        if result.unavailable is not None:
            shown.add_row(title, f"[dim]{result.unavailable}[/]")
            continue
        shown.add_row(
            title,
            f"{result.best_cpu:.3f}",
            f"{result.median_cpu:.3f}",
            f"{result.best_cpu / base:.2f}" if base else "",
            f"{result.median_rate:.0f}",
        )
    return shown


if __name__ == "__main__":
    main()
