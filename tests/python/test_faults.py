"""Whatever goes wrong reaches the consumer as a typed error, at once, and nothing hangs."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from splits import Item, jpeg_items, write_split

import fastinet
from fastinet import errors
from fastinet import transforms as T  # noqa: N812

TRANSFORM = [T.RandomResizedCrop(16)]
BAD = 13  # the record that is broken; the seventh of the second shard
COUNT = 30


def make(folder: Path, batch_size: int = 4, **options: Any) -> fastinet.Loader:
    return fastinet.Loader(folder, batch_size, TRANSFORM, columns=("index", "image"), **options)


def records(loader: fastinet.Loader) -> list[int]:
    return [int(r) for index, _ in loader for r in index]


@pytest.fixture
def undecodable(tmp_path: Path) -> Path:
    items = jpeg_items(COUNT)
    key, data, label = items[BAD]
    items[BAD] = (key, data[:20] + bytes(200), label)
    return write_split(tmp_path / "train", items)


@pytest.fixture
def flipped(tmp_path: Path) -> Path:
    items: list[Item] = jpeg_items(COUNT)
    folder = write_split(tmp_path / "train", items)
    flip_byte(folder, items[BAD])
    return folder


def flip_byte(folder: Path, item: Item) -> None:
    tar = folder / "train-000001.tar"
    content = bytearray(tar.read_bytes())
    content[content.index(item[1]) + len(item[1]) // 2] ^= 1
    tar.write_bytes(content)


def test_a_reason_names_also_a_key_that_is_no_text(tmp_path: Path) -> None:
    ((_, data, label),) = jpeg_items(1)
    folder = write_split(tmp_path / "train", [("n/\udcff", data[:100], label)])
    with fastinet.Loader(folder, 1, [T.Resize((8, 8))], on_error="skip") as loader:
        assert [len(labels) for _, labels in loader] == [0]
        assert "(n/\udcff)" in loader.stats["reasons"][0]


def test_an_undecodable_image_is_raised_by_its_batch_and_named(undecodable: Path) -> None:
    with make(undecodable, threads=4) as loader:
        iterator = iter(loader)
        for _ in range(3):
            next(iterator)
        with pytest.raises(errors.DecodeError) as caught:
            next(iterator)
        error = caught.value
        assert error.path is not None
        assert error.path.endswith("train-000001.tar")
        assert (error.record, error.key) == (6, "n00000001/image 13")
        assert "train-000001.tar: record 6 (n00000001/image 13)" in str(error)
        assert next(iterator, None) is None  # the epoch is over
        assert loader.state_dict()["position"] == 12  # and may go on at the failed batch


def test_an_epoch_may_go_on_with_another_policy(undecodable: Path) -> None:
    with make(undecodable) as loader:
        with pytest.raises(errors.DecodeError):
            records(loader)
        state = loader.state_dict()
    with make(undecodable, on_error="skip") as loader:
        loader.load_state_dict(state)
        assert records(loader) == [12, *range(14, COUNT)]


def test_a_flipped_byte_is_a_checksum_error(flipped: Path) -> None:
    with (
        make(flipped) as loader,
        pytest.raises(errors.ChecksumError, match=r"record 6 \(n00000001/image 13\)") as e,
    ):
        records(loader)
    assert e.value.expected != e.value.found


@pytest.mark.parametrize("kind", ["undecodable", "flipped"])
def test_skip_and_substitute_count_what_they_did(kind: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    with make(folder, on_error="skip", threads=3) as loader:
        sizes = [len(index) for index, _ in loader]
        assert sizes == [4, 4, 4, 3, 4, 4, 4, 2]
        stats = loader.stats
        assert (stats["delivered"], stats["skipped"]) == (COUNT - 1, 1)
        assert "n00000001/image 13" in stats["reasons"][0]
    with make(folder, on_error="substitute", threads=3) as loader:
        expected = list(range(COUNT))
        expected[BAD] = BAD + 1
        assert records(loader) == expected
        stats = loader.stats
        assert (stats["delivered"], stats["substituted"]) == (COUNT, 1)


def bad_from(folder: Path, begin: int, end: int) -> Path:
    items = jpeg_items(COUNT)
    for number in range(begin, end):
        key, data, label = items[number]
        items[number] = (key, data[:20] + bytes(200), label)
    return write_split(folder / "train", items)


@pytest.mark.parametrize("batch_size", [1, 3, 4, COUNT])
def test_skip_gives_a_batch_for_every_step_down_to_an_empty_one(tmp_path: Path, batch_size: int) -> None:
    folder = bad_from(tmp_path, 4, 9)
    dataset = fastinet.Dataset(folder)
    dataset.attach("score", np.arange(COUNT, dtype=np.float32), order="records")
    dataset.attach("words", [f"w{i}" for i in range(COUNT)], order="records")
    seen: list[np.ndarray[Any, Any]] = []
    columns = ("image", "index", "label", "key", "boxes", "box_labels", "score", "words", "batch")
    with fastinet.Loader(
        folder,
        batch_size,
        [*TRANSFORM, lambda images: seen.append(images) or images * 2],
        columns=columns,
        on_error="skip",
    ) as loader:
        batches = list(loader)
        stats = loader.stats
    assert (stats["delivered"], stats["skipped"]) == (COUNT - 5, 5)
    assert len(batches) == len(seen) == -(-COUNT // batch_size)
    for number, batch in enumerate(batches):
        step = range(number * batch_size, min(COUNT, (number + 1) * batch_size))
        expected = [i for i in step if not 4 <= i < 9]
        images, index, label, key, boxes, box_labels, score, words, core = batch
        assert index.tolist() == expected
        assert images.shape == (len(expected), 3, 16, 16)
        assert images.dtype == np.float32
        assert (label.dtype, label.tolist()) == (np.int64, [i % 4 for i in expected])
        assert score.tolist() == expected
        assert words == [f"w{i}" for i in expected]
        assert len(key) == len(boxes) == len(box_labels) == len(core) == len(expected)
        assert core.crops.shape == (len(expected), 4)
        assert core.position == step[-1] + 1


def test_ranks_stay_in_step_where_one_of_them_has_nothing_but_bad_records(tmp_path: Path) -> None:
    items = jpeg_items(24)
    for number in range(1, 24, 2):  # all of rank 1
        items[number] = (items[number][0], items[number][1][:20] + bytes(200), 0)
    folder = write_split(tmp_path / "train", items)
    states, sizes = [], []
    for rank in range(2):
        with make(folder, batch_size=3, on_error="skip", rank=rank, world_size=2) as loader:
            steps = []
            for index, _images in loader:
                steps.append(len(index))
                states.append((len(steps), loader.state_dict()["position"]))
            sizes.append(steps)
    assert sizes == [[3, 3, 3, 3], [0, 0, 0, 0]]
    assert states[:4] == states[4:]


def test_verify_false_trusts_the_bytes(flipped: Path) -> None:
    with make(flipped, verify=False, on_error="skip") as loader:
        assert loader.stats["skipped"] == 0
        assert len(records(loader)) >= COUNT - 1  # one flipped bit of entropy-coded data may still decode


@pytest.mark.parametrize("policy", ["raise", "skip", "substitute"])
def test_a_shard_truncated_under_the_reader_is_an_error_under_every_policy(
    tmp_path: Path, policy: Any
) -> None:
    folder = write_split(tmp_path / "train", jpeg_items(60), per_shard=60)
    tar = folder / "train-000000.tar"
    with make(folder, batch_size=2, prefetch_bytes=0, threads=2, on_error=policy) as loader:
        iterator = iter(loader)
        next(iterator)
        os.truncate(tar, 16384)
        with pytest.raises(errors.TruncatedError, match=r"train-000000\.tar"):
            for _ in iterator:
                pass


def test_a_missing_shard_is_an_error_under_every_policy(tmp_path: Path) -> None:
    folder = write_split(tmp_path / "train", jpeg_items(20))
    dataset = fastinet.Dataset(folder)
    (folder / "train-000001.tar").unlink()
    for policy in ("raise", "skip", "substitute"):
        with make(dataset, on_error=policy) as loader, pytest.raises(errors.MissingFileError):  # type: ignore[arg-type]
            records(loader)


def test_a_workers_unforeseen_exception_reaches_the_consumer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    from PIL import Image

    import fastinet.images.pillow

    def fail(*_: Any) -> Any:
        raise RuntimeError("the decoder broke")

    stream = io.BytesIO()
    Image.new("RGB", (40, 40)).save(stream, "PNG")
    items = jpeg_items(10)
    items[6] = ("png", stream.getvalue(), 0)
    folder = write_split(tmp_path / "train", items)
    with make(folder) as loader:
        assert records(loader) == list(range(10))
        assert loader.stats["decoded_foreign"] == 1
    monkeypatch.setattr(fastinet.images.pillow, "decode", fail)
    with (
        make(folder, threads=3) as loader,
        pytest.raises(errors.DecodeError, match="the decoder broke") as caught,
    ):
        records(loader)
    assert caught.value.key == "png"


def test_a_callables_exception_passes_through(undecodable: Path) -> None:
    def fail(batch: np.ndarray[Any, Any]) -> Any:
        raise ZeroDivisionError

    with fastinet.Loader(undecodable, 4, [*TRANSFORM, fail]) as loader, pytest.raises(ZeroDivisionError):
        next(iter(loader))


def run_script(body: str, folder: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    head = f"""
        import os, signal, sys, threading, time, warnings
        import fastinet
        from fastinet import errors, transforms as T
        folder = {str(folder)!r}
        def make(batch_size=4, **options):
            return fastinet.Loader(folder, batch_size, [T.RandomResizedCrop(16)], **options)
    """
    script = textwrap.dedent(head) + textwrap.dedent(body)
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False, **options
    )


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_split(tmp_path_factory.mktemp("good") / "train", jpeg_items(COUNT))


def test_ctrl_c_interrupts_an_epoch_at_once(good: Path) -> None:
    done = run_script(
        """
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        loader = make(shuffle=True)
        try:
            while True:
                for batch in loader:
                    pass
        except KeyboardInterrupt:
            loader.close()
            print("interrupted")
        """,
        good,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")


def test_ctrl_c_interrupts_a_wait_for_a_batch(good: Path, tmp_path: Path) -> None:
    done = run_script(
        f"""
        import io
        import fastinet.images.pillow
        from PIL import Image
        sys.path[:0] = {[str(Path(__file__).parent), str(Path(__file__).parents[2] / "scripts")]!r}
        from pathlib import Path
        from splits import write_split
        stream = io.BytesIO()
        Image.new("RGB", (40, 40)).save(stream, "PNG")
        folder = str(write_split(Path({str(tmp_path)!r}) / "train", [("png", stream.getvalue(), 0)]))
        fastinet.images.pillow.decode = lambda *a: time.sleep(5) or "slow"
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        begin = time.monotonic()
        try:
            next(iter(make()))
        except KeyboardInterrupt:
            print("interrupted", time.monotonic() - begin < 4, flush=True)
            os._exit(0)
        """,
        good,
    )
    assert done.stdout == "interrupted True\n", done.stderr


def test_a_forked_child_is_refused_and_does_not_hang(good: Path) -> None:
    done = run_script(
        """
        loader = make()
        iterator = iter(loader)
        images, labels = next(iterator)
        sys.stdout.flush()
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and later: of a fork with threads
        pid = os.fork()
        if pid == 0:
            signal.alarm(20)
            for call in (lambda: next(iterator), lambda: iter(loader), lambda: loader.stats, loader.close):
                try:
                    call()
                except errors.StateError as e:
                    assert "forked" in str(e), e
                else:
                    os._exit(3)
            del images, labels, iterator, loader
            sys.exit(0)  # the interpreter ends in the child, too
        status = os.waitpid(pid, 0)[1]
        print(status, len(list(iterator)))
        """,
        good,
    )
    assert (done.stdout, done.stderr) == ("0 7\n", "")


def test_a_loader_that_was_not_started_may_be_used_after_a_fork(good: Path) -> None:
    done = run_script(
        """
        loader = make()
        pid = os.fork()
        n = sum(len(labels) for _, labels in loader)
        if pid == 0:
            os._exit(0 if n == 30 else 1)
        print(os.waitpid(pid, 0)[1], n)
        """,
        good,
    )
    assert (done.stdout, done.stderr) == ("0 30\n", "")


@pytest.mark.parametrize("how", ["pass", "del loader, iterator", "sys.exit(0)", "raise SystemExit(0)"])
def test_the_interpreter_ends_while_threads_are_at_work(good: Path, how: str) -> None:
    done = run_script(f"loader = make(threads=4)\niterator = iter(loader)\nnext(iterator)\n{how}\n", good)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_sigint_reaches_python_not_the_threads(good: Path) -> None:
    done = run_script(
        """
        seen = []
        main = threading.main_thread()
        signal.signal(signal.SIGINT, lambda *a: seen.append(threading.current_thread() is main))
        loader = make()
        for i, batch in enumerate(loader):
            if i == 2:
                os.kill(os.getpid(), signal.SIGINT)
        print(seen, i)
        """,
        good,
    )
    assert (done.stdout, done.stderr) == ("[True] 7\n", "")
