"""The search for hashes that are near each other, beside comparing each with each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from fastinet.verification import hamming

Hashes = npt.NDArray[np.uint64]


def each_with_each(hashes: Hashes, distance: int) -> list[int]:
    """The first of the group of each hash, by comparing all pairs until nothing changes."""
    differing = (hashes[:, None] ^ hashes[None]).view(np.uint8).reshape(len(hashes), len(hashes), 8)
    near = np.unpackbits(differing, axis=2).sum(axis=2) <= distance
    first = np.arange(len(hashes))
    while True:
        lower = np.where(near, first[None], len(hashes)).min(axis=1)
        if np.array_equal(lower, first):
            return first.tolist()
        first = lower


def grouped(hashes: Hashes, distance: int) -> list[int]:
    """The same from the search under test."""
    groups = hamming.near_groups(hashes, distance)
    first: dict[int, int] = {}
    return [first.setdefault(group, i) for i, group in enumerate(groups.tolist())]


def random_hashes(seed: int, count: int) -> Hashes:
    return np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)


def with_bits_changed(value: int, bits: npt.NDArray[np.int64]) -> int:
    for bit in bits.tolist():
        value ^= 1 << bit
    return value


def clustered(seed: int, count: int) -> Hashes:
    """Hashes of which many have others at every small distance, and several are equal."""
    rng = np.random.default_rng(seed)
    values = [int(value) for value in random_hashes(seed, count // 8)]
    while len(values) < count:
        value = values[int(rng.integers(len(values)))]
        values.append(with_bits_changed(value, rng.choice(64, int(rng.integers(0, 9)), replace=False)))
    return rng.permutation(np.array(values, np.uint64))


@pytest.mark.parametrize("distance", [0, 1, 2, 3, 4, 5, 6, 8, 11, 16])
def test_groups_equal_those_of_a_comparison_of_all_pairs(distance: int) -> None:
    hashes = clustered(distance, 700)
    assert grouped(hashes, distance) == each_with_each(hashes, distance)


@pytest.mark.parametrize("bands", [3, 4, 5, 7, 16])
@pytest.mark.parametrize("distance", [2, 6, 9])
def test_all_numbers_of_bands_find_the_same_groups(
    bands: int, distance: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = clustered(bands, 400)
    monkeypatch.setattr(hamming, "_choose_bands", lambda _, d: hamming._cut(bands, d))
    monkeypatch.setattr(hamming, "_PAIRS", 97)  # many pieces
    assert grouped(hashes, distance) == each_with_each(hashes, distance)


def test_planted_pairs_are_found_among_many() -> None:
    rng = np.random.default_rng(1)
    hashes = random_hashes(2, 50_000)
    for i in range(0, 400, 2):
        bits = rng.choice(64, i // 2 % 7, replace=False)
        hashes[i + 1] = with_bits_changed(int(hashes[i]), bits)
    groups = hamming.near_groups(hashes, 6)
    assert np.array_equal(groups[:400:2], groups[1:400:2])
    assert len(np.unique(groups)) == 50_000 - 200


@pytest.mark.parametrize("count", [0, 1, 2, 5000])
def test_few_and_equal_hashes_are_grouped_like_others(count: int) -> None:
    assert len(set(grouped(np.full(count, 7, np.uint64), 6))) == min(count, 1)


def test_a_chain_of_near_hashes_is_one_group() -> None:
    chain = np.array([(1 << i) - 1 for i in range(64)], np.uint64)
    assert set(grouped(chain, 1)) == {0}
    assert grouped(chain, 0) == list(range(64))


def test_both_ways_to_count_bits_agree() -> None:
    values = np.concatenate([random_hashes(3, 1000), np.array([0, 2**64 - 1, 1, 2**63], np.uint64)])
    expected = [int(value).bit_count() for value in values]
    assert hamming._popcount(values).tolist() == expected
    assert hamming._popcount_by_halves(values).tolist() == expected
