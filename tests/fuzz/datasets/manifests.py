"""Mutants of ``dataset.json`` and ``names.json``."""

from __future__ import annotations

import json
import random

from json_trees import change_json
from mutant import Files, Mutant, change_bytes, change_file
from sealing import manifest_bytes

__all__ = ["mutate"]


def mutate(rng: random.Random, files: Files) -> Mutant:
    """A node or bytes; the manifest's checksum is made anew or not. A list of names has none."""
    if rng.random() < 0.02:
        return change_file(rng, files, ["dataset.json", "names.json"])
    name = "names.json" if rng.random() < 0.25 else "dataset.json"
    data = files[name]
    if name == "names.json":
        changed, what = _names(rng, files)
        return Mutant(f"{name}: {what}", {name: changed}) if changed != data else mutate(rng, files)
    if rng.random() < 0.3:
        changed, what = change_bytes(rng, data, [data, files["columns.json"]])
        end = changed.rfind(b',\n  "manifest_xxh3"')
        if rng.random() < 0.5 or end < 0:
            return Mutant(f"{name}: {what}", {name: changed})
        return Mutant(f"{name}: {what}; sealed", {name: manifest_bytes(changed[:end])}, liar=True)
    tree = json.loads(data)
    checksum = tree.pop("manifest_xxh3")
    text, what = change_json(rng, tree)
    body = text.rstrip().removesuffix("}").encode("utf-8", "surrogatepass")
    if rng.random() < 0.25:
        tail = f',\n  "manifest_xxh3": "{checksum}"\n}}\n'.encode()
        return Mutant(f"{name}: {what}", {name: body + tail})
    return Mutant(f"{name}: {what}; sealed", {name: manifest_bytes(body)}, liar=True)


def _names(rng: random.Random, files: Files) -> tuple[bytes, str]:
    data = files["names.json"]
    if rng.random() < 0.3:
        return change_bytes(rng, data, [data, files["dataset.json"]])
    text, what = change_json(rng, json.loads(data))
    return text.encode("utf-8", "surrogatepass"), what
