"""Small replicas of ImageNet's archives, in the layouts in which they are distributed."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import scipy.io

# WNID by ILSVRC ID: the IDs are not in the order of the WNIDs. 4 is an inner node.
IDS = {1: "n02119789", 2: "n01440764", 3: "n02100735", 4: "n00001740"}
CLASSES = ("n01440764", "n02100735", "n02119789")


def tar_of(files: dict[str, bytes], compression: str = "") -> bytes:
    """A tar with these members, in this order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{compression}") as tar:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def tar_of_rows(rows: Iterable[tuple[str, bytes | None]], style: int = tarfile.GNU_FORMAT) -> bytes:
    """A tar with these members, in this order, which may come twice; None: a hard link to "first"."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=style) as tar:
        for name, data in rows:
            member = tarfile.TarInfo(name)
            if data is None:
                member.type, member.linkname = tarfile.LNKTYPE, "first"
            member.size = len(data or b"")
            tar.addfile(member, io.BytesIO(data or b""))
    return buffer.getvalue()


def tar_of_tars(synsets: dict[str, dict[str, bytes]], prefix: str = "", compression: str = "") -> bytes:
    """A tar of one tar a synset."""
    return tar_of({f"{prefix}{n}.tar": tar_of(files) for n, files in synsets.items()}, compression)


def meta_mat(year: int, ids: dict[int, str] = IDS) -> bytes:
    """``meta.mat``; the highest ID is the parent of all others. Of class ID there are 100 + ID images."""
    names = (f"ILSVRC{year}_ID", "WNID", "words", "gloss", "num_children", "children", "num_train_images")
    rows = np.empty((len(ids), 1), dtype=[(name, object) for name in names])
    for row, (number, wnid) in enumerate(ids.items()):
        children = list(ids)[:-1] if number == max(ids) else []
        rows[row, 0] = (
            number,
            wnid,
            f"word of {wnid}, synonym",
            f"gloss of {wnid}",
            len(children),
            np.array([children], np.float64),
            0 if children else 100 + number,
        )
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"synsets": rows})
    return buffer.getvalue()


def devkit(year: int, truth: list[int]) -> bytes:
    """The kit as a tar.gz."""
    folder = {2012: "ILSVRC2012_devkit_t12", 2010: "devkit-1.0"}[year]
    lines = "".join(f"{number}\n" for number in truth).encode()
    return tar_of(
        {
            f"{folder}/readme.txt": b"",
            f"{folder}/data/meta.mat": meta_mat(year),
            f"{folder}/data/ILSVRC{year}_validation_ground_truth.txt": lines,
        },
        "gz",
    )


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """`files` in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder
