"""The TFRecord source."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import images
import pytest
from folders import small_jpeg, snapshot, write_tree
from hypothesis import given
from hypothesis import strategies as st
from tfrecords import Value, classic, example, frame, write_records

from fastinet import Dataset, convert, errors
from fastinet.conversion.sources.tf_example import parse_example
from fastinet.conversion.sources.tfrecord_file import RawRecord, read_records

pytest.importorskip("google_crc32c")
pytest.importorskip("google.protobuf")

WNIDS = ("n01440764", "n01443537", "n02119789")


def tfds(folder: Path, labels: Mapping[str, Sequence[int]], files: int = 2) -> dict[str, list[bytes]]:
    """imagenet2012 as TensorFlow Datasets writes it, with these labels by split; returns the images."""
    held: dict[str, list[bytes]] = {}
    infos = []
    for split, numbers in labels.items():
        held[split] = [small_jpeg(100 * len(held) + i) for i in range(len(numbers))]
        rows: list[dict[str, Value]] = []
        for i, (image, number) in enumerate(zip(held[split], numbers, strict=True)):
            name = f"{WNIDS[number]}_{i}.JPEG" if split == "train" else f"ILSVRC2012_val_{i:08d}.JPEG"
            rows.append({"file_name": name, "image": image, "label": number})
        cuts = [rows[n * len(rows) // files : (n + 1) * len(rows) // files] for n in range(files)]
        for n, cut in enumerate(cuts):
            write_records(folder / f"imagenet2012-{split}.tfrecord-{n:05d}-of-{files:05d}", cut)
        infos.append({"name": split, "shardLengths": [str(len(cut)) for cut in cuts]})
    (folder / "label.labels.txt").write_text("".join(f"{name}\n" for name in WNIDS))
    (folder / "dataset_info.json").write_text(json.dumps({"name": "imagenet2012", "splits": infos}))
    (folder / "features.json").write_text("{}")
    return held


def records(path: Path) -> list[tuple[str, int, bytes]]:
    return [(r.key, r.label, bytes(r.payload)) for r in Dataset(path)]


def test_tensorflow_datasets_files_are_recognised_with_splits_and_classes(tmp_path: Path) -> None:
    held = tfds(tmp_path / "imagenet2012" / "5.1.0", {"train": [2, 0, 1, 0, 2], "validation": [1, -1]})
    report = convert(tmp_path / "imagenet2012", tmp_path / "dst")
    assert {name: split.records for name, split in report.splits.items()} == {"train": 5, "validation": 2}
    assert [c.name for c in Dataset(tmp_path / "dst/train").classes] == list(WNIDS)
    assert records(tmp_path / "dst/train") == [
        (f"{WNIDS[label]}/{WNIDS[label]}_{i}", label, held["train"][i])
        for i, label in enumerate([2, 0, 1, 0, 2])
    ]
    assert records(tmp_path / "dst/validation") == [
        ("ILSVRC2012_val_00000000", 1, held["validation"][0]),
        ("ILSVRC2012_val_00000001", -1, held["validation"][1]),
    ]


def test_the_earlier_scripts_files_give_synsets_and_boxes(tmp_path: Path) -> None:
    boxes = [(3 / 64, 5 / 48, 50 / 64, 1.0), (0.0, 0.0, 1.5, 0.25)]
    rows = [
        classic(small_jpeg(0), 3, "n02119789", "n02119789_7.JPEG", (64, 48), boxes),
        classic(small_jpeg(1), 1, "n01440764", "n01440764_3.JPEG", (64, 48)),
        classic(small_jpeg(2), 2, "n01443537", "n01443537_1.JPEG", (0, 0), boxes[:1]),
    ]
    write_records(tmp_path / "src/train-00000-of-00001", rows)
    write_records(
        tmp_path / "src/validation-00000-of-00001",
        [classic(small_jpeg(3), 2, "n01443537", "ILSVRC2012_val_00000001.JPEG")],
    )
    report = convert(tmp_path / "src", tmp_path / "dst")
    train = Dataset(tmp_path / "dst/train")
    assert [c.name for c in train.classes] == list(WNIDS)
    assert [(r.key, r.label, r.boxes_size, r.boxes) for r in train] == [
        ("n02119789/n02119789_7", 2, (64, 48), [(2, 3, 5, 50, 48, 0), (2, 0, 0, 64, 12, 0)]),
        ("n01440764/n01440764_3", 0, None, []),
        ("n01443537/n01443537_1", 1, (64, 48), [(1, 3, 5, 50, 48, 0)]),
    ]
    assert "clipped: the box (0, 0, 96, 12)" in report.splits["train"].box_problems[0][1]
    assert records(tmp_path / "dst/validation") == [("ILSVRC2012_val_00000001", 1, small_jpeg(3))]


def test_a_tfrecord_of_a_tree_gives_the_very_shards_of_the_tree(tmp_path: Path) -> None:
    files = images.shared_files("imagenet-samples/train/*/*.JPEG")[:6]
    tree = {f"{p.parent.name}/{p.name}": p.read_bytes() for p in files}
    tree = tree or {f"{w}/{w}_{i}.JPEG": small_jpeg(i) for i, w in enumerate(WNIDS)}
    write_tree(tmp_path / "tree", tree)
    numbers = {wnid: i + 1 for i, wnid in enumerate(sorted({path.split("/")[0] for path in tree}))}
    rows = [
        classic(data, numbers[path.split("/")[0]], path.split("/")[0], path.split("/")[1])
        for path, data in sorted(tree.items())
    ]
    write_records(tmp_path / "tf/train-00000-of-00001", rows)
    convert(tmp_path / "tree", tmp_path / "a", shard_size="4")
    convert(tmp_path / "tf", tmp_path / "b", shard_size="4")
    a, b = snapshot(tmp_path / "a/train"), snapshot(tmp_path / "b/train")
    assert len(a) > 3
    assert {n: h for n, h in a.items() if n != "dataset.json"} == {
        n: h for n, h in b.items() if n != "dataset.json"
    }


def test_numbers_in_the_order_of_the_ilsvrc_ids_become_labels_in_that_of_the_wnids(tmp_path: Path) -> None:
    ids = {1: "n02119789", 2: "n01440764", 3: "n01443537"}
    rows = [
        classic(small_jpeg(n), n, wnid, f"{wnid}_1.JPEG", (64, 48), [(0.0, 0.0, 0.5, 0.5)])
        for n, wnid in ids.items()
    ]
    write_records(tmp_path / "src/train-00000-of-00001", rows)
    report = convert(tmp_path / "src", tmp_path / "dst")
    assert [(r.key[:9], r.label, r.boxes[0][0]) for r in Dataset(tmp_path / "dst")] == [
        ("n02119789", 2, 2),
        ("n01440764", 0, 0),
        ("n01443537", 1, 1),
    ]
    assert report.splits["train"].notes == {
        "classes renumbered in the order of the WNIDs": ["3: n02119789, number 1, is now 2"]
    }


def test_file_names_tell_the_synsets_of_a_validation_split_that_has_none(tmp_path: Path) -> None:
    tfds(tmp_path / "src", {"train": [0, 1, 2], "validation": [2, 0]})
    (tmp_path / "src/label.labels.txt").unlink()
    convert(tmp_path / "src", tmp_path / "dst", split="validation")
    val = Dataset(tmp_path / "dst")
    assert [c.name for c in val.classes] == list(WNIDS)
    assert val.labels.tolist() == [2, 0]


def test_a_part_of_the_files_keeps_the_labels_of_the_whole(tmp_path: Path) -> None:
    write_records(tmp_path / "train-00001-of-00002", [classic(small_jpeg(0), 3, "n02119789")])
    report = convert(tmp_path / "train-00001-of-00002", tmp_path / "dst")
    assert [c.name for c in Dataset(tmp_path / "dst").classes] == ["0", "1", "n02119789"]
    assert records(tmp_path / "dst") == [("00000000", 2, small_jpeg(0))]
    assert report.splits["train"].notes == {
        "classes named by number, as no record has their name": ["2"],
        "classes without images": ["0", "1"],
    }


def test_numbers_without_names_are_kept(tmp_path: Path) -> None:
    rows: list[Mapping[str, Value]] = [
        {"image": small_jpeg(i), "label": label} for i, label in enumerate((3, 1))
    ]
    write_records(tmp_path / "x.tfrecord", rows)
    convert(tmp_path / "x.tfrecord", tmp_path / "dst")
    assert [c.name for c in Dataset(tmp_path / "dst").classes] == ["0", "1", "2", "3"]
    assert Dataset(tmp_path / "dst").labels.tolist() == [3, 1]


def contradictory(name: str) -> tuple[list[dict[str, Value]], str, str]:
    """Records, list of classes, and what the error says."""
    jpeg = small_jpeg(0)
    return {
        "one number, two synsets": (
            [classic(jpeg, 1, WNIDS[0]), classic(jpeg, 1, WNIDS[1])],
            "",
            r"record 1 at offset \d+: synset of label 1: expected n01440764, as before, found n01443537",
        ),
        "one synset, two numbers": (
            [classic(jpeg, 1, WNIDS[0]), classic(jpeg, 2, WNIDS[0])],
            "",
            "labels 1 and 2 both stand for n01440764",
        ),
        "synset against list": (
            [classic(jpeg, 1, WNIDS[1])],
            "\n".join(WNIDS),
            "synset of label 1: expected n01440764, as synsets.txt says, found n01443537",
        ),
        "file name against list": (
            [classic(jpeg, 1, "", f"{WNIDS[1]}_5.JPEG")],
            "\n".join(WNIDS),
            "label 1: expected that of n01443537, with which the file name n01443537_5.JPEG begins, "
            "found that of n01440764",
        ),
        "synset not in list": (
            [classic(jpeg, 4, "n00000001")],
            "\n".join(WNIDS),
            "synset: expected one of the 3 classes",
        ),
        "background, or counted from 0": (
            [classic(jpeg, 0)],
            "\n".join(WNIDS),
            "label: expected 1 to 3, as 0 is the background's; or do these files count from 0.*found 0",
        ),
        "beyond the list": ([classic(jpeg, 4)], "\n".join(WNIDS), "label: expected 1 to 3, found 4"),
        "some synsets unknown": (
            [classic(jpeg, 1, WNIDS[0]), classic(jpeg, 2)],
            "",
            "no record tells the synset of the labels 2",
        ),
        "a class twice": ([classic(jpeg, 1)], "a\nb\na\n", "synsets.txt: this list of classes names a twice"),
        "label is text": (
            [{**classic(jpeg, 1), "image/class/label": "1"}],
            "\n".join(WNIDS),
            "feature image/class/label: expected a number, found ",
        ),
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        "one number, two synsets",
        "one synset, two numbers",
        "synset against list",
        "file name against list",
        "synset not in list",
        "background, or counted from 0",
        "beyond the list",
        "some synsets unknown",
        "a class twice",
        "label is text",
    ],
)
def test_labels_that_contradict_each_other_are_errors(tmp_path: Path, name: str) -> None:
    rows, listing, message = contradictory(name)
    write_records(tmp_path / "src/train-00000-of-00001", rows)
    if listing:
        (tmp_path / "src/synsets.txt").write_text(listing)
    with pytest.raises((errors.FormatError, errors.ArgumentError), match=message):
        convert(tmp_path / "src", tmp_path / "dst")


def test_every_cut_of_a_file_is_an_error(tmp_path: Path) -> None:
    whole = b"".join(frame(example({"label": i})) for i in range(2))
    path = tmp_path / "x.tfrecord"
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        if size == len(whole) // 2:
            assert len(list(read_records(path))) == 1
            continue
        with pytest.raises(
            errors.TruncatedError, match=rf"record {2 * size // len(whole)} cut short: expected"
        ):
            list(read_records(path))


def test_every_changed_byte_is_found(tmp_path: Path) -> None:
    data = example({"label": 1})
    whole = frame(data)
    path = tmp_path / "x.tfrecord"
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        if place < 12:
            with pytest.raises(errors.FormatError, match=r"record 0 at offset 0: CRC-32C of the length: exp"):
                list(read_records(path))
        else:
            (record,) = read_records(path)
            assert "record 0 at offset 12: CRC-32C of the data: expected" in str(record.error)


@given(st.binary(max_size=60))
def test_whatever_is_no_example_is_a_format_error(data: bytes) -> None:
    wanted = r"x: record 0 at offset 0: data: expected a tf\.train\.Example, found"
    with pytest.raises(errors.FormatError, match=wanted):
        parse_example(Path("x"), RawRecord(0, 0, b"\x0a\x7f" + data, None))


def test_a_damaged_record_is_a_bad_file(tmp_path: Path) -> None:
    path = write_records(
        tmp_path / "src/train-00000-of-00001", [classic(small_jpeg(i), i + 1, WNIDS[i]) for i in range(3)]
    )
    (tmp_path / "src/synsets.txt").write_text("\n".join(WNIDS))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(errors.FormatError, match=r"record 1 at offset .*CRC-32C of the data"):
        convert(tmp_path / "src", tmp_path / "dst")
    report = convert(tmp_path / "src", tmp_path / "dst2", on_bad="skip")
    assert [r.label for r in Dataset(tmp_path / "dst2")] == [0, 2]
    assert [origin for origin, _ in report.splits["train"].bad] == ["train-00000-of-00001/1/00000001."]


def test_a_record_without_an_image_is_a_bad_file(tmp_path: Path) -> None:
    rows = [classic(small_jpeg(0), 1, WNIDS[0]), classic(b"", 2, WNIDS[1])]
    write_records(tmp_path / "train-00000-of-00001", rows)
    with pytest.raises(errors.FormatError, match="feature image/encoded: expected an image, found nothing"):
        convert(tmp_path / "train-00000-of-00001", tmp_path / "dst")
    assert convert(tmp_path / "train-00000-of-00001", tmp_path / "dst2", on_bad="skip").records == 1


def lost_record(folder: Path) -> None:
    file = folder / "imagenet2012-train.tfrecord-00001-of-00002"
    file.write_bytes(frame(example({"file_name": f"{WNIDS[0]}_0.JPEG", "image": small_jpeg(0), "label": 0})))


def lost_file(folder: Path) -> None:
    (folder / "imagenet2012-train.tfrecord-00000-of-00002").unlink()


def two_sets(folder: Path) -> None:
    (folder / "imagenet2012-train.tfrecord-00000-of-00001").write_bytes(frame(example({"label": 0})))


def compressed(folder: Path) -> None:
    for file in folder.glob("*-of-*"):
        file.write_bytes(b"\x1f\x8b" + bytes(40))


def other_features(folder: Path) -> None:
    for file in folder.glob("*-of-*"):
        file.write_bytes(frame(example({"serialized": b"x"})))


def emptied(folder: Path) -> None:
    for file in folder.glob("*-of-*"):
        file.write_bytes(b"")


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (
            lost_record,
            errors.TruncatedError,
            r"00001-of-00002: expected 2 records, as dataset_info\.json says, "
            "found 1",
        ),
        (
            lost_file,
            errors.MissingFileError,
            r"train\.tfrecord-00000-of-00002: missing: expected 2 files of the "
            "split train, found 1",
        ),
        (
            two_sets,
            errors.ArgumentError,
            r"split train: more than one set of files: .*-of-00001 and .*-of-00002",
        ),
        (compressed, errors.UnsupportedError, "compressed with gzip; decompress it first"),
        (
            other_features,
            errors.ArgumentError,
            "expected a feature image or image/encoded, found: serialized",
        ),
        (emptied, errors.ArgumentError, "no records in its 2 TFRecord files"),
    ],
)
def test_what_is_missing_or_something_else_is_named(
    tmp_path: Path, change: Callable[[Path], None], kind: type[Exception], message: str
) -> None:
    tfds(tmp_path / "src", {"train": [0, 1, 2, 0]})
    change(tmp_path / "src")
    with pytest.raises(kind, match=message):
        convert(tmp_path / "src", tmp_path / "dst")


def test_versions_beside_each_other_have_to_be_named(tmp_path: Path) -> None:
    for version in ("5.0.0", "5.1.0"):
        tfds(tmp_path / "src" / version, {"train": [0, 1]})
    with pytest.raises(errors.ArgumentError, match=r"holds versions 5\.0\.0, 5\.1\.0; name one"):
        convert(tmp_path / "src", tmp_path / "dst")
    assert convert(tmp_path / "src/5.1.0", tmp_path / "dst").records == 2


def test_without_the_libraries_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tfds(tmp_path / "src", {"train": [0, 1]})
    monkeypatch.setitem(sys.modules, "google_crc32c", None)
    with pytest.raises(errors.UnsupportedError, match=r"pip install 'fastinet\[tfrecord\]'"):
        convert(tmp_path / "src", tmp_path / "dst")


def test_dali_reads_the_same_images_and_labels(tmp_path: Path) -> None:
    dali = pytest.importorskip("nvidia.dali")
    tfrecord = pytest.importorskip("nvidia.dali.tfrecord")
    rows = [classic(small_jpeg(i), i + 1, WNIDS[i], f"{WNIDS[i]}_{i}.JPEG") for i in range(3)]
    path = write_records(tmp_path / "train-00000-of-00001", rows)
    offset, lines = 0, []
    for row in rows:
        size = len(frame(example(row)))
        lines.append(f"{offset} {size}\n")
        offset += size
    (tmp_path / "index").write_text("".join(lines))

    @dali.pipeline_def(batch_size=3, num_threads=1, device_id=None)
    def pipeline() -> object:
        read = dali.fn.readers.tfrecord(
            path=[str(path)],
            index_path=[str(tmp_path / "index")],
            features={
                "image/encoded": tfrecord.FixedLenFeature((), tfrecord.string, ""),
                "image/class/label": tfrecord.FixedLenFeature([1], tfrecord.int64, -1),
            },
        )
        return read["image/encoded"], read["image/class/label"]

    built = pipeline()
    built.build()
    encoded, labels = built.run()
    convert(path, tmp_path / "dst")
    assert [(label, data) for _, label, data in records(tmp_path / "dst")] == [
        (int(labels.at(i)[0]) - 1, encoded.at(i).tobytes()) for i in range(3)
    ]


def test_real_images_get_their_labels_of_the_official_order(tmp_path: Path) -> None:
    files = images.shared_files("imagenet-samples/train/*/*.JPEG")[::200]
    mapping = images.shared_files("imagenet-meta/LOC_synset_mapping.txt")
    if not files or not mapping:
        pytest.skip("no real images here")
    wnids = [line.split(" ")[0] for line in mapping[0].read_text().splitlines()]
    google_crc32c = pytest.importorskip("google_crc32c")
    assert google_crc32c.value(b"123456789") == 0xE3069283
    rows: list[dict[str, Value]] = [
        {"image": p.read_bytes(), "label": wnids.index(p.parent.name), "file_name": p.name} for p in files
    ]
    write_records(tmp_path / "src/imagenet2012-train.tfrecord-00000-of-00001", rows)
    (tmp_path / "src/label.labels.txt").write_text("".join(f"{name}\n" for name in wnids))
    convert(tmp_path / "src", tmp_path / "dst")
    dataset = Dataset(tmp_path / "dst")
    assert [c.name for c in dataset.classes] == sorted(wnids)
    for record, file in zip(dataset, files, strict=True):
        assert dataset.classes[record.label].name == file.parent.name
        assert bytes(record.payload) == file.read_bytes()
