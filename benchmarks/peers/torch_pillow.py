"""torch's DataLoader over an ImageFolder, also where torchvision is not installed."""

from __future__ import annotations

import torch

from peers import Epoch, Work
from peers.vision import dataloader_epochs, open_rgb, transform_for
from reference import image_folder

DISTRIBUTIONS = ("torch", "torchvision", "pillow")


class _ImageFolder(torch.utils.data.Dataset[tuple[torch.Tensor, int]]):
    def __init__(self, work: Work) -> None:
        self.samples = image_folder(work.images)
        self.transform = transform_for(work)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        path, label = self.samples[index]
        return self.transform(open_rgb(path)), label


def open_epochs(work: Work) -> Epoch:
    return dataloader_epochs(_ImageFolder(work), work)
