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
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fastinet

__all__ = ["Finding", "Job", "Result", "run"]

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
    """Of one kind: mutants run, opened, delivered whole; and what was found."""

    mutants: int = 0
    opened: int = 0
    whole: int = 0
    slow: int = 0
    findings: list[Finding] = field(default_factory=list)


def run(
    jobs: list[Job], workers: int, timeout: float, sample: Path, work: Path
) -> Iterator[tuple[Job, Result]]:
    """Runs the jobs, some at a time, and gives the result of each as it comes.

    Args:
        timeout: seconds that one mutant may take; one that takes longer has a second try.
        sample: the dataset that is mutated.
        work: where children keep their folders.
    """
    with ThreadPoolExecutor(workers) as pool:
        results = pool.map(lambda job: _run(job, timeout, sample, work), jobs)
        yield from zip(jobs, results, strict=True)


def _run(job: Job, timeout: float, sample: Path, work: Path) -> Result:
    result = Result()
    first = job.first
    while first < job.end:
        stopped = _follow(job, first, job.end, timeout, sample, work, result)
        if stopped is None:
            break
        index, what, hung, log = stopped
        if hung:  # once more alone: the machine may have been busy
            slow = Result()
            again = _follow(job, index, index + 1, timeout, sample, work, slow)
            if again is None:
                result.findings += slow.findings
                result.slow += 1
                first = index + 1
                result.mutants += 1
                continue
            hung, log = again[2:]
        result.mutants += 1
        sort = "hang" if hung else "crash"
        where = f"{_reason(log) if not hung else 'at'} {_place(log)}"
        result.findings.append(Finding(job.kind, job.seed, index, what, sort, where, _stack(log)))
        first = index + 1
    return result


def _follow(
    job: Job, first: int, end: int, timeout: float, sample: Path, work: Path, result: Result
) -> tuple[int, str, bool, str] | None:
    """Runs mutants in one child. None, or which one ended it, what it is, if it hung, and the stderr."""
    root = Path(tempfile.mkdtemp(dir=work))
    command = [
        sys.executable,
        str(Path(__file__).parent),
        "child",
        job.kind,
        *map(str, (job.seed, first, end)),
    ]
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen([*command, str(sample), str(root)], stdout=subprocess.PIPE, stderr=log)
        index, what, hung = first - 1, "", False
        try:
            for told in _lines(child, timeout):
                if "end" not in told:
                    index, what = told.get("begin", index), told.get("what", "not made yet")
                    continue
                result.mutants += 1
                result.opened += told.get("opened", False)
                result.whole += told.get("whole", False)
                result.findings += [
                    Finding(job.kind, job.seed, index, what, *fault) for fault in told["faults"]
                ]
                if index == end - 1:
                    return None
            child.wait(START)
        except TimeoutError:
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
        raise SystemExit(
            f"the child that was to begin with {job.kind} {first} did not (status {status}):\n{text}"
        )
    return index, what, hung, f"status {status}\n{text}"


def _lines(child: subprocess.Popen[bytes], timeout: float) -> Iterator[dict[str, Any]]:
    """What a child tells, until it ends. Raises TimeoutError if it says nothing for too long."""
    assert child.stdout is not None
    handle, buffer, patience = child.stdout.fileno(), b"", float(START)
    while select.select([handle], [], [], patience)[0]:
        data = os.read(handle, 1 << 16)
        if not data:
            return
        *lines, buffer = (buffer + data).split(b"\n")
        yield from map(json.loads, lines)
        patience = timeout
    raise TimeoutError


def _reason(log: str) -> str:
    if "Traceback" in log:  # the fuzzer's own fault
        return log.strip().rpartition("\n")[2]
    found = re.search(r"Fatal Python error: (.*)", log) or re.search(
        r"(terminate called.*|status -?\d+)", log
    )
    return found[1] if found else "?"


def _stack(log: str) -> str:
    """Of the main thread, which is the last one."""
    return log.rpartition("hread 0x")[2]


def _place(log: str) -> str:
    """The innermost function of fastinet in that stack."""
    package = re.escape(str(Path(fastinet.__file__).parent))
    frame = re.search(rf'File "{package}/([^"]*)", line \d+ in (\w+)', _stack(log))
    return ":".join(frame.groups()) if frame else "no function of fastinet in Python"
