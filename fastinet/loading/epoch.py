"""An epoch under way: from the core's batches to what is handed out, and the one place that counts it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from fastinet import _core
from fastinet.errors import StateError

__all__ = ["Epoch", "Work"]

Staged = TypeVar("Staged")


class Work(NamedTuple, Generic[Staged]):
    """What becomes of the core's batches.

    Attributes:
        begin: starts the work on a batch.
        finish: makes what is handed out of what ``begin`` gave.
        depth: batches begun while the user holds another: copies to a device, a DALI graph.
    """

    begin: Callable[[_core.Batch], Staged]
    finish: Callable[[Staged], Any]
    depth: int = 0


class Epoch(Generic[Staged]):
    """Iterates over the batches of one run of the core.

    A batch counts when it is handed out: not when the core gave it, nor when work on it began. Whatever is
    raised on the way, an error of the core, of a callable, of a copy or Ctrl-C, the position points at the
    first batch that the user did not get, and the epoch is over. The error of a batch that is worked on ahead
    is raised in that batch's turn.

    Args:
        take: the core's next batch; None at the end.
        handed_out: told the position behind each batch that is handed out; None at the end of the epoch.
        failed: told that an error has ended the epoch, before it is raised.
        work: what becomes of each batch.
    """

    def __init__(
        self,
        take: Callable[[], _core.Batch | None],
        handed_out: Callable[[int | None], None],
        failed: Callable[[], None],
        work: Work[Staged],
    ) -> None:
        self._take = take
        self._handed_out = handed_out
        self._failed = failed
        self._work = work
        self._staged: deque[tuple[Staged, int]] = deque()
        self._error: Exception | None = None
        self._complete = False  # nothing is left to take
        self._over = False

    def __iter__(self) -> Epoch[Staged]:
        """Itself."""
        return self

    def __next__(self) -> Any:
        """The next batch."""
        if self._over:
            raise StopIteration
        try:
            while not self._complete and len(self._staged) <= self._work.depth:
                self._stage()
            if self._staged:
                staged, position = self._staged.popleft()
                values = self._work.finish(staged)
                self._handed_out(position)
                return values
            if self._error is not None:
                raise self._error
        except BaseException as e:
            self._end()
            self._failed()
            if isinstance(e, StopIteration):
                raise _not_silent(e) from e
            raise
        self._end()
        self._handed_out(None)
        raise StopIteration

    def _stage(self) -> None:
        try:
            batch = self._take()
            if batch is None:
                self._complete = True
            else:
                self._staged.append((self._work.begin(batch), batch.position))
        except StateError:  # the loader was closed, or began another epoch
            raise
        except Exception as e:
            self._complete, self._error = True, _not_silent(e)

    def _end(self) -> None:
        self._over = self._complete = True
        self._staged.clear()
        self._error = None


def _not_silent(error: Exception) -> Exception:
    """The error; in place of a StopIteration, which would end a ``for`` loop without a word, another."""
    if not isinstance(error, StopIteration):
        return error
    told = RuntimeError("StopIteration was raised while a batch was made (by a callable of the transform?)")
    told.__cause__ = error
    return told
