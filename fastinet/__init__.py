"""fastinet: the ImageNet data engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastinet.dataset.dataset import Dataset
from fastinet.images.decode import decode
from fastinet.loading.loader import Loader
from fastinet.version import __version__ as __version__

if TYPE_CHECKING:
    from fastinet.benchmarking import bench as bench
    from fastinet.conversion import convert as convert
    from fastinet.exporting import export as export
    from fastinet.inspection import inspect as inspect
    from fastinet.merging import merge as merge
    from fastinet.verification import verify as verify

__all__ = ["Dataset", "Loader", "bench", "convert", "decode", "export", "inspect", "merge", "verify"]

# Modules that training does not need are imported when they are first used.
_LAZY = {
    "bench": "benchmarking",
    "convert": "conversion",
    "export": "exporting",
    "inspect": "inspection",
    "merge": "merging",
    "verify": "verification",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = globals()[name] = getattr(importlib.import_module(f"fastinet.{_LAZY[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
