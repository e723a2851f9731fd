"""The command line. Each command is a thin face of a Python function of the same name."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from fastinet import __version__, errors

# Exit status by error class, the most specific first. 1 is left to programming errors, 2 is also click's
# for wrong usage, 130 is the shell's for Ctrl-C.
BAD_DATA = 3
EXIT_STATUS = (
    (errors.ArgumentError, 2),
    (errors.FormatError, BAD_DATA),  # checksum, truncation
    (errors.DecodeError, BAD_DATA),
    (errors.ExpectationError, BAD_DATA),
    (errors.ShardIOError, 4),
    (errors.MissingFileError, 4),
    (errors.StateError, 5),
    (errors.UnsupportedError, 6),
)
INTERRUPTED = 130
_PROBLEMS_SHOWN = 20

_STATUS_HELP = """
\b
Exit status:
  0    done
  2    wrong usage or arguments
  3    bad data: a wrong checksum, a malformed file, an image that cannot be decoded, or not what was expected
  4    the operating system refused, or a file is missing
  5    not possible now (another process is at work there)
  6    not supported by this build
  130  interrupted
"""


@click.group(epilog=_STATUS_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="fastinet")
@click.option("--debug", is_flag=True, help="Show Python's traceback of an error.")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """The ImageNet data engine: convert images once, load them fast for ever."""
    context.obj = debug


def _field_options(command: Callable[..., None]) -> Callable[..., None]:
    """What `convert` and `index` take of records with named parts."""
    for option in (
        click.option(
            "--labels-as",
            metavar="NAME",
            help="Labels that are no classes (fractions, several a record, texts): keep them as a column.",
        ),
        click.option(
            "--label-field", "--label-column", metavar="NAME", multiple=True, help="The same for the label."
        ),
        click.option(
            "--image-field",
            "--image-column",
            metavar="NAME",
            multiple=True,
            help="Field of WebDataset tars (input.jpg), column or feature that is the image; repeatable: the "
            "first that a record has.",
        ),
    ):
        command = option(command)
    return command


@cli.command()
@click.argument("src")
@click.argument("dst")
@click.option("--source", help="Layout of SRC; recognised by looking when not given.")
@click.option("--split", help="Convert only this split, or name the only one.")
@click.option(
    "--classes",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Of the whole ImageNet, only the synsets listed there, so labelled.",
)
@click.option(
    "--class-order",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Names of all classes, one a line, by label; default: sorted as text, 10 before 2, as "
    "torchvision does.",
)
@click.option(
    "--workers",
    type=int,
    help="Shards written at a time; when not given, twice the CPUs here, or the CPUs of the cluster.",
)
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Who writes the shards: this process, or the nodes of a Ray cluster.",
)
@click.option(
    "--address",
    metavar="HOST:PORT",
    help="Of the Ray cluster; default: RAY_ADDRESS, or the one here, or a new one.",
)
@click.option(
    "--shard-size", help="Records (1000) or bytes (256MB) a shard.  [default: whichever comes first]"
)
@click.option("--shuffle", type=int, metavar="SEED", help="Permute the records; default: the source's order.")
@click.option(
    "--on-bad",
    type=click.Choice(["fail", "skip", "keep"]),
    default="fail",
    show_default=True,
    help="What to do with files that cannot be read or are no images: stop, leave them out, or store them as "
    "they are. May be another when a conversion goes on.",
)
@click.option(
    "--entry-points/--no-entry-points",
    default=True,
    show_default=True,
    help="Note where in each image decoding can begin: slower to convert, much faster to load.",
)
@click.option(
    "--check",
    type=click.Choice(["fast", "full", "none"]),
    default="fast",
    show_default=True,
    help="Find files that cannot be decoded: by walking through their data and decoding what is unusual; by "
    "having Pillow decode every image, at five times the cost; or by headers and end-of-image markers alone.",
)
@click.option("--max-side", type=int, metavar="PIXELS", help="Shrink: the longer side at most this (lossy).")
@click.option(
    "--short-side", type=int, metavar="PIXELS", help="Shrink: the shorter side at most this (lossy)."
)
@click.option("--quality", type=int, metavar="1-100", help="Encode every image anew (lossy).")
@click.option(
    "--normalise-odd",
    is_flag=True,
    help="Make RGB JPEGs of CMYK JPEGs and of what is no JPEG (lossy for those).",
)
@click.option(
    "--wordnet",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Words and hierarchy of the classes; default: looked for beside SRC.",
)
@click.option(
    "--boxes",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="PASCAL VOC files of bounding boxes: X.xml for an image X.JPEG.",
)
@click.option(
    "--check-md5", is_flag=True, help="Compare the archives with the published MD5 sums while they are read."
)
@_field_options
@click.option("--overwrite", is_flag=True, help="Remove the dataset or interrupted conversion in DST first.")
def convert(
    src: str, dst: str, engine: str, address: str | None, workers: int | None, **options: Any
) -> None:
    """Convert the images in SRC into a dataset of record shards in DST.

    SRC is a folder with one folder a class, or with splits (train, val, ...) that are such folders, or with
    images without labels; or one with the archives of ILSVRC-2012 or ILSVRC-2010 and their devkit, with
    fall11_whole.tar, winter21_whole.tar.gz or a tar for each synset, or one of these archives; or Kaggle's
    CLS-LOC, Tiny ImageNet, TFRecord files of TensorFlow, WebDataset tars, Parquet files of Hugging Face, a
    list of paths and labels (CSV, or lines "name label"), or a dataset of fastinet's own. Archives are read
    where they are. An interrupted conversion goes on where it stopped when the same command is given again.
    DST may be a URL: s3://bucket/imagenet.
    """
    from fastinet.conversion import convert as run
    from fastinet.conversion.engines.local import open_engine

    _print(run(src, dst, engine=open_engine(engine, workers, address), progress=True, **options))


@cli.command()
@click.argument("path", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--decode",
    is_flag=True,
    help="Also decode every image, and compare all entry points with a fresh scan, not one in 64.",
)
@click.option(
    "--expect",
    metavar="DATASET",
    help="A problem if it is not the whole of this published dataset: ilsvrc2012, ilsvrc2010, "
    "imagenet21k-fall11, imagenet21k-winter21, tiny-imagenet, imagenette2 or imagewoof2.",
)
@click.option(
    "--duplicates",
    type=click.Choice(["none", "exact", "perceptual"]),
    default="exact",
    show_default=True,
    help="Look for images with the same bytes, or also for those that look the "
    "same, which decodes every image.",
)
@click.option(
    "--distance",
    type=int,
    metavar="BITS",
    help="How many of 64 bits may differ where images look the same.  [default: 6]",
)
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Another dataset: report the images that are also there.",
)
@click.option(
    "--fail-on",
    multiple=True,
    type=click.Choice(["duplicates", "overlap"]),
    help="A problem if images have the same bytes: in different splits, or anywhere.",
)
@click.option("--workers", type=int, help="Shards checked at a time; the CPUs when not given.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Also write all that was found there.",
)
def verify(path: Path, json_file: Path | None, **options: Any) -> None:
    """Read the dataset in DIR, compare every checksum, and report every problem (exit status 3).

    Also compared are sidecars with the tars (places, keys, labels, boxes) and with the images (format, size,
    orientation, entry points), attached columns, the hierarchy, and the names of files.

    Also told, as remarks: the balance of the classes, what is missing from a published dataset, labels that
    contradict the image's name, and images that are there more than once.
    """
    from fastinet.verification import verify as run

    if json_file is not None and not json_file.absolute().parent.is_dir():  # not only after hours
        raise errors.MissingFileError(f"{json_file}: there is no such folder", path=str(json_file))
    report = run(path, progress=True, **options)
    for problem in report.problems[:_PROBLEMS_SHOWN]:
        click.echo(f"fastinet: {problem}", err=True)
    if report.problem_count > _PROBLEMS_SHOWN:
        more = report.problem_count - _PROBLEMS_SHOWN
        click.echo(
            f"fastinet: ... and {more:,} more problems; --json FILE lists up to 1,000 a shard", err=True
        )
    _print(report)
    rate = report.payload_bytes / 1e6 / max(report.seconds, 1e-6)
    click.echo(
        f"{report.records:,} records in {report.shards:,} shards of {report.splits} split(s)"
        + (f", {report.decoded:,} images decoded" if options["decode"] else "")
        + f", {report.seconds:.1f} s, {rate:,.0f} MB/s: "
        + ("all is well" if report.ok else f"{report.problem_count:,} problem(s)")
    )
    if json_file is not None:
        _write_json(json_file, report.to_json())
    if not report.ok:
        sys.exit(BAD_DATA)


@cli.command()
@click.argument("path", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--split", multiple=True, help="Only this split of the dataset in DIR; repeatable.")
@click.option(
    "--html",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write a page to look at: one file, which needs no network.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write the figures there.",
)
@click.option(
    "--images",
    type=int,
    default=1000,
    show_default=True,
    help="Samples of the classes on the page, about 4 KB each.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the choice of samples.")
def inspect(
    path: Path, split: tuple[str, ...], html: Path | None, json_file: Path | None, images: int, seed: int
) -> None:
    """Tell what the dataset in DIR holds: classes, sizes, formats, oddities, boxes, and how it was made."""
    from fastinet import views
    from fastinet.inspection import inspect as run

    if html is not None:
        views.prepare(html)
    report = run(path, split=split or None, seed=seed, progress=True)
    _print(report)
    if json_file is not None:
        _write_json(json_file, report.to_json())
    if html is not None:
        for key, reason in report.write_html(html, images=images, progress=True):
            click.echo(f"fastinet: {key}: {reason}", err=True)
        click.echo(f"{html}: {html.stat().st_size / 1e6:.1f} MB")


@cli.command()
@click.argument("path", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("dst", type=click.Path(path_type=Path))
@click.option(
    "--to",
    type=click.Choice(["imagefolder", "webdataset", "parquet"]),
    default="imagefolder",
    show_default=True,
    help="Layout of DST.",
)
@click.option("--split", help="Only this split.")
@click.option(
    "--classes",
    multiple=True,
    metavar="CLASS",
    help="Only these, chosen as for `fastinet classes`; repeatable.",
)
def export(path: Path, dst: Path, to: str, split: str | None, classes: tuple[str, ...]) -> None:
    """Give the images of the dataset in DIR back, byte for byte, in the new folder DST.

    As a tree of the original files, as WebDataset tars, or as Parquet files that Hugging Face datasets loads.
    Labels stay those of the whole dataset.
    """
    from fastinet.exporting import export as run

    count = run(path, dst, to=to, split=split, classes=classes or None, progress=True)
    click.echo(f"{dst}: {count:,} images")


@cli.command()
@click.argument("src", type=click.Path(path_type=Path))
@click.argument("dst", required=False, type=click.Path(path_type=Path))
@click.option("--split", default="train", show_default=True, help="Name of the split.")
@click.option("--classes", type=click.File(), help="File with one class name a line, in label order.")
@click.option(
    "--on-bad",
    type=click.Choice(["fail", "skip", "keep"]),
    default="fail",
    show_default=True,
    help="What to do with members that are no record, and with images that cannot be read.",
)
@_field_options
@click.option(
    "--check",
    type=click.Choice(["fast", "full", "none"]),
    default="fast",
    show_default=True,
    help="How images that cannot be decoded are found: as for `fastinet convert`.",
)
@click.option("--workers", type=int, help="Tars read at a time; the CPUs when not given.")
def index(src: Path, dst: Path | None, classes: Iterable[str] | None, **options: Any) -> None:
    """Make the WebDataset tars in SRC usable as they are.

    Writes a sidecar for each tar, and the manifest, into DST, or beside the tars when DST is not given. The
    tars are only read. As in WebDataset, the first dot in a member's file name ends the record's key, and the
    rest is the field: s1.jpg, s1.cls. Members that are no record (without an image or with several, a field
    twice) are bad.
    """
    from fastinet.conversion.index import index as run
    from fastinet.format.file_kinds import describe_ignored

    names = None if classes is None else [line.strip() for line in classes if line.strip()]
    report = run(src, dst, classes=names, **options)
    click.echo(f"{report.path}: {report.records:,} records in {report.shards:,} tars")
    if report.unlabelled:
        click.echo(f"{report.unlabelled:,} records without a label")
    for tar, name, reason in (*report.left_out, *report.undecodable):
        click.echo(f"{tar}: {name}: {reason}", err=True)
    for text in describe_ignored({kind or "no field": n for kind, n in report.ignored.items()}):
        click.echo(f"members not used: {text}")


@cli.command()
@click.argument(
    "sources", metavar="DIR DIR...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)
@click.option(
    "-o", "--output", "dst", required=True, metavar="DST", type=click.Path(path_type=Path), help="New split."
)
@click.option("--split", metavar="NAME", help="Name of the merged split; default: that of the first DIR.")
def merge(sources: tuple[Path, ...], dst: Path, split: str | None) -> None:
    """Merge the splits in each DIR into one split in DST, without copying or rewriting their shards.

    Classes are merged by name, also where the splits number them differently. The manifest in DST names
    the shards where they are, so every DIR has to stay in place. A DIR below DST can be moved with it.
    """
    from fastinet.merging import merge as run

    report = run(sources, dst, split=split)
    click.echo(
        f"{report.path}: {report.records:,} records in {report.shards:,} shards, {report.classes:,} classes"
    )
    if report.columns:
        click.echo(f"attached columns joined: {', '.join(report.columns)}")
    if report.left_out:
        click.echo(
            "attached columns left out, since not all of the splits have them with values of one type: "
            f"{', '.join(report.left_out)}"
        )


@cli.command()
@click.argument("path", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("name")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--key", metavar="COLUMN", help="Column of FILE that holds the records' keys.")
@click.option("--column", metavar="COLUMN", help="Column of FILE to attach.")
@click.option(
    "--order",
    type=click.Choice(["records", "names"]),
    help="Of a FILE without keys: the dataset's, or that of the images' file names.",
)
@click.option("--missing", help="Value of records that FILE does not name; default: that is an error.")
@click.option("--flags", is_flag=True, help="FILE holds numbers of records, counted from 1: mark those.")
@click.option("--replace", is_flag=True, help="A column NAME may be there.")
@click.option("--remove", is_flag=True, help="Remove the column NAME instead; no FILE.")
def attach(
    path: Path, name: str, file: Path | None, missing: str | None, remove: bool, **options: Any
) -> None:
    """Attach the values in FILE (.npy, .json, .csv, .tsv, .txt, .parquet) to the records of the split in DIR.

    The shards stay as they are; a loader gives the column NAME on request.
    """
    from fastinet.dataset.dataset import Dataset

    dataset = Dataset(path)
    if remove != (file is None):
        raise click.UsageError("give FILE, or --remove")
    if remove:
        dataset.detach(name)
        return
    value: Any = missing
    if missing is not None:
        import json

        try:
            value = json.loads(missing)
        except ValueError:
            value = missing  # a string
    dataset.attach(name, file, missing=value, **options)
    click.echo(f"{dataset.path}: column {name} for {len(dataset):,} records ({dataset.columns[name].kind})")


@cli.command()
@click.argument("path", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("queries", metavar="[CLASS]...", nargs=-1)
def classes(path: Path, queries: tuple[str, ...]) -> None:
    """List the classes of the split in DIR: label, name, records, words.

    CLASS chooses some: a WNID or a word for a synset and all that lies below it (n02084071, dog), or =NAME
    for the class of that name alone. A word with several meanings is an error that lists them.
    """
    from fastinet.dataset.dataset import Dataset

    dataset = Dataset(path)
    labels = dataset.select(*queries).labels if queries else range(len(dataset.classes))
    counts = dataset.class_counts
    for label in labels:
        found = dataset.classes[label]
        click.echo(f"{label}\t{found.name}\t{counts[label]}\t{', '.join(found.words)}")


@cli.command()
@click.argument("path", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--classes",
    multiple=True,
    metavar="CLASS",
    help="Load only these, chosen as for `fastinet classes`; repeatable.",
)
@click.option(
    "--work",
    type=click.Choice(["train", "eval"]),
    default="train",
    show_default=True,
    help="RandomResizedCrop and flip, or Resize and CenterCrop.",
)
@click.option("--threads", type=int, multiple=True, help="Decoding threads; repeat for several numbers.")
@click.option("--batch-size", type=int, default=256, show_default=True)
@click.option("--size", type=int, default=224, show_default=True, help="Of the square images.")
@click.option(
    "--dtype", type=click.Choice(["uint8", "float16", "float32"]), default="float32", show_default=True
)
@click.option("--layout", type=click.Choice(["NCHW", "NHWC"]), default="NCHW", show_default=True)
@click.option("--seconds", type=float, default=3.0, show_default=True, help="Least duration of a run.")
@click.option("--repeats", type=int, default=3, show_default=True, help="Runs for each number of threads.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Also write the figures there.")
@click.option("--html", type=click.Path(path_type=Path), help="Also write them as a page with charts.")
def bench(
    path: Path,
    threads: tuple[int, ...],
    classes: tuple[str, ...],
    json_file: Path | None,
    html: Path | None,
    **options: Any,
) -> None:
    """Measure how fast the split in DIR loads on this machine."""
    from fastinet import views
    from fastinet.benchmarking.run import bench as run

    if html is not None:
        views.prepare(html)
    report = run(path, threads=threads or None, classes=classes or None, **options)
    _print(report)
    if json_file is not None:
        _write_json(json_file, report.to_json())
    if html is not None:
        report.write_html(html)


def _write_json(path: Path, value: object) -> None:
    import json

    text = json.dumps(value, indent=1, sort_keys=True) + "\n"
    try:
        path.write_text(text)
    except OSError as error:
        raise errors.ShardIOError(f"{path}: {error.strerror}", path=str(path), errno=error.errno) from error


def _print(value: object) -> None:
    from rich.console import Console

    Console().print(value)


@contextlib.contextmanager
def _one_line_errors() -> Iterator[None]:
    """Exits with one clear line for every error that a user can do something about."""
    debug = "--debug" in sys.argv[1:2]
    try:
        yield
    except errors.FastinetError as error:
        if debug:
            raise
        click.echo(f"fastinet: {error}", err=True)
        sys.exit(next((status for kind, status in EXIT_STATUS if isinstance(error, kind)), 1))
    except MemoryError:
        if debug:
            raise
        click.echo("fastinet: out of memory; fewer workers take less", err=True)
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort):
        click.echo("fastinet: interrupted", err=True)
        sys.exit(INTERRUPTED)


def main() -> None:
    """Entry point of the ``fastinet`` command."""
    with _one_line_errors():
        try:
            sys.exit(cli.main(standalone_mode=False) or 0)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
