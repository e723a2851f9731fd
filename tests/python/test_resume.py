"""Stop anywhere, resume anywhere: every sample once an epoch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from splits import jpeg_items, write_split

import fastinet
from fastinet import errors
from fastinet import transforms as T  # noqa: N812

COUNT = 37


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_split(tmp_path_factory.mktemp("data") / "train", jpeg_items(COUNT))


def make(split: Path, batch_size: int = 4, **options: Any) -> fastinet.Loader:
    options = {"shuffle": True, "seed": 2, **options}
    transform = [T.RandomResizedCrop(16), T.RandomHorizontalFlip()]
    return fastinet.Loader(split, batch_size, transform, columns=("index", "image"), dtype="uint8", **options)


def samples(batches: Any) -> list[tuple[int, bytes]]:
    return [(int(r), x.tobytes()) for index, image in batches for r, x in zip(index, image, strict=True)]


def take(iterator: Any, count: int) -> list[Any]:
    return [next(iterator) for _ in range(count)]


@pytest.mark.parametrize("stop", range(11))
@pytest.mark.parametrize("shuffle", [True, "window"])
def test_an_epoch_stopped_at_any_batch_goes_on_with_other_threads_and_batches(
    split: Path, stop: int, shuffle: Any
) -> None:
    with make(split, shuffle=shuffle, threads=1) as loader:
        loader.set_epoch(5)
        whole = samples(loader)
        following = samples(loader)
    with make(split, shuffle=shuffle, threads=8) as loader:
        loader.set_epoch(5)
        iterator = iter(loader)
        first = samples(take(iterator, min(stop, 10)))
        state = json.loads(json.dumps(loader.state_dict()))
    with make(split, batch_size=3, shuffle=shuffle, threads=2) as loader:
        loader.load_state_dict(state)
        assert loader.epoch == 5
        assert first + samples(loader) == whole
        assert samples(loader) == following


@pytest.mark.parametrize("worlds", [(1, 3), (3, 1), (2, 5)])
def test_resuming_under_another_world_size_gives_every_sample_once(
    split: Path, worlds: tuple[int, int]
) -> None:
    with make(split) as loader:
        whole = samples(loader)
    before, after = worlds
    steps, states = [], []
    for rank in range(before):
        with make(split, batch_size=2, rank=rank, world_size=before) as loader:
            steps.append(samples(take(iter(loader), 3)))
            states.append(loader.state_dict())
    assert all(s == states[0] for s in states)
    first = [s for step in zip(*steps, strict=True) for s in step]
    rest = []
    for rank in range(after):
        with make(split, batch_size=3, rank=rank, world_size=after) as loader:
            loader.load_state_dict(states[0])
            rest.append(samples(loader))
    second = [s for step in zip(*rest, strict=True) for s in step]
    padding = len(first) + len(second) - COUNT
    assert 0 <= padding < after
    assert first + second[: len(second) - padding] == whole


def test_a_state_counts_what_was_handed_out_not_what_was_read_ahead(split: Path) -> None:
    with make(split) as loader:
        assert loader.state_dict()["position"] == 0
        iterator = iter(loader)
        assert loader.state_dict()["position"] == 0
        next(iterator)
        assert loader.state_dict()["position"] == 4


def test_states_at_the_end_of_an_epoch(split: Path) -> None:
    with make(split) as loader:
        epochs = [samples(loader) for _ in range(2)]
        loader.set_epoch(0)
        iterator = iter(loader)
        take(iterator, len(loader))
        last_batch = loader.state_dict()
        assert (last_batch["epoch"], last_batch["position"]) == (0, COUNT)
        assert next(iterator, None) is None
        ended = loader.state_dict()
        assert (ended["epoch"], ended["position"]) == (1, 0)
    with make(split) as loader:
        loader.load_state_dict(last_batch)
        assert samples(loader) == []  # nothing of epoch 0 is left
        assert samples(loader) == epochs[1]
        loader.load_state_dict(ended)
        assert samples(loader) == epochs[1]


def test_set_epoch_keeps_the_position_of_the_epoch_that_was_loaded(split: Path) -> None:
    with make(split) as loader:
        whole = samples(loader)
        second = samples(loader)
        loader.set_epoch(0)
        take(iter(loader), 2)
        state = loader.state_dict()
        loader.load_state_dict(state)
        loader.set_epoch(0)  # as training scripts do at the head of their loop
        assert samples(loader) == whole[8:]
        loader.load_state_dict(state)
        loader.set_epoch(1)
        assert samples(loader) == second


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 3}, "saved with seed=2, but this loader has seed=3"),
        ({"shuffle": False}, "saved with shuffle=True, but this loader has shuffle=False"),
        ({"indices": range(20)}, "saved with records=37, but this loader has records=20"),
        ({"indices": [*range(1, COUNT), 0]}, "saved with subset=0, but this loader has subset="),
    ],
)
def test_a_state_of_another_order_is_refused(split: Path, options: dict[str, Any], message: str) -> None:
    with make(split) as loader:
        state = loader.state_dict()
    with make(split, **options) as loader, pytest.raises(errors.ArgumentError, match=message):
        loader.load_state_dict(state)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 9}, "expected version 2, found 9"),
        ({"dataset": None}, "it is of another dataset"),
        ({"position": COUNT + 1}, "position must be an int from 0 to 37, not 38"),
        ({"epoch": None}, "epoch must be an int"),
    ],
)
def test_a_damaged_state_is_refused(split: Path, change: dict[str, Any], message: str) -> None:
    with make(split) as loader, pytest.raises(errors.ArgumentError, match=message):
        loader.load_state_dict({**loader.state_dict(), **change})


def test_a_state_of_another_dataset_of_equal_size_is_refused(split: Path, tmp_path: Path) -> None:
    other = write_split(tmp_path / "other", jpeg_items(COUNT, seed=1))
    with make(split) as loader:
        take(iter(loader), 2)
        state = loader.state_dict()
    with make(other) as loader:
        with pytest.raises(errors.ArgumentError, match=f"it is of another dataset than {other}") as caught:
            loader.load_state_dict(state)
        assert caught.value.found == state["dataset"]
        assert caught.value.expected == loader.state_dict()["dataset"]
        assert loader.state_dict()["position"] == 0  # nothing of it was taken


def test_the_same_records_in_another_order_are_another_dataset(split: Path, tmp_path: Path) -> None:
    items = jpeg_items(COUNT)
    other = write_split(tmp_path / "other", items[::-1])
    assert fastinet.Dataset(other).manifest.shards_xxh3 != fastinet.Dataset(split).manifest.shards_xxh3


def test_a_copy_of_the_dataset_elsewhere_is_the_same_one(split: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(split, copy)
    fastinet.Dataset(copy).attach("more", list(range(COUNT)), order="records")
    with make(split) as loader:
        whole = samples(loader)
        loader.set_epoch(0)
        take(iter(loader), 2)
        state = loader.state_dict()
    with make(copy) as loader:
        loader.load_state_dict(state)
        assert samples(loader) == whole[8:]


def test_a_state_from_before_datasets_were_named_is_taken_with_a_warning(split: Path) -> None:
    with make(split) as loader:
        whole = samples(loader)
        loader.set_epoch(0)
        take(iter(loader), 2)
        state = {name: value for name, value in loader.state_dict().items() if name != "dataset"}
        with pytest.warns(UserWarning, match="cannot be told whether it is of"):
            loader.load_state_dict({**state, "version": 1})
        assert samples(loader) == whole[8:]


def test_asking_for_an_iterator_alone_uses_up_no_epoch(split: Path) -> None:
    with make(split) as loader:
        epochs = [samples(loader) for _ in range(3)]
        loader.set_epoch(0)
        for expected in epochs:
            first = iter(loader)
            second = iter(loader)  # as Lightning does
            assert loader.epoch == epochs.index(expected)
            assert samples(second) == expected
            with pytest.raises(errors.StateError, match="a newer one of the same loader took over"):
                next(first)


def test_an_epoch_that_was_left_after_a_batch_is_over(split: Path) -> None:
    with make(split) as loader:
        epochs = [samples(loader) for _ in range(3)]
        loader.set_epoch(0)
        for epoch in range(3):
            iterator = iter(loader)
            assert samples(take(iterator, 1)) == epochs[epoch][:4]


def test_asking_twice_resumes_once(split: Path) -> None:
    with make(split) as loader:
        whole = samples(loader)
        loader.set_epoch(0)
        take(iter(loader), 3)
        state = loader.state_dict()
        loader.load_state_dict(state)
        iter(loader)
        assert loader.state_dict() == state
        assert samples(loader) == whole[12:]


def test_an_epoch_whose_first_batch_fails_is_over(tmp_path: Path) -> None:
    items = jpeg_items(8)
    items[1] = (items[1][0], items[1][1][:-300], items[1][2])
    broken = write_split(tmp_path / "train", items)
    with make(broken, shuffle=False) as loader:
        for epoch in range(3):
            iterator = iter(loader)
            with pytest.raises(errors.DecodeError):
                next(iterator)
            assert loader.state_dict()["epoch"] == epoch  # where it may be resumed
