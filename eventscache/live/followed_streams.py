"""The streams that a subscription follows, with their pollers."""

from collections.abc import Iterator
from typing import NamedTuple

from eventscache.live.messages import Counters
from eventscache.live.poller import CollectionPoller, Listener, Pollers
from eventscache.live.tail import EVERYTHING, Selection
from eventscache.stream import Stream


class FollowedStream(NamedTuple):
    """The pollers of a stream: of the collection that the filter selects, and of the one whose events are counted.

    That is `all`, which counts every event, or the extra collection that is selected.
    """

    selected: CollectionPoller
    counted: CollectionPoller


class FollowedStreams:
    """Takes pollers for one listener, and gives them back. A listener gets nothing of a stream before `listen`."""

    def __init__(self, listener: Listener, pollers: Pollers, selection: Selection) -> None:
        self._listener = listener
        self._pollers = pollers
        self._selection = selection
        self._streams: dict[Stream, FollowedStream] = {}

    def __iter__(self) -> Iterator[Stream]:
        return iter(self._streams)

    def __contains__(self, stream: object) -> bool:
        return stream in self._streams

    def __getitem__(self, stream: Stream) -> FollowedStream:
        return self._streams[stream]

    @property
    def unavailable(self) -> bool:
        """Whether the last poll of any of them failed."""
        return any(poller.unavailable for followed in self._streams.values() for poller in followed)

    def add(self, stream: Stream) -> FollowedStream:
        """Return the pollers of a stream, taken now unless they were before."""
        if stream not in self._streams:
            counted = self._selection if self._selection.extra else EVERYTHING
            self._streams[stream] = FollowedStream(
                self._pollers.acquire(stream, self._selection), self._pollers.acquire(stream, counted)
            )
        return self._streams[stream]

    def remove(self, stream: Stream) -> None:
        """Give the pollers of a stream back."""
        self.stop_listening(stream)
        for poller in self._streams.pop(stream):
            self._pollers.release(poller)

    def clear(self) -> None:
        """Give all pollers back."""
        for stream in [*self._streams]:
            self.remove(stream)

    def listen(self, stream: Stream) -> None:
        """Let the listener get what is new in a stream."""
        self._streams[stream].selected.listeners.add(self._listener)

    def stop_listening(self, stream: Stream) -> None:
        """Let the listener get nothing more of a stream."""
        self._streams[stream].selected.listeners.discard(self._listener)

    def listens(self, stream: Stream) -> bool:
        """Tell whether the listener gets what is new in a stream."""
        return stream in self._streams and self._listener in self._streams[stream].selected.listeners

    def counters(self, seconds: float) -> Counters:
        """Return the counters of the time since `Pollers.reset_arrived`, so many seconds ago."""
        tails = [followed.selected.tail for followed in self._streams.values()]
        arrived = sum(followed.counted.arrived for followed in self._streams.values())
        return Counters(
            round(arrived / seconds, 2),
            sum(tail.limited for tail in tails),
            sum(tail.total for tail in tails),
            self._pollers.cache.ledger.dropped.total(),
            len(tails),
            self._pollers.cache.readable_within_ms,
        )
