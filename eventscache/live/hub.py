"""The hub: all subscriptions, and the ticks at which their streams are polled."""

import asyncio
import contextvars

import structlog

from eventscache.cache import EventsCache
from eventscache.clock import Clock
from eventscache.errors import EventsCacheError
from eventscache.live.appearing_streams import AppearingStreams
from eventscache.live.cursor import Cursor
from eventscache.live.poller import Pollers
from eventscache.live.stream_filter import StreamFilter
from eventscache.live.subscription import Client, Subscription
from eventscache.stream import Namespace

_log = structlog.get_logger()

TICK_SECONDS = 0.25
MAX_SUBSCRIBERS = 100
_COUNTERS_SECONDS = 1.0


class TooManySubscribers(EventsCacheError):
    """There are as many subscribers as are allowed."""


class Hub:
    """Polls the storage for all subscribers, and not at all while there are none."""

    def __init__(
        self, cache: EventsCache, clock: Clock | None = None, *, max_subscribers: int = MAX_SUBSCRIBERS
    ) -> None:
        self.clock = clock or Clock()
        self._cache = cache
        self._max_subscribers = max_subscribers
        self._pollers = Pollers(cache)
        self._appearing = {namespace: AppearingStreams(cache, namespace) for namespace in Namespace}
        self._subscriptions: dict[Subscription, None] = {}
        self._counted_at = 0.0
        self._ticking: asyncio.Task[None] | None = None
        self._context = contextvars.copy_context()
        self._closed = False

    @property
    def subscribers(self) -> int:
        """How many subscribers there are."""
        return len(self._subscriptions)

    def subscribe(
        self,
        stream_filter: StreamFilter,
        client: Client,
        *,
        cursor: Cursor | None = None,
        history: int = 0,
        seconds: float | None = None,
    ) -> Subscription:
        """Return a subscription, to be given back by `leave`; it ends after `seconds`, if they are given.

        It resumes at `cursor`, or else begins with the newest `history` events of each stream. After `close` it has
        ended already. Raises `TooManySubscribers`.
        """
        if len(self._subscriptions) >= self._max_subscribers:
            raise TooManySubscribers(f"there are {self._max_subscribers} subscribers already: close one, or try again")
        until = None if seconds is None else self.clock.now() + seconds
        subscription = Subscription(
            stream_filter, client, self._pollers, self.clock, cursor=cursor, history=history, until=until
        )
        if self._closed:
            subscription.end()
        else:
            self._subscriptions[subscription] = None
            self._start_ticking()
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """Take a subscription back."""
        subscription.close()
        self._subscriptions.pop(subscription, None)
        if not self._subscriptions and self._ticking:
            self._ticking.cancel()
            self._ticking = None

    def close(self) -> None:
        """End all subscriptions at once, and those to come."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.end()
            subscription.cut_if_unread()
        self._pollers.end_tick()

    def _start_ticking(self) -> None:
        if self._ticking is None:
            self._counted_at = self.clock.now()
            # Not in the context of the subscriber that happens to be the first: it polls for all of them.
            self._ticking = asyncio.create_task(self._run_ticks(), context=self._context.copy())

    async def _run_ticks(self) -> None:
        while True:
            await self.clock.sleep(TICK_SECONDS)
            try:
                await self._tick()
            except Exception:  # the next tick must come all the same
                _log.exception("polling the streams failed")
            self._pollers.end_tick()

    async def _tick(self) -> None:
        now = self.clock.now()
        for subscription in self._subscriptions:
            subscription.check_client(now)
        seconds = now - self._counted_at
        if seconds >= _COUNTERS_SECONDS:
            await self._check_streams(now)
        await self._pollers.poll()
        if seconds >= _COUNTERS_SECONDS:
            self._put_counters(seconds)
            self._counted_at = now
        for subscription in self._subscriptions:
            subscription.end_tick(now)

    def _put_counters(self, seconds: float) -> None:
        for subscription in self._subscriptions:
            subscription.put_counters(seconds)
        self._pollers.reset_arrived()

    async def _check_streams(self, now: float) -> None:
        """Let subscriptions to all streams of a namespace know which streams there are."""
        for namespace in Namespace:
            open_ones = [
                subscription
                for subscription in self._subscriptions
                if subscription.stream_filter.streams is None and subscription.stream_filter.namespace is namespace
            ]
            if open_ones:
                await self._appearing[namespace].tell(open_ones, now)
