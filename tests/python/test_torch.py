"""fastinet.torch: the loader's batches as tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import splits

import fastinet.loader
from fastinet import transforms as T  # noqa: N812
from fastinet.errors import ArgumentError, UnsupportedError

torch = pytest.importorskip("torch", reason="the adapter for PyTorch needs PyTorch")
import fastinet.torch  # noqa: E402
from fastinet.read_ahead import ReadAhead  # noqa: E402

TRAIN = [T.RandomResizedCrop(32), T.RandomHorizontalFlip(), T.Normalize()]


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return splits.write_split(tmp_path_factory.mktemp("torch") / "train", splits.jpeg_items(22))


def numpy_epoch(split: Path, **options: Any) -> list[tuple[Any, ...]]:
    with fastinet.loader.Loader(split, 4, TRAIN, shuffle=True, seed=3, threads=2, **options) as loader:
        return list(loader)


def test_tensors_hold_what_the_arrays_hold(split: Path) -> None:
    columns = ("image", "label", "index", "key")
    with fastinet.torch.Loader(split, 4, TRAIN, shuffle=True, seed=3, threads=2, columns=columns) as loader:
        batches = list(loader)
    for (images, labels, indices, keys), expected in zip(
        batches, numpy_epoch(split, columns=columns), strict=True
    ):
        assert images.dtype == torch.float32
        assert labels.dtype == torch.int64
        assert np.array_equal(images.numpy(), expected[0])
        assert np.array_equal(labels.numpy(), expected[1])
        assert np.array_equal(indices.numpy(), expected[2])
        assert keys == expected[3]


def test_a_tensor_shares_the_memory_of_its_batch_and_outlives_the_loader(split: Path) -> None:
    loader = fastinet.torch.Loader(split, 4, TRAIN, columns=("image", "batch"), threads=1)
    images, batch = next(iter(loader))
    assert images.data_ptr() == batch.images.ctypes.data
    before = images.clone()
    loader.close()
    del loader, batch
    assert torch.equal(images, before)


def test_dtype_may_be_torchs(split: Path) -> None:
    with fastinet.torch.Loader(split, 4, TRAIN, dtype=torch.float16, threads=1) as loader:
        assert next(iter(loader))[0].dtype == torch.float16


@pytest.mark.skipif(torch.cuda.is_available(), reason="shows the errors of a machine without CUDA")
@pytest.mark.parametrize("options", [{"device": "cuda"}, {"pin_memory": True}])
def test_cuda_that_is_not_there_is_refused_in_one_sentence(split: Path, options: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError, match=r"needs CUDA, and torch\.cuda\.is_available\(\) is False"):
        fastinet.torch.Loader(split, 4, TRAIN, **options)


def test_asking_for_an_iterator_alone_uses_up_no_epoch(split: Path) -> None:
    with fastinet.torch.Loader(split, 4, TRAIN, shuffle=True, seed=3, threads=2) as loader:
        iter(loader)
        batches = list(loader)
    for (images, _), (expected, _) in zip(batches, numpy_epoch(split), strict=True):
        assert np.array_equal(images.numpy(), expected)


def test_the_memory_of_batches_can_come_from_outside(split: Path) -> None:
    given: list[np.ndarray[Any, Any]] = []

    def allocate(size: int) -> np.ndarray[Any, Any]:
        given.append(np.empty(size, np.uint8))
        return given[-1]

    with fastinet.loader.Loader(
        split, 4, TRAIN, shuffle=True, seed=3, threads=2, allocate=allocate
    ) as loader:
        batches = list(loader)
    starts = {a.ctypes.data for a in given}
    assert given
    assert all(images.ctypes.data in starts for images, _ in batches)
    for (images, _), (expected, _) in zip(batches, numpy_epoch(split), strict=True):
        assert np.array_equal(images, expected)


def test_memory_from_outside_that_is_too_small_is_an_error(split: Path) -> None:
    with (
        fastinet.loader.Loader(
            split, 4, TRAIN, threads=1, allocate=lambda size: bytearray(size - 1)
        ) as loader,
        pytest.raises(ArgumentError, match=r"allocate: expected 49152 bytes, found 49151"),
    ):
        list(loader)


def read_ahead(loader: fastinet.loader.Loader, depth: int) -> ReadAhead[Any]:
    return ReadAhead(loader, iter(loader), lambda batch: batch, lambda batch: batch, depth)


def test_reading_ahead_gives_the_same_batches_and_counts_what_was_handed_out(split: Path) -> None:
    expected = numpy_epoch(split)
    options: dict[str, Any] = {"shuffle": True, "seed": 3, "threads": 2}
    with fastinet.loader.Loader(split, 4, TRAIN, **options) as loader:
        for stop in range(len(expected) + 1):
            loader.set_epoch(0)
            loader.load_state_dict({**loader.state_dict(), "epoch": 0, "position": 0})
            ahead = read_ahead(loader, depth=2)
            first = [next(ahead) for _ in range(stop)]
            with fastinet.loader.Loader(split, 4, TRAIN, **options) as resumed:
                resumed.load_state_dict(loader.state_dict())
                rest = list(resumed) if stop < len(expected) else []
            got = [images for images, _ in first + rest]
            assert len(got) == len(expected)
            assert all(np.array_equal(a, b) for a, (b, _) in zip(got, expected, strict=True))


def test_reading_ahead_moves_to_the_next_epoch_at_the_end_and_keeps_to_set_epoch(split: Path) -> None:
    with fastinet.loader.Loader(split, 4, TRAIN, threads=1) as loader:
        assert len(list(read_ahead(loader, 2))) == len(loader)
        assert loader.epoch == 1
        ahead = read_ahead(loader, 2)
        next(ahead)
        loader.set_epoch(7)
        next(ahead)
        assert loader.epoch == 7
        assert loader.state_dict()["position"] == 0


def test_reading_ahead_uses_up_no_epoch_before_a_batch_is_asked_for(split: Path) -> None:
    with fastinet.loader.Loader(split, 4, TRAIN, threads=1) as loader:
        read_ahead(loader, 2)
        ahead = read_ahead(loader, 2)
        assert loader.epoch == 0
        next(ahead)
        next(read_ahead(loader, 2))
        assert loader.epoch == 1


def test_an_epoch_whose_batch_cannot_be_finished_is_over(split: Path) -> None:
    def fail(batch: Any) -> Any:
        raise RuntimeError("no room on the device")

    with fastinet.loader.Loader(split, 4, TRAIN, threads=1) as loader:
        ahead: ReadAhead[Any] = ReadAhead(loader, iter(loader), lambda batch: batch, fail, 1)
        with pytest.raises(RuntimeError, match="no room"):
            next(ahead)
        assert (loader.epoch, loader.state_dict()["position"]) == (0, 0)  # where it may be resumed
        next(iter(loader))
        assert loader.epoch == 1


@pytest.mark.gpu
def test_batches_on_the_gpu_equal_those_on_the_cpu(split: Path) -> None:
    with fastinet.torch.Loader(split, 4, TRAIN, shuffle=True, seed=3, device="cuda") as loader:
        batches = [(images.cpu().numpy(), labels.cpu().numpy()) for images, labels in loader]
    for (images, labels), expected in zip(batches, numpy_epoch(split), strict=True):
        assert np.array_equal(images, expected[0])
        assert np.array_equal(labels, expected[1])
