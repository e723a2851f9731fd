"""Conversions that are killed, interrupted, starved of disk space, or run twice at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from folders import small_jpeg, snapshot, write_tree

from fastinet import errors
from fastinet.conversion import convert
from fastinet.conversion.workspace import Workspace
from fastinet.storage.open import open_store

# Runs `fastinet convert`, and sends itself a signal at the n-th event: a record written, a shard about to be
# begun, a note, report, manifest or settings about to be written, the journal about to be removed. Prints the
# number of events.
CHILD = """
import os, signal, sys
from fastinet import cli
from fastinet import progress
from fastinet.conversion import workspace, write_shard
from fastinet.storage.local import LocalStore
at, number = int(sys.argv.pop(1)), signal.Signals[sys.argv.pop(1)]
events = 0
def strikes(function):
    def wrapped(*args, **options):
        global events
        events += 1
        if events == at:
            os.kill(os.getpid(), number)
        return function(*args, **options)
    return wrapped
write_shard._CHUNK = 1
LocalStore.write = strikes(LocalStore.write)
LocalStore.prepare = strikes(LocalStore.prepare)
LocalStore.check = strikes(LocalStore.check)
workspace.Workspace.close = strikes(workspace.Workspace.close)
progress.Meter.advance = strikes(progress.Meter.advance)
try:
    cli.main()
finally:
    print(events, flush=True)
"""

OPTIONS = ["--shard-size", "4", "--workers", "2"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("source")
    return write_tree(root, {f"c{c}/{i}.jpg": small_jpeg(10 * c + i) for c in range(3) for i in range(8)})


@pytest.fixture(scope="module")
def undisturbed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    dst = tmp_path_factory.mktemp("undisturbed")
    convert(source, dst, shard_size="4")
    return snapshot(dst)


def run_child(source: Path, dst: Path, at: int, signal: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CHILD, str(at), signal, "convert", str(source), str(dst), *OPTIONS]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def temporaries(dst: Path) -> list[Path]:
    return [path for path in dst.rglob("*") if "tmp" in path.name]


def test_kill_9_at_ten_moments_loses_nothing_and_leaves_nothing_behind(
    source: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    whole = run_child(source, tmp_path / "whole", 0, "SIGKILL")
    assert whole.returncode == 0, whole.stderr
    assert snapshot(tmp_path / "whole") == undisturbed
    events = int(whole.stdout.split()[-1])
    moments = [1, 2, *(events * k // 7 for k in range(1, 6)), events - 2, events - 1, events]
    assert len(set(moments)) == 10
    fresh = []
    for moment in moments:
        dst = tmp_path / str(moment)
        assert run_child(source, dst, moment, "SIGKILL").returncode == -9
        report = convert(source, dst, shard_size="4")
        assert snapshot(dst) == undisturbed, f"killed at event {moment} of {events}"
        assert report.records == 24
        fresh.append(report.fresh_records)
    assert fresh[0] == 24
    assert fresh == sorted(fresh, reverse=True)
    assert fresh[-1] == 0


def test_a_killed_conversion_is_not_taken_for_a_dataset(source: Path, tmp_path: Path) -> None:
    assert run_child(source, tmp_path / "dst", 20, "SIGKILL").returncode == -9
    assert not (tmp_path / "dst" / "train" / "dataset.json").exists()
    with pytest.raises(
        errors.ArgumentError, match=r"interrupted conversion with other settings \(shard_size '4 "
    ):
        convert(source, tmp_path / "dst", shard_size="5")
    convert(source, tmp_path / "dst", shard_size="5", overwrite=True)
    convert(source, tmp_path / "fresh", shard_size="5")
    assert snapshot(tmp_path / "dst") == snapshot(tmp_path / "fresh")


def test_a_file_that_changed_since_the_crash_is_read_again(source: Path, tmp_path: Path) -> None:
    write_tree(
        tmp_path / "src", {p.relative_to(source).as_posix(): p.read_bytes() for p in source.rglob("*.jpg")}
    )
    assert run_child(tmp_path / "src", tmp_path / "dst", 25, "SIGKILL").returncode == -9
    (tmp_path / "src" / "c0" / "0.jpg").write_bytes(small_jpeg(99))
    for name in ("6", "7"):
        (tmp_path / "src" / "c2" / f"{name}.jpg").unlink()
    convert(tmp_path / "src", tmp_path / "dst", shard_size="4")
    convert(tmp_path / "src", tmp_path / "fresh", shard_size="4")
    assert snapshot(tmp_path / "dst") == snapshot(tmp_path / "fresh")


def test_shards_of_a_run_over_a_longer_source_do_not_remain(source: Path, tmp_path: Path) -> None:
    write_tree(
        tmp_path / "src", {p.relative_to(source).as_posix(): p.read_bytes() for p in source.rglob("*.jpg")}
    )
    assert run_child(tmp_path / "src", tmp_path / "dst", 30, "SIGKILL").returncode == -9
    for image in (tmp_path / "src" / "c2").iterdir():
        image.unlink()
    convert(tmp_path / "src", tmp_path / "dst", shard_size="4")
    convert(tmp_path / "src", tmp_path / "fresh", shard_size="4")
    assert snapshot(tmp_path / "dst") == snapshot(tmp_path / "fresh")


def test_ctrl_c_ends_cleanly_and_the_same_command_goes_on(
    source: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    child = run_child(source, tmp_path / "dst", 12, "SIGINT")
    assert child.returncode == 130
    assert "interrupted" in child.stderr
    assert "Traceback" not in child.stderr
    assert not temporaries(tmp_path / "dst")
    again = run_child(source, tmp_path / "dst", 0, "SIGINT")
    assert again.returncode == 0
    assert snapshot(tmp_path / "dst") == undisturbed


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small tmpfs")
def test_a_full_disk_is_an_error_that_names_the_file_and_the_run_can_go_on(
    source: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(disk)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {mounted.stderr.strip()}")
    try:
        with pytest.raises(errors.ShardIOError, match="No space left on device") as caught:
            convert(source, disk / "dst", shard_size="4")
        assert caught.value.path is not None
        assert caught.value.path.startswith(str(disk / "dst"))
        assert not temporaries(disk)
        subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)
        convert(source, disk / "dst", shard_size="4")
        assert snapshot(disk / "dst") == undisturbed
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_refused_write_is_an_error_that_names_the_file_and_the_run_can_go_on(
    source: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000)); "
        "from fastinet.cli import main; main()"
    )
    command = [sys.executable, "-c", script, "convert", str(source), str(tmp_path / "dst"), *OPTIONS]
    child = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert child.returncode == 4
    assert f"{tmp_path}/dst/train/train-00000" in child.stderr
    assert "File too large" in child.stderr
    assert "Traceback" not in child.stderr
    assert not temporaries(tmp_path / "dst")
    convert(source, tmp_path / "dst", shard_size="4")
    assert snapshot(tmp_path / "dst") == undisturbed


def test_two_conversions_into_one_folder_at_once_are_refused(source: Path, tmp_path: Path) -> None:
    refusal = pytest.raises(errors.StateError, match="another process is converting into it")
    with Workspace(open_store(tmp_path / "dst")).claimed(), refusal:
        convert(source, tmp_path / "dst")
    assert convert(source, tmp_path / "dst").records == 24
