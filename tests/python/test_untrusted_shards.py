"""Sidecars and shards that lie, change, or are no files: an error that says so, never another sample."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from images import encode, photo
from PIL import Image
from splits import jpeg_items, write_split
from test_faults import run_script

import fastinet
from fastinet import _core, errors
from fastinet import transforms as T  # noqa: N812
from fastinet.format import manifest

HEADER, SECTION, RECORD, HEAD_HASH = 72, 32, 80, 64
FIELDS = {
    "payload_offset": 0,
    "entry_points_offset": 24,
    "payload_size": 36,
    "label": 40,
    "width": 44,
    "height": 48,
    "flags": 52,
    "key_offset": 56,
    "boxes_offset": 64,
}
POLICIES = ("raise", "skip", "substitute")
COUNT = 21


def at(index: bytes | bytearray, record: int, field: str) -> int:
    return HEADER + SECTION * int(struct.unpack_from("<I", index, 52)[0]) + RECORD * record + FIELDS[field]


def change(folder: Path, shard: int, edit: Callable[[bytearray], None]) -> Path:
    """Edits a sidecar, puts its checksum right, and the manifest's."""
    told = manifest.read(folder)
    info = told.shards[shard]
    path = folder / info.index_path
    index = bytearray(path.read_bytes())
    edit(index)
    records, sections = struct.unpack_from("<Q", index, 16)[0], struct.unpack_from("<I", index, 52)[0]
    head = HEADER + SECTION * sections + RECORD * records
    index[HEAD_HASH:HEADER] = struct.pack("<Q", _core.xxh3(bytes(index[:HEAD_HASH] + index[HEADER:head])))
    path.write_bytes(index)
    shards = list(told.shards)
    shards[shard] = info._replace(index_xxh3=struct.unpack_from("<Q", index, HEAD_HASH)[0])
    manifest.write(folder, replace(told, shards=tuple(shards)))
    return path


def make(
    folder: Path | fastinet.Dataset, columns: tuple[str, ...] = ("index", "image"), **options: Any
) -> Any:
    transform = [T.RandomResizedCrop(16), T.RandomHorizontalFlip()]
    return fastinet.Loader(folder, 4, transform, columns=columns, dtype="uint8", threads=2, **options)


def records(loader: fastinet.Loader) -> list[int]:
    return [int(i) for batch in loader for i in batch[0]]


@pytest.fixture
def split(tmp_path: Path) -> Path:
    return write_split(tmp_path / "train", jpeg_items(COUNT))


@pytest.mark.parametrize(
    ("field", "policy"), [*((field, "skip") for field in FIELDS), ("label", "raise"), ("label", "substitute")]
)
def test_a_sidecar_written_in_place_is_an_error_under_every_policy(
    split: Path, field: str, policy: str
) -> None:
    with make(split, ("index", "image", "key"), on_error=policy) as loader:
        assert records(loader) == list(range(COUNT))
        with (split / "train-000001.idx").open("r+b") as file:
            file.seek(at(file.read(), 5, field))
            file.write(b"\xf0")
        with pytest.raises(
            errors.ChecksumError, match=r"train-000001\.idx: record 5: sidecar was changed after"
        ):
            records(loader)
    with pytest.raises(errors.ChecksumError, match="header or tables of the sidecar are damaged"):
        make(split).dataset.labels  # noqa: B018


def test_records_that_did_not_change_are_still_read(split: Path) -> None:
    dataset = fastinet.Dataset(split)
    record = dataset[12]
    with (split / "train-000001.idx").open("r+b") as file:
        file.seek(at(file.read(), 5, "payload_offset"))
        file.write(struct.pack("<Q", 1 << 45))
    with pytest.raises(errors.ChecksumError, match="record 5: sidecar was changed"):
        record.key  # noqa: B018
    assert len(record.payload) > 0  # what was looked up before the change is the same
    assert dataset[11].key == "n00000003/image 11"


def coded(kind: str, i: int) -> bytes:
    image = Image.fromarray(photo(i, 80, 60))
    if kind == "png":
        stream = io.BytesIO()
        image.save(stream, "PNG")
        return stream.getvalue()
    return encode(image, progressive=kind == "progressive")


@pytest.mark.parametrize(("width", "height"), [(80, 40), (80, 61), (79, 60), (60, 80), (200, 200)])
@pytest.mark.parametrize("kind", ["baseline", "progressive", "png"])
def test_a_recorded_size_that_is_not_the_images_is_that_records_error(
    tmp_path: Path, kind: str, width: int, height: int
) -> None:
    folder = write_split(tmp_path / "train", [(f"k{i}", coded(kind, i), 0) for i in range(6)], per_shard=6)

    def lie(index: bytearray) -> None:
        struct.pack_into("<II", index, at(index, 4, "width"), width, height)

    change(folder, 0, lie)
    told = (
        r"train-000000\.tar: record 4 \(k4\): image has another size than the sidecar says: "
        f"expected width {width}, height {height}, found width 80, height 60"
    )
    with make(folder) as loader, pytest.raises(errors.FormatError, match=told) as caught:
        records(loader)
    assert caught.value.record == 4
    with make(folder, on_error="skip") as loader:
        assert records(loader) == [0, 1, 2, 3, 5]
        assert "image has another size" in loader.stats["reasons"][0]
    with make(folder, on_error="substitute") as loader:
        assert records(loader) == [0, 1, 2, 3, 5, 5]
        assert loader.stats["substituted"] == 1


@pytest.mark.parametrize("kind", ["baseline", "progressive"])
def test_windows_for_other_decoders_are_of_the_images_size_too(tmp_path: Path, kind: str) -> None:
    folder = write_split(tmp_path / "train", [(f"k{i}", coded(kind, i), 0) for i in range(5)])
    change(folder, 0, lambda index: struct.pack_into("<I", index, at(index, 2, "height"), 30))
    with (
        make(folder, ("index",), pixels=False) as loader,
        pytest.raises(
            errors.FormatError, match=r"record 2 \(k2\): image has another size .*, found width 80, height 60"
        ),
    ):
        records(loader)


@pytest.mark.parametrize("policy", POLICIES)
def test_what_a_newer_version_wrote_is_not_supported_and_never_skipped(split: Path, policy: str) -> None:
    dataset = fastinet.Dataset(split)
    assert dataset[0].format == "JPEG"
    path = change(split, 1, lambda index: struct.pack_into("<I", index, at(index, 3, "flags"), 9 << 8 | 1))
    told = r"idx: record 3: payload has an encoding that this fastinet does not read: found encoding 9"
    with make(split, on_error=policy) as loader, pytest.raises(errors.UnsupportedError, match=told) as caught:
        records(loader)
    assert caught.value.path == str(path)
    change(split, 1, lambda index: struct.pack_into("<I", index, at(index, 3, "flags"), 1 << 20 | 1))
    with pytest.raises(
        errors.UnsupportedError, match="record 3: unknown flags, which this fastinet does not"
    ):
        fastinet.Dataset(split).labels  # noqa: B018


@pytest.mark.parametrize("policy", POLICIES)
def test_keys_and_boxes_are_never_read_from_a_damaged_section(tmp_path: Path, policy: str) -> None:
    folder = tmp_path / "train"
    write_split(folder, jpeg_items(COUNT))
    index = folder / "train-000001.idx"
    data = bytearray(index.read_bytes())
    data[data.index(b"n00000001/image 9")] ^= 2
    index.write_bytes(data)
    dataset = fastinet.Dataset(folder)
    told = r"train-000001\.idx: keys of the sidecar are damaged: expected XXH3 \w+, found \w+"
    for read in (
        lambda: list(dataset.keys),
        lambda: dataset[9].key,
        lambda: dataset.keys[10],
        lambda: repr(dataset[7]),
    ):
        with pytest.raises(errors.ChecksumError, match=told):
            read()
    assert dataset[0].key == "n00000000/image 0"
    assert dataset.labels.tolist() == [i % 4 for i in range(COUNT)]
    with make(dataset, on_error=policy) as loader:  # an epoch that needs no keys does not read them
        assert records(loader) == list(range(COUNT))
    with (
        make(dataset, ("key", "image"), on_error=policy) as loader,
        pytest.raises(errors.ChecksumError, match=told) as caught,
    ):
        list(loader)
    assert caught.value.record is None


@pytest.mark.parametrize("suffix", ["tar", "idx"])
@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_a_shard_that_is_no_regular_file_is_refused_without_waiting(
    split: Path, suffix: str, kind: str
) -> None:
    path = split / f"train-000001.{suffix}"
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    with make(split, on_error="skip") as loader, pytest.raises(errors.ShardIOError) as caught:
        records(loader)
    assert caught.value.path == str(path)
    assert f"train-000001.{suffix}: not a regular file" in str(caught.value)
    faults = _core.verify_shard(fastinet.dataset.dataset.shard_specs(split, manifest.read(split))[1], 0)[2]
    assert ["not a regular file" in str(fault) for fault in faults] == [True]


FAULTHANDLER = """
    import faulthandler, mmap
    dataset = fastinet.Dataset(folder)
    dataset[0].payload
    faulthandler.enable()
    {touch}
"""


def test_a_shard_that_shrinks_is_an_error_also_after_faulthandler_was_enabled(split: Path) -> None:
    touch = """
    os.truncate(folder + "/train-000000.tar", 600)
    os.truncate(folder + "/train-000001.idx", 64)
    for read in (lambda: dataset[5].payload, lambda: dataset[8], lambda: len(list(make()))):
        try:
            read()
        except errors.TruncatedError as e:
            print(str(e).rpartition("/")[2])
    """
    done = run_script(FAULTHANDLER.format(touch=touch), split)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("train-000000.tar: record 5: file has shrunk while it was read"), done.stderr
    assert "expected" in lines[1], lines
    assert len(lines) == 3


def test_a_fault_that_is_not_ours_still_reaches_faulthandler(split: Path, tmp_path: Path) -> None:
    touch = f"""
    dataset[1].payload
    other = open({str(tmp_path / "other")!r}, "w+b")
    other.truncate(8192)
    memory = mmap.mmap(other.fileno(), 8192)
    other.truncate(0)
    memory[0]
    """
    done = run_script(FAULTHANDLER.format(touch=touch), split)
    assert done.returncode < 0
    assert done.stderr.count("Fatal Python error: Bus error") == 1


def mapped(folder: Path) -> int:
    return Path("/proc/self/maps").read_text().count(str(folder))


@pytest.fixture
def few_shards() -> Any:
    before = _core.max_mapped_shards()
    _core.set_max_mapped_shards(3)
    yield
    _core.set_max_mapped_shards(before)


def test_datasets_of_the_same_files_share_their_mappings(split: Path) -> None:
    datasets = [fastinet.Dataset(split) for _ in range(4)]
    loaders = [make(dataset) for dataset in datasets]
    for loader in loaders:
        assert records(loader) == list(range(COUNT))
    assert mapped(split) == 2 * 3
    for loader in loaders:
        loader.close()
    del datasets, loaders, loader
    assert mapped(split) == 0


def test_a_loader_of_more_shards_than_may_be_mapped_delivers_every_sample(
    tmp_path: Path, few_shards: None
) -> None:
    folder = write_split(tmp_path / "train", jpeg_items(24), per_shard=2)
    with make(folder, ("index", "label", "key", "image"), shuffle=True) as loader, make(folder) as other:
        for _ in range(2):
            seen: dict[int, tuple[int, str]] = {}
            for index, label, key, _image in loader:
                seen |= {int(i): (int(a), k) for i, a, k in zip(index, label, key, strict=True)}
            assert seen == {i: (i % 4, f"n{i % 4:08d}/image {i}") for i in range(24)}
            assert records(other) == list(range(24))
        assert _core.mapped_shards() <= 3
        assert mapped(folder) <= 2 * 3


def test_a_dataset_opened_after_its_files_were_replaced_reads_the_new_ones(tmp_path: Path) -> None:
    folder = write_split(tmp_path / "a" / "train", jpeg_items(7))
    old = fastinet.Dataset(folder)
    before = bytes(old[0].payload)
    new = write_split(tmp_path / "b" / "train", jpeg_items(7, seed=3))
    for path in new.iterdir():
        path.replace(folder / path.name)
    after = fastinet.Dataset(folder)
    assert bytes(after[0].payload) == jpeg_items(7, seed=3)[0][1] != before
    assert bytes(old[0].payload) == before == jpeg_items(7)[0][1]
