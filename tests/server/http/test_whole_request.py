"""The reader of plain requests: what it takes, aiohttp's parser takes and reads in the same way."""

import asyncio
import os
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import HttpVersion11

from eventscache.server.http.aiohttp_internals import new_parser
from eventscache.server.http.whole_request import COMPILED, read_request
from tests.support.mutants import MutatedRequests, plain
from tests.support.sidecar import Start

pytestmark = pytest.mark.skipif(not COMPILED, reason="the module in C was not built")

MOST = 1000
SECONDS = float(os.environ.get("FUZZ_SECONDS") or 0)
CASES = 20_000
RETURNED = ("Origin", "Authorization", "X-Auth-Token", "api_key", "X-Write-Key", "X-Eventscache-Scope")
NAMES = {name.lower(): name for name in RETURNED}
BODY = b'{"n":1}'

TAKEN = {
    "a plain one": (plain(), {}),
    "no query": (plain(target=b"/api/v1/event"), {}),
    "every sign of a target": (plain(target=b"/a0Z/?&=._~%+,:;@!$'()*-"), {}),
    "all bytes in a body": (plain(body=bytes(range(256)) * 3), {}),
    "a head in a body": (plain(body=plain()), {}),
    "a name in another case": (plain(b"ORIGIN: http://a.example\r\n"), {"Origin": "http://a.example"}),
    "an underscore": (plain(b"API_KEY: k\r\n"), {"api_key": "k"}),
    "no blank": (plain(b"X-Auth-Token:t\r\n"), {"X-Auth-Token": "t"}),
    "blanks around a value": (plain(b"X-Write-Key:   a b  \r\n"), {"X-Write-Key": "a b"}),
    "an empty value": (plain(b"Origin:\r\n"), {"Origin": ""}),
    "a connection that is kept": (plain(b"Connection: Keep-Alive\r\n"), {}),
    "a proxy's headers": (plain(b"X-Real-IP: ::1\r\nForwarded: for=a\r\nCookie: a=b; c=d\r\nTE: trailers\r\n"), {}),
    "all that are returned": (
        plain(b"".join(b"%b: %d\r\n" % (name.encode(), number) for number, name in enumerate(RETURNED))),
        {name: str(number) for number, name in enumerate(RETURNED)},
    ),
    "60 headers": (plain(b"".join(b"X-%d: y\r\n" % number for number in range(60))), {}),
}
LEFT = {
    "nothing": b"",
    "another method": plain().replace(b"POST", b"GET"),
    "a method in lower case": plain().replace(b"POST", b"post"),
    "HTTP/1.0": plain().replace(b"1.1", b"1.0"),
    "HTTP/2.0": plain().replace(b"1.1", b"2.0"),
    "a blank line first": b"\r\n" + plain(),
    "two blanks": plain().replace(b" HTTP", b"  HTTP"),
    "only line feeds": plain().replace(b"\r\n", b"\n"),
    "a whole URL": plain(target=b"http://a/b"),
    "an authority": plain(target=b"//a/b"),
    "a fragment": plain(target=b"/a#b"),
    "a raw byte": plain(target=b"/\xc3\xa9"),
    "a quotation mark": plain(target=b'/"'),
    "no host": plain(host=b""),
    "an empty host": plain(host=b"Host:\r\n"),
    "two hosts": plain(b"host: b\r\n"),
    "two types": plain(b"Content-Type: a\r\ncontent-type: a\r\n"),
    "two of any other": plain(b"X-A: a\r\nx-a: a\r\n"),
    "no length": plain(length=b""),
    "two lengths": plain(b"Content-Length: 7\r\n"),
    "a length of none": plain(body=b""),
    "a zero first": plain(length=b"Content-Length: 07\r\n"),
    "a sign": plain(length=b"Content-Length: +7\r\n"),
    "a list": plain(length=b"Content-Length: 7,7\r\n"),
    "ten digits": plain(length=b"Content-Length: 4294967303\r\n"),
    "a part of a body": plain()[:-1],
    "more than a body": plain() + b"P",
    "two requests": plain() * 2,
    "a head alone": plain(body=b"", length=b"Content-Length: 7\r\n"),
    "a part of a head": plain()[:40],
    "a large body": plain(body=b"x" * (MOST + 1)),
    "chunks": plain(b"Transfer-Encoding: chunked\r\n"),
    "an encoding": plain(b"Content-Encoding: gzip\r\n"),
    "an expectation": plain(b"Expect: 100-continue\r\n"),
    "an upgrade": plain(b"Connection: upgrade\r\nUpgrade: websocket\r\n"),
    "an upgrade without a connection": plain(b"Upgrade: h2c\r\n"),
    "the last one": plain(b"Connection: close\r\n"),
    "the last one of a proxy": plain(b"Proxy-Connection: close\r\n"),
    "an old WebSocket": plain(b"Sec-WebSocket-Key1: a\r\n"),
    "a folded line": plain(b"X-A: a\r\n b\r\n"),
    "a blank before a colon": plain(b"X-A : a\r\n"),
    "no name": plain(b": a\r\n"),
    "no colon": plain(b"X-A\r\n"),
    "an odd name": plain(b"X(A): a\r\n"),
    "a tab": plain(b"X-A: a\tb\r\n"),
    "NUL": plain(b"X-A: a\0b\r\n"),
    "a carriage return": plain(b"X-A: a\rb\r\n"),
    "a byte that is not ASCII": plain(b"X-A: \xe9\r\n"),
    "a long head": plain(b"X-A: " + b"a" * 8192 + b"\r\n"),
    "63 headers": plain(b"".join(b"X-%d: y\r\n" % number for number in range(63))),
}


def parts(data: bytes, most_bytes: int) -> tuple[Any, ...] | None:
    """Return the parts of a plain request, or None if the data is none."""
    request: Any = read_request(data, most_bytes)
    return None if request is None else tuple(request)


@pytest.mark.parametrize(("data", "headers"), TAKEN.values(), ids=TAKEN)
def test_a_plain_request_is_read(data: bytes, headers: dict[str, str]) -> None:
    target, body = data.split(b" ")[1].decode(), data.partition(b"\r\n\r\n")[2]
    path, _, query = target.partition("?")
    assert parts(data, MOST) == (target, path, query, headers, body)
    for end in range(len(data)):
        assert read_request(data[:end], MOST) is None


@pytest.mark.parametrize("data", LEFT.values(), ids=LEFT)
def test_whatever_is_unusual_is_left_to_aiohttp(data: bytes) -> None:
    assert read_request(data, MOST) is None


def test_arguments_of_other_types_are_refused() -> None:
    for wrong in (("x", 1), (b"x", "1"), (b"x",)):
        with pytest.raises(TypeError):
            read_request(*wrong)


def seeds() -> Iterator[int]:
    ends = time.monotonic() + SECONDS
    yield 1
    while time.monotonic() < ends:
        yield random.randrange(2**32)


async def test_fuzz_what_is_taken_aiohttp_reads_alike(start: Start) -> None:
    sidecar = await start()
    connection: Any = sidecar.server._connections()
    for seed in seeds():
        taken = 0
        mutants = MutatedRequests(random.Random(seed))
        for _ in range(CASES):
            data = mutants.next()
            if (found := parts(data, 131_072)) is None:
                continue
            taken += 1
            ((message, payload),), upgraded, tail = new_parser(connection).feed_data(data)
            assert (upgraded, tail) == (False, b""), (seed, data)
            assert (message.method, message.version) == ("POST", HttpVersion11), (seed, data)
            unusual = message.should_close, message.upgrade, message.chunked, message.compression
            assert not any(unusual), (seed, data)
            headers = {NAMES[name.lower()]: text for name, text in message.headers.items() if name.lower() in NAMES}
            read = (message.path, *message.path.partition("?")[::2], headers, payload.read_nowait())
            assert found == read, (seed, data)
            assert payload.is_eof(), (seed, data)
        assert taken > CASES / 20
        await asyncio.sleep(0)
