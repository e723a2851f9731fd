"""The check of ImageNet's archives against the published MD5 sums."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from archives import tar_of, tar_of_tars, write
from click.testing import CliRunner
from folders import small_jpeg
from images import SHARED

from fastinet import cli, errors
from fastinet.conversion import convert
from fastinet.imagenet import official_sums
from fastinet.imagenet.official_sums import OFFICIAL_MD5, checked_sums, md5_of

TRAIN = "ILSVRC2012_img_train.tar"
VAL = "ILSVRC2012_img_val.tar"
DEVKIT = "ILSVRC2012_devkit_t12.tar.gz"


@pytest.fixture
def src(tmp_path: Path) -> Path:
    files = {f"n01440764_{i}.JPEG": small_jpeg(i) for i in range(4)}
    return write(tmp_path / "src", {TRAIN: tar_of_tars({"n01440764": files})})


def test_an_archive_that_is_not_the_published_one_makes_no_dataset(src: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.ChecksumError, match=f"{TRAIN}: not the file.*{OFFICIAL_MD5[TRAIN]}") as caught:
        convert(src, tmp_path / "dst", check_md5=True)
    assert caught.value.found == hashlib.md5((src / TRAIN).read_bytes()).hexdigest()
    assert not (tmp_path / "dst" / "train" / "dataset.json").exists()
    result = CliRunner().invoke(cli.cli, ["convert", str(src), str(tmp_path / "dst"), "--check-md5"])
    assert result.exit_code == cli.errors.BAD_DATA


def test_an_archive_with_the_published_sum_is_converted(
    src: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sum_of_replica = hashlib.md5((src / TRAIN).read_bytes()).hexdigest()
    monkeypatch.setattr(official_sums, "OFFICIAL_MD5", {TRAIN: sum_of_replica})
    assert convert(src, tmp_path / "dst", check_md5=True).records == 4


def test_the_sums_are_checked_also_where_the_dataset_is_complete(
    src: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert(src, tmp_path / "dst")
    with pytest.raises(errors.ChecksumError, match=f"{TRAIN}: not the file"):
        convert(src, tmp_path / "dst", check_md5=True)
    sum_of_replica = hashlib.md5((src / TRAIN).read_bytes()).hexdigest()
    monkeypatch.setattr(official_sums, "OFFICIAL_MD5", {TRAIN: sum_of_replica})
    assert convert(src, tmp_path / "dst", check_md5=True).already_complete


def test_the_real_devkit_is_checked_beside_the_archives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit = SHARED / "imagenet-meta" / DEVKIT
    if not kit.is_file():
        pytest.skip("the real devkit is not here")
    images = tar_of({f"ILSVRC2012_val_{i:08d}.JPEG": small_jpeg(i) for i in (1, 2)})
    src = write(tmp_path / "src", {VAL: images, DEVKIT: kit.read_bytes()})
    with pytest.raises(errors.ChecksumError) as caught:
        convert(src, tmp_path / "dst", check_md5=True)
    found = hashlib.md5(images).hexdigest()
    assert str(caught.value) == (
        f"{src / VAL}: not the file that image-net.org publishes: "
        f"expected MD5 {OFFICIAL_MD5[VAL]}, found {found}"
    )
    monkeypatch.setitem(OFFICIAL_MD5, VAL, found)  # type: ignore[arg-type]
    assert convert(src, tmp_path / "dst", check_md5=True).records == 2
    write(src, {DEVKIT: kit.read_bytes() + b"\0"})
    with pytest.raises(
        errors.ChecksumError, match=f"{DEVKIT}: not the file.*expected MD5 fa75699e90414af021442c21a62c3abf"
    ):
        convert(src, tmp_path / "other", check_md5=True)


def test_an_archive_without_a_published_sum_is_named_before_anything_is_read(tmp_path: Path) -> None:
    unknown = "ILSVRC2012_img_test_v1.tar"
    files = {"n01440764": {"n01440764_1.JPEG": small_jpeg(1)}}
    src = write(
        tmp_path / "src",
        {TRAIN: tar_of_tars(files), unknown: tar_of({"ILSVRC2012_test_00000001.JPEG": small_jpeg(2)})},
    )
    with pytest.raises(
        errors.ArgumentError, match=f"no official MD5 sum to check: none is published for {unknown}$"
    ):
        convert(src, tmp_path / "dst", check_md5=True)


def test_a_source_without_published_sums_is_refused(tmp_path: Path) -> None:
    src = write(tmp_path / "src", {"n01440764.tar": tar_of({"a.JPEG": small_jpeg(1)})})
    with pytest.raises(errors.ArgumentError, match="no official MD5 sum to check"):
        convert(src, tmp_path / "dst", check_md5=True)


def test_the_check_ends_with_the_conversion_that_fails(src: Path) -> None:
    with pytest.raises(ValueError, match="of the block"), checked_sums([src / TRAIN]):
        raise ValueError("of the block")


def test_the_real_devkit_has_the_published_sum() -> None:
    kit = SHARED / "imagenet-meta" / "ILSVRC2012_devkit_t12.tar.gz"
    if not kit.is_file():
        pytest.skip("the real devkit is not here")
    assert md5_of(kit) == OFFICIAL_MD5[kit.name]
