"""fastinet.dali: DALI decodes what the core has chosen; here with the GPU's graph on the CPU backend."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import splits
from images import photo
from PIL import Image

import fastinet
import fastinet.dali
from fastinet import transforms as T  # noqa: N812
from fastinet.errors import ArgumentError, DecodeError, UnsupportedError

TRAIN = [T.RandomResizedCrop(64), T.RandomHorizontalFlip(), T.Normalize()]
EVAL = [T.Resize(80), T.CenterCrop(72), T.Normalize()]
COLUMNS = ("image", "label", "index", "key", "batch")


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return splits.write_split(tmp_path_factory.mktemp("dali") / "train", splits.jpeg_items(22))


@pytest.fixture
def dali() -> None:
    pytest.importorskip("nvidia.dali", reason="DALI is not installed")


def both(split: Path, transform: Any, **options: Any) -> tuple[list[Any], list[Any]]:
    options = {"shuffle": True, "seed": 5, "threads": 2, "columns": COLUMNS, **options}
    with (
        fastinet.dali.Loader(split, 4, transform, device="cpu", **options) as ours,
        fastinet.Loader(split, 4, transform, **options) as core,
    ):
        return list(ours), list(core)


@pytest.mark.usefixtures("dali")
@pytest.mark.parametrize("transform", [TRAIN, EVAL])
def test_an_epoch_has_the_order_windows_and_flips_of_the_core(split: Path, transform: Any) -> None:
    ours, core = both(split, transform)
    assert len(ours) == len(core) == 6
    for (_, labels, indices, keys, batch), (_, *expected, expected_batch) in zip(ours, core, strict=True):
        assert np.array_equal(labels, expected[0])
        assert np.array_equal(indices, expected[1])
        assert keys == expected[2]
        for name in ("crops", "resized", "views", "flips"):
            assert np.array_equal(getattr(batch, name), getattr(expected_batch, name))


def difference(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.abs(a.astype(np.float64) - b.astype(np.float64))


@pytest.mark.usefixtures("dali")
@pytest.mark.parametrize("transform", [TRAIN, EVAL, [*TRAIN[:-1], T.ToTensor()]])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_pixels_are_close_to_those_of_the_core(split: Path, transform: Any, layout: str) -> None:
    for dtype, unit in (("uint8", 1.0), ("float32", 1 / 255), ("float16", 1 / 255)):
        chosen = [t for t in transform if dtype != "uint8" or not isinstance(t, (T.Normalize, T.ToTensor))]
        normalised = any(isinstance(t, T.Normalize) for t in chosen)
        ours, core = both(split, chosen, dtype=dtype, layout=layout)
        for (images, *_), (expected, *_) in zip(ours, core, strict=True):
            assert images.shape == expected.shape
            assert images.dtype == expected.dtype
            in_pixels = difference(images, expected) / (unit / 0.225 if normalised else unit)
            assert in_pixels.mean() < 1.0
            assert in_pixels.max() < 40


@pytest.mark.usefixtures("dali")
def test_a_view_that_sticks_out_of_the_image_is_padded_with_zeros(split: Path) -> None:
    ours, core = both(split, [T.Resize(24), T.CenterCrop(48)], dtype="uint8", layout="NHWC")
    for (images, *_), (expected, *_) in zip(ours, core, strict=True):
        outside = expected[:, :4].max() == 0 and expected[:, -4:].max() == 0
        assert outside
        assert images[:, :4].max() == 0
        assert images[:, -4:].max() == 0
        assert difference(images, expected).mean() < 1.0


@pytest.mark.usefixtures("dali")
def test_an_epoch_resumes_after_what_was_handed_out(split: Path) -> None:
    options: dict[str, Any] = {
        "shuffle": True,
        "seed": 2,
        "threads": 2,
        "columns": ("index",),
        "device": "cpu",
    }
    with fastinet.dali.Loader(split, 4, TRAIN, **options) as loader:
        epoch = iter(loader)
        first = [next(epoch)[0] for _ in range(2)]
        state = loader.state_dict()
    with fastinet.dali.Loader(split, 3, TRAIN, **options) as loader:
        loader.load_state_dict(state)
        rest = [batch[0] for batch in loader]
    assert sorted(np.concatenate(first + rest).tolist()) == list(range(22))


@pytest.mark.usefixtures("dali")
def test_a_broken_image_is_an_error_that_names_its_record(tmp_path: Path) -> None:
    items = splits.jpeg_items(5)
    items[3] = (items[3][0], b"\xff\xd8\xff\xe0 no image", items[3][2])
    broken = splits.write_split(tmp_path / "train", items)
    with (
        fastinet.dali.Loader(broken, 5, TRAIN, device="cpu", threads=1) as loader,
        pytest.raises(DecodeError, match=r"train-000000\.tar: record 3 \(n00000003/image 3\)") as caught,
    ):
        list(loader)
    assert caught.value.record == 3


@pytest.mark.usefixtures("dali")
@pytest.mark.parametrize("columns", [("image",), ("image", "key")])
def test_an_image_that_breaks_off_in_its_data_is_an_error_of_its_record(
    tmp_path: Path, columns: tuple[str, ...]
) -> None:
    items = splits.jpeg_items(5)
    items[2] = (items[2][0], items[2][1][:-400], items[2][2])  # its header is sound: DALI gets it
    broken = splits.write_split(tmp_path / "train", items, per_shard=2)
    with (
        fastinet.dali.Loader(broken, 5, EVAL, device="cpu", threads=1, columns=columns) as loader,
        pytest.raises(DecodeError, match=r"train-000001\.tar: record 0 \(n00000002/image 2\): ") as caught,
    ):
        list(loader)
    assert caught.value.path == str(broken / "train-000001.tar")
    assert (caught.value.record, caught.value.key) == (0, "n00000002/image 2")


@pytest.mark.usefixtures("dali")
def test_what_dali_cannot_decode_but_fastinet_can_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "images" / "n0"
    folder.mkdir(parents=True)
    for name, form in (("a.jpg", "JPEG"), ("b.png", "GIF")):
        Image.fromarray(photo(1, 60, 50)).save(folder / name, form)
    fastinet.convert(tmp_path / "images", tmp_path / "shards")
    with (
        fastinet.dali.Loader(tmp_path / "shards", 2, TRAIN, device="cpu", threads=1) as loader,
        pytest.raises(UnsupportedError, match=r"no JPEG: n0/b \(GIF\)\. DALI says: "),
    ):
        list(loader)


@pytest.mark.usefixtures("dali")
def test_an_exception_of_a_callable_is_not_taken_for_dalis(split: Path) -> None:
    def fail(batch: npt.NDArray[Any]) -> Any:
        raise RuntimeError("mine")

    with (
        fastinet.dali.Loader(split, 4, [*TRAIN, fail], device="cpu", threads=1) as loader,
        pytest.raises(RuntimeError, match=r"^mine$"),
    ):
        list(loader)


@pytest.mark.usefixtures("dali")
def test_asking_for_an_iterator_alone_uses_up_no_epoch(split: Path) -> None:
    options: dict[str, Any] = {"shuffle": True, "columns": ("index",), "threads": 1, "device": "cpu"}
    with fastinet.dali.Loader(split, 4, TRAIN, **options) as loader:
        expected = [indices.tolist() for (indices,) in loader]
        loader.set_epoch(0)
        iter(loader)
        assert [indices.tolist() for (indices,) in loader] == expected


@pytest.mark.usefixtures("dali")
@pytest.mark.skipif(
    fastinet.dali.cuda_device_count() > 0, reason="shows the error of a machine without a GPU"
)
def test_a_gpu_that_is_not_there_is_refused_in_one_sentence(split: Path) -> None:
    with pytest.raises(UnsupportedError, match="device='gpu' needs CUDA device 0, but the driver shows 0"):
        fastinet.dali.Loader(split, 4, TRAIN)


def test_dali_that_is_not_installed_is_said_in_one_sentence(
    split: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nvidia.dali", None)
    with pytest.raises(UnsupportedError, match=r"needs NVIDIA DALI.*pip install 'fastinet\[dali\]'"):
        fastinet.dali.Loader(split, 4, TRAIN, device="cpu")


@pytest.mark.usefixtures("dali")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_error": "skip"}, "on_error must be 'raise'"),
        ({"apply_orientation": True}, "apply_orientation is not available"),
        ({"device": "tpu"}, "device must be 'gpu' or 'cpu', not 'tpu'"),
    ],
)
def test_what_the_graph_cannot_honour_is_refused(split: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        fastinet.dali.Loader(split, 4, TRAIN, **{"device": "cpu", **options})


@pytest.mark.usefixtures("dali")
def test_images_of_different_sizes_are_refused(split: Path) -> None:
    with pytest.raises(ArgumentError, match="images of different sizes"):
        fastinet.dali.Loader(split, 4, [T.Resize(32)], device="cpu")


@pytest.mark.gpu
@pytest.mark.usefixtures("dali")
@pytest.mark.parametrize("transform", [TRAIN, EVAL])
def test_the_gpu_gives_the_order_and_nearly_the_pixels_of_the_core(split: Path, transform: Any) -> None:
    options: dict[str, Any] = {"shuffle": True, "seed": 5, "threads": 2, "columns": ("image", "index")}
    with (
        fastinet.dali.Loader(split, 4, transform, **options) as ours,
        fastinet.Loader(split, 4, transform, **options) as core,
    ):
        for (images, indices), (expected, expected_indices) in zip(ours, core, strict=True):
            assert images.is_cuda
            assert np.array_equal(indices, expected_indices)
            assert difference(images.cpu().numpy(), expected).mean() < 0.05
