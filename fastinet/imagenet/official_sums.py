"""The MD5 sums that image-net.org publishes for its archives. They are checked during a conversion."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fastinet.errors import ArgumentError, ChecksumError, ShardIOError
from fastinet.storage.files import unreadable

__all__ = ["OFFICIAL_MD5", "checked_sums", "md5_of"]

OFFICIAL_MD5: Mapping[str, str] = {
    "ILSVRC2012_img_train.tar": "1d675b47d978889d74fa0da5fadfb00e",
    "ILSVRC2012_img_train_t3.tar": "ccaf1013018ac1037801578038d370da",
    "ILSVRC2012_img_val.tar": "29b22e2961454d5413ddabcf34fc5622",
    "ILSVRC2012_img_test.tar": "fe64ceb247e473635708aed23ab6d839",
    "ILSVRC2012_img_test_v10102019.tar": "e1b8681fff3d63731c599df9b4b6fc02",
    "ILSVRC2012_devkit_t12.tar.gz": "fa75699e90414af021442c21a62c3abf",
    "ILSVRC2012_bbox_train_v2.tar.gz": "9271167e2176350e65cfe4e546f14b17",
    "ILSVRC2012_bbox_train_dogs.tar.gz": "61ebd3cc0e4793899a841b6b27f3d6d8",
    "ILSVRC2012_bbox_val_v3.tgz": "f4cd18b5ea29fe6bbea62ec9c20d80f0",
    "winter21_whole.tar.gz": "ab313ce03179fd803a401b02c651c0a2",
}
_CHUNK = 4 << 20


@contextmanager
def checked_sums(archives: Iterable[Path]) -> Iterator[None]:
    """Computes the MD5 sums of the archives in a thread while the block runs, and compares them at its end.

    The thread and the block read the same files at the same time, so they share the page cache.

    Raises:
        ArgumentError: before the block: there are no archives, or no sum is published for one of them.
        ChecksumError: after the block: an archive is not the published one.
        ShardIOError: after the block: an archive could not be read.
    """
    known = list(archives)
    unknown = [path.name for path in known if path.name not in OFFICIAL_MD5]
    if unknown or not known:
        names = ", ".join(unknown) or "this source"
        raise ArgumentError(f"no official MD5 sum to check: none is published for {names}")
    found: dict[Path, str | ShardIOError | None] = {}
    stop = threading.Event()

    def work() -> None:
        for path in known:
            try:
                found[path] = md5_of(path, stop)
            except OSError as e:
                found[path] = unreadable(path, e)

    thread = threading.Thread(target=work, name="fastinet-md5")
    thread.start()
    try:
        yield
    except BaseException:
        stop.set()
        raise
    finally:
        thread.join()
    for path in known:
        result, expected = found[path], OFFICIAL_MD5[path.name]
        if isinstance(result, ShardIOError):
            raise result
        if result != expected:
            raise ChecksumError(
                f"{path}: not the file that image-net.org publishes: expected MD5 {expected}, found {result}",
                path=str(path),
                expected=expected,
                found=result,
            )


def md5_of(path: Path, stop: threading.Event | None = None) -> str | None:
    """Returns the MD5 sum of a file in hex; None if `stop` is set before the end."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            if stop is not None and stop.is_set():
                return None
            digest.update(chunk)
    return digest.hexdigest()
