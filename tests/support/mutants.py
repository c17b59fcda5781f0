"""Requests with events, plain and unusual ones, and what random changes make of them."""

from collections.abc import Sequence
from random import Random

from tests.support.wire import CHUNKED, CLOSE, HOST, chunks, get

_EVENTS = (
    b'{"n":1}',
    b'{"type":"track","event":"x","messageId":"1"}',
    b'[{"a":1.10},{"b":"\xc3\xa9"}]',
    b'{"batch":[{"type":"page","n":12345678901234567890}]}',
    b'{"template":{"a":1},"events":[{"b":2},{}]}',
    b'{"a":"\xff"}',
    b'{"type":"track"}',
    b'{"batch":[{"type":"page"},{"type":"track"}]}',
    b'{"a":',
    b"[]",
    b"5",
    b" ",
)
_PATHS = (
    b"/api/v1/event?token=key",
    b"/api/v1/events?token=key&x=%C3%A9",
    b"/api/v1/s2s/event?token=key",
    b"/api.abc?token=key",
    b"/api/s/track?writekey=key",
    b"/mirror/api/v1/event?token=key",
    b"/api/v1/segment/v1/batch?token=key",
    b"/api/s/s2s/batch?writekey=key",
    b"/v1/batch",
    b"/v1/t?writekey=key:secret",
    b"/mirror/v1/batch?writekey=key",
    b"/mirror/nothing?token=key",
    b"/api/v1/event",
    b"/api/v1/event?token=%zz",
    b"/api/v1/event?token=key&scope=run",
    b"/api/v1/events/cache?id=d",
    b"/nothing",
)
_GOOD_PATHS = 6
_HEADERS = (
    b"Content-Type: application/json\r\n",
    b"Content-Type: text/plain\r\n",
    b"Origin: http://a.example\r\n",
    b"Origin: http://b.example:8080\r\n",
    b"X-Auth-Token: other\r\n",
    b"api_key: other\r\n",
    b"X-Write-Key: key\r\n",
    b"Authorization: Basic a2V5Og==\r\n",
    b"Authorization: Bearer key:secret\r\n",
    b"X-Eventscache-Scope: run\r\n",
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n",
    b"X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n",
    b"Referer: https://a.example/b?c=d\r\n",
    b"Cookie: a=b; c=d\r\n",
    b"Connection: keep-alive\r\n",
    b"X-A:\r\n",
)
_UNUSUAL_HEADERS = (
    CLOSE,
    b"Connection: keep-alive, x\r\n",
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    b"Proxy-Connection: close\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Content-Encoding: identity\r\n",
    b"Expect: 100-continue\r\n",
    b"Expect: foo\r\n",
    b"X-A: \xc3\xa9\r\n",
    b"X-A: a\tb\r\n",
    b"Keep-Alive: timeout=5\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Host: other\r\n",
    b"Sec-WebSocket-Key1: a\r\n",
)
TELLING = (
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"%",
    b"%ff",
    b"\xff",
    b"-",
    b"0",
    b"HTTP/",
)
_PIECES = (
    *TELLING,
    b"#",
    b"//",
    b"1.0",
    b"Content-Length: 7\r\n",
    b"Host: a\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"POST",
)


def plain(
    headers: bytes = b"",
    target: bytes = b"/api/v1/event?token=key",
    body: bytes = b'{"n":1}',
    host: bytes = HOST,
    length: bytes | None = None,
) -> bytes:
    """Return a POST with a body of a known length; `length` is the line that tells it, if another one does."""
    length = b"Content-Length: %d\r\n" % len(body) if length is None else length
    return b"POST %b HTTP/1.1\r\n%b%b%b\r\n%b" % (target, host, headers, length, body)


def change(random: Random, data: bytearray, place: int, pieces: Sequence[bytes]) -> None:
    """Change a byte or a few at a place, perhaps by one of some telling pieces."""
    kind = random.randrange(7)
    if kind == 0 and place < len(data):
        data[place] ^= 1 << random.randrange(8)
    elif kind == 1:
        data[place:place] = random.choice(pieces)
    elif kind == 2:
        data[place : place + 1] = random.choice(pieces)
    elif kind == 3:
        del data[place : place + random.randint(1, 5)]
    elif kind == 4:
        data[place:place] = data[place : place + random.randint(1, 40)]
    elif kind == 5:
        data[place:place] = random.randbytes(random.randint(1, 4))
    elif random.randrange(4) == 0:
        del data[place:]


class MutatedRequests:
    """An endless series of requests, most of which are plain."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def next(self, changed_share: float = 0.5) -> bytes:
        """Return a request; such a share has one to three changes of single bytes or short pieces."""
        data = self._valid()
        if self._random.random() >= changed_share:
            return data
        changed = bytearray(data)
        for _ in range(self._random.choice((1, 1, 2, 3))):
            self._change(changed)
        return bytes(changed)

    def _valid(self) -> bytes:
        random = self._random
        kind = random.randrange(12)
        if kind == 0:
            return get(random.choice((b"/livez", b"/ping", b"/nothing")), b"")
        headers = random.sample(_HEADERS, random.choice((0, 1, 2, 4, 8)))
        if kind == 1:
            headers.append(random.choice(_UNUSUAL_HEADERS))
        random.shuffle(headers)
        body = random.choice(_EVENTS if random.randrange(4) == 0 else _EVENTS[:2])
        path = random.choice(_PATHS if random.randrange(4) == 0 else _PATHS[:_GOOD_PATHS])
        if kind == 2:
            head = b"POST %b HTTP/1.1\r\n%b%b%b\r\n" % (path, HOST, b"".join(headers), CHUNKED)
            return head + chunks(body)
        return plain(b"".join(headers), path, body)

    def _change(self, data: bytearray) -> None:
        """Change a place, which mostly is in the head."""
        random = self._random
        if random.randrange(8) == 0:
            lines = data.split(b"\r\n")
            lines.insert(random.randrange(len(lines)), random.choice(lines))
            data[:] = b"\r\n".join(lines)
            return
        end = data.find(b"\r\n\r\n") + 4 if random.randrange(4) else len(data)
        change(random, data, random.randrange(max(1, end)), _PIECES)
