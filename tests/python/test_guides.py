"""The guides for readers of the code name files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE_FILE = re.compile(r"(?<![\w/.*-])(?:[\w.-]+/)*[\w-]+\.(?:py|h|cc)\b")


@pytest.mark.parametrize("guide", ["README.md", "CONTRIBUTING.md", "src_cpp/README.md", "fastinet/README.md"])
def test_a_guide_names_only_files_that_exist(guide: str) -> None:
    path = ROOT / guide
    names = SOURCE_FILE.findall(path.read_text())
    missing = [name for name in names if not (path.parent / name).exists() and not (ROOT / name).exists()]
    assert missing == [], f"{guide} names files that do not exist"
