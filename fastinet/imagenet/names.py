"""How ImageNet names synsets and files."""

from __future__ import annotations

import re

__all__ = ["WNID", "WNID_PREFIX"]

# A WordNet ID: the part of speech and the offset in WordNet 3.0. Use `fullmatch`, and `WNID.pattern` as a
# part of other patterns.
WNID = re.compile(r"n\d{8}")

# The WNID that begins the file name of a training image: "n01440764_10026".
WNID_PREFIX = re.compile(rf"({WNID.pattern})_")
