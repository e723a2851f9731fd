"""From the core to the user: every batch once, whatever is raised on the way."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from splits import jpeg_items, write_split

import fastinet
from fastinet import transforms as T  # noqa: N812
from fastinet.errors import ArgumentError, DecodeError, StateError
from fastinet.loading.epoch import Epoch, Work

COUNT = 22
SIZE = 4  # of a batch


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_split(tmp_path_factory.mktemp("data") / "train", jpeg_items(COUNT))
    fastinet.Dataset(folder).attach("score", np.arange(COUNT) / 2, order="records")
    return folder


def adapter(name: str) -> Callable[..., Any]:
    """The loader of an adapter; those of absent frameworks skip the test."""
    if name == "numpy":
        return fastinet.Loader
    pytest.importorskip("nvidia.dali" if name == "dali" else name)
    loader: Callable[..., Any] = __import__(f"fastinet.{name}").__dict__[name].Loader
    return (lambda *a, **k: loader(*a, device="cpu", **k)) if name == "dali" else loader


ADAPTERS = ["numpy", "torch", "jax", "dali"]


class Fault:
    """Raises the exception on its `number`-th call, and never again."""

    def __init__(self, number: int, error: BaseException) -> None:
        self.left, self.error = number, error

    def __call__(self, value: Any = None, *_: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            raise self.error
        return value


def records_of(batch: Any) -> list[int]:
    return [int(i) for i in batch[1]]


def exactly_once(loader: Any, error: type[BaseException], message: str | None = None) -> list[list[int]]:
    """Runs an epoch in which one batch fails, resumes it there; batches of record numbers, as handed out."""
    epoch = iter(loader)
    got: list[list[int]] = []
    with pytest.raises(error, match=message):
        got.extend(map(records_of, epoch))
    before = SIZE * len(got)
    assert loader.state_dict()["position"] == before
    assert loader.epoch == 0
    for _ in range(3):
        assert next(epoch, "over") == "over"
    assert loader.state_dict()["position"] == before
    loader.load_state_dict(loader.state_dict())
    rest = [records_of(batch) for batch in loader]
    assert [i for batch in got + rest for i in batch] == list(range(COUNT))
    assert loader.epoch == 1
    return got


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize("number", [1, 2, 3, 6])
def test_a_batch_whose_callable_raised_is_the_next_one_after_resuming(
    split: Path, name: str, number: int
) -> None:
    fault = Fault(number, ZeroDivisionError("division by the user"))
    options: dict[str, Any] = {"columns": ("image", "index"), "threads": 2}
    with adapter(name)(split, SIZE, [T.Resize((16, 16)), fault], **options) as loader:
        got = exactly_once(loader, ZeroDivisionError, "by the user")
    assert len(got) == number - 1  # no batch before it is held back by it


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), MemoryError("none left")])
def test_no_kind_of_exception_loses_a_batch(split: Path, name: str, error: BaseException) -> None:
    options: dict[str, Any] = {"columns": ("image", "index"), "threads": 2}
    with adapter(name)(split, SIZE, [T.Resize((16, 16)), Fault(3, error)], **options) as loader:
        exactly_once(loader, type(error))


def test_a_callable_that_raises_stop_iteration_does_not_end_the_epoch_in_silence(split: Path) -> None:
    fault = Fault(2, StopIteration())
    with fastinet.Loader(split, SIZE, [T.Resize((16, 16)), fault], columns=("image", "index")) as loader:
        exactly_once(loader, RuntimeError, "StopIteration was raised while a batch was made")


@pytest.mark.parametrize("what", ["column", "boxes", "labels"])
def test_a_batch_whose_column_could_not_be_made_is_the_next_one_after_resuming(
    split: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    columns = {"column": "score", "boxes": "boxes", "labels": "label"}
    with fastinet.Loader(
        split, SIZE, [T.Resize((16, 16))], columns=("image", "index", columns[what])
    ) as loader:
        fault = Fault(3, MemoryError("no room for a column"))
        if what == "column":
            column = loader._attached["score"]
            takes = SimpleNamespace(take=lambda indices: fault(column.take(indices)))
            monkeypatch.setattr(loader, "_attached", {"score": takes})
        elif what == "boxes":
            boxes = loader._boxes
            monkeypatch.setattr(loader, "_boxes", lambda batch: fault(boxes(batch)))
        else:
            monkeypatch.setitem(fastinet.loading.loader._COLUMNS, "label", lambda batch: fault(batch.labels))
        exactly_once(loader, MemoryError, "no room for a column")


@pytest.mark.parametrize("name", ["numpy", "torch"])
@pytest.mark.parametrize("number", range(3, 7))
def test_memory_that_cannot_be_allocated_loses_no_batch(split: Path, name: str, number: int) -> None:
    fault = Fault(number, MemoryError("no pinned memory left"))
    with adapter(name)(
        split,
        SIZE,
        [T.Resize((16, 16))],
        columns=("image", "index"),
        prefetch_bytes=0,
        allocate=lambda size: fault(np.empty(size, np.uint8)),
    ) as loader:
        exactly_once(loader, MemoryError, "no pinned memory left")


def test_an_epoch_that_cannot_begin_leaves_the_loader_where_it_was(split: Path) -> None:
    fault = Fault(0, MemoryError("none"))
    with fastinet.Loader(
        split, SIZE, [T.Resize((16, 16))], columns=("index",), allocate=lambda s: fault(np.empty(s, np.uint8))
    ) as loader:
        assert len(list(loader)) == 6
        iterator = iter(loader)
        fault.left = 1
        before = loader.state_dict()
        with pytest.raises(MemoryError, match="none"):
            iter(loader)
        assert loader.state_dict() == before
        with pytest.raises(StateError, match="this iterator has ended"):
            next(iterator)
        assert loader.state_dict() == before
        loader.load_state_dict(before)
        assert [i for (batch,) in loader for i in batch] == list(range(COUNT))


def test_the_epoch_after_the_last_is_refused(split: Path) -> None:
    with fastinet.Loader(split, COUNT, [T.Resize((16, 16))]) as loader:
        loader.set_epoch(2**32 - 1)
        assert len(list(loader)) == 1
        with pytest.raises(ArgumentError, match="epoch must be an int from 0 to 4294967295, not 4294967296"):
            iter(loader)


# Memory from outside


def test_memory_from_outside_serves_one_batch_and_is_let_go_of_with_it(split: Path) -> None:
    given: list[weakref.ref[Any]] = []

    class Memory(np.ndarray[Any, Any]):  # plain arrays have no weak references
        pass

    def allocate(size: int) -> Any:
        memory = np.empty(size, np.uint8).view(Memory)
        given.append(weakref.ref(memory))
        return memory

    with fastinet.Loader(
        split, SIZE, [T.Resize((16, 16))], columns=("batch",), allocate=allocate, prefetch_bytes=0, threads=1
    ) as loader:
        taken = 0
        for (batch,) in loader:
            assert batch.memory is given[taken]()
            assert batch.images.ctypes.data == batch.memory.ctypes.data
            del batch
            taken += 1
            gc.collect()
            assert [memory() for memory in given[:taken]] == [None] * taken
        assert len(given) == taken == len(loader)


def test_memory_that_another_still_holds_is_never_written_again(split: Path) -> None:
    """As a copy to a device does, which goes on when the user has let go of the batch."""
    held: list[Any] = []

    def allocate(size: int) -> Any:
        held.append(np.empty(size, np.uint8))
        return held[-1]

    with fastinet.Loader(
        split, SIZE, [T.RandomResizedCrop(16)], allocate=allocate, prefetch_bytes=0, threads=2
    ) as loader:
        contents = []
        for _ in range(3):
            for images, _labels in loader:
                contents.append(images.tobytes())
                del images
    assert [memory.tobytes()[: len(c)] for memory, c in zip(held, contents, strict=True)] == contents


@pytest.mark.parametrize(
    ("give", "message"),
    [
        (lambda size: bytearray(size - 1), "allocate: expected 12288 bytes, found 12287"),
        (
            lambda size: np.empty(2 * size, np.uint8)[::2],
            "expected contiguous memory, found memory with gaps",
        ),
        (
            lambda size: np.empty(size + 1, np.uint8)[1:],
            "expected an address that is a multiple of 4, found 1",
        ),
    ],
)
def test_memory_that_does_not_fit_is_refused(split: Path, give: Any, message: str) -> None:
    with (
        fastinet.Loader(split, SIZE, [T.Resize((16, 16))], allocate=give) as loader,
        pytest.raises(ArgumentError, match=message),
    ):
        next(iter(loader))


def test_memory_that_is_given_twice_at_a_time_is_refused(split: Path) -> None:
    memory = np.empty(1 << 20, np.uint8)
    with (
        fastinet.Loader(split, SIZE, [T.Resize((16, 16))], allocate=lambda size: memory) as loader,
        pytest.raises(ArgumentError, match="allocate: expected memory of its own for each batch"),
    ):
        next(iter(loader))


# Reading ahead


def core_batches(count: int, fault: Callable[[int], Any] = lambda number: None) -> Callable[[], Any]:
    """What gives `count` batches of one sample, as the core would."""
    numbers = iter(range(count))

    def take() -> Any:
        number = next(numbers, None)
        if number is None:
            return None
        fault(number)
        return SimpleNamespace(number=number, position=number + 1)

    return take


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_work_runs_ahead_and_positions_follow_what_is_handed_out(depth: int) -> None:
    begun: list[int] = []
    positions: list[int | None] = []
    work = Work(lambda b: begun.append(b.number) or b.number, lambda number: number * 10, depth)
    epoch = Epoch(core_batches(5), positions.append, lambda: None, work)
    for number in range(5):
        assert next(epoch) == number * 10
        assert positions == list(range(1, number + 2))
        assert len(begun) == min(5, number + 1 + depth)
    assert list(epoch) == []
    assert positions == [1, 2, 3, 4, 5, None]


@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("where", ["take", "begin", "finish"])
@pytest.mark.parametrize("number", range(4))
def test_an_error_of_work_ahead_comes_in_the_turn_of_its_batch(depth: int, where: str, number: int) -> None:
    def fault(found: int) -> None:
        if found == number:
            raise DecodeError("here")

    def on(place: str) -> Callable[[int], None]:
        return fault if where == place else lambda _: None

    positions: list[int | None] = []
    work = Work(lambda b: on("begin")(b.number) or b.number, lambda n: on("finish")(n) or n, depth)
    epoch = Epoch(core_batches(4, on("take")), positions.append, lambda: None, work)
    assert [next(epoch) for _ in range(number)] == list(range(number))
    with pytest.raises(DecodeError, match="here"):
        next(epoch)
    assert list(epoch) == []
    assert positions == list(range(1, number + 1))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), StateError("the loader is closed")])
def test_ctrl_c_and_a_newer_epoch_end_work_ahead_at_once(error: BaseException) -> None:
    def fault(number: int) -> None:
        if number == 3:
            raise error

    positions: list[int | None] = []
    epoch = Epoch(
        core_batches(9, fault), positions.append, lambda: None, Work(lambda b: b.number, lambda n: n, 2)
    )
    assert next(epoch) == 0
    with pytest.raises(type(error)):
        next(epoch)
    assert list(epoch) == []
    assert positions == [1]


def test_an_iterator_that_was_replaced_hands_out_nothing_more(split: Path) -> None:
    for name in ADAPTERS[:3]:
        with adapter(name)(split, SIZE, [T.Resize((16, 16))], columns=("image", "index")) as loader:
            old = iter(loader)
            next(old)
            new = iter(loader)
            with pytest.raises(StateError, match="a newer one of the same loader took over"):
                next(old)
            assert len(list(new)) == len(loader)


def test_set_epoch_in_mid_epoch_is_not_undone_by_batches_that_follow(split: Path) -> None:
    for name in ADAPTERS[:3]:
        with adapter(name)(split, SIZE, [T.Resize((16, 16))], columns=("image", "index")) as loader:
            assert len(list(loader)) == len(loader)
            assert loader.epoch == 1
            epoch = iter(loader)
            next(epoch)
            loader.set_epoch(7)
            next(epoch)
            assert loader.epoch == 7
            assert loader.state_dict()["position"] == 0
