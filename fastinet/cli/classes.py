"""``fastinet classes``."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["classes"]


@click.command()
@click.argument("path", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("queries", metavar="[CLASS]...", nargs=-1)
def classes(path: Path, queries: tuple[str, ...]) -> None:
    """List the classes of the split in DIR: label, name, number of records, words.

    CLASS chooses classes. A WNID or a word (n02084071, dog) stands for a synset and all synsets below it;
    =NAME stands for the class of that name only. If a word has several meanings, the error lists them.
    """
    from fastinet.dataset import Dataset

    dataset = Dataset(path)
    labels = dataset.select(*queries).labels if queries else range(len(dataset.classes))
    counts = dataset.class_counts
    for label in labels:
        info = dataset.classes[label]
        click.echo(f"{label}\t{info.name}\t{counts[label]}\t{', '.join(info.words)}")
