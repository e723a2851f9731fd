"""Shards in a folder: attempts that overlap, runs that were given up, machines that do not see it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from folders import small_jpeg, snapshot, write_tree

from fastinet import errors
from fastinet.conversion import ImageFolder, convert
from fastinet.conversion.shard_plan import ShardLimits, cut
from fastinet.conversion.shard_task import ShardTask, WriteSettings
from fastinet.conversion.write_shard import write_shard
from fastinet.storage.open import open_store


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "src", {f"c/{i}.jpg": small_jpeg(i) for i in range(6)})


def ignore(records: int, size: int) -> None:
    pass


def test_attempts_at_one_shard_at_the_same_time_all_end_well_with_the_same_bytes(
    source: Path, tmp_path: Path
) -> None:
    convert(source, tmp_path / "wanted")
    plan = next(iter(cut(ImageFolder(source).samples("train"), ShardLimits())))
    store = open_store(tmp_path / "dst")
    barrier = threading.Barrier(4)
    results = []
    with store.claimed() as run:
        store.prepare(run, "train")
        task = ShardTask("train-000000", "train", plan, store, run, WriteSettings())

        def attempt() -> None:
            barrier.wait()
            results.append(write_shard(task, ignore, lambda: False))

        threads = [threading.Thread(target=attempt) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(results) == 4
        assert all(result == results[0] for result in results)
    wanted = snapshot(tmp_path / "wanted")
    there = snapshot(tmp_path / "dst" / "train")
    assert there == {name: wanted[f"train/{name}"] for name in ("train-000000.tar", "train-000000.idx")}


def test_a_task_of_a_run_that_was_given_up_cannot_replace_a_newer_shard(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with store.claimed() as old:
        store.prepare(old, "train")
        late = store.staged(old, ["train/a.tar", "train/a.idx"])
        paths = late.__enter__()
        for path in paths:
            Path(path).write_bytes(b"old")
    with store.claimed() as new:
        store.prepare(new, "train")
        with store.staged(new, ["train/a.tar"]) as (path,):
            Path(path).write_bytes(b"new")
        with pytest.raises(errors.StateError, match="another run has taken over this place"):
            late.__exit__(None, None, None)
        with pytest.raises(errors.StateError, match="another run"), store.staged(old, ["train/a.tar"]):
            pytest.fail("is refused at once")
        assert store.read("train/a.tar") == b"new"
        assert set(store.entries("train")) == {"a.tar", f".fastinet-run-{new}"}
    assert set(store.entries("train")) == {"a.tar"}


def test_the_start_of_a_run_leaves_the_temporaries_of_its_own_tasks_alone(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with store.claimed() as run:
        store.prepare(run, "train")
        with store.staged(run, ["train/a.tar"]) as (path,):
            Path(path).write_bytes(b"1")
            store.prepare(run, "val")
            with pytest.raises(errors.StateError), open_store(tmp_path).claimed():
                pytest.fail("another process is at work")
        assert store.read("train/a.tar") == b"1"


def test_of_an_attempt_that_fails_nothing_remains_and_errors_tell_the_final_name(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with store.claimed() as run:
        store.prepare(run, "train")
        refusal = pytest.raises(errors.ShardIOError)
        with refusal as caught, store.staged(run, ["train/a.tar"]) as (path,):
            Path(path).write_bytes(b"1")
            raise errors.ShardIOError(f"{path}: cannot write", path=path, errno=28)
        assert str(caught.value) == f"{tmp_path}/train/a.tar: cannot write"
        assert caught.value.path == f"{tmp_path}/train/a.tar"
        assert caught.value.errno == 28
        assert list((tmp_path / "train" / f".fastinet-run-{run}").iterdir()) == []


def test_a_machine_without_the_destination_says_so(tmp_path: Path) -> None:
    store = open_store(tmp_path / "dst")
    expected = r"dst: not found on \S+: every machine that takes part must see the destination"
    with pytest.raises(errors.MissingFileError, match=expected), store.staged("0123", ["train/a.tar"]):
        pytest.fail("is refused at once")
    assert not (tmp_path / "dst").exists()
