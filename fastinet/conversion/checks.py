"""How images are found to be such as training can decode."""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["CHECKS", "Check"]

# "fast": the entropy-coded data of a usual JPEG file are walked to their end, and what this does not vouch
# for is decoded to its last row, by Pillow in the end; "full": Pillow decodes every image; "none": a JPEG
# file is taken by its header and its end-of-image marker.
Check = Literal["fast", "full", "none"]
CHECKS = get_args(Check)
