"""Which streams the storage is known to have."""

from collections import OrderedDict

from eventscache.stream import Stream

_MOST = 20_000


class KnownStreams:
    """Remembers streams that the storage has taken events of: those last seen here, within a bound."""

    def __init__(self) -> None:
        self._streams: OrderedDict[Stream, None] = OrderedDict()

    def add(self, stream: Stream) -> None:
        """Remember a stream."""
        self._streams[stream] = None
        self._streams.move_to_end(stream)
        if len(self._streams) > _MOST:
            self._streams.popitem(last=False)

    def recall(self, stream: Stream) -> bool:
        """Tell whether a stream is remembered, and remember it for longer."""
        if stream not in self._streams:
            return False
        self._streams.move_to_end(stream)
        return True
