"""A source whose images wait for a word, so that a test can do something while they are being read."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import object_store  # registers its URLs wherever these samples go

from fastinet.conversion import Sample, Survey
from fastinet.format.manifest import ClassInfo

__all__ = ["Gated", "GatedSource", "object_store"]

_PATIENCE = 60.0  # seconds


@dataclass(frozen=True)
class Gated:
    """The bytes of a file. Marks in the folder `gate` that they are being read, and waits for ``gate/open``.

    If there is ``gate/kill`` it removes that and kills its process.
    """

    file: str
    gate: str

    def read(self) -> bytes:
        gate = Path(self.gate)
        (gate / f"reading {Path(self.file).stem} {os.getpid()} {secrets.token_hex(4)}").touch()
        deadline = time.monotonic() + _PATIENCE
        while not (gate / "open").exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{gate}: was not opened")
            time.sleep(0.02)
        try:
            (gate / "kill").unlink()
        except FileNotFoundError:
            return Path(self.file).read_bytes()
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("is dead")


class GatedSource:
    """The images of a flat folder, all of one class, in the order of their names."""

    kind = "gated"
    classes = (ClassInfo("all"),)
    splits = ("train",)

    def __init__(self, folder: Path, gate: Path) -> None:
        self.location = str(folder)
        self.gate = gate
        gate.mkdir(exist_ok=True)

    def survey(self, split: str) -> Survey:
        return Survey(len(list(self.samples(split))))

    def samples(self, split: str) -> Iterator[Sample]:
        for file in sorted(Path(self.location).iterdir()):
            payload = Gated(str(file), str(self.gate))
            yield Sample(file.stem, payload, 0, file.stat().st_size, file.name, 1)

    def open(self) -> None:
        (self.gate / "open").touch()

    def kill_one(self) -> None:
        (self.gate / "kill").touch()

    def reads(self) -> list[str]:
        """Names of the images that have been asked for, as often as they were."""
        return sorted(file.name.split()[1] for file in self.gate.glob("reading *"))

    def readers(self) -> list[int]:
        """Processes that have asked for an image."""
        return [int(file.name.split()[2]) for file in self.gate.glob("reading *")]

    def wait_for_reads(self, number: int) -> None:
        deadline = time.monotonic() + _PATIENCE
        while len(self.reads()) < number:
            if time.monotonic() > deadline:
                raise TimeoutError(f"only {self.reads()} have been asked for")
            time.sleep(0.02)
