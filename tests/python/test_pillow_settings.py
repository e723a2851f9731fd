"""What a program sets in Pillow and in ``warnings`` is its own: fastinet neither heeds nor touches it."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from folders import small_jpeg, write_tree
from images import photo
from PIL import GifImagePlugin, Image, ImageFile, PngImagePlugin

from fastinet import _core, convert, decode, errors
from fastinet.images import pillow as _pillow


def _encoded(format: str, width: int = 90, height: int = 70, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture = Image.fromarray(photo(1, width, height))
    picture.convert(options.pop("mode", "RGB")).save(stream, format, **options)
    return stream.getvalue()


CUT = {
    "PNG": _encoded("PNG")[:-2000],
    "PNG in a chunk's checksum": _encoded("PNG")[:-20] + b"xxxx" + _encoded("PNG")[-16:],
    "JPEG": small_jpeg(1)[:-300],
    "BMP": _encoded("BMP")[:-2000],
    "TIFF": _encoded("TIFF")[:-2000],
}


@pytest.mark.parametrize("kind", CUT)
def test_truncated_files_are_refused_also_where_the_program_has_pillow_load_them(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = _core.examine(CUT[kind])[1]
    assert refusal
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    assert Image.open(io.BytesIO(CUT[kind])).convert("RGB").size[0] > 0
    with pytest.raises(errors.DecodeError):
        decode(CUT[kind])
    assert _core.examine(CUT[kind])[1] == refusal


def test_pixels_do_not_depend_on_any_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [
        _encoded("PNG"),
        _encoded("GIF", mode="P"),
        _encoded("TIFF", compression="tiff_lzw"),
        small_jpeg(3, 90, 70)[:-300] + b"\xff\xd9",  # rows are missing
    ]
    expected = [decode(data) for data in files]
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    monkeypatch.setattr(GifImagePlugin, "LOADING_STRATEGY", GifImagePlugin.LoadingStrategy.RGB_ALWAYS)
    monkeypatch.setattr(PngImagePlugin, "MAX_TEXT_CHUNK", 1)
    monkeypatch.setattr(ImageFile, "MAXBLOCK", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for data, pixels in zip(files, expected, strict=True):
            np.testing.assert_array_equal(decode(data), pixels)


def test_a_bomb_is_refused_also_where_the_program_allows_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(_encoded("BMP"))
    data[18:26] = (20000).to_bytes(4, "little") * 2
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(errors.DecodeError, match="decompression bomb"):
        decode(bytes(data))


@pytest.fixture
def decoding(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another thread is in the midst of decoding a file through Pillow as long as the test runs."""
    inside, leave = threading.Event(), threading.Event()
    real = _pillow.Image.Image.convert

    def convert_image(self: Image.Image, *args: Any, **options: Any) -> Image.Image:
        inside.set()
        leave.wait(20)
        return real(self, *args, **options)

    monkeypatch.setattr(_pillow.Image.Image, "convert", convert_image)
    thread = threading.Thread(target=decode, args=(_encoded("PNG"),))
    thread.start()
    assert inside.wait(20)
    yield
    leave.set()
    thread.join()


@pytest.mark.usefixtures("decoding")
def test_other_threads_see_their_own_settings_while_an_image_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4000)
    with pytest.warns(Image.DecompressionBombWarning):
        assert Image.open(io.BytesIO(CUT["BMP"])).convert("L").size == (90, 70)
    with pytest.warns(UserWarning, match="hello"):
        warnings.warn("hello", stacklevel=1)


def test_filters_of_warnings_are_as_they_were_while_and_after_images_are_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(tmp_path / "src", {"a/1.png": _encoded("PNG"), "b/2.jpg": small_jpeg(1)})
    seen = []
    real = _pillow.Image.Image.convert

    def convert_image(self: Image.Image, *args: Any, **options: Any) -> Image.Image:
        seen.append(list(warnings.filters))
        return real(self, *args, **options)

    monkeypatch.setattr(_pillow.Image.Image, "convert", convert_image)
    before = list(warnings.filters)
    convert(tmp_path / "src", tmp_path / "dst")
    assert seen == [before]
    assert warnings.filters == before


def test_a_format_that_a_plug_in_adds_to_pillow_is_decoded_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dots(ImageFile.ImageFile):
        format = "DOTS"

        def _open(self) -> None:
            assert self.fp is not None
            if self.fp.read(4) != b"DOTS":
                raise SyntaxError("no dots")
            self._size, self._mode = (4, 3), "RGB"
            self.tile = [("raw", (0, 0, 4, 3), 4, ("RGB", 0, 1))]  # type: ignore[list-item, unused-ignore]

    data = b"DOTS" + bytes(range(36))
    with pytest.raises(errors.DecodeError, match="cannot identify"):
        decode(data)
    monkeypatch.setattr(PIL.Image, "ID", [*PIL.Image.ID, "DOTS"])
    monkeypatch.setitem(PIL.Image.OPEN, "DOTS", (Dots, lambda prefix: prefix.startswith(b"DOTS")))
    np.testing.assert_array_equal(decode(data), np.arange(36, dtype=np.uint8).reshape(3, 4, 3))
    with pytest.raises(errors.DecodeError, match="cannot identify"):
        decode(b"none of them")
