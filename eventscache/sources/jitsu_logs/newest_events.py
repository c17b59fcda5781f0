"""The newest of many events: what a cache could keep of them."""

import heapq
from collections import defaultdict
from itertools import count
from typing import NamedTuple

from eventscache.event import Event
from eventscache.sources.feed import Record
from eventscache.stream import Stream

_Heap = list[tuple[str, int, Event]]


class Newest(NamedTuple):
    """Events, the oldest first: the newest of each stream; errors that are older; and how many others there were."""

    events: list[Record]
    older_errors: list[Record]
    passed_over: int


class NewestEvents:
    """Keeps of each stream the newest `size` events and the newest `size` errors.

    A backlog of logs is read whole before anything of it is brought: else its oldest events would use up the quota.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._order = count()
        self._added = 0
        self._all: dict[Stream, _Heap] = defaultdict(list)
        self._errors: dict[Stream, _Heap] = defaultdict(list)
        self.size_bytes = 0
        """About how much memory the events take."""

    def add(self, stream: Stream, event: Event, time: str) -> None:
        """Take an event with the time that it is sorted by, as `format_time` writes it; equal times keep the order."""
        self._added += 1
        item = (time, next(self._order), event)
        self._push(self._all[stream], item)
        if event.error or event.malformed:
            self._push(self._errors[stream], item)

    def _push(self, heap: _Heap, item: tuple[str, int, Event]) -> None:
        self.size_bytes += item[2].size_bytes
        if len(heap) < self._size:
            heapq.heappush(heap, item)
        else:
            self.size_bytes -= heapq.heappushpop(heap, item)[2].size_bytes

    def take(self) -> Newest:
        """Return the events, and forget them."""
        kept = {item[1] for heap in self._all.values() for item in heap}
        events = _sorted(self._all)
        older = [(number, record) for number, record in _sorted(self._errors) if number not in kept]
        passed_over = self._added - len(events) - len(older)
        self._added = self.size_bytes = 0
        self._all.clear()
        self._errors.clear()
        return Newest([record for _, record in events], [record for _, record in older], passed_over)


def _sorted(heaps: dict[Stream, _Heap]) -> list[tuple[int, Record]]:
    items = sorted((item[:2], stream, item[2]) for stream, heap in heaps.items() for item in heap)
    return [(key[1], (stream, event)) for key, stream, event in items]
