"""A small WordNet for tests, in the layout of ImageNet's metadata files."""

from __future__ import annotations

from pathlib import Path

# Two classes share the word "crane"; "sheepdog" has two parents, so that the graph is no tree.
WORDS = {
    "n00000001": "entity",
    "n00000002": "animal, animate being",
    "n00000003": "device",
    "n00000010": "dog, domestic dog",
    "n00000011": "working animal",
    "n00000020": "sheepdog, shepherd dog",
    "n00000021": "pug",
    "n00000022": "crane",
    "n00000023": "crane",
    "n00000024": "mule",
    "n00000099": "unrelated thing",
}
EDGES = [
    ("n00000001", "n00000002"),
    ("n00000001", "n00000003"),
    ("n00000001", "n00000099"),
    ("n00000002", "n00000010"),
    ("n00000002", "n00000011"),
    ("n00000002", "n00000022"),
    ("n00000003", "n00000023"),
    ("n00000010", "n00000020"),
    ("n00000010", "n00000021"),
    ("n00000011", "n00000020"),
    ("n00000011", "n00000024"),
]
CLASSES = ("n00000020", "n00000021", "n00000022", "n00000023", "n00000024")


def write_wordnet(folder: Path) -> Path:
    """words.txt, gloss.txt and wordnet.is_a.txt."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "words.txt").write_text("".join(f"{n}\t{w}\n" for n, w in WORDS.items()))
    (folder / "gloss.txt").write_text("".join(f"{n}\twhat a {w} is\n" for n, w in WORDS.items()))
    (folder / "wordnet.is_a.txt").write_text("".join(f"{a} {b}\n" for a, b in EDGES))
    return folder
