"""Connections: so many at most, none that stands still for long, and a plain answer to what is no HTTP.

aiohttp limits neither number nor time. What it keeps of each connection is looked at once in a while: a timer for each
would cost more than all else that is done here.
"""

import asyncio
import re
from typing import Any, NamedTuple, cast

from aiohttp import HttpVersion10, HttpVersion11, StreamReader, web
from aiohttp.http_exceptions import BadHttpMessage
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from eventscache.server.http.log_throttle import LogThrottle
from eventscache.server.http.responses import error_response

_QUOTED = re.compile(r"b?['\"]|\n")
_LOOKS = 5  # in the shortest time limit
_LONGEST_PAUSE_SECONDS = 1.0
_LINGERING_SECONDS = 2.0  # for a client to notice that its body is not wanted, before the connection is closed


class ConnectionLimits(NamedTuple):
    """How many connections there may be, and how long each may take.

    `header_seconds` is for the head of a request, from the connection's first moment or the head's first byte;
    `stall_seconds` for a client that reads nothing more of its answer; `keepalive_seconds` for silence in between.
    """

    most: int
    header_seconds: float
    stall_seconds: float
    keepalive_seconds: float


class Connection(RequestHandler):
    """One client's connection."""

    __slots__ = ("_body", "_ended", "_head_since", "_heads", "_leaves_http", "_unsent", "_unsent_since", "silent")

    def __init__(self, manager: "Connections", **settings: Any) -> None:
        super().__init__(manager, **settings)
        self.silent = True  # until the head of its first request is complete
        self._heads = 0
        self._body: StreamReader | None = None  # of the last request that began
        self._leaves_http = False  # that one wants another protocol: what comes behind it is no request of ours
        self._head_since: float | None = None  # when the head began that is not complete
        self._ended = False  # the client sends no more, but may read yet
        self._unsent, self._unsent_since = 0, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._head_since = self._loop.time()
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Take bytes, and note whether they complete a head."""
        if self._leaves_http and (self._body is None or self._body.is_eof()):
            return
        super().data_received(data)
        heads = self._request_count - self._heads
        if heads:
            self._heads = self._request_count
            self._head_since = None
            if self.silent:
                self.silent = False
                cast(Connections, self._manager).forget_silent(self)
            self._look_at_heads(heads)
        elif self._head_since is None and self.idle:
            self._head_since = self._loop.time()
        if self._leaves_http:
            self._message_tail = b""  # of which aiohttp would make requests, past all that is noted here

    def _look_at_heads(self, count: int) -> None:
        """Note what the newest heads, so many of them, are about."""
        messages = self._messages
        for place in range(-count, 0):
            message, body = messages[place]
            if isinstance(message, _ErrInfo):
                if self._body is not None and not self._body.is_eof():
                    # Whoever reads it would wait for ever: aiohttp tells them nothing. Nor would it tell who was woken
                    # in this turn, by the end of a chunk, and waits again in the next one.
                    fault = web.RequestPayloadError("the body is not valid HTTP")
                    self._loop.call_soon(self._body.set_exception, fault)
            elif message.version is not HttpVersion11 and message.version != HttpVersion10:
                unknown = BadHttpMessage("the version is neither 1.0 nor 1.1")
                messages[place] = (_ErrInfo(400, unknown, unknown.message), body)
            elif message.upgrade:
                # The parser stops behind it, and of some protocols loses what came in the same packet.
                self._leaves_http = True
                messages[place] = (message._replace(should_close=True), body)
            self._body = body

    async def start(self) -> None:
        """Serve, unless it was closed in its first moment to make room."""
        if self._manager is not None:
            await super().start()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """Go on if there is something to be answered: who sends no more may well read."""
        self._ended = not self.idle and self._body is not None and self._body.is_eof()
        return self._ended

    @property
    def ended(self) -> bool:
        """Whether the client sends no more: it has left, or still reads the answer to what it sent."""
        return self._ended

    @property
    def idle(self) -> bool:
        """Whether it waits for a request."""
        return self._waiter is not None and not self._waiter.done()

    @property
    def idle_since(self) -> float:
        """When it began to wait, if it is idle, or when the head began that is not complete."""
        if self._head_since is not None:
            return self._head_since
        return self._next_keepalive_close_time - self._keepalive_timeout

    def drags(self, now: float, limits: ConnectionLimits) -> bool:
        """Whether its client has been sending a body, or not reading its answer, for longer than a head may take."""
        if self.transport is None or self.idle or now - self.idle_since <= limits.header_seconds:
            return False
        return (self._body is not None and not self._body.is_eof()) or self.transport.get_write_buffer_size() > 0

    def look(self, now: float, limits: ConnectionLimits) -> None:
        """Close it if it has taken too long."""
        if self.transport is None:
            return
        if self.idle:
            late = self._head_since is not None and now - self._head_since > limits.header_seconds
            if late or self._ended:
                self.force_close()
                return
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        elif now - self._unsent_since > limits.stall_seconds:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 400,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP, in fixed words: what aiohttp says of it repeats what came."""
        if isinstance(exc, ConnectionError):
            raise exc  # the client went away
        cast(Connections, self._manager).log_throttle.note(
            "not HTTP", peer=request.remote, reason=_reason(exc, message)
        )
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        answer = error_response(status, "the request is not valid HTTP/1.1")
        answer.force_close()
        return answer

    def log_exception(self, *args: Any, exc_info: BaseException | None = None, **_: Any) -> None:
        """Log in a line what aiohttp would log with a traceback, for each time that it happens."""
        manager = cast(Connections | None, self._manager)
        if manager:
            manager.log_throttle.note("connection failed", reason=f"{' '.join(map(str, args))} ({exc_info!r})")


class Connections(web.Server):
    """All connections.

    Of too many the silent ones are closed, the oldest first; then the one idle longest, then the one that drags most.
    """

    def __init__(self, handler: Any, limits: ConnectionLimits, log_throttle: LogThrottle, **settings: Any) -> None:
        super().__init__(
            handler,
            auto_decompress=False,
            keepalive_timeout=limits.keepalive_seconds,
            lingering_time=_LINGERING_SECONDS,
            **settings,
        )
        self.log_throttle = log_throttle
        self._limits = limits
        self._silent: dict[Connection, None] = {}  # oldest first
        self._looking: asyncio.Task[None] | None = None

    def __call__(self) -> Connection:
        """Return what handles the next connection."""
        return Connection(self, loop=self._loop, **self._kwargs)

    def start(self) -> None:
        """Begin to look after the time limits."""
        self._looking = asyncio.create_task(self._look())

    async def stop(self) -> None:
        """Look no more."""
        if self._looking:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        limits = self._limits
        pause_seconds = min(limits.header_seconds / _LOOKS, limits.stall_seconds / _LOOKS, _LONGEST_PAUSE_SECONDS)
        while True:
            await asyncio.sleep(pause_seconds)
            now = self._loop.time()
            for connection in self.connections:
                cast(Connection, connection).look(now, limits)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Take a connection, at the cost of another if there are too many."""
        super().connection_made(handler, transport)
        self._silent[cast(Connection, handler)] = None
        if len(self._connections) > self._limits.most:
            self._make_room()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """Forget a connection."""
        super().connection_lost(handler, exc)
        self.forget_silent(cast(Connection, handler))

    def forget_silent(self, connection: Connection) -> None:
        """Note that a connection has said something, or is gone."""
        self._silent.pop(connection, None)

    def _make_room(self) -> None:
        """Close the connection that will be missed least: perhaps the newest, if all others are busy."""
        victim = next(iter(self._silent))
        if len(self._silent) == 1:
            now = self._loop.time()
            others = [*map(_ours, self._connections)]
            idle = [connection for connection in others if connection.idle]
            dragging = [connection for connection in others if connection.drags(now, self._limits)]
            victim = min(idle or dragging, key=lambda connection: connection.idle_since, default=victim)
        self.forget_silent(victim)
        self.log_throttle.note("too many connections", limit=self._limits.most)
        if victim.transport:
            victim.transport.abort()


def _reason(fault: BaseException | None, message: str | None) -> str:
    """Return what is wrong, without what came: there may be a token in it, and aiohttp quotes it."""
    return f"{type(fault).__name__}: {_QUOTED.split(message or '')[0].strip()}"


def _ours(connection: RequestHandler) -> Connection:
    return cast(Connection, connection)
