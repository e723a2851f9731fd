"""The command line: what it prints, and its exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from folders import small_jpeg, write_tree

import fastinet
from fastinet import cli


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "src", {f"c{i % 2}/{i}.jpg": small_jpeg(i) for i in range(6)})


def run(monkeypatch: pytest.MonkeyPatch, *args: object) -> int:
    """Exit status of ``fastinet ARGS``."""
    monkeypatch.setattr(sys, "argv", ["fastinet", *map(str, args)])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    return int(exit_.value.code or 0)


def test_converting_verifying_indexing_and_measuring_work_from_the_command_line(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "convert", source, tmp_path / "dst") == 0
    assert "2 classes" in capsys.readouterr().out
    assert run(monkeypatch, "verify", tmp_path / "dst", "--decode") == 0
    assert "6 records in 1 shards of 1 split(s), 6 images decoded" in capsys.readouterr().out
    assert run(monkeypatch, "index", tmp_path / "dst" / "train", tmp_path / "indexed") == 0
    assert "6 records in 1 tars" in capsys.readouterr().out
    assert len(fastinet.Dataset(tmp_path / "indexed")) == 6
    assert (
        run(
            monkeypatch,
            "export",
            tmp_path / "dst",
            tmp_path / "back",
            "--to",
            "webdataset",
            "--split",
            "train",
            "--classes",
            "c1",
        )
        == 0
    )
    assert "back: 3 images" in capsys.readouterr().out
    figures = tmp_path / "figures.json"
    measure = ["--seconds", "0.01", "--repeats", "1", "--size", "32", "--threads", "1", "--batch-size", "4"]
    assert run(monkeypatch, "bench", tmp_path / "dst", *measure, "--json", figures) == 0
    assert "images/s" in capsys.readouterr().out
    assert json.loads(figures.read_text())["records"] == 6


def test_an_error_is_one_line_and_its_class_decides_the_exit_status(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tree(tmp_path / "bad", {"c/empty.jpg": b""})
    write_tree(tmp_path / "occupied", {"x": b""})
    cases = [
        (["convert", tmp_path / "gone", tmp_path / "dst"], 4, "there is nothing"),
        (["convert", tmp_path / "bad", tmp_path / "dst"], 3, "the file is empty"),
        (["convert", source, tmp_path / "occupied"], 2, "not a fastinet dataset"),
        (["convert", source, tmp_path / "dst", "--shard-size", "many"], 2, "number of records or bytes"),
        (["verify", tmp_path / "occupied"], 4, "no dataset.json here"),
        (["bench", tmp_path / "gone"], 4, "no dataset.json here"),
    ]
    for args, status, message in cases:
        assert run(monkeypatch, *args) == status, args
        err = capsys.readouterr().err.strip().splitlines()
        assert len(err) == 1
        assert err[0].startswith("fastinet: ")
        assert message in err[0]


def test_a_damaged_dataset_makes_verify_list_the_problems_and_fail(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "convert", source, tmp_path / "dst") == 0
    (tmp_path / "dst" / "train" / "train-000000.idx").unlink()
    assert run(monkeypatch, "verify", tmp_path / "dst") == 3
    captured = capsys.readouterr()
    assert "train-000000.idx" in captured.err
    assert "1 problem(s)" in captured.out


def test_verify_prints_bounded_lists_and_writes_all_findings_to_the_json_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    twice = {f"{split}/c/{i}.jpg": small_jpeg(i) for split in ("train", "val") for i in range(8)}
    source = write_tree(tmp_path / "src", twice)
    assert run(monkeypatch, "convert", source, tmp_path / "dst") == 0
    capsys.readouterr()
    findings = tmp_path / "found.json"
    assert run(monkeypatch, "verify", tmp_path / "dst", "--json", findings) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "8 groups of images with the same bytes, 16 images (16 compared): 8 across splits, 0 with" in out
    assert "train/c/4 = val/c/4 ... and 3 more" in out
    assert "train/c/5" not in out
    found = json.loads(findings.read_text())
    assert (found["ok"], found["records"], len(found["exact"]["listed"])) == (True, 16, 8)
    assert found["exact"]["listed"][7]["images"][1] == {
        "split": "val",
        "record": 7,
        "key": "c/7",
        "class_name": "c",
    }
    assert run(monkeypatch, "verify", tmp_path / "dst", "--fail-on", "overlap", "--json", findings) == 3
    captured = capsys.readouterr()
    assert captured.err.count("8 images are in more than one split: train/c/0 = val/c/0") == 1
    assert json.loads(findings.read_text())["problems"][0]["kind"] == "ExpectationError"
    assert run(monkeypatch, "verify", tmp_path / "dst", "--json", tmp_path / "gone" / "x.json") == 4
    assert "its folder does not exist" in capsys.readouterr().err


def test_wrong_usage_is_explained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "convert") == 2
    assert "Missing argument 'SRC'" in capsys.readouterr().err
    assert run(monkeypatch, "--help") == 0
    assert "130  interrupted" in capsys.readouterr().out


def test_version_option_prints_the_version_of_the_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"fastinet, version {fastinet.__version__}\n"


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fastinet", "--debug", "verify", str(tmp_path)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert child.returncode == 1
    assert "Traceback" in child.stderr
    assert "MissingFileError" in child.stderr


def test_an_interrupted_command_exits_with_the_shells_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for error, status, message in (
        (KeyboardInterrupt, 130, "interrupted"),
        (MemoryError, 1, "out of memory"),
    ):

        def verify(*args: object, error: type[BaseException] = error, **options: object) -> None:
            raise error

        monkeypatch.setattr("fastinet.verification.verify", verify)
        assert run(monkeypatch, "verify", tmp_path) == status
        assert f"fastinet: {message}" in capsys.readouterr().err


def test_a_command_that_does_not_exist_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "transmogrify") == 2
    assert "No such command 'transmogrify'" in capsys.readouterr().err


def test_the_help_lists_every_command_and_loads_none_of_the_code_that_they_run() -> None:
    script = (
        "import sys; from fastinet.cli import cli; cli.main(['--help'], standalone_mode=False)\n"
        "print([name for name in ('rich', 'fastinet.conversion', 'fastinet.verification', 'fastinet.views')"
        " if name in sys.modules])"
    )
    child = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert child.stdout.splitlines()[-1] == "[]"
    for command in ("attach", "bench", "classes", "convert", "export", "index", "inspect", "verify"):
        assert f"\n  {command} " in child.stdout


def test_importing_the_package_loads_neither_the_command_line_nor_the_converter() -> None:
    names = "('click', 'rich', 'fastinet.conversion')"
    script = f"import sys, fastinet; print([name for name in {names} if name in sys.modules])"
    child = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert child.stdout.strip() == "[]"


def test_all_public_names_exist() -> None:
    assert all(hasattr(fastinet, name) for name in fastinet.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        fastinet.nothing  # noqa: B018
