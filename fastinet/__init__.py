"""fastinet: the ImageNet data engine."""

from __future__ import annotations

from fastinet.dataset import Dataset
from fastinet.decode import decode
from fastinet.loader import Loader

__all__ = ["Dataset", "Loader", "decode"]

__version__ = "0.1.0"
