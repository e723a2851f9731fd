"""fastinet.bench."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from folders import small_jpeg, write_tree

import fastinet
from fastinet import errors


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bench")
    write_tree(root / "src", {f"c/{i}.jpg": small_jpeg(i) for i in range(10)})
    fastinet.convert(root / "src", root / "dst")
    return root / "dst" / "train"


@pytest.mark.parametrize("work", ["train", "eval"])
def test_whole_epochs_are_measured_for_each_number_of_threads(dataset: Path, work: str) -> None:
    report = fastinet.bench(
        dataset,
        work=work,
        threads=[1, 2],
        batch_size=4,
        size=32,
        seconds=0.01,
        repeats=2,  # type: ignore[arg-type]
    )
    assert [result.threads for result in report.results] == [1, 2]
    for result in report.results:
        assert result.images % 10 == 0
        assert result.images > 0
        assert result.images_per_second > 0
        assert result.cpu_seconds > 0
        assert result.megabytes_per_second > 0
    assert json.loads(json.dumps(report.to_json()))["results"][1]["threads"] == 2


def test_arguments_out_of_range_are_refused(dataset: Path) -> None:
    with pytest.raises(errors.ArgumentError, match="work must be 'train' or 'eval', not 'play'"):
        fastinet.bench(dataset, work="play")  # type: ignore[arg-type]
    with pytest.raises(errors.ArgumentError, match="repeats and seconds must be positive"):
        fastinet.bench(dataset, repeats=0)
