"""Keys stay unique, and orders the same, in memory that does not grow with the records."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from fastinet.conversion import sorting
from fastinet.format import keys
from fastinet.format.keys import KeyMaker


def test_keys_stay_unique_even_where_all_hashes_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    hash_of = keys._core.xxh3

    class Few:
        @staticmethod
        def xxh3(data: bytes) -> int:
            return hash_of(data) % 500 + 1

    monkeypatch.setattr(keys, "_core", Few)
    make_key = KeyMaker(()).for_folder("")
    made = [make_key(f"{i}.jpg") for i in range(300)]
    assert len(set(made)) == 300
    assert all(key == str(i) or key.startswith(f"{i}~") for i, key in enumerate(made))


@pytest.mark.parametrize("number", [0, 1, 99, 100, 101, 20_000])
def test_sorting_on_disk_gives_the_order_of_sorting_in_memory(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    monkeypatch.setattr(sorting, "_CACHE_KIB", 64)
    generator = random.Random(number)
    items = [(bytes([generator.randrange(40)]), (i, "x" * 100)) for i in range(number)]
    assert list(sorting.sorted_on_disk(iter(items))) == sorted(items, key=lambda item: item[0])
    assert list(tmp_path.iterdir()) == []


# Sorts 20 MB of items while no file may grow beyond 1 MB.
FULL_DISK = """
import resource
from fastinet import errors
from fastinet.conversion import sorting
sorting._CACHE_KIB = 64
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    list(sorting.sorted_on_disk((bytes([i % 40]), "x" * 1000) for i in range(20_000)))
except errors.ShardIOError as error:
    print(error)
"""


def test_an_error_of_the_disk_that_sorting_uses_names_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    done = subprocess.run([sys.executable, "-c", FULL_DISK], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{tmp_path}: cannot sort the records on disk: ")
    assert list(tmp_path.iterdir()) == []
