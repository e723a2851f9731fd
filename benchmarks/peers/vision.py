"""What peers share that load as torchvision does: its transforms on Pillow images, and torch's DataLoader.

Where torchvision is not installed, the same arithmetic stands in for its transforms.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import reference
from peers import MEAN, STD, Epoch, Work

Transform = Callable[[Image.Image], Any]


def open_rgb(path: Path) -> Image.Image:
    """As torchvision's default loader opens it."""
    with path.open("rb") as file:
        return Image.open(file).convert("RGB")


def transform_for(work: Work) -> Transform:
    """The transform that the work asks for."""
    try:
        from torchvision import transforms as tv
    except ImportError:
        crop = reference.random_crop if work.train else reference.center_crop
        finish = to_normalised_tensor if work.normalised else to_uint8_tensor
        return lambda image: finish(crop(image))
    crops = (
        [tv.RandomResizedCrop(224), tv.RandomHorizontalFlip()]
        if work.train
        else [tv.Resize(256), tv.CenterCrop(224)]
    )
    ends = [tv.ToTensor(), tv.Normalize(MEAN, STD)] if work.normalised else [tv.PILToTensor()]
    composed: Transform = tv.Compose([*crops, *ends])
    return composed


def dataloader_epochs(dataset: torch.utils.data.Dataset[Any], work: Work) -> Epoch:
    """Epochs of a DataLoader with worker processes over a dataset of (image, label)."""
    loader = torch.utils.data.DataLoader(
        dataset,
        batch_size=work.batch_size,
        shuffle=work.train,
        num_workers=work.threads,
        persistent_workers=True,
    )

    def epoch() -> int:
        return sum(len(images) for images, _ in loader)

    return epoch


def to_uint8_tensor(image: Image.Image) -> torch.Tensor:
    """As PILToTensor."""
    return torch.from_numpy(np.array(image, copy=True)).permute(2, 0, 1)


def to_normalised_tensor(image: Image.Image) -> torch.Tensor:
    """As ToTensor, then Normalize."""
    tensor = to_uint8_tensor(image).contiguous().to(torch.float32).div(255)
    mean, std = torch.tensor(MEAN).view(-1, 1, 1), torch.tensor(STD).view(-1, 1, 1)
    return tensor.clone().sub_(mean).div_(std)
