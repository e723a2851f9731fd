"""Where memory is short nothing is known of the image: it is never taken for damaged, nor left out."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from folders import small_jpeg, write_tree
from images import photo
from PIL import Image
from splits import write_split
from test_index import write_tar

import fastinet
from fastinet import _core, convert, decode, errors
from fastinet import transforms as T  # noqa: N812
from fastinet.conversion.index import index
from fastinet.images import pillow as _pillow
from fastinet.images.normalise import to_rgb_jpeg
from fastinet.images.reencode import Reencoding


def _png(seed: int = 1, width: int = 40, height: int = 30) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(photo(seed, width, height)).save(stream, "PNG")
    return stream.getvalue()


def _wrapped() -> None:
    try:
        raise MemoryError
    except MemoryError as error:
        raise OSError("cannot load this image") from error


def _plain() -> None:
    raise MemoryError


def _codec() -> None:
    raise OSError("out of memory when reading image file")


SHORTAGES = {"MemoryError": _plain, "its consequence": _wrapped, "a codec's word for it": _codec}


@pytest.fixture(params=SHORTAGES)
def short_of_memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it, and Pillow has no memory for any image until the test ends."""

    def convert_image(*_: Any, **__: Any) -> Any:
        SHORTAGES[request.param]()

    return lambda: monkeypatch.setattr(_pillow.Image.Image, "convert", convert_image)


@pytest.mark.parametrize("on_bad", ["fail", "skip", "keep"])
def test_a_conversion_stops_and_later_goes_on_with_every_image(
    tmp_path: Path, short_of_memory: Callable[[], None], on_bad: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"a/{i}.jpg": small_jpeg(i) for i in range(5)} | {f"b/{i}.png": _png(i) for i in range(5)}
    write_tree(tmp_path / "src", files)
    short_of_memory()
    with pytest.raises(MemoryError):
        convert(tmp_path / "src", tmp_path / "dst", on_bad=on_bad, shard_size="3")
    monkeypatch.undo()
    report = convert(tmp_path / "src", tmp_path / "dst", on_bad=on_bad, shard_size="3")
    assert (report.records, report.splits["train"].bad) == (10, [])


@pytest.mark.parametrize("on_bad", ["fail", "skip", "keep"])
def test_indexing_stops(tmp_path: Path, short_of_memory: Callable[[], None], on_bad: str) -> None:
    write_tar(tmp_path / "x.tar", [("a.jpg", small_jpeg(1)), ("b.png", _png())])
    short_of_memory()
    with pytest.raises(MemoryError):
        index(tmp_path, on_bad=on_bad)


@pytest.mark.parametrize("on_error", ["raise", "skip", "substitute"])
def test_loading_stops_whatever_is_to_become_of_bad_records(
    tmp_path: Path, short_of_memory: Callable[[], None], on_error: Any
) -> None:
    folder = write_split(tmp_path / "train", [("good", small_jpeg(1), 0), ("png", _png(), 1)])
    short_of_memory()
    with fastinet.Loader(folder, 1, [T.Resize((16, 16))], on_error=on_error) as loader:
        with pytest.raises(MemoryError):
            list(loader)
        assert (loader.stats["skipped"], loader.stats["substituted"]) == (0, 0)


def test_decoding_normalising_and_re_encoding_say_so(short_of_memory: Callable[[], None]) -> None:
    short_of_memory()
    for call in (decode, _core.examine, to_rgb_jpeg, Reencoding(max_side=10).apply):
        with pytest.raises(MemoryError):
            call(_png())


def test_libjpeg_that_has_no_memory_is_not_followed_by_pillow_whose_word_for_it_is_damage(
    tmp_path: Path,
) -> None:
    (tmp_path / "x.jpg").write_bytes(small_jpeg(1, 400, 300, progressive=True))
    script = """
        import sys
        from fastinet import _core, decode
        data = open(sys.argv[1], "rb").read()
        for call in (decode, _core.examine):
            try:
                call(data)
            except MemoryError:
                print(call.__name__)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "x.jpg")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "JPEGMEM": "1"},
    )
    assert done.stdout == "decode\nexamine\n"


def test_an_address_space_that_is_too_small_stops_a_conversion_that_leaves_out_bad_files(
    tmp_path: Path,
) -> None:
    big = io.BytesIO()
    Image.new("RGB", (9000, 9000), "red").save(big, "PNG")
    write_tree(tmp_path / "src", {"a/big.png": big.getvalue(), "b/small.png": _png()})
    script = """
        import resource, sys
        import fastinet
        fastinet.convert(sys.argv[1], sys.argv[2] + "1", split="one", on_bad="skip", workers=1)  # loads all
        size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + (150 << 20),) * 2)
        try:
            print(fastinet.convert(sys.argv[1], sys.argv[2] + "2", on_bad="skip", workers=1).splits)
        except MemoryError:
            print("out of memory")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "src"), str(tmp_path / "dst")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "out of memory\n"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interruption_is_no_fault_of_an_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        raise kind

    folder = write_split(tmp_path / "train", [("png", _png(), 0)])
    write_tree(tmp_path / "src", {"a/1.png": _png()})
    monkeypatch.setattr(_pillow.Image.Image, "convert", interrupted)
    with pytest.raises(kind):
        decode(_png())
    with pytest.raises(kind):
        convert(tmp_path / "src", tmp_path / "dst", on_bad="skip")
    with (
        fastinet.Loader(folder, 1, [T.Resize((16, 16))], on_error="skip") as loader,
        pytest.raises(kind),
    ):
        list(loader)


@pytest.mark.parametrize("error", [ValueError(), OSError(" "), SyntaxError(""), RecursionError()])
def test_a_reason_is_never_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    name = str(error).strip() or type(error).__name__
    monkeypatch.setattr(_pillow.Image.Image, "convert", fail)
    with pytest.raises(errors.DecodeError, match=f"Pillow cannot decode the image: {name}"):
        decode(_png())
    assert _core.examine(_png())[1] == f"damaged PNG; Pillow says: {name}"
    assert to_rgb_jpeg(_png()) == f"cannot become a JPEG: {name}"
    with pytest.raises(errors.DecodeError, match=f"cannot re-encode: {name}"):
        Reencoding(max_side=10).apply(_png())
