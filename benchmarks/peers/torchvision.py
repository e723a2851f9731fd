"""torchvision as most use it: its ImageFolder and transforms on Pillow images, in torch's DataLoader."""

from __future__ import annotations

import torchvision

from peers import Epoch, Work
from peers.vision import dataloader_epochs, transform_for

DISTRIBUTIONS = ("torchvision", "torch", "pillow")


def open_epochs(work: Work) -> Epoch:
    dataset = torchvision.datasets.ImageFolder(work.images, transform_for(work))
    return dataloader_epochs(dataset, work)
