"""Who carries out the shard tasks. An engine may run them in any order, anywhere, and more than once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Protocol

from fastinet.conversion.task import Cancelled, ShardResult, ShardTask, execute
from fastinet.cpus import available_cpus
from fastinet.errors import ArgumentError

__all__ = ["Engine", "LocalEngine"]


class Engine(Protocol):
    """Runs tasks."""

    def run(
        self, tasks: Iterable[ShardTask], advance: Callable[[int, int], None]
    ) -> Iterator[tuple[ShardTask, ShardResult]]:
        """Yields each task with its result, in the order in which they finish.

        Takes tasks from `tasks` only as fast as they are carried out. On the first error no new task is
        begun, those at work are given up, and the error is raised once they have cleaned up; so too when the
        caller stops iterating.
        """
        ...


class LocalEngine:
    """A pool of threads, one shard a thread; reading, hashing and writing happen in C++ without the GIL.

    Two threads for each CPU, if not told otherwise: while one waits for the disk, the other computes.
    """

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise ArgumentError(f"workers must be at least 1, not {workers}")
        self.workers = workers or 2 * available_cpus()

    def run(
        self, tasks: Iterable[ShardTask], advance: Callable[[int, int], None]
    ) -> Iterator[tuple[ShardTask, ShardResult]]:
        """See :class:`Engine`."""
        stop = threading.Event()
        running: dict[Future[ShardResult], ShardTask] = {}
        with ThreadPoolExecutor(self.workers, thread_name_prefix="fastinet-convert") as pool:
            try:
                for task in tasks:
                    running[pool.submit(execute, task, advance, stop.is_set)] = task
                    if len(running) >= 2 * self.workers:
                        yield from _finished(running)
                while running:
                    yield from _finished(running)
            except BaseException:
                stop.set()
                for future in running:
                    future.cancel()
                raise


def _finished(running: dict[Future[ShardResult], ShardTask]) -> Iterator[tuple[ShardTask, ShardResult]]:
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        task = running.pop(future)
        try:
            yield task, future.result()
        except Cancelled:  # pragma: no cover - only after another task's error, which is the one to raise
            continue
