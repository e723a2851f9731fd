"""webdataset over the same tar shards, with torchvision's transforms."""

from __future__ import annotations

import webdataset as wds

from peers import Epoch, UnavailableError, Work
from peers.vision import transform_for

DISTRIBUTIONS = ("webdataset", "torch", "torchvision", "pillow")


def open_epochs(work: Work) -> Epoch:
    shards = [str(path) for path in sorted(work.shards.glob("*.tar"))]
    if len(shards) < work.threads:
        raise UnavailableError(f"needs a shard for each worker: {len(shards)} shards, {work.threads} workers")
    dataset = wds.WebDataset(shards, shardshuffle=len(shards) if work.train else False, empty_check=False)
    if work.train:
        dataset = dataset.shuffle(1000)
    dataset = dataset.decode("pilrgb").to_tuple("jpg", "cls")
    dataset = dataset.map_tuple(transform_for(work), int).batched(work.batch_size)
    loader = wds.WebLoader(dataset, batch_size=None, num_workers=work.threads, persistent_workers=True)

    def epoch() -> int:
        return sum(len(images) for images, _ in loader)

    return epoch
