"""C++ core of fastinet."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypedDict, type_check_only

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Never

def simd_level() -> str: ...
def available_simd_levels() -> list[str]: ...
def set_simd_level(name: str) -> None: ...
def resample(
    image: NDArray[np.uint8],
    crop: Sequence[int],
    size: Sequence[int],
    view: Sequence[int],
    flip: bool = False,
    interpolation: Literal["bilinear", "bicubic"] = "bilinear",
    dtype: Literal["uint8", "float16", "float32"] = "uint8",
    layout: Literal["NCHW", "NHWC"] = "NHWC",
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> NDArray[Any]: ...

MAX_IMAGE_PIXELS: int

@type_check_only
class _Pybind11Type(type): ...

@type_check_only
class ProbeResult(TypedDict):
    format: str
    regular: bool
    irregular: str
    height: int
    width: int
    broken_exif: bool
    orientation: int
    components: int
    baseline: bool
    progressive: bool
    complete: bool
    sound: bool
    entry_points: bytes

@type_check_only
class DecodeCounts(TypedDict):
    fast: int
    turbo: int
    foreign: int

def decode(
    data: NDArray[np.uint8],
    crop: tuple[int, ...] | None,
    size: tuple[int, ...] | None,
    flip: bool,
    interpolation: str,
    apply_orientation: bool,
    dct_scaling: bool = False,
) -> NDArray[np.uint8]: ...
def image_size(data: NDArray[np.uint8], apply_orientation: bool) -> tuple[int, int]: ...
def decode_counts() -> DecodeCounts: ...  # of this thread's calls of decode and image_size
def probe(data: NDArray[np.uint8]) -> ProbeResult: ...

# Paths and names may hold bytes that are no UTF-8: as os.fsdecode gives them.
# A shard is (tar, sidecar, records, bytes, index_bytes, index_xxh3, label map); boxes are (width, height,
# rows of label, xmin, ymin, xmax, ymax, flags).
_Shard = tuple[str, str, int, int, int, int, LabelMap | None]
_Boxes = tuple[int, int, list[tuple[int, int, int, int, int, int]]]

@type_check_only
class ShardSummary(TypedDict):
    records: int
    bytes: int
    xxh3: int
    index_bytes: int
    index_xxh3: int
    index_head_bytes: int
    index_prefix_bytes: int
    index_file_xxh3: int
    tar_chunks: list[int]  # XXH3 of each 8 MiB
    index_chunks: list[int]

class LabelMap(metaclass=_Pybind11Type):  # of a shard's labels to the dataset's classes
    def __init__(self, classes: Sequence[int]) -> None: ...
    def __len__(self) -> int: ...
    def __call__(self, label: int) -> int: ...

class Record(metaclass=_Pybind11Type):  # memoryview(record) is the payload
    def __init__(self, *args: Never, **kwargs: Never) -> None: ...  # made by the core only
    @property
    def shard(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def key(self) -> str: ...
    @property
    def label(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def orientation(self) -> int: ...
    @property
    def format(self) -> str: ...
    @property
    def clean(self) -> bool: ...
    @property
    def payload_xxh3(self) -> int: ...
    @property
    def original_xxh3(self) -> int: ...
    @property
    def entry_points(self) -> bytes: ...
    @property
    def boxes(self) -> _Boxes | None: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def check_payload(self) -> None: ...
    def check_entry_points(self) -> None: ...

class ShardedDataset(metaclass=_Pybind11Type):
    def __init__(self, shards: Sequence[_Shard]) -> None: ...
    def __len__(self) -> int: ...
    @property
    def shard_count(self) -> int: ...
    def locate(self, index: int) -> tuple[int, int]: ...
    def record(self, index: int) -> Record: ...
    def prefetch(self, index: int) -> None: ...
    def labels(self, first: int, count: int) -> NDArray[np.int32]: ...
    def payload_hashes(self, first: int, count: int) -> NDArray[np.uint64]: ...  # XXH3-64
    def keys(self, first: int, count: int) -> list[str]: ...
    # Fields: label, width, height, payload_bytes, entry_points_bytes, orientation, format (FORMAT.md's
    # number), clean, boxes (whether there are any), payload_offset (in the tar).
    def facts(self, first: int, count: int) -> NDArray[np.void]: ...
    # How many boxes each record has, width and height that they refer to, and all of them in a row: label,
    # xmin, ymin, xmax, ymax, flags.
    def boxes(
        self, first: int, count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]: ...

# Of the whole process: how many shards are mapped, and beyond how many those not read lately are unmapped.
def mapped_shards() -> int: ...
def max_mapped_shards() -> int: ...
def set_max_mapped_shards(count: int) -> None: ...

class ShardWriter(metaclass=_Pybind11Type):
    def __init__(self, tar_path: str | bytes, index_path: str | bytes) -> None: ...
    def __len__(self) -> int: ...
    @property
    def tar_size(self) -> int: ...
    def add(
        self,
        key: str | bytes,
        extension: str,
        payload: bytes | memoryview | NDArray[np.uint8],
        label: int = -1,
        *,
        width: int = 0,
        height: int = 0,
        orientation: int = 1,
        format: str = "",
        clean: bool = False,
        entry_points: bytes = b"",
        json: str = "",
        boxes: _Boxes | None = None,
    ) -> None: ...
    def finish(self) -> ShardSummary: ...

class IndexWriter(metaclass=_Pybind11Type):
    def __init__(self, tar_path: str | bytes) -> None: ...
    def scan(self) -> tuple[list[tuple[str, int, int]], list[tuple[str, str, int]]]: ...
    def read(self, offset: int, size: int) -> bytes: ...
    def add(
        self,
        key: str | bytes,
        offset: int,
        size: int,
        label: int = -1,
        *,
        width: int = 0,
        height: int = 0,
        orientation: int = 1,
        format: str = "",
        clean: bool = False,
        entry_points: bytes = b"",
        boxes: _Boxes | None = None,
    ) -> None: ...
    def finish(self, index_path: str | bytes) -> ShardSummary: ...

# The records first to first + count: (number, what the sidecar says falsely, expected, found); and of those
# whose number `every` divides, which are looked at to the last bit (0: none), the numbers of records of which
# only a decoder can tell size and orientation.
def check_images(
    dataset: ShardedDataset, first: int, count: int, every: int
) -> tuple[list[tuple[int, str, str, str]], list[int]]: ...
def verify_shard(shard: _Shard, tar_xxh3: int) -> tuple[int, int, list[Exception]]: ...
def chunk_hashes(path: str | bytes) -> list[int]: ...  # XXH3 of each 8 MiB of a file
def check_tar(path: str | bytes, tar_xxh3: int) -> None: ...
def write_file(path: str | bytes, data: bytes | memoryview) -> None: ...
def remove_stale_temporaries(folder: str | bytes) -> list[str]: ...
def xxh3(data: bytes | memoryview) -> int: ...
def check_key(key: str | bytes) -> None: ...
def escape_key(name: str | bytes) -> str: ...
def unescape_key(key: str | bytes) -> str: ...

class TransformPlan(metaclass=_Pybind11Type):
    def __init__(self, steps: list[tuple[Any, ...]]) -> None: ...
    @property
    def output_size(self) -> tuple[int, int] | None: ...
    def sample(
        self,
        height: int,
        width: int,
        seed: int,
        epoch: int,
        record: int,
        objects: Sequence[tuple[int, int, int, int]] = (),  # top, left, height, width
        occurrence: int = 0,
    ) -> tuple[list[int], list[int], list[int], bool]: ...  # crop, size of the resized crop, view, flip

class Batch(metaclass=_Pybind11Type):
    def __init__(self, *args: Never, **kwargs: Never) -> None: ...  # made by the core only
    def __len__(self) -> int: ...
    @property
    def images(self) -> NDArray[Any] | None: ...
    @property
    def memory(self) -> Any: ...  # what `allocate` gave for the images; else None
    @property
    def position(self) -> int: ...
    @property
    def labels(self) -> NDArray[np.int64]: ...
    @property
    def indices(self) -> NDArray[np.int64]: ...
    @property
    def occurrences(
        self,
    ) -> NDArray[np.int64]: ...  # 0 where the record comes once, or for the first time in `indices`
    @property
    def keys(self) -> list[str]: ...
    @property
    def boxes(
        self,
    ) -> tuple[  # of all samples in a row
        NDArray[np.int64],  # how many each sample has
        NDArray[np.float32],  # xmin, ymin, xmax, ymax, in pixels of the finished image
        NDArray[np.int64],  # labels
        NDArray[np.float32],  # shares that are visible
        NDArray[np.int64],  # flags
    ]: ...
    @property
    def payloads(
        self,
    ) -> list[NDArray[np.uint8]]: ...  # of a loader without pixels; read-only views of shards
    @property
    def image_sizes(self) -> NDArray[np.int32]: ...  # height, width
    @property
    def crops(self) -> NDArray[np.int32]: ...  # top, left, height, width, in the image
    @property
    def resized(self) -> NDArray[np.int32]: ...  # height, width of the resized crop
    @property
    def views(self) -> NDArray[np.int32]: ...  # top, left, height, width, in the resized crop
    @property
    def flips(self) -> NDArray[np.bool_]: ...

class Loader(metaclass=_Pybind11Type):
    def __init__(
        self,
        dataset: ShardedDataset,
        plan: TransformPlan,
        *,
        batch_size: int,
        threads: int,
        seed: int,
        order: str,
        blocks: NDArray[np.int64],
        window: int,
        subset: NDArray[np.int64],
        rank: int,
        world_size: int,
        drop_last: bool,
        dtype: str,
        layout: str,
        normalize: tuple[Sequence[float], Sequence[float]] | None,
        prefetch_bytes: int,
        on_error: str,
        pixels: bool,
        keys: bool,
        boxes: bool,
        min_visible: float,
        verify: bool,
        apply_orientation: bool,
        dct_scaling: bool,
        allocate: Callable[[int], Any] | None,
    ) -> None: ...
    def share(self, position: int) -> tuple[int, int, int, int]: ...  # samples, batches, padded, dropped
    def start(self, epoch: int, position: int) -> int: ...
    def next(self, run: int) -> Batch | None: ...
    def stats(self) -> dict[str, Any]: ...
    def close(self) -> None: ...

@type_check_only
class ShardReport(TypedDict):
    records: int
    payload_bytes: int
    tar_bytes: int
    tar_xxh3: int
    index_bytes: int
    index_xxh3: int
    index_head_bytes: int
    index_prefix_bytes: int
    index_file_xxh3: int
    tar_chunks: list[int]
    index_chunks: list[int]
    with_entry_points: int
    labels: list[tuple[int, int]]  # of the records in order, as runs: label and length
    remarks: dict[str, int]
    examples: dict[str, list[str]]

@type_check_only
class ImageFacts(TypedDict):
    width: int
    height: int
    orientation: int
    format: str
    clean: bool
    entry_points: bytes

ENCODINGS: tuple[
    str, ...
]  # names of encodings, as Pillow spells them, by the codes of FORMAT.md; "": unknown

COMMON_REMARKS: list[str]  # of which a report lists only a few examples

# And why it is no good image, or "".
def examine(payload: bytes, check: Literal["fast", "full", "none"] = "fast") -> tuple[ImageFacts, str]: ...

# A row: key, path, offset, length (-1: to the end), size when listed (-1: not known), label, annotation,
# boxes. Bad ones come back as place, reason.
class ShardBuilder(metaclass=_Pybind11Type):
    def __init__(
        self,
        tar_path: str | bytes,
        index_path: str | bytes,
        on_bad: Literal["fail", "skip", "keep"],
        entry_points: bool,
        normalise_odd: bool = False,
        check: Literal["fast", "full", "none"] = "fast",
    ) -> None: ...
    def add_extents(
        self, rows: list[tuple[str, str, int, int, int, int, str, _Boxes | None]]
    ) -> list[tuple[int, str]]: ...
    def add_bytes(
        self,
        key: str,
        payload: bytes,
        label: int,
        annotation: str,
        origin: str,
        boxes: _Boxes | None = None,
        original_xxh3: int | None = None,  # of the source's file where `payload` is a re-encoding of it
    ) -> str: ...
    def finish(self) -> ShardReport: ...
    def abandon(self) -> None: ...

# examine() returns what is wrong with the image. Then call add(), if the policy accepted the record.
class IndexBuilder(metaclass=_Pybind11Type):
    def __init__(
        self,
        tar_path: str | bytes,
        on_bad: Literal["fail", "skip", "keep"],
        check: Literal["fast", "full", "none"] = "fast",
    ) -> None: ...
    def scan(self) -> tuple[list[tuple[str, int, int]], list[tuple[str, str, int]]]: ...
    def read(self, offset: int, size: int) -> bytes: ...
    def examine(self, key: str | bytes, offset: int, size: int) -> str: ...
    @property
    def accepted(self) -> bool: ...
    def add(self, label: int, boxes: _Boxes | None = None) -> None: ...
    def finish(self, index_path: str | bytes) -> ShardReport: ...

def read_extent(path: str | bytes, offset: int, length: int, listed_size: int = -1) -> bytes: ...
def scan_tar(
    path: str | bytes, offset: int = 0, length: int = -1, origin: str | bytes | None = None
) -> tuple[
    list[tuple[str, int, int]], list[tuple[str, str, int]]
]: ...  # (name, offset, size), (name, reason, offset)
