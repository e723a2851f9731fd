"""One loader in a process of its own, so that imports and threads of the others do not touch it.

    peer_process.py NAME WORK      WORK: a peers.Work as JSON

Speaks JSON lines: it prints {"ready": ...} or {"unavailable": reason}; then, for each line on stdin that
holds a number of epochs, loads that many and prints {"images", "seconds", "cpu_seconds"}. CPU time is user
and system time of this process and of all its descendants, threads included.

Loaders work ahead. A turn therefore begins and ends with the loader at rest, its queues full: what was loaded
ahead of the turn is made up for by what is loaded ahead at its end.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from importlib import metadata
from pathlib import Path

import psutil

import peers

_REST = 0.2  # seconds without work after which a loader is at rest
_PATIENCE = 10.0  # seconds after which one that never rests is taken as it is
_POLL = 0.05
_IDLE = 0.005  # CPU-seconds a poll that are no work: the poll itself


def cpu_seconds(children: list[psutil.Process]) -> float:
    """Of this process, the living descendants given, and those that have ended."""
    ended = os.times()
    total = time.process_time() + ended.children_user + ended.children_system
    for child in children:
        try:
            used = child.cpu_times()
        except psutil.NoSuchProcess:  # it has ended, and was counted when it was reaped
            continue
        total += used.user + used.system + used.children_user + used.children_system
    return total


def at_rest() -> tuple[float, float]:
    """Waits until the loader rests; the time at which it last worked, and the CPU time until then."""
    children = psutil.Process().children(recursive=True)
    last, used = time.perf_counter(), cpu_seconds(children)
    previous, deadline = used, last + _PATIENCE
    while (now := time.perf_counter()) < min(last + _REST, deadline):
        time.sleep(_POLL)
        current = cpu_seconds(children)
        if current > previous + _IDLE:
            last, used = now + _POLL, current
        previous = current
    return last, used


def main() -> None:
    # Libraries print to stdout as they please: it becomes stderr, and the answers keep the pipe.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    name, fields = sys.argv[1], json.loads(sys.argv[2])
    work = peers.Work(**{**fields, "images": Path(fields["images"]), "shards": Path(fields["shards"])})
    try:
        module = peers.load(name)
        epoch = module.open_epochs(work)
        epoch()  # warm-up: page cache, worker processes, compiled kernels
    except peers.UnavailableError as e:
        answers.write(json.dumps({"unavailable": str(e)}) + "\n")
        return
    versions = {"python": platform.python_version()}
    for distribution in module.DISTRIBUTIONS:
        try:
            versions[distribution] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    answers.write(json.dumps({"ready": versions}) + "\n")

    for line in sys.stdin:
        _, cpu = at_rest()
        started = time.perf_counter()
        images = sum(epoch() for _ in range(int(line)))
        ended, cpu_after = at_rest()
        answers.write(
            json.dumps({"images": images, "seconds": ended - started, "cpu_seconds": cpu_after - cpu}) + "\n"
        )


if __name__ == "__main__":
    main()
