"""Imports run one way, in the package and in the core, and nothing imports itself by a detour."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[2]

# From the lowest layer to the highest. A part may import itself and the parts of lower layers; parts that
# share a layer may not import each other. An import within a function or under TYPE_CHECKING counts.
PYTHON = """
_core version
errors
ranks reports
cpus progress
storage
format images
dataset
imagenet
loading
conversion
benchmarking exporting inspection merging verification
views
dali jax torch transforms
__init__
cli
__main__
"""
CPP = """
base
simd storage
image shard
augment
convert loader
python
"""

Graph = dict[str, set[str]]


def upward(layers: str, graph: Mapping[str, Iterable[str]], separator: str) -> list[str]:
    """Describes every import of a part that is not in a lower layer."""
    level = {part: i for i, layer in enumerate(layers.strip().splitlines()) for part in layer.split()}
    found = []
    for importer, targets in graph.items():
        for target in targets:
            part, imported = importer.partition(separator)[0], target.partition(separator)[0]
            if part not in level or imported not in level:
                found.append(f"{importer} imports {target}: add the part to the layers of this test")
            elif part != imported and level[imported] >= level[part]:
                found.append(f"{importer} imports {target}, which is not in a lower layer")
    return sorted(found)


def circle(graph: Graph) -> str:
    """Describes one circle, or returns "" if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return " imports ".join(reversed(error.args[1]))
    return ""


def python_imports() -> Graph:
    """The modules of the package, named without "fastinet.", and what each imports of it."""
    files = {_module(path): path for path in (ROOT / "fastinet").rglob("*.py")}
    graph: Graph = {}
    for name, path in files.items():
        graph[name] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import; this test reads absolute ones"
                found = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            for target in (t.removeprefix("fastinet").lstrip(".") for t in found if _is_ours(t)):
                parent = target.rpartition(".")[0]
                graph[name].add(target if target in files or target == "_core" else parent or "__init__")
        graph[name].discard(name)
    return graph


def cpp_includes() -> Graph:
    """The files of the core, named from src_cpp/, and the files of the core that each includes."""
    root = ROOT / "src_cpp"
    files = {str(path.relative_to(root)): path for path in root.rglob("*") if path.suffix in (".cc", ".h")}
    quoted = re.compile(r'^\s*#include "([^"]+)"', re.MULTILINE)
    return {name: {t for t in quoted.findall(path.read_text()) if t in files} for name, path in files.items()}


def test_each_module_imports_only_modules_of_lower_layers() -> None:
    assert upward(PYTHON, python_imports(), ".") == []


def test_no_import_leads_back_to_its_module() -> None:
    assert circle(python_imports()) == ""


def test_each_file_of_the_core_includes_only_files_of_lower_layers() -> None:
    assert upward(CPP, cpp_includes(), "/") == []


def test_no_include_leads_back_to_its_file() -> None:
    assert circle(cpp_includes()) == ""


def test_messages_name_the_offending_import() -> None:
    graph = {"errors": {"cli.main"}, "cli.main": {"errors", "new"}}
    assert upward("errors\ncli", graph, ".") == [
        "cli.main imports new: add the part to the layers of this test",
        "errors imports cli.main, which is not in a lower layer",
    ]
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) in (
        "a imports b imports c imports a",
        "b imports c imports a imports b",
        "c imports a imports b imports c",
    )


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT / "fastinet").with_suffix("").parts
    name = ".".join(parts)
    return name if len(parts) == 1 else name.removesuffix(".__init__")


def _is_ours(name: str) -> bool:
    return name == "fastinet" or name.startswith("fastinet.")
