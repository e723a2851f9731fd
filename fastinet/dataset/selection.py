"""Choosing classes by name, by word or by subtree of the hierarchy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import numpy as np

from fastinet.dataset.hierarchy import Hierarchy, normalise_word
from fastinet.errors import ArgumentError
from fastinet.format.manifest import ClassInfo

__all__ = ["find_classes"]


def find_classes(
    queries: Iterable[str | int] | str | int,
    classes: Sequence[ClassInfo],
    hierarchy: Hierarchy,
    path: str = "",
) -> tuple[int, ...]:
    """Returns the labels, ascending, of the classes that any of the queries names.

    A query is one of

    - a label, as an int;
    - ``"=n02084071"``: the class of that name only;
    - ``"n02084071"``: a synset and all synsets below it in the hierarchy: the class of that name, if there is
      one, and the classes below it;
    - ``"dog"``: the same for the synset that has this word among its synonyms. Synonyms are compared as a
      whole, ignoring case.

    Raises:
        ArgumentError: no class or synset has that name or word, or the word stands for several synsets with
            different classes. The message then lists their names.
    """
    finder = _Finder(classes, hierarchy, f"{path}: " if path else "", path or None)
    several = [queries] if isinstance(queries, (str, int, np.integer)) else queries
    chosen: set[int] = set()
    for query in several:
        chosen |= finder.find(query)
    return tuple(sorted(chosen))


class _Finder:
    def __init__(
        self, classes: Sequence[ClassInfo], hierarchy: Hierarchy, prefix: str, path: str | None
    ) -> None:
        self._classes = classes
        self._hierarchy = hierarchy
        self._prefix = prefix
        self._path = path
        self._labels = {c.name: label for label, c in enumerate(classes)}

    def find(self, query: str | int) -> set[int]:
        if isinstance(query, (int, np.integer)) and not isinstance(query, bool):
            if not 0 <= query < len(self._classes):
                raise self._error(f"no class {query} among its {len(self._classes)}")
            return {int(query)}
        if not isinstance(query, str):
            raise self._error(f"a class is chosen by its name, a word or its label, not by {query!r}")
        if query in self._labels or query in self._hierarchy:
            return self._subtree(query)
        if query.startswith("="):
            if query[1:] not in self._labels:
                raise self._error(f"no class {query[1:]!r} among its {len(self._classes)}")
            return {self._labels[query[1:]]}
        return self._by_word(query)

    def _subtree(self, name: str) -> set[int]:
        names = {name} | self._hierarchy.descendants(name)
        return {self._labels[n] for n in names if n in self._labels}

    def _by_word(self, word: str) -> set[int]:
        choices = {name: self._subtree(name) for name in self._hierarchy.find(word)}
        choices = {name: labels for name, labels in choices.items() if labels}
        if not choices:
            raise self._error(
                f"no class {word!r} among its {len(self._classes)}, and no synset with that word"
                + ("" if self._hierarchy.words else "; this dataset has no words for its classes")
                + self._similar(word)
            )
        if len({frozenset(labels) for labels in choices.values()}) > 1:
            listed = "; ".join(
                f"{name} ({', '.join(self._hierarchy.words[name])}: {_count(labels)})"
                for name, labels in sorted(choices.items())
            )
            raise self._error(f"{word!r} stands for several synsets; give the name of one of them: {listed}")
        return next(iter(choices.values()))

    def _similar(self, word: str) -> str:
        known = {normalise_word(w): w for words in self._hierarchy.words.values() for w in words}
        near = difflib.get_close_matches(normalise_word(word), known, 3, 0.8)
        return f"; similar: {', '.join(known[w] for w in near)}" if near else ""

    def _error(self, problem: str) -> ArgumentError:
        return ArgumentError(self._prefix + problem, path=self._path)


def _count(labels: set[int]) -> str:
    return "1 class" if len(labels) == 1 else f"{len(labels)} classes"
