"""What waits to be sent to one subscriber."""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from eventscache.live.cursor import START, Position, SentPositions
from eventscache.live.messages import Cleared, Counters, Gap, Message, Signal
from eventscache.live.stream_filter import StreamFilter
from eventscache.live.tail import Changes, LiveEvent
from eventscache.stream import Stream

_SMALL_ENTRY_BYTES = 100


class FilteredOut(NamedTuple):
    """An event that the filter leaves out: it is not sent, but the position moves on."""

    stream: Stream
    position: Position


class PossibleGap(NamedTuple):
    """The oldest event that is left in a stream: earlier ones may be missing."""

    stream: Stream
    sequence: int


class Restarted(NamedTuple):
    """The sequence numbers of a stream started again."""

    stream: Stream


Queued = LiveEvent | Signal | Cleared | Counters | FilteredOut | PossibleGap | Restarted


class Outbox:
    """The queue of one subscriber, and its position in each stream.

    An entry becomes a message only when it is sent, since the position decides then: no event is sent twice, and a gap
    is as large as what was not sent. `size_bytes` is about how many bytes wait. `ready`: the history was sent.
    `closed`: nothing more is sent.
    """

    def __init__(self, stream_filter: StreamFilter) -> None:
        self.positions = SentPositions()
        self.size_bytes = 0
        self.ready = False
        self.closed = False
        self._filter = stream_filter
        self._queue: deque[Queued] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, entry: Queued) -> None:
        """Add an entry to the queue."""
        self._queue.append(entry)
        self.size_bytes += _size_bytes(entry)

    def pop(self) -> Message | None:
        """Remove the first entry from the queue, and return its message if there is anything to send."""
        entry = self._queue.popleft()
        self.size_bytes -= _size_bytes(entry)
        return self.message(entry)

    def entries(self, stream: Stream, changes: Changes) -> Iterator[Queued]:
        """Yield the entries for the changes of a stream."""
        if changes.cleared:
            yield Cleared(stream)
        if changes.restarted or self._restart_emptied(stream, changes):
            yield Restarted(stream)
        elif changes.gap:
            yield PossibleGap(stream, changes.events[0].sequence)
        for live_event in changes.events:
            yield live_event if self._filter.matches(live_event) else FilteredOut(stream, live_event.position)

    def message(self, entry: Queued) -> Message | None:
        """Move the position to an entry, and return its message; None if it was sent before or is not to be sent."""
        if isinstance(entry, Signal | Cleared | Counters):
            return entry
        position = self.positions.get(entry.stream)
        if position is None:
            return None  # the subscription left this stream so long ago that its position is forgotten
        match entry:
            case Restarted(stream):
                self.positions.move(stream, START)
                return Gap(stream, None)
            case PossibleGap(stream, oldest):
                return self._gap(stream, position.number, oldest)
        if entry.position.number <= position.number:
            return None
        self.positions.move(entry.stream, entry.position)
        return entry if isinstance(entry, LiveEvent) else None

    def _gap(self, stream: Stream, number: int, oldest: int) -> Gap | None:
        if not number and self.ready:
            return None  # the stream appeared while the subscriber was there: it missed nothing from before
        missed = oldest - number - 1
        return Gap(stream, missed) if missed > 0 else None

    def _restart_emptied(self, stream: Stream, changes: Changes) -> bool:
        """Tell whether numbers come again that were sent before the stream was empty: the poller may not know them."""
        position = self.positions.get(stream) or START
        if not (position.empty and changes.events and changes.events[0].sequence <= position.number):
            return False
        self.positions.move(stream, START)  # so that it is found only once
        return True


def _size_bytes(entry: Queued) -> int:
    return entry.size_bytes if isinstance(entry, LiveEvent) else _SMALL_ENTRY_BYTES
