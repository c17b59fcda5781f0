"""Where assertions are evaluated: one at a time, apart from all that takes events."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar, overload

from eventscache.errors import InvalidEvent
from eventscache.event import Event
from eventscache.ingest.json.strict import decode
from eventscache.query.budget import Budget
from eventscache.query.expectations import Expectations
from eventscache.query.outcome import Outcome

MOST_WAITING: Final = 100
"""How many assertions wait for their turn before a further one is refused."""
MOST_TESTS: Final = 400_000
"""How much one evaluation may take, as a `Budget` counts it: less than half a second."""
_T = TypeVar("_T")


class Asserter:
    """Evaluates the expectations of all requests of a process, in one thread.

    Patterns and events may be large. So assertions wait for each other, and nothing else waits for them: bodies that
    are parsed have threads of their own.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "assertion")
        self._turns = asyncio.Lock()
        self._waiting = 0

    def close(self) -> None:
        """Stop the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    @property
    def full(self) -> bool:
        """Whether so many wait that no more should."""
        return self._waiting >= MOST_WAITING

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Enter when it is one's turn: only then read events, so that those of one assertion are in memory."""
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._turns.release()

    async def evaluate(self, expectations: Expectations, pages: Sequence[Sequence[tuple[int, Event]]]) -> Outcome:
        """Return what is wrong with the events of all streams, each page of a stream with its newest event first.

        Raises `BudgetSpent` if there is too much to look at.
        """
        budget = Budget(MOST_TESTS)
        try:
            return await self.in_thread(lambda: expectations.evaluate(_Values(_oldest_first(pages), budget), budget))
        finally:
            budget.stop()  # the thread goes on if this task is cancelled, but not for long

    async def in_thread(self, function: Callable[[], _T]) -> _T:
        """Return what a function returns, called in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)


class _Values(Sequence[Any]):
    """The JSON values of events, each made when it is asked for: all at once would take much memory."""

    def __init__(self, events: Sequence[tuple[int, Event]], budget: Budget) -> None:
        self._events = events
        self._budget = budget

    def __len__(self) -> int:
        return len(self._events)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return _Values(self._events[index], self._budget)
        sequence, event = self._events[index]
        self._budget.spend(characters=event.size_bytes)
        return _value(event.to_json(sequence))

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))


def _oldest_first(pages: Sequence[Sequence[tuple[int, Event]]]) -> list[tuple[int, Event]]:
    """Return the events of all streams: by their sequence within a stream, by time over several."""
    oldest_first = [event for page in pages for event in reversed(page)]
    if len(pages) > 1:
        oldest_first.sort(key=lambda numbered: numbered[1].timestamp)
    return oldest_first


def _value(data: bytes) -> Any:
    try:
        return decode(data)
    except InvalidEvent:  # nested too deeply for the parser: nothing can be said of it
        return {}
