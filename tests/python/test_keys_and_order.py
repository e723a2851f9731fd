"""Keys stay unique, and orders the same, in memory that does not grow with the records."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from fastinet import errors
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


@pytest.mark.parametrize("number", [0, 1, 99, 100, 101, 950])
def test_sorting_on_disk_gives_the_order_of_sorting_in_memory(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(sorting, "_RUN", 100)
    generator = random.Random(number)
    items = [(bytes([generator.randrange(40)]), i) for i in range(number)]
    assert list(sorting.sorted_on_disk(iter(items))) == sorted(items, key=lambda item: item[0])
    assert list(tmp_path.iterdir()) == []


def test_a_full_scratch_disk_is_told_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    monkeypatch.setattr(sorting, "_RUN", 1)
    with pytest.raises(errors.ShardIOError, match="missing"):
        list(sorting.sorted_on_disk([(b"a", 1), (b"b", 2)]))
