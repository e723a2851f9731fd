"""Progress on stderr: a bar on a terminal, and otherwise a line every few seconds."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["Meter", "meter"]

_LINE_EVERY = 5.0  # seconds


class Meter:
    """Counts records and bytes. Thread-safe. ``total`` is the number of records; None if it is not known."""

    def __init__(self, what: str, total: int | None) -> None:
        self.what = what
        self.total = total
        self.records = 0
        self.bytes = 0
        self._start = time.monotonic()
        self._lock = threading.Lock()

    def advance(self, records: int, size: int) -> None:
        """Adds records and bytes that have been processed."""
        with self._lock:
            self.records += records
            self.bytes += size
            self._display()

    def skip(self, records: int) -> None:
        """Lowers the total by records that need no work, so that the rate and the time left stay right."""
        with self._lock:
            if self.total is not None:
                self.total -= records
            self._display()

    def text(self) -> str:
        """Returns the rates so far. The rate of bytes is left out while no bytes are counted."""
        seconds = max(time.monotonic() - self._start, 1e-6)
        rate = f"{self.records / seconds:,.0f} images/s"
        return f"{rate}, {self.bytes / seconds / 1e6:,.0f} MB/s" if self.bytes else rate

    def _of(self) -> str:
        return "?" if self.total is None else f"{self.total:,}"

    def remaining(self) -> str:
        """Returns the time left at the rate so far, as h:mm:ss; "?" if it is not known."""
        if not self.records or self.total is None:
            return "?"
        left = (self.total - self.records) * (time.monotonic() - self._start) / self.records
        return f"{left // 3600:.0f}:{left // 60 % 60:02.0f}:{left % 60:02.0f}"

    def _display(self) -> None:
        """Displays the counts. Called with the lock held."""


class _Lines(Meter):
    _last = time.monotonic()

    def _display(self) -> None:
        now = time.monotonic()
        if now - self._last >= _LINE_EVERY:
            self._last = now
            print(
                f"{self.what}: {self.records:,} of {self._of()} images, {self.text()}, "
                f"{self.remaining()} left",
                file=sys.stderr,
                flush=True,
            )


class _Bar(Meter):
    def __init__(self, what: str, total: int | None, progress: Progress) -> None:
        super().__init__(what, total)
        self._progress = progress
        self._bar = progress.add_task(what, total=total, rates="")

    def _display(self) -> None:
        self._progress.update(self._bar, completed=self.records, total=self.total, rates=self.text())


@contextlib.contextmanager
def meter(what: str, total: int | None, show: bool = True) -> Iterator[Meter]:
    """Yields a meter that displays its counts on stderr while the block runs, unless `show` is False."""
    console = Console(stderr=True)
    if not show:
        yield Meter(what, total)
    elif not console.is_terminal:
        yield _Lines(what, total)
    else:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rates]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, transient=True) as progress:
            yield _Bar(what, total, progress)
