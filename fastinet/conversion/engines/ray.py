"""Shard tasks on the nodes of a Ray cluster.

Every node reads the source and writes the destination itself. Both must be on a file system that all nodes
see under the same paths; the destination can also be an object store. The payloads of a source that can only
be read from front to back are sent with their task.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fastinet.conversion.engines.base import MAX_PAYLOAD_BYTES, payload_bytes
from fastinet.conversion.shard_task import ShardResult, ShardTask
from fastinet.conversion.write_shard import write_shard
from fastinet.errors import ArgumentError, FastinetError, MissingFileError, StateError, UnsupportedError
from fastinet.version import __version__

__all__ = ["RayEngine"]

_PER_CPU = 2  # tasks in flight: one running, one waiting
_POLL_SECONDS = 1.0  # interval of the checks for Ctrl-C and for the size of the cluster
_CONNECT_SECONDS = 20.0
_CANCEL_SECONDS = 10.0  # time for tasks to clean up before their processes are killed


class RayEngine:
    """Runs one task per CPU of the cluster. See :class:`fastinet.conversion.engines.base.Engine`.

    A task that is lost because a node or a process died is repeated; errors of the conversion are not. If a
    node returns after it was considered lost, a task can run twice at the same time: both runs write the same
    bytes, each under its own name until it is complete. Progress is reported once per shard.

    Args:
        address: of the cluster, as ``ray.init`` takes it; None: ``RAY_ADDRESS``, else the cluster that runs
            on this machine, else a new cluster of this machine alone. An existing connection is reused.
        workers: number of tasks that run at the same time; None: the CPUs of the cluster, which may grow.
        max_retries: how often a lost task is repeated; -1: without limit.

    Raises:
        ArgumentError: an argument is out of range.
        UnsupportedError: Ray is not installed.
        StateError: nothing answers at the address.
    """

    def __init__(
        self, address: str | None = None, *, workers: int | None = None, max_retries: int = 3
    ) -> None:
        if workers is not None and workers < 1:
            raise ArgumentError(f"workers must be at least 1, not {workers}")
        if max_retries < -1:
            raise ArgumentError(f"max_retries must be -1 or more, not {max_retries}")
        _ray()
        _require_answer(address or os.environ.get("RAY_ADDRESS", ""))
        self.address = address
        self.workers = workers
        self.max_retries = max_retries

    def run(
        self, tasks: Iterable[ShardTask], advance: Callable[[int, int], None]
    ) -> Iterator[tuple[ShardTask, ShardResult]]:
        """See :class:`fastinet.conversion.engines.base.Engine`.

        Raises:
            StateError: the cluster cannot be reached, or a task was lost more than `max_retries` times.
            MissingFileError: a node does not see the source or the destination.
            UnsupportedError: a node lacks fastinet, or has another version of it.
        """
        ray = _ray()
        self._connect(ray)
        work = ray.remote(
            num_cpus=1, max_retries=self.max_retries, retry_exceptions=False, scheduling_strategy="SPREAD"
        )(_work)
        running: dict[Any, ShardTask] = {}
        try:
            for task in tasks:
                running[work.remote(__version__, task)] = task
                while len(running) >= self._most(ray) or payload_bytes(running.values()) > MAX_PAYLOAD_BYTES:
                    yield from self._finished(ray, running, advance)
            while running:
                yield from self._finished(ray, running, advance)
        except BaseException:
            _cancel(ray, list(running))
            raise

    def _connect(self, ray: Any) -> None:
        if ray.is_initialized():
            return
        try:
            ray.init(address=self.address, log_to_driver=False, logging_level="WARNING")
        except (ConnectionError, ValueError, RuntimeError) as e:
            where = "a Ray cluster" if self.address is None else f"the Ray cluster at {self.address}"
            raise StateError(f"cannot connect to {where}: {_first_line(e)}") from e

    def _most(self, ray: Any) -> int:
        """Returns how many tasks may be in flight: just enough that no CPU waits."""
        return self.workers or max(1, _PER_CPU * int(ray.cluster_resources().get("CPU", 1)))

    def _finished(
        self, ray: Any, running: dict[Any, ShardTask], advance: Callable[[int, int], None]
    ) -> Iterator[tuple[ShardTask, ShardResult]]:
        """Yields the tasks that finish within ``_POLL_SECONDS``."""
        done, _ = ray.wait(list(running), timeout=_POLL_SECONDS)
        for ref in done:
            task = running.pop(ref)
            outcome = self._outcome(ray, ref, task)
            if isinstance(outcome, FastinetError):
                raise outcome
            advance(len(task.plan.samples), sum(sample.size for sample in task.plan.samples))
            yield task, outcome

    def _outcome(self, ray: Any, ref: Any, task: ShardTask) -> ShardResult | FastinetError:
        try:
            outcome: ShardResult | FastinetError = ray.get(ref)
            return outcome
        except ray.exceptions.RayTaskError as e:
            if isinstance(e.cause, ModuleNotFoundError):
                raise UnsupportedError(f"a node of the cluster lacks a package: {e.cause}") from e
            raise (e.cause if isinstance(e.cause, Exception) else e) from e
        except ray.exceptions.RayError as e:
            raise StateError(
                f"{task.store.place(task.files[0])}: abandoned: its Ray task was lost and repeated "
                f"{self.max_retries} times: {_first_line(e)}",
                path=task.store.place(task.files[0]),
            ) from e


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise UnsupportedError(
            "conversion on a cluster needs Ray; install it with: pip install 'fastinet[ray]'"
        ) from None
    return ray


def _require_answer(address: str) -> None:
    """Raises StateError if nothing answers at the address: Ray itself would try for minutes."""
    match = re.fullmatch(r"(?:ray://)?(.+):(\d+)", address)
    if match is None:
        return
    try:
        socket.create_connection((match[1].strip("[]"), int(match[2])), _CONNECT_SECONDS).close()
    except (OSError, OverflowError) as e:
        raise StateError(f"no Ray cluster answers at {address}: {e}") from None


def _work(version: str, task: ShardTask) -> ShardResult | FastinetError:
    """Runs on a node. Returns errors of fastinet as values, so that Ray neither wraps nor repeats them."""
    try:
        if version != __version__:
            raise UnsupportedError(
                f"{socket.gethostname()} has another version of fastinet: expected {version}, "
                f"found {__version__}",
                expected=version,
                found=__version__,
            )
        _require_sources(task)
        return write_shard(task, lambda records, size: None, lambda: False)
    except FastinetError as error:
        return error


def _require_sources(task: ShardTask) -> None:
    """Raises MissingFileError if a folder from which the driver listed files has none of them on this node.

    A node without the source must not report its images as bad files, which the policy might leave out.
    """
    seen = set()
    for sample in task.plan.samples:
        path = getattr(sample.payload, "path", None)
        if path is None or "://" in path or not sample.stamp:
            continue
        folder = path.rpartition("/")[0]
        if folder in seen:
            continue
        seen.add(folder)
        if not os.path.lexists(path):
            raise MissingFileError(
                f"{path}: not found on {socket.gethostname()}: every machine that takes part must see the "
                "source under the same path, on a shared file system",
                path=path,
            )


def _cancel(ray: Any, refs: list[Any]) -> None:
    """Cancels the tasks, and gives them time to clean up."""
    if not refs:
        return
    for ref in refs:
        ray.cancel(ref)
    _, left = ray.wait(refs, num_returns=len(refs), timeout=_CANCEL_SECONDS)
    for ref in left:
        ray.cancel(ref, force=True)


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
