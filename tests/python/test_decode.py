"""fastinet.decode against Pillow, the definition of its result."""

from __future__ import annotations

import io
import random
import threading
import warnings
from typing import Any

import images
import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps

import fastinet
from fastinet import _core
from fastinet.errors import ArgumentError, DecodeError

Box = tuple[int, int, int, int]


def pillow(data: bytes, *, upright: bool = False) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = Image.open(io.BytesIO(data))
        return (ImageOps.exif_transpose(image) if upright else image).convert("RGB")


def pillow_or_refusal(data: bytes, *, upright: bool = False) -> Image.Image | None:
    try:
        return pillow(data, upright=upright)
    except Exception:
        return None


def random_box(rng: random.Random, image: Image.Image) -> Box:
    height = rng.randint(1, image.height)
    width = rng.randint(1, image.width)
    return rng.randint(0, image.height - height), rng.randint(0, image.width - width), height, width


def cropped(image: Image.Image, box: Box) -> Image.Image:
    top, left, height, width = box
    return image.crop((left, top, left + width, top + height))


def assert_same(actual: Any, expected: Image.Image) -> None:
    np.testing.assert_array_equal(actual, np.asarray(expected))


def assert_random_windows_equal(data: bytes, image: Image.Image, rng: random.Random, **options: Any) -> None:
    assert_same(fastinet.decode(data, **options), image)
    for _ in range(4):
        box = random_box(rng, image)
        assert_same(fastinet.decode(data, crop=box, **options), cropped(image, box))


def assert_as_pillow(data: bytes, rng: random.Random) -> None:
    """The pixels of Pillow, as stored and upright, or a DecodeError where Pillow refuses."""
    for upright in (False, True):
        image = pillow_or_refusal(data, upright=upright)
        if image is None:
            with pytest.raises(DecodeError):
                fastinet.decode(data, apply_orientation=upright)
        else:
            assert_random_windows_equal(data, image, rng, apply_orientation=upright)


def jpeg(mode: str = "RGB", size: tuple[int, int] = (61, 47), seed: int = 0, **options: Any) -> bytes:
    """A JPEG file of gradients and noise. size: width, height."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[1], : size[0]]
    ramp = np.stack([(x * (3 + c) + y * (7 - c)) % 256 for c in range(bands)], axis=-1)
    pixels = (ramp + rng.integers(0, 30, ramp.shape)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if bands == 1 else pixels, mode).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def exif_with_orientation(value: int) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "a camera maker whose name needs an offset"
    exif[0x0112] = value
    return exif.tobytes()


def counts() -> dict[str, int]:
    return dict(_core.decode_counts())


def foreign_decodes(data: bytes, **options: Any) -> int:
    before = counts()["foreign"]
    fastinet.decode(data, **options)
    return counts()["foreign"] - before


# --- Pixels


def test_real_images_equal_pillow_in_every_window_and_none_needs_pillow() -> None:
    files = images.shared_files("imagenet-samples/train/*/*.JPEG")
    if not files:
        pytest.skip("no imagenet-samples in FASTINET_SHARED or ../shared")
    rng = random.Random(0)
    before = counts()["foreign"]
    for file in files:
        data = file.read_bytes()
        image = pillow(data)
        for i in range(4):
            box = random_box(rng, image)
            top_left = cropped(image, box)
            if i % 2 == 0:
                assert_same(fastinet.decode(data, crop=box), top_left)
                continue
            size = (224, 224) if i == 1 else (rng.randint(1, 320), rng.randint(1, 320))
            name = rng.choice(["bilinear", "bicubic"])
            flip = rng.random() < 0.5
            expected = top_left.resize((size[1], size[0]), Image.Resampling[name.upper()])
            if flip:
                expected = expected.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            actual = fastinet.decode(data, box, size, flip, name)  # type: ignore[arg-type]
            assert_same(actual, expected)
    assert counts()["foreign"] == before


@pytest.mark.parametrize("folder", ["odd-jpegs", "hostile-jpegs"])
def test_odd_and_hostile_files_equal_pillow_or_are_refused_where_pillow_refuses(folder: str) -> None:
    files = images.shared_files(f"{folder}/*")
    if not files:
        pytest.skip(f"no {folder} in FASTINET_SHARED or ../shared")
    rng = random.Random(1)
    for file in files:
        assert_as_pillow(file.read_bytes(), rng)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_every_mode_and_small_size_equals_pillow(mode: str, progressive: bool) -> None:
    rng = random.Random(2)
    for seed in range(40):
        size = (rng.randint(1, 33), rng.randint(1, 33)) if seed else (1, 1)
        subsampling = {} if mode == "L" else {"subsampling": seed % 3}
        data = jpeg(mode, size, seed, progressive=progressive, quality=rng.randint(30, 100), **subsampling)
        assert foreign_decodes(data) == 0
        assert_as_pillow(data, rng)


def test_damaged_files_equal_pillow_or_are_refused_where_pillow_refuses() -> None:
    rng = random.Random(3)
    intact = [
        jpeg(seed=s, subsampling=s % 3, progressive=s == 3, restart_marker_rows=s % 2) for s in range(4)
    ]
    intact += [jpeg("CMYK"), jpeg("L"), jpeg(exif=exif_with_orientation(6))]
    refused = 0
    for _ in range(400):
        data = bytearray(rng.choice(intact))
        for _ in range(rng.choice([1, 1, 3])):
            at = rng.randrange(len(data))
            match rng.randrange(4):
                case 0:
                    data[at] ^= 1 << rng.randrange(8)
                case 1:
                    data[at] = 0xFF
                case 2:
                    del data[at : at + rng.randint(1, 20)]
                case 3:
                    data[at:at] = rng.randbytes(3)
        refused += pillow_or_refusal(bytes(data)) is None
        assert_as_pillow(bytes(data), rng)
    assert 0 < refused < 400


@pytest.mark.parametrize("format", ["PNG", "BMP", "GIF", "TIFF", "WEBP"])
def test_other_formats_are_known_by_their_bytes_and_equal_pillow(format: str) -> None:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(jpeg())).save(buffer, format)
    data = buffer.getvalue()
    assert foreign_decodes(data, crop=(0, 0, 5, 5)) == 1
    assert _core.probe(np.frombuffer(data, np.uint8))["format"] == format
    assert_as_pillow(data, random.Random(4))


# --- Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_on_request_only(orientation: int) -> None:
    data = jpeg(size=(40, 23), exif=exif_with_orientation(orientation))
    assert_as_pillow(data, random.Random(orientation))
    shape = fastinet.decode(data, apply_orientation=True).shape
    assert shape == ((40, 23, 3) if orientation >= 5 else (23, 40, 3))
    assert foreign_decodes(data, apply_orientation=True) == 0


def test_orientation_in_xmp_alone_is_found() -> None:
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="8"/></x:xmpmeta>'
    segment = b"http://ns.adobe.com/xap/1.0/\0" + xmp
    plain = jpeg()
    data = plain[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + plain[2:]
    assert _core.probe(np.frombuffer(data, np.uint8))["orientation"] == 8
    assert_as_pillow(data, random.Random(5))


def test_broken_exif_leaves_the_pixels_alone() -> None:
    whole = exif_with_orientation(3)
    for length in range(6, len(whole)):
        assert_as_pillow(jpeg(size=(9, 5), exif=whole[:length]), random.Random(6))


# --- Refusals


def test_a_truncated_file_is_refused_even_where_the_crop_is_intact() -> None:
    data = jpeg(size=(200, 200))[:-1000]
    with pytest.raises(DecodeError, match="image file is truncated"):
        fastinet.decode(data, crop=(0, 0, 8, 8))


def test_bytes_that_are_no_image_are_refused_with_pillows_reason() -> None:
    for data in (b"", b"\xff", b"\xff\xd8\xff", b"no image at all"):
        with pytest.raises(DecodeError, match="Pillow cannot identify the image"):
            fastinet.decode(data)


def test_a_decompression_bomb_is_refused_with_its_size() -> None:
    data = bytearray(jpeg())
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = b"\xff\xdc\xff\xdc"
    with pytest.raises(DecodeError, match=f"decompression bomb.*178956970.*{65500 * 65500}"):
        fastinet.decode(bytes(data), crop=(0, 0, 1, 1))


def test_thousands_of_scans_are_refused_before_they_are_decoded() -> None:
    data = bytearray(jpeg(size=(64, 64), progressive=True))
    frame = data.index(b"\xff\xc2")
    data[frame + 5 : frame + 9] = b"\x27\x10\x27\x10"
    scan = data.index(b"\xff\xda")
    data[scan:scan] = data[scan : data.index(b"\xff", scan + 2)] * 5000
    with pytest.raises(DecodeError, match="more scans than its size can account for"):
        fastinet.decode(bytes(data), crop=(0, 0, 1, 1))


def test_pillows_global_settings_neither_change_the_result_nor_are_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    png = io.BytesIO()
    pillow(jpeg()).save(png, "PNG")
    expected = fastinet.decode(png.getvalue())
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(
        DecodeError, match=r"is truncated .*\(whatever ImageFile.LOAD_TRUNCATED_IMAGES is set to"
    ):
        fastinet.decode(jpeg()[:-200])
    np.testing.assert_array_equal(fastinet.decode(png.getvalue()), expected)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True
    assert Image.MAX_IMAGE_PIXELS == 10


def test_pillows_warnings_do_not_reach_the_program() -> None:
    data = jpeg(exif=exif_with_orientation(3)[:45])
    with pytest.warns(UserWarning, match="Skipping tag|EXIF data"):
        ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert foreign_decodes(data, crop=(0, 0, 5, 5), apply_orientation=True) == 1
        with pytest.raises(UserWarning, match="still heard"):
            warnings.warn("still heard", stacklevel=1)


# --- Threads


def test_threads_decode_foreign_and_own_images_at_once() -> None:
    png = io.BytesIO()
    pillow(jpeg()).save(png, "PNG")
    sources = [jpeg(), jpeg(progressive=True), png.getvalue()]
    expected = [np.asarray(pillow(data)) for data in sources]
    wrong: list[int] = []

    def work(first: int) -> None:
        for i in range(first, first + 60):
            if not np.array_equal(fastinet.decode(sources[i % 3]), expected[i % 3]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# --- Arguments


def test_data_may_be_any_contiguous_bytes() -> None:
    data = jpeg()
    expected = np.asarray(pillow(data))
    for given in (bytearray(data), memoryview(data), np.frombuffer(data, np.uint8)):
        np.testing.assert_array_equal(fastinet.decode(given), expected)


@pytest.mark.parametrize(("width", "height"), [(61, 47), (47, 61), (33, 33), (100, 3)])
def test_an_integer_size_is_the_shorter_side_as_in_torchvision(width: int, height: int) -> None:
    image = fastinet.decode(jpeg(size=(width, height)), size=20)
    short, long = sorted((width, height))
    expected = (20, int(20 * long / short))
    assert image.shape[:2] == (expected if height <= width else expected[::-1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"crop": (0, 0, 48, 61)}, "crop is not within the image.*47x61.*height 48, width 61"),
        ({"crop": (-1, 0, 5, 5)}, "top of crop must be at least 0.*not -1"),
        ({"crop": (0, 0, 0, 5)}, "height of crop must be at least 1.*not 0"),
        ({"crop": (0, 0, 2**31, 5)}, "height of crop must be .* below 2"),
        ({"crop": (0, 0, 5)}, r"crop must be 4 integers \(top, left, height, width\), not \(0, 0, 5\)"),
        ({"crop": (0, 0, 5.0, 5)}, "crop must be 4 integers"),
        ({"crop": 5}, "crop must be 4 integers"),
        ({"crop": (0, 0, 2**30, 2**30)}, "crop is not within the image"),
        ({"size": 0}, "size must be 1 to 1048576, not 0"),
        ({"size": (5, 0)}, "width of size must be at least 1.*not 0"),
        ({"size": "224"}, "size must be 2 integers"),
        ({"size": True}, "size must be 2 integers"),
        (
            {"interpolation": "nearest"},
            r"interpolation must be one of \('bilinear', 'bicubic'\), not 'nearest'",
        ),
    ],
)
def test_a_malformed_argument_is_named_with_what_was_wanted(arguments: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        fastinet.decode(jpeg(), **arguments)


@pytest.mark.parametrize("data", ["name.jpg", None, 5, np.zeros((2, 2), np.uint8), np.zeros(8, np.float32)])
def test_data_that_are_no_bytes_are_an_argument_error(data: Any) -> None:
    with pytest.raises(ArgumentError, match="data must be"):
        fastinet.decode(data)
