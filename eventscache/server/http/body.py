"""Bodies: read whole, within bounds of size and time, unzipped by ourselves, and parsed without holding up the rest."""

import asyncio
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from aiohttp import HttpVersion11, StreamReader, web

from eventscache.errors import InvalidEvent
from eventscache.ingest.limits import BatchTooLarge, Limits
from eventscache.server.http.body_memory import BodyMemory, IncomingBody
from eventscache.server.http.responses import HttpError

T = TypeVar("T")

_MAX_GZIP_MEMBERS = 16
_GZIP = 31  # zlib's name for: a gzip header, and the largest window
_LARGEST_AT_ONCE = 131_072  # bytes that are parsed without a thread: in 0.1 ms, or 25 if they are 10,000 events
_THREADS = 2
_BODIES_IN_MEMORY = 16  # of the largest size, while they come in pieces and are parsed


class UnreadableBody(InvalidEvent):
    """A body is not what it claims to be."""

    def __init__(self, body: bytes, reason: str) -> None:
        super().__init__(reason)
        self.body = body


class Bodies:
    """Reads and parses the bodies of requests; those that come at the same time share a bound."""

    def __init__(self, limits: Limits, timeout_seconds: float) -> None:
        self._limits = limits
        self._max_bytes = limits.max_body_bytes
        self._timeout_seconds = timeout_seconds
        self.memory = BodyMemory(_BODIES_IN_MEMORY * limits.max_body_bytes, _LARGEST_AT_ONCE)
        self._threads = ThreadPoolExecutor(_THREADS, "body")

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def parsed(self, request: web.BaseRequest, parse: Callable[[bytes, Limits], T]) -> T:
        """Return what `parse` makes of the body, unzipped.

        Raises `HttpError` for a body that is too large, too slow, broken or encoded otherwise, `BatchTooLarge` as
        `parse` does, and `UnreadableBody` where that raises another `InvalidEvent`.
        """
        headers, content = request.headers, request.content
        encoding = _encoding(request) if "Content-Encoding" in headers else ""
        if "Expect" in headers:
            await _expect(request, self._max_bytes)
        if content.is_eof():  # it came with the head
            body = content.read_nowait()
            if len(body) > self._max_bytes:
                raise _too_large(self._max_bytes)
            if not encoding and len(body) <= _LARGEST_AT_ONCE:
                return _parse(body, parse, self._limits)
            return await self._parse_beside(body, encoding, parse)
        incoming = IncomingBody(asyncio.timeout(self._timeout_seconds))
        try:
            return await self._parse_beside(await self._collected(content, incoming), encoding, parse)
        finally:
            self.memory.let_go(incoming)

    async def _collected(self, content: StreamReader, incoming: IncomingBody) -> bytes:
        """Return a body that comes in pieces."""
        try:
            async with incoming.timeout:
                while piece := await content.readany():
                    if incoming.size + len(piece) > self._max_bytes:
                        raise _too_large(self._max_bytes)
                    self.memory.put(incoming, piece)
                    if incoming.gave_way:
                        break
        except TimeoutError:
            if not incoming.gave_way:
                raise HttpError(408, "the body did not come in time", closes=True) from None
        except web.RequestPayloadError:
            raise HttpError(400, "the body is not valid HTTP/1.1", closes=True) from None
        if incoming.gave_way:
            raise HttpError(429, "too many large bodies come at once", {"Retry-After": "1"}, closes=True)
        return self.memory.complete(incoming)

    async def _parse_beside(self, body: bytes, encoding: str, parse: Callable[[bytes, Limits], T]) -> T:
        if encoding == "gzip":
            # In a thread whatever its size, as a few bytes can become many; and parsed there, so that no more lies
            # unzipped in memory than there are threads.
            return await self._in_thread(_parse_zipped, body, parse, self._limits)
        if len(body) <= _LARGEST_AT_ONCE:
            return _parse(body, parse, self._limits)
        return await self._in_thread(_parse, body, parse, self._limits)

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


def _parse(body: bytes, parse: Callable[[bytes, Limits], T], limits: Limits) -> T:
    try:
        return parse(body, limits)
    except BatchTooLarge:
        raise
    except InvalidEvent as fault:
        raise UnreadableBody(body, str(fault)) from None


def _parse_zipped(body: bytes, parse: Callable[[bytes, Limits], T], limits: Limits) -> T:
    return _parse(gunzip(body, limits.max_body_bytes), parse, limits)


def _encoding(request: web.BaseRequest) -> str:
    """Return how the body is encoded: not at all, or by gzip."""
    encoding = ", ".join(request.headers.getall("Content-Encoding")).lower()
    if encoding not in {"", "identity", "gzip"}:
        raise HttpError(415, "the only content encoding that is known is gzip", {"Accept-Encoding": "gzip"})
    return "gzip" if encoding == "gzip" else ""


async def _expect(request: web.BaseRequest, max_bytes: int) -> None:
    """Let a client that waits for a word send its body, unless that is too large."""
    if (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)
    if request.headers["Expect"].lower() != "100-continue":
        raise HttpError(417, "the only expectation that is known is 100-continue", closes=True)
    if request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # what was written is no part of the answer


def gunzip(data: bytes, max_bytes: int) -> bytes:
    """Return what was zipped, in up to sixteen members; raise `HttpError` if it is bad, or over `max_bytes`."""
    unzipped = b""
    for _ in range(_MAX_GZIP_MEMBERS):
        member = zlib.decompressobj(_GZIP)
        try:
            unzipped += member.decompress(data, max_bytes + 1 - len(unzipped))
        except zlib.error as fault:
            raise HttpError(400, f"the body is not valid gzip: {fault}") from None
        if len(unzipped) > max_bytes:
            raise _too_large(max_bytes)
        if not member.eof:
            raise HttpError(400, "the gzip body ends too early")
        data = member.unused_data
        if not data:
            return unzipped
    raise HttpError(400, f"the gzip body has more than {_MAX_GZIP_MEMBERS} members")


def _too_large(max_bytes: int) -> HttpError:
    return HttpError(413, f"the body is too large; at most {max_bytes} bytes are allowed", closes=True)
