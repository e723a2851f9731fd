"""All that a user does with a dataset, and what came of it: a value or an error for each question."""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import shutil
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import fastinet
from fastinet import transforms as T  # noqa: N812
from fastinet.errors import FastinetError

__all__ = ["LAYOUTS", "Seen", "convey", "drive", "exported", "indexed", "innermost", "verified"]

ATTACHED = ("weight", "teacher", "tags", "caption")
BUILT_IN = ("index", "image", "label", "key", "boxes", "box_labels", "box_visible", "box_flags")
ROWS = 64  # of a dataset that claims to have many records
BATCHES = 64  # and of a loader
THREADS = {"raise": 1, "skip": 2}
LAYOUTS = ("imagefolder", "webdataset", *(("parquet",) if importlib.util.find_spec("pyarrow") else ()))


@dataclass
class Seen:
    """What came of a mutant.

    Attributes:
        values: of each thing that was asked and answered, in plain types.
        refused: the errors of fastinet, by what was asked.
        foreign: all other exceptions.
    """

    values: dict[str, Any] = field(default_factory=dict)
    refused: dict[str, FastinetError] = field(default_factory=dict)
    foreign: dict[str, BaseException] = field(default_factory=dict)

    def ask(self, what: str, question: Callable[[], Any]) -> Any:
        """The answer, also kept here in plain types; None if there is none."""
        try:
            answer = question()
            self.values[what] = convey(answer)
        except FastinetError as error:
            self.refused[what] = error
        except Exception as error:
            self.foreign[what] = error
        else:
            return answer
        return None


def convey(value: Any) -> Any:
    """Plain types that compare by value, not a number included."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, (list, tuple)):
        return [convey(item) for item in value]
    if isinstance(value, dict):
        return {key: convey(item) for key, item in value.items()}
    return value


def drive(folder: Path, meanwhile: Callable[[], None] | None = None) -> Seen:
    """Opens a split and reads all of it; with `meanwhile`, once more after that, which is what counts."""
    seen = Seen()
    opened = seen.ask("open", lambda: Opened(folder))
    if opened is not None:
        _read(seen, opened.dataset)
    if opened is not None and meanwhile is not None:
        meanwhile()
        seen = Seen()
        seen.ask("open", lambda: opened)
        _read(seen, opened.dataset)
    return seen


def _read(seen: Seen, dataset: fastinet.Dataset) -> None:
    _contents(seen, dataset)
    _records(seen, dataset)
    named = seen.ask("columns", lambda: sorted(dataset.columns)) or []
    for name in named:
        seen.ask(f"column {name}", lambda name=name: _column(dataset, name))
    complete = all(f"column {name}" in seen.values for name in ATTACHED)
    for policy in ("raise", "skip"):
        attached = ATTACHED if policy == "raise" and complete else ()
        delivered: dict[int, Any] = {}
        seen.ask(f"epoch, {policy}", lambda p=policy, a=attached, d=delivered: _epoch(dataset, p, a, d))
        seen.values[f"batches, {policy}"] = delivered


class Opened:
    """A dataset, as a value that compares by what its manifest says."""

    def __init__(self, folder: Path) -> None:
        self.dataset = fastinet.Dataset(folder)
        self.told = (self.dataset.split, self.dataset.manifest.records, str(self.dataset.classes))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opened) and self.told == other.told

    def __repr__(self) -> str:
        return str(self.told)

    __hash__ = None  # type: ignore[assignment]


def _contents(seen: Seen, dataset: fastinet.Dataset) -> None:
    """What is known of all records together."""
    seen.ask("length", lambda: len(dataset))
    seen.ask(
        "classes", lambda: [(c.name, c.words, c.gloss, c.count, dict(c.details)) for c in dataset.classes]
    )
    seen.ask("class_to_index", lambda: dataset.class_to_index)
    seen.ask("hierarchy", lambda: _hierarchy(dataset))
    seen.ask("labels", lambda: dataset.labels)
    seen.ask("counts", lambda: dataset.class_counts)
    seen.ask("keys", lambda: list(dataset.keys))
    seen.ask("selection", lambda: dataset.indices_of("n01440764"))


def _hierarchy(dataset: fastinet.Dataset) -> Any:
    graph = dataset.hierarchy
    names = sorted({name for edge in graph.edges for name in edge})
    below = {name: sorted(graph.descendants(name)) for name in names}
    return graph.edges, dict(graph.words), graph.roots, below, graph.find("crane")


def _records(seen: Seen, dataset: fastinet.Dataset) -> None:
    count = seen.ask("length again", lambda: len(dataset)) or 0
    for i in itertools.chain(range(min(count, ROWS)), range(max(ROWS, count - 2), count)):
        record = seen.ask(f"record {i}", lambda i=i: Answer(dataset[i]))
        if record is not None:
            seen.ask(f"fields {i}", lambda r=record.of: (r.label, r.width, r.height, r.orientation, r.format))
            seen.ask(f"key {i}", lambda r=record.of: r.key)
            seen.ask(f"boxes {i}", lambda r=record.of: (r.boxes_size, r.boxes))
            seen.ask(f"payload {i}", lambda r=record.of: bytes(r.payload))


class Answer:
    """An object that is not compared."""

    def __init__(self, of: Any) -> None:
        self.of = of

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Answer)

    __hash__ = None  # type: ignore[assignment]


def _column(dataset: fastinet.Dataset, name: str) -> Any:
    column = dataset.columns[name]
    return column.kind, column.take(np.arange(len(column))), column[-1]


def _epoch(
    dataset: fastinet.Dataset, policy: Any, attached: tuple[str, ...], delivered: dict[int, Any]
) -> tuple[int, int]:
    """Delivers by index, so that what came before an error counts, too. Returns lengths: given, left out."""
    transform = [T.RandomResizedCrop(16, scale=(0.2, 1.0)), T.RandomHorizontalFlip()]
    total = 0
    names = BUILT_IN + attached
    with fastinet.Loader(
        dataset,
        4,
        transform,
        shuffle=True,
        seed=5,
        threads=THREADS[policy],
        dtype="uint8",
        columns=names,
        on_error=policy,
        prefetch_bytes=1 << 20,
    ) as loader:
        for batch in itertools.islice(loader, BATCHES):
            for index, *values in zip(*batch, strict=True):
                if int(index) in delivered:
                    raise AssertionError(f"record {index} was delivered twice")
                delivered[int(index)] = convey(values)
                total += 1
        return total, loader.stats["skipped"]


def verified(folder: Path) -> list[str]:
    """The problems that verify finds."""
    return [str(problem) for problem in fastinet.verify(folder, decode=True, workers=1).problems]


def exported(folder: Path, to: Path, layout: str) -> list[tuple[str, str]]:
    """Names and hashes of the files of an export."""
    shutil.rmtree(to, ignore_errors=True)
    fastinet.export(folder, to, to=layout)
    files = [path for path in to.rglob("*") if path.is_file()]
    return sorted(
        (str(path.relative_to(to)), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files
    )


def indexed(seen: Seen, tar: Path, to: Path) -> None:
    """Indexes a tar as if others had written it, reads all of what came of it, and verifies it."""
    from fastinet.conversion.index import index

    shutil.rmtree(to, ignore_errors=True)
    if seen.ask("index", lambda: index([tar], to, workers=1).records) is None:
        return
    result = drive(to)
    seen.foreign |= {f"of the index: {what}": error for what, error in result.foreign.items()}
    seen.ask("verify the index", lambda: [str(p) for p in fastinet.verify(to, workers=1).problems])


def innermost(error: BaseException) -> str:
    """File and function of fastinet where an exception came from, else of whoever raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    package = f"{Path(fastinet.__file__).parent}/"
    ours = [frame for frame in frames if frame.filename.startswith(package)] or frames[-1:]
    return f"{ours[-1].filename.removeprefix(package)}:{ours[-1].name}" if ours else "?"
