"""Faults on purpose, which show that the harness sees what it is there to see."""

from __future__ import annotations

import json
import os
import time

from mutant import Files, Mutant
from sealing import manifest_bytes

__all__ = ["SORTS", "mutate"]

SORTS = ("crash", "hang", "foreign exception", "silent difference", "verify is silent", "none")


def mutate(index: int, files: Files) -> Mutant:
    """By number: a fault of each sort, then none."""
    sort = SORTS[min(index, len(SORTS) - 1)]
    told = json.loads(files["dataset.json"])
    del told["manifest_xxh3"]
    if sort == "crash":
        os.abort()
    if sort == "hang":
        time.sleep(3600)
    if sort == "foreign exception":
        raise KeyError("planted")
    if sort == "silent difference":
        told["classes"][0]["words"] = ["planted"]
    text = json.dumps(told)[:-1].encode()
    return Mutant(
        f"planted: {sort}", {"dataset.json": manifest_bytes(text)}, must_tell=sort == "verify is silent"
    )
