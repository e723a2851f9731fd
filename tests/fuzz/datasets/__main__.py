"""START HERE: fuzzes datasets. ``python tests/fuzz/datasets --help``; ``make fuzz-datasets`` runs all of it.

A mutant is a number: kind, seed and index make it again, whatever ran before. Each one is put in the place
of files of a small dataset (``sample.py``), in a child process (``pool.py``, ``child.py``). The dataset is
opened, read, loaded, and for a share of the mutants verified, exported and indexed (``drive.py``);
``judge.py`` says what is wrong with the outcome. The mutators are ``sidecars.py``, ``manifests.py``,
``columns.py``, ``tars.py`` and ``payloads.py``; ``planted.py`` holds faults on purpose.

Exit status: 0 nothing found, 1 findings, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import dataclasses
import faulthandler
import itertools
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from child import KINDS
from child import main as run_child
from pool import BATCH, Finding, Job, Pool, Result
from sample import make_sample

SHOWN = 3  # mutants of each group of findings


def main() -> int:
    """The command line."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["child"]:
        kind, *numbers, sample, root = arguments[1:]
        seed, first, end = map(int, numbers)
        run_child(kind, seed, first, end, Path(sample), Path(root))
        return 0
    options = _parse(arguments)
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # names may be no UTF-8
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # so that folders are removed
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        dir=memory if memory.is_dir() else None, prefix="fastinet-fuzz-"
    ) as folder:
        sample, work = Path(folder) / "sample", Path(folder) / "work"
        work.mkdir()
        make_sample(sample)
        if options.only is not None:
            return _one(options, sample, work)
        pool = Pool(options.jobs, options.timeout, sample, work)
        findings = [f for kind in options.kind or KINDS for f in _of_kind(kind, options, pool).findings]
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=1))
    _report(findings)
    return 1 if findings else 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python tests/fuzz/datasets", description="Fuzzes fastinet's datasets."
    )
    parser.add_argument("--kind", action="append", choices=[*KINDS, "planted"], help="may be repeated; all")
    parser.add_argument("--mutations", type=int, default=1000, metavar="N", help="of each kind; 1000")
    parser.add_argument("--seed", type=int, default=0, help="of the mutants; 0")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="children; one a CPU")
    parser.add_argument("--timeout", type=float, default=10, metavar="SECONDS", help="for one mutant; 10")
    parser.add_argument(
        "--only", type=int, metavar="I", help="this mutant alone, with all that is known of it"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="with --only: leave the mutant's files there"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the findings there")
    options = parser.parse_args(arguments)
    if options.only is not None and len(options.kind or ()) != 1:
        parser.error("--only needs the --kind")
    if options.keep is not None and (options.only is None or options.keep.exists()):
        parser.error("--keep goes with --only, and makes a new folder")
    return options


def _one(options: argparse.Namespace, sample: Path, work: Path) -> int:
    """In a child of this process, whose output is seen; 1 if it finds something, crashes, or is too slow."""
    child = os.fork()
    if child == 0:
        sound = False
        faulthandler.dump_traceback_later(options.timeout, exit=True)
        try:
            keep = options.keep and options.keep.absolute()
            first = options.only
            sound = run_child(
                options.kind[0], options.seed, first, first + 1, sample, work / "one", verbose=True, keep=keep
            )
        finally:
            os._exit(not sound)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(f"a crash: signal {-status}" if status < 0 else "found something" if status else "nothing wrong")
    return min(abs(status), 1)


def _of_kind(kind: str, options: argparse.Namespace, pool: Pool) -> Result:
    started = time.monotonic()
    size = max(1, min(BATCH, -(-options.mutations // options.jobs)))
    starts = range(0, options.mutations, size)
    result = pool.run([Job(kind, options.seed, at, min(at + size, options.mutations)) for at in starts])
    seconds = time.monotonic() - started
    bad = len({finding.index for finding in result.findings})
    slow = f", {result.slow} slow at first" if result.slow else ""
    print(
        f"{kind}: {result.mutants} mutants in {seconds:.0f} s ({result.mutants / seconds:.0f}/s): "
        f"{result.opened} could be opened, {result.whole} delivered all records, {bad} with findings{slow}",
        flush=True,
    )
    return result


def _report(findings: list[Finding]) -> None:
    """By cause: how many, and how to see the first ones again."""

    def cause(finding: Finding) -> tuple[str, str, str]:
        return finding.sort, finding.kind, finding.where

    groups = [list(group) for _, group in itertools.groupby(sorted(findings, key=cause), cause)]
    for group in sorted(groups, key=lambda group: (group[0].sort, -len(group))):
        first = group[0]
        print(f"\n{first.sort}, {first.kind}, {len(group)} times: {first.where}")
        print(f"  {first.message.strip()[:400]}")
        for finding in group[:SHOWN]:
            again = f"--kind {finding.kind} --seed {finding.seed} --only {finding.index}"
            print(f"  python tests/fuzz/datasets {again}   {finding.what[:150]!r}")
    print(f"{len(findings)} findings" if findings else "no findings")


if __name__ == "__main__":
    sys.exit(main())
