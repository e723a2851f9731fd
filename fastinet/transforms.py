"""torchvision's transforms, compiled to a plan that the core runs: crop, resize, view, flip, one last write.

See :mod:`fastinet.loading.transforms`.
"""

from fastinet.loading.chain import compile_transform
from fastinet.loading.plan import Plan
from fastinet.loading.transforms import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    CenterCrop,
    ConvertImageDtype,
    Normalize,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
    ToTensor,
)

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "CenterCrop",
    "ConvertImageDtype",
    "Normalize",
    "Plan",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "Resize",
    "ToTensor",
    "compile_transform",
]
