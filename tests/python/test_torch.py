"""fastinet.torch: the loader's batches as tensors."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import splits

import fastinet
from fastinet import transforms as T  # noqa: N812
from fastinet.errors import ArgumentError, UnsupportedError

torch = pytest.importorskip("torch", reason="the adapter for PyTorch needs PyTorch")
import fastinet.torch  # noqa: E402

TRAIN = [T.RandomResizedCrop(32), T.RandomHorizontalFlip(), T.Normalize()]


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return splits.write_split(tmp_path_factory.mktemp("torch") / "train", splits.jpeg_items(22))


def numpy_epoch(split: Path, **options: Any) -> list[tuple[Any, ...]]:
    with fastinet.Loader(split, 4, TRAIN, shuffle=True, seed=3, threads=2, **options) as loader:
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

    with fastinet.Loader(split, 4, TRAIN, shuffle=True, seed=3, threads=2, allocate=allocate) as loader:
        batches = list(loader)
    starts = {a.ctypes.data for a in given}
    assert given
    assert all(images.ctypes.data in starts for images, _ in batches)
    for (images, _), (expected, _) in zip(batches, numpy_epoch(split), strict=True):
        assert np.array_equal(images, expected)


def test_memory_from_outside_that_is_too_small_is_an_error(split: Path) -> None:
    with (
        fastinet.Loader(split, 4, TRAIN, threads=1, allocate=lambda size: bytearray(size - 1)) as loader,
        pytest.raises(ArgumentError, match=r"allocate: expected 49152 bytes, found 49151"),
    ):
        list(loader)


def test_a_batch_of_bad_records_is_one_of_empty_tensors(tmp_path: Path) -> None:
    items = [(key, data[:20] + bytes(200), label) for key, data, label in splits.jpeg_items(3)]
    folder = splits.write_split(tmp_path / "train", items)
    columns = ("image", "label", "index", "boxes", "key")
    with fastinet.torch.Loader(folder, 3, TRAIN, on_error="skip", columns=columns) as loader:
        ((images, labels, indices, boxes, keys),) = list(loader)
    assert (images.shape, images.dtype) == ((0, 3, 32, 32), torch.float32)
    assert (labels.shape, labels.dtype, indices.shape) == ((0,), torch.int64, (0,))
    assert (boxes, keys) == ([], [])


class StandInForCuda:
    """PyTorch's pinned allocator, as far as a machine without CUDA can have it: ordinary memory, recorded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.given: list[torch.Tensor] = []
        self.pinned: list[torch.Tensor] = []
        self._empty = torch.empty
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch, "empty", self.empty)
        monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: self.pin_memory(tensor))

    def empty(self, *args: Any, pin_memory: bool = False, **kwargs: Any) -> torch.Tensor:
        tensor = self._empty(*args, **kwargs)
        if pin_memory:
            assert torch.device(kwargs["device"]) == torch.device("cpu")
            self.given.append(tensor)
        return tensor

    def pin_memory(self, tensor: torch.Tensor) -> torch.Tensor:
        self.pinned.append(tensor.clone())
        return self.pinned[-1]


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> StandInForCuda:
    return StandInForCuda(monkeypatch)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_pinned_batches_lie_in_the_storage_that_pytorch_allocated(
    split: Path, cuda: StandInForCuda, device: str
) -> None:
    torch.set_default_device(device)
    try:
        with fastinet.torch.Loader(split, 4, TRAIN, shuffle=True, seed=3, pin_memory=True) as loader:
            batches = list(loader)
    finally:
        torch.set_default_device(None)
    assert len(cuda.given) == len(loader)
    for memory, (images, labels), expected in zip(cuda.given, batches, numpy_epoch(split), strict=True):
        assert images.untyped_storage().data_ptr() == memory.untyped_storage().data_ptr()
        assert images.untyped_storage().nbytes() == memory.nbytes
        assert np.array_equal(images.numpy(), expected[0])
        assert any(labels is pinned for pinned in cuda.pinned)
        assert np.array_equal(labels.numpy(), expected[1])


def test_pinned_memory_that_pytorch_still_protects_is_never_written_again(
    split: Path, cuda: StandInForCuda
) -> None:
    contents = []
    with fastinet.torch.Loader(split, 4, TRAIN, pin_memory=True, prefetch_bytes=0, threads=2) as loader:
        for _ in range(3):
            for images, _labels in loader:
                contents.append(images.clone())
                del images  # as `images = images.cuda(non_blocking=True)` does; `given` holds the block
    for memory, content in zip(cuda.given, contents, strict=True):
        assert torch.equal(memory[: content.nbytes].view(content.dtype), content.flatten())


def test_pinned_memory_goes_back_to_pytorch_with_its_tensor(split: Path, cuda: StandInForCuda) -> None:
    with fastinet.torch.Loader(split, 4, TRAIN, pin_memory=True) as loader:
        epoch = iter(loader)
        images, _ = next(epoch)
        before = images.clone()
    handles = [weakref.ref(tensor) for tensor in cuda.given]
    cuda.given.clear()
    del epoch
    gc.collect()
    assert [handle() for handle in handles] == [None] * len(handles)  # nothing of fastinet's holds the block
    assert torch.equal(images, before)


def test_what_a_callable_makes_of_pinned_images_is_pinned_too(split: Path, cuda: StandInForCuda) -> None:
    def cut(images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return images[:, 1:, 4:-4, ::2]

    with fastinet.torch.Loader(split, 4, [*TRAIN, cut], shuffle=True, seed=3, pin_memory=True) as loader:
        batches = list(loader)
    for memory, (images, _), expected in zip(cuda.given, batches, numpy_epoch(split), strict=True):
        assert images.untyped_storage().data_ptr() == memory.data_ptr()
        assert np.array_equal(images.numpy(), cut(expected[0]))
    with fastinet.torch.Loader(split, 4, [*TRAIN, np.square], pin_memory=True) as loader:
        images, _ = next(iter(loader))
    assert any(images is pinned for pinned in cuda.pinned)


@pytest.mark.gpu
def test_copies_from_pinned_batches_that_were_dropped_at_once_are_right(split: Path) -> None:
    device = torch.device("cuda")
    with fastinet.torch.Loader(
        split, 4, TRAIN, shuffle=True, seed=3, pin_memory=True, prefetch_bytes=0
    ) as loader:
        for expected in (numpy_epoch(split), None):
            copies = []
            for images, labels in loader:
                assert images.is_pinned()
                assert labels.is_pinned()
                torch.cuda._sleep(20_000_000)  # the copy waits behind it while the loader decodes on
                copies.append((images.to(device, non_blocking=True), labels.to(device, non_blocking=True)))
                del images, labels
            for (images, labels), right in zip(copies, expected or (), strict=False):
                assert np.array_equal(images.cpu().numpy(), right[0])
                assert np.array_equal(labels.cpu().numpy(), right[1])


@pytest.mark.gpu
def test_batches_on_the_gpu_equal_those_on_the_cpu(split: Path) -> None:
    with fastinet.torch.Loader(split, 4, TRAIN, shuffle=True, seed=3, device="cuda") as loader:
        batches = [(images.cpu().numpy(), labels.cpu().numpy()) for images, labels in loader]
    for (images, labels), expected in zip(batches, numpy_epoch(split), strict=True):
        assert np.array_equal(images, expected[0])
        assert np.array_equal(labels, expected[1])
