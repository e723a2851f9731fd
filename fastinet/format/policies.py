"""Choices of a conversion or an indexing that the manifest records."""

from __future__ import annotations

from typing import Literal, get_args

from fastinet.errors import ArgumentError

__all__ = ["CHECKS", "POLICIES", "Check", "Policy", "refuse_unknown"]

# What happens to a file that cannot be read or is not an image. "fail": the conversion aborts. "skip": the
# file is left out and listed in the report. "keep": its bytes are stored as they are, if there are any, and
# the file is listed.
Policy = Literal["fail", "skip", "keep"]
POLICIES = get_args(Policy)

# How images that training cannot decode are found. "fast": the entropy-coded data of a usual JPEG file are
# parsed to their end; any file for which this proves nothing is decoded to its last row, by Pillow if
# necessary. "full": Pillow decodes every image. "none": a JPEG file is accepted by its header and its
# end-of-image marker.
Check = Literal["fast", "full", "none"]
CHECKS = get_args(Check)


def refuse_unknown(on_bad: str, check: str) -> None:
    """Raises ArgumentError if a policy or a check has no such name."""
    if on_bad not in POLICIES:
        raise ArgumentError(f"on_bad must be one of {', '.join(POLICIES)}, not {on_bad!r}")
    if check not in CHECKS:
        raise ArgumentError(f"check must be one of {', '.join(CHECKS)}, not {check!r}")
