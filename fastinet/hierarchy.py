"""The ``is_a`` graph over classes: directed and acyclic, where a node may have several parents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["Hierarchy"]


class Hierarchy:
    """Queries by name (WNID). Names that the graph does not hold have neither parents nor children."""

    def __init__(self, edges: Iterable[tuple[str, str]] = ()) -> None:
        """`edges` are pairs (parent, child)."""
        self.edges = tuple(edges)
        self._children: dict[str, list[str]] = {}
        self._parents: dict[str, list[str]] = {}
        for parent, child in self.edges:
            self._children.setdefault(parent, []).append(child)
            self._parents.setdefault(child, []).append(parent)

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


def _reachable(edges: Mapping[str, list[str]], start: str) -> frozenset[str]:
    seen: set[str] = set()
    waiting = list(edges.get(start, ()))
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(edges.get(name, ()))
    return frozenset(seen - {start})
