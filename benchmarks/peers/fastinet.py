"""fastinet, from the shards that it wrote."""

from __future__ import annotations

import fastinet
from fastinet import transforms as T  # noqa: N812
from peers import Epoch, Work

DISTRIBUTIONS = ("fastinet",)


def open_epochs(work: Work) -> Epoch:
    crop = (
        [T.RandomResizedCrop(224), T.RandomHorizontalFlip()]
        if work.train
        else [T.Resize(256), T.CenterCrop(224)]
    )
    loader = fastinet.Loader(
        work.shards,
        work.batch_size,
        transform=[*crop, T.Normalize()] if work.normalised else crop,
        shuffle=work.train,
        threads=work.threads,
        dtype="float32" if work.normalised else "uint8",
    )

    def epoch() -> int:
        return sum(len(images) for images, _ in loader)

    return epoch
