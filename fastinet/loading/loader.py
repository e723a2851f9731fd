"""Batches of decoded, augmented images from a dataset's shards."""

from __future__ import annotations

import atexit
import operator
import os
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fastinet import _core, ranks
from fastinet.cpus import share_of_rank
from fastinet.dataset.dataset import Dataset, Selection
from fastinet.errors import ArgumentError, StateError
from fastinet.format.columns import RESERVED
from fastinet.loading.boxes import COLUMNS as BOX_COLUMNS
from fastinet.loading.boxes import BoxColumns
from fastinet.loading.chain import compile_transform
from fastinet.loading.epoch import Epoch, Work
from fastinet.loading.parameters import shown
from fastinet.loading.plan import Plan

__all__ = ["Loader"]

_STATE_VERSION = 2
_ORDERS = {False: "sequential", True: "shuffled", "window": "windowed"}

# What a batch can hold. Everything comes from the core's batch, which also knows each sample's window and
# flip.
_COLUMNS: dict[str, Callable[[_core.Batch], Any]] = {
    "image": lambda batch: batch.images,
    "label": lambda batch: batch.labels,
    "index": lambda batch: batch.indices,
    "key": lambda batch: batch.keys,
    "batch": lambda batch: batch,
}


_live: weakref.WeakSet[Loader] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    # Threads must be gone before the interpreter is: the decoder behind Pillow takes the GIL.
    for loader in list(_live):
        if loader._pid == os.getpid():
            loader.close()


class Loader:
    """Loads a split in batches; each ``iter()`` is one epoch.

    Threads of the core decode straight into the batch's buffer; batches come in order and hold the same
    samples and pixels whatever the number of threads. A sample depends on ``(seed, epoch, record)`` only; and
    where ``indices`` names a record several times, on which of those places in ``indices`` it is: each has an
    augmentation of its own (over-sampling, repeated augmentation), the first that of a record named once.

    A batch is a tuple with one entry for each of ``columns``:

    - ``"image"``: array of shape (n, 3, height, width) or (n, height, width, 3), of ``dtype``. Yours to keep
      or to change; its memory is reused once nothing refers to it.
    - ``"label"``: int64 of shape (n,); -1 for a record without label.
    - ``"index"``: int64 of shape (n,), the record's number in the dataset.
    - ``"key"``: list of str.
    - ``"boxes"``: list of n float32 arrays of shape (k, 4), the record's bounding boxes in finished images;
      ``"box_labels"``: their classes, int64 (k,), -1 for none; ``"box_visible"``: the share of each that the
      image shows, float32 (k,); ``"box_flags"``: 1 difficult, 2 truncated, 4 occluded, added up, int64 (k,).
      Boxes outside of the image are left out. :func:`fastinet.boxes.pad` makes one array of such a list.
    - an attached column's name (:meth:`fastinet.Dataset.attach`): an array of shape (n, ...), or a list with
      an array or str for each sample.
    - ``"batch"``: the core's batch, with ``crops``, ``resized``, ``views``, ``flips``, ``image_sizes`` of
      each sample: what part of the image it shows; and ``occurrences``: 0, or how often ``indices`` names the
      record before this place.

    Epochs: the first ``iter()`` gives epoch 0, each next one the following; ``set_epoch`` says which is next.
    An iterator that is abandoned ends with the next ``iter()``; if it has handed out nothing (no batch, no
    error), the next one gives the same epoch, since asking for an iterator alone uses up none.

    Errors: a batch counts once it is handed out. After any exception from ``next()``, be it of a record, of a
    callable of the transform, of memory or Ctrl-C, the epoch is over, nothing came twice and nothing is lost:
    ``state_dict`` points at the first batch that was not handed out, and after ``load_state_dict`` of it the
    next ``iter()`` begins there.

    Ranks: rank ``r`` of ``W`` takes every ``W``-th position of one global order, from position ``r``. All
    ranks get the same number of batches: without ``drop_last`` up to ``W - 1`` samples from the epoch's
    beginning come twice (``padded``), with it what does not fill a batch on every rank is left out
    (``dropped``). Where ``rank`` and ``world_size`` are not given, what depends on them (``iter()``,
    ``len()``, ...) raises a :class:`StateError` in a process that is said to be one of several, each of which
    would train on everything: by ``torch.distributed``, by the environment of ``torchrun`` (``RANK``,
    ``WORLD_SIZE``), or as one of a ``DataLoader``'s workers.

    Args:
        path: a split's folder, a :class:`fastinet.Dataset`, or a part of one (``dataset.select("dog")``).
        batch_size: samples in a batch, of this rank; 1 to 2**31 - 1.
        transform: see :mod:`fastinet.transforms`. It must give images of one size.
        shuffle: False: records in their order on disk. True: a random permutation of all records in each
            epoch, in constant memory. "window": shards in random order, and the records of every ``window``
            consecutive shards shuffled together; for cold disks and remote file systems, where reading from
            few shards at a time is faster. The order is less random.
        seed: 0 to 2**64 - 1.
        threads: decoding threads; None: as many as this process may use CPUs (affinity, container quota),
            and no more than its share of them where ``torchrun`` started several on this machine
            (:func:`fastinet.cpus.share_of_rank`).
        rank, world_size: both, or neither: 0 and 1, the only process.
        drop_last: leave out a last batch that is not full.
        dtype: "uint8" (the pixels), "float16" or "float32" (``x / 255``, normalised where the transform says
            so); None: what the transform says, else "float32".
        layout: "NCHW" or "NHWC".
        columns: what a batch holds, in order.
        on_error: for records that cannot be decoded, whose bytes are damaged, or whose image has another size
            than the sidecar says. "raise": the batch that would
            hold the sample raises; the epoch is then over, and ``state_dict`` points at that batch. "skip":
            the batch comes shorter, down to an empty one (images of shape (0, 3, height, width)), so that all
            ranks see the same number of batches; callables get it too, and a mean over it is NaN.
            "substitute": the record at the next position takes the place, and batches keep their size. Both
            are counted in ``stats``. Errors of whole shards are always raised.
        indices: only these records, by number, which may repeat; or
        classes: only the records of these classes: labels, WNIDs, words or subtrees, as
            :func:`fastinet.dataset.selection.find_classes` says (``classes=["dog", "n02121808"]``).
        box_format: of "boxes": "xyxy", "xywh" or "cxcywh", as torchvision names them.
        box_relative: boxes in shares of the image's sides, not in its pixels.
        min_visible: boxes of which the image shows a smaller share than this, 0 to 1, are left out.
        prefetch_bytes: bound on finished and unfinished batches that wait; two batches at the least.
        verify: compare each payload with its checksum before it is decoded.
        apply_orientation: turn images as their EXIF orientation says; torchvision does not.
        dct_scaling: faster on large images, but the pixels change: see :func:`fastinet.decode`.
        window: shards that ``shuffle="window"`` shuffles together.

    Not for use by several threads at once. After ``fork`` the child gets a :class:`StateError` from a loader
    that was iterated in the parent. A loader cannot be pickled: make one in each process.

    Raises:
        ArgumentError: an argument out of its range.
        MissingFileError, FormatError: as :class:`fastinet.Dataset`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | Dataset | Selection,
        batch_size: int,
        transform: Any = None,
        shuffle: bool | Literal["window"] = False,
        seed: int = 0,
        threads: int | None = None,
        rank: int | None = None,
        world_size: int | None = None,
        drop_last: bool = False,
        dtype: Any = None,
        layout: str = "NCHW",
        columns: Sequence[str] = ("image", "label"),
        on_error: Literal["raise", "skip", "substitute"] = "raise",
        indices: npt.ArrayLike | None = None,
        classes: Iterable[str | int] | str | int | None = None,
        prefetch_bytes: int = 512 << 20,
        verify: bool = True,
        apply_orientation: bool = False,
        dct_scaling: bool = False,
        window: int = 8,
        box_format: Literal["xyxy", "xywh", "cxcywh"] = "xyxy",
        box_relative: bool = False,
        min_visible: float = 0.0,
        *,
        pixels: bool = True,
        allocate: Callable[[int], Any] | None = None,
    ) -> None:
        """See the class; the rest is for adapters.

        ``pixels=False`` makes no images: the "batch" column then has ``payloads`` too. ``allocate(bytes)``
        gives the memory of one batch: anything writable and contiguous with the buffer protocol, such as
        pinned memory. The batch has it as ``memory``; the loader lets go of it when nothing refers to the
        batch's images and never uses it for another, so that reuse is the allocator's to decide. It is called
        by the thread that iterates; what it raises, ``iter()`` or ``next()`` raise.
        """
        if allocate is not None and not callable(allocate):
            raise ArgumentError(f"allocate must be a callable, not {allocate!r}")
        if shuffle not in (False, True, "window"):
            raise ArgumentError(f"shuffle must be False, True or 'window', not {shuffle!r}")
        if isinstance(path, Selection):
            if indices is not None or classes is not None:
                raise ArgumentError("a selection has its records: give neither indices nor classes")
            indices = path.indices
            path = path.dataset
        self.dataset = path if isinstance(path, Dataset) else Dataset(path)
        self.batch_size = _integer("batch_size", batch_size, 1, 2**31 - 1)
        self.seed = _integer("seed", seed, 0, 2**64 - 1)
        self.threads = share_of_rank() if threads is None else _integer("threads", threads, 1, 4096)
        self._told = _rank_of(rank, world_size)
        self.drop_last = bool(drop_last)
        self.on_error = str(on_error)
        self.shuffle = shuffle
        self.columns = _columns(columns, self.dataset)
        self._attached = {name: self.dataset.columns[name] for name in self.columns if name not in RESERVED}
        self.plan: Plan = compile_transform(transform, dtype, layout)
        self.plan.fixed_size()
        self._boxes = BoxColumns(box_format, box_relative, self.plan.output_size)
        if not 0 <= min_visible <= 1:
            raise ArgumentError(f"min_visible must be from 0 to 1, not {min_visible!r}")
        subset = _subset(self.dataset, indices, classes)
        self.records = len(self.dataset) if subset is None else len(subset)
        if self.records == 0:
            raise ArgumentError(f"{self.dataset.path}: no records to load", path=str(self.dataset.path))
        self._order: dict[str, Any] = {"shuffle": shuffle, "seed": self.seed, "records": self.records}
        if shuffle == "window":
            self._order["window"] = _integer("window", window, 1)
        self._subset_hash = 0 if subset is None else _core.xxh3(subset.tobytes())
        self._make_core = partial(
            _core.Loader,
            self.dataset.core,
            self.plan.core,
            batch_size=self.batch_size,
            threads=self.threads,
            seed=self.seed,
            order=_ORDERS[shuffle],
            blocks=_blocks(self.dataset, subset) if shuffle == "window" else np.empty(0, np.int64),
            window=self._order.get("window", 1),
            subset=np.empty(0, np.int64) if subset is None else subset,
            drop_last=self.drop_last,
            dtype=self.plan.dtype,
            layout=self.plan.layout,
            normalize=self.plan.normalize,
            prefetch_bytes=_integer("prefetch_bytes", prefetch_bytes, 0, 2**63 - 1),
            on_error=self.on_error,
            pixels=pixels,
            keys="key" in self.columns or "batch" in self.columns,
            boxes=not {*BOX_COLUMNS, "batch"}.isdisjoint(self.columns),
            min_visible=float(min_visible),
            verify=bool(verify),
            apply_orientation=bool(apply_orientation),
            dct_scaling=bool(dct_scaling),
            allocate=allocate,
        )
        # Made now, so that what it refuses is refused here, and anew once the rank is known.
        self._rank, self._world_size = self._told or (0, 1)
        self._core = self._make_core(rank=self._rank, world_size=self._world_size)
        self._settled = False  # the rank is known and may not change any more
        self._closed = False
        self._pid = os.getpid()
        self._epoch = 0  # that the next iter() gives, or that is under way
        self._position = 0  # of that epoch: what all ranks have delivered
        self._run: int | None = None  # of the core, while the epoch is under way
        self._begun = (
            False  # the run has handed out a batch or an error, so the next iter() is the next epoch
        )
        _live.add(self)

    # Ranks

    _remedy = "Give it rank= and world_size="  # what to do where they are not known

    @property
    def rank(self) -> int:
        """This process's part; see the class on where it is not known."""
        self._settle()
        return self._rank

    @property
    def world_size(self) -> int:
        """Processes that share an epoch; as `rank`."""
        self._settle()
        return self._world_size

    def _settle(self) -> None:
        """Finds out the rank where it was not given.

        Once something depended on it, it cannot change: a schedule may have been made from ``len()``.
        """
        if self._told is not None:
            return
        worker = ranks.torch_worker()
        if worker is not None:
            raise StateError(
                f"this process is {worker} of a DataLoader, each of which would load everything: iterate "
                "over the loader itself, whose threads= take the place of workers"
            )
        found = self._found_rank()
        if found == (self._rank, self._world_size):
            self._settled = True
        elif self._settled:
            raise StateError(
                f"this loader was used (iter(), len()) as rank {self._rank} of {self._world_size}, but now "
                f"this process is rank {found[0]} of {found[1]}: use it after the processes have joined, or "
                "make another (load_state_dict resumes an epoch), or give it rank= and world_size="
            )
        else:
            self._core = self._make_core(rank=found[0], world_size=found[1])
            if self._closed:
                self._core.close()
            self._rank, self._world_size = found
            self._settled = True

    def _found_rank(self) -> tuple[int, int]:
        """Rank and world size where the caller gave none.

        Raises:
            StateError: this is one of several processes, and its part is not known.
        """
        joined = ranks.in_torch_distributed()
        said = ranks.launched()
        if joined is not None and joined[1] > 1:
            said = f"torch.distributed: rank {joined[0]} of {joined[1]}"
        if said is not None and joined != (0, 1):
            raise StateError(
                f"this process is one of several ({said}), and the loader was not told its part: each would "
                f"train on everything. {self._remedy}, or rank=0, world_size=1 to load everything here"
            )
        return 0, 1

    # Epochs

    def __len__(self) -> int:
        """Batches of a whole epoch, on every rank."""
        return self._share()[1]

    @property
    def padded(self) -> int:
        """Samples that come twice in a whole epoch, over all ranks."""
        return self._share()[2]

    @property
    def dropped(self) -> int:
        """Samples that a whole epoch leaves out, over all ranks."""
        return self._share()[3]

    def _share(self) -> tuple[int, int, int, int]:
        self._settle()
        return self._core.share(0)

    @property
    def epoch(self) -> int:
        """The epoch under way; between epochs, the next one."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """The next ``iter()`` gives this epoch; a position loaded for it is kept."""
        epoch = _integer("epoch", epoch, 0, 2**32 - 1)
        if epoch != self._epoch or self._run is not None:
            self._position = 0
        self._epoch = epoch
        self._run, self._begun = None, False

    def __iter__(self) -> Iterator[Any]:
        """The next epoch, or what a loaded state left of one."""
        self._settle()
        epoch, position = self._epoch, self._position
        if self._begun:
            epoch, position = epoch + 1, 0
        work = self._work()
        run = self._core.start(_integer("epoch", epoch, 0, 2**32 - 1), position)
        self._epoch, self._position, self._run, self._begun = epoch, position, run, False
        return Epoch(
            partial(self._core.next, run), partial(self._handed_out, run), partial(self._failed, run), work
        )

    def _handed_out(self, run: int, position: int | None) -> None:
        """Moves to a position of the run's epoch, or past its end; see :class:`fastinet.epoch.Epoch`."""
        if run != self._run:
            return  # set_epoch or load_state_dict since
        if position is None:
            self._epoch, self._position, self._run, self._begun = self._epoch + 1, 0, None, False
        else:
            self._position, self._begun = position, True

    def _failed(self, run: int) -> None:
        """An error uses up the run's epoch, also where it came in place of the first batch."""
        if run == self._run:
            self._begun = True

    # Resuming

    def state_dict(self) -> dict[str, Any]:
        """Where the epoch stands: what was handed out counts, not what was read ahead. Plain ints and strs.

        The state is the same on every rank after the same number of batches, and may be loaded under another
        world size, batch size or number of threads.
        """
        return {
            "version": _STATE_VERSION,
            "epoch": self._epoch,
            "position": self._position,
            "subset": self._subset_hash,
            "dataset": self.dataset.manifest.shards_xxh3,
            **self._order,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume: the next ``iter()`` gives what is left of the epoch, each sample once.

        States of version 1, which do not name their dataset, are taken with a warning.

        Raises:
            ArgumentError: the state was saved with another dataset, other records of it, another seed or
                another order.
        """
        version, identity = state.get("version"), self.dataset.manifest.shards_xxh3
        if version == 1:
            warnings.warn(
                "state: an earlier fastinet saved it without the dataset's identity, so that it cannot be "
                f"told whether it is of {self.dataset.path}",
                stacklevel=2,
            )
        elif version != _STATE_VERSION:
            raise ArgumentError(f"state: expected version {_STATE_VERSION}, found {version!r}")
        elif state.get("dataset") != identity:
            raise ArgumentError(
                f"state: it is of another dataset than {self.dataset.path}: expected one whose shards hash "
                f"to {identity}, found {state.get('dataset')!r}",
                path=str(self.dataset.path),
                expected=identity,
                found=str(state.get("dataset")),
            )
        mine = {**self._order, "subset": self._subset_hash}
        for name, value in mine.items():
            if state.get(name) != value:
                raise ArgumentError(
                    f"state: saved with {name}={state.get(name)!r}, but this loader has {name}={value!r}"
                )
        epoch = _integer("state: epoch", state.get("epoch"), 0, 2**32 - 1)
        position = _integer("state: position", state.get("position"), 0, self.records)
        self._epoch, self._position, self._run, self._begun = epoch, position, None, False

    # Handing out

    def _work(self) -> Work[Any]:
        """For one epoch, what becomes of the core's batches; adapters have work of their own."""
        return Work(self._hand_out, lambda values: values)

    def _hand_out(self, batch: _core.Batch) -> tuple[Any, ...]:
        return self._values(batch, batch.images)

    def _values(self, batch: _core.Batch, images: Any) -> tuple[Any, ...]:
        if "image" in self.columns:
            for call in self.plan.callables:
                images = call(images)
        ready: dict[str, Any] = {"image": images}
        if self._attached:
            indices = batch.indices
            ready |= {name: column.take(indices) for name, column in self._attached.items()}
        if not set(BOX_COLUMNS).isdisjoint(self.columns):
            ready |= self._boxes(batch)
        return tuple(ready[name] if name in ready else _COLUMNS[name](batch) for name in self.columns)

    # Everything else

    @property
    def stats(self) -> dict[str, Any]:
        """Counts since the loader was made.

        ``delivered``, ``skipped`` and ``substituted`` samples with the first ``reasons``; ``decoded_fast``
        (our decoder), ``decoded_turbo`` (libjpeg-turbo), ``decoded_foreign`` (Pillow) and ``payload_bytes``,
        which include what is read ahead; ``consumer_wait_seconds`` (iteration waited: decoding is the
        bottleneck) and ``worker_wait_seconds`` (threads waited, summed: the consumer is).
        """
        return self._core.stats()

    def close(self) -> None:
        """End the threads. The loader cannot be used afterwards; batches stay valid."""
        self._closed = True
        self._core.close()

    def __enter__(self) -> Loader:
        """Itself; leaving the context closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def __reduce__(self) -> Any:
        """Refuses: threads do not travel."""
        raise StateError("a Loader cannot be pickled: make one in each process")


def _rank_of(rank: int | None, world_size: int | None) -> tuple[int, int] | None:
    """As given; None: not given."""
    if rank is None and world_size is None:
        return None
    if rank is None or world_size is None:
        raise ArgumentError("give both rank and world_size, or neither")
    world_size = _integer("world_size", world_size, 1, 2**31 - 1)
    return _integer("rank", rank, 0, world_size - 1), world_size


def _integer(name: str, value: Any, low: int, high: int = 2**63 - 1) -> int:
    """`value` as an int within [low, high]; numpy's integers are taken too."""
    try:
        number = operator.index(value) if not isinstance(value, bool) else None
    except TypeError:
        number = None
    if number is None or not low <= number <= high:
        bound = f"at least {low}" if high == 2**63 - 1 else f"from {low} to {high}"
        raise ArgumentError(f"{name} must be an int {bound}, not {shown(value)}")
    return number


def _columns(columns: Sequence[str], dataset: Dataset) -> tuple[str, ...]:
    names = (columns,) if isinstance(columns, str) else tuple(columns)
    for name in names:
        if name not in RESERVED and name not in dataset.columns:
            known = ", ".join((*_COLUMNS, *BOX_COLUMNS, *dataset.columns))
            raise ArgumentError(f"columns: expected some of {known}, found {name!r}")
    if not names:
        raise ArgumentError("columns: a batch must hold something")
    return names


def _subset(
    dataset: Dataset, indices: npt.ArrayLike | None, classes: Iterable[str | int] | str | int | None
) -> npt.NDArray[np.int64] | None:
    """The chosen records; None: all."""
    if indices is not None and classes is not None:
        raise ArgumentError("give indices or classes, not both")
    if classes is not None:
        return np.ascontiguousarray(dataset.indices_of(classes), np.int64)
    if indices is None:
        return None
    try:
        array = np.asarray(indices)
    except (ValueError, TypeError, OverflowError) as e:  # ragged, or no array at all
        raise ArgumentError(f"indices must be a sequence of ints: {e}") from None
    if array.dtype == bool and array.shape == (len(dataset),):
        array = np.flatnonzero(array)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise ArgumentError(
            f"indices must be a sequence of ints, not an array of {array.dtype} {array.shape}"
        )
    if array.size and not (array.min() >= 0 and array.max() < len(dataset)):
        raise ArgumentError(
            f"indices must be from 0 to {len(dataset) - 1}; found {array.min()} to {array.max()}"
        )
    return np.ascontiguousarray(array, np.int64)


def _blocks(dataset: Dataset, subset: npt.NDArray[np.int64] | None) -> npt.NDArray[np.int64]:
    """Records in each shard; of a subset, lengths of its runs within one shard."""
    counts = np.array([s.records for s in dataset.manifest.shards], np.int64)
    if subset is None:
        return counts
    shard = np.searchsorted(np.cumsum(counts), subset, side="right")
    edges = np.flatnonzero(np.diff(shard)) + 1
    return np.diff(np.concatenate([[0], edges, [len(subset)]])).astype(np.int64)
