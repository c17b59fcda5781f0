"""Numbered events, sent to a sidecar at a fixed rate whatever it does."""

import asyncio
import contextlib
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from eventscache.loadtest.generator import LoadGenerator
from eventscache.loadtest.plan import LoadPlan
from eventscache.loadtest.requests import Request
from eventscache.loadtest.target import Target
from eventscache.stream import Namespace, Stream
from tests.support.sidecar import CACHE

_ENDLESS = 10**9
_PATIENCE_SECONDS = 60  # of a client, for a sidecar that is frozen for a while
_ERROR_EVERY = 5  # of the records of a destination, one in so many is an error


class NumberedRequests:
    """Events of some streams in turn, each with its number as `n`; some records of destinations are errors."""

    def __init__(self, host: str, streams: Sequence[Stream]) -> None:
        self.sent = 0
        self._streams = streams
        self._heads = [_head(stream, host) for stream in streams]

    def next(self) -> Request:
        """Return the next request."""
        number, self.sent = self.sent, self.sent + 1
        nth = number % len(self._streams)
        body = b'{"event_type":"page","n":%d}' % number
        if self._streams[nth].namespace is Namespace.DESTINATION:
            error = b',"error":"no %d"' % number if self._is_error(number) else b""
            body = b'{"original":%b%b}' % (body, error)
        return Request(b"%bContent-Length: %d\r\n\r\n%b" % (self._heads[nth], len(body), body), 1)

    def _is_error(self, number: int) -> bool:
        return number // len(self._streams) % _ERROR_EVERY == 0

    def errors_of(self, stream: Stream) -> int:
        """Return how many errors were sent to the stream of a destination; all are of one error group."""
        return sum(self.stream_of(number) == stream and self._is_error(number) for number in range(self.sent))

    def stream_of(self, number: int) -> Stream:
        """Return the stream that an event was sent to."""
        return self._streams[number % len(self._streams)]


def _head(stream: Stream, host: str) -> bytes:
    token = stream.namespace is Namespace.TOKEN
    name = quote(stream.id)
    path = f"/api/v1/event?token={name}" if token else f"{CACHE}?id={name}&ack=queued"
    return f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n".encode()


class NumberedLoad:
    """An open loop that runs from `start` to `stop`."""

    def __init__(self, address: str, streams: Sequence[Stream], *, rate: float, connections: int = 16) -> None:
        self.requests = NumberedRequests(urlsplit(address).netloc, streams)
        plan = LoadPlan(rate=rate, connections=connections, requests=_ENDLESS, timeout_seconds=_PATIENCE_SECONDS)
        self._generator = LoadGenerator(plan, Target(address), self.requests)
        self.counts = self._generator.counts
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._generator.run())

    async def stop(self) -> None:
        """Send nothing more, and return when each request has its response."""
        assert self._task
        self._generator.stop()
        await self._task

    async def abandon(self) -> None:
        """End it at once."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def raise_if_failed(self) -> None:
        if self._task and self._task.done():
            self._task.result()
