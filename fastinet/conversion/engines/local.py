"""Shard tasks in threads of this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from fastinet.conversion.engines.base import MAX_PAYLOAD_BYTES, payload_bytes
from fastinet.conversion.shard_task import ShardResult, ShardTask
from fastinet.conversion.write_shard import Cancelled, write_shard
from fastinet.cpus import available_cpus
from fastinet.errors import ArgumentError

__all__ = ["LocalEngine"]


class LocalEngine:
    """A pool of threads, one shard per thread. Reading, hashing and writing happen in C++ without the GIL.

    Args:
        workers: number of threads; None: two for each CPU, so that one computes while the other waits for the
            disk.

    Raises:
        ArgumentError: `workers` is less than 1.
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
                    running[pool.submit(write_shard, task, advance, stop.is_set)] = task
                    while (
                        len(running) >= 2 * self.workers
                        or payload_bytes(running.values()) > MAX_PAYLOAD_BYTES
                    ):
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
        except Cancelled:  # pragma: no cover - only after another task's error, which is raised
            continue
