"""Bad requests byte by byte, and a parser of the responses."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from tests.support.corpus import Case
from tests.support.sidecar import CACHE

HOST = b"Host: 127.0.0.1\r\n"
CLOSE = b"Connection: close\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
EVENT = b'{"a":1}'
LENGTH = b"Content-Length: 7\r\n"
_INGEST = b"POST /api/v1/event?token=key HTTP/1.1\r\n"
_STATUS = re.compile(rb"HTTP/\d\.\d (\d{3}) ")


def post(headers: bytes = LENGTH, body: bytes = EVENT, host: bytes = HOST) -> bytes:
    """Return a request with an event and the given headers."""
    return _INGEST + host + headers + b"\r\n" + body


def chunked(body: bytes) -> bytes:
    """Return a request whose body is chunked as given."""
    return post(CHUNKED, body)


def chunks(body: bytes = EVENT, after: bytes = b"") -> bytes:
    """Return a body as one chunk and the last one, with something after the size of the first."""
    return b"%x%b\r\n%b\r\n0\r\n\r\n" % (len(body), after, body)


def get(target: bytes, headers: bytes = CLOSE, method: bytes = b"GET", host: bytes = HOST) -> bytes:
    """Return a request without a body."""
    return method + b" " + target + b" HTTP/1.1\r\n" + host + headers + b"\r\n"


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def replies(data: bytes) -> Iterator[Reply]:
    """Yield the responses on one connection, to any method but HEAD."""
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        start, *lines = head.split(b"\r\n")
        status = _STATUS.match(start)
        assert status, data[:200]
        headers = dict(line.decode("latin-1").split(": ", 1) for line in lines)
        size = len(rest)
        if status[1] == b"100":
            size = 0
        elif "Content-Length" in headers:
            size = int(headers["Content-Length"])
        yield Reply(int(status[1]), headers, rest[:size])
        data = rest[size:]


# Invalid HTTP/1.1: answered with 400 and a fixed message, and the connection is closed.
SMUGGLED = (
    Case(48, "encoding and length", post(CHUNKED + LENGTH, chunks())),
    Case(48, "length and encoding", post(LENGTH + CHUNKED, chunks())),
    Case(48, "two lengths", post(LENGTH + b"Content-Length: 8\r\n")),
    Case(48, "the same length twice", post(LENGTH * 2)),
    Case(48, "list of lengths", post(b"Content-Length: 7, 7\r\n")),
    *(
        Case(48, f"length {text}", post(b"Content-Length: " + text.encode() + b"\r\n"))
        for text in ("+7", "0x7", "0_7", "-1", "7 0", "7.0", "", "\u0667", str(2**70))
    ),
    Case(48, "space before the colon of the length", post(b"Content-Length : 7\r\n")),
    *(
        Case(49, f"encoding {text!r}", post(b"Transfer-Encoding: " + text.encode() + b"\r\n", chunks()))
        for text in ("identity", "xchunked", "gzip", "chunked, identity", "chunked, chunked", "\x0bchunked", "chunkedx")
    ),
    Case(49, "space before the colon", post(b"Transfer-Encoding : chunked\r\n", chunks())),
    Case(49, "encoding of HTTP/1.0", b"POST / HTTP/1.0\r\nTransfer-Encoding: identity\r\n\r\n" + chunks()),
)
HEADS = (
    Case(50, "folded line", post(b"X-A: a\r\n b\r\n" + LENGTH)),
    Case(50, "folded with a tab", post(b"X-A: a\r\n\tb\r\n" + LENGTH)),
    Case(50, "folded first line", post(host=b" X: y\r\n" + HOST)),
    Case(50, "only line feeds", post().replace(b"\r\n", b"\n")),
    Case(50, "one line feed", post(b"X-A: a\n" + LENGTH)),
    Case(50, "NUL in a value", post(b"X-A: a\0b\r\n" + LENGTH)),
    Case(50, "NUL in a name", post(b"X-\0: a\r\n" + LENGTH)),
    Case(50, "carriage return in a value", post(b"X-A: a\rb\r\n" + LENGTH)),
    Case(50, "carriage return in a name", post(b"X\r-A: a\r\n" + LENGTH)),
    Case(50, "control in a value", post(b"X-A: \x1b[31m\r\n" + LENGTH)),
    Case(50, "no ASCII in a name", post(b"X-\xe9: a\r\n" + LENGTH)),
    Case(50, "no colon", post(b"X-A\r\n" + LENGTH)),
    Case(50, "no name", post(b": a\r\n" + LENGTH)),
)
CHUNKS = (
    *(
        Case(51, f"size {text!r}", chunked(text.encode() + chunks()[1:]))
        for text in ("0x7", "-7", "+7", "7 f", "17 f", "7_0", " 7", "g", "", "\u0667", f"{2**70:x}")
    ),
    Case(51, "line feed behind the size", chunked(chunks().replace(b"7\r\n", b"7\n"))),
    Case(51, "line feed behind the chunk", chunked(b"7\r\n" + EVENT + b"\n0\r\n\r\n")),
    Case(51, "only line feeds", chunked(chunks().replace(b"\r\n", b"\n"))),
    Case(51, "more than its size", chunked(b"7\r\n" + EVENT + b"XX0\r\n\r\n")),
    Case(51, "less than its size", chunked(b"9\r\n" + EVENT + b"\r\n0\r\n\r\n")),
    Case(51, "line feed at the end", chunked(chunks()[:-2] + b"\n")),
    Case(52, "1,000 trailers", chunked(chunks()[:-2] + b"X: y\r\n" * 1000 + b"\r\n")),
)
LONG = (
    Case(53, "URL of 25 kB", get(b"/livez?" + b"x" * 25_000)),
    Case(53, "URL of 90 kB", get(b"/livez?" + b"x" * 90_000)),
    Case(53, "header of 9 kB", get(b"/livez", b"X-A: " + b"x" * 9000 + b"\r\n")),
    Case(53, "header's name of 9 kB", get(b"/livez", b"x" * 9000 + b": a\r\n")),
    Case(53, "300 headers", get(b"/livez", b"".join(b"X-%d: a\r\n" % number for number in range(300)))),
    Case(63, "id of 30 kB", get(f"{CACHE}?ids=".encode() + b"x" * 30_000)),
    Case(74, "token of 10 kB", get(CACHE.encode(), b"X-Admin-Token: " + b"x" * 10_000 + b"\r\n")),
)
HOSTS = (
    Case(54, "no host", get(b"/livez", host=b"")),
    Case(54, "two hosts", get(b"/livez", host=HOST * 2)),
    Case(54, "two different hosts", get(b"/livez", host=HOST + b"Host: evil.example\r\n")),
)
STRANGERS = (
    Case(55, "TLS", bytes.fromhex("16030100c8010000c40303") + bytes(range(190))),
    Case(55, "HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")),
    Case(55, "HTTP/2.0", b"GET /livez HTTP/2.0\r\n" + HOST + b"\r\n"),
    Case(55, "HTTP/0.9", b"GET /livez HTTP/0.9\r\n" + HOST + b"\r\n"),
    Case(55, "HTTP/2.0 with a body", post().replace(b"HTTP/1.1", b"HTTP/2.0")),
    Case(55, "HTTP/3.0", b"GET /livez HTTP/3.0\r\n" + HOST + b"\r\n"),
    Case(55, "HTTP/1.10", b"GET /livez HTTP/1.10\r\n" + HOST + b"\r\n"),
    Case(55, "all bytes", bytes(range(256)) * 4),
    Case(55, "zeros", bytes(1000)),
    Case(55, "Redis", b"*1\r\n$4\r\nPING\r\n"),
    Case(55, "SSH", b"SSH-2.0-OpenSSH_9.2\r\n"),
    Case(55, "JSON", EVENT + b"\r\n\r\n"),
    Case(55, "an answer", b"HTTP/1.1 200 OK\r\n\r\n"),
    Case(56, "method in lower case", get(b"/livez", method=b"get")),
    Case(56, "unknown method", get(b"/livez", method=b"FOO")),
    Case(56, "no ASCII in a method", get(b"/livez", method=b"G\xffT")),
    Case(56, "method of 9 kB", get(b"/livez", method=b"A" * 9000)),
    Case(57, "no slash", get(b"livez")),
    Case(57, "no path", get(b"")),
    Case(57, "star", get(b"*")),
    Case(57, "bad authority", get(b"http://[::/livez")),
    Case(57, "control in a path", get(b"/livez\x01")),
    Case(65, "control in an id", get(f"{CACHE}?ids=\x01".encode())),
    Case(68, "space in a limit", get(f"{CACHE}?limit= 5".encode())),
)
INVALID_HTTP = (*SMUGGLED, *HEADS, *CHUNKS, *LONG, *HOSTS, *STRANGERS)

_COPY = b"POST /mirror/api/v1/event?token=secret HTTP/1.1\r\n"
# Copies of a proxy that no parser takes; expected is the code by which they count.
MIRRORED_INVALID_HTTP = (
    Case(53, "300 headers", _COPY + HOST + b"X: a\r\n" * 300 + LENGTH + b"\r\n" + EVENT, "head_too_long"),
    Case(53, "header of 9 kB", _COPY + HOST + b"X: " + b"x" * 9000 + b"\r\n\r\n", "head_too_long"),
    Case(53, "long URL", get(b"/mirror/api/v1/p.gif?token=secret&" + b"x" * 25_000), "head_too_long"),
    Case(57, "control in a query", get(b"/mirror/api/v1/p.gif?token=secret&x=\x01"), "invalid_http"),
    Case(57, "whole URL", get(b"http://jitsu.example/mirror/api/v1/p.gif?x=\x01"), "invalid_http"),
    Case(54, "no host", _COPY + LENGTH + b"\r\n" + EVENT, "invalid_http"),
    Case(48, "bad length", _COPY + HOST + b"Content-Length: x\r\n\r\n" + EVENT, "invalid_http"),
    Case(48, "two lengths", _COPY + HOST + LENGTH * 2 + b"\r\n" + EVENT, "invalid_http"),
    Case(51, "bad first chunk", _COPY + HOST + CHUNKED + b"\r\nXX\r\n", "invalid_http"),
    Case(51, "bad second chunk", _COPY + HOST + CHUNKED + b"\r\n2\r\n{}\r\nXX\r\n", "invalid_http"),
    Case(55, "HTTP/2.0", _COPY.replace(b"1.1", b"2.0") + HOST + b"\r\n", "invalid_http"),
    Case(50, "NUL in a header", _COPY + HOST + b"X: \0\r\n\r\n", "invalid_http"),
)

# A body that begins valid: the head and a valid chunk, and in the next packet an invalid one.
LATER = (
    *(
        Case(51, f"size {text!r}", (chunked(b"3\r\n" + EVENT[:3] + b"\r\n"), text.encode() + b"\r\n" + EVENT[3:]))
        for text in ("0x4", "-4", "17 f", "g", f"{2**70:x}")
    ),
    Case(51, "line feed behind the size", (chunked(b"3\r\n" + EVENT[:3] + b"\r\n"), b"4\n" + EVENT[3:] + b"\n")),
    Case(51, "a chunk's end and a bad size", (chunked(b"7\r\n" + EVENT), b"\r\nXX\r\n")),
    Case(51, "bad end of a chunk", (chunked(b"7\r\n" + EVENT), b"XX0\r\n\r\n")),
    Case(51, "bad end of a chunk after a part", (chunked(b"7\r\n" + EVENT[:3]), EVENT[3:] + b"XX0\r\n\r\n")),
    Case(52, "a chunk's end and a bad trailer", (chunked(b"7\r\n" + EVENT), b"\r\n0\r\nX: y\r\r\n")),
    Case(52, "1,000 trailers", (chunked(chunks()[:-2]), b"X: y\r\n" * 1000 + b"\r\n")),
)

# Unusual, but valid HTTP.
WELL_FRAMED = (
    Case(52, "chunk extension of 100 kB", chunked(chunks(after=b";" + b"x" * 100_000))),
    Case(52, "chunk extension", chunked(chunks(after=b';a="b"'))),
    Case(52, "trailer", chunked(chunks()[:-2] + b"X: y\r\n\r\n")),
    Case(51, "leading zeros in a size", chunked(b"000" + chunks())),
    Case(51, "a byte a chunk", chunked(b"".join(b"1\r\n%c\r\n" % byte for byte in EVENT) + b"0\r\n\r\n")),
    Case(53, "header of 8 kB", post(b"X-A: " + b"x" * 8000 + b"\r\n" + LENGTH)),
    Case(53, "250 headers", post(b"".join(b"X-%d: a\r\n" % number for number in range(250)) + LENGTH)),
    Case(55, "empty lines first", b"\r\n\r\n" + post()),
)

_SOCKET = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
_HTTP_2 = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
# Upgrades to another protocol: answered in HTTP/1.1, and nothing after them is a request.
UPGRADES = (
    Case(56, "CONNECT", get(b"a:1", b"", method=b"CONNECT"), 404),
    Case(56, "CONNECT with a length", get(b"a:1", LENGTH, method=b"CONNECT"), 404),
    Case(85, "WebSocket", get(b"/livez", _SOCKET), 400),
    Case(85, "WebSocket with an event", post(_SOCKET + LENGTH), 200),
    Case(85, "WebSocket with a chunked event", post(_SOCKET + CHUNKED, chunks()), 200),
    Case(85, "WebSocket with an event to nowhere", post(_SOCKET + LENGTH).replace(b"/event", b"/nowhere"), 404),
    Case(85, "HTTP/2", get(b"/livez", _HTTP_2), 200),
    Case(85, "HTTP/2 with an event", post(_HTTP_2 + LENGTH), 200),
    Case(85, "TLS", get(b"/livez", b"Connection: Upgrade\r\nUpgrade: TLS/1.2, HTTP/1.1\r\n"), 200),
)

# Expected are the allowed statuses.
ROUTED = (
    Case(56, "CONNECT", get(b"a.example:443", method=b"CONNECT"), {404, 405}),
    Case(56, "CONNECT to a path", get(b"/livez", method=b"CONNECT"), {404, 405}),
    Case(56, "TRACE", get(b"/livez", method=b"TRACE"), {405}),
    Case(56, "TRACE of nothing", get(b"/nothing", method=b"TRACE"), {404}),
    Case(56, "PUT", get(CACHE.encode(), method=b"PUT"), {405}),
    *(
        Case(57, target.decode(), get(target), {404})
        for target in (
            b"//",
            b"//livez",
            b"/../livez",
            b"/..",
            b"/./livez",
            b"/%2e%2e/livez",
            b"/api/%2e%2e/livez",
            b"/%6civez",
            b"/%00",
            b"/livez%00",
            b"/livez/",
            b"/livez;a",
            b"/%ff",
            b"/%",
            b"/api/v1/events/cache/..%2f",
            b"//[::/livez",
        )
    ),
    Case(57, "no UTF-8 in a path", get(b"/\xff"), {404}),
    Case(57, "no ASCII behind a path", get(b"/livez\xc3\xa9"), {404}),
    Case(84, "OPTIONS *", get(b"*", method=b"OPTIONS"), {200, 405}),
    Case(84, "OPTIONS of a probe", get(b"/livez", method=b"OPTIONS"), {200, 405}),
    Case(84, "OPTIONS of the cache", get(CACHE.encode(), method=b"OPTIONS"), {405}),
    *(
        Case(85, f"WebSocket at {target}", get(target.encode(), _SOCKET), {400, 404})
        for target in (CACHE, "/api/v1/streams", "/livez", "/ws", "/")
    ),
)
HEAD = tuple(
    Case(84, f"HEAD {target}", get(target.encode(), method=b"HEAD"), {200, 405})
    for target in ("/livez", "/readyz", "/ping", "/metrics", CACHE, "/api/v1/event")
)

_WAITING = b"Expect: 100-continue\r\n"
# Expected is the status, and whether the whole body has arrived, so that a request may follow.
NOT_ALLOWED = (
    Case(38, "chunked beyond the limit", chunked(b"7d1\r\n" + b"x" * 2001 + b"\r\n"), (413, False)),
    Case(38, "chunked beyond the limit, all", chunked(chunks(b"x" * 2001)), (413, True)),
    Case(38, "chunked beyond the limit, in small chunks", chunked(b"a\r\n0123456789\r\n" * 201), (413, False)),
    Case(38, "requests in chunks", chunked(b"%x\r\n%b\r\n" % (len(post()), post()) * 30), (413, False)),
    Case(37, "beyond the limit", post(b"Content-Length: 2001\r\n", b"x" * 2001), (413, True)),
    Case(39, "10 GB that wait", post(_WAITING + b"Content-Length: 10000000000\r\n", b""), (413, False)),
    Case(39, "2^63 bytes that wait", post(_WAITING + b"Content-Length: %d\r\n" % (2**63 - 1), b""), (413, False)),
    Case(40, "unknown expectation", post(b"Expect: foo\r\n" + LENGTH), (417, True)),
    Case(40, "two expectations", post(b"Expect: 100-continue, foo\r\n" + LENGTH), (417, True)),
    Case(40, "unknown expectation without a body yet", post(b"Expect: foo\r\n" + LENGTH, b""), (417, False)),
)

# Half of a request: its client leaves, or stalls.
HALVES = (
    Case(83, "half a body", post(b"Content-Length: 8\r\n")),
    Case(83, "no body", post(body=b"")),
    Case(83, "half a chunk", chunked(b"8\r\n" + EVENT)),
    Case(83, "a chunk, not the last", chunked(b"7\r\n" + EVENT + b"\r\n")),
    Case(83, "no last line", chunked(b"7\r\n" + EVENT + b"\r\n0\r\n")),
    Case(83, "half a head", post()[:40]),
    Case(83, "a head that waits", post(_WAITING + LENGTH, b"")),
)
# Expected is the status of the response to a client that stalls; None if only the connection is closed.
STALLED = (
    Case(81, "silence", b"", None),
    Case(81, "half a line", post()[:10], None),
    Case(81, "half a head", post()[:60], None),
    Case(81, "stalled body", post(b"Content-Length: 8\r\n"), 408),
    Case(81, "stalled chunk", chunked(b"8\r\n" + EVENT), 408),
    Case(81, "stalled between chunks", chunked(b"7\r\n" + EVENT + b"\r\n"), 408),
)
