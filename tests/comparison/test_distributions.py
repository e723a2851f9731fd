"""What is drawn at random has torchvision's distributions: its own draws against ours, 100,000 of each."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torchvision.transforms import transforms as v1

from fastinet import transforms as T  # noqa: N812

DRAWS = 100_000
LEAST_P = (
    1e-4  # a right sampler fails one test in ten thousand; the seeds are fixed, so that none does by chance
)
VARIANTS = {"default": ((0.08, 1.0), (3 / 4, 4 / 3)), "wide": ((0.3, 0.9), (0.4, 3.0))}

pytestmark = pytest.mark.timeout(600)  # torchvision's draws take their time

Windows = np.ndarray[Any, Any]  # rows of top, left, height, width


@functools.cache
def theirs(height: int, width: int, variant: str) -> Windows:
    torch.manual_seed(0)
    image = torch.empty(3, height, width)
    scale, ratio = (list(v) for v in VARIANTS[variant])
    return np.array([v1.RandomResizedCrop.get_params(image, scale, ratio) for _ in range(DRAWS)])


def ours(height: int, width: int, variant: str) -> Windows:
    plan = T.compile_transform(v1.RandomResizedCrop(8, *VARIANTS[variant])).core
    return np.array([plan.sample(height, width, 0, 0, record)[0] for record in range(DRAWS)])


@pytest.mark.parametrize(
    ("size", "variant"), [((375, 500), "default"), ((500, 333), "wide"), ((1200, 90), "default")]
)
def test_windows_have_torchvisions_areas_aspects_and_places(size: tuple[int, int], variant: str) -> None:
    drawn, expected = ours(*size, variant), theirs(*size, variant)
    for name, value in {
        "area": lambda c: c[:, 2] * c[:, 3],
        "aspect": lambda c: c[:, 3] / c[:, 2],
        "top": lambda c: c[:, 0],
        "left": lambda c: c[:, 1],
        "bottom": lambda c: c[:, 0] + c[:, 2],
        "right": lambda c: c[:, 1] + c[:, 3],
        "centre": lambda c: (2 * c[:, 0] + c[:, 2]) / size[0] + (2 * c[:, 1] + c[:, 3]) / size[1],
    }.items():
        p = stats.ks_2samp(value(drawn), value(expected)).pvalue
        assert p > LEAST_P, (name, p)


@pytest.mark.parametrize(("size", "variant"), [((5, 7), "default"), ((9, 4), "wide"), ((2, 12), "default")])
def test_every_window_of_a_small_image_comes_as_often_as_in_torchvision(
    size: tuple[int, int], variant: str
) -> None:
    assert same_frequencies(ours(*size, variant), theirs(*size, variant)) > LEAST_P


def test_another_distribution_would_be_noticed() -> None:
    plan = T.compile_transform(v1.RandomResizedCrop(8, scale=(0.10, 1.0))).core
    drawn = np.array([plan.sample(5, 7, 0, 0, record)[0] for record in range(DRAWS)])
    assert same_frequencies(drawn, theirs(5, 7, "default")) < LEAST_P


def same_frequencies(drawn: Windows, expected: Windows) -> float:
    """The chi-square test's p that both were drawn alike; windows drawn less than 20 times count as one."""
    first, second = (Counter(map(tuple, windows.tolist())) for windows in (drawn, expected))
    rows = [(first[window], second[window]) for window in first.keys() | second.keys()]
    table = [row for row in rows if sum(row) >= 20]
    rare = tuple(map(sum, zip(*(row for row in rows if sum(row) < 20), strict=True)))
    table += [rare] if rare else []
    if len(table) == 1:
        return 1.0
    return float(stats.chi2_contingency(np.array(table).T).pvalue)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
def test_flips_come_as_often_as_torchvisions(p: float) -> None:
    torch.manual_seed(0)
    flip, image = v1.RandomHorizontalFlip(p), torch.tensor([[[0, 1]]])
    plan = T.compile_transform(flip).core
    drawn = share(plan.sample(8, 8, 0, 0, record)[3] for record in range(DRAWS))
    expected = share(bool(flip(image)[0, 0, 0]) for _ in range(DRAWS))
    if p in (0.0, 1.0):
        assert drawn == expected == p
    else:
        assert abs(drawn - expected) < 4 * np.sqrt(2 * p * (1 - p) / DRAWS)


def share(flips: Iterable[bool]) -> float:
    return sum(flips) / DRAWS
