"""Memory of a conversion does not grow with the records. More of it: ``benchmarks/convert_memory.py``."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

from archives import tar_of
from folders import small_jpeg

FEW, MANY = 2_000, 14_000
LEAST = 250  # bytes that a record takes at least where its description is held

CHILD = """
import sys
from fastinet.conversion import sorting
from fastinet.cli import cli
sorting._CACHE_KIB = 1024
cli.main(sys.argv[1:], standalone_mode=False)
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def peak(*command: object) -> int:
    """Peak memory of ``fastinet COMMAND`` in bytes. ru_maxrss would not do: it begins with the parent's."""
    child = [sys.executable, "-c", CHILD, *map(str, command)]
    done = subprocess.run(child, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1]) << 10


def archive_of(records: int, folder: Path) -> Path:
    """``ILSVRC2012_img_train.tar`` with 1000 images a synset."""
    folder.mkdir()
    image = small_jpeg(0, 16, 16)
    path = folder / "ILSVRC2012_img_train.tar"
    with tarfile.open(path, "w") as outer:
        for first in range(0, records, 1000):
            wnid = f"n{first // 1000:08d}"
            data = tar_of({f"{wnid}_{i}.JPEG": image for i in range(first, first + 1000)})
            member = tarfile.TarInfo(f"{wnid}.tar")
            member.size = len(data)
            outer.addfile(member, io.BytesIO(data))
    return folder


def test_seven_times_the_records_need_no_more_memory(tmp_path: Path) -> None:
    peaks = []
    for records in (FEW, MANY):
        src = archive_of(records, tmp_path / f"src{records}")
        options = ("--shuffle", "1", "--workers", "1", "--no-entry-points")
        peaks.append(peak("convert", src, tmp_path / f"dst{records}", *options))
    assert peaks[1] - peaks[0] < LEAST * (MANY - FEW), f"{peaks} bytes"
