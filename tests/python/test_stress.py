"""The loader under everything at once, in Python, where the GIL takes part: ``make stress`` runs it for long.

tests/cpp/loader/stress_test.cc does likewise under the thread sanitizer.
"""

from __future__ import annotations

import faulthandler
import os
import random
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from splits import jpeg_items, write_split

import fastinet
from fastinet import transforms as T  # noqa: N812

SECONDS = float(os.environ.get("FASTINET_STRESS_SECONDS", "3"))
SEED = int(os.environ.get("FASTINET_STRESS_SEED", str(random.randrange(2**32))))
COUNT = 60
HANG = 60.0  # seconds without progress after which all stacks are printed


class ChosenError(Exception):
    """Raised at random by what users give to the loader."""


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    items = jpeg_items(COUNT, seed=3)
    for number in (17, 41):  # that no decoder takes, Pillow being the last to try
        items[number] = (items[number][0], items[number][1][:20] + bytes(200), 0)
    return write_split(tmp_path_factory.mktemp("data") / "train", items)


class Round:
    """A loader with random options, whose epochs are broken off, resumed and compared with what is right."""

    def __init__(self, split: Path, seed: int) -> None:
        self.random = random.Random(seed)
        chance = self.random.random
        self.rate = self.random.choice([0, 0.02, 0.1])  # of exceptions
        self.kept: list[tuple[Any, bytes]] = []
        indices = [self.random.randrange(COUNT) for _ in range(40)] if chance() < 0.5 else None
        self.loader = fastinet.Loader(
            split,
            self.random.randint(1, 9),
            [T.RandomResizedCrop(16), self.callable],
            shuffle=True,
            seed=seed,
            threads=self.random.randint(1, 4),
            columns=("image", "index", "batch"),
            on_error=self.random.choice(["skip", "substitute"]),
            prefetch_bytes=self.random.choice([0, 1 << 14, 1 << 20]),
            dtype="uint8",
            indices=indices,
            allocate=self.allocate if chance() < 0.7 else None,
        )
        rate, self.rate = self.rate, 0
        self.right = {}
        for epoch in range(2):
            self.loader.set_epoch(epoch)
            self.right[epoch] = [self.content(batch) for batch in self.loader]
        self.rate = rate

    def maybe_raise(self) -> None:
        if self.random.random() < self.rate:
            raise self.random.choice([ChosenError, MemoryError])("by chance")

    def callable(self, images: Any) -> Any:
        self.maybe_raise()
        return images

    def allocate(self, size: int) -> Any:
        self.maybe_raise()
        return np.empty(size, np.uint8)

    @staticmethod
    def content(batch: Any) -> tuple[bytes, tuple[int, ...], tuple[int, ...]]:
        images, index, core = batch
        assert len(images) == len(index) == len(core.occurrences)
        return images.tobytes(), tuple(index.tolist()), tuple(core.occurrences.tolist())

    def drop_one(self) -> None:
        """Lets go of a batch, which must be as it was; called by any thread."""
        try:
            batch, content = self.kept.pop()
        except IndexError:
            return
        assert batch[0].tobytes() == content

    def run(self, epochs: int) -> None:
        for _ in range(epochs):
            epoch = self.random.randrange(2)
            self.loader.set_epoch(epoch)
            whole = self.run_epoch(epoch)
            assert self.loader.epoch == epoch + whole

    def run_epoch(self, epoch: int) -> bool:
        """To its end, or some way into it; resumed after each exception."""
        right, got = self.right[epoch], 0
        stop = self.random.choice([0, 1, 3, 100])
        while True:
            try:
                for batch in self.loader:
                    assert self.content(batch) == right[got]
                    got += 1
                    if self.random.random() < 0.5:
                        self.kept.append((batch, batch[0].tobytes()))
                    if self.random.random() < 0.4:
                        self.drop_one()
                    if got == stop:
                        return False
            except (ChosenError, MemoryError):
                self.loader.load_state_dict(self.loader.state_dict())
            else:
                assert got == len(right)
                return True


def watch(current: list[Round | None], stop: threading.Event) -> None:
    while not stop.is_set():
        chosen = current[0]
        if chosen is not None:
            assert chosen.loader.stats["delivered"] >= 0
            assert len(chosen.loader) > 0
            if random.random() < 0.1:
                chosen.drop_one()


@pytest.mark.timeout(SECONDS + 120)
def test_every_epoch_is_a_prefix_of_the_right_batches(split: Path) -> None:
    print(f"FASTINET_STRESS_SEED={SEED}")
    seeds = random.Random(SEED)
    current: list[Round | None] = [None]
    stop = threading.Event()
    watchers = [threading.Thread(target=watch, args=(current, stop)) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    end = time.monotonic() + SECONDS
    try:
        while time.monotonic() < end:
            faulthandler.dump_traceback_later(HANG, exit=True)
            current[0] = Round(split, seeds.randrange(2**32))
            current[0].run(seeds.randint(1, 12))
            current[0].rate = 0
            if seeds.random() < 0.5:
                iter(current[0].loader)  # an epoch under way when it is closed
            if seeds.random() < 0.8:
                current[0].loader.close()
    finally:
        faulthandler.cancel_dump_traceback_later()
        stop.set()
        for watcher in watchers:
            watcher.join()


def test_a_monitor_thread_does_not_keep_the_process_from_ending_well(split: Path) -> None:
    """A daemon thread that asks for stats is stopped wherever it is when the interpreter ends."""
    script = textwrap.dedent(
        f"""
        import sys, threading
        import fastinet
        from fastinet import transforms as T

        loader = fastinet.Loader({str(split)!r}, 4, [T.Resize((8, 8))], on_error="skip")
        def watch():
            while True:
                loader.stats
        for _ in range(4):
            threading.Thread(target=watch, daemon=True).start()
        print(sum(len(x) for x, _ in loader))
        """
    )
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{COUNT - 2}\n", "")
