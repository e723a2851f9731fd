"""A process that is one of several trains on its part, or is told that it has not been told which."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import splits

import fastinet
from fastinet import cpus, ranks
from fastinet import transforms as T  # noqa: N812
from fastinet.cpus import available_cpus, share_of_rank
from fastinet.errors import ArgumentError, StateError

COUNT = 23
SIZE = [T.Resize((8, 8))]
LAUNCHERS = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return splits.write_split(tmp_path_factory.mktemp("ranks") / "train", splits.jpeg_items(COUNT))


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LAUNCHERS:
        monkeypatch.delenv(name, raising=False)


def launch(monkeypatch: pytest.MonkeyPatch, **said: object) -> None:
    for name, value in said.items():
        monkeypatch.setenv(name, str(value))


def loader(split: Path, **options: Any) -> fastinet.Loader:
    return fastinet.Loader(split, 4, SIZE, columns=("index",), **options)


def records(loader: fastinet.Loader) -> list[int]:
    return [int(i) for (indices,) in loader for i in indices]


@pytest.mark.parametrize(
    "said",
    [
        {"RANK": 1, "WORLD_SIZE": 2},  # torchrun
        {"LOCAL_RANK": 0, "WORLD_SIZE": 8, "NODE_RANK": 0},  # Lightning's own launcher
    ],
)
def test_one_of_several_processes_must_be_told_its_part(
    split: Path, monkeypatch: pytest.MonkeyPatch, said: dict[str, int]
) -> None:
    launch(monkeypatch, **said)
    with loader(split) as untold:
        for use in (iter, len, lambda a: a.rank, lambda a: a.world_size, lambda a: a.padded):
            with pytest.raises(
                StateError, match=r"one of several \(.*RANK=\d WORLD_SIZE=\d\).*Give it rank="
            ):
                use(untold)
        assert untold.state_dict()["position"] == 0  # which depends on no rank
    with loader(split, rank=0, world_size=1) as told:
        assert records(told) == list(range(COUNT))
    with loader(split, rank=1, world_size=3) as told:
        assert records(told) == [*range(1, COUNT, 3), 0][:8]


@pytest.mark.parametrize(
    "said", [{}, {"WORLD_SIZE": 4}, {"RANK": 0, "WORLD_SIZE": 1}, {"RANK": 0, "WORLD_SIZE": "many"}]
)
def test_a_process_that_nobody_calls_one_of_several_loads_everything(
    split: Path, monkeypatch: pytest.MonkeyPatch, said: dict[str, object]
) -> None:
    launch(monkeypatch, **said)
    with loader(split) as alone:
        assert (alone.rank, alone.world_size, len(alone)) == (0, 1, 6)
        assert records(alone) == list(range(COUNT))


def test_a_numpy_loader_does_not_overlook_torch_distributed(
    split: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with loader(split) as plain:
        monkeypatch.setattr(ranks, "in_torch_distributed", lambda: (1, 2))
        with pytest.raises(StateError, match=r"torch\.distributed: rank 1 of 2\).*rank=0, world_size=1"):
            iter(plain)


@pytest.mark.parametrize("half", [{"rank": 0}, {"world_size": 4}])
def test_half_a_part_is_refused(split: Path, half: dict[str, int]) -> None:
    with pytest.raises(ArgumentError, match="give both rank and world_size, or neither"):
        loader(split, **half)


def test_the_torch_loader_asks_when_it_is_first_used(split: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    import fastinet.torch

    with fastinet.torch.Loader(split, 4, SIZE, columns=("index",)) as early:
        monkeypatch.setattr(ranks, "in_torch_distributed", lambda: (1, 2))
        assert (len(early), early.rank, early.world_size, early.padded) == (3, 1, 2, 1)
        assert records(early) == [*range(1, COUNT, 2), 0]


def test_the_part_cannot_change_once_something_depended_on_it(
    split: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    import fastinet.torch

    with fastinet.torch.Loader(split, 4, SIZE, columns=("index",)) as early:
        assert len(early) == 6  # from which a schedule may be made
        monkeypatch.setattr(ranks, "in_torch_distributed", lambda: (1, 2))
        for use in (iter, len):
            with pytest.raises(StateError, match=r"used \(.*\) as rank 0 of 1, but now .* rank 1 of 2"):
                use(early)


def test_a_loader_that_is_closed_before_its_part_is_known_stays_closed(
    split: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    import fastinet.torch

    early = fastinet.torch.Loader(split, 4, SIZE)
    early.close()
    monkeypatch.setattr(ranks, "in_torch_distributed", lambda: (1, 2))
    with pytest.raises(StateError, match="the loader is closed"):
        iter(early)


IN_WORKERS = """
    import sys
    import fastinet, torch.utils.data as data
    from fastinet import transforms as T

    class Wrapped(data.IterableDataset):
        def __iter__(self):
            return iter(fastinet.Loader(sys.argv[1], 4, [T.Resize((8, 8))], columns=("index",)))

    print(sum(len(i) for (i,) in data.DataLoader(Wrapped(), batch_size=None, num_workers=1)))
    try:
        list(data.DataLoader(Wrapped(), batch_size=None, num_workers=2))
    except fastinet.errors.StateError as e:
        print(e)
"""


def test_workers_of_a_data_loader_do_not_each_load_everything(split: Path) -> None:
    pytest.importorskip("torch")
    done = subprocess.run(  # since the workers are forked, and threads of other tests may be here
        [sys.executable, "-c", textwrap.dedent(IN_WORKERS), str(split)],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.startswith(f"{COUNT}\n")
    assert "worker 0 of 2 of a DataLoader, each of which would load everything" in done.stdout


UNDER_TORCHRUN = """
    import json, os, sys
    import fastinet, fastinet.torch
    import torch.distributed as dist
    from fastinet import transforms as T

    def make(module, **options):
        return module.Loader(sys.argv[1], 4, [T.Resize((8, 8))], columns=("index",), **options)

    def records(loader):
        return [int(i) for (indices,) in loader for i in indices]

    def refused(use):
        try:
            use()
        except fastinet.errors.StateError as e:
            return str(e)

    early, plain = make(fastinet.torch), make(fastinet)
    told = {"early": refused(lambda: iter(early)), "early_len": refused(lambda: len(early))}
    told["explicit"] = records(make(fastinet.torch, rank=0, world_size=1))
    dist.init_process_group("gloo")
    told["plain"] = refused(lambda: iter(plain))
    told["before"], told["after"] = records(early), records(make(fastinet.torch))
    told["threads"] = early.threads
    dist.destroy_process_group()
    told["destroyed"] = refused(lambda: iter(early))
    with open(f"{sys.argv[2]}/{os.environ['RANK']}.json", "w") as f:
        json.dump(told, f)
"""


def test_under_torchrun_every_rank_gets_its_part_whenever_the_loader_was_made(
    split: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(UNDER_TORCHRUN))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    subprocess.run(
        [*command, str(script), str(split), str(tmp_path)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        timeout=120,
    )
    for rank in range(2):
        told = json.loads((tmp_path / f"{rank}.json").read_text())
        part = [*range(rank, COUNT, 2), 0][:12]
        assert told["before"] == told["after"] == part
        assert told["explicit"] == list(range(COUNT))
        for name in ("early", "early_len", "destroyed"):
            assert f"RANK={rank} WORLD_SIZE=2" in told[name]
            assert "init_process_group first" in told[name]
        assert f"torch.distributed: rank {rank} of 2" in told["plain"]
        assert told["threads"] == max(1, available_cpus() // 2)


@pytest.mark.parametrize(
    ("mine", "launchers", "processes", "expected"),
    [
        (64, 64, 8, 8),  # nobody bound the ranks
        (8, 64, 8, 8),  # each rank was bound to its CPUs
        (32, 64, 8, 8),  # to a node of memory, which it shares with others
        (2, 64, 8, 2),
        (4, 4, 8, 1),
        (64, 64, 1, 64),
    ],
)
def test_threads_default_to_the_ranks_share_of_the_cpus(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    mine: int,
    launchers: int,
    processes: int,
    expected: int,
) -> None:
    launch(monkeypatch, LOCAL_WORLD_SIZE=processes)
    monkeypatch.setattr(cpus.os, "sched_getaffinity", lambda pid: range(launchers if pid else mine))
    assert share_of_rank(tmp_path) == expected  # no quota here


def test_a_containers_quota_is_shared_by_the_ranks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    launch(monkeypatch, LOCAL_WORLD_SIZE=4)
    monkeypatch.setattr(cpus.os, "sched_getaffinity", lambda pid: range(64))
    (tmp_path / "cpu.max").write_text("1200000 100000\n")
    assert share_of_rank(tmp_path) == 3
