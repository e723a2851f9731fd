"""Checks that a dataset is intact, and whether it is what was published. Start at ``verify_dataset.py``."""

from __future__ import annotations

from fastinet.verification.report import (
    ClassBalance,
    ClassCount,
    Comparison,
    DuplicateGroup,
    DuplicateReport,
    ImageRef,
    SplitContents,
    VerifyReport,
)
from fastinet.verification.verify_dataset import verify

__all__ = [
    "ClassBalance",
    "ClassCount",
    "Comparison",
    "DuplicateGroup",
    "DuplicateReport",
    "ImageRef",
    "SplitContents",
    "VerifyReport",
    "verify",
]
