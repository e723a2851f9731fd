"""Batches as PyTorch tensors, on the CPU or already on their way to a device.

Needs PyTorch; fastinet itself does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastinet import ranks
from fastinet.errors import UnsupportedError
from fastinet.loader import Loader as _NumpyLoader
from fastinet.read_ahead import ReadAhead

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

    Args:
        *args, **kwargs: of :class:`fastinet.Loader`. ``rank`` and ``world_size`` default to those of
            ``torch.distributed``, looked up when they are first needed (``iter()``, ``len()``), so that the
            loader may be made before ``init_process_group``. ``dtype`` may be a ``torch.dtype``.
        device: where batches go; None leaves them on the CPU.
        pin_memory: decode into pinned memory. None: where ``device`` is a CUDA device. True without
            ``device`` gives pinned CPU tensors, for a training loop that copies them itself.

    A ragged column (boxes) is a list of CPU tensors, one a sample. Strings and other columns that tensors
    cannot hold stay as they are.

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
            kwargs["allocate"] = _pinned_bytes
        super().__init__(*args, **kwargs)

    _remedy = "Call torch.distributed.init_process_group first, or give it rank= and world_size="

    def _found_rank(self) -> tuple[int, int]:
        return ranks.in_torch_distributed() or super()._found_rank()

    def __iter__(self) -> Iterator[Any]:
        """The next epoch, as tensors."""
        batches = super().__iter__()
        if self.device.type == "cpu":
            return map(self._tensors, batches)
        stream: Any = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None  # type: ignore[no-untyped-call]
        return ReadAhead(
            self, batches, lambda b: self._begin_copy(b, stream), lambda b: self._finish_copy(b, stream), 1
        )

    def _tensors(self, batch: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(_tensor(value) for value in batch)

    def _begin_copy(self, batch: tuple[Any, ...], stream: Any) -> tuple[Any, ...]:
        host = self._tensors(batch)
        if stream is None:
            return tuple(v.to(self.device) if isinstance(v, torch.Tensor) else v for v in host)
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


def _tensor(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    if isinstance(value, list) and value and isinstance(value[0], np.ndarray):
        return [torch.from_numpy(array) for array in value]  # a ragged column
    return value


def _pinned_bytes(size: int) -> np.ndarray[Any, Any]:
    memory: np.ndarray[Any, Any] = torch.empty(size, dtype=torch.uint8, pin_memory=True).numpy()
    return memory
