"""fastinet: the ImageNet data engine."""

from __future__ import annotations

from fastinet.decode import decode

__all__ = ["decode"]

__version__ = "0.1.0"
