"""Batches as JAX arrays on their devices.

Needs JAX; fastinet itself does not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastinet import _core
from fastinet.errors import ArgumentError, UnsupportedError
from fastinet.loading.epoch import Work
from fastinet.loading.loader import Loader as _NumpyLoader

try:
    import jax
except ImportError as e:
    raise UnsupportedError(f"fastinet.jax needs JAX, which cannot be imported ({e}): pip install jax") from e

__all__ = ["Loader"]


class Loader(_NumpyLoader):
    """:class:`fastinet.Loader` with JAX arrays in place of NumPy's, transferred one batch ahead.

    The layout defaults to ``"NHWC"``, which JAX models expect. Labels are int32, as JAX's default is.

    Args:
        *args, **kwargs: of :class:`fastinet.Loader`. ``rank`` and ``world_size`` default to
            ``jax.process_index()`` and ``jax.process_count()``, looked up when they are first needed
            (``iter()``, ``len()``), so that the loader may be made before ``jax.distributed.initialize()``.
            With ``sharding`` each process contributes its batch to one global array of
            ``world_size * batch_size`` samples.
        device: where arrays go; None: JAX's default device.
        sharding: a ``jax.sharding.Sharding`` whose first axis divides the batch; instead of ``device``. The
            last batch must divide as well: use ``drop_last=True`` where it may not, and
            ``on_error="substitute"`` rather than "skip", which several processes refuse.

    Ragged columns (boxes) stay lists of NumPy arrays, since each shape would compile anew;
    :func:`fastinet.boxes.pad` gives them one. Strings and other columns stay as they are.

    Raises:
        ArgumentError: both ``device`` and ``sharding``, or a batch that the sharding cannot divide.
    """

    def __init__(self, *args: Any, device: Any = None, sharding: Any = None, **kwargs: Any) -> None:
        """See the class."""
        if device is not None and sharding is not None:
            raise ArgumentError("give device or sharding, not both")
        self.device = device
        self.sharding = sharding
        kwargs.setdefault("layout", "NHWC")
        super().__init__(*args, **kwargs)

    _remedy = "Call jax.distributed.initialize first, or give it rank= and world_size="

    def _found_rank(self) -> tuple[int, int]:
        count = jax.process_count()
        return (jax.process_index(), count) if count > 1 else super()._found_rank()

    def _work(self) -> Work[tuple[Any, ...]]:
        if self.sharding is not None and self.on_error == "skip" and jax.process_count() > 1:
            raise ArgumentError(
                "on_error='skip' gives batches that are shorter on one process than on another, which no "
                "global array can hold; take 'substitute'"
            )
        return Work(self._put, lambda values: values, depth=1)

    def _put(self, batch: _core.Batch) -> tuple[Any, ...]:
        return tuple(self._array(v) if isinstance(v, np.ndarray) else v for v in self._hand_out(batch))

    def _array(self, value: np.ndarray[Any, Any]) -> Any:
        if value.dtype == np.int64 and not jax.config.values["jax_enable_x64"]:
            value = value.astype(np.int32)
        if self.sharding is None:
            return jax.device_put(value, self.device)
        shape = (len(value) * self._world_size, *value.shape[1:])
        try:
            self.sharding.shard_shape(shape)
        except ValueError as e:
            raise ArgumentError(
                f"sharding: a batch of shape {shape} cannot be divided by {self.sharding} ({e}); choose "
                "batch_size accordingly and set drop_last=True, without on_error='skip'"
            ) from e
        return jax.make_array_from_process_local_data(self.sharding, value, shape)  # type: ignore[no-untyped-call]
