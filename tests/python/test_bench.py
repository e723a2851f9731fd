"""fastinet.bench."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import pytest
from folders import small_jpeg, write_tree
from test_cli import run

import fastinet
from fastinet import errors


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bench")
    write_tree(root / "src", {f"c/{i}.jpg": small_jpeg(i) for i in range(10)})
    fastinet.convert(root / "src", root / "dst")
    return root / "dst" / "train"


@pytest.mark.parametrize("work", ["train", "eval"])
def test_whole_epochs_are_measured_for_each_number_of_threads(dataset: Path, work: str) -> None:
    report = fastinet.bench(
        dataset,
        work=work,
        threads=[1, 2],
        batch_size=4,
        size=32,
        seconds=0.01,
        repeats=2,  # type: ignore[arg-type]
    )
    assert [result.threads for result in report.results] == [1, 2]
    for result in report.results:
        assert result.images % 10 == 0
        assert result.images > 0
        assert result.images_per_second > 0
        assert result.cpu_seconds > 0
        assert result.megabytes_per_second > 0
    assert json.loads(json.dumps(report.to_json()))["results"][1]["threads"] == 2


def test_the_page_has_figures_machine_method_and_a_command_that_measures_the_same(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = fastinet.bench(
        dataset, threads=[1, 2], batch_size=4, size=32, seconds=0.01, repeats=1, classes=["c"]
    )
    report.write_html(tmp_path / "bench.html")
    page = (tmp_path / "bench.html").read_text()
    for result in report.results:
        assert f"{result.images_per_second:,.0f}</td>" in page
        assert f"{result.cpu_seconds:.3f}</td>" in page
    for text in (
        *report.machine.values(),
        "RandomResizedCrop(32), RandomHorizontalFlip, Normalize",
        report.command,
    ):
        assert f"{text}" in page.replace("&#39;", "'")
    command, *options = shlex.split(report.command)
    assert command == "fastinet"
    assert run(monkeypatch, *options, "--json", tmp_path / "again.json") == 0
    again = json.loads((tmp_path / "again.json").read_text())
    measured = ("machine", "results")
    assert {k: v for k, v in again.items() if k not in measured} == {
        k: v for k, v in json.loads(json.dumps(report.to_json())).items() if k not in measured
    }


def test_the_command_writes_the_page_or_says_what_to_install(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measure = ["--seconds", "0.01", "--repeats", "1", "--size", "32", "--threads", "1", "--batch-size", "4"]
    assert (
        run(monkeypatch, "bench", dataset, *measure, "--work", "eval", "--html", tmp_path / "bench.html") == 0
    )
    assert "Resize(36), CenterCrop(32)" in (tmp_path / "bench.html").read_text()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert run(monkeypatch, "bench", dataset, *measure, "--html", tmp_path / "other.html") == 6
    assert "pip install 'fastinet[html]'" in capsys.readouterr().err


def test_bars_are_as_high_as_the_figures_they_stand_for(dataset: Path, tmp_path: Path) -> None:
    report = fastinet.bench(dataset, threads=[1, 2, 3], batch_size=4, size=32, seconds=0.01, repeats=1)
    report.write_html(tmp_path / "bench.html")
    bars = re.findall(
        r'<rect [^>]*height="([\d.]+)"><title>(\d) threads?: ', (tmp_path / "bench.html").read_text()
    )
    assert [int(threads) for _, threads in bars] == [1, 2, 3] * 2  # of speed, then of cost
    for drawn, figures in (
        (bars[:3], [result.images_per_second for result in report.results]),
        (bars[3:], [result.cpu_seconds for result in report.results]),
    ):
        heights = [float(height) for height, _ in drawn]
        assert max(heights) <= 100
        assert [h / max(heights) for h in heights] == pytest.approx(
            [f / max(figures) for f in figures], abs=0.01
        )


def test_arguments_out_of_range_are_refused(dataset: Path) -> None:
    with pytest.raises(errors.ArgumentError, match="work must be 'train' or 'eval', not 'play'"):
        fastinet.bench(dataset, work="play")  # type: ignore[arg-type]
    with pytest.raises(errors.ArgumentError, match="repeats and seconds must be positive"):
        fastinet.bench(dataset, repeats=0)
