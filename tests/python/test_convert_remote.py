"""Conversions into an object store: the same files; killed, superseded, starved of space, refused."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import object_store
import pytest
from folders import small_jpeg, write_tree

import fastinet
from fastinet import errors
from fastinet.conversion import convert
from fastinet.format import manifest
from fastinet.storage import scratch
from fastinet.storage.open import open_store
from fastinet.storage.remote import RemoteStore

URL = "objects://bucket/imagenet"

# Runs `fastinet convert` into an object store, and kills itself at the n-th event: a record written, or a
# request to the store. Prints the number of events.
CHILD = """
import os, signal, sys
import object_store
from fastinet import cli, progress
from fastinet.conversion import write_shard
at = int(sys.argv.pop(1))
events = 0
def strikes(function):
    def wrapped(*args, **options):
        global events
        events += 1
        if events == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **options)
    return wrapped
write_shard._CHUNK = 1
progress.Meter.advance = strikes(progress.Meter.advance)
for name in ("cat_file", "pipe_file", "put_file", "rm_file"):
    setattr(object_store.ObjectStore, name, strikes(getattr(object_store.ObjectStore, name)))
try:
    cli.main()
finally:
    print(events)
"""


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store, and a scratch folder of this test alone, which is returned."""
    (tmp_path / "objects").mkdir()
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("FASTINET_TEST_OBJECTS", str(tmp_path / "objects"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    return tmp_path / "scratch"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("source")
    return write_tree(root, {f"c{c}/{i}.jpg": small_jpeg(10 * c + i) for c in range(2) for i in range(4)})


@pytest.fixture(scope="module")
def local(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files that a conversion into a folder makes."""
    dst = tmp_path_factory.mktemp("local")
    convert(source, dst, shard_size="2")
    return {p.relative_to(dst).as_posix(): p.read_bytes() for p in dst.rglob("*") if p.is_file()}


def stored() -> dict[str, bytes]:
    return object_store.contents("bucket/imagenet")


def run_child(source: Path, at: int, *options: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-c",
        CHILD,
        str(at),
        "convert",
        str(source),
        URL,
        "--shard-size",
        "2",
        "--workers",
        "1",
        *options,
    ]
    paths = [str(Path(__file__).parent), *sys.path]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in paths if p)},
    )


def test_an_object_store_gets_the_files_that_a_folder_gets(
    source: Path, local: dict[str, bytes], places: Path
) -> None:
    report = convert(source, URL, shard_size="2")
    assert stored() == local
    assert report.path == URL
    assert report.records == 8
    assert list(places.iterdir()) == []
    again = convert(source, f"{URL}/", shard_size="2")
    assert again.already_complete
    assert again.splits == report.splits


def test_values_in_the_place_of_labels_go_to_an_object_store_too(source: Path, tmp_path: Path) -> None:
    listing = tmp_path / "list.csv"
    rows = (f"{path},{i / 4}" for i, path in enumerate(sorted(source.rglob("*.jpg"))))
    listing.write_text("\n".join(("path,label", *rows)))
    convert(listing, tmp_path / "dst", labels_as="score", shard_size="3")
    convert(listing, URL, labels_as="score", shard_size="3")
    assert stored() == {
        p.relative_to(tmp_path / "dst").as_posix(): p.read_bytes()
        for p in (tmp_path / "dst").rglob("*")
        if p.is_file()
    }
    assert fastinet.Dataset(tmp_path / "dst").columns["score"][7] == 1.75


def test_memory_and_file_urls_work_too(source: Path, local: dict[str, bytes], tmp_path: Path) -> None:
    import fsspec

    convert(source, f"memory://{tmp_path.name}/x", shard_size="2")
    memory = fsspec.filesystem("memory")
    root = f"/{tmp_path.name}/x"
    assert {path[len(root) + 1 :]: memory.cat_file(path) for path in memory.find(root)} == local
    report = convert(source, f"file://{tmp_path}/folder", shard_size="2")
    assert report.path == tmp_path / "folder"
    assert fastinet.Dataset(tmp_path / "folder" / "train").keys[0] == "c0/0"


def test_kill_9_at_any_moment_is_made_good_by_the_same_command(
    source: Path, local: dict[str, bytes], places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run_child(source, 0)
    assert whole.returncode == 0, whole.stderr
    assert stored() == local
    events = int(whole.stdout.split()[-1])
    fresh = []
    for moment in (events // 5, events // 2, events):
        objects = tmp_path / f"objects {moment}"
        objects.mkdir()
        monkeypatch.setenv("FASTINET_TEST_OBJECTS", str(objects))
        assert run_child(source, moment).returncode == -9
        assert (f"train/{manifest.FILE_NAME}" in stored()) == (moment > events // 2)
        fresh.append(convert(source, URL, shard_size="2").fresh_records)
        assert stored() == local, f"killed at event {moment} of {events}"
        assert list(places.iterdir()) == []
    assert fresh == sorted(fresh, reverse=True)
    assert fresh[0] > fresh[-1]


def test_what_an_earlier_run_left_is_replaced_only_on_request(source: Path, local: dict[str, bytes]) -> None:
    convert(source, URL, shard_size="3")
    with pytest.raises(errors.ArgumentError, match=f"{URL}: contains a dataset .* choose another place"):
        convert(source, URL, shard_size="2")
    convert(source, URL, shard_size="2", overwrite=True)
    assert stored() == local


def test_a_place_with_other_things_is_refused(source: Path) -> None:
    store = open_store(URL)
    store.write("notes/todo.txt", b"buy milk")
    with pytest.raises(errors.ArgumentError, match=r"not empty, and not a fastinet dataset .*'notes'"):
        convert(source, URL)
    assert stored() == {"notes/todo.txt": b"buy milk"}


def test_a_run_that_has_been_superseded_puts_nothing_in_place(source: Path) -> None:
    store = open_store(URL)
    with store.claimed() as first, store.claimed() as second:
        store.prepare(first, "train")
        with store.staged(first, ["train/a.tar"]) as (path,):
            Path(path).write_bytes(b"first")
        refusal = pytest.raises(errors.StateError, match=rf"another run \(process {os.getpid()} on \S+\) has")
        with refusal, store.staged(first, ["train/a.tar"]) as (path,):
            Path(path).write_bytes(b"late")
            store.prepare(second, "train")
        with refusal, store.staged(first, ["train/a.tar"]):
            pytest.fail("is refused at once")
    assert store.read("train/a.tar") == b"first"


def test_a_shard_that_another_run_replaced_keeps_the_manifest_from_appearing(
    source: Path, local: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    put, done = object_store.ObjectStore.put_file, []

    def put_file(self: object_store.ObjectStore, lpath: str, rpath: str, **options: object) -> None:
        put(self, lpath, rpath)
        done.append(rpath)
        if len(done) == 8:  # the last of four shards' files: the upload of a slower run comes through
            self.pipe_file("bucket/imagenet/train/train-000000.tar", b"of another size")

    with monkeypatch.context() as patched:
        patched.setattr(object_store.ObjectStore, "put_file", put_file)
        with pytest.raises(errors.StateError, match=r"train-000000.tar: changed while .* found 15 bytes"):
            convert(source, URL, shard_size="2")
    assert f"train/{manifest.FILE_NAME}" not in stored()
    assert convert(source, URL, shard_size="2").fresh_records == 2
    assert stored() == local


def test_a_store_that_refuses_is_an_error_that_names_the_object(
    source: Path, local: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, places: Path
) -> None:
    def refuse(self: object_store.ObjectStore, lpath: str, rpath: str, **options: object) -> None:
        raise PermissionError(13, "Access Denied", rpath)

    with monkeypatch.context() as patched:
        patched.setattr(object_store.ObjectStore, "put_file", refuse)
        with pytest.raises(errors.ShardIOError, match="cannot upload: Access Denied") as caught:
            convert(source, URL, shard_size="2")
    assert (caught.value.path or "").startswith(f"{URL}/train/train-00000")
    assert caught.value.errno == 13
    assert list(places.iterdir()) == []
    convert(source, URL, shard_size="2")
    assert stored() == local


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small tmpfs")
def test_a_full_scratch_disk_is_an_error_that_names_the_file(
    source: Path, local: dict[str, bytes], places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(places)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {mounted.stderr.strip()}")
    try:
        with pytest.raises(errors.ShardIOError, match="No space left on device") as caught:
            convert(source, URL, shard_size="2")
        assert (caught.value.path or "").startswith(f"{places}/fastinet-scratch-")
    finally:
        subprocess.run(["umount", str(places)], check=True)
    convert(source, URL, shard_size="2")
    assert stored() == local


@pytest.mark.parametrize(
    ("url", "kind", "message"),
    [
        ("gopher://x/y", errors.ArgumentError, "gopher://x/y: Protocol not known: gopher"),
        ("s3://", errors.ArgumentError, "does not name a place in the store"),
        ("simplecache::s3://x/y", errors.ArgumentError, "chained URLs are not supported"),
        ("objects://bucket/run[1]", errors.ArgumentError, r"must not contain any of \* \? \[ \]"),
    ],
)
def test_urls_that_name_no_place_are_refused(
    source: Path, url: str, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        convert(source, url)


def test_a_source_cannot_be_a_url(tmp_path: Path) -> None:
    with pytest.raises(errors.UnsupportedError, match=f"{URL}: a source is read from a file system"):
        convert(URL, tmp_path / "dst")
    assert not (tmp_path / "dst").exists()


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch, source: Path) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(errors.UnsupportedError, match=r"pip install 'fastinet\[remote\]'"):
        convert(source, "s3://bucket/x")


def test_stores_travel_to_other_processes() -> None:
    store = open_store(URL)
    there = pickle.loads(pickle.dumps(store))
    store.write("a/b", b"1")
    assert isinstance(there, RemoteStore)
    assert there.read("a/b") == b"1"
    assert there.entries() == {"a": -1}
    assert there.entries("a") == {"b": 1}
    assert there.entries("nothing") == {}
    there.remove(["a/b", "a/c"])
    assert store.read("a/b") is None


def test_scratch_folders_of_dead_processes_are_removed_and_those_of_live_ones_are_not(places: Path) -> None:
    dead = places / "fastinet-scratch-dead"
    other = places / "somebody"
    for folder in (dead, other):
        folder.mkdir()
        (folder / "file").write_bytes(b"x")
    with scratch.scratch_folder() as mine, scratch.scratch_folder() as second:
        assert mine.is_dir()
        assert second != mine
        assert sorted(places.iterdir()) == sorted([mine, second, other])
    assert list(places.iterdir()) == [other]
