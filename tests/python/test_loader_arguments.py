"""Arguments of any magnitude are taken or refused, by name and in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from splits import jpeg_items, write_split

import fastinet
from fastinet import transforms as T  # noqa: N812
from fastinet.errors import ArgumentError, FastinetError, UnsupportedError

COUNT = 9

# Every power of two and its neighbours, of either sign, beyond what 64 bits hold.
NEAR_POWERS = st.builds(
    lambda bits, sign, offset: sign * (1 << bits) + offset,
    st.integers(0, 80),
    st.sampled_from([-1, 1]),
    st.integers(-2, 2),
)
INTEGERS = st.one_of(NEAR_POWERS, st.integers(), st.sampled_from([10**400, -(10**5000)]))
WIDE = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_split(tmp_path_factory.mktemp("data") / "train", jpeg_items(COUNT), per_shard=4)


def batches(split: Path, **options: Any) -> int:
    """Batches of an epoch, where the arguments are taken; else an ArgumentError is raised."""
    options = {"batch_size": 4, "transform": [T.Resize((8, 8))], "threads": 1, **options}
    with fastinet.Loader(split, **options) as loader:
        count = len(loader)
        assert sum(1 for _ in loader) == count
        return count


def refusal(split: Path, transform: list[Any]) -> str | None:
    """What the ArgumentError for a transform says; None where it is taken."""
    try:
        fastinet.Loader(split, 4, transform).close()
    except ArgumentError as e:
        return str(e)
    return None


@WIDE
@given(batch_size=INTEGERS, drop_last=st.booleans())
def test_batch_sizes(split: Path, batch_size: int, drop_last: bool) -> None:
    if 1 <= batch_size < 2**31:
        expected = COUNT // batch_size if drop_last else -(-COUNT // batch_size)
        assert batches(split, batch_size=batch_size, drop_last=drop_last) == expected
    else:
        with pytest.raises(ArgumentError, match="batch_size must be an int from 1 to 2147483647, not "):
            batches(split, batch_size=batch_size, drop_last=drop_last)


@WIDE
@given(world=INTEGERS, rank=INTEGERS, drop_last=st.booleans())
def test_world_sizes_and_ranks(split: Path, world: int, rank: int, drop_last: bool) -> None:
    if 1 <= world < 2**31 and 0 <= rank < world:
        expected = COUNT // (4 * world) if drop_last else -(-COUNT // (4 * world))
        assert batches(split, rank=rank, world_size=world, drop_last=drop_last) == expected
    else:
        with pytest.raises(ArgumentError, match=r"(world_size|rank) must be an int "):
            batches(split, rank=rank, world_size=world, drop_last=drop_last)


@WIDE
@given(number=INTEGERS)
def test_prefetch_windows_seeds_and_epochs(split: Path, number: int) -> None:
    for name, high in (("prefetch_bytes", 2**63), ("window", 2**63), ("seed", 2**64)):
        options = {name: number, "shuffle": "window"}
        if (1 if name == "window" else 0) <= number < high:
            assert batches(split, **options) == 3
        else:
            with pytest.raises(ArgumentError, match=f"{name} must be an int "):
                batches(split, **options)
    with fastinet.Loader(split, 4, [T.Resize((8, 8))]) as loader:
        state = loader.state_dict()
        if 0 <= number < 2**32:
            loader.set_epoch(number)
            assert len(list(loader)) == 3
        else:
            with pytest.raises(ArgumentError, match="epoch must be an int from 0 to 4294967295, not "):
                loader.set_epoch(number)
        with pytest.raises(ArgumentError, match="position must be an int from 0 to 9, not "):
            loader.load_state_dict({**state, "position": number if abs(number) > 9 else 10})


@pytest.mark.parametrize("threads", [-(2**70), -1, 0, 4097, 2**31, 2**40, 2**64, 10**400])
def test_threads(split: Path, threads: int) -> None:
    with pytest.raises(ArgumentError, match="threads must be an int from 1 to 4096, not "):
        batches(split, threads=threads)


@WIDE
@given(side=INTEGERS, other=INTEGERS)
def test_sizes_of_transforms(split: Path, side: int, other: int) -> None:
    """Sides that memory has no room for are taken here and refused where memory is asked for."""
    steps = {
        "RandomResizedCrop": [T.RandomResizedCrop((side, other))],
        "Resize": [T.Resize((side, other))],
        "CenterCrop": [T.CenterCrop((side, other))],
    }
    for name, transform in steps.items():
        if 1 <= side <= 65535 and 1 <= other <= 65535:
            fastinet.Loader(split, 4, transform).close()
        else:
            with pytest.raises(ArgumentError, match=f"{name}: size: expected 1 to 65535, found "):
                fastinet.Loader(split, 4, transform)


@WIDE
@given(side=INTEGERS, longest=INTEGERS)
def test_shorter_sides_and_their_bound(split: Path, side: int, longest: int) -> None:
    said = refusal(split, [T.Resize(side, max_size=longest), T.CenterCrop(8)])
    if said is None:
        assert 1 <= side <= 65535
        assert longest == 0 or side < longest < 2**31
    else:
        assert said.startswith("Resize: ")
        assert not (1 <= side <= 65535 and side < longest < 2**31)


NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


@WIDE
@given(low=NUMBERS, high=NUMBERS, covered=st.none() | st.floats(0, 1), attempts=INTEGERS)
def test_ranges_of_random_windows(
    split: Path, low: float, high: float, covered: float | None, attempts: int
) -> None:
    for what in ("scale", "ratio"):
        crop = T.RandomResizedCrop(
            8, **{what: (low, high)}, min_object_covered=covered, max_attempts=attempts
        )
        said = refusal(split, [crop])
        if said is None:
            assert 0 < low <= high < float("inf")
            assert batches(split, transform=[crop]) == 3
        else:
            assert said.startswith("RandomResizedCrop")


@pytest.mark.parametrize(
    "indices", [[2**70], [-(2**70)], [2**63], [-1], [COUNT], [[1], [2, 3]], "12", object()]
)
def test_records(split: Path, indices: Any) -> None:
    with pytest.raises(ArgumentError, match="indices must be "):
        batches(split, indices=indices)


def test_memory_that_the_machine_lacks_is_a_memory_error_and_not_the_end(split: Path) -> None:
    with fastinet.Loader(split, COUNT, [T.CenterCrop(65535)], indices=[0] * 100_000) as loader:
        loader.batch_size  # noqa: B018
    with fastinet.Loader(split, 100_000, [T.CenterCrop(65535)], indices=[0] * 100_000) as loader:
        with pytest.raises(MemoryError):
            iter(loader)
        assert loader.state_dict()["position"] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_error": None}, "on_error: expected raise or skip or substitute, found None"),
        ({"allocate": 5}, "allocate must be a callable, not 5"),
        ({"batch_size": np.array([1, 2])}, "batch_size must be an int from 1 to 2147483647, not array"),
        ({"batch_size": 10**5000}, "batch_size must be an int from 1 to 2147483647, not int too long"),
        ({"transform": [T.RandomHorizontalFlip()] * 257}, "transform: expected at most 256 steps, found 257"),
    ],
)
def test_other_arguments(split: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(FastinetError, match=message) as caught:
        batches(split, **options)
    assert isinstance(caught.value, (ArgumentError, UnsupportedError))
