"""Where the CPU time of the whole loader goes, stage by stage.

    make bench-profile IMAGES=/path/to/ImageFolder
    python benchmarks/profile_loader.py --images DIR --module build/profile/src_cpp [--work train-uint8]

Linux's perf samples all threads of a process that does nothing but load; each sample counts for the stage
whose function stands innermost on its stack. What is in no stage is "everything else": Python, the reading
of records, random numbers, the kernel. `--module` is where the module built with symbols lies.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

import machine
import peers

STAGES = {
    "entropy decoding": r"EntropyDecoder|McuDecoder|Huffman|SkipTable|ScanReader|EntryPointView",
    "dequantise, inverse DCT": r"idct|inverse_dct",
    "upsampling, colour": r"upsample|h[12]v[12]|ycc|BaselineDecoder",
    "resampling": r"[Rr]esampl|windows|gather_rows|vertical|horizontal|compute_coefficients|OutputAxis",
    "output": r"OutputWriter|to_float|to_half|interleave",
    "checksums": r"XXH|libxxhash",
}
OTHER = "everything else"

_PATTERNS = {stage: re.compile(pattern) for stage, pattern in STAGES.items()}
_FREQUENCY = 499  # samples a second of CPU time: no multiple of any clock


def stage_of(stack: list[str]) -> str:
    """The stage of a stack of symbols, innermost first."""
    for symbol in stack:
        for stage, pattern in _PATTERNS.items():
            if pattern.search(symbol):
                return stage
    return OTHER


def stacks(data: Path) -> Iterator[list[str]]:
    """Symbols and files of each sample that perf recorded, innermost first."""
    script = subprocess.run(
        ["perf", "script", "-i", str(data), "-F", "ip,sym,dso"], check=True, capture_output=True, text=True
    ).stdout
    for sample in script.split("\n\n"):
        frames = [line.strip().partition(" ")[2] for line in sample.splitlines() if line.strip()]
        if frames:
            yield frames


def record(work: peers.Work, module: Path, seconds: float, data: Path) -> float:
    """Profiles a process that loads until it is ended; returns its images/s."""
    fields = {**vars(work), "images": str(work.images), "shards": str(work.shards)}
    command = [sys.executable, __file__, "--load", json.dumps(fields)]
    environment = {**os.environ, "FASTINET_PROFILE_MODULE": str(module.absolute())}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as loading:
        try:
            assert loading.stdout is not None
            if loading.stdout.readline() != "ready\n":
                raise click.ClickException("the loader did not start")
            subprocess.run(
                [
                    "perf",
                    "record",
                    "-q",
                    "-e",
                    "cpu-clock",
                    "-F",
                    str(_FREQUENCY),
                    "--call-graph",
                    "dwarf,4096",
                    "-p",
                    str(loading.pid),
                    "-o",
                    str(data),
                    "--",
                    "sleep",
                    str(seconds),
                ],
                check=True,
                stdout=subprocess.DEVNULL,
            )
        finally:
            loading.terminate()
        rates = [float(line) for line in loading.stdout]
    return max(rates, default=0.0)


def load_for_ever(text: str) -> None:
    """The process that is profiled."""
    import importlib.util

    module = next(Path(os.environ["FASTINET_PROFILE_MODULE"]).glob("_core*.so"))
    spec = importlib.util.spec_from_file_location("fastinet._core", module)
    assert spec is not None
    assert spec.loader is not None
    core = importlib.util.module_from_spec(spec)
    sys.modules["fastinet._core"] = core
    spec.loader.exec_module(core)
    fields = json.loads(text)
    work = peers.Work(**{**fields, "images": Path(fields["images"]), "shards": Path(fields["shards"])})
    epoch = peers.load("fastinet").open_epochs(work)
    epoch()
    print("ready", flush=True)
    while True:
        start = time.perf_counter()
        print(epoch() / (time.perf_counter() - start), flush=True)


@click.command(context_settings={"show_default": True})
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--module", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--work", "kind", type=click.Choice(list(peers.WORKS)), default="train")
@click.option("--threads", default=2)
@click.option("--batch-size", default=256)
@click.option("--seconds", default=10.0)
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--load", hidden=True)
def main(
    images: Path | None,
    module: Path | None,
    kind: str,
    threads: int,
    batch_size: int,
    seconds: float,
    json_path: Path | None,
    load: str | None,
) -> None:
    """Print what share of the loader's CPU time each stage takes."""
    if load is not None:
        return load_for_ever(load)
    if images is None or module is None:
        raise click.UsageError("--images and --module are needed")
    if shutil.which("perf") is None:
        raise click.ClickException("needs perf; on Debian: apt-get install linux-perf")
    import fastinet

    with tempfile.TemporaryDirectory(prefix="fastinet-profile-") as scratch:
        folder = Path(scratch)
        fastinet.convert(images, folder / "shards")
        work = peers.Work(kind, images.absolute(), folder / "shards" / "train", threads, batch_size)
        rate = record(work, module, seconds, folder / "perf.data")
        counts: Counter[str] = Counter()
        others: Counter[str] = Counter()
        for stack in stacks(folder / "perf.data"):
            stage = stage_of(stack)
            counts[stage] += 1
            if stage == OTHER:
                others[stack[0]] += 1  # of the kernel and of Python, for the most part
    total = counts.total()
    if not total:
        raise click.ClickException("perf recorded nothing")
    table = Table("stage", "share of CPU time", title=f"{kind}: {peers.WORKS[kind]}", title_justify="left")
    for stage in (*STAGES, OTHER):
        table.add_row(stage, f"{counts[stage] / total:.1%}")
    console = Console()
    console.print(table)
    most = ", ".join(f"{symbol} {n / total:.1%}" for symbol, n in others.most_common(8))
    console.print(f"{OTHER}: {most}", highlight=False)
    console.print(f"{total} samples, {threads} threads, up to {rate:.0f} images/s")
    if json_path is not None:
        shares = {stage: counts[stage] / total for stage in (*STAGES, OTHER)}
        about = {"machine": machine.describe("fastinet"), "work": kind, "threads": threads, "samples": total}
        json_path.write_text(json.dumps({**about, "shares": shares}, indent=1) + "\n")
    return None


if __name__ == "__main__":
    main()
