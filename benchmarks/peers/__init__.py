"""The loaders that are compared, one module each, and the work that all of them do.

A module defines `DISTRIBUTIONS`, the packages whose versions matter, and `open_epochs(work)`, which returns a
function that loads one epoch, to the last batch, and gives the number of images it delivered. It raises
`UnavailableError` where the peer cannot do the work. An interpreter of the peer's own may run it: it imports
nothing but this package, `reference` and what the peer needs.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

TITLES = {
    "fastinet": "fastinet",
    "torchvision": "torchvision + Pillow",
    "torchvision_io": "torchvision, its own decoder",
    "torch_pillow": "torch DataLoader + Pillow",
    "webdataset": "webdataset + Pillow",
    "dali": "DALI, CPU pipeline",
    "ffcv": "FFCV, original JPEG files",
    "turboloader": "TurboLoader",
    "pillow": "Pillow, one process",
}
NAMES = tuple(TITLES)

#: Where a peer's work is not exactly that of the others.
NOTES = {
    "dali": "DALI's resize is not Pillow's.",
    "ffcv": "FFCV decodes with the fast, less exact inverse DCT and leaves the channels last in memory; its "
    "evaluation crops 224/256 of the shorter side, then resizes.",
    "turboloader": "TurboLoader decodes large images at a reduced size.",
}

#: What a batch is made of; all in batches, NCHW, 224x224.
WORKS = {
    "train": "RandomResizedCrop 224, flip, normalise, float32",
    "train-uint8": "RandomResizedCrop 224, flip, uint8",
    "eval": "Resize 256, CenterCrop 224, normalise, float32",
}


class UnavailableError(Exception):
    """This peer cannot do the work here; the message says why."""


@dataclass(frozen=True)
class Work:
    """One task for every peer.

    Attributes:
        name: a key of WORKS.
        images: ImageFolder tree.
        shards: the same images as tar shards of one split, made by fastinet.convert.
        threads: worker threads or processes.
        batch_size: images in a batch; the last one of an epoch is short.
    """

    name: str
    images: Path
    shards: Path
    threads: int
    batch_size: int

    @property
    def train(self) -> bool:
        """Whether the work is that of training: random crops and flips, shuffled."""
        return self.name != "eval"

    @property
    def normalised(self) -> bool:
        """Whether the output is normalised float32; otherwise it is uint8."""
        return self.name != "train-uint8"


def load(name: str) -> Any:
    """The module of a peer. Raises UnavailableError where a package is missing."""
    try:
        return importlib.import_module(f"peers.{name}")
    except ImportError as e:
        raise UnavailableError(f"not installed here ({e})") from e


Epoch = Callable[[], int]
