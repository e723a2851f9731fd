"""START HERE: measures how fast a dataset loads: wall and CPU time after a warm-up, repeated."""

from __future__ import annotations

import os
import platform
import resource
import shlex
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from fastinet import _core
from fastinet.cpus import available_cpus
from fastinet.dataset import Dataset, Selection
from fastinet.errors import ArgumentError
from fastinet.loading import transforms
from fastinet.loading.loader import Loader
from fastinet.reports import Report
from fastinet.version import __version__

__all__ = ["BenchReport", "BenchResult", "bench"]

Work = Literal["train", "eval"]


@dataclass(frozen=True)
class BenchResult:
    """The measurement for one number of threads.

    Attributes:
        threads: number of decoding threads.
        images: number of images in each repeat.
        images_per_second: median of the repeats.
        cpu_seconds: user and system time of the whole process per 1000 images, the least of the repeats.
        megabytes_per_second: megabytes of encoded images, at that rate.
    """

    threads: int
    images: int
    images_per_second: float
    cpu_seconds: float
    megabytes_per_second: float


@dataclass(frozen=True)
class BenchReport(Report):
    """The report of :func:`bench`. ``rich`` prints it, and ``write_html`` writes it as a page.

    Attributes:
        path: folder of the split.
        work: "train" or "eval".
        records: number of images in an epoch.
        batch_size, size, dtype, layout, seconds, repeats, classes: the arguments of :func:`bench`.
        machine: the CPU, the system, versions, and the time of the measurement.
        results: one for each number of threads.
    """

    view: ClassVar[str] = "benchmarking"

    path: str
    work: str
    records: int
    batch_size: int
    size: int
    dtype: str
    layout: str
    seconds: float
    repeats: int
    classes: Sequence[str | int] | None
    machine: dict[str, Any]
    results: Sequence[BenchResult] = field(default_factory=tuple)

    @property
    def command(self) -> str:
        """The command line that repeats the measurement."""
        words = ["fastinet", "bench", self.path, "--work", self.work]
        for result in self.results:
            words += ["--threads", str(result.threads)]
        for name in self.classes or ():
            words += ["--classes", str(name)]
        for option in ("batch_size", "size", "dtype", "layout", "seconds", "repeats"):
            words += ["--" + option.replace("_", "-"), str(getattr(self, option))]
        return shlex.join(words)

    def write_html(self, file: str | os.PathLike[str]) -> None:
        """Writes a self-contained HTML page with charts.

        Raises:
            UnsupportedError: Jinja2 is not installed (``pip install 'fastinet[html]'``).
            ShardIOError: the file cannot be written.
        """
        self._view().write_page(self, file)

    def to_json(self) -> dict[str, Any]:
        """Returns the whole report in the types of JSON."""
        return asdict(self)


def bench(
    path: str | os.PathLike[str],
    *,
    work: Work = "train",
    threads: Sequence[int] | None = None,
    batch_size: int = 256,
    size: int = 224,
    dtype: str = "float32",
    layout: str = "NCHW",
    seconds: float = 3.0,
    repeats: int = 3,
    classes: Sequence[str | int] | None = None,
) -> BenchReport:
    """Loads batches as a training loop would, discards them, and measures the time.

    For each number of threads there is a warm-up of one epoch or `seconds`, whichever is shorter, which also
    fills the page cache. Then follow `repeats` runs of at least `seconds` each, over whole epochs.

    Args:
        path: folder of the split.
        work: "train" stands for RandomResizedCrop(size), RandomHorizontalFlip and Normalize, shuffled;
            "eval" for Resize(size * 256 // 224), CenterCrop(size) and Normalize, in order.
        threads: numbers of decoding threads to measure; None: 1, 2, 4, ... up to the number of CPUs.
        batch_size, dtype, layout: of the batches, as for :class:`fastinet.Loader`.
        size: side of the square images, in pixels.
        seconds: least duration of a run.
        repeats: number of runs for each number of threads.
        classes: load only these classes, as for :class:`fastinet.Loader`.

    Raises:
        ArgumentError: an argument is out of its range.
        MissingFileError, FormatError: as for :class:`fastinet.Dataset`.
    """
    if work not in ("train", "eval"):
        raise ArgumentError(f"work must be 'train' or 'eval', not {work!r}")
    if repeats < 1 or seconds <= 0:
        raise ArgumentError(f"repeats and seconds must be positive, not {repeats} and {seconds}")
    dataset = Dataset(path)
    chosen = None if classes is None else dataset.select(*classes)
    records = len(dataset if chosen is None else chosen)
    results = []
    for count in threads or _powers_of_two(available_cpus()):
        loader = _loader(dataset if chosen is None else chosen, work, count, batch_size, size, dtype, layout)
        try:
            _run(loader, seconds, whole_epochs=False)
            runs = [_run(loader, seconds, whole_epochs=True) for _ in range(repeats)]
        finally:
            loader.close()
        rate = statistics.median(run.images / run.wall for run in runs)
        mean_bytes = statistics.mean(run.bytes / run.images for run in runs)
        results.append(
            BenchResult(
                threads=count,
                images=runs[0].images,
                images_per_second=rate,
                cpu_seconds=min(run.cpu / run.images for run in runs) * 1000,
                megabytes_per_second=rate * mean_bytes / 1e6,
            )
        )
    return BenchReport(
        path=str(Path(path)),
        work=work,
        records=records,
        batch_size=batch_size,
        size=size,
        dtype=dtype,
        layout=layout,
        seconds=seconds,
        repeats=repeats,
        classes=None if classes is None else tuple(classes),
        machine=_machine(),
        results=tuple(results),
    )


@dataclass
class _Run:
    images: int = 0
    bytes: int = 0
    wall: float = 0.0
    cpu: float = 0.0


def _run(loader: Any, seconds: float, whole_epochs: bool) -> _Run:
    run, start, cpu = _Run(), time.perf_counter(), _cpu_seconds()
    bytes_before = loader.stats["payload_bytes"]
    while True:
        for (images,) in loader:
            run.images += len(images)
            if not whole_epochs and time.perf_counter() - start > seconds:
                break
        run.wall = time.perf_counter() - start
        if not whole_epochs or run.wall > seconds:
            run.cpu = _cpu_seconds() - cpu
            run.bytes = loader.stats["payload_bytes"] - bytes_before
            return run


def _loader(
    records: Dataset | Selection,
    work: Work,
    threads: int,
    batch_size: int,
    size: int,
    dtype: str,
    layout: str,
) -> Any:
    steps: list[Any] = (
        [transforms.RandomResizedCrop(size), transforms.RandomHorizontalFlip()]
        if work == "train"
        else [transforms.Resize(size * 256 // 224), transforms.CenterCrop(size)]
    )
    if dtype != "uint8":
        steps.append(transforms.Normalize())
    return Loader(
        records,
        batch_size,
        steps,
        shuffle=work == "train",
        threads=threads,
        dtype=dtype,
        layout=layout,
        columns=("image",),
        rank=0,
        world_size=1,
    )


def _powers_of_two(most: int) -> list[int]:
    counts = [1]
    while counts[-1] * 2 <= most:
        counts.append(counts[-1] * 2)
    return counts if counts[-1] == most else [*counts, most]


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _machine() -> dict[str, Any]:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {
        "cpu": model,
        "cpus": available_cpus(),
        "simd": _core.simd_level(),
        "fastinet": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "time": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
    }
