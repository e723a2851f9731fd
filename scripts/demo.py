"""The main job, end to end: convert a folder of images, check it, load it, compare pixels, compare speed.

    make demo IMAGES=/path/to/ImageFolder

Everything goes to the folder given by --out: the images (where none were given), the dataset, batch.png.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from PIL import Image
from rich.console import Console

import fastinet
from fastinet import transforms as T  # noqa: N812
from make_sample_images import write_image_folder

sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))
import loaders
import machine
import peers
import reference
import side_by_side

console = Console(highlight=False, soft_wrap=True)
CROP = [T.RandomResizedCrop(224), T.RandomHorizontalFlip()]


@click.command()
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of class folders; without it, photo-like images are made.",
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default="demo", show_default=True)
@click.option("--threads", default=2, show_default=True, help="Decoding threads, or workers, of each loader.")
@click.option("--rounds", default=3, show_default=True, help="Turns of each loader in the comparison.")
def main(images: Path | None, out: Path, threads: int, rounds: int) -> None:
    """Show what fastinet does with a folder of images."""
    out.mkdir(parents=True, exist_ok=True)
    if images is None:
        images = out / "images"
        if not images.exists():
            with console.status("making 512 photo-like images"):
                write_image_folder(images, classes=16, per_class=32)
    split = convert(images, out / "dataset")
    load_epochs(split, threads)
    compare_training_crops(images, split, threads)
    compare_evaluation_views(images, split, threads)
    draw_batch(split, threads, out / "batch.png")
    compare_speed(images, split, threads, rounds, out / "logs")


def step(title: str) -> None:
    """Announces the next part."""
    console.print()
    console.rule(f"[bold]{title}", align="left")


def convert(images: Path, dst: Path) -> Path:
    """Converts and verifies; the folder of the only split."""
    step(f"Convert {images} and check the result")
    console.print(fastinet.convert(images, dst, split="train", overwrite=True, progress=True))
    report = fastinet.verify(dst, decode=True, progress=True)
    if not report.ok:
        raise SystemExit("\n".join(map(str, report.problems)))
    console.print(
        f"verified: {report.shards} shards, {report.records} checksums, {report.decoded} images decoded; "
        f"no problem, {report.seconds:.1f} s"
    )
    return dst / "train"


def load_epochs(split: Path, threads: int) -> None:
    """Three epochs of the training transform, with what each holds."""
    step("Load three epochs: RandomResizedCrop(224), RandomHorizontalFlip(), Normalize()")
    loader = fastinet.Loader(
        split,
        batch_size=256,
        shuffle=True,
        seed=0,
        threads=threads,
        transform=[*CROP, T.Normalize()],
        columns=("image", "label", "index"),
    )
    for epoch in range(3):
        started = time.perf_counter()
        indices: list[npt.NDArray[np.int64]] = []
        total = 0.0
        for batch, _labels, index in loader:
            shape = "x".join(map(str, batch.shape[1:]))
            total += float(batch.mean()) * len(batch)
            indices.append(index)
        seconds = time.perf_counter() - started
        seen = np.concatenate(indices)
        if not np.array_equal(np.sort(seen), np.arange(len(loader.dataset))):
            raise SystemExit(f"epoch {epoch} did not hold every record once")
        console.print(
            f"epoch {epoch}: {len(seen)} images in {len(loader)} batches of {shape} {batch.dtype}, "
            f"every record once; first {seen[:4].tolist()}, mean {total / len(seen):+.4f}, {seconds:.2f} s"
        )


def compare_training_crops(images: Path, split: Path, threads: int) -> None:
    """Two epochs of training crops against Pillow, given the windows and flips that the loader drew."""
    step("Training crops against Pillow, byte for byte")
    paths = [path for path, _ in reference.image_folder(images)]
    loader = fastinet.Loader(
        split,
        batch_size=64,
        transform=CROP,
        shuffle=True,
        threads=threads,
        dtype="uint8",
        layout="NHWC",
        columns=("image", "index", "batch"),
    )
    tally = _Tally()
    for _ in range(2):
        for pixels, indices, batch in loader:
            for got, index, crop, flip in zip(pixels, indices, batch.crops, batch.flips, strict=True):
                top, left, height, width = (int(value) for value in crop)
                rgb = open_rgb(paths[index])
                tally.add(got, reference.resized_crop(rgb, (top, left, height, width), bool(flip)))
    tally.report("training crops")


def compare_evaluation_views(images: Path, split: Path, threads: int) -> None:
    """Resize(256), CenterCrop(224) of every image against Pillow."""
    paths = [path for path, _ in reference.image_folder(images)]
    loader = fastinet.Loader(
        split,
        batch_size=64,
        transform=[T.Resize(256), T.CenterCrop(224)],
        threads=threads,
        dtype="uint8",
        layout="NHWC",
        columns=("image", "index"),
    )
    tally = _Tally()
    for pixels, indices in loader:
        for got, index in zip(pixels, indices, strict=True):
            tally.add(got, reference.center_crop(open_rgb(paths[index])))
    tally.report("evaluation views")


class _Tally:
    """How many images equal Pillow's."""

    def __init__(self) -> None:
        self.count = self.equal = self.largest = 0

    def add(self, got: npt.NDArray[np.uint8], pillow: Image.Image) -> None:
        difference = np.abs(got.astype(np.int16) - np.asarray(pillow, np.int16)).max()
        self.count += 1
        self.equal += difference == 0
        self.largest = max(self.largest, int(difference))

    def report(self, what: str) -> None:
        console.print(
            f"{self.equal} of {self.count} {what} equal Pillow's byte for byte; "
            f"largest difference {self.largest}"
        )
        if self.equal != self.count:
            raise SystemExit(f"{what} differ from Pillow's")


def open_rgb(path: Path) -> Image.Image:
    """As torchvision opens an image."""
    with path.open("rb") as file:
        return Image.open(file).convert("RGB")


def draw_batch(split: Path, threads: int, path: Path, columns: int = 8, rows: int = 4) -> None:
    """One augmented batch as a picture."""
    loader = fastinet.Loader(
        split,
        batch_size=columns * rows,
        transform=CROP,
        shuffle=True,
        seed=1,
        threads=threads,
        dtype="uint8",
        layout="NHWC",
        columns=("image",),
    )
    (pixels,) = next(iter(loader))
    sheet = Image.new("RGB", (columns * 228 + 4, -(-len(pixels) // columns) * 228 + 4), "white")
    for number, image in enumerate(pixels):
        sheet.paste(Image.fromarray(image), (4 + number % columns * 228, 4 + number // columns * 228))
    sheet.save(path)
    step(f"One augmented batch: {path}")
    console.print(f"{len(pixels)} images")


def compare_speed(images: Path, split: Path, threads: int, rounds: int, logs: Path) -> None:
    """The training work beside Pillow, and beside torch's DataLoader where torch is installed."""
    step("Speed, side by side in this run")
    work = peers.Work("train", images.absolute(), split.absolute(), threads, 256)
    with console.status("") as status:
        results = side_by_side.measure(
            ["fastinet", "torch_pillow", "pillow"],
            work,
            rounds=rounds,
            epochs=2,
            logs=logs,
            tell=status.update,
        )
    console.print(loaders.table("train", results))
    console.print(f"{threads} threads; {machine.describe()['cpu']}; more: make bench")


if __name__ == "__main__":
    main()
