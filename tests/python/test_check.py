"""Conversion and indexing decide like training: what Pillow refuses is bad, whatever its header says."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Literal

import pytest
from click.testing import CliRunner
from folders import small_jpeg, write_tree
from images import encode, photo
from PIL import Image
from test_index import write_tar

import fastinet
import fastinet.images.judge
from fastinet import Dataset, _core, cli, convert, decode, errors
from fastinet.conversion import SplitReport
from fastinet.conversion.index import index
from fastinet.dataset.dataset import shard_specs
from fastinet.format import manifest

Check = Literal["fast", "full", "none"]
CHECKED: tuple[Check, ...] = ("fast", "full")


def _pillow_takes(data: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.convert("RGB")
    except Exception:
        return False
    return True


def _training_takes(data: bytes) -> bool:
    try:
        decode(data)
    except errors.DecodeError:
        return False
    return True


def _taken(data: bytes, check: Check) -> bool:
    return not _core.examine(data, check)[1]


def _converted(tmp_path: Path, **options: object) -> SplitReport:
    return convert(tmp_path / "src", tmp_path / "dst", **options).splits["train"]  # type: ignore[arg-type]


def _with_factors(data: bytes, luma: int, chroma: int) -> bytes:
    """The sampling factors of a JPEG file of three components, changed where they stand."""
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    return data[: at + 11] + bytes((luma,)) + data[at + 12 : at + 14] + bytes((chroma,)) + data[at + 15 :]


def _with_impossible_codes(data: bytes) -> bytes:
    """Three Huffman codes of one bit in the first table."""
    at = data.index(b"\xff\xc4") + 5
    counts = bytearray(data[at : at + 16])
    longest = max(range(16), key=lambda length: counts[length])
    moved = 3 - counts[0]
    counts[0], counts[longest] = 3, counts[longest] - moved
    return data[:at] + bytes(counts) + data[at + 16 :]


# Well-formed markers from end to end, and yet no decoder takes them.
BROKEN = {
    "fractional sampling": _with_factors(small_jpeg(1), 0x33, 0x22),
    "impossible Huffman codes": _with_impossible_codes(small_jpeg(2)),
    "impossible Huffman codes in a progressive file": _with_impossible_codes(small_jpeg(3, progressive=True)),
    "sampling factor zero": _with_factors(small_jpeg(4), 0x20, 0x11),
    "blocks too many for a unit": _with_factors(small_jpeg(5), 0x44, 0x11),
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("check", CHECKED)
def test_a_file_whose_markers_are_in_order_but_which_pillow_refuses_is_bad(kind: str, check: Check) -> None:
    data = BROKEN[kind]
    assert not _pillow_takes(data)
    assert not _training_takes(data)
    refusal = _core.examine(data, check)[1]
    assert refusal.startswith("damaged JPEG; Pillow says: ")
    assert refusal.removeprefix("damaged JPEG; Pillow says: ").strip()


def _mutants(count: int, seed: int) -> list[bytes]:
    rng = random.Random(seed)
    pictures = [Image.fromarray(photo(s, 40 + 7 * s, 30)) for s in range(4)]
    intact = [encode(picture, subsampling=s % 3) for s, picture in enumerate(pictures)]
    intact += [
        encode(pictures[0], progressive=True),
        encode(pictures[1], restart_marker_blocks=2),
        encode(pictures[2].convert("L"), subsampling=None),
        encode(pictures[3].convert("CMYK"), subsampling=None),
    ]
    mutants = []
    for _ in range(count):
        data = bytearray(rng.choice(intact))
        scan = data.index(b"\xff\xda")
        at = rng.randrange(2, len(data))
        match rng.randrange(6):
            case 0:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[rng.randrange(2, scan + 14)] = rng.randrange(256)
            case 2:
                del data[at:]
            case 3:
                data[at:] = b"\xff\xd9"
            case 4:
                del data[at : at + rng.randint(1, 30)]
            case 5:
                data[at:] = rng.choice(intact)[at:]
        mutants.append(bytes(data))
    return mutants


def test_damaged_files_are_taken_if_and_only_if_pillow_and_training_take_them() -> None:
    counts = {True: 0, False: 0}
    passed_by_header = 0
    for data in _mutants(600, seed=11):
        taken = _pillow_takes(data)
        assert _training_takes(data) is taken
        for check in CHECKED:
            assert _taken(data, check) is taken, (check, data)
        passed_by_header += _taken(data, "none") and not taken
        counts[taken] += 1
    assert min(counts.values()) > 100
    assert passed_by_header > 0  # what "none" does not find


@pytest.mark.parametrize("entry_points", [True, False])
@pytest.mark.parametrize("check", CHECKED)
def test_conversion_leaves_out_what_training_could_not_decode(
    tmp_path: Path, entry_points: bool, check: Check
) -> None:
    files = {f"a/{i}.jpg": data for i, data in enumerate(BROKEN.values())}
    write_tree(tmp_path / "src", {**files, "a/good.jpg": small_jpeg(1), "b/good.jpg": small_jpeg(2)})
    with pytest.raises(errors.DecodeError, match=r"a/0\.jpg.*bad image: damaged JPEG; Pillow says: "):
        _converted(tmp_path, check=check, entry_points=entry_points)
    report = convert(
        tmp_path / "src",
        tmp_path / "dst",
        check=check,
        entry_points=entry_points,
        on_bad="skip",
        overwrite=True,
    ).splits["train"]
    assert [origin for origin, _ in report.bad] == sorted(files)
    assert report.records == 2
    assert not fastinet.verify(tmp_path / "dst", decode=True).problems


def test_without_a_check_headers_decide_and_verify_finds_the_rest(tmp_path: Path) -> None:
    files = {f"a/{i}.jpg": data for i, data in enumerate(BROKEN.values())}
    write_tree(tmp_path / "src", {**files, "b/cut.jpg": small_jpeg(1)[:-2], "b/good.jpg": small_jpeg(2)})
    report = _converted(tmp_path, check="none", on_bad="skip")
    assert [origin for origin, _ in report.bad] == ["b/cut.jpg"]
    found = fastinet.verify(tmp_path / "dst", decode=True).problems
    assert [problem.key for problem in found] == [f"a/{i}" for i in range(len(BROKEN))]


def test_a_full_check_has_pillow_decode_every_image_and_a_fast_one_only_what_it_cannot_vouch_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned = small_jpeg(3, 200, 150)[:-300] + b"\xff\xd9"  # rows are missing: Pillow takes the file
    png = io.BytesIO()
    Image.fromarray(photo(4, 40, 40)).save(png, "PNG")
    files = {
        "a/usual.jpg": small_jpeg(1),
        "a/progressive.jpg": small_jpeg(2, progressive=True),
        "b/warned.jpg": warned,
        "b/png.jpg": png.getvalue(),
    }
    assert _pillow_takes(warned)
    write_tree(tmp_path / "src", files)
    asked: list[bytes] = []
    real = fastinet.images.judge.judge

    def judge(data: bytes) -> object:
        asked.append(data)
        return real(data)

    monkeypatch.setattr(fastinet.images.judge, "judge", judge)
    _converted(tmp_path, check="fast")
    assert set(asked) == {files["b/warned.jpg"], files["b/png.jpg"]}
    asked.clear()
    convert(tmp_path / "src", tmp_path / "dst", check="full", overwrite=True)
    assert set(asked) == set(files.values())


@pytest.mark.parametrize("entry_points", [True, False])
def test_clean_says_that_the_image_was_decoded_to_its_last_row_without_a_warning(
    tmp_path: Path, entry_points: bool
) -> None:
    warned = small_jpeg(3, 200, 150)[:-300] + b"\xff\xd9"
    files = {
        "a/1usual.jpg": small_jpeg(1),
        "a/2progressive.jpg": small_jpeg(2, progressive=True),
        "a/3warned.jpg": warned,
    }
    write_tree(tmp_path / "src", files)
    clean = {"fast": [True, True, False], "full": [True, True, False], "none": [entry_points, False, False]}
    for check, expected in clean.items():
        convert(
            tmp_path / "src",
            tmp_path / "dst",
            entry_points=entry_points,
            overwrite=True,
            check=check,  # type: ignore[arg-type]
        )
        dataset = Dataset(tmp_path / "dst")
        core = _core.ShardedDataset(shard_specs(dataset.path, dataset.manifest))
        assert [core.record(i).clean for i in range(3)] == expected, check


def test_thousands_of_scans_are_refused_at_conversion_as_they_are_in_training() -> None:
    data = bytearray(small_jpeg(1, progressive=True))
    frame = data.index(b"\xff\xc2")
    data[frame + 5 : frame + 9] = b"\x27\x10\x27\x10"
    scan = data.index(b"\xff\xda")
    data[scan:scan] = data[scan : data.index(b"\xff", scan + 2)] * 5000
    for irregular in (b"", b"\xff\x01\x00\x02"):  # a marker that only Pillow can judge
        hostile = bytes(data[:2] + irregular + data[2:])
        for check in CHECKED:
            assert "more scans than its size can account for" in _core.examine(hostile, check)[1]
        with pytest.raises(errors.DecodeError, match="more scans than its size can account for"):
            decode(hostile)


def test_the_manifest_says_how_images_were_checked_and_another_check_is_another_conversion(
    tmp_path: Path,
) -> None:
    write_tree(tmp_path / "src", {"a/1.jpg": small_jpeg(1)})
    _converted(tmp_path)
    assert manifest.read(tmp_path / "dst" / "train").created_by["check"] == "fast"
    with pytest.raises(errors.ArgumentError, match="check 'fast' there, 'full' here"):
        _converted(tmp_path, check="full")
    convert(tmp_path / "src", tmp_path / "dst", check="full", overwrite=True)
    assert manifest.read(tmp_path / "dst" / "train").created_by["check"] == "full"


def test_tars_that_are_indexed_in_place_are_checked_in_the_same_way(tmp_path: Path) -> None:
    broken = list(BROKEN.values())
    members = [("good.jpg", small_jpeg(1))] + [(f"bad{i}.jpg", data) for i, data in enumerate(broken)]
    write_tar(tmp_path / "x.tar", members)
    with pytest.raises(errors.DecodeError, match="record bad0: bad image: damaged JPEG; Pillow says: "):
        index(tmp_path)
    for check in CHECKED:
        report = index(tmp_path, on_bad="skip", check=check)
        assert [key for _, key, _ in report.left_out] == [f"bad{i}" for i in range(len(broken))]
        assert report.records == 1
    assert index(tmp_path, check="none").records == 1 + len(broken)
    assert manifest.read(tmp_path).created_by["options"]["check"] == "none"  # type: ignore[index]


def test_the_commands_take_a_check_and_an_unknown_one_is_refused_by_name(tmp_path: Path) -> None:
    write_tree(tmp_path / "src", {"a/1.jpg": BROKEN["fractional sampling"]})
    run = CliRunner().invoke
    src, dst = str(tmp_path / "src"), str(tmp_path / "dst")
    assert run(cli.cli, ["convert", src, dst]).exit_code == cli.errors.BAD_DATA
    assert run(cli.cli, ["convert", src, dst, "--check", "none", "--overwrite"]).exit_code == 0
    assert run(cli.cli, ["convert", src, dst, "--check", "some"]).exit_code == 2
    write_tar(tmp_path / "tars" / "x.tar", [("bad.jpg", BROKEN["fractional sampling"])])
    assert run(cli.cli, ["index", str(tmp_path / "tars")]).exit_code == cli.errors.BAD_DATA
    assert run(cli.cli, ["index", str(tmp_path / "tars"), "--check", "none"]).exit_code == 0
    for call in (lambda: convert(src, dst, check="some"), lambda: index(tmp_path / "tars", check="some")):  # type: ignore[arg-type]
        with pytest.raises(errors.ArgumentError, match="check must be one of fast, full, none, not 'some'"):
            call()
