"""Records that ``indices`` names several times."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from splits import jpeg_items, write_split

import fastinet
from fastinet import _core
from fastinet import transforms as T  # noqa: N812

COUNT = 12
TRAIN = [T.RandomResizedCrop(24), T.RandomHorizontalFlip()]
LIST = [3, 7, 3, 0, 3, 11, 7, 7, 3, 5]  # 3 four times, 7 three times
OCCURRENCES = [0, 0, 1, 0, 2, 0, 1, 2, 3, 0]


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_split(tmp_path_factory.mktemp("data") / "train", jpeg_items(COUNT))


def samples(split: Path, batch_size: int = 4, **options: Any) -> list[tuple[tuple[int, int], bytes]]:
    """(record, occurrence) and pixels of each sample of epoch 2, in order."""
    options = {"seed": 5, "transform": TRAIN, "dtype": "uint8", "columns": ("image", "batch"), **options}
    state = options.pop("state", None)
    with fastinet.Loader(split, batch_size, **options) as loader:
        loader.set_epoch(2)
        if state is not None:
            loader.load_state_dict(state)
        return [
            ((int(r), int(o)), x.tobytes())
            for images, batch in loader
            for x, r, o in zip(images, batch.indices, batch.occurrences, strict=True)
        ]


def test_each_occurrence_has_an_augmentation_of_its_own(split: Path) -> None:
    got = samples(split, indices=LIST)
    assert [which for which, _ in got] == list(zip(LIST, OCCURRENCES, strict=True))
    assert len({pixels for _, pixels in got}) == len(LIST)


def test_the_first_occurrence_is_the_sample_of_a_record_that_comes_once(split: Path) -> None:
    once = dict(samples(split))
    for which, pixels in samples(split, indices=LIST):
        assert (pixels == once[which[0], 0]) == (which[1] == 0)


@pytest.mark.parametrize("shuffle", [True, "window"])
def test_occurrences_do_not_depend_on_threads_batches_order_or_ranks(split: Path, shuffle: Any) -> None:
    expected = dict(samples(split, indices=LIST))
    for options in ({"threads": 1}, {"threads": 7}, {"batch_size": 3}, {"batch_size": 100}):
        got = samples(split, indices=LIST, shuffle=shuffle, window=1, **options)
        assert len(got) == len(LIST)
        assert dict(got) == expected
    parts = [samples(split, indices=LIST, shuffle=shuffle, rank=r, world_size=2) for r in range(2)]
    assert dict(parts[0] + parts[1]) == expected


def test_occurrences_do_not_depend_on_where_a_run_is_resumed(split: Path) -> None:
    options: dict[str, Any] = {"indices": LIST, "shuffle": True}
    whole = samples(split, **options)
    with fastinet.Loader(split, 3, TRAIN, seed=5, dtype="uint8", **options) as loader:
        loader.set_epoch(2)
        epoch = iter(loader)
        next(epoch)
        next(epoch)
        state = loader.state_dict()
    assert samples(split, state=state, **options) == whole[6:]


def test_one_record_drawn_many_times_gives_as_many_samples(split: Path) -> None:
    got = samples(split, batch_size=64, indices=[4] * 500, transform=[T.RandomResizedCrop(48)])
    assert [which for which, _ in got] == [(4, k) for k in range(500)]
    assert len({pixels for _, pixels in got}) > 495  # windows of few pixels may agree
    flips = samples(
        split, batch_size=64, indices=[4] * 500, transform=[T.Resize((8, 8)), T.RandomHorizontalFlip()]
    )
    counts = Counter(pixels for _, pixels in flips)
    assert len(counts) == 2
    assert min(counts.values()) > 200


def test_the_plan_gives_the_windows_of_each_occurrence(split: Path) -> None:
    options: dict[str, Any] = {"seed": 9, "indices": LIST, "shuffle": True, "columns": ("batch",)}
    with fastinet.Loader(split, 4, TRAIN, **options) as loader:
        plan: _core.TransformPlan = loader.plan.core
        for (b,) in loader:
            for i in range(len(b)):
                height, width = b.image_sizes[i].tolist()
                record, occurrence = int(b.indices[i]), int(b.occurrences[i])
                crop, resized, view, flip = plan.sample(height, width, 9, 0, record, occurrence=occurrence)
                assert crop == b.crops[i].tolist()
                assert resized == b.resized[i].tolist()
                assert view == b.views[i].tolist()
                assert flip == b.flips[i]


def test_the_windows_for_dali_are_those_of_the_core(split: Path) -> None:
    pytest.importorskip("nvidia.dali", reason="DALI is not installed")
    import fastinet.dali

    options: dict[str, Any] = {"seed": 9, "indices": LIST, "shuffle": True, "columns": ("image", "batch")}
    with (
        fastinet.Loader(split, 4, TRAIN, dtype="uint8", **options) as core,
        fastinet.dali.Loader(split, 4, TRAIN, dtype="uint8", device="cpu", **options) as dali,
    ):
        for (expected, a), (images, b) in zip(core, dali, strict=True):
            for name in ("indices", "occurrences", "crops", "flips"):
                np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
            difference = np.abs(expected.astype(np.float32) - images.astype(np.float32))
            assert difference.mean() < 1.0
