"""``fastinet convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fastinet.cli.options import bad_files_option, check_option, field_options, print_report

__all__ = ["convert"]


@click.command()
@click.argument("src")
@click.argument("dst")
@click.option("--source", help="Layout of SRC. If not given, it is recognised from the files.")
@click.option("--split", help="Convert only this split. If SRC has one split without a name, its name.")
@click.option(
    "--classes",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Convert only the synsets listed in FILE; their order gives the labels. Of the whole ImageNet only.",
)
@click.option(
    "--class-order",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File with the names of all classes, one a line, in label order. By default, names are sorted as "
    "text, 10 before 2, as torchvision does.",
)
@click.option(
    "--workers",
    type=int,
    help="Shards written at the same time. By default, twice the CPUs of this machine, or the CPUs of the "
    "cluster.",
)
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="What writes the shards: this process, or the nodes of a Ray cluster.",
)
@click.option(
    "--address",
    metavar="HOST:PORT",
    help="Address of the Ray cluster. By default, RAY_ADDRESS, or the local cluster, or a new one.",
)
@click.option(
    "--shard-size",
    help="Size of a shard, in records (1000) or bytes (256MB).  [default: the first limit that is reached]",
)
@click.option(
    "--shuffle", type=int, metavar="SEED", help="Permute the records. By default, keep the source's order."
)
@bad_files_option(
    "What to do with files that cannot be read or are not images: abort, leave them out, or store them "
    "unchanged. Resuming with another choice is allowed."
)
@click.option(
    "--entry-points/--no-entry-points",
    default=True,
    show_default=True,
    help="Record where decoding can begin within each image: slower to convert, much faster to load.",
)
@check_option(
    "How to find files that cannot be decoded. fast: parse all their data, and decode unusual files. full: "
    "decode every image with Pillow, which takes five times as long. none: look at headers and end-of-image "
    "markers only."
)
@click.option(
    "--max-side", type=int, metavar="PIXELS", help="Shrink images whose longer side is above this (lossy)."
)
@click.option(
    "--short-side", type=int, metavar="PIXELS", help="Shrink images whose shorter side is above this (lossy)."
)
@click.option("--quality", type=int, metavar="1-100", help="Re-encode every image at this quality (lossy).")
@click.option(
    "--normalise-odd",
    is_flag=True,
    help="Convert CMYK JPEGs and files of other formats to RGB JPEGs (lossy for these).",
)
@click.option(
    "--wordnet",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder with the words and the hierarchy of the classes. By default, searched beside SRC.",
)
@click.option(
    "--boxes",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder with PASCAL VOC files of bounding boxes: X.xml for the image X.JPEG.",
)
@click.option(
    "--check-md5",
    is_flag=True,
    help="Compare the archives with the published MD5 sums while they are being read.",
)
@field_options
@click.option(
    "--overwrite", is_flag=True, help="First remove the dataset or the interrupted conversion in DST."
)
def convert(
    src: str, dst: str, engine: str, address: str | None, workers: int | None, **options: Any
) -> None:
    """Convert the images in SRC into a dataset of record shards in DST.

    SRC may be a folder of images: with one folder a class, or with splits (train, val, ...) that contain
    such folders, or without labels. It may be a folder with the archives of ILSVRC-2012 or ILSVRC-2010 and
    their devkit, with fall11_whole.tar, winter21_whole.tar.gz or one tar for each synset; or one of these
    archives. It may also be Kaggle's CLS-LOC, Tiny ImageNet, TFRecord files of TensorFlow, WebDataset tars,
    Parquet files or a save_to_disk folder of Hugging Face, a list of paths and labels (CSV, or lines "name
    label"), or a dataset that fastinet wrote. Archives are not unpacked.

    To resume an interrupted conversion, give the same command again. DST may be a URL: s3://bucket/imagenet.
    """
    from fastinet.conversion import convert as run
    from fastinet.conversion.engines.select import open_engine

    print_report(run(src, dst, engine=open_engine(engine, workers, address), progress=True, **options))
