"""fastinet.jax: the loader's batches as arrays on their devices."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import splits

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
jax = pytest.importorskip("jax", reason="the adapter for JAX needs JAX")

import fastinet.jax  # noqa: E402
import fastinet.loading.loader  # noqa: E402
from fastinet import transforms as T  # noqa: E402, N812
from fastinet.errors import ArgumentError  # noqa: E402

TRAIN = [T.RandomResizedCrop(32), T.RandomHorizontalFlip(), T.Normalize()]


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return splits.write_split(tmp_path_factory.mktemp("jax") / "train", splits.jpeg_items(22))


def test_arrays_hold_what_numpys_hold_and_stay_as_they_are(split: Path) -> None:
    with fastinet.Loader(split, 4, TRAIN, shuffle=True, seed=1, layout="NHWC", threads=2) as loader:
        expected = [(images.copy(), labels) for images, labels in loader]
    with fastinet.jax.Loader(split, 4, TRAIN, shuffle=True, seed=1, threads=2) as loader:
        batches = list(loader)  # all kept: no array may change when later batches are decoded
    for (images, labels), (expected_images, expected_labels) in zip(batches, expected, strict=True):
        assert isinstance(images, jax.Array)
        assert labels.dtype == np.int32
        assert np.array_equal(np.asarray(images), expected_images)
        assert np.array_equal(np.asarray(labels), expected_labels)


def test_a_sharding_divides_the_batch_over_devices(split: Path) -> None:
    devices = jax.devices()
    assert len(devices) == 2
    sharding = jax.sharding.NamedSharding(
        jax.sharding.Mesh(np.array(devices), ("batch",)), jax.sharding.PartitionSpec("batch")
    )
    with fastinet.jax.Loader(split, 4, TRAIN, drop_last=True, threads=1, sharding=sharding) as loader:
        for images, labels in loader:
            assert images.sharding == sharding
            assert images.shape == (4, 32, 32, 3)
            assert {s.device for s in labels.addressable_shards} == set(devices)
            assert all(s.data.shape == (2,) for s in labels.addressable_shards)


def test_a_batch_that_the_sharding_cannot_divide_is_an_error_that_says_what_to_do(split: Path) -> None:
    sharding = jax.sharding.NamedSharding(
        jax.sharding.Mesh(np.array(jax.devices()), ("batch",)), jax.sharding.PartitionSpec("batch")
    )
    with (
        fastinet.jax.Loader(split, 3, TRAIN, threads=1, sharding=sharding) as loader,
        pytest.raises(ArgumentError, match=r"cannot be divided by .*drop_last=True"),
    ):
        next(iter(loader))


def test_ranks_are_jaxs_processes_and_asked_for_when_they_are_needed(
    split: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fastinet.jax.Loader(split, 4, TRAIN, columns=("index",), threads=1) as loader:
        monkeypatch.setattr(jax, "process_count", lambda: 2)
        monkeypatch.setattr(jax, "process_index", lambda: 1)
        assert (len(loader), loader.rank, loader.world_size) == (3, 1, 2)
        assert [int(i) for (indices,) in loader for i in indices] == list(range(1, 22, 2))


def test_asking_for_an_iterator_alone_uses_up_no_epoch(split: Path) -> None:
    with fastinet.jax.Loader(split, 4, TRAIN, shuffle=True, columns=("index",), threads=1) as loader:
        expected = [np.asarray(indices) for (indices,) in loader]
        loader.set_epoch(0)
        iter(loader)
        for (indices,), first in zip(loader, expected, strict=True):
            assert np.array_equal(np.asarray(indices), first)


def test_device_and_sharding_exclude_each_other(split: Path) -> None:
    with pytest.raises(ArgumentError, match="give device or sharding, not both"):
        fastinet.jax.Loader(split, 3, TRAIN, device=jax.devices()[0], sharding=object())


@pytest.mark.parametrize("sharded", [False, True])
def test_a_batch_of_bad_records_is_one_of_empty_arrays(tmp_path: Path, sharded: bool) -> None:
    items = [(key, data[:20] + bytes(200), label) for key, data, label in splits.jpeg_items(2)]
    folder = splits.write_split(tmp_path / "train", items)
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("batch",))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("batch")) if sharded else None
    with fastinet.jax.Loader(folder, 2, TRAIN, on_error="skip", sharding=sharding) as loader:
        ((images, labels),) = list(loader)
    assert (images.shape, images.dtype) == ((0, 32, 32, 3), np.float32)
    assert (labels.shape, labels.dtype) == ((0,), np.int32)


def test_skip_is_refused_where_processes_make_one_array_together(
    split: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    loader = fastinet.jax.Loader(split, 4, TRAIN, sharding=sharding, on_error="skip")
    with pytest.raises(ArgumentError, match="on_error='skip' gives batches that are shorter on one process"):
        iter(loader)


def test_the_state_counts_what_was_handed_out_and_not_what_was_transferred_ahead(split: Path) -> None:
    with fastinet.jax.Loader(split, 4, TRAIN, threads=1) as loader:
        epoch = iter(loader)
        next(epoch)
        next(epoch)
        assert loader.state_dict()["position"] == 8
