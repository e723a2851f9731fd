"""Pillow as it comes: a second copy of its Python modules, whose switches nobody else can turn.

What Pillow makes of a file depends on settings of the process: ``ImageFile.LOAD_TRUNCATED_IMAGES``,
``Image.MAX_IMAGE_PIXELS``, ``GifImagePlugin.LOADING_STRATEGY`` and a dozen more, and the filters of
``warnings``, which can make errors of its remarks on odd metadata. Here a file has the same pixels and the
same verdict in every program. Setting these to their defaults while an image is decoded would change them
for the program's other threads, and Pillow has no way to pass them to a call: hence modules of our own, where
they are as Pillow sets them, and warnings go nowhere. The compiled modules, which hold no such settings, are
shared. It takes 8 MB and a tenth of a second, once, in programs that need Pillow.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image, ImageOps, UnidentifiedImageError
    from PIL import _imaging as core

__all__ = ["Image", "ImageOps", "UnidentifiedImageError", "core"]

_NAME = "fastinet._own_pil"
_COMPILED = ("_imaging", "_webp", "_avif")


class _NoWarnings:
    """In the place of ``warnings`` in Pillow's modules."""

    @staticmethod
    def warn(*_: Any, **__: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(warnings, name)


def _load() -> tuple[ModuleType, ModuleType]:
    found = importlib.util.find_spec("PIL")
    assert found is not None
    assert found.origin is not None
    folders = list(found.submodule_search_locations or ())
    spec = importlib.util.spec_from_file_location(_NAME, found.origin, submodule_search_locations=folders)
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = package
    for name in _COMPILED:
        try:
            sys.modules[f"{_NAME}.{name}"] = importlib.import_module(f"PIL.{name}")
        except ImportError:  # not every build has all formats
            continue
    spec.loader.exec_module(package)
    image = importlib.import_module(f"{_NAME}.Image")
    # Image.init() does the same, but in old versions to the modules of PIL.
    for plugin in package._plugins:
        try:
            importlib.import_module(f"{_NAME}.{plugin}")
        except ImportError:
            continue
    image._initialized = 2  # type: ignore[attr-defined, unused-ignore]
    image_ops = importlib.import_module(f"{_NAME}.ImageOps")
    for name, module in list(sys.modules.items()):
        if name.startswith(f"{_NAME}.") and hasattr(module, "warnings"):
            module.warnings = _NoWarnings()  # type: ignore[attr-defined, unused-ignore]
    return image, image_ops


if not TYPE_CHECKING:
    Image, ImageOps = _load()
    UnidentifiedImageError, core = Image.UnidentifiedImageError, Image.core
