"""fastinet.verify finds images that are there more than once: the same bytes, or the same look."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from folders import small_jpeg
from images import encode, photo, shared_files
from PIL import Image
from splits import Item, jpeg_items, write_split

import fastinet
from fastinet import errors
from fastinet.verification import DuplicateGroup, DuplicateReport, duplicates
from fastinet.verification.records import Fingerprints, Records, Split

A, B, C, D = (small_jpeg(i) for i in range(4))


def keys(group: DuplicateGroup) -> list[str]:
    return [f"{image.split}/{image.key}" for image in group.images]


def listed(report: DuplicateReport | None) -> list[list[str]]:
    assert report is not None
    return [keys(group) for group in report.listed]


@pytest.fixture
def two_splits(tmp_path: Path) -> Path:
    """A is three times in train, twice of them with another label, and once in val; B twice in train."""
    train: list[Item] = [("a1", A, 0), ("b1", B, 1), ("c", C, 2), ("a2", A, 1), ("b2", B, 1), ("a3", A, 1)]
    write_split(tmp_path / "d" / "train", train, per_shard=2)
    write_split(tmp_path / "d" / "val", [("d", D, 0), ("a4", A, 0)], per_shard=1)
    return tmp_path / "d"


def test_images_with_the_same_bytes_are_grouped_across_shards_and_splits(two_splits: Path) -> None:
    report = fastinet.verify(two_splits)
    assert report.ok
    assert report.perceptual is None
    exact = report.exact
    assert exact is not None
    assert (exact.kind, exact.compared, exact.not_compared) == ("exact", 8, 0)
    assert (exact.groups, exact.images, exact.overlaps, exact.contradictions) == (2, 6, 1, 1)
    assert listed(exact) == [["train/a1", "train/a2", "train/a3", "val/a4"], ["train/b1", "train/b2"]]
    first = exact.listed[0]
    assert (first.splits, first.classes, first.distance) == (("train", "val"), ("n00000000", "n00000001"), 0)
    assert [image.record for image in first.images] == [0, 3, 5, 1]


def test_duplicates_are_problems_only_if_the_user_says_so(two_splits: Path) -> None:
    overlap = fastinet.verify(two_splits, fail_on=["overlap"]).problems
    assert [(type(p), str(p)) for p in overlap] == [
        (
            errors.ExpectationError,
            f"{two_splits}: 1 images are in more than one split: train/a1 = train/a2 = train/a3",
        )
    ]
    both = fastinet.verify(two_splits, fail_on=["duplicates"]).problems
    assert [str(p) for p in both] == [
        str(overlap[0]),
        f"{two_splits}: 1 images occur more than once in a split: train/b1 = train/b2",
    ]
    assert fastinet.verify(two_splits / "train", fail_on=["overlap"]).ok
    assert not fastinet.verify(two_splits / "train", fail_on=["duplicates"]).ok


def test_duplicates_within_the_other_dataset_are_not_reported(two_splits: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_split(other / "test", [("x", C, 3), ("y", small_jpeg(9), 0), ("z", small_jpeg(9), 0)])
    report = fastinet.verify(two_splits / "train", against=other, fail_on=["overlap"])
    assert (report.splits, report.shards, report.records) == (1, 3, 6)
    assert listed(report.exact)[0] == ["train/c", f"{other}: test/x"]
    assert report.exact is not None
    assert (report.exact.groups, report.exact.overlaps, report.exact.compared) == (3, 1, 9)
    assert "in more than one split: train/c" in str(report.problems[0])
    assert [split.name for split in report.contents] == ["train"]
    with pytest.raises(errors.ArgumentError, match="cannot be compared with itself"):
        fastinet.verify(two_splits, against=two_splits / "val")
    with pytest.raises(errors.MissingFileError, match=r"no dataset\.json"):
        fastinet.verify(two_splits, against=tmp_path / "gone")


def test_damage_of_the_other_dataset_is_a_problem_and_its_intact_part_is_compared(
    two_splits: Path, tmp_path: Path
) -> None:
    other = write_split(tmp_path / "other", [("x", C, 3), ("y", B, 0)], per_shard=1)
    (other / "other-000000.idx").unlink()
    report = fastinet.verify(two_splits / "val", against=other)
    assert [Path(p.path or "").name for p in report.problems] == ["other-000000.idx"]
    report = fastinet.verify(two_splits / "train", against=other)
    assert listed(report.exact)[0] == ["train/b1", "train/b2", f"{other}: other/y"]


def test_different_bytes_with_equal_hashes_are_not_duplicates(two_splits: Path) -> None:
    dataset = fastinet.Dataset(two_splits / "train")
    records = Records([Split("train", dataset.path, dataset.manifest)])
    prints = Fingerprints(len(records), payload=True, perceptual=False)
    prints.payload[:], prints.has_payload[:] = 42, True
    report, groups = duplicates.find_exact(records, prints)
    assert [group.tolist() for group in groups] == [[0, 3, 5], [1, 4]]
    assert listed(report) == [["train/a1", "train/a2", "train/a3"], ["train/b1", "train/b2"]]


def test_a_damaged_image_is_a_problem_and_not_a_duplicate(two_splits: Path) -> None:
    tar = two_splits / "val" / "val-000001.tar"
    data = bytearray(tar.read_bytes())
    data[data.index(A) + 50] ^= 1
    tar.write_bytes(data)
    (two_splits / "train" / "train-000002.tar").unlink()
    report = fastinet.verify(two_splits, duplicates="perceptual")
    assert {Path(p.path or "").name for p in report.problems} == {"val-000001.tar", "train-000002.tar"}
    assert listed(report.exact) == [["train/a1", "train/a2"]]
    assert report.exact is not None
    assert (report.exact.compared, report.exact.not_compared) == (6, 2)
    assert report.perceptual is not None
    assert (report.perceptual.compared, report.perceptual.not_compared) == (5, 3)


def test_without_the_search_for_duplicates_there_is_no_report_of_them(two_splits: Path) -> None:
    report = fastinet.verify(two_splits, duplicates="none")
    assert report.exact is None
    assert report.perceptual is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"duplicates": "some"}, "duplicates must be one of none, exact, perceptual, not 'some'"),
        ({"distance": 3}, "distance needs duplicates='perceptual', not 'exact'"),
        ({"duplicates": "perceptual", "distance": 17}, "distance must be 0 to 16 bits, not 17"),
        ({"fail_on": ["anything"]}, "fail_on takes duplicates and overlap, not 'anything'"),
        (
            {"fail_on": ["overlap"], "duplicates": "none"},
            "fail_on needs duplicates='exact' or 'perceptual'",
        ),
        (
            {"against": "x", "duplicates": "none"},
            "against needs duplicates='exact' or 'perceptual'",
        ),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(
    two_splits: Path, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(errors.ArgumentError) as error:
        fastinet.verify(two_splits, **arguments)
    assert str(error.value) == message


def test_the_lists_of_a_report_are_bounded_and_its_counts_are_complete(
    two_splits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "LISTED", 3)
    exact = fastinet.verify(two_splits).exact
    assert exact is not None
    assert listed(exact) == [["train/b1", "train/b2"]]
    assert (exact.groups, exact.images, exact.overlaps, exact.contradictions) == (2, 6, 1, 1)


def changed(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    """The same image, as people copy it."""
    width, height = image.size
    crop = (width // 100, height // 100, width - width // 100, height - height // 100)
    yield "encoded again", encode(image, quality=40)
    yield "half the size", encode(image.resize((width // 2, height // 2), Image.Resampling.LANCZOS))
    yield "squeezed", encode(image.resize((256, 256), Image.Resampling.BICUBIC))
    yield "grey", encode(image.convert("L").convert("RGB"))
    yield "cropped", encode(image.crop(crop))
    png = io.BytesIO()
    image.save(png, "PNG")
    yield "as PNG", png.getvalue()


def groups_of(folder: Path, items: list[Item], **options: object) -> DuplicateReport:
    write_split(folder, items, per_shard=50)
    report = fastinet.verify(folder, duplicates="perceptual", **options)
    assert report.ok
    assert report.perceptual is not None
    return report.perceptual


def photographs() -> list[Image.Image]:
    """ImageNet's where there are some, else such as look like photographs."""
    files = shared_files("imagenet-samples/train/*/*.JPEG")[::40]
    if files:
        return [Image.open(file).convert("RGB") for file in files]
    return [Image.fromarray(photo(seed, 320, 240)) for seed in range(13)]


def test_copies_that_were_encoded_resized_or_slightly_cropped_are_found(tmp_path: Path) -> None:
    items: list[Item] = []
    pictures = photographs()
    kinds = [kind for kind, _ in changed(pictures[0])]
    for i, picture in enumerate(pictures):
        items.append((f"{i}/original", encode(picture, quality=95), 0))
        items += [(f"{i}/{kind}", data, 0) for kind, data in changed(picture)]
    found = groups_of(tmp_path / "train", items)
    grouped = dict.fromkeys(kinds, 0)
    for group in found.listed:
        numbers = {image.key.split("/")[0] for image in group.images}
        assert len(numbers) == 1, f"different pictures: {keys(group)}"
        names = [image.key.split("/")[1] for image in group.images]
        if "original" in names:
            for name in names[1:]:
                grouped[name] += 1
    share = {kind: count / len(pictures) for kind, count in grouped.items()}
    assert share.pop("cropped") >= 0.9
    assert all(value == 1 for value in share.values()), share


def test_different_photographs_are_not_reported_as_copies(tmp_path: Path) -> None:
    files = shared_files("imagenet-samples/train/*/*.JPEG")
    items = [(file.stem, file.read_bytes(), 0) for file in files]
    items += [(f"made {key}", data, label) for key, data, label in jpeg_items(100)]
    found = groups_of(tmp_path / "train", items)
    assert (found.compared, found.groups) == (len(items), 0)


def test_copies_with_other_labels_and_in_other_splits_are_counted(tmp_path: Path) -> None:
    picture = Image.fromarray(photo(3, 320, 240))
    first, second = encode(picture, quality=95), encode(picture, quality=50)
    write_split(tmp_path / "d" / "train", [("one", first, 0), ("same", first, 0), ("far", A, 1)])
    write_split(tmp_path / "d" / "val", [("two", second, 3)])
    report = fastinet.verify(tmp_path / "d", duplicates="perceptual", fail_on=["overlap"])
    assert report.ok  # what looks the same may still be two photographs
    assert listed(report.exact) == [["train/one", "train/same"]]
    assert listed(report.perceptual) == [["train/one", "train/same", "val/two"]]
    assert report.perceptual is not None
    assert (report.perceptual.overlaps, report.perceptual.contradictions) == (1, 1)
    assert report.perceptual.listed[0].classes == ("n00000000", "n00000003")


def test_copies_with_the_same_bytes_are_not_reported_again_as_perceptual(two_splits: Path) -> None:
    report = fastinet.verify(two_splits, duplicates="perceptual")
    assert report.exact is not None
    assert report.perceptual is not None
    assert (report.exact.groups, report.perceptual.groups) == (2, 0)


def test_a_greater_distance_finds_more(tmp_path: Path) -> None:
    picture = Image.fromarray(photo(3, 320, 240))
    cropped = picture.crop((12, 9, 320, 240))
    items: list[Item] = [("whole", encode(picture), 0), ("part", encode(cropped), 0), ("a", A, 0)]
    assert groups_of(tmp_path / "near", items, distance=0).groups == 0
    far = groups_of(tmp_path / "far", items, distance=16)
    assert [keys(group) for group in far.listed] == [["far/whole", "far/part"]]
    assert 0 < far.listed[0].distance <= 16


def test_images_of_a_single_colour_are_not_compared(tmp_path: Path) -> None:
    items = [
        (f"{value}", encode(Image.new("RGB", (64 + value, 64), (value,) * 3)), 0) for value in range(5, 50, 5)
    ]
    found = groups_of(tmp_path / "train", [*items, ("no image", b"no image", 0)])
    assert (found.compared, found.not_compared, found.groups) == (0, 10, 0)


def test_the_hash_is_that_of_the_published_algorithm() -> None:
    from scipy.fft import dctn

    from fastinet.verification.perceptual import hash_thumbnails, thumbnail

    make: Callable[[int], bytes] = small_jpeg
    thumbnails = np.stack([thumbnail(make(seed)) for seed in range(8)])
    assert thumbnails.shape == (8, 32, 32)
    expected = []
    for pixels in thumbnails:
        waves = dctn(pixels.astype(np.float64), norm="ortho")[1:9, 1:9].ravel()
        bits = "".join("1" if wave > np.median(waves) else "0" for wave in waves)
        expected.append(int(bits, 2))
    hashes, telling = hash_thumbnails(thumbnails)
    assert telling.all()
    assert hashes.tolist() == expected
    assert {value.bit_count() for value in hashes.tolist()} == {32}
