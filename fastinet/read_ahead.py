"""Work that runs some batches ahead of the one in use: copies to a device, a DALI graph."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from fastinet.loader import Loader, Progress

__all__ = ["ReadAhead"]

Staged = TypeVar("Staged")


class ReadAhead(Generic[Staged]):
    """An epoch whose batches are begun ``depth`` ahead and finished when they are handed out.

    The loader's position counts what was handed out, so that ``state_dict`` is as exact as without reading
    ahead; an error is raised where its batch would have come.

    Args:
        loader: whose epoch ``batches`` is.
        batches: the epoch, from the beginning of which nothing was taken.
        begin: starts the work on a batch.
        finish: makes what is handed out of what ``begin`` gave.
        depth: batches under way while the user holds another.
    """

    def __init__(
        self,
        loader: Loader,
        batches: Iterator[Any],
        begin: Callable[[Any], Staged],
        finish: Callable[[Staged], Any],
        depth: int,
    ) -> None:
        self._loader = loader
        self._batches = batches
        self._begin = begin
        self._finish = finish
        self._depth = depth
        self._run = loader.progress.run
        self._staged: deque[tuple[Staged, Progress]] = deque()
        self._end: tuple[BaseException, Progress] | None = None

    def __iter__(self) -> ReadAhead[Staged]:
        """Itself."""
        return self

    def __next__(self) -> Any:
        """The next batch."""
        handed_out = self._loader.progress
        while self._end is None and len(self._staged) <= self._depth:
            try:
                staged = self._begin(next(self._batches))
            except (Exception, KeyboardInterrupt) as e:  # raised below, in its turn
                self._end = (e, self._loader.progress)
            else:
                self._staged.append((staged, self._loader.progress))
        self._loader.progress = handed_out
        current = handed_out.run == self._run  # no set_epoch or load_state_dict since
        if not self._staged:
            assert self._end is not None
            error, progress = self._end
            if current:
                self._loader.progress = progress
            raise error
        staged, progress = self._staged.popleft()
        if current:  # also where finishing fails
            self._loader.progress = handed_out._replace(begun=True)
        batch = self._finish(staged)
        if current:
            self._loader.progress = progress
        return batch
