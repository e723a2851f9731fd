"""A process that makes, drives and judges mutants one after the other, and says where it is."""

from __future__ import annotations

import faulthandler
import json
import os
import random
import resource
import shutil
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import columns
import manifests
import payloads
import planted
import sidecars
import tars
from drive import LAYOUTS, Seen, drive, exported, indexed, innermost, verified
from judge import Fault, judge
from mutant import Files, Mutant, place
from sample import SPLIT

import fastinet
import fastinet.errors

__all__ = ["KINDS", "main"]

MEMORY = 4 << 30  # a process has so much address space, a file so many bytes
FILE = 1 << 28
KINDS: dict[str, Callable[[random.Random, Files], Mutant]] = {
    "sidecar": sidecars.mutate,
    "manifest": manifests.mutate,
    "columns": columns.mutate,
    "tar": tars.mutate,
    "payload": payloads.mutate,
}


def main(
    kind: str,
    seed: int,
    first: int,
    end: int,
    sample: Path,
    root: Path,
    *,
    verbose: bool = False,
    keep: Path | None = None,
) -> bool:
    """Mutants `first` to `end` - 1; whether nothing was found. Lines on stdout tell where it is."""
    faulthandler.enable()  # before fastinet's own handler of SIGBUS comes, which has to stay
    faulthandler.register(signal.SIGUSR1)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))
    warnings.simplefilter("ignore")
    os.sync = lambda: None  # what an export waits for at its end says nothing here, and takes seconds
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def tell(**values: Any) -> None:
        print(json.dumps(values), file=lines, flush=True)

    bench = Bench(root, sample)
    sound = True
    for index in range(first, end):
        tell(begin=index)
        mutant, faults = bench.make(kind, seed, index, verbose)
        if mutant is None:
            tell(end=index, faults=faults)
            sound = sound and not faults
            continue
        tell(what=mutant.what)
        seen, faults = bench.run(mutant, kind, index, keep, verbose)
        whole = len(seen.values.get("batches, raise", ())) == len(bench.base.values["batches, raise"])
        tell(end=index, faults=faults, opened="open" in seen.values, whole=whole)
        sound = sound and not faults
    return sound


class Bench:
    """The folders that mutants are put into, and what comes of the sample as it is.

    Attributes:
        split: the folder of the dataset; beside it are those of exports and indexes, and nothing else.
    """

    def __init__(self, root: Path, sample: Path) -> None:
        self.root = root
        self.box = root / "box"
        self.split = self.box / SPLIT
        self.files: Files = {path.name: path.read_bytes() for path in sorted(sample.iterdir())}
        (root / "outside").mkdir(parents=True)
        os.mkfifo(root / "outside" / "fifo")
        shutil.copytree(sample, self.split)
        os.chdir(self.box)
        self.base = drive(self.split)
        self._ask_more(self.base, "tar", 0, every=True)
        wrong = [*self.base.refused.values(), *self.base.foreign.values()]
        if wrong or self.base.values["verify"]:
            raise SystemExit(f"the sample itself is refused: {wrong} {self.base.values['verify']}")

    def make(self, kind: str, seed: int, index: int, verbose: bool) -> tuple[Mutant | None, list[Fault]]:
        """A mutant; None if what writes shards refused it, or failed."""
        try:
            if kind == "planted":
                return planted.mutate(index, self.files), []
            return KINDS[kind](random.Random(f"{seed} {kind} {index}"), self.files), []
        except fastinet.errors.FastinetError:
            return None, []
        except Exception as error:
            if verbose:
                traceback.print_exc()
            where = f"{type(error).__name__} in {innermost(error)}, while writing"
            return None, [Fault("foreign exception", where, str(error))]

    def run(
        self, mutant: Mutant, kind: str, index: int, keep: Path | None, verbose: bool
    ) -> tuple[Seen, list[Fault]]:
        """What came of a mutant, and what is wrong with that. The folders are then as they were."""
        if keep is not None:
            shutil.copytree(self.split, keep)
        for name, content in mutant.files.items():
            if keep is not None:
                place(keep, name, content)
            if not mutant.late:
                place(self.split, name, content)
        if verbose:
            sizes = {name: len(new) if isinstance(new, bytes) else new for name, new in mutant.files.items()}
            print(f"{mutant.what}\nchanged: {sizes}; liar: {mutant.liar}", file=sys.stderr)
        try:
            seen = drive(self.split, (lambda: self._write_late(mutant)) if mutant.late else None)
            self._ask_more(seen, kind, index, mutant=mutant)
            faults = list(judge(mutant, self.base, seen))
        finally:
            for name in mutant.files:
                place(self.split, name, self.files[name])
        faults += self._escaped()
        if verbose:
            _describe(seen, faults)
        return seen, faults

    def _ask_more(
        self, seen: Seen, kind: str, index: int, every: bool = False, mutant: Mutant | None = None
    ) -> None:
        """What takes longer, of a share of the mutants."""
        files = {} if mutant is None else mutant.files
        if mutant is not None and mutant.image is not None:
            seen.ask("pixels", lambda: fastinet.decode(mutant.image))
        liar = mutant is not None and (mutant.must_tell or (mutant.liar and kind == "sidecar"))
        if every or liar or index % 3 == 0:
            seen.ask("verify", lambda: verified(self.split))
        for number, layout in enumerate(LAYOUTS):
            if every or "names.json" in files or index % 24 == number:
                seen.ask(f"export {layout}", lambda to=layout: exported(self.split, self.box / "out", to))
        if every or (kind == "tar" and index % 3 == 1) or (kind == "payload" and index % 4 == 1):
            tar = next((name for name in files if name.endswith(".tar")), f"{SPLIT}-000000.tar")
            indexed(seen, self.split / tar, self.box / "index")

    def _write_late(self, mutant: Mutant) -> None:
        for name, content in mutant.files.items():
            assert isinstance(content, bytes)
            with (self.split / name).open("r+b") as file:
                file.write(content)
                file.truncate()

    def _escaped(self) -> list[Fault]:
        """Files that an export or an index wrote where nothing of theirs belongs."""
        known = {
            self.root: {"box", "outside"},
            self.box: {SPLIT, "out", "index", "aside"},
            self.root / "outside": {"fifo"},
            self.split: set(self.files),
        }
        faults = []
        for folder, names in known.items():
            for path in folder.iterdir():
                if path.name not in names:
                    faults.append(Fault("escape", f"in {folder.name}", path.name))
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        return faults


def _describe(seen: Seen, faults: list[Fault]) -> None:
    for what, error in {**seen.refused, **seen.foreign}.items():
        print(f"{what}: {type(error).__name__}: {error}"[:400], file=sys.stderr)
    for error in seen.foreign.values():
        traceback.print_exception(error, file=sys.stderr)
    print("verify:", seen.values.get("verify"), file=sys.stderr)
    for fault in faults:
        print(fault, file=sys.stderr)
