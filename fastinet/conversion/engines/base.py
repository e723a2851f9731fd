"""The interface of engines, which run the shard tasks, and what all engines share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from fastinet.conversion.shard_task import ShardResult, ShardTask

__all__ = ["MAX_PAYLOAD_BYTES", "Engine", "payload_bytes"]

# Limit of the payloads that running tasks keep in memory, exceeded by at most one shard. Only sources that
# are read from front to back have such payloads. Nine shards of the usual size keep up with unpacking one
# stream.
MAX_PAYLOAD_BYTES = 1 << 30


class Engine(Protocol):
    """Runs shard tasks. It may run them in any order, on any machine, and more than once."""

    def run(
        self, tasks: Iterable[ShardTask], advance: Callable[[int, int], None]
    ) -> Iterator[tuple[ShardTask, ShardResult]]:
        """Yields each task with its result, in the order in which they finish.

        Takes tasks from `tasks` only as fast as it runs them. After the first error it starts no more tasks,
        cancels the running ones, waits until they have cleaned up, and raises the error. It does the same if
        the caller stops iterating.

        Args:
            tasks: to run.
            advance: called from any thread with the number of records and bytes that were just processed.
        """
        ...


def payload_bytes(tasks: Iterable[ShardTask]) -> int:
    """Returns the size of the payloads that the tasks keep in memory."""
    return sum(task.payload_bytes_in_memory for task in tasks)
