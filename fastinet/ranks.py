"""Of how many processes this is one, by what PyTorch and its launchers say.

A loader that takes itself for the only one, while its process is one of several, trains on everything on
every rank, and nothing shows it. So a process that is said to be one of several must be told its part: by
``rank`` and ``world_size``, or by ``torch.distributed`` or JAX through the adapters of theirs.
"""

from __future__ import annotations

import os
import sys

__all__ = ["in_torch_distributed", "launched", "local_world_size", "torch_worker"]


def in_torch_distributed() -> tuple[int, int] | None:
    """Rank and world size of ``torch.distributed``; None: not initialised, or never imported."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    return distributed.get_rank(), distributed.get_world_size()


def torch_worker() -> str | None:
    """Which of several workers of a ``torch.utils.data.DataLoader`` this process is; None: it is none."""
    data = sys.modules.get("torch.utils.data")
    info = None if data is None else data.get_worker_info()
    if info is None or info.num_workers < 2:
        return None
    return f"worker {info.id} of {info.num_workers}"


def launched() -> str | None:
    """The launcher's word that this is one of several processes, as ``torchrun`` and those like it leave it
    in the environment; None: nothing says so.

    It is a reason to refuse and never one to shard by: whether a process that has not joined the others works
    on its part or alone, only its owner knows, and whatever is assumed may be wrong in silence.
    """
    world_size = _count("WORLD_SIZE")
    if world_size is None or world_size < 2:
        return None
    for name in ("RANK", "LOCAL_RANK"):
        if name in os.environ:
            return f"{name}={os.environ[name]} WORLD_SIZE={world_size}"
    return None


def local_world_size() -> int:
    """Processes that ``torchrun`` started on this machine; 1: it did not, or did not say."""
    return max(1, _count("LOCAL_WORLD_SIZE") or 1)


def _count(name: str) -> int | None:
    try:
        return int(os.environ[name])
    except (KeyError, ValueError):
        return None
