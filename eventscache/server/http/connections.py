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

from eventscache.server.http.aiohttp_internals import ErrInfo, new_parser
from eventscache.server.http.log_throttle import LogThrottle
from eventscache.server.http.responses import HttpError

_MAX_HEADER_BYTES = 8190  # as proxies have it, or a little more
_MAX_TARGET_BYTES = 3 * _MAX_HEADER_BYTES  # of which a byte may have become an escape
_MAX_HEADERS = 256
_BLANK = b"\r\n"  # of lines that may come before a head
_HEAD_END = b"\r\n\r\n"
_MOST_AT_ONCE = 65_536  # bytes; of more the parser may stop in the middle, and keep the rest to itself
_UNKNOWN = -1  # bytes of a body that are still to come
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


AnswerAtOnce = Callable[[bytes], bytes | None]
"""Returns the response to the one request that some bytes are, if it is plain and can be answered at once."""


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
        "_answer_at_once",
        "_beginning",
        "_body",
        "_body_left",
        "_ended",
        "_head_since",
        "_heads",
        "_is_last",
        "_last_bytes",
        "_refused_target",
        "_unsent_bytes",
        "_unsent_since",
        "sent_nothing",
    )

    def __init__(self, manager: "Connections", **settings: Any) -> None:
        super().__init__(manager, **settings)
        self._answer_at_once = manager.answer_at_once
        self.sent_nothing = True  # until the head of its first request is complete
        self._heads = 0
        self._body: StreamReader | None = None  # of the last request whose head is complete
        self._is_last = False  # that request is not HTTP, or asks for another protocol: what follows it is not read
        self._head_since: float | None = None  # when an incomplete head began
        # Where the next byte belongs: to a body of which so many bytes are still to come, or to a head, of whose first
        # line so much has come; with neither a message is at its end, and what comes begins a head.
        self._body_left = 0
        self._beginning = b""
        self._last_bytes = b""  # up to three, of that head or of a chunked body
        self._refused_target = ""  # of a request that is not valid HTTP
        self._ended = False  # the client sends no more, but may still read
        self._unsent_bytes, self._unsent_since = 0, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the time of the first head."""
        self._head_since = self._loop.time()
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Answer bytes at once, or else parse them, and record whether they complete a head."""
        if (
            self._answer_at_once is not None
            and self._is_at_boundary()
            and (response := self._answer_at_once(data)) is not None
        ):
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
            cast(asyncio.Transport, self.transport).write(response)
            return
        if self._is_last and (self._body is None or self._body.is_eof()):
            return
        if self._body_left or self._beginning or not 0 < len(data) <= _MOST_AT_ONCE:
            self._receive_parts(data)
            return
        # A head begins.
        if not data.isascii():
            data = self._with_escapes(data)
        super().data_received(data)
        heads = self._request_count - self._heads
        if not heads:
            self._note_beginning(data)
            return
        newest: Any = self._messages[-1]
        message, body = newest
        if type(message) is ErrInfo:
            self._refuse(data)
        elif (
            heads == 1
            and message.version is HttpVersion11
            and body.is_eof()
            and data.find(_HEAD_END) + body.total_bytes + 4 == len(data)
            and not (message.upgrade or self.sent_nothing)
        ):  # nearly always; `_note_heads` and `_note_rest` would do the same, and take longer
            self._heads, self._head_since, self._body = self._request_count, None, body
        else:
            self._note_heads(heads, data)
            self._note_rest(heads, data)

    def _is_at_boundary(self) -> bool:
        """Whether all that came before is answered and read, so that the next byte begins a message.

        Of aiohttp's parser too: each message went to it whole, or past it. The first request of a connection always
        goes to it, as aiohttp starts its timer of idle connections after that.
        """
        waiter = self._waiter
        return (
            waiter is not None
            and not waiter.done()
            and self._head_since is None
            and not self._body_left
            and not self._beginning
            and not self._messages
            and not self._paused
            and self._keepalive_handle is not None
        )

    def _refuse(self, data: bytes) -> None:
        """Note that the parser refused bytes that begin a head."""
        if _HEAD_END in data:
            self._receive_again(data)
        else:
            self._note_heads(1, data)

    def _receive_again(self, data: bytes) -> None:
        """Parse bytes that begin a head, and that the parser refused, head by head.

        It loses the requests before the one at fault. That one may only lack the escapes of its target.
        """
        refused, before = self._messages.pop(), self._heads
        self._request_count = before
        self._parser = new_parser(self)
        self._receive_parts(data, until_head=False)
        if self._request_count == before:  # what waits for the next message has been told of one
            self._messages.append(refused)
            self._request_count += 1
            self._note_heads(1, data)

    def _receive_parts(self, data: bytes, *, until_head: bool = True) -> None:
        """Parse bytes in parts, each of which belongs to one head or to one body; or so `until_head` begins one."""
        start = 0
        if not data:
            self._resume()
        while start < len(data):
            if self._is_last and (self._body is None or self._body.is_eof()):
                return
            at_head = not self._body_left and not self._beginning
            if until_head and at_head and len(data) - start <= _MOST_AT_ONCE:
                self.data_received(data[start:])
                return
            end = self._end_of_part(data, start)
            self._receive_part(data[start:end])
            start = end

    def _end_of_part(self, data: bytes, start: int) -> int:
        """Return where the head or the body ends to which the byte at `start` belongs, or a place before that."""
        if self._body_left > 0:
            return min(start + self._body_left, len(data))
        # A head ends with a blank line; so does a body in chunks, which may have others too.
        before = self._last_bytes
        end = (before + data[start : start + len(_HEAD_END) - 1]).find(_HEAD_END)
        if end >= 0:
            return start + end + len(_HEAD_END) - len(before)
        end = data.find(_HEAD_END, start)
        return len(data) if end < 0 else end + len(_HEAD_END)

    def _receive_part(self, part: bytes) -> None:
        """Parse bytes of one head or of one body."""
        in_head = not self._body_left
        if in_head and not part.isascii():
            part = self._with_escapes(part)
        super().data_received(part)
        heads = self._request_count - self._heads
        if heads:
            self._note_heads(heads, part)
            self._body_left = self._body_bytes()
            self._last_bytes = b""
        elif in_head:
            self._note_beginning(part)
        elif self._body_left > 0:
            self._body_left -= len(part)
        elif self._body is None or self._body.is_eof():
            self._body_left, self._last_bytes = 0, b""
        else:
            self._last_bytes = (self._last_bytes + part)[1 - len(_HEAD_END) :]

    def _resume(self) -> None:
        """Let the parser go on with what it has kept."""
        super().data_received(b"")
        heads = self._request_count - self._heads
        if heads:
            self._note_heads(heads, b"")
        if heads or self._body_left == _UNKNOWN:
            self._body_left = 0 if self._body is None or self._body.is_eof() else _UNKNOWN

    def _body_bytes(self) -> int:
        """Return how many bytes the body of the newest request has, or that it is unknown."""
        message: Any = self._messages[-1][0]
        if self._body is None or self._body.is_eof():
            return 0
        if isinstance(message, ErrInfo) or message.chunked:
            return _UNKNOWN
        return int(message.headers.get("Content-Length", _UNKNOWN))

    def _note_heads(self, count: int, data: bytes) -> None:
        """Note that so many heads are complete, or found wrong, since `data` came."""
        self._heads = self._request_count
        self._head_since = None
        if self.sent_nothing:
            self.sent_nothing = False
            cast(Connections, self._manager).on_first_request(self)
        self._check_heads(count, data)
        self._beginning = b""
        if self._is_last:
            self._message_tail = b""  # else aiohttp would parse requests from it later, without these checks

    def _note_rest(self, count: int, data: bytes) -> None:
        """Note where the bytes that began the `count` newest heads end: in a body, or in another head."""
        messages: Any = list(self._messages)[-count:]
        end = 0
        self._last_bytes = b""
        for message, body in messages:
            if isinstance(message, ErrInfo):
                return
            end = len(data) - len(data[end:].lstrip(_BLANK)) if data[end : end + 1] in _BLANK else end
            end = data.find(_HEAD_END, end) + len(_HEAD_END)
            if not body.is_eof():
                left = self._body_bytes()
                self._body_left = left if left == _UNKNOWN else left - (len(data) - end)
                self._last_bytes = data[1 - len(_HEAD_END) :]
                return
            end = _end_of_chunks(data, end) if message.chunked else end + body.total_bytes
        if end == len(data) or self._is_last:
            return
        if len(self._messages) < self._max_msg_queue_size:
            self._note_beginning(data[end:])
        else:
            # The parser stopped here, as many requests wait, and would keep the rest to itself.
            self._parser = new_parser(self)
            self._receive_parts(data[end:], until_head=False)

    def _note_beginning(self, data: bytes) -> None:
        """Note bytes of a head that is not complete: its first line, its last bytes, and when it began."""
        line = self._beginning
        if not line:
            data = data.lstrip(_BLANK)
            self._last_bytes = b""
        if b"\n" not in line and len(line) < _MAX_TARGET_BYTES:
            rest, end, _ = data.partition(b"\n")
            self._beginning = line + rest[:_MAX_TARGET_BYTES] + end
        self._last_bytes = (self._last_bytes + data[1 - len(_HEAD_END) :])[1 - len(_HEAD_END) :]
        if self._head_since is None:
            self._head_since = self._loop.time()

    def _with_escapes(self, data: bytes) -> bytes:
        """Return bytes of a head in which those of its target that are not ASCII are escapes, such as %C3.

        Others take them as they are; aiohttp's parser does not. The length of a head's other lines is not changed, and
        a body is not changed at all.
        """
        line = self._beginning
        if b"\n" in line or (data[: data.find(b"\n", len(_BLANK)) + 1 or None].isascii() and data[0] not in _BLANK):
            return data
        start = 0 if line else len(data) - len(data.lstrip(_BLANK))
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
                self._is_last = True
                self._refused_target = _target(self._beginning + data)
                before: Any = messages[-2] if len(messages) > 1 else None
                if before and not before[1].is_eof() and not isinstance(before[0], ErrInfo):
                    # The body of a request is at fault that no handler has begun.
                    self._refused_target = before[0].path
                    del messages[-2]
                    self._heads = self._request_count = self._request_count - 1
                elif self._body is not None and not self._body.is_eof():
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
                self._is_last = True
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
        answer_at_once: AnswerAtOnce | None = None,
        **settings: Any,
    ) -> None:
        """Answer requests, made by `request_factory`, by `handler`; `settings` are passed to each `RequestHandler`.

        Requests that `answer_at_once` answers do not come to either.
        `on_refused` is called for each request that is refused without the handler, because it is not valid HTTP.
        """
        super().__init__(handler, request_factory=request_factory)
        self.log_throttle = log_throttle
        self.on_refused = on_refused
        self.answer_at_once = answer_at_once
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
    line = data[: 2 * _MAX_TARGET_BYTES].lstrip(_BLANK).partition(b"\n")[0]
    return line.partition(b" ")[2].partition(b" ")[0].decode(errors="surrogateescape")


def _end_of_chunks(data: bytes, start: int) -> int:
    """Return the end of a body in chunks that begins at `start`, all of which the parser has taken."""
    size = -1
    while size:
        line_end = data.find(b"\r\n", start)
        size = int(data[start:line_end].partition(b";")[0], 16)
        start = line_end + len(b"\r\n") + size + len(b"\r\n")
    return data.find(_HEAD_END, line_end) + len(_HEAD_END)  # behind the trailers


def _escape(byte: re.Match[bytes]) -> bytes:
    return b"%%%02X" % ord(byte[0])


def _reason(fault: BaseException | None, message: str | None) -> str:
    """Return what is wrong, without the quoted request that aiohttp adds: a token may be in it."""
    return f"{type(fault).__name__}: {_QUOTED.split(message or '')[0].strip()}"
