"""Transforms agree with torchvision, whose answers lie in tests/data (tests/golden makes them)."""

from __future__ import annotations

import types
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from fastinet import _core, errors
from fastinet import transforms as T  # noqa: N812

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "torchvision_golden.npz")
WHOLE = (1, 0, 0)  # seed, epoch, record


def windows(variant: str, height: int, width: int, count: int) -> np.ndarray[Any, Any]:
    scale, ratio = (tuple(v) for v in GOLDEN[f"parameters_{variant}"])
    plan = T.compile_transform([T.RandomResizedCrop(224, scale, ratio)]).core
    return np.array([plan.sample(height, width, 5, 0, record)[0] for record in range(count)])


@pytest.mark.parametrize("variant", ["default", "wide"])
def test_random_resized_crop_has_torchvisions_distribution(variant: str) -> None:
    for (height, width), theirs in zip(
        GOLDEN["crop_images"].tolist(), GOLDEN[f"crops_{variant}"], strict=True
    ):
        ours = windows(variant, height, width, len(theirs))
        for name, f in {
            "area": lambda c: c[:, 2] * c[:, 3],
            "aspect": lambda c: c[:, 3] / c[:, 2],
            "top": lambda c: c[:, 0],
            "left": lambda c: c[:, 1],
            "centre": lambda c: c[:, 0] + c[:, 2] / 2 + 3 * (c[:, 1] + c[:, 3] / 2),
        }.items():
            p = stats.ks_2samp(f(ours.astype(float)), f(theirs.astype(float))).pvalue
            assert p > 0.001, (variant, height, width, name, p)


def test_the_distribution_test_would_notice_another_distribution() -> None:
    theirs = GOLDEN["crops_default"][0].astype(float)
    plan = T.compile_transform([T.RandomResizedCrop(224, scale=(0.13, 1.0))]).core
    ours = np.array([plan.sample(375, 500, 5, 0, r)[0] for r in range(len(theirs))], float)
    assert stats.ks_2samp(ours[:, 2] * ours[:, 3], theirs[:, 2] * theirs[:, 3]).pvalue < 0.001


def test_crops_are_independent_between_records_and_epochs() -> None:
    plan = T.compile_transform([T.RandomResizedCrop(224)]).core
    areas = np.array([np.prod(plan.sample(375, 500, 1, 0, r)[0][2:]) for r in range(4000)], float)
    next_epoch = np.array([np.prod(plan.sample(375, 500, 1, 1, r)[0][2:]) for r in range(4000)], float)
    assert abs(np.corrcoef(areas[1:], areas[:-1])[0, 1]) < 0.06
    assert abs(np.corrcoef(areas, next_epoch)[0, 1]) < 0.06


def test_resize_rounds_as_torchvision_does() -> None:
    for height, width, size, largest, new_height, new_width in GOLDEN["resizes"].tolist():
        plan = T.compile_transform([T.Resize(size, max_size=largest or None)]).core
        assert plan.sample(height, width, *WHOLE)[1] == [new_height, new_width], (
            height,
            width,
            size,
            largest,
        )


def test_center_crop_rounds_and_pads_as_torchvision_does() -> None:
    for height, width, h, w, top, left in GOLDEN["center_crops"].tolist():
        plan = T.compile_transform([T.CenterCrop((h, w))]).core
        assert plan.sample(height, width, *WHOLE)[2] == [top, left, h, w], (height, width, h, w)


@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 1.0])
def test_flips_come_with_their_probability(p: float) -> None:
    plan = T.compile_transform([T.RandomHorizontalFlip(p)]).core
    flips = sum(plan.sample(10, 10, 3, 0, record)[3] for record in range(5000))
    assert stats.binomtest(flips, 5000, p).pvalue > 0.001


def test_a_flip_added_at_the_end_leaves_the_crops_as_they_were() -> None:
    crop = T.compile_transform([T.RandomResizedCrop(32)]).core
    both = T.compile_transform([T.RandomResizedCrop(32), T.RandomHorizontalFlip()]).core
    for record in range(50):
        assert crop.sample(300, 400, 9, 2, record)[:3] == both.sample(300, 400, 9, 2, record)[:3]


def test_a_crop_after_a_flip_is_mirrored() -> None:
    plan = T.compile_transform([T.RandomHorizontalFlip(1.0), T.CenterCrop((4, 4))]).core
    # Of 9 columns torchvision takes 2..5 of the mirrored image (2.5 rounds to 2): 3..6 of the image.
    assert plan.sample(4, 9, *WHOLE) == ([0, 0, 4, 9], [4, 9], [0, 3, 4, 4], True)


def test_extreme_images_still_give_a_window() -> None:
    plan = T.compile_transform([T.RandomResizedCrop(8)]).core
    for height, width in [(1, 1), (1, 60000), (60000, 1), (2, 3)]:
        for record in range(20):
            (top, left, h, w), *_ = plan.sample(height, width, 0, 0, record)
            assert h >= 1
            assert w >= 1
            assert 0 <= top <= height - h
            assert 0 <= left <= width - w


@pytest.mark.parametrize(
    ("transform", "error", "message"),
    [
        (
            [T.Resize(256), T.RandomResizedCrop(224)],
            errors.UnsupportedError,
            r"transform\[1\]: RandomResizedCrop comes after Resize \(transform\[0\]\): at most one resize",
        ),
        (
            [T.RandomHorizontalFlip(), T.Resize(256, "bicubic")],
            errors.UnsupportedError,
            "put RandomHorizontalFlip after the resize",
        ),
        (
            [T.RandomResizedCrop(0)],
            errors.ArgumentError,
            "RandomResizedCrop: size: expected 1 to 65535, found 0",
        ),
        ([T.RandomResizedCrop(9, scale=(0.5, 0.1))], errors.ArgumentError, "scale: expected 0 < low <= high"),
        (
            [T.RandomResizedCrop((1, 2, 3))],
            errors.ArgumentError,
            r"int or \(height, width\), not \(1, 2, 3\)",
        ),
        ([T.RandomHorizontalFlip(1.5)], errors.ArgumentError, "p: expected 0 to 1, found 1.5"),
        (
            [T.Resize(256, max_size=200)],
            errors.ArgumentError,
            "max_size: expected more than size 256, found 200",
        ),
        ([T.Resize((8, 8), max_size=9)], errors.ArgumentError, "max_size goes with an int size"),
        (
            [T.Resize(8, interpolation="lanczos")],
            errors.UnsupportedError,
            "'bilinear' or 'bicubic', not 'lanczos'",
        ),
        ([T.Resize(8, antialias=False)], errors.UnsupportedError, "antialias=False is not supported"),
        ([T.Normalize(std=(1, 0, 1))], errors.ArgumentError, "std must be three numbers other than 0"),
        ([T.Normalize(), T.CenterCrop(8)], errors.UnsupportedError, "CenterCrop comes after Normalize"),
        ([T.Normalize(), T.Normalize()], errors.UnsupportedError, "Normalize comes twice"),
        ([abs, T.CenterCrop(8)], errors.UnsupportedError, "callables go to the end"),
        ([T.CenterCrop], errors.ArgumentError, "expected transforms or callables"),
        (["Resize"], errors.ArgumentError, "found 'Resize'"),
    ],
)
def test_what_is_not_one_plan_is_refused(transform: list[Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        T.compile_transform(transform)


def test_a_padding_crop_before_a_resize_is_refused_for_the_image_that_needs_it() -> None:
    plan = T.compile_transform([T.CenterCrop(100), T.Resize((8, 8))]).core
    assert plan.sample(100, 120, *WHOLE)[0] == [0, 10, 100, 100]
    with pytest.raises(errors.UnsupportedError, match="expected an image of at least 100x100, found 90x120"):
        plan.sample(90, 120, *WHOLE)


def test_normalize_and_uint8_contradict_each_other() -> None:
    with pytest.raises(errors.ArgumentError, match="Normalize gives floats, but dtype is uint8"):
        T.compile_transform([T.Normalize()], dtype="uint8")


@pytest.mark.parametrize("dtype", ["float16", np.float16, np.dtype("float16")])
def test_dtypes_are_named_as_anyone_names_them(dtype: Any) -> None:
    assert T.compile_transform([], dtype=dtype).dtype == "float16"
    with pytest.raises(
        errors.ArgumentError, match="dtype must be one of uint8, float16, float32, not 'int8'"
    ):
        T.compile_transform([], dtype="int8")


def test_torch_dtypes_are_taken() -> None:
    torch = pytest.importorskip("torch")
    assert T.compile_transform([], dtype=torch.uint8).dtype == "uint8"


def test_the_core_refuses_what_the_chain_refuses() -> None:
    resize, flip = ("resize_short", 8, 0, "bicubic"), ("random_horizontal_flip", 1.0)
    with pytest.raises(errors.UnsupportedError, match="at most one resize"):
        _core.TransformPlan([resize, resize])
    with pytest.raises(errors.UnsupportedError, match="after a resize that is not bilinear"):
        _core.TransformPlan([flip, resize])
    with pytest.raises(errors.UnsupportedError, match="at most 8x8, found 8x9"):
        _core.TransformPlan([("center_crop", 8, 8), ("center_crop", 8, 9)])


class InterpolationMode(Enum):
    BICUBIC = "bicubic"


def torchvision_like(name: str, **attributes: Any) -> Any:
    """An object that looks as torchvision's of that name does; torchvision itself is too large to install."""
    kind = type(name, (), {"__module__": "torchvision.transforms.transforms", "__call__": lambda self, x: x})
    item = kind()
    vars(item).update(attributes)
    return item


def test_a_torchvision_compose_is_taken_as_it_is() -> None:
    compose = torchvision_like(
        "Compose",
        transforms=[
            torchvision_like(
                "RandomResizedCrop",
                size=(32, 48),
                scale=(0.2, 1.0),
                ratio=(0.75, 1.5),
                interpolation=InterpolationMode.BICUBIC,
                antialias=True,
            ),
            torchvision_like("RandomHorizontalFlip", p=0.25),
            torchvision_like("ToTensor"),
            torchvision_like("Normalize", mean=[0.5, 0.5, 0.5], std=[0.25, 0.25, 0.25], inplace=False),
        ],
    )
    theirs = T.compile_transform(compose)
    ours = T.compile_transform(
        [
            T.RandomResizedCrop((32, 48), (0.2, 1.0), (0.75, 1.5), "bicubic"),
            T.RandomHorizontalFlip(0.25),
            T.Normalize((0.5,) * 3, (0.25,) * 3),
        ]
    )
    assert theirs.normalize == ours.normalize
    assert (theirs.dtype, theirs.interpolation, theirs.output_size) == ("float32", "bicubic", (32, 48))
    assert all(theirs.core.sample(99, 88, 1, 2, r) == ours.core.sample(99, 88, 1, 2, r) for r in range(20))


def test_torchvisions_tensor_steps_choose_the_dtype() -> None:
    crop = torchvision_like("CenterCrop", size=(8, 8))
    assert T.compile_transform([crop, torchvision_like("PILToTensor")]).dtype == "uint8"
    half = torchvision_like("ToDtype", dtype=types.SimpleNamespace(__name__="float16"), scale=True)
    assert T.compile_transform([crop, torchvision_like("ToImage"), half]).dtype == "float16"
    unscaled = torchvision_like("ToDtype", dtype="float32", scale=False)
    with pytest.raises(errors.UnsupportedError, match="without scale=True"):
        T.compile_transform([unscaled])


def test_an_unknown_torchvision_transform_is_refused_by_name_and_place() -> None:
    with pytest.raises(
        errors.UnsupportedError,
        match=r"transform\[1\]: torchvision's ColorJitter is not one that the core knows",
    ):
        T.compile_transform([T.CenterCrop(8), torchvision_like("ColorJitter")])


def test_the_core_refuses_steps_it_does_not_know() -> None:
    with pytest.raises(errors.ArgumentError, match="unknown transform step shear"):
        _core.TransformPlan([("shear",)])
