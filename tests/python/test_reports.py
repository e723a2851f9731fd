"""Reports are data; each names the module that displays it."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from fastinet.benchmarking import BenchReport
from fastinet.format.report import ConversionReport
from fastinet.inspection import Inspection
from fastinet.reports import Report
from fastinet.verification import VerifyReport


@pytest.mark.parametrize("kind", [BenchReport, ConversionReport, Inspection, VerifyReport])
def test_each_report_names_a_view_that_renders_it(kind: type[Report]) -> None:
    view = importlib.import_module(f"fastinet.views.{kind.view}")
    assert callable(view.render)
    assert hasattr(view, "write_page") == hasattr(kind, "write_html")


def test_making_a_report_does_not_load_its_view() -> None:
    script = (
        "import sys, fastinet.benchmarking, fastinet.conversion, fastinet.inspection, fastinet.verification\n"
        "print([name for name in sys.modules if name.startswith('fastinet.views')])"
    )
    child = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert child.stdout.strip() == "[]"


def test_rich_prints_a_report_by_its_view(capsys: pytest.CaptureFixture[str]) -> None:
    import rich

    rich.print(ConversionReport("s3://bucket/set", 7, {}, "fail", already_complete=True))
    assert "7 classes\nalready complete: nothing was done" in capsys.readouterr().out
