"""Which members of a tar are a record: the same for `index` and `convert`, and as webdataset has it."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from archives import tar_of_rows
from click.testing import CliRunner
from folders import small_jpeg
from hypothesis import given
from hypothesis import strategies as st
from webdataset.tariterators import group_by_keys, tar_file_iterator

from fastinet import Dataset, _core, convert, errors
from fastinet.cli import cli
from fastinet.conversion.index import index
from fastinet.exporting import export
from fastinet.format.fields import Fields
from fastinet.format.keys import inside, kept_key
from fastinet.format.tar_records import IMAGE_EXTENSIONS, records_of, split_name, tar_order

JPEGS = [small_jpeg(i) for i in range(4)]
Rows = list[tuple[str, bytes | None]]
NO_IMAGE = "no field is an image of fastinet's; fields found: "


def write(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tar_of_rows(rows))
    return path


def problems_of(rows: Rows, **chosen: Any) -> list[str]:
    listed = [(name, "hard link" if data is None else data) for name, data in rows]
    return [record.problem for record in records_of(listed, Counter(), Fields(**chosen))]


def both(tmp_path: Path, rows: Rows, **options: Any) -> list[tuple[str, int, bytes]]:
    """Keys, labels and payloads, which indexing, converting and converting the packed tar agree on."""
    found = []
    write(tmp_path / "in/x.tar", rows)
    index(tmp_path / "in", tmp_path / "indexed", **options)
    convert(tmp_path / "in/x.tar", tmp_path / "converted", source="webdataset", **options)
    (tmp_path / "packed.tar.gz").write_bytes(gzip.compress((tmp_path / "in/x.tar").read_bytes()))
    convert(tmp_path / "packed.tar.gz", tmp_path / "unpacked", source="webdataset", **options)
    for name in ("indexed", "converted", "unpacked"):
        found.append([(r.key, r.label, bytes(r.payload)) for r in Dataset(tmp_path / name)])
    assert found[0] == found[1] == found[2]
    return found[0]


def refused(tmp_path: Path, rows: Rows, message: str) -> None:
    """By all three, with the same words; and nothing is left that could be opened."""
    tar = write(tmp_path / "in/x.tar", rows)
    packed = tmp_path / "packed.tar.gz"
    packed.write_bytes(gzip.compress(tar.read_bytes()))
    with pytest.raises(
        errors.FormatError, match=rf"x\.tar: record {message}.*--on-bad skip \(on_bad=\) leaves"
    ):
        index(tmp_path / "in", tmp_path / "indexed")
    for source in (tar, packed):
        with pytest.raises(errors.FormatError, match=rf"\.tar[.gz]*: record {message}"):
            convert(source, tmp_path / "converted", source="webdataset", overwrite=True)
    assert not list(tmp_path.rglob("dataset.json"))


_COMPONENTS = ["a", "b.c", "Track 2", ".", "..", "é", "n01", "__meta__"]
_BASES = ["s0", "s1", "Track 2", "__key__", "s0 copy", "É"]
_FIELDS = ["jpg", "JPG", "cls", "json", "0.jpg", "seg.png", "", "txt", "tar.gz"]
_NAMES = st.builds(
    lambda folders, base, field: "/".join([*folders, f"{base}.{field}" if field is not None else base]),
    st.lists(st.sampled_from(_COMPONENTS), max_size=2),
    st.sampled_from(_BASES),
    st.sampled_from([*_FIELDS, None]),
)


@given(st.lists(_NAMES, max_size=12))
def test_members_are_grouped_as_webdataset_groups_them(names: list[str]) -> None:
    twice = set()

    def note(error: Exception) -> bool:
        name, _, rest = str(error.args[0]).partition(": duplicate file name")
        assert rest
        twice.add(kept_key(name[: name.rfind("/") + 1] + name.rpartition("/")[2].partition(".")[0]))
        return True

    stream: Any = io.BytesIO(tar_of_rows([(name, b"") for name in names]))
    files = ({**file, "__url__": ""} for file in tar_file_iterator(stream))
    theirs = [
        (kept_key(sample["__key__"]), {field for field in sample if field not in ("__key__", "__url__")})
        for sample in group_by_keys(files, handler=note)
    ]
    every = tuple({split[1] for name in names if (split := split_name(name))})
    records = list(records_of([(name, (0, 0)) for name in names], Counter(), Fields(every, every)))
    assert [record.key for record in records] == [key for key, _ in theirs]
    assert {record.key for record in records if record.problem} == twice
    for record, (_, fields) in zip(records, theirs, strict=True):
        image = split_name(record.name)
        assert image is not None
        assert record.problem or {image[1], *record.fields} == fields


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40),
    st.binary(max_size=9),
)
def test_keys_of_tars_are_keys_that_the_format_allows(text: str, data: bytes) -> None:
    for name in (text, f"../{text}", f"./{text}/x", data.decode(errors="surrogateescape") + "/k"):
        split = split_name(f"{name}.jpg")
        if split is not None:
            key = kept_key(split[0])
            _core.check_key(key)
            assert kept_key(key) == key == inside(key)


def test_the_first_dot_of_a_name_ends_the_key(tmp_path: Path) -> None:
    rows: Rows = [
        ("v1.5/Ep 2.JPG", JPEGS[0]),
        ("v1.5/Ep 2.cls", b"1"),
        ("b.png.jpg", JPEGS[1]),
        ("b.jpeg", JPEGS[2]),
    ]
    assert both(tmp_path, rows) == [("v1.5/Ep 2", 1, JPEGS[0]), ("b", -1, JPEGS[2])]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [("a.jpg", JPEGS[0]), ("a.cls", b"0"), ("a.jpg", JPEGS[1])],
            r"a: two members of the field jpg: a\.jpg \(member 1 of the tar\) and a\.jpg \(member 3\)",
        ),
        (
            [("f/a.cls", b"0"), ("f/a.CLS", b"1"), ("f/a.jpg", JPEGS[0])],
            r"f/a: two members of the field cls: f/a\.cls \(member 1 of the tar\) and f/a\.CLS \(member 2\)",
        ),
        ([("a.jpg", JPEGS[0]), ("a.txt", b"x"), ("a.txt", b"y")], "a: two members of the field txt: "),
        ([("ok.jpg", JPEGS[0]), ("a.cls", b"1")], f"a: {NO_IMAGE}"),
        ([("ok.jpg", JPEGS[0]), ("README.md", b"1")], f"README: {NO_IMAGE}"),
        (
            [("a.jpg", JPEGS[0]), ("a.png", JPEGS[1])],
            "a: several images: jpg, png; choose with --image-field jpg",
        ),
        (
            [("a.jpg", JPEGS[0]), ("b.jpg", JPEGS[1]), ("a.cls", b"3")],
            f"a: {NO_IMAGE}.*; an earlier record has this key: members of a record have to lie side by side",
        ),
        (
            [("first", b"1"), ("a.jpg", JPEGS[0]), ("a.cls", None)],
            r"a: member a\.cls is no file of its own: hard link",
        ),
        (
            [("first", JPEGS[0]), ("a.jpg", None), ("a.cls", b"1")],
            r"a: member a\.jpg is no file of its own: hard link",
        ),
        ([("d/" * 2100 + "a.jpg", JPEGS[0])], r"(d/)+\.\.\.: its key has more than 4096 bytes"),
    ],
)
def test_members_that_are_no_record_are_refused_by_both(tmp_path: Path, rows: Rows, message: str) -> None:
    refused(tmp_path, rows, message)


def test_records_that_are_none_are_left_out_and_counted_on_request(tmp_path: Path) -> None:
    rows: Rows = [
        ("twice.jpg", JPEGS[0]),
        ("twice.jpg", JPEGS[1]),
        ("twice.cls", b"0"),
        ("good.jpg", JPEGS[2]),
        ("good.cls", b"1"),
        ("lost.cls", b"0"),
    ]
    assert both(tmp_path, rows, on_bad="skip") == [("good", 1, JPEGS[2])]
    left_out = index(tmp_path / "in", tmp_path / "indexed", on_bad="skip").left_out
    assert index(tmp_path / "in", tmp_path / "kept", on_bad="keep").left_out == left_out
    bad = (
        convert(tmp_path / "in/x.tar", tmp_path / "again", source="webdataset", on_bad="skip")
        .splits["train"]
        .bad
    )
    assert [key for _, key, _ in left_out] == ["twice", "lost"]
    assert [origin for origin, _ in bad] == ["x.tar/twice.jpg", "x.tar/lost"]
    for (_, _, reason), (_, text) in zip(left_out, bad, strict=True):
        assert text.endswith(reason)


def test_a_tar_without_any_record_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "in/x.tar", [("a.cls", b"0"), ("b.cls", b"1")])
    with pytest.raises(
        errors.FormatError, match=r"no record with an image in 1 tars; a: no field is an image"
    ):
        index(tmp_path / "in", on_bad="skip")
    write(tmp_path / "empty/x.tar", [])
    with pytest.raises(errors.FormatError, match="no record with an image in 1 tars"):
        index(tmp_path / "empty")
    with pytest.raises(errors.ArgumentError, match="no records in the 1 tars of the split train"):
        convert(tmp_path / "empty", tmp_path / "out", source="webdataset")
    assert not list(tmp_path.rglob("dataset.json"))


def test_what_is_found_is_named_with_the_choice_that_takes_it(tmp_path: Path) -> None:
    rows: Rows = []
    for i in range(3):
        rows += [
            (f"s{i}.input.jpg", JPEGS[i]),
            (f"s{i}.mask.png", JPEGS[3]),
            (f"s{i}.target.cls", str(i).encode()),
        ]
    message = (
        r"s0: no field is an image of fastinet's; fields found: input\.jpg \(3\), mask\.png \(3\), "
        r"target\.cls \(3\); choose with --image-field input\.jpg --label-field target\.cls"
    )
    tar = write(tmp_path / "in/x.tar", rows)
    for run in (lambda: index(tar), lambda: convert(tar, tmp_path / "no")):
        with pytest.raises(errors.FormatError, match=message):
            run()
    expected = [(f"s{i}", i, JPEGS[i]) for i in range(3)]
    assert both(tmp_path, rows, image_field="input.jpg", label_field="target.cls") == expected
    assert [r.payload for r in Dataset(tmp_path / "indexed")] == JPEGS[:3]


def test_of_several_chosen_fields_the_first_that_a_record_has_is_taken(tmp_path: Path) -> None:
    rows: Rows = [
        ("a.left.jpg", JPEGS[0]),
        ("a.right.jpg", JPEGS[1]),
        ("b.right.jpg", JPEGS[2]),
        ("b.meta.json", b'{"cls": 2}'),
        ("b.cls", b"7"),
    ]
    chosen = {"image_field": ["left.jpg", "right.jpg"], "label_field": ["meta.json"]}
    assert both(tmp_path, rows, **chosen) == [("a", -1, JPEGS[0]), ("b", 2, JPEGS[2])]
    message = r"record b: no field is left\.jpg; .* --image-field left\.jpg --image-field right\.jpg"
    with pytest.raises(errors.FormatError, match=message):
        index(tmp_path / "in", tmp_path / "again", image_field="left.jpg")


def test_the_command_line_has_the_choice_too(tmp_path: Path) -> None:
    tar = write(tmp_path / "in/x.tar", [("a.in.jpg", JPEGS[0]), ("a.out.cls", b"1")])
    for command in (["index", str(tar), str(tmp_path / "i")], ["convert", str(tar), str(tmp_path / "c")]):
        options = ["--image-field", "in.jpg", "--label-field", "out.cls"]
        result = CliRunner().invoke(cli, [*command, *options], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert Dataset(command[-1]).labels.tolist() == [1]


def test_what_systems_leave_in_tars_is_no_record_and_splits_none(tmp_path: Path) -> None:
    rows: Rows = [
        ("._a.jpg", b"\0\5\x16\7"),
        ("a.jpg", JPEGS[0]),
        ("._a.cls", b"\0\5\x16\7"),
        ("a.cls", b"1"),
        ("f/._b.jpg", b"\0"),
        ("f/b.jpg", JPEGS[1]),
        ("f/.DS_Store", b"\0"),
        ("f/b.cls", b"0"),
        ("__MACOSX/f/b.jpg", b"\0"),
        ("__meta__/x.jpg", JPEGS[2]),
    ]
    assert both(tmp_path, rows) == [("a", 1, JPEGS[0]), ("f/b", 0, JPEGS[1])]


def test_names_that_lead_out_of_the_folder_get_keys_that_do_not(tmp_path: Path) -> None:
    rows: Rows = [
        ("./p/a.jpg", JPEGS[0]),
        ("../../b.jpg", JPEGS[1]),
        ("/abs/c.jpg", JPEGS[2]),
        ("d//e\t.jpg", JPEGS[3]),
    ]
    found = both(tmp_path, rows)
    assert [key for key, _, _ in found] == ["p/a", "b", "abs/c", "d/e%09"]
    export(tmp_path / "indexed", tmp_path / "back")
    assert len([path for path in (tmp_path / "back").rglob("*") if path.is_file()]) == 4


def test_a_key_comes_once_in_an_indexed_tar(tmp_path: Path) -> None:
    rows: Rows = [("./a.jpg", JPEGS[0]), ("b.jpg", JPEGS[1]), ("../a.jpg", JPEGS[2])]
    tar = write(tmp_path / "x.tar", rows)
    with pytest.raises(errors.FormatError, match="record a: an earlier record has the same key"):
        index(tar)
    assert index(tar, on_bad="skip").left_out == [(str(tar), "a", "an earlier record has the same key")]
    convert(tmp_path / "x.tar", tmp_path / "converted", source="webdataset")
    assert list(Dataset(tmp_path / "converted").keys) == ["a", "b", "a~2"]


def test_an_indexed_choice_is_kept_for_what_reads_the_tar_later(tmp_path: Path) -> None:
    rows: Rows = []
    for i in range(3):
        rows += [(f"./s{i}.x.jpg", JPEGS[i]), (f"./s{i}.y.jpg", JPEGS[3]), (f"./s{i}.json", b'{"label": 1}')]
    write(tmp_path / "in/x.tar", rows)
    index(tmp_path / "in", image_field="x.jpg")
    convert(tmp_path / "in", tmp_path / "out")
    assert [(r.key, r.label, r.payload) for r in Dataset(tmp_path / "out")] == [
        (f"s{i}", 1, JPEGS[i]) for i in range(3)
    ]
    export(tmp_path / "in", tmp_path / "part", to="webdataset", classes=["=1"])
    with tarfile.open(next((tmp_path / "part").glob("*.tar"))) as tar:
        assert [member.name for member in tar][:2] == ["./s0.x.jpg", "./s0.json"]


def test_members_are_listed_in_the_order_of_the_tar(tmp_path: Path) -> None:
    rows: Rows = [("first", b"1"), ("a.jpg", None), ("b/", b""), ("c.jpg", b"2" * 700), ("d.cls", None)]
    tar = write(tmp_path / "x.tar", rows)
    listed = tar_order(*_core.scan_tar(str(tar)))
    assert [(name, member if isinstance(member, str) else member[1]) for name, member in listed] == [
        ("first", 1),
        ("a.jpg", "hard link"),
        ("b/", 0),
        ("c.jpg", 700),
        ("d.cls", "hard link"),
    ]


@pytest.mark.parametrize("extension", IMAGE_EXTENSIONS)
def test_every_extension_of_an_image_is_one_in_any_case(extension: str) -> None:
    assert problems_of([(f"a.{extension.upper()}", b"")]) == [""]
