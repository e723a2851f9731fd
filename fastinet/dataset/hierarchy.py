"""The ``is_a`` graph over synsets: directed and acyclic. A node may have several parents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fastinet.errors import ArgumentError

__all__ = ["Hierarchy"]


class Hierarchy:
    """Answers queries by name (WNID). Names that are not in the graph have neither parents nor children.

    Attributes:
        edges: the pairs (parent, child) that the graph was made from.
        words: synonyms of each name for which they are known, the most usual first.
    """

    def __init__(
        self,
        edges: Iterable[tuple[str, str]] = (),
        words: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        """Builds the graph from pairs (parent, child) and from the synonyms of each name.

        Raises:
            ArgumentError: the edges contain a cycle.
        """
        self.edges = tuple(edges)
        self.words = dict(words or {})
        self._children: dict[str, list[str]] = {}
        self._parents: dict[str, list[str]] = {}
        for parent, child in dict.fromkeys(self.edges):
            self._children.setdefault(parent, []).append(child)
            self._parents.setdefault(child, []).append(parent)
        self._by_word: dict[str, list[str]] = {}
        for name, synonyms in self.words.items():
            for word in dict.fromkeys(map(normalise_word, synonyms)):
                self._by_word.setdefault(word, []).append(name)
        self._refuse_cycles()

    def __contains__(self, name: object) -> bool:
        """Whether an edge contains this name."""
        return name in self._children or name in self._parents

    @property
    def roots(self) -> tuple[str, ...]:
        """The names without parents, in the order of the edges."""
        return tuple(name for name in self._children if name not in self._parents)

    def children(self, name: str) -> tuple[str, ...]:
        """Returns the direct hyponyms."""
        return tuple(self._children.get(name, ()))

    def parents(self, name: str) -> tuple[str, ...]:
        """Returns the direct hypernyms."""
        return tuple(self._parents.get(name, ()))

    def descendants(self, name: str) -> frozenset[str]:
        """Returns all names below `name`, without `name`."""
        return _reachable(self._children, name)

    def ancestors(self, name: str) -> frozenset[str]:
        """Returns all names above `name`, without `name`."""
        return _reachable(self._parents, name)

    def find(self, word: str) -> tuple[str, ...]:
        """Returns all names with `word` among their synonyms, ignoring case. There may be several (crane)."""
        return tuple(self._by_word.get(normalise_word(word), ()))

    def _refuse_cycles(self) -> None:
        waiting = {name: len(parents) for name, parents in self._parents.items()}
        free = list(self.roots)
        while free:
            for child in self._children.get(free.pop(), ()):
                waiting[child] -= 1
                if not waiting[child]:
                    free.append(child)
        stuck = sorted(name for name, count in waiting.items() if count)
        if stuck:
            raise ArgumentError(f"hierarchy: the edges through {stuck[0]} form a cycle")


def normalise_word(word: str) -> str:
    """Returns `word` as words are compared: case folded, with underscores and runs of blanks as one blank."""
    return " ".join(word.replace("_", " ").split()).casefold()


def _reachable(edges: Mapping[str, list[str]], start: str) -> frozenset[str]:
    seen: set[str] = set()
    waiting = list(edges.get(start, ()))
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(edges.get(name, ()))
    return frozenset(seen)
