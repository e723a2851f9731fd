"""The ``is_a`` graph over synsets: directed and acyclic, where a node may have several parents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fastinet.errors import ArgumentError

__all__ = ["Hierarchy"]


class Hierarchy:
    """Queries by name (WNID). Names that the graph does not hold have neither parents nor children.

    Attributes:
        edges: the pairs (parent, child) that it was made from.
        words: synonyms of each name, as far as they are known, the most usual first.
    """

    def __init__(
        self,
        edges: Iterable[tuple[str, str]] = (),
        words: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        """`edges` are pairs (parent, child); `words` the synonyms of each name.

        Raises:
            ArgumentError: the edges lead back to where they began.
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
        """Whether the graph holds this name."""
        return name in self._children or name in self._parents

    @property
    def roots(self) -> tuple[str, ...]:
        """Names without parents, in the order of the edges."""
        return tuple(name for name in self._children if name not in self._parents)

    def children(self, name: str) -> tuple[str, ...]:
        """Direct hyponyms."""
        return tuple(self._children.get(name, ()))

    def parents(self, name: str) -> tuple[str, ...]:
        """Direct hypernyms."""
        return tuple(self._parents.get(name, ()))

    def descendants(self, name: str) -> frozenset[str]:
        """Everything below `name`, without it."""
        return _reachable(self._children, name)

    def ancestors(self, name: str) -> frozenset[str]:
        """Everything above `name`, without it."""
        return _reachable(self._parents, name)

    def find(self, word: str) -> tuple[str, ...]:
        """All names with `word` among their synonyms, whatever its case; several may (crane, maillot)."""
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
            raise ArgumentError(f"hierarchy: the edges through {stuck[0]} form a circle")


def normalise_word(word: str) -> str:
    """`word` as it is compared: case folded, underscores and runs of blanks as one blank."""
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
