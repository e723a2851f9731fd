"""Batches decoded by NVIDIA DALI, with the order, windows and flips of :class:`fastinet.Loader`.

The core decides which record comes next, which window of it is cut out and whether it is flipped; DALI's
graph decodes that window, resizes and normalises it, on the GPU (``device="gpu"``) or, with the same graph,
on the CPU (``device="cpu"``). The encoded bytes reach DALI as views of the mapped shards, without a copy.

Pixels are close to, not equal to, those of :class:`fastinet.Loader`: DALI resamples in floating point and
does not round between its two passes, and the GPU has another inverse DCT. On the CPU, uint8 images of 500
ImageNet photographs differ by 0.16 levels in the mean and 15 at most (55.9 dB PSNR); the GPU is unmeasured.

Needs the extra ``fastinet[dali]``; the module imports without it, and the loader says what is missing.
"""

from __future__ import annotations

import ctypes
from typing import Any, Literal

import numpy as np

from fastinet import _core
from fastinet.dataset.dataset import Dataset
from fastinet.errors import ArgumentError, FastinetError, UnsupportedError
from fastinet.images.decode import decode
from fastinet.loading.epoch import Work
from fastinet.loading.loader import Loader as _NumpyLoader

__all__ = ["Loader"]

_IN_FLIGHT = 2  # batches under way while the user holds another
_MAX_PIXEL = 255.0


class Loader(_NumpyLoader):
    """:class:`fastinet.Loader` whose images DALI decodes.

    Images are CUDA tensors of PyTorch with ``device="gpu"`` (on the current stream) and NumPy arrays with
    ``device="cpu"``; the other columns are as in :class:`fastinet.Loader`.

    Args:
        *args, **kwargs: of :class:`fastinet.Loader`, but for ``apply_orientation``, and ``on_error`` other
            than ``"raise"``: DALI fails a batch as a whole. Payload checksums are still verified. The
            transform's images must have one size. ``threads`` are DALI's. DALI decodes no more than a window
            needs, so that damage beyond it is not noticed.
        device: "gpu" or "cpu".
        device_id: number of the CUDA device.

    Raises:
        UnsupportedError: DALI is not installed, or ``device="gpu"`` without a GPU or without PyTorch.
        ArgumentError: an argument that DALI's graph cannot honour.
    """

    def __init__(
        self, *args: Any, device: Literal["gpu", "cpu"] = "gpu", device_id: int = 0, **kwargs: Any
    ) -> None:
        """See the class."""
        if device not in ("gpu", "cpu"):
            raise ArgumentError(f"device must be 'gpu' or 'cpu', not {device!r}")
        if kwargs.get("on_error", "raise") != "raise":
            raise ArgumentError("on_error must be 'raise': DALI decodes a batch as a whole or not at all")
        if kwargs.get("apply_orientation"):
            raise ArgumentError("apply_orientation is not available with DALI")
        self._dali = _import_dali()
        self.device = device
        self.device_id = device_id
        if device == "gpu":
            self._torch = _import_torch_for_gpu(device_id)
        super().__init__(*args, pixels=False, **kwargs)
        self._size = self.plan.fixed_size()

    def _work(self) -> Work[Any]:
        pipeline = self._pipeline()
        return Work(lambda b: self._begin(pipeline, b), lambda b: self._finish(pipeline, b), _IN_FLIGHT)

    def _pipeline(self) -> Any:
        """The graph: window, resize, view (padded with zeros), flip, normalisation."""
        dali = self._dali
        fn, types = dali.fn, dali.types
        gpu = self.device == "gpu"
        interpolation = {"bilinear": types.INTERP_LINEAR, "bicubic": types.INTERP_CUBIC}[
            self.plan.interpolation
        ]
        dtype = {"uint8": types.UINT8, "float16": types.FLOAT16, "float32": types.FLOAT}[self.plan.dtype]
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        scale = 1.0 if self.plan.dtype == "uint8" else 1.0 / _MAX_PIXEL
        if self.plan.normalize is not None:
            mean, std = self.plan.normalize
        pipe = dali.Pipeline(
            batch_size=self.batch_size,
            num_threads=self.threads,
            device_id=self.device_id if gpu else None,
            prefetch_queue_depth=1,  # batches are fed and run one by one; what is ahead, Epoch counts
            exec_dynamic=True,
        )
        with pipe:
            encoded = fn.external_source(name="encoded", dtype=types.UINT8, ndim=1, batch=True, no_copy=True)
            crop_anchor, crop_shape, size, view_anchor, mirror = (
                fn.external_source(name=name, dtype=kind, ndim=ndim, batch=True)
                for name, kind, ndim in (
                    ("crop_anchor", types.INT32, 1),
                    ("crop_shape", types.INT32, 1),
                    ("size", types.FLOAT, 1),
                    ("view_anchor", types.INT32, 1),
                    ("mirror", types.INT32, 0),
                )
            )
            images = fn.decoders.image_slice(
                encoded,
                start=crop_anchor,
                shape=crop_shape,
                axes=[0, 1],
                device="mixed" if gpu else "cpu",
                output_type=types.RGB,
            )
            images = fn.resize(images, size=size, interp_type=interpolation, antialias=True)
            images = fn.slice(
                images,
                start=view_anchor,
                shape=list(self._size),
                axes=[0, 1],
                out_of_bounds_policy="pad",
                fill_values=0,
            )
            images = fn.crop_mirror_normalize(
                images,
                mirror=mirror,
                dtype=dtype,
                output_layout="CHW" if self.plan.layout == "NCHW" else "HWC",
                mean=[m * _MAX_PIXEL for m in mean],
                std=[s * _MAX_PIXEL for s in std] if self.plan.normalize is not None else [1.0, 1.0, 1.0],
                scale=1.0 if self.plan.normalize is not None else scale,
            )
            pipe.set_outputs(images)
        pipe.build()
        return pipe

    def _begin(self, pipe: Any, batch: _core.Batch) -> tuple[_core.Batch, Any]:
        # DALI reads the payloads later: they live as long as what is returned here.
        payloads = batch.payloads
        try:
            pipe.feed_input("encoded", payloads)
            pipe.feed_input("crop_anchor", np.ascontiguousarray(batch.crops[:, :2]))
            pipe.feed_input("crop_shape", np.ascontiguousarray(batch.crops[:, 2:]))
            pipe.feed_input("size", batch.resized.astype(np.float32))
            pipe.feed_input("view_anchor", np.ascontiguousarray(batch.views[:, :2]))
            pipe.feed_input("mirror", batch.flips.astype(np.int32))
            pipe.schedule_run()
        except RuntimeError as e:
            raise _culprit(self.dataset, batch, e) from e
        return batch, payloads

    def _finish(self, pipe: Any, staged: tuple[_core.Batch, Any]) -> tuple[Any, ...]:
        batch, _ = staged
        try:  # DALI's errors alone: the user's callables raise theirs below
            (outputs,) = pipe.share_outputs()
            images = self._images(outputs)
            pipe.release_outputs()
        except RuntimeError as e:
            raise _culprit(self.dataset, batch, e) from e
        return self._values(batch, images)

    def _images(self, images: Any) -> Any:
        if self.device == "cpu":
            return np.array(images.as_array())
        from nvidia.dali.plugin.pytorch import feed_ndarray

        tensor = images.as_tensor()
        torch = self._torch
        kind = {"uint8": torch.uint8, "float16": torch.float16, "float32": torch.float32}[self.plan.dtype]
        out = torch.empty(tensor.shape(), dtype=kind, device=torch.device("cuda", self.device_id))
        feed_ndarray(tensor, out, cuda_stream=torch.cuda.current_stream(self.device_id))
        torch.cuda.current_stream(self.device_id).synchronize()  # DALI reuses its buffer after this
        return out


def _culprit(dataset: Dataset, batch: _core.Batch, error: RuntimeError) -> FastinetError:
    """The record that the batch failed on, found by decoding each with the core."""
    records = [dataset.core.record(index) for index in map(int, batch.indices)]
    for record in records:
        try:
            record.check_payload()
            decode(memoryview(record))  # type: ignore[arg-type, unused-ignore]  # Buffer before Python 3.12
        except FastinetError as e:
            return type(e)(
                f"{record.shard}: record {record.number} ({record.key}): {e}",
                path=record.shard,
                record=record.number,
                key=record.key,
                expected=e.expected,
                found=e.found,
            )
    odd = [f"{r.key} ({r.format or 'unknown format'})" for r in records if r.format != "JPEG"]
    which = f"; of its records these are no JPEG: {', '.join(odd)}" if odd else ""
    return UnsupportedError(f"DALI cannot decode a batch that fastinet can{which}. DALI says: {error}")


def _import_dali() -> Any:
    try:
        import nvidia.dali
        import nvidia.dali.fn
        import nvidia.dali.types
    except ImportError as e:
        raise UnsupportedError(
            f"fastinet.dali needs NVIDIA DALI, which cannot be imported ({e}): pip install 'fastinet[dali]'"
        ) from e
    return nvidia.dali


def _import_torch_for_gpu(device_id: int) -> Any:
    count = cuda_device_count()
    if device_id >= count:
        raise UnsupportedError(
            f"device='gpu' needs CUDA device {device_id}, but the driver shows {count}; "
            "device='cpu' runs the same graph on the CPU"
        )
    try:
        import torch
    except ImportError as e:
        raise UnsupportedError(
            f"device='gpu' gives PyTorch tensors, and PyTorch cannot be imported ({e})"
        ) from e
    return torch


def cuda_device_count() -> int:
    """CUDA devices that the driver shows; 0 without a driver."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if cuda.cuInit(0) != 0 or cuda.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value
