"""Writes the figures of README.md from a result of loaders.py: readme_table.py RESULT.json"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

import peers
from side_by_side import Result

README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN = "<!-- figures: written by benchmarks/readme_table.py -->"
END = "<!-- end of figures -->"


def figures(run: dict[str, Any]) -> str:
    """Markdown: a table, and where and how it was measured."""
    kinds = list(run["results"])
    rows = {kind: {row["peer"]: Result(**row) for row in run["results"][kind]} for kind in kinds}
    lines = [
        "CPU-seconds per 1000 images, all processes, lowest of "
        f"{run['rounds']} rounds taken in turns in one run (and how many times fastinet's):",
        "",
        "| loader | " + " | ".join(peers.WORKS[kind] for kind in kinds) + " |",
        "|---|" + "---|" * len(kinds),
    ]
    notes = []
    for name in rows[kinds[0]]:
        cells = [_cell(rows[kind][name], rows[kind].get("fastinet")) for kind in kinds]
        if any(cell != "-" for cell in cells):
            lines.append(f"| {peers.TITLES[name]} | " + " | ".join(cells) + " |")
            notes += [peers.NOTES[name]] if name in peers.NOTES else []
    host = run["machine"]
    lines += ["", " ".join(notes)] if notes else []
    lines += [
        "",
        f"{run['images']} images, batches of {run['batch_size']}, {run['threads']} threads; {host['cpu']} "
        f"({run['simd']}), {host['cores']} cores, {host['date']}; `{run['command']}`.",
    ]
    return "\n".join(lines)


def _cell(result: Result, base: Result | None) -> str:
    if result.unavailable is not None:
        return "-"
    if base is None or base.unavailable is not None or base.peer == result.peer:
        return f"{result.best_cpu:.2f}"
    return f"{result.best_cpu:.2f} ({result.best_cpu / base.best_cpu:.1f}x)"


@click.command()
@click.argument("result", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(result: Path) -> None:
    """Put the figures of RESULT into README.md."""
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}\n{figures(json.loads(result.read_text()))}\n{END}{after}")


if __name__ == "__main__":
    main()
