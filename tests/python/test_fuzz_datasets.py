"""The fuzzer of datasets: some mutants of each kind, and that it would see a fault."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("xxhash")

FUZZER = Path(__file__).parents[1] / "fuzz" / "datasets"


def fuzz(findings: Path, *options: str) -> tuple[subprocess.CompletedProcess[str], list[dict[str, Any]]]:
    command = [sys.executable, str(FUZZER), "--jobs", "1", "--json", str(findings), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert findings.exists(), done.stderr
    return done, json.loads(findings.read_text())


@pytest.mark.parametrize("kind", ["sidecar", "manifest", "columns", "tar", "payload"])
def test_damaged_and_false_datasets_end_in_our_errors_or_give_what_was_stored(
    kind: str, tmp_path: Path
) -> None:
    done, findings = fuzz(tmp_path / "findings.json", "--mutations", "60", "--kind", kind)
    assert f"{kind}: 60 mutants" in done.stdout
    assert not findings, done.stdout
    assert done.returncode == 0


def test_the_fuzzer_sees_a_fault_of_each_sort_and_names_its_mutant(tmp_path: Path) -> None:
    done, findings = fuzz(
        tmp_path / "findings.json", "--mutations", "7", "--kind", "planted", "--timeout", "2"
    )
    expected = ["crash", "hang", "foreign exception", "silent difference", "verify is silent"]
    assert {(finding["index"], finding["sort"]) for finding in findings} == set(enumerate(expected))
    assert "--kind planted --seed 0 --only 2" in done.stdout
    assert done.returncode == 1
