"""Conversion of the whole ImageNet: tars of tars, compressed or not, tars of synsets, trees, class lists."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import BinaryIO

import pytest
from archives import CLASSES, tar_of, tar_of_tars, write
from click.testing import CliRunner
from folders import members, small_jpeg, write_tree
from images import SHARED

from fastinet import Dataset, cli, errors
from fastinet.conversion import convert
from fastinet.conversion.sources.detect import open_source
from fastinet.conversion.sources.imagenet21k import read_class_list
from fastinet.format import manifest

ORDER = (CLASSES[2], CLASSES[0], CLASSES[1])  # of the members: not sorted


@pytest.fixture(scope="module")
def synsets() -> dict[str, dict[str, bytes]]:
    return {n: {f"{n}_{i}.JPEG": small_jpeg(10 * c + i) for i in (7, 3)} for c, n in enumerate(ORDER)}


def _held(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Payload and label by key."""
    dataset = Dataset(folder)
    return {record.key: (bytes(record.payload), record.label) for record in dataset}


def _expected(synsets: dict[str, dict[str, bytes]], classes: tuple[str, ...]) -> dict[str, tuple[bytes, int]]:
    return {
        f"{wnid}/{name[:-5]}": (synsets[wnid][name], label)
        for label, wnid in enumerate(classes)
        for name in sorted(synsets[wnid])
    }


def _layout(root: Path, name: str, synsets: dict[str, dict[str, bytes]]) -> Path:
    """One of the layouts in which people hold ImageNet."""
    if name == "fall11_whole.tar":
        return write(root, {name: tar_of_tars(synsets)})
    if name == "winter21_whole.tar.gz":
        return write(root, {name: tar_of_tars(synsets, "winter21_whole/", "gz")})
    if name == "folder of tars":
        return write(root, {f"{wnid}.tar": tar_of(files) for wnid, files in synsets.items()})
    return write_tree(
        root, {f"{n}/{name}": data for n, files in synsets.items() for name, data in files.items()}
    )


LAYOUTS = ("fall11_whole.tar", "winter21_whole.tar.gz", "folder of tars", "extracted tree")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_is_recognised_and_gives_the_same_records(
    layout: str, synsets: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    convert(_layout(tmp_path / "src", layout, synsets), tmp_path / "dst")
    assert tuple(c.name for c in manifest.read(tmp_path / "dst" / "train").classes) == CLASSES
    held, expected = _held(tmp_path / "dst" / "train"), _expected(synsets, CLASSES)
    assert held == expected
    if layout != "winter21_whole.tar.gz":
        assert list(held) == list(expected)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_class_list_chooses_the_synsets_and_orders_the_labels(
    layout: str, synsets: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    src = _layout(tmp_path / "src", layout, synsets)
    listed = (CLASSES[2], CLASSES[0], "n09999999")
    (tmp_path / "list.txt").write_text("".join(f"{n} some words\n" for n in listed))
    command = ["convert", str(src), str(tmp_path / "dst"), "--classes", str(tmp_path / "list.txt")]
    result = CliRunner().invoke(cli.cli, command)
    assert result.exit_code == 0, result.output
    assert tuple(c.name for c in manifest.read(tmp_path / "dst" / "train").classes) == listed
    assert _held(tmp_path / "dst" / "train") == _expected(synsets, listed[:2])


def test_the_report_names_classes_without_images_and_synsets_left_out(
    synsets: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    src = _layout(tmp_path / "src", "fall11_whole.tar", {**synsets, "n00000001": {}})
    report = convert(src, tmp_path / "dst", classes=["n00000001", CLASSES[0]])
    notes = report.splits["train"].notes
    assert notes["classes without images"] == ["n00000001"]
    assert notes["synsets left out"] == [CLASSES[1], CLASSES[2]]


def test_a_compressed_tar_keeps_its_own_order(synsets: dict[str, dict[str, bytes]], tmp_path: Path) -> None:
    src = _layout(tmp_path / "src", "winter21_whole.tar.gz", synsets)
    convert(src / "winter21_whole.tar.gz", tmp_path / "dst", shard_size="4")
    tars = sorted((tmp_path / "dst" / "train").glob("*.tar"))
    keys = [name[:-4] for name in members(*tars) if name.endswith(".jpg")]
    assert keys == [f"{n}/{n}_{i}" for n in ORDER for i in (7, 3)]


def test_a_compressed_tar_is_read_once_where_the_classes_are_given(
    synsets: dict[str, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    src = _layout(tmp_path / "src", "winter21_whole.tar.gz", synsets)
    opened: list[str] = []
    real = gzip.GzipFile

    def counting(fileobj: BinaryIO) -> object:
        opened.append(Path(fileobj.name).name)
        return real(fileobj=fileobj)

    monkeypatch.setattr(gzip, "GzipFile", counting)
    report = convert(src, tmp_path / "dst", classes=CLASSES)
    assert (report.records, opened) == (6, ["winter21_whole.tar.gz"])


def test_an_interrupted_conversion_of_a_compressed_tar_goes_on(
    synsets: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    broken = {n: dict(files) for n, files in synsets.items()}
    broken[ORDER[2]][f"{ORDER[2]}_7.JPEG"] = b"not an image"
    src = _layout(tmp_path / "src", "winter21_whole.tar.gz", broken)
    with pytest.raises(errors.DecodeError, match=f"winter21_whole.tar.gz/{ORDER[2]}.tar/{ORDER[2]}_7.JPEG"):
        convert(src, tmp_path / "dst", shard_size="2", workers=1)
    report = convert(src, tmp_path / "dst", shard_size="2", workers=1, on_bad="skip", overwrite=True)
    assert report.records == 5
    assert convert(src, tmp_path / "dst", shard_size="2", on_bad="skip").already_complete


def test_a_compressed_tar_cannot_be_shuffled(synsets: dict[str, dict[str, bytes]], tmp_path: Path) -> None:
    src = _layout(tmp_path / "src", "winter21_whole.tar.gz", synsets)
    with pytest.raises(errors.ArgumentError, match="cannot be shuffled; decompress the archive first"):
        convert(src, tmp_path / "dst", shuffle=1)


@pytest.mark.parametrize("damage", ["cut short", "flipped bit", "inner tar"])
def test_a_damaged_compressed_tar_is_an_error(
    damage: str, synsets: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    data = tar_of_tars(synsets, "", "gz")
    if damage == "cut short":
        data = data[: len(data) // 2]
    elif damage == "flipped bit":
        data = data[:-6] + bytes([data[-6] ^ 1]) + data[-5:]  # in the CRC of the content
    else:
        data = gzip.compress(tar_of({f"{CLASSES[0]}.tar": b"no tar at all" * 100}))
    src = write(tmp_path / "src", {"winter21_whole.tar.gz": data})
    with pytest.raises(errors.FormatError, match=r"winter21_whole\.tar\.gz.*damaged or incomplete"):
        convert(src, tmp_path / "dst")
    assert not (tmp_path / "dst" / "train" / "dataset.json").exists()


def test_a_synset_held_twice_is_refused(synsets: dict[str, dict[str, bytes]], tmp_path: Path) -> None:
    twice = tar_of({f"{d}/{CLASSES[0]}.tar": tar_of(synsets[CLASSES[0]]) for d in "ab"})
    src = write(tmp_path / "src", {"fall11_whole.tar": twice})
    with pytest.raises(errors.FormatError, match=f"holds {CLASSES[0]}.tar twice"):
        open_source(src)


@pytest.mark.parametrize(
    ("text", "message"),
    [("n1\nn2\nn1\n", "names n1 twice"), ("\n", "names no class"), (None, "class list is missing")],
)
def test_a_class_list_that_makes_no_sense_is_refused(text: str | None, message: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "list.txt").write_text(text)
    with pytest.raises(errors.FastinetError, match=message):
        read_class_list(tmp_path / "list.txt")


def test_a_class_list_without_any_synset_that_is_there_is_refused(
    synsets: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    src = _layout(tmp_path / "src", "fall11_whole.tar", synsets)
    with pytest.raises(errors.ArgumentError, match="no synsets here of the class list"):
        open_source(src, classes=["n00000007"])
    with pytest.raises(errors.ArgumentError, match=f"found '{CLASSES[0]}' for labels 0 and 2"):
        open_source(src, classes=[CLASSES[0], CLASSES[1], CLASSES[0]])


@pytest.mark.parametrize(
    ("name", "count"), [("imagenet22k_synsets.txt", 21_841), ("imagenet21k_miil_w21_synsets.txt", 10_450)]
)
def test_the_published_class_lists_are_read(name: str, count: int) -> None:
    path = SHARED / "imagenet-meta" / name
    if not path.is_file():
        pytest.skip("the published lists are not here")
    names = read_class_list(path)
    assert (len(names), list(names)) == (count, sorted(names))


def test_folders_beside_tars_are_left_alone_or_refused_where_they_hold_more(
    synsets: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    src = _layout(tmp_path / "src", "folder of tars", synsets)
    write_tree(src, {f"{CLASSES[0]}/{CLASSES[0]}_3.JPEG": small_jpeg(1), "notes/x.txt": b""})
    notes = open_source(src).survey("train").notes
    assert notes["folders left alone"] == [f"{CLASSES[0]}: {CLASSES[0]}.tar is read"]
    (src / f"{CLASSES[0]}.tar").unlink()
    with pytest.raises(
        errors.ArgumentError, match=rf"that have no tar \({CLASSES[0]}\).*--source imagefolder"
    ):
        open_source(src)


def test_a_class_list_serves_for_a_tree_of_splits(
    synsets: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    for split in ("train", "val"):
        _layout(tmp_path / "src" / split, "extracted tree", synsets)
    source = open_source(tmp_path / "src", classes=CLASSES[1:])
    assert (source.kind, tuple(source.splits)) == ("imagenet21k", ("train", "val"))
    for split in source.splits:
        assert [sample.label for sample in source.samples(split)] == [0, 0, 1, 1]
    assert tuple(open_source(tmp_path / "src", split="val", classes=CLASSES).splits) == ("val",)
