"""Batches as PyTorch tensors, on the CPU or already on their way to a device.

Needs PyTorch; fastinet itself does not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastinet import _core, ranks
from fastinet.errors import UnsupportedError
from fastinet.loading.epoch import Work
from fastinet.loading.loader import Loader as _NumpyLoader

try:
    import torch
except ImportError as e:
    raise UnsupportedError(
        f"fastinet.torch needs PyTorch, which cannot be imported ({e}): pip install torch"
    ) from e

__all__ = ["Loader"]


class Loader(_NumpyLoader):
    """:class:`fastinet.Loader` with tensors in place of arrays.

    On the CPU a tensor shares the batch's memory: nothing is copied, and the memory goes back to the loader
    when the tensor dies. With ``device`` a CUDA device, batches are decoded into pinned memory and copied on
    a stream of their own, one batch ahead of the one in use; each is ready when it is handed out.

    Pinned memory is PyTorch's own, one block a batch. When the tensor dies it goes back to PyTorch, which
    uses it again only once the copies from it have happened: ``images = images.cuda(non_blocking=True)`` is
    safe.

    Args:
        *args, **kwargs: of :class:`fastinet.Loader`. ``rank`` and ``world_size`` default to those of
            ``torch.distributed``, looked up when they are first needed (``iter()``, ``len()``), so that the
            loader may be made before ``init_process_group``. ``dtype`` may be a ``torch.dtype``.
        device: where batches go; None leaves them on the CPU.
        pin_memory: decode into pinned memory. None: where ``device`` is a CUDA device. True without
            ``device`` gives pinned CPU tensors, for a training loop that copies them itself.

    A ragged column (boxes) is a list of CPU tensors, one a sample, which are not pinned. Strings and other
    columns that tensors cannot hold stay as they are.

    Raises:
        ArgumentError, UnsupportedError: also for a CUDA device or pinned memory where there is no CUDA.
    """

    def __init__(self, *args: Any, device: Any = None, pin_memory: bool | None = None, **kwargs: Any) -> None:
        """See the class."""
        self.device = torch.device("cpu" if device is None else device)
        on_cuda = self.device.type == "cuda"
        self.pin_memory = on_cuda if pin_memory is None else bool(pin_memory)
        if (on_cuda or self.pin_memory) and not torch.cuda.is_available():
            wanted = f"device={device!r}" if on_cuda else "pin_memory=True"
            raise UnsupportedError(f"{wanted} needs CUDA, and torch.cuda.is_available() is False here")
        if isinstance(kwargs.get("dtype"), torch.dtype):
            kwargs["dtype"] = str(kwargs["dtype"]).removeprefix("torch.")
        if self.pin_memory:
            kwargs["allocate"] = _Pinned.allocate
        super().__init__(*args, **kwargs)

    _remedy = "Call torch.distributed.init_process_group first, or give it rank= and world_size="

    def _found_rank(self) -> tuple[int, int]:
        return ranks.in_torch_distributed() or super()._found_rank()

    def _work(self) -> Work[Any]:
        if self.device.type == "cpu":
            return Work(self._tensors, lambda values: values)
        stream: Any = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None  # type: ignore[no-untyped-call]
        return Work(lambda b: self._begin_copy(b, stream), lambda b: self._finish_copy(b, stream), depth=1)

    def _tensors(self, batch: _core.Batch) -> tuple[Any, ...]:
        pinned = batch.memory.tensor if isinstance(batch.memory, _Pinned) else None
        return tuple(_tensor(value, pinned) for value in self._hand_out(batch))

    def _begin_copy(self, batch: _core.Batch, stream: Any) -> tuple[Any, ...]:
        host = self._tensors(batch)
        if stream is None:
            return tuple(v.to(self.device) if isinstance(v, torch.Tensor) else v for v in host)
        # Without pinned memory CUDA reads the source before the call returns, so that reuse cannot harm it.
        with torch.cuda.stream(stream):
            device = tuple(
                v.to(self.device, non_blocking=True) if isinstance(v, torch.Tensor) else v for v in host
            )
            copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            copied.record(stream)
        return device, host, copied  # the copy reads `host` until `copied` has happened

    def _finish_copy(self, staged: tuple[Any, ...], stream: Any) -> tuple[Any, ...]:
        if stream is None:
            return staged
        device, _, copied = staged
        copied.synchronize()
        current = torch.cuda.current_stream(self.device)
        for value in device:
            if isinstance(value, torch.Tensor):
                value.record_stream(current)
        return tuple(device)


class _Pinned(np.ndarray[Any, Any]):
    """Pinned memory as the core takes it, with the tensor whose storage it is."""

    tensor: torch.Tensor

    @classmethod
    def allocate(cls, size: int) -> _Pinned:
        # The device is said, since torch.set_default_device may have chosen another.
        tensor = torch.empty(size, dtype=torch.uint8, device="cpu", pin_memory=True)
        memory: _Pinned = tensor.numpy().view(cls)
        memory.tensor = tensor
        return memory


def _tensor(value: Any, pinned: torch.Tensor | None) -> Any:
    """A column as a tensor; with the pinned memory of the batch, one in pinned memory."""
    if isinstance(value, np.ndarray):
        if pinned is None:
            return torch.from_numpy(value)
        inside = _within(pinned, value)
        return torch.from_numpy(value).pin_memory() if inside is None else inside
    if isinstance(value, list) and value and isinstance(value[0], np.ndarray):
        return [torch.from_numpy(array) for array in value]  # a ragged column
    return value


def _within(memory: torch.Tensor, array: np.ndarray[Any, Any]) -> torch.Tensor | None:
    """The array as a view of the memory's own storage; None where it lies elsewhere.

    PyTorch protects a block while copies from it are under way by its storage: ``from_numpy`` would make
    another one of the same bytes.
    """
    offset = array.ctypes.data - memory.data_ptr()
    steps = (offset, *array.strides)
    if not 0 <= offset < memory.numel() or any(s < 0 or s % array.itemsize for s in steps):
        return None
    dtype = torch.from_numpy(np.empty(0, array.dtype)).dtype
    flat = memory[: memory.numel() // array.itemsize * array.itemsize].view(dtype)
    first, *strides = (s // array.itemsize for s in steps)
    return flat.as_strided(array.shape, strides, first)
