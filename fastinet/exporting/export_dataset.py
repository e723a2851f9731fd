"""START HERE: an export, from the choice of records to the finished folder."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from fastinet.dataset.dataset import Dataset
from fastinet.dataset.splits import find_splits
from fastinet.errors import ArgumentError, StateError
from fastinet.exporting.chosen import Chosen
from fastinet.exporting.image_folder import write_image_folder
from fastinet.exporting.parquet import write_parquet
from fastinet.exporting.webdataset import write_webdataset
from fastinet.progress import Meter, meter
from fastinet.storage.files import os_errors

__all__ = ["LAYOUTS", "export"]

_Writer = Callable[[Sequence[Chosen], Path, Meter], None]
LAYOUTS: Mapping[str, _Writer] = {
    "imagefolder": write_image_folder,
    "webdataset": write_webdataset,
    "parquet": write_parquet,
}


def export(
    src: str | os.PathLike[str],
    dst: str | os.PathLike[str],
    *,
    to: str = "imagefolder",
    split: str | None = None,
    classes: Sequence[str | int] | str | None = None,
    progress: bool = False,
) -> int:
    """Writes the images of a dataset, byte for byte as they were converted, after verifying their checksums.

    Layouts:

    - "imagefolder": ``DST/<split>/<class>/<file>`` with the names of the source, and ``<file>.json`` beside
      an image that has annotations. Files without a label are in ``DST/<split>``.
    - "webdataset": ``DST/<split>-000000.tar``, ..., which are the shards, or the records of the chosen
      classes; and ``<split>-classnames.txt``.
    - "parquet": ``DST/data/<split>-00000-of-00002.parquet``, ..., as Hugging Face datasets writes and loads
      them: ``image`` {bytes, path}, ``label`` with the names of the classes, and ``boxes`` and ``json`` if a
      record has any. Needs PyArrow.

    Labels stay those of the whole dataset, even if only some classes are chosen. DST appears when everything
    has been written. A crash leaves only ``.<name>.fastinet-export`` behind, which the next export to DST
    removes.

    Args:
        src: the folder of a split, or a folder of splits, which are then all exported.
        dst: a folder that does not exist or is empty.
        to: the layout.
        split: export only this split.
        classes: export only records of these classes, chosen as in :meth:`fastinet.Dataset.select`.
        progress: show progress on stderr.

    Returns:
        The number of images written.

    Raises:
        ArgumentError: unknown layout, split or class, or DST is not empty.
        StateError: another process is exporting to DST.
        MissingFileError: there is no dataset at `src`.
        ChecksumError: a tar or an image is damaged.
        FormatError: the dataset is damaged otherwise, or a key or class name would lead out of DST.
        ShardIOError: the operating system refuses to read or write.
        UnsupportedError: `to` is "parquet", and PyArrow is not installed.
    """
    if to not in LAYOUTS:
        raise ArgumentError(f"to must be one of {', '.join(LAYOUTS)}, not {to!r}")
    target = Path(os.path.abspath(dst))  # noqa: PTH100 - without following links
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ArgumentError(f"{target}: exists; export to a new or empty folder", path=str(target))
    chosen = [Chosen.of(dataset, classes) for dataset in _datasets(Path(src), split)]
    records = sum(map(len, chosen))
    with _staging(target) as folder, meter("exporting", records, progress) as progress_meter:
        LAYOUTS[to](chosen, folder, progress_meter)
        for part in chosen:
            part.check_tars()
    return records


def _datasets(src: Path, split: str | None) -> list[Dataset]:
    datasets = [Dataset(folder) for folder in find_splits(src)]
    found = [dataset for dataset in datasets if split in (None, dataset.split)]
    if not found:
        names = ", ".join(dataset.split for dataset in datasets)
        raise ArgumentError(f"{src}: no split {split!r} here, only: {names}", path=str(src))
    repeated = [name for name, count in Counter(dataset.split for dataset in found).items() if count > 1]
    if repeated:
        where = ", ".join(str(dataset.path) for dataset in found if dataset.split == repeated[0])
        raise ArgumentError(f"{src}: several splits are called {repeated[0]!r}: {where}", path=str(src))
    return found


@contextmanager
def _staging(target: Path) -> Iterator[Path]:
    """Yields a folder beside `target`. It is renamed to `target` after the block, or removed on an error."""
    staging = target.parent / f".{target.name}.fastinet-export"
    with os_errors(staging):
        staging.mkdir(parents=True, exist_ok=True)
        lock = os.open(
            staging, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
        )  # never empty the target of a link
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StateError(f"{target}: another process is exporting to it", path=str(target)) from None
            try:
                for entry in staging.iterdir():
                    shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
                yield staging
                os.sync()
                staging.rename(target)
            except BaseException:
                shutil.rmtree(staging, ignore_errors=True)
                raise
        finally:
            os.close(lock)
