"""Who offers events, and how many new streams it may begin."""

from collections import deque
from collections.abc import Callable

import structlog

from eventscache.clock import MICROSECONDS

_log = structlog.get_logger()

_MINUTE_US = 60 * MICROSECONDS
_MAX_PRODUCERS = 1000


class Producer:
    """Who offers events.

    New streams of a `trusted` one may evict the least recently active stream. A bounded one begins at most
    `max_streams` new streams in any minute; `now_us` is a monotonic clock.
    """

    __slots__ = ("_begun_us", "_logged_us", "_now_us", "is_bounded", "trusted")

    def __init__(
        self, *, trusted: bool, max_streams: int | None = None, now_us: Callable[[], int] | None = None
    ) -> None:
        self.trusted = trusted
        self.is_bounded = max_streams is not None
        self._now_us = now_us
        self._begun_us: deque[int] = deque(maxlen=max_streams)  # when the last new streams began
        self._logged_us = -_MINUTE_US

    def bound(self, max_streams: int) -> None:
        """Begin at most so many new streams in any minute from now on."""
        self._begun_us = deque(self._begun_us, maxlen=max_streams)

    def outranks(self, other: "Producer") -> bool:
        """Whether this one may do more than another."""
        return (self.trusted, not self.is_bounded) > (other.trusted, not other.is_bounded)

    def begin_stream(self) -> bool:
        """Return whether a new stream may begin now, and count it if so."""
        if self._now_us is None:
            return True
        now_us, begun_us = self._now_us(), self._begun_us
        most = begun_us.maxlen or 0
        if len(begun_us) < most or now_us - begun_us[0] >= _MINUTE_US:
            begun_us.append(now_us)
            return True
        if now_us - self._logged_us >= _MINUTE_US:
            self._logged_us = now_us
            _log.warning(
                "a client begins too many new streams: events of more are dropped",
                setting="eventscache.max_new_streams_per_minute",
                bound=most,
            )
        return False


CONFIGURED = Producer(trusted=True)
"""Who sends to streams that the configuration names: by an API key, which is an id, or this process itself."""


class Producers:
    """The bounded producers of a cache: each begins at most `max_streams` new streams in any minute."""

    def __init__(self, max_streams: int, now_us: Callable[[], int]) -> None:
        self.max_streams = max_streams
        self._now_us = now_us
        self._by_token: dict[bytes, Producer] = {}
        self.anonymous = self._new(trusted=False)
        """All who send without `api_keys`."""

    def by_token(self, digest: bytes) -> Producer:
        """Return the producer with a valid token of that digest: these are few. Who needs no token has no bytes."""
        producer = self._by_token.get(digest)
        if producer is None:
            if len(self._by_token) >= _MAX_PRODUCERS:  # tokens that were replaced again and again
                del self._by_token[next(iter(self._by_token))]
            producer = self._by_token[digest] = self._new(trusted=True)
        return producer

    def bound(self, max_streams: int) -> None:
        """Bound each producer to so many new streams in any minute from now on."""
        self.max_streams = max_streams
        for producer in (self.anonymous, *self._by_token.values()):
            producer.bound(max_streams)

    def _new(self, *, trusted: bool) -> Producer:
        return Producer(trusted=trusted, max_streams=self.max_streams, now_us=self._now_us)
