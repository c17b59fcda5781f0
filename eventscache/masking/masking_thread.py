"""The thread that masks many or large events, so that the event loop serves others meanwhile."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from eventscache.event import Event
from eventscache.masking.mask import Mask

_SHORT_BYTES = 4096  # masked without the thread: some milliseconds, whatever they hold
_TURN_BYTES = 65_536
_EVENT_BYTES = 200  # what an event takes besides its texts


class MaskingThread:
    """Masks events in one thread. Requests take turns of some events, so a large one delays the others little.

    At most `max_bytes` of events wait for it, or one request with more.
    """

    def __init__(self, mask: Mask, max_bytes: int) -> None:
        self.mask = mask
        self._max_bytes = max_bytes
        self._bytes = 0
        self._thread: ThreadPoolExecutor | None = ThreadPoolExecutor(1, "mask")

    def close(self) -> None:
        """Mask nothing more: who waits gets None."""
        if self._thread:
            self._thread.shutdown(wait=False)
        self._thread = None

    async def masked(self, events: Sequence[Event]) -> list[Event] | None:
        """Return the events masked, in their order; None if too many wait, or if the thread is closed meanwhile."""
        size = sum(map(_size, events))
        if self._bytes and self._bytes + size > self._max_bytes:
            return None
        self._bytes += size
        loop = asyncio.get_running_loop()
        masked: list[Event] = []
        try:
            for turn in _turns(events):
                if self._thread is None:
                    return None
                masked += await loop.run_in_executor(self._thread, self._mask_all, turn)
        finally:
            self._bytes -= size
        return masked

    def _mask_all(self, events: list[Event]) -> list[Event]:
        return [*map(self.mask.masked, events)]


def are_short(events: Sequence[Event]) -> bool:
    """Whether events are masked so fast that no thread is needed."""
    return sum(map(_size, events)) <= _SHORT_BYTES


def originals_are_short(originals: Sequence[bytes]) -> bool:
    """Whether events that have nothing but an original are masked so fast that no thread is needed."""
    return len(originals) * _EVENT_BYTES + sum(map(len, originals)) <= _SHORT_BYTES


def _size(event: Event) -> int:
    texts = len(event.malformed) + len(event.error) + len(event.skip)
    return _EVENT_BYTES + len(event.original) + len(event.success) + texts


def _turns(events: Iterable[Event]) -> Iterator[list[Event]]:
    """Yield events in their order, in parts of some bytes."""
    turn: list[Event] = []
    size = 0
    for event in events:
        turn.append(event)
        size += _size(event)
        if size >= _TURN_BYTES:
            yield turn
            turn, size = [], 0
    if turn:
        yield turn
