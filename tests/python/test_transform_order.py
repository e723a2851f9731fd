"""The order in a Compose counts as in torchvision: kept where the pixels are the same, else refused."""

from __future__ import annotations

import functools
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import splits
from PIL import Image, ImageFilter, ImageOps
from test_transforms import torchvision_like as tv

import fastinet
from fastinet import transforms as T  # noqa: N812
from fastinet.errors import ArgumentError, UnsupportedError

RESIZE, CROP, FLIP = (
    tv("Resize", size=[9, 9]),
    tv("CenterCrop", size=(8, 8)),
    tv("RandomHorizontalFlip", p=1.0),
)
TO_TENSOR, PIL_TO_TENSOR, TO_IMAGE = tv("ToTensor"), tv("PILToTensor"), tv("ToImage")
NORMALIZE = tv("Normalize", mean=[0.5] * 3, std=[0.25] * 3)
RANDOM = tv("RandomResizedCrop", size=(8, 8), scale=(0.08, 1.0), ratio=(0.75, 1.33))


def to(dtype: str, scale: bool = True) -> Any:
    return tv("ToDtype", dtype=types.SimpleNamespace(__name__=dtype), scale=scale)


class Tensor:
    """Of the name of torch's."""


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return splits.write_split(tmp_path_factory.mktemp("order") / "train", splits.jpeg_items(12))


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        ([TO_TENSOR, RESIZE, CROP], r"\[1\]: Resize comes after ToTensor \(transform\[0\]\): of a tensor"),
        ([CROP, PIL_TO_TENSOR, RANDOM], r"\[2\]: RandomResizedCrop comes after PILToTensor"),
        ([TO_IMAGE, RANDOM, to("float32")], r"put RandomResizedCrop before it"),
        ([T.ToTensor(), T.Resize(9)], r"transform\[1\]: Resize comes after ToTensor"),
        ([T.ConvertImageDtype("float16"), T.Resize(9)], r"Resize comes after ConvertImageDtype"),
        ([RESIZE, TO_TENSOR, NORMALIZE, RANDOM], r"\[3\]: RandomResizedCrop comes after ToTensor"),
        ([T.Normalize(), T.Resize(9)], r"Resize comes after Normalize \(transform\[0\]\)"),
        ([RESIZE, TO_TENSOR, NORMALIZE, CROP], r"CenterCrop comes after Normalize .* would not be black"),
        ([T.CenterCrop(9), FLIP, T.CenterCrop((9, 10))], r"\[2\]: CenterCrop to 9x10 comes after CenterCrop"),
        ([T.Normalize(), T.ToTensor()], r"ToTensor comes after Normalize .* Pillow images only"),
        ([RESIZE, PIL_TO_TENSOR, TO_TENSOR], r"ToTensor comes after PILToTensor"),
        ([RESIZE, TO_TENSOR, PIL_TO_TENSOR], r"PILToTensor comes after ToTensor"),
        ([RESIZE, to("float32"), TO_IMAGE], r"ToImage comes after ToDtype \(transform\[1\]\)"),
        ([RESIZE, TO_TENSOR, to("float16"), NORMALIZE], r"Normalize comes after ToDtype .* in float16"),
        ([RESIZE, TO_TENSOR, to("float16"), to("float32")], r"to float32 comes after .* rounded to float16"),
        ([RESIZE, TO_TENSOR, to("uint8", scale=False)], r"floats without scale=True are not supported"),
        ([tv("Compose", transforms=[TO_TENSOR, [RESIZE]])], r"transform\[0\]\[1\]\[0\]: Resize"),
    ],
)
def test_an_order_that_gives_other_pixels_is_refused_by_its_place(chain: list[Any], message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        T.compile_transform(chain)


@pytest.mark.parametrize(
    ("chain", "dtype"),
    [
        ([RESIZE, TO_TENSOR, CROP, FLIP, NORMALIZE], "float32"),
        ([RESIZE, CROP, TO_TENSOR, NORMALIZE, FLIP], "float32"),
        ([RESIZE, PIL_TO_TENSOR, CROP, FLIP], "uint8"),
        ([RESIZE, TO_IMAGE], "uint8"),  # as torchvision, which converts no dtype there
        ([tv("RGB"), TO_IMAGE, tv("Identity"), to("float32"), tv("ToPureTensor"), NORMALIZE], "float32"),
        ([PIL_TO_TENSOR, TO_IMAGE, to("uint8", scale=False), to("float32")], "float32"),
        ([TO_TENSOR, to("float32", scale=False), NORMALIZE, to("float16", scale=False)], "float16"),
        ([TO_TENSOR, tv("ConvertImageDtype", dtype="uint8")], "uint8"),  # to the byte what it was
    ],
)
def test_an_order_that_gives_the_same_pixels_is_taken(chain: list[Any], dtype: str) -> None:
    plan = T.compile_transform(chain)
    assert plan.dtype == dtype
    assert plan.normalize == (((0.5,) * 3, (0.25,) * 3) if NORMALIZE in chain else None)


@pytest.mark.parametrize(
    ("converts", "expected"),
    [
        ([PIL_TO_TENSOR, {Tensor: "float16"}], "float16"),
        ([PIL_TO_TENSOR, {Tensor: None, "others": "float32"}], "uint8"),
        ([TO_IMAGE, {Tensor: "float16", "others": "float32"}], "float32"),
        ([TO_IMAGE, tv("ToPureTensor"), {Tensor: "float16", "others": None}], "float16"),
    ],
)
def test_dtypes_by_class_are_looked_up_as_torchvision_does(converts: list[Any], expected: str) -> None:
    *before, dtype = converts
    assert T.compile_transform([*before, tv("ToDtype", dtype=dtype, scale=True)]).dtype == expected


def test_dtypes_by_class_without_one_for_the_image_are_refused() -> None:
    with pytest.raises(
        ArgumentError, match=r"transform\[1\]: ToDtype has no dtype for images of class Image"
    ):
        T.compile_transform([TO_IMAGE, tv("ToDtype", dtype={Tensor: "float16"}, scale=True)])


def stored(split: Path, record: int) -> Image.Image:
    return Image.fromarray(fastinet.Dataset(split)[record].decode())


@pytest.mark.parametrize(
    ("resize", "size"),
    [
        (T.Resize((31, 57)), (57, 31)),
        (T.Resize((150, 77)), (77, 150)),
        (T.Resize((60, 50)), (50, 60)),
    ],
)
def test_a_flip_before_a_bilinear_resize_gives_pillows_bytes(split: Path, resize: Any, size: Any) -> None:
    transform = [T.RandomHorizontalFlip(1.0), resize, T.CenterCrop((23, 36))]
    with fastinet.Loader(split, 12, transform, dtype="uint8", layout="NHWC", threads=1) as loader:
        images, _ = next(iter(loader))
    for record, image in enumerate(images):
        whole = ImageOps.mirror(stored(split, record)).resize(size, Image.Resampling.BILINEAR)
        left, top = round((size[0] - 36) / 2), round((size[1] - 23) / 2)  # as torchvision rounds
        np.testing.assert_array_equal(image, np.asarray(whole.crop((left, top, left + 36, top + 23))))


def test_crops_of_crops_give_pillows_bytes(split: Path) -> None:
    transform = [T.CenterCrop((49, 44)), T.CenterCrop((40, 31)), T.Resize((32, 32)), T.CenterCrop(41)]
    with fastinet.Loader(split, 12, transform, dtype="uint8", layout="NHWC", threads=1) as loader:
        images, _ = next(iter(loader))
    for record, image in enumerate(images):
        whole = stored(split, record)
        for width, height in ((44, 49), (31, 40)):
            left, top = round((whole.width - width) / 2), round((whole.height - height) / 2)
            whole = whole.crop((left, top, left + width, top + height))
        padded = Image.new("RGB", (41, 41))
        padded.paste(whole.resize((32, 32), Image.Resampling.BILINEAR), (4, 4))
        np.testing.assert_array_equal(image, np.asarray(padded))


def test_a_random_window_of_a_flipped_image_gives_pillows_bytes(split: Path) -> None:
    transform = [T.RandomHorizontalFlip(), T.RandomResizedCrop((20, 31))]
    options: dict[str, Any] = {"dtype": "uint8", "layout": "NHWC", "columns": ("image", "batch"), "seed": 2}
    with fastinet.Loader(split, 12, transform, threads=1, **options) as loader:
        images, batch = next(iter(loader))
    assert 0 < sum(batch.flips) < 12
    for record, (image, crop, flip) in enumerate(zip(images, batch.crops.tolist(), batch.flips, strict=True)):
        top, left, height, width = crop  # of the image as it is stored
        part = stored(split, record).crop((left, top, left + width, top + height))
        part = ImageOps.mirror(part) if flip else part
        np.testing.assert_array_equal(image, np.asarray(part.resize((31, 20), Image.Resampling.BILINEAR)))


def test_a_window_around_an_object_keeps_it_in_a_flipped_image_too() -> None:
    crop = T.RandomResizedCrop(8, scale=(0.01, 1.0), min_object_covered=1.0, max_attempts=256)
    plan = T.compile_transform([T.RandomHorizontalFlip(1.0), crop]).core
    narrower = 0
    for i in range(300):
        (top, left, height, width), _, _, flip = plan.sample(100, 100, 0, 0, i, [(40, 70, 10, 12)])
        assert flip
        assert (top <= 40, left <= 70, top + height >= 50, left + width >= 82) == (True,) * 4
        narrower += width < 60
    assert narrower > 50  # so that the mirrored object alone would not do


class TwoCrops:
    """As the scripts of contrastive learning have it."""

    def __init__(self, base: Any) -> None:
        self.base = base

    def __call__(self, image: Any) -> Any:
        return [self.base(image), self.base(image)]


class Sequential:
    """Looks like torch's."""

    def __call__(self, x: Any) -> Any:
        return x

    def __repr__(self) -> str:
        return "Sequential(\n  (0): Resize(size=9)\n)"


def blurred(image: Any) -> Any:
    return image.filter(ImageFilter.BLUR)


@pytest.mark.parametrize(
    ("transform", "named"),
    [
        (TwoCrops(None), r"transform: <test_transform_order\.TwoCrops object"),
        ([Sequential()], r"transform\[0\]: test_transform_order\.Sequential Sequential\( \(0\): Resize"),
        ([T.Resize(8), blurred], r"transform\[1\]: test_transform_order\.blurred"),
    ],
)
def test_what_fastinet_does_not_know_is_named_where_images_have_no_one_size(
    split: Path, transform: Any, named: str
) -> None:
    message = rf"images of different sizes.*\({named}.*\) was taken for a callable on the finished batch, a"
    with pytest.raises(ArgumentError, match=message):
        fastinet.Loader(split, 4, transform)


def test_a_step_after_what_fastinet_does_not_know_names_both() -> None:
    with pytest.raises(
        UnsupportedError,
        match=r"\[1\]: RandomHorizontalFlip comes after transform\[0\]: <test_transform_order\.TwoCrops",
    ):
        T.compile_transform([TwoCrops(None), FLIP])


def test_a_transform_of_single_images_fails_with_its_name_and_what_it_got(split: Path) -> None:
    with (
        fastinet.Loader(split, 4, [T.CenterCrop(8), blurred], threads=1) as loader,
        pytest.raises(
            ArgumentError,
            match=r"transform\[1\]: test_transform_order\.blurred raised AttributeError: .*'filter'.* given "
            r"a numpy\.ndarray of shape \(4, 3, 8, 8\), float32",
        ) as caught,
    ):
        next(iter(loader))
    assert isinstance(caught.value.__cause__, AttributeError)


def test_other_exceptions_of_a_callable_are_its_own(split: Path) -> None:
    def fail(images: Any) -> Any:
        raise LookupError("mine")

    with (
        fastinet.Loader(split, 4, [T.CenterCrop(8), fail], threads=1) as loader,
        pytest.raises(LookupError, match="mine"),
    ):
        next(iter(loader))


def test_callables_are_called_in_turn(split: Path) -> None:
    calls = [functools.partial(np.multiply, 0), lambda images: images + 3]
    with fastinet.Loader(split, 4, [T.CenterCrop(8), *calls], threads=1) as loader:
        assert (next(iter(loader))[0] == 3).all()


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        (T.RandomResizedCrop(np.int64(16)), T.RandomResizedCrop(16)),
        (T.RandomResizedCrop(16.0), T.RandomResizedCrop(16)),  # type: ignore[arg-type]
        (T.CenterCrop(np.array([16, 9])), T.CenterCrop((16, 9))),  # type: ignore[arg-type]
        (T.CenterCrop([np.uint8(16)]), T.CenterCrop(16)),
        (T.Resize(np.int32(16), max_size=np.int16(40)), T.Resize(16, max_size=40)),  # type: ignore[arg-type]
        (
            T.RandomResizedCrop(16, scale=(np.float32(0.25), np.float64(1)), ratio=np.array([0.5, 2.0])),  # type: ignore[arg-type]
            T.RandomResizedCrop(16, scale=(0.25, 1.0), ratio=(0.5, 2.0)),
        ),
        (T.RandomHorizontalFlip(np.float16(0.5)), T.RandomHorizontalFlip(0.5)),  # type: ignore[arg-type]
    ],
)
def test_numpys_numbers_are_taken_as_plain_ones(given: Any, plain: Any) -> None:
    ours, theirs = (T.compile_transform([step]).core for step in (given, plain))
    assert [ours.sample(70, 90, 1, 0, r) for r in range(9)] == [
        theirs.sample(70, 90, 1, 0, r) for r in range(9)
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Image.Resampling.BICUBIC, "bicubic"),
        (Image.BICUBIC, "bicubic"),  # type: ignore[attr-defined, unused-ignore]
        (3, "bicubic"),
        (np.int64(2), "bilinear"),
        (Image.Resampling.BILINEAR, "bilinear"),
    ],
)
def test_pillows_filters_are_taken(value: Any, expected: str) -> None:
    assert T.compile_transform([T.Resize((8, 8), value)]).interpolation == expected


@pytest.mark.parametrize("value", [Image.Resampling.LANCZOS, 0, 17, None, True])
def test_other_filters_are_refused(value: Any) -> None:
    with pytest.raises(UnsupportedError, match="Resize: interpolation must be 'bilinear' or 'bicubic', not"):
        T.compile_transform([T.Resize((8, 8), value)])


@pytest.mark.parametrize(
    ("mean", "std", "expected"),
    [
        (0.5, 0.25, ((0.5,) * 3, (0.25,) * 3)),
        ([0.5], np.float32(0.25), ((0.5,) * 3, (0.25,) * 3)),
        (np.array([0.1, 0.2, 0.3]), (1, 2, 3), ((0.1, 0.2, 0.3), (1.0, 2.0, 3.0))),
        (np.full((3, 1, 1), 0.5), 1, ((0.5,) * 3, (1.0,) * 3)),
    ],
)
def test_means_and_deviations_broadcast_as_torchs_do(mean: Any, std: Any, expected: Any) -> None:
    assert T.compile_transform([T.Normalize(mean, std)]).normalize == expected


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (T.RandomResizedCrop(True), "size must be an int or"),
        (T.RandomResizedCrop(8.5), "size must be an int or"),  # type: ignore[arg-type]
        (T.RandomResizedCrop(2**70), "size: expected 1 to 65535, found 1180591620717411303424"),
        (T.CenterCrop((8, -1)), "size: expected 1 to 65535, found -1"),
        (T.CenterCrop(float("inf")), "size must be an int or"),  # type: ignore[arg-type]
        (T.Resize(8, max_size=2**40), "max_size must be an int of at most 32 bits"),
        (T.Resize("8"), "size must be an int or"),  # type: ignore[arg-type]
        (T.RandomHorizontalFlip("half"), "RandomHorizontalFlip: p must be a number, not 'half'"),  # type: ignore[arg-type]
        (T.RandomHorizontalFlip(float("nan")), "p: expected 0 to 1"),
        (T.RandomResizedCrop(8, scale=(0.1, 10**400)), "scale must be two numbers"),
        (T.RandomResizedCrop(8, scale="ab"), "scale must be two numbers"),  # type: ignore[arg-type]
        (T.Normalize((0.1, 0.2)), "mean must be three numbers, or one for all channels"),
        (T.Normalize(std=0), "std must be three numbers other than 0, or one"),
        (T.Normalize("mean"), "mean must be three numbers"),  # type: ignore[arg-type]
        (T.Normalize((0.1, float("nan"), 0.2)), "mean must be three numbers"),
    ],
)
def test_what_is_no_number_or_out_of_range_is_an_argument_error(step: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        T.compile_transform([step])
