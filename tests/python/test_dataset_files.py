"""Whatever lies in a dataset folder: reading it ends well or in an error of fastinet's, and never waits."""

from __future__ import annotations

import copy
import io
import json
import os
import random
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from folders import small_jpeg, write_tree
from wordnet_files import write_wordnet

import fastinet
from fastinet import Dataset, _core, convert, errors, export, inspect
from fastinet.conversion.index import index
from fastinet.format import columns
from fastinet.format.json_files import parse_json, read_json
from fastinet.storage.files import read_bytes

FILES = ("dataset.json", "columns.json", "names.json", "report.json")
HUGE = (0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**300, 1e300, 0.5, True, None, "", "x" * 5000)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A split with everything that a folder can hold beside its shards."""
    root = tmp_path_factory.mktemp("files")
    names = ("n00000020/1.JPEG", "n00000021/2.JPEG", "n00000022/3.png", "n00000022/3.JPEG", "n00000023/5.jpg")
    write_tree(root / "src", {name: small_jpeg(i, 40, 30) for i, name in enumerate(names)})
    convert(root / "src", root / "out", shard_size="2", wordnet=write_wordnet(root / "wordnet"))
    dataset = Dataset(root / "out")
    dataset.attach("array", np.arange(10, dtype=np.float32).reshape(5, 2), order="records")
    dataset.attach("list", [[1], [], [2, 3], [4], [5]], order="records")
    dataset.attach("string", ["a", "\u00e9", "", "b", "c"], order="records")
    return dataset.path


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "train"))


def write_manifest(path: Path, value: Any) -> None:
    """With the checksum that belongs to it, so that only the reader's own checks are left."""
    value = {k: v for k, v in value.items() if k != "manifest_xxh3"} if isinstance(value, dict) else value
    body = json.dumps(value, indent=1).encode().rstrip(b"}\n ")
    path.write_bytes(body + f',\n  "manifest_xxh3": "{_core.xxh3(body):016x}"\n}}\n'.encode())


def write_columns(path: Path, value: Any) -> None:
    """As ``write_manifest``."""
    if isinstance(value, dict) and "columns" in value and "columns_xxh3" in value:
        text = json.dumps(value["columns"], sort_keys=True, separators=(",", ":"))
        value["columns_xxh3"] = f"{_core.xxh3(text.encode()):016x}"
    path.write_text(json.dumps(value))


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))


WRITERS: dict[str, Callable[[Path, Any], None]] = {
    "dataset.json": write_manifest,
    "columns.json": write_columns,
    "names.json": write_json,
    "report.json": write_json,
}


def use(folder: Path, out: Path) -> list[errors.FastinetError]:
    """Everything that reads these files. Any exception but fastinet's own gets through."""

    def columns_read() -> None:
        dataset = Dataset(folder)
        for column in dataset.columns.values():
            list(column)
            column.take(np.arange(len(column)))

    def classes_read() -> None:
        dataset = Dataset(folder)
        assert len(dataset.hierarchy.edges) == len(dataset.manifest.hierarchy)
        _ = dataset.class_counts, repr(dataset), list(dataset.keys)
        dataset.select(*[c.name for c in dataset.classes[:2]])

    def exported() -> None:
        shutil.rmtree(out, ignore_errors=True)
        export(folder, out)

    raised = []
    for work in (columns_read, classes_read, exported, lambda: inspect(folder).to_json()):
        try:
            work()
        except errors.FastinetError as error:
            raised.append(error)
    report = fastinet.verify(folder, workers=1)
    json.dumps(report.to_json())
    return raised + list(report.problems)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a JSON value with each key or index in it."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from places(value[key])


def mutated(value: Any, rng: random.Random) -> Any:
    """The value with one or two of its nodes replaced, removed, repeated or renamed."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 2))):
        found = list(places(value))
        if not found:
            return value
        container, key = rng.choice(found)
        deep: Any = rng.choice(HUGE)
        for _ in range(rng.choice((1, 2, 40, 200))):
            deep = [deep] if rng.random() < 0.5 else {"name": deep}
        choice = rng.randrange(6)
        if choice == 0:
            del container[key]
        elif choice == 1 and isinstance(container, list):
            container.insert(key, copy.deepcopy(container[key]))
        elif choice == 2 and isinstance(container, dict):
            container[rng.choice(("..", "a/b", "\0", "image", "\udcff", "_"))] = container.pop(key)
        elif choice == 3:
            container[key] = copy.deepcopy(rng.choice(found)[0])
        elif choice == 4:
            container[key] = deep
        else:
            text = rng.choice(("../../x", "a\0b", "/", ".", "\udc80", "0" * 16, "n00000020", "x.npy"))
            container[key] = rng.choice((*HUGE, [], {}, text))
    return value


@pytest.mark.parametrize("name", FILES)
def test_no_json_value_anywhere_leads_to_a_foreign_exception(folder: Path, tmp_path: Path, name: str) -> None:
    rng = random.Random(f"json {name}")
    sound = (folder / name).read_bytes()
    value = json.loads(sound)
    refused = 0
    for number in range(60):
        WRITERS[name](folder / name, mutated(value, rng))
        try:
            found = use(folder, tmp_path / "out")
        except Exception as error:
            pytest.fail(f"mutation {number}: {error!r} from {(folder / name).read_bytes()[:2000]!r}")
        assert all(str(error) for error in found)
        refused += bool(found)
    assert refused > 20
    (folder / name).write_bytes(sound)
    assert not use(folder, tmp_path / "out")


BAD_TEXTS = {
    "deep lists": (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
    "deep objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
    "a huge number": (b"9" * 10_000, "not JSON: "),
    "an infinite number": (b"[1e999]", "not JSON: the number 1e999 is too large"),
    "NaN": (b"[NaN]", "not JSON: NaN is not a number"),
    "Latin-1": (b'["\xe9"]', "not JSON: 'utf-8' codec can't decode byte 0xe9"),
    "half a surrogate pair": (b'["\\ud83d"]', "not JSON: 'utf-8' codec can't encode"),
    "UTF-16": ("[1]".encode("utf-16"), "not JSON: "),
    "nothing": (b"", "not JSON: Expecting value"),
}


@pytest.mark.parametrize("name", BAD_TEXTS)
def test_bad_json_is_a_format_error_that_says_why(name: str) -> None:
    data, message = BAD_TEXTS[name]
    with pytest.raises(errors.FormatError) as caught:
        parse_json(data, "some.json")
    assert str(caught.value).startswith("some.json: ")
    assert message in str(caught.value)
    assert caught.value.path == "some.json"


def test_bytes_that_are_no_utf8_come_back_as_they_were_given() -> None:
    name = os.fsdecode(b"caf\xe9")
    assert parse_json(json.dumps([name, "\U0001f600"]).encode(), "") == [name, "\U0001f600"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("text", ["deep lists", "a huge number", "Latin-1"])
def test_bad_json_in_any_file_is_named_by_what_reads_it(
    folder: Path, tmp_path: Path, name: str, text: str
) -> None:
    data = BAD_TEXTS[text][0]
    if name == "dataset.json":
        data += f',\n  "manifest_xxh3": "{_core.xxh3(data):016x}"\n}}\n'.encode()
    (folder / name).write_bytes(data)
    found = use(folder, tmp_path / "out")
    assert found
    assert {error.path for error in found} == {str(folder / name)}
    assert all(isinstance(error, errors.FormatError) for error in found)


def npy(header: str, version: bytes = b"\1\0", data: bytes = b"") -> bytes:
    return b"\x93NUMPY" + version + len(header).to_bytes(2, "little") + header.encode("latin-1") + data


def npy_of(kind: str, shape: str, data: bytes = b"") -> bytes:
    return npy(f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}\n", data=data)


NPY = {
    "an unfinished header": npy("{'descr': '<f4', 'shape': (2,"),
    "a header that is no Python": npy("{'descr' '<f4' ?}\n"),
    "nested parentheses": npy("(" * 5000),
    "a shape beyond memory": npy_of("'<f4'", "(5, 1152921504606846976)"),
    "a shape beyond integers": npy_of("'<f4'", "(5, 99999999999999999999999)"),
    "a negative shape": npy_of("'<f4'", "(-5, -1)", bytes(20)),
    "a shape without dimensions": npy_of("'<f4'", "()", bytes(4)),
    "seventy dimensions": npy_of("'<f4'", str((5, *[1] * 70)), bytes(20)),
    "objects": npy_of("'|O'", "(5,)", b"cos\nsystem\n"),
    "a structure": npy_of("[('a', '<f4')]", "(5,)", bytes(20)),
    "big-endian numbers": npy_of("'>f4'", "(5,)", bytes(20)),
    "times": npy_of("'<M8[s]'", "(5,)", bytes(40)),
    "too few numbers": npy_of("'<f4'", "(5,)", bytes(19)),
    "too many numbers": npy_of("'<f4'", "(5,)", bytes(21)),
    "a later version": npy("{}", b"\x09\0"),
    "no bytes": b"",
}


def replace_part(folder: Path, name: str, part: str, data: bytes) -> Path:
    """Puts other bytes in the place of a column's file, with the hashes that belong to them."""
    listed = json.loads((folder / columns.FILE_NAME).read_text())
    file = f"column-{name}-{part}-{_core.xxh3(data):016x}.npy"
    (folder / file).write_bytes(data)
    listed["columns"]["by_name"][name]["files"][part] = [file, f"{_core.xxh3(data):016x}"]
    write_columns(folder / columns.FILE_NAME, listed)
    return folder / file


@pytest.mark.parametrize("kind", NPY)
def test_a_malformed_npy_file_is_a_format_error_that_names_it(folder: Path, kind: str) -> None:
    file = replace_part(folder, "array", "values", NPY[kind])
    with pytest.raises(errors.FormatError) as caught:
        _ = Dataset(folder).columns
    assert caught.value.path == str(file)
    assert [problem.path for problem in fastinet.verify(folder).problems] == [str(file)]


def array(values: Any, dtype: str) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array(values, dtype))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "part", "values", "dtype", "message"),
    [
        ("list", "offsets", [0, 1, 1, 3, 4, 6], "<i8", "offsets do not fit the values"),
        ("list", "offsets", [0, 2**63 - 1, -5, 3, 4, 5], "<i8", "offsets do not fit the values"),
        ("list", "offsets", [0, 1, 1, 3, 4, 5], "<i4", "offsets do not fit the values"),
        ("list", "offsets", [0, 1, 1, 3, 5], "<i8", "expected 5 values, found 4"),
        ("string", "values", [97, 0xC3, 0x28, 98, 99], "|u1", "expected UTF-8"),
        ("string", "offsets", [0, 1, 2, 3, 4, 5], "<i8", "a string begins within a character"),
        ("string", "values", [97, 98, 99, 100, 101], "<f4", "expected strings as bytes, found float32"),
        ("array", "values", [1, 2, 3], "<f4", "expected 5 values, found 3"),
    ],
)
def test_parts_of_a_column_that_do_not_fit_each_other_are_refused(
    folder: Path, name: str, part: str, values: Any, dtype: str, message: str
) -> None:
    replace_part(folder, name, part, array(values, dtype))
    with pytest.raises(errors.FormatError, match=message):
        _ = Dataset(folder).columns


def test_what_a_newer_version_wrote_is_not_supported_and_not_damaged(folder: Path) -> None:
    listed = json.loads((folder / columns.FILE_NAME).read_text())
    listed["format_version"], listed["columns"] = 2, {"in": "another shape"}
    (folder / columns.FILE_NAME).write_text(json.dumps(listed))
    message = "not supported by this version of fastinet: expected"
    with pytest.raises(
        errors.UnsupportedError, match=rf"columns\.json: format_version: {message} 1, found 2"
    ):
        _ = Dataset(folder).columns
    (folder / "dataset.json").write_text('{\n  "format_version": 3,\n  "and": "another end"\n}\n')
    with pytest.raises(
        errors.UnsupportedError,
        match=r"dataset\.json: format_version: expected 2, found 3: a later fastinet wrote it",
    ):
        Dataset(folder)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # its address has at most 108 bytes
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)
    os.chdir(here)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("make", "what"), [(pipe, "a FIFO"), (unix_socket, "a socket"), (Path.mkdir, "a folder")]
)
@pytest.mark.parametrize("name", [*FILES, "column-array-values-*.npy"])
def test_what_is_no_regular_file_is_refused_and_never_waited_for(
    folder: Path, tmp_path: Path, make: Callable[[Path], None], what: str, name: str
) -> None:
    path = next(folder.glob(name))
    path.unlink()
    make(path)
    found = use(folder, tmp_path / "out")
    assert {(type(error), error.path) for error in found} == {(errors.FormatError, str(path))}
    assert all(f"expected a regular file, found {what}" in str(error) for error in found)


def test_a_device_and_a_file_that_is_too_long_are_refused(tmp_path: Path) -> None:
    (tmp_path / "device.json").symlink_to("/dev/zero")
    with pytest.raises(errors.FormatError, match="expected a regular file, found a device"):
        read_json(tmp_path / "device.json")
    with (tmp_path / "long.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(errors.FormatError, match=r"long\.json: size: expected at most 1073741824 bytes"):
        read_json(tmp_path / "long.json")
    with pytest.raises(errors.MissingFileError):
        read_bytes(tmp_path / "long.json" / "below")


def test_a_circle_in_the_hierarchy_is_a_format_error_of_the_manifest(folder: Path) -> None:
    told = json.loads((folder / "dataset.json").read_text())
    parent, child = told["hierarchy"][0]
    told["hierarchy"].append([child, parent])
    write_manifest(folder / "dataset.json", told)
    with pytest.raises(
        errors.FormatError, match=r"dataset\.json: hierarchy: the edges through .* form a cycle"
    ):
        _ = Dataset(folder).hierarchy


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("v.json", BAD_TEXTS["deep lists"][0]),
        ("v.json", BAD_TEXTS["a huge number"][0]),
        ("v.npy", NPY["an unfinished header"]),
        ("v.npy", NPY["a shape beyond integers"]),
    ],
)
def test_malformed_values_to_attach_are_a_format_error(
    folder: Path, tmp_path: Path, name: str, data: bytes
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(errors.FormatError, match=rf"{name}: not a valid \.\w+ file: "):
        Dataset(folder).attach("v", tmp_path / name, order="records")


@pytest.mark.timeout(60)
def test_an_index_is_not_written_over_a_fifo_nor_waits_for_it(folder: Path, tmp_path: Path) -> None:
    tar = shutil.copy(folder / "train-000000.tar", tmp_path / "x.tar")
    os.mkfifo(tmp_path / "x.idx")
    with pytest.raises(errors.FormatError, match=r"x\.idx: expected a regular file, found a FIFO"):
        index(tar)


@pytest.mark.parametrize("name", ["../../precious", "/precious", "a/../../precious", 5])
def test_a_journal_never_removes_what_lies_outside_of_its_place(tmp_path: Path, name: Any) -> None:
    (tmp_path / "precious").write_text("kept")
    write_tree(tmp_path / "src", {"a/1.jpg": small_jpeg(1)})
    write_tree(tmp_path / "out" / "deeper", {".fastinet-convert/remove.json": json.dumps([name]).encode()})
    with pytest.raises(errors.FormatError, match=r"remove\.json: .*: expected .*files.*, found "):
        convert(tmp_path / "src", tmp_path / "out" / "deeper")
    assert (tmp_path / "precious").read_text() == "kept"
