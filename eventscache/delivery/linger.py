"""Whether a dispatch waits for more events."""

from collections.abc import Callable

from eventscache.clock import MICROSECONDS
from eventscache.delivery.outgoing_batch import MAX_BATCH_EVENTS

_LONGEST_US = MICROSECONDS // 20


class Linger:
    """Lets a dispatch wait another turn of the loop while events keep coming, for 50 ms at most.

    A loop that has nothing else to do sends at once; a busy one sends larger, and so cheaper, calls.
    """

    __slots__ = ("_events_before", "_now_us", "_since_us", "events", "urgent")

    def __init__(self, now_us: Callable[[], int]) -> None:
        self.events = 0  # put since the last dispatch
        self.urgent = False  # a caller waits for what is ready
        self._events_before = 0  # those of them that came before this turn
        self._since_us = 0
        self._now_us = now_us

    def lasts(self) -> bool:
        """Whether the dispatch of this turn has to wait for the next one; if not, start anew."""
        now_us = self._now_us()
        if not self._events_before:
            self._since_us = now_us
        more, self._events_before = self.events > self._events_before, self.events
        in_time = now_us - self._since_us < _LONGEST_US
        if more and in_time and self.events < MAX_BATCH_EVENTS and not self.urgent:
            return True
        self.events = self._events_before = 0
        self.urgent = False
        return False
