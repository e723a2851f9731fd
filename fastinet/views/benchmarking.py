"""The report of :func:`fastinet.bench` on the terminal, and as a page."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fastinet.benchmarking.bench_loading import BenchReport, BenchResult
from fastinet.views import pages
from fastinet.views.charts import Chart, Tick, bars

__all__ = ["render", "write_page"]


def render(report: BenchReport) -> RenderableType:
    """Returns a table with a row for each number of threads, and the machine below it."""
    work = f"{report.work}, batches of {report.batch_size}, {report.dtype} {report.layout}"
    title = f"{report.path}: {report.records:,} records; {work}"
    table = Table(title=title, title_justify="left", show_edge=False)
    for column in ("threads", "images/s", "CPU-s per 1000 images", "encoded MB/s", "speed-up"):
        table.add_column(column, justify="right")
    for result, speed_up in zip(report.results, _speed_ups(report.results), strict=True):
        table.add_row(
            str(result.threads),
            f"{result.images_per_second:,.0f}",
            f"{result.cpu_seconds:.3f}",
            f"{result.megabytes_per_second:,.0f}",
            f"{speed_up:.2f}",
        )
    machine = ", ".join(
        f"{value}" if name in ("cpu", "system") else f"{name} {value}"
        for name, value in report.machine.items()
    )
    return Group(table, Text(machine, style="dim"))


def write_page(report: BenchReport, file: str | os.PathLike[str]) -> None:
    """Implements :meth:`BenchReport.write_html`."""
    results = report.results
    page = pages.render(
        "bench.html",
        report=report,
        best=max(results, key=lambda result: result.images_per_second),
        rates=_chart(results, lambda r: r.images_per_second, "{:,.0f}", "images/s", ideal=True),
        costs=_chart(results, lambda r: r.cpu_seconds, "{:.3f}", "CPU-seconds per 1000 images"),
        speed_up=_speed_ups(results),
    )
    pages.write(file, page)


def _speed_ups(results: Sequence[BenchResult]) -> list[float]:
    """The rate of each result divided by that of the first."""
    return [result.images_per_second / results[0].images_per_second for result in results]


def _chart(
    results: Sequence[BenchResult],
    value: Callable[[BenchResult], float],
    form: str,
    what: str,
    ideal: bool = False,
) -> Chart:
    """Draws a bar for each number of threads. With `ideal`, titles compare it with linear scaling."""
    values = [value(result) for result in results]
    linear = [values[0] * result.threads / results[0].threads for result in results]
    top = _rounded_up(max(values))
    threads = [f"{result.threads} thread{'s' * (result.threads != 1)}" for result in results]

    def title(i: int) -> str:
        text = f"{threads[i]}: {form.format(values[i])} {what}"
        return f"{text}; {values[i] / linear[i]:.0%} of {form.format(linear[i])}" if ideal and i else text

    return bars(
        values,
        f"{what} by number of threads: " + "; ".join(title(i) for i in range(len(results))),
        title,
        [Tick((i + 0.5) / len(results) * 100, threads[i]) for i in range(len(results))],
        heights=[Tick(share, form.format(top * share / 100)) for share in (0, 50, 100)],
        top=top,
        gap=0.5,
        names=[form.format(v) for v in values],
    )


def _rounded_up(value: float) -> float:
    """Rounds up to 1, 2, 3, 4, 5, 6 or 8 times a power of ten, where the axis of a chart may end."""
    unit = 10.0 ** np.floor(np.log10(value))
    return float(next(step * unit for step in (1, 2, 3, 4, 5, 6, 8, 10) if step * unit >= value))
