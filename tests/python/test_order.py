"""Epochs, ranks and the order of records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from splits import jpeg_items, write_split

import fastinet
from fastinet import errors
from fastinet import transforms as T  # noqa: N812

COUNT = 41


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_split(tmp_path_factory.mktemp("data") / "train", jpeg_items(COUNT), per_shard=6)


def loader_of(split: Path, batch_size: int = 4, **options: Any) -> fastinet.Loader:
    return fastinet.Loader(split, batch_size, [T.CenterCrop(8)], columns=("index",), pixels=False, **options)


def epoch_of(loader: fastinet.Loader) -> list[int]:
    return [int(r) for (index,) in loader for r in index]


def test_epochs_follow_each_other_and_never_repeat(split: Path) -> None:
    with loader_of(split, shuffle=True) as loader:
        epochs = []
        for number in range(4):
            assert loader.epoch == number
            epochs.append(epoch_of(loader))
    assert all(sorted(e) == list(range(COUNT)) for e in epochs)
    assert len({tuple(e) for e in epochs}) == 4


def test_set_epoch_chooses_the_next_epoch(split: Path) -> None:
    with loader_of(split, shuffle=True) as loader:
        epochs = [epoch_of(loader) for _ in range(3)]
        loader.set_epoch(1)
        assert epoch_of(loader) == epochs[1]
        assert epoch_of(loader) == epochs[2]
        with pytest.raises(errors.ArgumentError, match="epoch must be an int from 0 to 4294967295, not -1"):
            loader.set_epoch(-1)


def test_an_abandoned_epoch_is_followed_by_the_next(split: Path) -> None:
    with loader_of(split, shuffle=True) as loader:
        epochs = [epoch_of(loader) for _ in range(3)]
        loader.set_epoch(0)
        old = iter(loader)
        next(old)
        assert epoch_of(loader) == epochs[1]
        with pytest.raises(errors.StateError, match="a newer one of the same loader took over"):
            next(old)
        next(iter(loader))
        loader.set_epoch(2)
        assert epoch_of(loader) == epochs[2]


def test_an_iterator_stays_at_its_end(split: Path) -> None:
    with loader_of(split) as loader:
        iterator = iter(loader)
        assert len(list(iterator)) == len(loader) == 11
        assert list(iterator) == []
        assert loader.epoch == 1


def test_seeds_give_different_orders(split: Path) -> None:
    orders = set()
    for seed in (0, 1, 2**32, 2**63, 2**64 - 1):
        with loader_of(split, shuffle=True, seed=seed) as loader:
            orders.add(tuple(epoch_of(loader)))
    assert len(orders) == 5


@pytest.mark.parametrize("world", [2, 3, 5])
@pytest.mark.parametrize("shuffle", [False, True, "window"])
def test_ranks_share_one_global_order(split: Path, world: int, shuffle: Any) -> None:
    with loader_of(split, shuffle=shuffle, window=2) as loader:
        whole = epoch_of(loader)
    ranks = []
    for rank in range(world):
        with loader_of(split, shuffle=shuffle, window=2, rank=rank, world_size=world) as loader:
            ranks.append(epoch_of(loader))
            assert loader.padded == -COUNT % world
            assert loader.dropped == 0
    assert len({len(r) for r in ranks}) == 1
    merged = [r for step in zip(*ranks, strict=True) for r in step]
    assert merged == whole + whole[: -COUNT % world]


def test_drop_last_gives_every_rank_full_batches(split: Path) -> None:
    seen: list[int] = []
    for rank in range(3):
        with loader_of(split, drop_last=True, rank=rank, world_size=3) as loader:
            batches = [len(index) for (index,) in loader]
            assert batches == [4, 4, 4]
            assert len(loader) == 3
            assert (loader.padded, loader.dropped) == (0, COUNT - 36)
            seen += epoch_of(loader)
    assert sorted(seen) == list(range(36))


def test_windowed_order_reads_few_shards_at_a_time(split: Path) -> None:
    with loader_of(split, shuffle="window", window=2) as loader:
        epoch = epoch_of(loader)
    assert sorted(epoch) == list(range(COUNT))
    for start in range(0, COUNT - 12, 1):
        assert len({r // 6 for r in epoch[start : start + 6]}) <= 4
    shards_in_order = list(dict.fromkeys(r // 6 for r in epoch))
    assert shards_in_order != sorted(shards_in_order)
    assert epoch != sorted(epoch)


def test_more_ranks_than_records(split: Path) -> None:
    for rank in range(4):
        with loader_of(split, indices=[3, 8], rank=rank, world_size=4) as loader:
            assert epoch_of(loader) == [[3], [8], [3], [8]][rank]
            assert loader.padded == 2
