"""What a batch holds: Pillow's pixels, and everything else that was asked for."""

from __future__ import annotations

import gc
import io
import pickle
from pathlib import Path
from typing import Any

import images
import numpy as np
import psutil
import pytest
from PIL import Image
from splits import Item, jpeg_items, write_split

import fastinet
from fastinet import errors
from fastinet import transforms as T  # noqa: N812
from fastinet.cpus import available_cpus

TRAIN = [T.RandomResizedCrop((40, 32)), T.RandomHorizontalFlip()]
EVAL = [T.Resize(40), T.CenterCrop(48)]  # the crop pads


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return jpeg_items(30)


@pytest.fixture(scope="module")
def split(items: list[Item], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_split(tmp_path_factory.mktemp("data") / "train", items)


def pillow_sample(data: bytes, batch: Any, i: int) -> np.ndarray[Any, Any]:
    """Sample `i` of the batch as Pillow makes it from the window that the batch names."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    top, left, height, width = batch.crops[i].tolist()
    image = image.crop((left, top, left + width, top + height))
    height, width = batch.resized[i].tolist()
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    top, left, height, width = batch.views[i].tolist()
    image = image.crop((left, top, left + width, top + height))  # Pillow fills with zeros outside
    return np.asarray(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if batch.flips[i] else image)


@pytest.mark.parametrize("transform", [TRAIN, EVAL], ids=["train", "eval"])
def test_uint8_pixels_are_pillows(split: Path, items: list[Item], transform: list[Any]) -> None:
    columns = ("image", "batch", "index", "label", "key")
    seen = []
    with fastinet.Loader(
        split, 8, transform, shuffle=True, dtype="uint8", layout="NHWC", columns=columns
    ) as loader:
        for _ in range(2):
            for pixels, batch, index, label, key in loader:
                for i, record in enumerate(index):
                    name, data, number = items[record]
                    np.testing.assert_array_equal(pixels[i], pillow_sample(data, batch, i))
                    assert (key[i], label[i]) == (name, number)
                    assert tuple(batch.image_sizes[i]) == Image.open(io.BytesIO(data)).size[::-1]
                seen += index.tolist()
    assert sorted(seen) == sorted([*range(30)] * 2)


def test_real_images_have_pillows_pixels(tmp_path: Path) -> None:
    files = images.shared_files("imagenet-samples/train/*/*.JPEG")[:60]
    if not files:
        pytest.skip("the shared samples are not here")
    data = [f.read_bytes() for f in files]
    folder = write_split(tmp_path / "train", [(f"{i}", d, 0) for i, d in enumerate(data)])
    transform = [T.RandomResizedCrop(224), T.RandomHorizontalFlip()]
    with fastinet.Loader(
        folder, 16, transform, dtype="uint8", layout="NHWC", columns=("image", "batch", "index")
    ) as loader:
        for pixels, batch, index in loader:
            for i, record in enumerate(index):
                np.testing.assert_array_equal(pixels[i], pillow_sample(data[record], batch, i))


def test_floats_and_layouts_are_the_pixels_normalised(split: Path) -> None:
    def first(transform: list[Any], **options: Any) -> np.ndarray[Any, Any]:
        with fastinet.Loader(split, 30, transform, seed=3, **options) as loader:
            array: np.ndarray[Any, Any] = next(iter(loader))[0]
            return array

    pixels = first(TRAIN, dtype="uint8", layout="NHWC")
    assert pixels.shape == (30, 40, 32, 3)
    planes = pixels.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(first(TRAIN, dtype="uint8"), planes)
    scaled = planes.astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(first(TRAIN), scaled)
    mean, std = (np.array(v, np.float32)[:, None, None] for v in (T.IMAGENET_MEAN, T.IMAGENET_STD))
    expected = (scaled - mean) / std
    np.testing.assert_array_equal(first([*TRAIN, T.Normalize()]), expected)
    np.testing.assert_array_equal(
        first([*TRAIN, T.Normalize()], dtype="float16", layout="NHWC"),
        expected.astype(np.float16).transpose(0, 2, 3, 1),
    )


@pytest.mark.parametrize("shuffle", [False, True, "window"])
def test_threads_change_nothing(split: Path, shuffle: Any) -> None:
    epochs = []
    for threads in (1, 8):
        with fastinet.Loader(
            split, 4, TRAIN, shuffle=shuffle, seed=7, threads=threads, columns=("image", "index"), window=2
        ) as loader:
            epochs.append([(i.tolist(), x.tobytes()) for _ in range(2) for x, i in loader])
    assert epochs[0] == epochs[1]


def test_a_sample_depends_on_seed_epoch_and_record_only(split: Path) -> None:
    def samples(**options: Any) -> dict[int, bytes]:
        with fastinet.Loader(split, transform=TRAIN, columns=("image", "index"), **options) as loader:
            loader.set_epoch(4)
            return {int(r): x.tobytes() for batch, index in loader for x, r in zip(batch, index, strict=True)}

    base = samples(batch_size=5, seed=1)
    assert samples(batch_size=7, seed=1, shuffle=True, indices=[3, 9]) == {r: base[r] for r in (3, 9)}
    assert samples(batch_size=30, seed=1, world_size=3, rank=1).items() <= base.items()
    other = samples(batch_size=5, seed=1 + 2**32)
    assert not any(base[r] == other[r] for r in base)


def test_batches_are_the_users_to_keep_and_to_change(split: Path) -> None:
    with fastinet.Loader(split, 4, TRAIN, prefetch_bytes=0) as loader:
        kept = [x for x, _ in loader]
        copies = [x.copy() for x in kept]
        for x, _ in loader:
            x[:] = 0
    gc.collect()
    for x, copy in zip(kept, copies, strict=True):
        np.testing.assert_array_equal(x, copy)
        assert x.flags.writeable
        assert x.ctypes.data % 64 == 0


def test_memory_is_flat_over_epochs(split: Path) -> None:
    process = psutil.Process()
    with fastinet.Loader(split, 8, [T.RandomResizedCrop(160)], shuffle=True, threads=2) as loader:
        for _ in range(10):
            for _ in loader:
                pass
        before = process.memory_info().rss
        for _ in range(40):
            for _ in loader:
                pass
        grown = process.memory_info().rss - before
    assert grown < 4 << 20  # one batch of the 160 that were made would be 2.4 MB


def test_a_callable_at_the_end_runs_on_the_batch(split: Path) -> None:
    def double(batch: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return batch * 2

    with fastinet.Loader(split, 30, TRAIN) as plain, fastinet.Loader(split, 30, [*TRAIN, double]) as doubled:
        np.testing.assert_array_equal(next(iter(doubled))[0], next(iter(plain))[0] * 2)


def test_windows_without_pixels_carry_the_payloads(split: Path, items: list[Item]) -> None:
    options: dict[str, Any] = {"transform": TRAIN, "shuffle": True, "columns": ("batch",)}
    with (
        fastinet.Loader(split, 8, pixels=False, **options) as bare,
        fastinet.Loader(split, 8, **options) as full,
    ):
        for (b,), (f,) in zip(bare, full, strict=True):
            assert b.images is None
            for name in ("indices", "labels", "crops", "resized", "views", "flips"):
                np.testing.assert_array_equal(getattr(b, name), getattr(f, name))
            for record, payload in zip(b.indices, b.payloads, strict=True):
                assert payload.tobytes() == items[record][1]
                assert not payload.flags.writeable
    assert payload.tobytes() == items[record][1]  # the mapping outlives the loader


def test_subsets_by_index_mask_and_class(split: Path, items: list[Item]) -> None:
    def records(**options: Any) -> list[int]:
        with fastinet.Loader(split, 4, TRAIN, columns=("index",), **options) as loader:
            return [int(r) for (index,) in loader for r in index]

    assert records(indices=[5, 2, 9]) == [5, 2, 9]
    mask = np.zeros(30, bool)
    mask[[4, 7]] = True
    assert records(indices=mask) == [4, 7]
    expected = [i for i, item in enumerate(items) if item[2] in (1, 3)]
    assert records(classes=[1, "n00000003"]) == expected
    assert sorted(records(classes=[1, 3], shuffle=True)) == expected
    assert sorted(records(classes=[1, 3], shuffle="window", window=2)) == expected


def test_orientation_is_applied_on_request(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(images.photo(3, 80, 50))
    folder = write_split(tmp_path / "train", [("a", images.encode(image, exif=exif.tobytes()), 0)])
    sizes = []
    for apply in (False, True):
        with fastinet.Loader(
            folder, 1, [T.CenterCrop(10)], columns=("batch",), apply_orientation=apply
        ) as loader:
            sizes.append(next(iter(loader))[0].image_sizes[0].tolist())
    assert sizes == [[50, 80], [80, 50]]


def test_stats_count_what_was_delivered(split: Path, items: list[Item]) -> None:
    with fastinet.Loader(split, 8, TRAIN) as loader:
        for _ in loader:
            pass
        stats = loader.stats
    assert stats["delivered"] == 30
    assert stats["decoded_fast"] + stats["decoded_turbo"] + stats["decoded_foreign"] == 30
    assert stats["payload_bytes"] == sum(len(data) for _, data, _ in items)
    assert (stats["skipped"], stats["substituted"], stats["reasons"]) == (0, 0, [])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be an int from 1 to 2147483647, not 0"),
        ({"batch_size": 2.5}, "batch_size must be an int from 1 to 2147483647, not 2.5"),
        ({"threads": 0}, "threads must be an int from 1 to 4096, not 0"),
        ({"seed": -1}, f"seed must be an int from 0 to {2**64 - 1}, not -1"),
        ({"rank": 2, "world_size": 2}, "rank must be an int from 0 to 1, not 2"),
        ({"shuffle": "yes"}, "shuffle must be False, True or 'window', not 'yes'"),
        (
            {"columns": ("image", "mask")},
            "columns: expected some of image, label, index, key, .*found 'mask'",
        ),
        ({"columns": ()}, "columns: a batch must hold something"),
        ({"on_error": "ignore"}, "on_error: expected raise or skip or substitute, found ignore"),
        ({"layout": "CHWN"}, "layout must be one of NCHW, NHWC, not 'CHWN'"),
        ({"indices": [30]}, "indices must be from 0 to 29; found 30 to 30"),
        ({"indices": [[1]]}, "indices must be a sequence of ints"),
        ({"indices": [0.5]}, "indices must be a sequence of ints"),
        ({"indices": []}, "no records to load"),
        ({"indices": [1], "classes": [1]}, "give indices or classes, not both"),
        ({"classes": ["n9"]}, "no class 'n9'"),
        ({"transform": [T.Resize(32)]}, "images of different sizes, .*end it with RandomResizedCrop"),
    ],
)
def test_arguments_out_of_range_are_refused(split: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(errors.ArgumentError, match=message):
        fastinet.Loader(split, **{"batch_size": 4, "transform": TRAIN, **options})


def test_a_closed_loader_says_so_and_its_batches_stay(split: Path) -> None:
    with fastinet.Loader(split, 4, TRAIN) as loader:
        iterator = iter(loader)
        pixels = next(iterator)[0]
        copy = pixels.copy()
    for call in (lambda: next(iterator), lambda: iter(loader)):
        with pytest.raises(errors.StateError, match="the loader is closed"):
            call()
    np.testing.assert_array_equal(pixels, copy)
    with pytest.raises(errors.StateError, match="cannot be pickled"):
        pickle.dumps(loader)


def test_cpus_follow_the_affinity_and_the_containers_quota(tmp_path: Path) -> None:
    mask = available_cpus(tmp_path)  # no quota here
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert available_cpus(tmp_path) == mask
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    assert available_cpus(tmp_path) == 1
    (tmp_path / "cpu.max").write_text("20000 100000\n")
    assert available_cpus(tmp_path) == 1
    (tmp_path / "cpu.max").unlink()
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("100000")
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000")
    assert available_cpus(tmp_path) == 1
