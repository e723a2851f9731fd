"""TurboLoader's fused path over tar shards: training crops, float32."""

from __future__ import annotations

import turboloader

from peers import MEAN, STD, Epoch, UnavailableError, Work

DISTRIBUTIONS = ("turboloader",)


def open_epochs(work: Work) -> Epoch:
    if work.name != "train":
        raise UnavailableError(f"has no {work.name} path of its own (float32 training crops only)")
    shards = sorted(work.shards.glob("*.tar"))
    loaders = [
        turboloader.DataLoader(
            str(shard),
            batch_size=work.batch_size,
            num_workers=work.threads,
            shuffle=True,
            image_size=224,
            output_format="numpy_chw",
            transform=turboloader.Normalize(list(MEAN), list(STD)),
            train_aug=True,
            antialias=True,
        )
        for shard in shards
    ]
    epochs = 0

    def epoch() -> int:
        nonlocal epochs
        epochs += 1
        count = 0
        for loader in loaders:
            loader.set_epoch(epochs)
            count += sum(len(batch[0]) for batch in loader)
        return count

    return epoch
