"""fastinet.verify: every fault is found and named, and none is invented."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from folders import small_jpeg, write_tree

import fastinet
from fastinet import errors
from fastinet.verification import VerifyReport


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("verify")
    write_tree(
        root / "src", {f"{s}/c{i % 2}/{i}.jpg": small_jpeg(i) for s in ("train", "val") for i in range(6)}
    )
    fastinet.convert(root / "src", root / "dst", shard_size="3")
    return root / "dst"


@pytest.fixture
def dataset(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound, tmp_path / "dst")
    return tmp_path / "dst"


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def kinds(report: VerifyReport) -> list[tuple[type, str]]:
    return [(type(problem), Path(problem.path or "").name) for problem in report.problems]


@pytest.mark.parametrize("decode", [False, True])
def test_an_intact_dataset_has_no_problems_and_is_read_completely(sound: Path, decode: bool) -> None:
    report = fastinet.verify(sound, decode=decode)
    assert report.ok
    assert (report.splits, report.shards, report.records) == (2, 4, 12)
    assert report.decoded == (12 if decode else 0)
    assert report.payload_bytes == sum(len(small_jpeg(i)) for i in range(6)) * 2
    assert fastinet.verify(sound / "train").records == 6


def test_a_flipped_byte_in_a_payload_names_shard_and_record(dataset: Path) -> None:
    tar = dataset / "train" / "train-000001.tar"
    flip(tar, tar.read_bytes().index(b"\xff\xd8\xff") + 300)
    report = fastinet.verify(dataset)
    assert kinds(report) == [(errors.ChecksumError, "train-000001.tar")] * 2  # the payload, and the whole tar
    assert (report.problems[0].record, report.problems[0].key) == (0, "c1/1")
    assert report.records == 12


def test_every_single_byte_of_tar_sidecar_and_manifest_is_covered(dataset: Path) -> None:
    files = [dataset / "val" / name for name in ("val-000000.tar", "val-000000.idx", "dataset.json")]
    for file in files:
        whole = file.read_bytes()
        for at in [*range(0, len(whole), max(1, len(whole) // 40)), len(whole) - 1]:
            flip(file, at)
            report = fastinet.verify(dataset / "val")
            assert not report.ok, f"byte {at} of {file.name}"
            assert all(str(dataset) in str(problem) for problem in report.problems)
            file.write_bytes(whole)
    assert fastinet.verify(dataset).ok


def test_all_problems_are_reported_not_just_the_first(dataset: Path) -> None:
    (dataset / "train" / "train-000000.idx").unlink()
    tar = dataset / "train" / "train-000001.tar"
    tar.write_bytes(tar.read_bytes()[:-1024])
    flip(dataset / "val" / "dataset.json", 40)
    assert sorted(kinds(fastinet.verify(dataset)), key=lambda kind: kind[1]) == [
        (errors.ChecksumError, "dataset.json"),
        (errors.MissingFileError, "train-000000.idx"),
        (errors.TruncatedError, "train-000001.tar"),
    ]


def test_decoding_finds_records_that_are_intact_but_not_images(tmp_path: Path) -> None:
    write_tree(tmp_path / "src", {"a/good.jpg": small_jpeg(1), "a/noise.jpg": b"no image"})
    fastinet.convert(tmp_path / "src", tmp_path / "dst", on_bad="keep")
    assert fastinet.verify(tmp_path / "dst").ok
    report = fastinet.verify(tmp_path / "dst", decode=True)
    assert kinds(report) == [(errors.DecodeError, "train-000000.tar")]
    assert (report.problems[0].key, report.problems[0].record, report.decoded) == ("a/noise", 1, 1)


def test_a_place_without_a_dataset_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(errors.MissingFileError, match=r"no dataset\.json here"):
        fastinet.verify(tmp_path)
