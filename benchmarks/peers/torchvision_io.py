"""torchvision without Pillow: its own decoder and transforms v2 on tensors, in torch's DataLoader."""

from __future__ import annotations

from typing import Any

import torch
import torchvision
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms import v2

from peers import MEAN, STD, Epoch, Work
from peers.vision import dataloader_epochs

DISTRIBUTIONS = ("torchvision", "torch")


def _decode(path: str) -> Any:
    return decode_image(path, mode=ImageReadMode.RGB)


def open_epochs(work: Work) -> Epoch:
    crops = (
        [v2.RandomResizedCrop(224, antialias=True), v2.RandomHorizontalFlip()]
        if work.train
        else [v2.Resize(256, antialias=True), v2.CenterCrop(224)]
    )
    ends = [v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)] if work.normalised else []
    dataset = torchvision.datasets.ImageFolder(work.images, v2.Compose([*crops, *ends]), loader=_decode)
    return dataloader_epochs(dataset, work)
