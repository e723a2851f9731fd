"""Export as a tree of image files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fastinet.exporting.chosen import Chosen, class_of, component, file_name_of, folders_of, write_file
from fastinet.progress import Meter

__all__ = ["write_image_folder"]


def write_image_folder(splits: Sequence[Chosen], dst: Path, meter: Meter) -> None:
    """Writes ``DST/<split>/<class>/<folders of the key below the class>/<file>``, and ``<file>.json``."""
    for chosen in splits:
        dataset = chosen.dataset
        root = dst / chosen.split
        root.mkdir()
        for stored in chosen:
            folders = folders_of(stored, dataset)
            class_name = class_of(stored, dataset)
            if class_name is not None:
                name = component(class_name, dataset.path, stored)
                folders = folders if folders[:1] == [name] else [name, *folders]
            folder = root.joinpath(*folders)
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / file_name_of(stored, dataset)
            payload = stored.record.payload
            write_file(path, payload)
            if stored.annotation:
                write_file(path.with_name(f"{path.name}.json"), stored.annotation.encode())
            meter.advance(1, len(payload))
