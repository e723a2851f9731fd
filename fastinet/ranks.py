"""Detects that this process is one of several, from PyTorch and from launchers such as ``torchrun``.

A loader that does not know that its process is one of several loads the whole dataset on every rank, and
no error says so. A loader in such a process therefore has to be given its part: by ``rank`` and
``world_size``, or by ``torch.distributed`` or JAX through their adapters.
"""

from __future__ import annotations

import os
import sys

__all__ = ["in_torch_distributed", "launched", "local_world_size", "torch_worker"]


def in_torch_distributed() -> tuple[int, int] | None:
    """Returns rank and world size of ``torch.distributed``; None if it is not initialised or not imported."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    return distributed.get_rank(), distributed.get_world_size()


def torch_worker() -> str | None:
    """Describes this process if it is one of several workers of a ``DataLoader``; otherwise returns None."""
    data = sys.modules.get("torch.utils.data")
    info = None if data is None else data.get_worker_info()
    if info is None or info.num_workers < 2:
        return None
    return f"worker {info.id} of {info.num_workers}"


def launched() -> str | None:
    """Returns the environment variables by which a launcher such as ``torchrun`` says that this process is
    one of several; None if there are none.

    Callers use it to refuse to guess, never to shard: only the user knows whether a process that has not
    joined the others works on its part or alone, and a wrong guess would not be noticed.
    """
    world_size = _count("WORLD_SIZE")
    if world_size is None or world_size < 2:
        return None
    for name in ("RANK", "LOCAL_RANK"):
        if name in os.environ:
            return f"{name}={os.environ[name]} WORLD_SIZE={world_size}"
    return None


def local_world_size() -> int:
    """Returns the number of processes that ``torchrun`` started on this machine; 1 if it is not known."""
    return max(1, _count("LOCAL_WORLD_SIZE") or 1)


def _count(name: str) -> int | None:
    try:
        return int(os.environ[name])
    except (KeyError, ValueError):
        return None
