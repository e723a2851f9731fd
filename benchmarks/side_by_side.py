"""Loaders measured side by side, in rounds where each takes its turn: a busy machine burdens all alike."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any

import peers

HERE = Path(__file__).resolve().parent


@dataclass
class Result:
    """Figures of one peer; `unavailable` says why there are none."""

    peer: str
    unavailable: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    cpu_per_1000: list[float] = field(default_factory=list)  # CPU-seconds per 1000 images, one a round
    images_per_second: list[float] = field(default_factory=list)

    @property
    def best_cpu(self) -> float:
        """The smallest CPU-seconds per 1000 images: what disturbed the others did not disturb this."""
        return min(self.cpu_per_1000)

    @property
    def median_cpu(self) -> float:
        """The median of the CPU-seconds per 1000 images."""
        return median(self.cpu_per_1000)

    @property
    def median_rate(self) -> float:
        """The median of the images/s."""
        return median(self.images_per_second)


class _Peer:
    def __init__(self, name: str, work: peers.Work, log: Path, python: str) -> None:
        self.result = Result(name)
        self._log = log
        with log.open("w") as stderr:
            self._process = subprocess.Popen(
                [python, str(HERE / "peer_process.py"), name, json.dumps(asdict(work), default=str)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )

    def wait_ready(self) -> None:
        answer = self._answer()
        self.result.unavailable = answer.get("unavailable")
        self.result.versions = answer.get("ready", {})

    def run(self, epochs: int) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{epochs}\n")
        self._process.stdin.flush()
        answer = self._answer()
        self.result.cpu_per_1000.append(1000 * answer["cpu_seconds"] / answer["images"])
        self.result.images_per_second.append(answer["images"] / answer["seconds"])

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            tail = "\n".join(self._log.read_text().splitlines()[-15:])
            raise RuntimeError(f"{self.result.peer} ended without an answer; {self._log} ends with:\n{tail}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> None:
        """Lets it end; its figures are there, so one whose threads keep it from ending is killed."""
        try:
            with contextlib.suppress(BrokenPipeError):
                self._process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def _started(name: str, work: peers.Work, log: Path, python: str) -> Iterator[_Peer]:
    peer = _Peer(name, work, log, python)
    try:
        yield peer
        peer.stop()
    except BaseException:
        peer.kill()
        raise


def measure(
    names: Sequence[str],
    work: peers.Work,
    *,
    rounds: int,
    epochs: int,
    logs: Path,
    interpreters: Mapping[str, str] = MappingProxyType({}),
    tell: Callable[[str], None] = lambda _: None,
) -> list[Result]:
    """Figures of every named peer for one kind of work, in the order of the names.

    Peers warm up one after another, then take turns: `rounds` times, `epochs` epochs a turn. One works at a
    time. A peer runs under this Python unless `interpreters` names another. `tell` is called with a line on
    what is going on; the peers' own output goes to files in `logs`.

    Raises RuntimeError where a peer dies.
    """
    logs.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        started = []
        for name in names:
            tell(f"{work.name}: starting {peers.TITLES[name]}")
            python = interpreters.get(name, sys.executable)
            peer = stack.enter_context(_started(name, work, logs / f"{name}.log", python))
            peer.wait_ready()
            started.append(peer)
        for number in range(1, rounds + 1):
            for peer in started:
                if peer.result.unavailable is None:
                    tell(f"{work.name}: round {number} of {rounds}, {peers.TITLES[peer.result.peer]}")
                    peer.run(epochs)
    return [peer.result for peer in started]
