"""Bodies: read whole, within bounds, and unzipped by ourselves."""

import zlib

from aiohttp import HttpVersion11, web

from eventscache.server.answers import Refused

_MAX_GZIP_MEMBERS = 16
_GZIP = 31  # zlib's name for: a gzip header, and the largest window


async def read_body(request: web.BaseRequest, max_bytes: int) -> bytes:
    """Return the body, unzipped; refuse what is larger than `max_bytes` at either stage, or encoded otherwise."""
    encoding = ", ".join(request.headers.getall("Content-Encoding")) if "Content-Encoding" in request.headers else ""
    if encoding.lower() not in {"", "identity", "gzip"}:
        raise Refused(415, "the only content encoding that is known is gzip", {"Accept-Encoding": "gzip"})
    if "Expect" in request.headers:
        await _expect(request, max_bytes)
    if request.content.is_eof():  # it came with the head
        body = request.content.read_nowait()
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
    else:
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            raise _too_large(max_bytes) from None
    return _gunzip(body, max_bytes) if encoding.lower() == "gzip" else body


async def _expect(request: web.BaseRequest, max_bytes: int) -> None:
    """Let a client that waits for a word send its body, unless that is too large."""
    if (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)
    if request.headers["Expect"].lower() != "100-continue":
        raise Refused(417, "the only expectation that is known is 100-continue")
    if request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # what was written is no part of the answer


def _gunzip(data: bytes, max_bytes: int) -> bytes:
    unzipped = b""
    for _ in range(_MAX_GZIP_MEMBERS):
        member = zlib.decompressobj(_GZIP)
        try:
            unzipped += member.decompress(data, max_bytes + 1 - len(unzipped))
        except zlib.error as fault:
            raise Refused(400, f"the body is not valid gzip: {fault}") from None
        if len(unzipped) > max_bytes:
            raise _too_large(max_bytes)
        if not member.eof:
            raise Refused(400, "the gzip body ends too early")
        data = member.unused_data
        if not data:
            return unzipped
    raise Refused(400, f"the gzip body has more than {_MAX_GZIP_MEMBERS} members")


def _too_large(max_bytes: int) -> Refused:
    return Refused(413, f"the body is too large; at most {max_bytes} bytes are allowed")
