"""NVIDIA DALI's CPU pipeline: windowed decoding, antialiased resize, fused flip and normalisation."""

from __future__ import annotations

import math

from nvidia.dali import fn, types
from nvidia.dali.pipeline import Pipeline

from peers import MEAN, STD, Epoch, Work

DISTRIBUTIONS = ("nvidia-dali-cuda120", "nvidia-nvimgcodec-cu12")


def open_epochs(work: Work) -> Epoch:
    scale = 255.0 if work.normalised else 1.0

    pipeline = Pipeline(batch_size=work.batch_size, num_threads=work.threads, device_id=None, seed=0)
    with pipeline:
        encoded, labels = fn.readers.file(
            file_root=str(work.images), random_shuffle=work.train, pad_last_batch=False, name="reader"
        )
        if work.train:
            images = fn.decoders.image_random_crop(
                encoded,
                device="cpu",
                output_type=types.RGB,
                random_area=[0.08, 1.0],
                random_aspect_ratio=[3 / 4, 4 / 3],
                num_attempts=10,
            )
            images = fn.resize(images, size=[224, 224], interp_type=types.INTERP_LINEAR, antialias=True)
        else:
            images = fn.decoders.image(encoded, device="cpu", output_type=types.RGB)
            images = fn.resize(images, resize_shorter=256, interp_type=types.INTERP_LINEAR, antialias=True)
        images = fn.crop_mirror_normalize(
            images,
            dtype=types.FLOAT if work.normalised else types.UINT8,
            output_layout="CHW",
            crop=(224, 224),
            mean=[scale * value for value in MEAN] if work.normalised else [0.0],
            std=[scale * value for value in STD] if work.normalised else [1.0],
            mirror=fn.random.coin_flip() if work.train else 0,
        )
        pipeline.set_outputs(images, labels)
    pipeline.build()
    batches = math.ceil(pipeline.epoch_size("reader") / work.batch_size)

    def epoch() -> int:  # DALI's batches are always full: they run on into the next epoch
        return sum(len(pipeline.run()[0]) for _ in range(batches))

    return epoch
