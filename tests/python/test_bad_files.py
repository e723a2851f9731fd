"""A conversion that a bad file stopped goes on with another policy for such files."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from folders import members, small_jpeg, snapshot, write_tree

from fastinet import cli, convert, errors
from fastinet.format import manifest

BAD = b"no image at all"


@pytest.fixture
def src(tmp_path: Path) -> Path:
    """Four good images and a bad one, in five shards of one record."""
    files = {f"a/{i}.jpg": small_jpeg(i) for i in range(4)}
    return write_tree(tmp_path / "src", {**files, "a/2b.jpg": BAD})


def keys(dst: Path) -> list[str]:
    names = members(*sorted((dst / "train").glob("*.tar")))
    return [name for name in names if not name.endswith(".cls")]


def test_the_first_error_names_the_options_and_the_next_run_goes_on_with_one(
    src: Path, tmp_path: Path
) -> None:
    args = ["convert", str(src), str(tmp_path / "dst"), "--shard-size", "1", "--workers", "1"]
    first = CliRunner().invoke(cli.cli, args)
    assert first.exit_code == cli.errors.BAD_DATA
    assert first.output.rstrip().endswith(
        "Pillow says: cannot identify image file. --on-bad skip (on_bad=) leaves such files out and lists "
        "them, keep stores them as they are; finished shards are not written again"
    )
    assert f"fastinet: {src / 'a' / '2b.jpg'}: " in first.output
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "dst").rglob("*.tar")}
    assert len(written) >= 2
    second = CliRunner().invoke(cli.cli, [*args, "--on-bad", "skip"])
    assert second.exit_code == 0, second.output
    assert keys(tmp_path / "dst") == ["a/0.jpg", "a/1.jpg", "a/2.jpg", "a/3.jpg"]
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert manifest.read(tmp_path / "dst" / "train").created_by["on_bad"] == "skip"
    convert(src, tmp_path / "fresh", shard_size="1", on_bad="skip")
    assert snapshot(tmp_path / "dst") == snapshot(tmp_path / "fresh")


@pytest.mark.parametrize("policy", ["skip", "fail"])
def test_shards_that_another_policy_would_change_are_written_anew(
    src: Path, tmp_path: Path, policy: str
) -> None:
    (src / "a" / "gone.jpg").symlink_to("nowhere")
    with pytest.raises(
        errors.MissingFileError, match=r"gone\.jpg.*--on-bad skip \(on_bad=\) leaves such"
    ) as e:
        convert(src, tmp_path / "dst", shard_size="1", workers=1, on_bad="keep")
    assert "keep" not in str(e.value)
    assert b"no image" in (tmp_path / "dst" / "train" / "train-000003.tar").read_bytes()
    if policy == "fail":
        with pytest.raises(errors.DecodeError, match=r"2b\.jpg"):
            convert(src, tmp_path / "dst", shard_size="1", workers=1)
    report = convert(src, tmp_path / "dst", shard_size="1", workers=1, on_bad="skip")
    assert [origin for origin, _ in report.splits["train"].bad] == ["a/2b.jpg", "a/gone.jpg"]
    convert(src, tmp_path / "fresh", shard_size="1", on_bad="skip")
    assert snapshot(tmp_path / "dst") == snapshot(tmp_path / "fresh")


def test_other_settings_still_stop_a_run_that_would_go_on(src: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.DecodeError):
        convert(src, tmp_path / "dst", shard_size="1", workers=1)
    with pytest.raises(errors.ArgumentError, match=r"\(on_bad .*quality None there, 90 here\)"):
        convert(src, tmp_path / "dst", shard_size="1", quality=90, on_bad="skip")


def test_a_finished_dataset_without_bad_files_is_complete_under_any_policy(src: Path, tmp_path: Path) -> None:
    convert(src, tmp_path / "skipped", on_bad="skip")
    with pytest.raises(errors.ArgumentError, match="on_bad 'skip' there, 'keep' here"):
        convert(src, tmp_path / "skipped", on_bad="keep")
    (src / "a" / "2b.jpg").unlink()
    convert(src, tmp_path / "dst")
    assert convert(src, tmp_path / "dst", on_bad="skip").already_complete


def test_a_damaged_annotation_names_the_option_too(src: Path, tmp_path: Path) -> None:
    boxes = write_tree(tmp_path / "boxes", {"a/1.xml": b"<no>"})
    (src / "a" / "2b.jpg").unlink()
    with pytest.raises(errors.FormatError, match=r"not a PASCAL VOC annotation.*--on-bad skip \(on_bad=\)"):
        convert(src, tmp_path / "dst", boxes=boxes)
    assert convert(src, tmp_path / "dst", boxes=boxes, on_bad="skip").records == 4
