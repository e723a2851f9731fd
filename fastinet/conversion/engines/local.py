"""Who carries out the shard tasks. An engine may run them in any order, anywhere, and more than once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Protocol

from fastinet.conversion.task import Cancelled, ShardResult, ShardTask, execute
from fastinet.cpus import available_cpus
from fastinet.errors import ArgumentError

__all__ = ["ENGINES", "MAX_HELD", "Engine", "LocalEngine", "held_bytes", "open_engine"]

ENGINES = ("local", "ray")

# Bytes of payloads that tasks at work may hold in memory, one shard more or less. Only sources that are read
# from front to back have such payloads; nine shards of the usual size keep up with the unpacking of one.
MAX_HELD = 1 << 30


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
                    while len(running) >= 2 * self.workers or held_bytes(running.values()) > MAX_HELD:
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


def held_bytes(tasks: Iterable[ShardTask]) -> int:
    """Of payloads that the tasks hold in memory."""
    return sum(task.held_bytes for task in tasks)


def open_engine(name: str, workers: int | None = None, address: str | None = None) -> Engine:
    """The engine of that name.

    Args:
        name: one of ``ENGINES``.
        workers: shards written at a time; None: as the CPUs allow.
        address: of the Ray cluster; None: as for :class:`fastinet.conversion.engines.ray.RayEngine`.

    Raises:
        ArgumentError: no such engine, or an address for one that has none.
        UnsupportedError: its package is not installed.
    """
    if name not in ENGINES:
        raise ArgumentError(f"engine must be one of {', '.join(ENGINES)}, not {name!r}")
    if name == "ray":
        from fastinet.conversion.engines.ray import RayEngine

        return RayEngine(address, workers=workers)
    if address is not None:
        raise ArgumentError("an address is that of a Ray cluster: it needs the engine ray")
    return LocalEngine(workers)
