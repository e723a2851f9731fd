"""Chooses an engine by its name."""

from __future__ import annotations

from fastinet.conversion.engines.base import Engine
from fastinet.conversion.engines.local import LocalEngine
from fastinet.conversion.engines.ray import RayEngine
from fastinet.errors import ArgumentError

__all__ = ["ENGINES", "open_engine"]

ENGINES = ("local", "ray")


def open_engine(name: str, workers: int | None = None, address: str | None = None) -> Engine:
    """Returns the engine with that name.

    Args:
        name: one of ``ENGINES``.
        workers: number of shards written at the same time; None: depends on the CPUs.
        address: of the Ray cluster; None: as for :class:`fastinet.conversion.engines.ray.RayEngine`.

    Raises:
        ArgumentError: there is no such engine, or an address is given for another engine than Ray.
        UnsupportedError: the engine's package is not installed.
    """
    if name not in ENGINES:
        raise ArgumentError(f"engine must be one of {', '.join(ENGINES)}, not {name!r}")
    if name == "ray":
        return RayEngine(address, workers=workers)
    if address is not None:
        raise ArgumentError("an address is that of a Ray cluster: it requires the engine ray")
    return LocalEngine(workers)
