"""Connections: limited in number and in time, with a plain error for bytes that are not HTTP.

aiohttp limits neither. Time limits are checked for all connections a few times a second, from the state that aiohttp
keeps: a timer for each connection would cost more than everything else here.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any, NamedTuple, cast

from aiohttp import HttpVersion10, HttpVersion11, StreamReader, web
from aiohttp.http_exceptions import BadHttpMessage, HttpProcessingError, LineTooLong
from aiohttp.web_protocol import RequestHandler

from eventscache.server.http.aiohttp_internals import ErrInfo
from eventscache.server.http.log_throttle import LogThrottle
from eventscache.server.http.responses import error_response

_MAX_LINE_BYTES = 8190  # of a request's head
_MAX_HEADERS = 128
_QUOTED = re.compile(r"b?['\"]|\n")
_CHECKS_PER_LIMIT = 5  # in the shortest time limit
_MAX_PAUSE_SECONDS = 1.0
_LINGERING_SECONDS = 2.0  # so that a client can read why its body is rejected before the connection is closed


class ConnectionLimits(NamedTuple):
    """How many connections may be open, and how long a client may take.

    `header_seconds` limits the head of a request, from the start of the connection or the head's first byte;
    `stall_seconds` limits how long a client may read nothing of its response; `keepalive_seconds` limits the time
    between requests.
    """

    most: int
    header_seconds: float
    stall_seconds: float
    keepalive_seconds: float


class Connection(RequestHandler):
    """One client's connection."""

    __slots__ = (
        "_body",
        "_ended",
        "_head_since",
        "_heads",
        "_unsent_bytes",
        "_unsent_since",
        "_upgrading",
        "sent_nothing",
    )

    def __init__(self, manager: "Connections", **settings: Any) -> None:
        super().__init__(manager, **settings)
        self.sent_nothing = True  # until the head of its first request is complete
        self._heads = 0
        self._body: StreamReader | None = None  # of the last request whose head is complete
        self._upgrading = False  # that request asks for another protocol: no HTTP request follows
        self._head_since: float | None = None  # when an incomplete head began
        self._ended = False  # the client sends no more, but may still read
        self._unsent_bytes, self._unsent_since = 0, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the time of the first head."""
        self._head_since = self._loop.time()
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Parse bytes, and record whether they complete a head."""
        if self._upgrading and (self._body is None or self._body.is_eof()):
            return
        super().data_received(data)
        heads = self._request_count - self._heads
        if heads:
            self._heads = self._request_count
            self._head_since = None
            if self.sent_nothing:
                self.sent_nothing = False
                cast(Connections, self._manager).on_first_request(self)
            self._check_heads(heads)
        elif self._head_since is None and self.idle:
            self._head_since = self._loop.time()
        if self._upgrading:
            self._message_tail = b""  # else aiohttp would parse requests from it later, without these checks

    def _check_heads(self, count: int) -> None:
        """Check the `count` newest heads: for invalid HTTP, for other versions of it, and for other protocols."""
        messages: Any = self._messages
        for index in range(-count, 0):
            message, body = messages[index]
            if isinstance(message, ErrInfo):
                if self._body is not None and not self._body.is_eof():
                    # Its reader would wait for ever, as aiohttp does not wake it. In the next turn of the loop, since
                    # a reader that the end of a chunk woke in this turn waits again only then.
                    fault = web.RequestPayloadError("the body is not valid HTTP")
                    self._loop.call_soon(self._body.set_exception, fault)
            elif message.version is not HttpVersion11 and message.version != HttpVersion10:
                unknown = BadHttpMessage("the version is neither 1.0 nor 1.1")
                messages[index] = (ErrInfo(400, unknown, unknown.message), body)
            elif message.upgrade:
                # The parser stops after it, and for some protocols loses the rest of the same packet.
                self._upgrading = True
                messages[index] = (message._replace(should_close=True), body)
            self._body = body

    async def start(self) -> None:
        """Serve, unless it was closed at once because there are too many connections."""
        if self._manager is not None:
            await super().start()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """Keep the connection if a request is still to be answered: the client may read although it sends no more."""
        self._ended = not self.idle and self._body is not None and self._body.is_eof()
        return self._ended

    @property
    def ended(self) -> bool:
        """Whether the client sends no more: it has left, or only reads its response."""
        return self._ended

    @property
    def idle(self) -> bool:
        """Whether it waits for a request."""
        return self._waiter is not None and not self._waiter.done()

    @property
    def idle_since(self) -> float:
        """When it began to wait for a request, or when an incomplete head began."""
        if self._head_since is not None:
            return self._head_since
        return self._next_keepalive_close_time - self._keepalive_timeout

    def is_slow(self, now: float, limits: ConnectionLimits) -> bool:
        """Whether its client sends a body, or does not read its response, for longer than a head may take."""
        if self.transport is None or self.idle or now - self.idle_since <= limits.header_seconds:
            return False
        return (self._body is not None and not self._body.is_eof()) or self.transport.get_write_buffer_size() > 0

    def close_if_late(self, now: float, limits: ConnectionLimits) -> None:
        """Close it if its client has exceeded a time limit."""
        if self.transport is None:
            return
        if self.idle:
            late = self._head_since is not None and now - self._head_since > limits.header_seconds
            if late or self._ended:
                self.force_close()
                return
        unsent_bytes = self.transport.get_write_buffer_size()
        if not unsent_bytes or unsent_bytes != self._unsent_bytes:
            self._unsent_bytes, self._unsent_since = unsent_bytes, now
        elif now - self._unsent_since > limits.stall_seconds:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 400,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer an invalid HTTP request with a fixed message: aiohttp's own quotes the request."""
        if isinstance(exc, ConnectionError):
            raise exc  # the client has left
        cast(Connections, self._manager).log_throttle.warning(
            "invalid HTTP request", client=request.remote, reason=_reason(exc, message)
        )
        if request.writer.output_size > 0:
            raise ConnectionError("a response has already begun")
        if isinstance(exc, HttpProcessingError):
            cast(Connections, self._manager).on_refused()  # no handler has seen the request, so none counts it
        response = _refusal(status, exc, message or "")
        response.force_close()
        return response

    def log_exception(self, *args: Any, exc_info: BaseException | None = None, **_: Any) -> None:
        """Log one throttled line where aiohttp would log a traceback each time."""
        manager = cast(Connections | None, self._manager)
        if manager:
            manager.log_throttle.warning("connection failed", reason=f"{' '.join(map(str, args))} ({exc_info!r})")


class Connections(web.Server):
    """All connections.

    Above the limit it closes one: the oldest that has not sent a request yet, else the one idle longest, else the
    slowest.
    """

    def __init__(
        self,
        handler: Any,
        limits: ConnectionLimits,
        log_throttle: LogThrottle,
        *,
        request_factory: Any,
        on_refused: Callable[[], object] = lambda: None,
        **settings: Any,
    ) -> None:
        """Answer requests, made by `request_factory`, by `handler`; `settings` are passed to each `RequestHandler`.

        `on_refused` is called for each request that is refused without the handler, because it is not valid HTTP.
        """
        super().__init__(handler, request_factory=request_factory)
        self.log_throttle = log_throttle
        self.on_refused = on_refused
        self._limits = limits
        self._settings = {
            **settings,
            "auto_decompress": False,
            "keepalive_timeout": limits.keepalive_seconds,
            "lingering_time": _LINGERING_SECONDS,
            "max_line_size": _MAX_LINE_BYTES,
            "max_field_size": _MAX_LINE_BYTES,
            "max_headers": _MAX_HEADERS,
        }
        self._without_request: dict[Connection, None] = {}  # oldest first
        self._checking: asyncio.Task[None] | None = None

    def __call__(self) -> Connection:
        """Return the protocol of the next connection."""
        return Connection(self, loop=asyncio.get_running_loop(), **self._settings)

    def start(self) -> None:
        """Begin to check the time limits."""
        self._checking = asyncio.create_task(self._check_times())

    async def stop(self) -> None:
        """Stop checking the time limits."""
        if self._checking:
            self._checking.cancel()
            await asyncio.gather(self._checking, return_exceptions=True)

    async def _check_times(self) -> None:
        limits = self._limits
        shortest_seconds = min(limits.header_seconds, limits.stall_seconds)
        pause_seconds = min(shortest_seconds / _CHECKS_PER_LIMIT, _MAX_PAUSE_SECONDS)
        while True:
            await asyncio.sleep(pause_seconds)
            now = asyncio.get_running_loop().time()
            for connection in self._all():
                connection.close_if_late(now, limits)

    def _all(self) -> list[Connection]:
        return cast(list[Connection], self.connections)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Add a connection, and close one if there are too many."""
        super().connection_made(handler, transport)
        self._without_request[cast(Connection, handler)] = None
        if len(self.connections) > self._limits.most:
            self._close_one()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """Remove a connection."""
        super().connection_lost(handler, exc)
        self._without_request.pop(cast(Connection, handler), None)

    def on_first_request(self, connection: Connection) -> None:
        """Record that a connection has sent a request."""
        self._without_request.pop(connection, None)

    def _close_one(self) -> None:
        """Close the least useful connection: the newest one, if all others are busy."""
        chosen = next(iter(self._without_request))
        if len(self._without_request) == 1:
            now, connections = asyncio.get_running_loop().time(), self._all()
            idle = [connection for connection in connections if connection.idle]
            slow = [connection for connection in connections if connection.is_slow(now, self._limits)]
            chosen = min(idle or slow, key=lambda connection: connection.idle_since, default=chosen)
        self._without_request.pop(chosen, None)
        self.log_throttle.warning("connection limit reached", limit=self._limits.most)
        if chosen.transport:
            chosen.transport.abort()


def _refusal(status: int, fault: BaseException | None, message: str) -> web.Response:
    """Return the response to a request that is not valid HTTP; it quotes nothing of it."""
    if isinstance(fault, LineTooLong) or message.startswith("Too many headers"):
        return error_response(
            431,
            "head_too_long",
            f"the head of the request is too long: at most {_MAX_LINE_BYTES} bytes are allowed for its first line and "
            f"for each header, and at most {_MAX_HEADERS} headers; send shorter or fewer, such as cookies",
        )
    if message.startswith("Invalid char in url"):
        return error_response(
            status,
            "invalid_http",
            "the request is not valid HTTP/1.1: its path or query holds a byte that must be escaped; write it as % and "
            "two hexadecimal digits, such as %C3%A9",
        )
    return error_response(status, "invalid_http", "the request is not valid HTTP/1.1")


def _reason(fault: BaseException | None, message: str | None) -> str:
    """Return what is wrong, without the quoted request that aiohttp adds: a token may be in it."""
    return f"{type(fault).__name__}: {_QUOTED.split(message or '')[0].strip()}"
