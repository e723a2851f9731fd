"""A measurement of :func:`fastinet.bench` as one page to look at."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np

from fastinet import views
from fastinet.benchmarking.run import BenchReport, BenchResult
from fastinet.views.charts import Chart, Tick, bars

__all__ = ["write"]


def write(report: BenchReport, file: str | os.PathLike[str]) -> None:
    """As :meth:`BenchReport.write_html`."""
    results = report.results
    best = max(results, key=lambda result: result.images_per_second)
    page = views.render(
        "bench.html",
        report=report,
        best=best,
        rates=_chart(results, lambda r: r.images_per_second, "{:,.0f}", "images/s", ideal=True),
        costs=_chart(results, lambda r: r.cpu_seconds, "{:.3f}", "CPU-seconds per 1000 images"),
        speed_up=[r.images_per_second / results[0].images_per_second for r in results],
    )
    views.write(file, page)


def _chart(
    results: Sequence[BenchResult],
    value: Callable[[BenchResult], float],
    form: str,
    what: str,
    ideal: bool = False,
) -> Chart:
    """A bar for each number of threads; `ideal`: with a mark where as many times the first would be."""
    values = [value(result) for result in results]
    perfect = [values[0] * result.threads / results[0].threads for result in results]
    top = _rounded_up(max(values))
    threads = [f"{result.threads} thread{'s' * (result.threads != 1)}" for result in results]

    def title(i: int) -> str:
        found = f"{threads[i]}: {form.format(values[i])} {what}"
        return f"{found}; {values[i] / perfect[i]:.0%} of {form.format(perfect[i])}" if ideal and i else found

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
    """To the next 1, 2, 3, 4, 5, 6 or 8 times a power of ten, where a chart's axis may end."""
    unit = 10.0 ** np.floor(np.log10(value))
    return float(next(step * unit for step in (1, 2, 3, 4, 5, 6, 8, 10) if step * unit >= value))
