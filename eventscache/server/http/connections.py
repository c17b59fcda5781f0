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
from eventscache.server.http.responses import HttpError

_MAX_HEADER_BYTES = 8190  # as proxies have it, or a little more
_MAX_TARGET_BYTES = 3 * _MAX_HEADER_BYTES  # of which a byte may have become an escape
_MAX_HEADERS = 256
_BLANK_LINE = 2  # bytes, which may come before a head
_METHOD = re.compile(rb"[A-Z]{1,20} ")
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_QUOTED = re.compile(r"b?['\"]|\n")
_CHECKS_PER_LIMIT = 5  # in the shortest time limit
_MAX_PAUSE_SECONDS = 1.0
_LINGERING_SECONDS = 2.0  # so that a client can read why its body is rejected before the connection is closed

OnRefused = Callable[[web.BaseRequest, str, HttpError, str], web.StreamResponse | None]
"""Called with what stands for a request that is not valid HTTP, its target as far as it is known, the error that
answers it, and the reason, which quotes nothing. Returns another response if there is one, and has logged the reason
then."""


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
        "_beginning",
        "_begun_after",
        "_body",
        "_ended",
        "_head_since",
        "_heads",
        "_refused_target",
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
        self._beginning, self._begun_after = b"", 0  # of the head that began after so many others, its first line
        self._refused_target = ""  # of a request that is not valid HTTP
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
        if not data.isascii():
            end = data.find(b"\n", _BLANK_LINE, _MAX_TARGET_BYTES)
            if not data[: end if end >= 0 else _MAX_TARGET_BYTES].isascii():
                data = self._with_escapes(data)
        super().data_received(data)
        heads = self._request_count - self._heads
        if heads:
            self._heads = self._request_count
            self._head_since = None
            if self.sent_nothing:
                self.sent_nothing = False
                cast(Connections, self._manager).on_first_request(self)
            self._check_heads(heads, data)
        elif self.idle:
            self._note_beginning(data)
            if self._head_since is None:
                self._head_since = self._loop.time()
        if self._upgrading:
            self._message_tail = b""  # else aiohttp would parse requests from it later, without these checks

    def _first_line(self) -> bytes:
        """Return what has come of the first line of a head that is not complete; no bytes if nothing has."""
        return self._beginning if self._begun_after == self._heads else b""

    def _note_beginning(self, data: bytes) -> None:
        """Note bytes of a head that is not complete, as long as they are of its first line."""
        line = self._first_line()
        if b"\n" not in line and len(line) < _MAX_TARGET_BYTES:
            rest, end, _ = (data if line else data.lstrip(b"\r\n")).partition(b"\n")
            self._beginning, self._begun_after = line + rest[:_MAX_TARGET_BYTES] + end, self._heads

    def _with_escapes(self, data: bytes) -> bytes:
        """Return bytes in which those of a request's target that are not ASCII are escapes, such as %C3.

        Others take them as they are; aiohttp's parser does not. A body is never changed, nor the length of a head's
        other lines. The target of a request that comes in one packet with the one before it stays as it is.
        """
        in_body = self._body is not None and not self._body.is_eof()
        line = self._first_line()
        if in_body or self._buffer_paused or b"\n" in line:
            return data
        start = 0 if line else len(data) - len(data.lstrip(b"\r\n"))
        if not line and not _METHOD.match(data, start):
            return data
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        return data[:start] + _NOT_ASCII.sub(_escape, data[start:end]) + data[end:]

    def _check_heads(self, count: int, data: bytes) -> None:
        """Check the `count` newest heads: for invalid HTTP, for other versions of it, and for other protocols.

        The newest ones are complete, or found wrong, since `data` came.
        """
        messages: Any = self._messages
        for index in range(-count, 0):
            message, body = messages[index]
            if isinstance(message, ErrInfo):
                has_begun = self._begun_after == self._heads - count
                self._refused_target = _target(self._beginning + data if has_begun else data)
                if self._body is not None and not self._body.is_eof():
                    # Its reader would wait for ever, as aiohttp does not wake it. In the next turn of the loop, since
                    # a reader that the end of a chunk woke in this turn waits again only then.
                    fault = web.RequestPayloadError("the body is not valid HTTP")
                    self._loop.call_soon(self._body.set_exception, fault)
            elif message.version is not HttpVersion11 and message.version != HttpVersion10:
                unknown = BadHttpMessage("the version is neither 1.0 nor 1.1")
                self._refused_target = message.path
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
        manager, reason, response = cast(Connections, self._manager), _reason(exc, message), None
        error = _refusal(status, exc, message or "")
        has_begun = request.writer.output_size > 0
        if isinstance(exc, HttpProcessingError) and not has_begun:
            # No handler has seen the request, so none counts it.
            response = manager.on_refused(request, self._refused_target, error, reason)
        if response is None:
            manager.log_throttle.warning("invalid HTTP request", client=request.remote, reason=reason)
        if has_begun:
            raise ConnectionError("a response has already begun")
        return response or error.response()

    def log_exception(self, *args: Any, exc_info: BaseException | None = None, **_: Any) -> None:
        """Log one throttled line where aiohttp would log a traceback each time."""
        manager = cast(Connections | None, self._manager)
        # Of a body that is not valid HTTP its handler has told, or has answered without it.
        if manager and not isinstance(exc_info, web.RequestPayloadError):
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
        on_refused: OnRefused = lambda *_: None,
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
            "max_line_size": _MAX_TARGET_BYTES,
            "max_field_size": _MAX_HEADER_BYTES,
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


def _refusal(status: int, fault: BaseException | None, message: str) -> HttpError:
    """Return the error of a request that is not valid HTTP; it quotes nothing of it."""
    if isinstance(fault, LineTooLong) or message.startswith("Too many headers"):
        return HttpError(
            431,
            "head_too_long",
            f"the head of the request is too long: path and query may have {_MAX_TARGET_BYTES} bytes, each header "
            f"{_MAX_HEADER_BYTES} bytes, and there may be {_MAX_HEADERS} headers; send fewer, or shorter cookies",
            closes=True,
        )
    if message.startswith("Invalid char in url"):
        return HttpError(
            status,
            "invalid_http",
            "the request is not valid HTTP/1.1: its path or query holds a byte that must be escaped; write it as % and "
            "two hexadecimal digits, such as %C3%A9",
            closes=True,
        )
    return HttpError(status, "invalid_http", "the request is not valid HTTP/1.1", closes=True)


def _target(data: bytes) -> str:
    """Return the target of the request that bytes begin with, as far as they have it."""
    line = data[: 2 * _MAX_TARGET_BYTES].lstrip(b"\r\n").partition(b"\n")[0]
    return line.partition(b" ")[2].partition(b" ")[0].decode(errors="surrogateescape")


def _escape(byte: re.Match[bytes]) -> bytes:
    return b"%%%02X" % ord(byte[0])


def _reason(fault: BaseException | None, message: str | None) -> str:
    """Return what is wrong, without the quoted request that aiohttp adds: a token may be in it."""
    return f"{type(fault).__name__}: {_QUOTED.split(message or '')[0].strip()}"
