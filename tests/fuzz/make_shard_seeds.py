"""Make the seeds of the shard fuzzers: small sidecars and tar archives of every kind that is read."""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path

from fastinet import _core

CORPUS = Path(__file__).parent / "corpus"


def shard(folder: Path, records: int, key: str = "n0/a") -> tuple[bytes, bytes]:
    """A tar and its sidecar."""
    tar, index = folder / "x.tar", folder / "x.idx"
    writer = _core.ShardWriter(str(tar), str(index))
    for i in range(records):
        boxes = (9, 8, [(1, 0, 0, 5, 5, 0)] * i) if i else None
        writer.add(
            f"{key}{i}", "jpg", bytes([i]) * i, i, width=9, height=8, entry_points=b"e" * i, boxes=boxes
        )
    writer.finish()
    return tar.read_bytes(), index.read_bytes()


def archive(style: int, name: str) -> bytes:
    """An archive as Python's tarfile writes it, with members that are no files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=style) as tar:
        for kind in (tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(name + kind.decode())
            info.type, info.linkname = kind, "b" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            info.size = 3 if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(b"abc"))
    return stream.getvalue().rstrip(b"\0") + bytes(1024)


def main() -> None:
    """Write every seed; files that fuzzing found stay. The first bytes are the target's options."""
    with tempfile.TemporaryDirectory() as folder:
        tars = {"ours": shard(Path(folder), 2)[0], "ours-long": shard(Path(folder), 1, "k" * 120)[0]}
        sidecars = {f"records-{n}": shard(Path(folder), n)[1] for n in (0, 1, 3)}
    styles = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
    for label, style in styles.items():
        tars[label] = archive(style, "a.jpg")
        if style != tarfile.USTAR_FORMAT:
            tars[f"{label}-long"] = archive(style, "é" * 90)
    for target, options, seeds in (("sidecar", b"\1\0\0\0\0", sidecars), ("tar_scan", b"\1", tars)):
        (CORPUS / target).mkdir(parents=True, exist_ok=True)
        for name, data in seeds.items():
            (CORPUS / target / name).write_bytes(options + data)


if __name__ == "__main__":
    main()
