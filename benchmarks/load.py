"""Requests over keep-alive connections, one at a time on each: as fast as responses come, or at a given rate.

The connections are protocols on uvloop that only find the end of a response, so that one core can load a server on
another one; the result says how busy each core was.
"""

import asyncio
import contextlib
import functools
import itertools
import resource
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, cast

from benchmarks.servers import Server
from eventscache.loadtest.ledger import LedgerCounts

CONNECTIONS = 32
_LENGTH = b"content-length:"
_LAST_CHUNK = b"\r\n0\r\n\r\n"


class Requests:
    """An endless series of requests: each of the paths in turn, with each of the bodies in turn."""

    def __init__(self, method: str, paths: Sequence[str], bodies: Sequence[bytes] = (b"",)) -> None:
        if len({len(body) for body in bodies}) != 1:
            raise ValueError("all bodies must be of one size")
        tail = "Host: 127.0.0.1\r\n"
        if bodies[0]:
            tail += f"Content-Type: application/json\r\nContent-Length: {len(bodies[0])}\r\n"
        self.count = max(len(paths), len(bodies))
        self._heads = itertools.cycle([f"{method} {path} HTTP/1.1\r\n{tail}\r\n".encode() for path in paths])
        self._bodies = itertools.cycle(bodies)

    def next(self, connection: int) -> bytes:  # noqa: ARG002 - as `Clients` have it
        return next(self._heads) + next(self._bodies)


class Clients:
    """An endless series of requests for each connection: those of its client, each in turn."""

    def __init__(self, requests: Sequence[Sequence[bytes]]) -> None:
        self.count = sum(map(len, requests))
        self._requests = [itertools.cycle(of_client) for of_client in requests]

    def next(self, connection: int) -> bytes:
        return next(self._requests[connection % len(self._requests)])


class LoadConnection(asyncio.Protocol):
    """One connection, which calls `ended` when a response is complete. Nothing is sent before that."""

    def __init__(self, number: int, ended: Callable[["LoadConnection"], None]) -> None:
        self.number = number
        self._ended = ended
        self._head = b""
        self._missing = 0  # bytes of the body; -1 if it comes in chunks
        self._tail = b""
        self._whole = 0  # bytes of the last response that came in one piece
        self.due = 0.0
        self.failure = b""  # the start of the last response, if it was no 2xx
        self.closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not inherit from it

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closing:
            raise SystemExit(f"the server closed a connection: {exc}")

    def close(self) -> None:
        self.closing = True
        self._transport.abort()

    def send(self, request: bytes, due: float = 0.0) -> None:
        self.due = due
        self.failure = b""
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if len(data) == self._whole and data.startswith(b"HTTP/1.1 20") and not self._in_response:
            self._ended(self)  # of the same size as the one before: the common case, and fast
            return
        fresh = not self._in_response
        if self._body_begun:
            self._take(data)
        else:
            self._head += data
            head, separator, body = self._head.partition(b"\r\n\r\n")
            if not separator:
                return
            self._begin(head)
            self._take(body)
        if not self._in_response:
            self._whole = len(data) if fresh and not data.endswith(_LAST_CHUNK) else 0
            self._ended(self)

    @property
    def _in_response(self) -> bool:
        return bool(self._head)

    @property
    def _body_begun(self) -> bool:
        return self._missing != 0

    def _begin(self, head: bytes) -> None:
        if not head.startswith(b"HTTP/1.1 20"):
            self.failure = self._head[:300]
        lines = head.lower().split(b"\r\n")
        lengths = [int(line[len(_LENGTH) :]) for line in lines if line.startswith(_LENGTH)]
        without_body = head.startswith(b"HTTP/1.1 204")
        self._missing = lengths[0] if lengths else 0 if without_body else -1

    def _take(self, data: bytes) -> None:
        if self._missing < 0:
            self._tail = (self._tail + data)[-len(_LAST_CHUNK) :]
            done = self._tail == _LAST_CHUNK
        else:
            self._missing -= len(data)
            done = self._missing == 0
        if done:
            self._head, self._missing, self._tail = b"", 0, b""


class Measured(NamedTuple):
    """The result of one period of load: requests, processor time, and the server's counts.

    Latencies are in seconds, counted from when a request was due, and sorted.
    """

    requests: int
    seconds: float
    server_cpu_seconds: float
    load_cpu_seconds: float
    redis_cpu_seconds: float
    failures: int = 0
    counts: LedgerCounts = LedgerCounts()
    latencies: Sequence[float] = ()

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    @property
    def stored_rate(self) -> float:
        return self.counts.stored / self.seconds

    @property
    def decided_rate(self) -> float:
        """Events a second that were stored or limited: not those that still wait, or were dropped."""
        return (self.counts.stored + self.counts.limited) / self.seconds

    @property
    def server_us(self) -> float:
        """The server's processor time for a request."""
        return self.server_cpu_seconds / max(1, self.requests) * 1e6

    @property
    def server_us_per_stored(self) -> float:
        """The same for a stored event: a response may be for many events, or come before they are stored."""
        return self.server_cpu_seconds / max(1, self.counts.stored) * 1e6

    @property
    def server_busy(self) -> float:
        return self.server_cpu_seconds / self.seconds

    @property
    def load_busy(self) -> float:
        return self.load_cpu_seconds / self.seconds

    @property
    def redis_busy(self) -> float:
        return self.redis_cpu_seconds / self.seconds

    def latency(self, share: float) -> float:
        """Return the latency, in seconds, that this share of the requests did not exceed."""
        return self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))]


class _Moment(NamedTuple):
    requests: int
    at: float
    server_cpu_seconds: float
    load_cpu_seconds: float
    redis_cpu_seconds: float
    failures: int
    counts: LedgerCounts

    def until(self, late: "_Moment") -> Measured:
        return Measured(
            late.requests - self.requests,
            late.at - self.at,
            late.server_cpu_seconds - self.server_cpu_seconds,
            late.load_cpu_seconds - self.load_cpu_seconds,
            late.redis_cpu_seconds - self.redis_cpu_seconds,
            late.failures - self.failures,
            late.counts.since(self.counts),
        )


class HttpLoad:
    """Sends requests to one server, and counts them."""

    def __init__(self, server: Server, requests: Requests | Clients) -> None:
        self._server = server
        self._requests = requests
        self._done = 0
        self.failures = 0

    async def _moment(self) -> _Moment:
        server = self._server
        counts = await asyncio.to_thread(server.counts)
        used = resource.getrusage(resource.RUSAGE_SELF)
        ours = used.ru_utime + used.ru_stime
        return _Moment(
            self._done, time.perf_counter(), server.cpu_seconds, ours, server.redis_cpu_seconds, self.failures, counts
        )

    async def _connect(self, count: int, ended: Callable[[LoadConnection], None]) -> list[LoadConnection]:
        loop = asyncio.get_running_loop()
        address = self._server.host, self._server.port
        made = [
            await loop.create_connection(functools.partial(LoadConnection, number, ended), *address)
            for number in range(count)
        ]
        return [connection for _, connection in made]

    async def closed(self, seconds: float, warm_up_seconds: float, connections: int = CONNECTIONS) -> Measured:
        """Send the next request after the last response: this finds a server's capacity, and hides stalls."""
        open_connections = await self._connect(connections, self._again)
        for connection in open_connections:
            connection.send(self._requests.next(connection.number))
        await asyncio.sleep(warm_up_seconds)
        before = await self._moment()
        await asyncio.sleep(seconds)
        after = await self._moment()
        for connection in open_connections:
            connection.close()
        return before.until(after)

    def _count(self, connection: LoadConnection) -> None:
        if not connection.failure:
            self._done += 1
            return
        if not self.failures:
            print(f"no success: {connection.failure!r}", file=sys.stderr)
        self.failures += 1

    def _again(self, connection: LoadConnection) -> None:
        self._count(connection)
        if not connection.closing:
            connection.send(self._requests.next(connection.number))

    async def each(self, connections: int = CONNECTIONS) -> None:
        """Send each request of the series once, and return after the last response; a failure ends the program."""
        left = iter(range(self._requests.count))
        open_connections: list[LoadConnection] = []
        finished = asyncio.Event()

        def again(connection: LoadConnection) -> None:
            if connection.failure:
                raise SystemExit(f"no success: {connection.failure!r}")
            if next(left, None) is not None:
                connection.send(self._requests.next(connection.number))
                return
            connection.close()
            if all(other.closing for other in open_connections):
                finished.set()

        open_connections += await self._connect(min(connections, self._requests.count), again)
        for connection in open_connections:
            next(left)
            connection.send(self._requests.next(connection.number))
        await finished.wait()

    async def at_rate(
        self, rate: float, seconds: float, warm_up_seconds: float, connections: int = CONNECTIONS
    ) -> Measured:
        """Send `rate` requests a second, however fast the server is; latency counts from when a request was due.

        One that is due while all connections are busy waits for the first free one, and that time counts.
        """
        free: deque[LoadConnection] = deque()
        waiting: deque[float] = deque()
        latencies: list[float] = []

        def ended(connection: LoadConnection) -> None:
            self._count(connection)
            latencies.append(time.perf_counter() - connection.due)
            if waiting:
                connection.send(self._requests.next(connection.number), waiting.popleft())
            else:
                free.append(connection)

        def due(moment: float) -> None:
            if free:
                connection = free.popleft()
                connection.send(self._requests.next(connection.number), moment)
            else:
                waiting.append(moment)

        open_connections = await self._connect(connections, ended)
        free.extend(open_connections)
        with _ticking(rate, due):
            await asyncio.sleep(warm_up_seconds)
            before, first = await self._moment(), len(latencies)
            await asyncio.sleep(seconds)
            after, last = await self._moment(), len(latencies)
        for connection in open_connections:
            connection.close()
        return before.until(after)._replace(latencies=sorted(latencies[first:last]))


@contextlib.contextmanager
def _ticking(rate: float, due: Callable[[float], None]) -> Iterator[None]:
    """Call `due` on the loop `rate` times a second: from a thread, whose sleep is more exact than a loop's timers."""
    loop = asyncio.get_running_loop()
    stopped = threading.Event()

    def tick() -> None:
        began = time.perf_counter()
        for number in itertools.count():
            moment = began + number / rate
            if (pause := moment - time.perf_counter()) > 0:
                time.sleep(pause)
            if stopped.is_set():
                return
            loop.call_soon_threadsafe(due, moment)

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
