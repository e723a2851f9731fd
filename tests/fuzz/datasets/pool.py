"""Children that run mutants, restarted after a crash, and killed when one mutant takes too long."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import fastinet

__all__ = ["BATCH", "Finding", "Job", "Pool", "Result"]

START = 120  # seconds until a child has read the sample
BATCH = 500  # mutants of one child


@dataclass(frozen=True)
class Job:
    """Mutants `first` to `end` - 1 of a kind."""

    kind: str
    seed: int
    first: int
    end: int


@dataclass(frozen=True)
class Finding:
    """A fault, and the mutant that showed it."""

    kind: str
    seed: int
    index: int
    what: str
    sort: str
    where: str
    message: str


@dataclass
class Result:
    """Mutants run, opened, and delivered whole; those that needed a second try; and what was found."""

    mutants: int = 0
    opened: int = 0
    whole: int = 0
    slow: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, other: Result) -> None:
        """The sum of both."""
        self.mutants += other.mutants
        self.opened += other.opened
        self.whole += other.whole
        self.slow += other.slow
        self.findings += other.findings


class End(NamedTuple):
    """How a child ended before its time: at which mutant, by hanging or not, and what it wrote to stderr."""

    index: int
    what: str
    hung: bool
    log: str


class Pool:
    """Runs jobs.

    Args:
        workers: children at a time.
        timeout: seconds that one mutant may take; one that takes longer has a second try.
        sample: the dataset that is mutated.
        work: where children keep their folders.
    """

    def __init__(self, workers: int, timeout: float, sample: Path, work: Path) -> None:
        self._workers, self._timeout, self._sample, self._work = workers, timeout, sample, work
        self._stop = threading.Event()

    def run(self, jobs: list[Job]) -> Result:
        """The sum of all results."""
        whole = Result()
        with ThreadPoolExecutor(self._workers) as pool:
            try:
                for result in pool.map(self._job, jobs):
                    whole.add(result)
            except BaseException:  # also Ctrl-C: no child goes on
                self._stop.set()
                pool.shutdown(cancel_futures=True)
                raise
        return whole

    def _job(self, job: Job) -> Result:
        result = Result()
        first = job.first
        while first < job.end and not self._stop.is_set():
            end = self._follow(job, first, job.end, result)
            if end is None:
                break
            if end.hung:  # once more alone: the machine may have been busy
                again = self._follow(job, end.index, end.index + 1, result)
                result.slow += again is None
                end = again or end._replace(log="")
            if end.log:
                result.mutants += 1
                sort = "hang" if end.hung else "crash"
                where = f"{'at' if end.hung else _reason(end.log)} {_place(end.log)}"
                finding = Finding(job.kind, job.seed, end.index, end.what, sort, where, _stack(end.log))
                result.findings.append(finding)
            first = end.index + 1
        return result

    def _follow(self, job: Job, first: int, end: int, result: Result) -> End | None:
        """Runs mutants in one child, and adds to `result`. None: to the end."""
        root = Path(tempfile.mkdtemp(dir=self._work))
        numbers = map(str, (job.seed, first, end))
        command = [sys.executable, str(Path(__file__).parent), "child", job.kind, *numbers]
        index, what, hung = first - 1, "", False
        with tempfile.TemporaryFile() as log:
            child = subprocess.Popen(
                [*command, str(self._sample), str(root)], stdout=subprocess.PIPE, stderr=log
            )
            try:
                for told in self._lines(child):
                    index, what = told.get("begin", index), told.get("what", what)
                    if "end" in told:
                        faults = [
                            Finding(job.kind, job.seed, index, what, *fault) for fault in told["faults"]
                        ]
                        result.add(Result(1, told.get("opened", 0), told.get("whole", 0), 0, faults))
                        if index == end - 1:
                            return None
                        what = "not made yet"
                child.wait(self._timeout)
            except (TimeoutError, subprocess.TimeoutExpired):
                hung = True
                child.send_signal(signal.SIGUSR1)  # its threads' stacks go to the log
                time.sleep(0.5)
            finally:
                child.kill()
                status = child.wait()
                child.stdout.close()  # type: ignore[union-attr]
                shutil.rmtree(root, ignore_errors=True)
            log.seek(0)
            text = log.read().decode(errors="replace")
        if index < first:
            raise SystemExit(f"the child for {job.kind} {first} did not begin (status {status}):\n{text}")
        return End(index, what, hung, f"status {status}\n{text}")

    def _lines(self, child: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
        """What a child tells, until it ends. Raises TimeoutError if it says nothing for too long."""
        assert child.stdout is not None
        handle, buffer = child.stdout.fileno(), b""
        deadline = time.monotonic() + START
        while time.monotonic() < deadline and not self._stop.is_set():
            if not select.select([handle], [], [], 0.5)[0]:
                continue
            data = os.read(handle, 1 << 16)
            if not data:
                return
            *lines, buffer = (buffer + data).split(b"\n")
            yield from map(json.loads, lines)
            deadline = time.monotonic() + self._timeout
        raise TimeoutError


def _reason(log: str) -> str:
    found = re.search("Fatal Python error: (.*)", log) or re.search("(status -.*)", log)
    return found[1] if found else log.strip().rpartition("\n")[2]  # the fuzzer's own exception


def _stack(log: str) -> str:
    """Of the main thread, which is the last one."""
    return log.rpartition("hread 0x")[2]


def _place(log: str) -> str:
    """The innermost function of fastinet in that stack."""
    package = re.escape(str(Path(fastinet.__file__).parent))
    frame = re.search(rf'File "{package}/([^"]*)", line \d+ in (\w+)', _stack(log))
    return ":".join(frame.groups()) if frame else "no function of fastinet in Python"
