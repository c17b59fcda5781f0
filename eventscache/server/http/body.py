"""Bodies: read whole, within bounds of size and time, unzipped, and parsed without blocking other requests."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec
from aiohttp import HttpVersion11, StreamReader, web

from eventscache.errors import InvalidEvent
from eventscache.ingest.json.strict import check_depth
from eventscache.ingest.limits import BatchTooLarge, Limits
from eventscache.ingest.parsed import Parsed, Parser
from eventscache.ingest.secret_half import SecretHalf
from eventscache.server.http.body_memory import BodyMemory, IncomingBody
from eventscache.server.http.responses import HttpError
from eventscache.stream import Stream

T = TypeVar("T")

_MAX_GZIP_MEMBERS = 16
_GZIP = 31  # zlib's code for a gzip header and the largest window
_MAX_UNTHREADED_BYTES = 131_072  # parsed without a thread: in 0.1 ms, or in 25 ms if they are 10,000 events
_MAX_UNTHREADED_BYTES_TO_HIDE = 16_384  # of a body with the secret half of its sender's key
_THREADS = 2
_BULK_FILES_IN_MEMORY = 4  # so many of the largest size may arrive and be taken at a time
_LARGEST_BODIES_IN_MEMORY = 16  # so many of the largest size may arrive and be parsed at a time


class MalformedBody(InvalidEvent):
    """A body is not what it claims to be."""

    def __init__(self, body: bytes, reason: str) -> None:
        super().__init__(reason)
        self.body = body


class Bodies:
    """Reads and parses the bodies of all requests, within one bound of memory."""

    def __init__(self, limits: Limits, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self.memory = BodyMemory(_MAX_UNTHREADED_BYTES)
        self.bulk_memory = BodyMemory(_MAX_UNTHREADED_BYTES)
        self._threads = ThreadPoolExecutor(_THREADS, "body")
        self.use(limits)

    def use(self, limits: Limits) -> None:
        """Use these limits for bodies that are read from now on."""
        self._limits = limits
        self._max_bytes = limits.max_body_bytes
        self._max_at_once = min(_MAX_UNTHREADED_BYTES, limits.max_body_bytes)
        self.memory.max_bytes = _LARGEST_BODIES_IN_MEMORY * limits.max_body_bytes
        self.bulk_memory.max_bytes = _BULK_FILES_IN_MEMORY * limits.max_bulk_bytes

    def close(self) -> None:
        """Stop the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def parse(
        self, request: web.BaseRequest, parser: Parser, default: Stream | None, half: SecretHalf | None = None
    ) -> Parsed:
        """Return what `parser` makes of the unzipped body, for events of the `default` stream where they name none.

        The secret `half` of the sender's key is hidden in its originals. Raises `HttpError` for a body that is too
        large, too slow, broken or in another encoding, and `BatchTooLarge` as `parser` does; where `parser` raises
        another `InvalidEvent`, it raises `MalformedBody`.
        """
        if (parsed := self.parse_at_once(request, parser, default, half)) is not None:
            return parsed
        encoding = _encoding(request) if "Content-Encoding" in request.headers else ""
        if "Expect" in request.headers:
            await _continue(request, self._max_bytes)
        incoming = IncomingBody(asyncio.timeout(self._timeout_seconds))
        try:
            body = await self._read(request.content, incoming)
            return await self._parse_any(body, encoding, parser, default, half)
        finally:
            self.memory.release(incoming)

    def parse_at_once(
        self, request: web.BaseRequest, parser: Parser, default: Stream | None, half: SecretHalf | None = None
    ) -> Parsed | None:
        """Return what `parse` would of a plain body that is small, and here with its head; None if it is not so.

        Raises `MalformedBody` and `BatchTooLarge` as `parse` does.
        """
        headers, content = request.headers, request.content
        if (
            not content.is_eof()
            or content.total_bytes > self._max_at_once
            or "Content-Encoding" in headers
            or "Expect" in headers
        ):
            return None
        if half and content.total_bytes > _MAX_UNTHREADED_BYTES_TO_HIDE:
            return None
        return self.parse_whole(content.read_nowait(), parser, default, half)

    def parse_whole(
        self, body: bytes, parser: Parser, default: Stream | None, half: SecretHalf | None = None
    ) -> Parsed | None:
        """Return what `parse` would of a plain body that is small; None if it is not small.

        Raises `MalformedBody` and `BatchTooLarge` as `parse` does.
        """
        if len(body) > self._max_at_once:
            return None
        if half:
            if len(body) > _MAX_UNTHREADED_BYTES_TO_HIDE:
                return None
            parser = half.parser(parser)
        try:  # as `_parse`: a call of a function more is felt here
            return parser(body, default, self._limits)
        except BatchTooLarge:
            raise
        except InvalidEvent as fault:
            raise MalformedBody(body, str(fault)) from None

    async def json(self, request: web.BaseRequest, kind: type[T]) -> T:
        """Return a JSON body as a value of a type, within the bounds of other bodies. Raises `HttpError`."""
        found: list[T] = []

        def parser(body: bytes, _: Stream | None, limits: Limits) -> Parsed:
            check_depth(body, limits.max_depth)
            try:
                found.append(msgspec.json.decode(body, type=kind))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
                raise InvalidEvent(str(fault)) from None
            return Parsed()

        try:
            await self.parse(request, parser, None)
        except MalformedBody as fault:
            raise HttpError(400, "malformed_body", f"the body cannot be read: {fault}") from None
        return found[0]

    async def discard(self, request: web.BaseRequest) -> bool:
        """Read what has not been read of a body, and keep none of it; return whether the next request can follow.

        It cannot after a body that is not valid HTTP or too slow, nor if the client waits for `100 Continue`.
        """
        content = request.content
        if content.exception() is not None:
            return False
        if content.is_eof():
            return True
        if "Expect" in request.headers:
            return False
        try:
            async with asyncio.timeout(self._timeout_seconds):
                while await content.readany():
                    pass
        except (TimeoutError, web.RequestPayloadError):
            return False
        return True

    async def _read(self, content: StreamReader, incoming: IncomingBody) -> bytes:
        """Return a body that arrives in several packets."""
        async with _arriving(incoming):
            while not incoming.evicted and (piece := await content.readany()):
                if incoming.size + len(piece) > self._max_bytes:
                    raise _too_large(self._max_bytes)
                self.memory.add(incoming, piece)
        return self.memory.complete(incoming)

    @asynccontextmanager
    async def taken_in_pieces(self, request: web.BaseRequest, take: Callable[[bytes], int]) -> AsyncIterator[None]:
        """Give a bulk body piece by piece to `take`, in a thread, and enter when it has arrived whole.

        `take` returns how many bytes of memory it keeps of a piece; they count until the context ends. The body may
        take as much longer than another one as it may be larger. Raises `HttpError` as `parse` does.
        """
        max_bytes = self._limits.max_bulk_bytes
        if (request.content_length or 0) > max_bytes:
            raise _too_large(max_bytes, "eventscache.max_bulk_bytes")
        if "Expect" in request.headers:
            await _continue(request, max_bytes)
        times = max(1.0, max_bytes / self._max_bytes)
        incoming = IncomingBody(asyncio.timeout(self._timeout_seconds * times))
        try:
            await self._give(request.content, take, incoming, max_bytes)
            yield
        finally:
            self.bulk_memory.release(incoming)

    async def _give(
        self, content: StreamReader, take: Callable[[bytes], int], incoming: IncomingBody, max_bytes: int
    ) -> None:
        size = 0
        async with _arriving(incoming):
            while not incoming.evicted and (piece := await content.readany()):
                size += len(piece)
                if size > max_bytes:
                    raise _too_large(max_bytes, "eventscache.max_bulk_bytes")
                self.bulk_memory.hold(incoming, await self.in_thread(take, piece))
        self.bulk_memory.complete(incoming)

    async def _parse_any(
        self, body: bytes, encoding: str, parser: Parser, default: Stream | None, half: SecretHalf | None
    ) -> Parsed:
        """Parse a body, in a thread if it is zipped or large, or if there is much in which to hide a half."""
        hiding = half.parser(parser) if half else parser
        if encoding == "gzip":
            # In a thread whatever its size, as a few bytes can unzip to many; and parsed in the same thread, so that
            # no more bodies are unzipped in memory than there are threads.
            return await self.in_thread(_unzip_and_parse, body, hiding, default, self._limits)
        if len(body) > _MAX_UNTHREADED_BYTES:
            return await self.in_thread(_parse, body, hiding, default, self._limits)
        if len(body) <= _MAX_UNTHREADED_BYTES_TO_HIDE:
            return _parse(body, hiding, default, self._limits)
        parsed = _parse(body, parser, default, self._limits)
        if half is None or not half.may_be_in_parsed(parsed):
            return parsed
        return await self.in_thread(half.hidden_in_parsed, parsed)

    async def in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        """Return what a function returns, called in one of the threads for bodies."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)


@asynccontextmanager
async def _arriving(incoming: IncomingBody) -> AsyncIterator[None]:
    """Raise `HttpError` for a body that is too slow, breaks off, or has to leave for others."""
    try:
        async with incoming.timeout:
            yield
    except TimeoutError:
        if not incoming.evicted:
            raise _too_slow() from None
    except web.RequestPayloadError:
        raise _broken_off() from None
    if incoming.evicted:
        raise _evicted()


def _parse(body: bytes, parser: Parser, default: Stream | None, limits: Limits) -> Parsed:
    try:
        return parser(body, default, limits)
    except BatchTooLarge:
        raise
    except InvalidEvent as fault:
        raise MalformedBody(body, str(fault)) from None


def _unzip_and_parse(body: bytes, parser: Parser, default: Stream | None, limits: Limits) -> Parsed:
    return _parse(gunzip(body, limits.max_body_bytes), parser, default, limits)


def _encoding(request: web.BaseRequest) -> str:
    """Return `gzip`, or an empty text for a body that is not encoded."""
    encoding = ", ".join(request.headers.getall("Content-Encoding")).lower()
    if encoding not in {"", "identity", "gzip"}:
        raise HttpError(415, "unsupported_encoding", "Content-Encoding can be only gzip", {"Accept-Encoding": "gzip"})
    return "gzip" if encoding == "gzip" else ""


async def _continue(request: web.BaseRequest, max_bytes: int) -> None:
    """Answer a client that waits for `100 Continue` before it sends its body; raise if the body is too large."""
    if (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)
    if request.headers["Expect"].lower() != "100-continue":
        raise HttpError(417, "unsupported_expectation", "Expect can be only 100-continue", closes=True)
    if request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # these bytes are not a part of the response


def gunzip(data: bytes, max_bytes: int) -> bytes:
    """Return unzipped data of up to sixteen gzip members; raise `HttpError` if it is invalid, or over `max_bytes`."""
    unzipped = b""
    for _ in range(_MAX_GZIP_MEMBERS):
        member = zlib.decompressobj(_GZIP)
        try:
            unzipped += member.decompress(data, max_bytes + 1 - len(unzipped))
        except zlib.error as fault:
            raise HttpError(400, "invalid_gzip", f"the body is not valid gzip: {fault}") from None
        if len(unzipped) > max_bytes:
            raise _too_large(max_bytes)
        if not member.eof:
            raise HttpError(400, "invalid_gzip", "the gzip body ends too early")
        data = member.unused_data
        if not data:
            return unzipped
    raise HttpError(400, "invalid_gzip", f"the gzip body has more than {_MAX_GZIP_MEMBERS} members")


def _too_large(max_bytes: int, setting: str = "eventscache.max_body_bytes") -> HttpError:
    message = f"the body is too large; at most {max_bytes} bytes are allowed ({setting})"
    return HttpError(413, "body_too_large", message, closes=True)


def _too_slow() -> HttpError:
    return HttpError(408, "body_timeout", "the body did not come within eventscache.body_timeout_ms", closes=True)


def _broken_off() -> HttpError:
    return HttpError(400, "invalid_http", "the body breaks off, or its chunks are not valid HTTP/1.1", closes=True)


def _evicted() -> HttpError:
    message = "too many large bodies come at once: send smaller ones, or try again"
    return HttpError(429, "too_many_large_bodies", message, {"Retry-After": "1"}, closes=True)
