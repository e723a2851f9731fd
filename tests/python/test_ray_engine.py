"""Conversions on a Ray cluster of two nodes: the same bytes, also when nodes and processes die."""

from __future__ import annotations

import gzip
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from archives import tar_of_tars
from folders import small_jpeg, snapshot, write_tree
from gated import GatedSource, object_store

from fastinet import errors
from fastinet.conversion import Extent, Sample, Survey, convert
from fastinet.conversion.engines.ray import RayEngine, _work
from fastinet.conversion.engines.select import open_engine
from fastinet.format.manifest import ClassInfo

ray = pytest.importorskip("ray", reason="Ray is not installed: conversion on a cluster is unproven here")

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

MEMORY = 100 << 20  # of a node's object store


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    told = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "FASTINET_TEST_OBJECTS": str(tmp_path_factory.mktemp("objects")),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),  # for the workers
    }
    with pytest.MonkeyPatch.context() as patched:
        for name, value in told.items():
            patched.setenv(name, value)
        head = {"num_cpus": 1, "object_store_memory": MEMORY, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        cluster.add_node(num_cpus=1, object_store_memory=MEMORY)
        cluster.wait_for_nodes()
        yield cluster
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture
def engine(cluster: Any) -> RayEngine:
    return RayEngine(cluster.address)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    return write_tree(folder, {f"{i}.jpg": small_jpeg(i) for i in range(8)})


@pytest.fixture(scope="module")
def wanted(images: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The images by threads of this process."""
    source = GatedSource(images, tmp_path_factory.mktemp("open"))
    source.open()
    dst = tmp_path_factory.mktemp("wanted")
    convert(source, dst, shard_size="2")
    return snapshot(dst)


def while_running(act: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=act)
    thread.start()
    return thread


def test_the_cluster_writes_the_bytes_that_threads_write(
    cluster: Any, engine: RayEngine, tmp_path: Path
) -> None:
    files = {
        f"{split}/c{c}/{i}.jpg": small_jpeg(i) for split in ("train", "val") for c in "ab" for i in range(3)
    }
    src = write_tree(tmp_path / "src", files)
    local = convert(src, tmp_path / "local", shard_size="2")
    report = convert(src, tmp_path / "ray", shard_size="2", engine=engine)
    assert snapshot(tmp_path / "ray") == snapshot(tmp_path / "local")
    assert report.splits == local.splits
    assert report.fresh_records == 12
    assert len(ray.nodes()) == 2
    assert convert(src, tmp_path / "ray", shard_size="2", engine="ray").already_complete


def test_a_stream_that_only_the_driver_can_read_travels_with_its_tasks(
    engine: RayEngine, tmp_path: Path
) -> None:
    synsets = {f"n0000000{c}": {f"n0000000{c}_{i}.JPEG": small_jpeg(i) for i in range(3)} for c in range(3)}
    tar = tmp_path / "winter21_whole.tar.gz"
    tar.write_bytes(gzip.compress(tar_of_tars(synsets)))
    convert(tar, tmp_path / "local", shard_size="2")
    convert(tar, tmp_path / "ray", shard_size="2", engine=engine)
    assert snapshot(tmp_path / "ray") == snapshot(tmp_path / "local")


def test_a_process_that_is_killed_is_replaced_and_its_shard_written_anew(
    engine: RayEngine, images: Path, wanted: dict[str, str], tmp_path: Path
) -> None:
    source = GatedSource(images, tmp_path / "gate")
    source.open()
    source.kill_one()
    convert(source, tmp_path / "dst", shard_size="2", engine=engine)
    assert snapshot(tmp_path / "dst") == wanted
    assert 9 <= len(source.reads()) <= 10


def test_a_shard_that_is_lost_too_often_is_an_error_and_the_run_can_go_on(
    cluster: Any, engine: RayEngine, images: Path, wanted: dict[str, str], tmp_path: Path
) -> None:
    source = GatedSource(images, tmp_path / "gate")
    source.open()
    source.kill_one()
    with pytest.raises(
        errors.StateError, match=r"train-00000\d.tar: abandoned: .* repeated 0 times: "
    ) as caught:
        convert(source, tmp_path / "dst", shard_size="2", engine=RayEngine(cluster.address, max_retries=0))
    assert (caught.value.path or "").startswith(str(tmp_path / "dst" / "train"))
    convert(source, tmp_path / "dst", shard_size="2", engine=engine)
    assert snapshot(tmp_path / "dst") == wanted


def test_an_error_of_the_conversion_is_the_same_as_without_a_cluster_and_not_tried_again(
    engine: RayEngine, tmp_path: Path
) -> None:
    folder = write_tree(tmp_path / "src", {"0.jpg": small_jpeg(0), "1.jpg": b"no image"})
    source = GatedSource(folder, tmp_path / "gate")
    source.open()
    with pytest.raises(errors.DecodeError) as local:
        convert(source, tmp_path / "local")
    with pytest.raises(errors.DecodeError) as caught:
        convert(source, tmp_path / "ray", engine=engine)
    assert type(caught.value) is errors.DecodeError
    assert str(caught.value) == str(local.value)
    assert (caught.value.path, caught.value.key) == (local.value.path, local.value.key) == ("1.jpg", "1")
    assert source.reads() == ["0", "0", "1", "1"]
    assert not [path for path in (tmp_path / "ray").rglob("*") if "run" in path.name]
    skipped = convert(source, tmp_path / "skip", on_bad="skip", engine=engine).splits["train"]
    assert [file for file, _ in skipped.bad] == ["1.jpg"]


def test_ctrl_c_stops_the_tasks_and_the_same_command_goes_on(
    engine: RayEngine, images: Path, wanted: dict[str, str], tmp_path: Path
) -> None:
    source = GatedSource(images, tmp_path / "gate")

    def act() -> None:
        source.wait_for_reads(2)
        os.kill(os.getpid(), signal.SIGINT)

    thread = while_running(act)
    with pytest.raises(KeyboardInterrupt):
        convert(source, tmp_path / "dst", shard_size="2", engine=engine)
    thread.join()
    assert set(snapshot(tmp_path / "dst")) == {
        ".fastinet-convert",
        ".fastinet-convert/lock",
        ".fastinet-convert/settings.json",
        "train",
    }
    deadline = time.monotonic() + 30
    while ray.available_resources().get("CPU", 0) < 2:
        assert time.monotonic() < deadline, "a task still holds its CPU"
        time.sleep(0.1)
    source.open()
    convert(source, tmp_path / "dst", shard_size="2", engine=engine)
    assert snapshot(tmp_path / "dst") == wanted


def test_the_cluster_writes_to_an_object_store(
    engine: RayEngine, images: Path, tmp_path: Path, wanted: dict[str, str]
) -> None:
    source = GatedSource(images, tmp_path / "gate")
    source.open()
    convert(source, "objects://bucket/ray", shard_size="2", engine=engine)
    convert(source, tmp_path / "local", shard_size="2")
    there = (tmp_path / "local" / "train").iterdir()
    assert object_store.contents("bucket/ray/train") == {file.name: file.read_bytes() for file in there}


def test_a_node_that_does_not_see_the_source_takes_no_image_for_a_bad_one(
    engine: RayEngine, tmp_path: Path
) -> None:
    class Elsewhere:
        kind, location, splits, classes = "elsewhere", "/elsewhere", ("train",), (ClassInfo("a"),)

        def survey(self, split: str) -> Survey:
            return Survey(1)

        def samples(self, split: str) -> Iterator[Sample]:
            yield Sample("a", Extent("/elsewhere/a.jpg"), 0, 100, "a.jpg", stamp=1)

    expected = (
        r"/elsewhere/a.jpg: not found on \S+: every machine .* the source under the same path, on a shared"
    )
    with pytest.raises(errors.MissingFileError, match=expected):
        convert(Elsewhere(), tmp_path / "dst", on_bad="skip", engine=engine)


def test_a_node_with_another_version_is_refused() -> None:
    answer: Any = _work("0.0.1", None)  # type: ignore[arg-type]
    assert isinstance(answer, errors.UnsupportedError)
    assert "another version of fastinet: expected 0.0.1" in str(answer)


def test_wrong_engines_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.ArgumentError, match="engine must be one of local, ray, not 'dask'"):
        open_engine("dask")
    with pytest.raises(errors.ArgumentError, match="requires the engine ray"):
        open_engine("local", address="host:6379")
    for options in ({"workers": 0}, {"max_retries": -2}):
        with pytest.raises(errors.ArgumentError, match=next(iter(options))):
            RayEngine(**options)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(errors.StateError, match=f"no Ray cluster answers at {address}: .*refused"):
        RayEngine(address)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(errors.UnsupportedError, match=r"pip install 'fastinet\[ray\]'"):
        open_engine("ray")


def test_a_node_that_dies_half_way_costs_nothing_but_its_shards_at_work(
    cluster: Any, engine: RayEngine, images: Path, wanted: dict[str, str], tmp_path: Path
) -> None:
    source = GatedSource(images, tmp_path / "gate")
    doomed = cluster.list_all_nodes()[1]

    def act() -> None:
        source.wait_for_reads(2)  # one on each node
        cluster.remove_node(doomed, allow_graceful=False)
        while all(psutil.pid_exists(process) for process in source.readers()):
            time.sleep(0.02)
        source.open()

    thread = while_running(act)
    convert(source, tmp_path / "dst", shard_size="2", engine=engine)
    thread.join()
    assert snapshot(tmp_path / "dst") == wanted
    assert len(source.reads()) == 9, "eight images, and the one that was being read on the node that died"
