"""What most training scripts do: torch's DataLoader over an ImageFolder, with torchvision's transforms."""

from __future__ import annotations

import torch

from peers import Epoch, Work
from peers.vision import open_rgb, transform_for
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
    loader = torch.utils.data.DataLoader(
        _ImageFolder(work),
        batch_size=work.batch_size,
        shuffle=work.train,
        num_workers=work.threads,
        persistent_workers=True,
    )

    def epoch() -> int:
        return sum(len(images) for images, _ in loader)

    return epoch
