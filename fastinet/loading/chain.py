"""From a list of transforms, torchvision's or ours, to one plan: what may follow what, and why not.

The order counts as it does in torchvision. A chain is walked with what torchvision would have in its hands,
so that a step which would give other pixels on a tensor than on a Pillow image is refused by its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from fastinet import _core
from fastinet.errors import ArgumentError, UnsupportedError
from fastinet.loading import parameters as P  # noqa: N812
from fastinet.loading.plan import BatchCall, Normalization, Plan
from fastinet.loading.transforms import (
    CenterCrop,
    ConvertImageDtype,
    Normalize,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
    ToTensor,
)

__all__ = ["Chain", "compile_transform", "flatten"]

_LAYOUTS = ("NCHW", "NHWC")

_OWN = (RandomResizedCrop, Resize, CenterCrop, RandomHorizontalFlip, Normalize, ToTensor, ConvertImageDtype)
_TORCHVISION_FIELDS: dict[str, tuple[type[Any], tuple[str, ...]]] = {
    "RandomResizedCrop": (RandomResizedCrop, ("size", "scale", "ratio", "interpolation", "antialias")),
    "Resize": (Resize, ("size", "interpolation", "max_size", "antialias")),
    "CenterCrop": (CenterCrop, ("size",)),
    "RandomHorizontalFlip": (RandomHorizontalFlip, ("p",)),
    "Normalize": (Normalize, ("mean", "std", "inplace")),
    "ToTensor": (ToTensor, ()),
    "ConvertImageDtype": (ConvertImageDtype, ("dtype",)),
}
_TORCHVISION_ONLY = ("PILToTensor", "ToImage", "ToPureTensor", "ToDtype")
_TORCHVISION_NOTHING = ("RGB", "Identity")  # images are RGB already


def _is_torchvision(item: Any) -> bool:
    return type(item).__module__.split(".")[0] == "torchvision"


def flatten(transform: Any, place: str = "transform") -> Iterable[tuple[str, Any]]:
    """The steps, each with its place, such as "transform[1]"."""
    if transform is None:
        return
    if _is_torchvision(transform) and type(transform).__name__ == "Compose":
        transform = transform.transforms
    if isinstance(transform, (list, tuple)):
        for i, item in enumerate(transform):
            yield from flatten(item, f"{place}[{i}]")
    else:
        yield place, transform


class Chain:
    """A chain under way, with what torchvision would have in its hands after each step.

    Attributes:
        steps: geometric ones, as the core takes them.
        interpolation: of the resize.
        normalize: mean and std; None: not normalised.
        dtype: of the image; None: nothing was said of it.
        callables: what runs on the finished batch.
    """

    def __init__(self) -> None:
        self.steps: list[tuple[Any, ...]] = []
        self.interpolation = "bilinear"
        self.normalize: Normalization | None = None
        self.dtype: str | None = None
        self.callables: list[BatchCall] = []
        self._tensor: str | None = None  # torchvision's class, "Image" or "Tensor"; None: a Pillow image
        self._cropped: tuple[int, int] | None = None  # by a CenterCrop since the resize
        self._beyond: str | None = None  # the first step after which nothing can be resized
        self._came: dict[str, str] = {}  # places of what may come once, or not before something else

    def add(self, place: str, item: Any) -> None:
        """Appends a step.

        Raises:
            UnsupportedError: it is not known, or not here.
            ArgumentError: it is no step, or a parameter is out of range.
        """
        name = type(item).__name__
        foreign = _is_torchvision(item)
        if foreign and name in _TORCHVISION_FIELDS:
            own, fields = _TORCHVISION_FIELDS[name]
            item = own(**{f: getattr(item, f) for f in fields if hasattr(item, f)})
        elif foreign and name not in (*_TORCHVISION_ONLY, *_TORCHVISION_NOTHING):
            raise UnsupportedError(
                f"{place}: torchvision's {name} is not one that the core knows "
                f"({', '.join(_TORCHVISION_FIELDS)}). A function of yours at the end of the transform runs "
                "on the finished batch, a numpy array, after Normalize; a random transform draws once for "
                "all images there"
            )
        elif not foreign and not isinstance(item, _OWN):
            if not callable(item) or isinstance(item, type):
                raise ArgumentError(f"{place}: expected transforms or callables on a batch, found {item!r}")
            self.callables.append(BatchCall(item, place))
            return
        if self.callables:
            raise UnsupportedError(
                f"{place}: {name} comes after {self.callables[0]}, which fastinet does not know and takes "
                "for a callable on the finished batch; callables go to the end"
            )
        if isinstance(item, (RandomResizedCrop, Resize)):
            self._resize(place, name, item)
        elif isinstance(item, CenterCrop):
            self._crop(place, name, item)
        elif isinstance(item, RandomHorizontalFlip):  # exact on tensors too
            self._came.setdefault("RandomHorizontalFlip", place)
            self.steps.append(item._step())
        elif isinstance(item, Normalize):
            self._normalize(place, item)
        elif isinstance(item, ConvertImageDtype):
            self._convert(place, name, item.dtype, scale=True)
        elif name == "ToDtype":
            self._to_dtype(place, item)
        elif name == "ToPureTensor":
            self._tensor = self._tensor and "Tensor"
        elif name not in _TORCHVISION_NOTHING:
            self._to_tensor(place, name)

    def _crop(self, place: str, name: str, item: CenterCrop) -> None:
        if self.normalize is not None:  # where it pads, a tensor's zeros are not black pixels
            before = f"Normalize ({self._came['Normalize']})"
            self._refuse(place, name, before, "the zeros that it pads with would not be black")
        size = P.pair(name, item.size)
        if self._cropped is not None and (size[0] > self._cropped[0] or size[1] > self._cropped[1]):
            raise UnsupportedError(
                f"{place}: {name} to {size[0]}x{size[1]} comes after {self._came['crop']} to "
                f"{self._cropped[0]}x{self._cropped[1]}, which it would have to pad: leave one of them out"
            )
        self._cropped = size
        self._came["crop"] = f"{name} ({place})"
        self.steps.append(item._step())

    def _resize(self, place: str, name: str, item: RandomResizedCrop | Resize) -> None:
        if self._beyond is not None:
            self._refuse(
                place, name, self._beyond, "of a tensor torchvision gives other pixels than of a Pillow image"
            )
        if "resize" in self._came:
            raise UnsupportedError(
                f"{place}: {name} comes after {self._came['resize']}: at most one resize in a transform"
            )
        step = item._step()
        self.interpolation = P.interpolation(name, item.interpolation)
        flip = self._came.get("RandomHorizontalFlip")
        if flip is not None and self.interpolation != "bilinear":
            # The core flips last. Pillow's bicubic weights of a mirrored image are now and then not the
            # mirrored weights (335 to 291 pixels); its bilinear ones always are.
            raise UnsupportedError(
                f"{place}: {name} with {self.interpolation} interpolation comes after RandomHorizontalFlip "
                f"({flip}), which may change its pixels: put RandomHorizontalFlip after the resize"
            )
        self._came["resize"] = f"{name} ({place})"
        self._cropped = None
        self.steps.append(step)

    def _normalize(self, place: str, item: Normalize) -> None:
        if self.normalize is not None:
            raise UnsupportedError(f"{place}: Normalize comes twice, first as {self._came['Normalize']}")
        if self.dtype == "float16":
            raise UnsupportedError(
                f"{place}: Normalize comes after {self._came['dtype']}: torchvision then computes in float16;"
                " put Normalize before it, or say dtype='float16' to the loader"
            )
        self.normalize = (
            P.channels("Normalize", "mean", item.mean),
            P.channels("Normalize", "std", item.std),
        )
        self._came["Normalize"] = place
        self._go_beyond(place, "Normalize")

    def _to_tensor(self, place: str, name: str) -> None:
        """ToTensor, PILToTensor, ToImage."""
        if name == "ToImage" and self._tensor is not None:
            self._tensor = "Image"
            return
        if self._beyond is not None:
            self._refuse(place, name, self._beyond, "it converts Pillow images only")
        self._tensor = "Image" if name == "ToImage" else "Tensor"
        self._set_dtype(place, name, "float32" if name == "ToTensor" else "uint8")

    def _to_dtype(self, place: str, item: Any) -> None:
        dtype = item.dtype
        if isinstance(dtype, Mapping):  # by the class of the image
            by_name = {getattr(kind, "__name__", kind): value for kind, value in dtype.items()}
            kind = self._tensor or "Image"
            if kind not in by_name and "others" not in by_name:
                raise ArgumentError(f"{place}: ToDtype has no dtype for images of class {kind}: {dtype!r}")
            dtype = by_name.get(kind, by_name.get("others"))
        if dtype is not None:
            self._convert(place, "ToDtype", dtype, scale=bool(item.scale))

    def _convert(self, place: str, name: str, dtype: Any, scale: bool) -> None:
        new, now = P.dtype_name(dtype), self.dtype or "uint8"
        if not scale and (new == "uint8") != (now == "uint8"):
            raise UnsupportedError(f"{place}: {name}: floats without scale=True are not supported")
        if now == "float16" and new != "float16":
            raise UnsupportedError(
                f"{place}: {name} to {new} comes after {self._came['dtype']}: torchvision has rounded to "
                "float16 by then; leave one of them out"
            )
        self._set_dtype(place, name, new)

    def _set_dtype(self, place: str, name: str, dtype: str) -> None:
        self.dtype = dtype
        self._came["dtype"] = f"{name} ({place})"
        self._go_beyond(place, name)

    def _go_beyond(self, place: str, name: str) -> None:
        self._beyond = self._beyond or f"{name} ({place})"

    def _refuse(self, place: str, name: str, before: str, why: str) -> NoReturn:
        raise UnsupportedError(f"{place}: {name} comes after {before}: {why}; put {name} before it")


def compile_transform(transform: Any, dtype: Any = None, layout: str = "NCHW") -> Plan:
    """Compile a transform to the plan that a loader runs.

    Args:
        transform: see :mod:`fastinet.loading.transforms`; None for the images as they are.
        dtype: "uint8" (the pixels), "float16" or "float32" (``x / 255``, normalised where the transform says
            so). None: what ``ToTensor``, ``ConvertImageDtype``, ``PILToTensor``, ``ToImage`` or ``ToDtype``
            say, else "float32".
        layout: "NCHW" or "NHWC".

    Raises:
        UnsupportedError: a transform that the core does not know, or a chain that is more than one plan or in
            an order that gives other pixels.
        ArgumentError: a parameter out of range.
    """
    chain = Chain()
    for place, item in flatten(transform):
        chain.add(place, item)
    name = P.dtype_name(dtype) if dtype is not None else chain.dtype or "float32"
    if name == "uint8" and chain.normalize is not None:
        raise ArgumentError("Normalize gives floats, but dtype is uint8: take one of them out")
    if layout not in _LAYOUTS:
        raise ArgumentError(f"layout must be one of {', '.join(_LAYOUTS)}, not {layout!r}")
    core = _core.TransformPlan(chain.steps)
    return Plan(core, name, layout, chain.normalize, chain.interpolation, tuple(chain.callables))
