"""Connections that stall, are too many, or break off; all other clients are served meanwhile."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from structlog.testing import capture_logs
from yarl import URL

from tests.support.sidecar import CACHE, Sidecar, Start

GENEROUS_SECONDS = 20
EVENT = b'{"event_type":"x"}'
WHOLE = b"POST /api/v1/event?token=key HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 18\r\n\r\n" + EVENT
CHUNKED = b"POST /api/v1/event?token=key HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b'{"status":"ok"}'


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def rest(self) -> bytes:
        """Return the bytes until the server closes."""
        async with asyncio.timeout(GENEROUS_SECONDS):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""

    async def answer(self, end: bytes = OK) -> bytes:
        async with asyncio.timeout(GENEROUS_SECONDS):
            return await self.reader.readuntil(end)


@asynccontextmanager
async def connected(sidecar: Sidecar) -> AsyncIterator[Client]:
    url = URL(sidecar.address)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(GENEROUS_SECONDS):
        while not condition():
            await asyncio.sleep(0.001)


async def stored(sidecar: Sidecar) -> int:
    return len(await sidecar.events("namespace=token&ids=key"))


@pytest.mark.parametrize(
    "sent",
    [b"", b"P", b"POST /api/v1/event HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "],
    ids=["nothing", "byte", "header"],
)
async def test_an_incomplete_head_is_cut_off(start: Start, sent: bytes) -> None:
    sidecar = await start(header_timeout_ms=100)
    async with connected(sidecar) as client:
        client.send(sent)
        assert await client.rest() == b""
    await until(lambda: sidecar.server.connections == 0)
    assert (await sidecar.post("/api/v1/event?token=key", EVENT)).status == 200


async def test_sending_byte_by_byte_does_not_extend_the_time_of_a_head(start: Start) -> None:
    sidecar = await start(header_timeout_ms=100)
    async with connected(sidecar) as client:
        rest = asyncio.create_task(client.rest())
        client.send(b"GET /livez HTTP/1.1\r\nX-Slow: ")
        async with asyncio.timeout(GENEROUS_SECONDS):
            while not rest.done():
                client.send(b"x")
                await asyncio.sleep(0.005)


async def test_a_head_after_a_request_has_its_own_time(start: Start) -> None:
    sidecar = await start(header_timeout_ms=100)
    async with connected(sidecar) as client:
        client.send(WHOLE)
        assert OK in await client.answer()
        client.send(WHOLE[:30])
        assert await client.rest() == b""


async def test_an_idle_connection_is_closed_after_its_time(start: Start) -> None:
    sidecar = await start(keepalive_ms=100, header_timeout_ms=60_000)
    async with connected(sidecar) as client:
        client.send(WHOLE)
        assert (await client.rest()).endswith(OK)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/api/v1/event?token=key", f"{CACHE}?namespace=token&id=key"])
async def test_a_body_that_stalls_is_answered_408(start: Start, path: str) -> None:
    sidecar = await start(body_timeout_ms=100)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    async with connected(sidecar) as client:
        client.send(head.encode() + b'{"a":')
        answer = await client.rest()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"] == ""
    assert await stored(sidecar) == 0
    assert sidecar.cache.ledger.rejected == 1


@pytest.mark.parametrize("broken", [b"-4\r\nabcd\r\n", b"4\nabcd", b"zz\r\n", b"17 f\r\n", b"4\r\nabcdXX"])
async def test_an_invalid_chunk_in_a_later_packet_ends_the_request(sidecar: Sidecar, broken: bytes) -> None:
    async with connected(sidecar) as client:
        client.send(CHUNKED + b"5\r\n" + EVENT[:5] + b"\r\n")
        await until(lambda: any(each._current_request for each in sidecar.server._connections.connections))
        client.send(broken)
        answer = await client.rest()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert await stored(sidecar) == 0


async def test_subscribers_take_at_most_half_of_the_connections(start: Start) -> None:
    sidecar = await start(max_connections=4)
    async with connected(sidecar) as first, connected(sidecar) as second, connected(sidecar) as third:
        for client in (first, second, third):
            client.send(b"GET /api/v1/events/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        heads = sorted([(await client.answer(b"\r\n\r\n"))[:12] for client in (first, second, third)])
        assert heads == [b"HTTP/1.1 200", b"HTTP/1.1 200", b"HTTP/1.1 429"]


async def test_connections_without_a_request_are_closed_first(start: Start) -> None:
    sidecar = await start(max_connections=5, header_timeout_ms=3_600_000, keepalive_ms=3_600_000)
    url = URL(sidecar.address)
    idle = [Client(*await asyncio.open_connection(url.host, url.port)) for _ in range(5)]
    await until(lambda: sidecar.server.connections == 5)
    for _ in range(10):
        async with connected(sidecar) as client:
            client.send(WHOLE)
            assert OK in await client.answer()
    assert await idle[0].rest() == b""
    assert not idle[-1].reader.at_eof()
    assert sidecar.server.connections <= 5
    for client in idle:
        client.writer.transport.abort()


async def test_the_connection_idle_longest_is_closed_first(start: Start) -> None:
    sidecar = await start(max_connections=3)
    async with connected(sidecar) as first, connected(sidecar) as second, connected(sidecar) as third:
        for client in (second, first, third):
            client.send(WHOLE)
            await client.answer()
        async with connected(sidecar) as fourth:
            fourth.send(WHOLE)
            await fourth.answer()
            assert await second.rest() == b""
            for client in (first, third):
                client.send(WHOLE)
                assert OK in await client.answer()


async def test_a_connection_being_served_is_never_closed_for_a_new_one(start: Start) -> None:
    sidecar = await start(max_connections=2)
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    async with connected(sidecar) as first, connected(sidecar) as second:
        for client in (first, second):
            client.send(WHOLE[:-5])
        await until(lambda: sidecar.server.connections == 2)
        async with connected(sidecar) as third:
            assert await third.rest() == b""
        for client in (first, second):
            client.send(WHOLE[-5:])
            assert OK in await client.answer()
    gc.collect()  # a task that failed without a reader of its exception reports it when it is collected
    assert faults == []


async def test_a_slow_connection_is_closed_for_a_new_one(start: Start) -> None:
    sidecar = await start(max_connections=2, header_timeout_ms=50, body_timeout_ms=3_600_000)
    async with connected(sidecar) as first, connected(sidecar) as second:
        for client in (first, second):
            client.send(WHOLE[:-5])
        answer = b""
        async with asyncio.timeout(GENEROUS_SECONDS):
            while OK not in answer:
                async with connected(sidecar) as client:
                    client.send(WHOLE.replace(b"Host:", b"Connection: close\r\nHost:"))
                    answer = await client.rest()


async def test_a_half_closed_connection_is_answered_and_then_closed(sidecar: Sidecar) -> None:
    async with connected(sidecar) as client:
        client.send(WHOLE * 3)
        client.writer.write_eof()
        assert (await client.rest()).count(OK) == 3
    assert await stored(sidecar) == 3


@pytest.mark.parametrize("sent", [WHOLE[:-1], WHOLE[:20], CHUNKED + b"5\r\n" + EVENT[:5] + b"\r\n"])
async def test_a_request_that_breaks_off_leaves_nothing(sidecar: Sidecar, sent: bytes) -> None:
    async with connected(sidecar) as client:
        client.send(sent)
        client.writer.write_eof()
        assert await client.rest() == b""
    async with connected(sidecar) as client:
        client.send(sent)
        await until(lambda: sidecar.server.connections >= 1)
    await until(lambda: sidecar.server.connections == 0)
    assert await stored(sidecar) == 0
    assert sidecar.cache.ledger.balanced


async def test_a_client_that_does_not_read_its_response_is_cut_off(start: Start) -> None:
    sidecar = await start(body_timeout_ms=100, max_event_bytes=1_000_000)
    large = b'{"original":{"text":"' + b"x" * 900_000 + b'"}}'
    for _ in range(20):
        assert (await sidecar.record(large, "id=key&ack=stored")).json["stored"] == 1
    kept = sidecar.server.connections
    async with connected(sidecar) as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        client.send(f"GET {CACHE}?ids=key HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        await until(lambda: sidecar.server.connections == kept + 1)
        await until(lambda: sidecar.server.connections == kept)


async def test_thousands_of_pipelined_requests_are_all_answered(sidecar: Sidecar) -> None:
    async with connected(sidecar) as client:
        client.send(WHOLE * 5000)
        for _ in range(5000):
            await client.answer()
    assert sidecar.cache.ledger.received == 5000


async def test_invalid_http_is_logged_in_a_line_and_in_few_lines_in_all(sidecar: Sidecar) -> None:
    with capture_logs() as lines:
        for number in range(30):
            kind = number % 3
            answer = await sidecar.raw(
                (
                    b"\x16\x03\x01 \x1b[31m evil\r\nevil\r\n\r\n",
                    b"GET /?token=evil\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
                    b"GET / HTTP/1.1\r\nHost: x\r\nX-Admin-Token: evil\x00\r\n\r\n",
                )[kind]
            )
            assert answer.startswith(b"HTTP/1.0 400 ")
            error = json.loads(answer.partition(b"\r\n\r\n")[2])
            assert error["message"].startswith("the request is not valid HTTP/1.1")
            assert ("must be escaped" in error["message"]) == (kind == 1)
            assert (error["error"], error["code"]) == ("", "invalid_http")
            assert b"evil" not in answer
    assert 1 <= len(lines) <= 10
    for line in lines:
        assert line["event"] == "invalid HTTP request"
        assert line["reason"].isprintable()
        assert "evil" not in line["reason"]
        assert len(line["reason"]) < 300
    assert (await sidecar.get("/livez")).status == 200


LARGE = 200_000
LARGE_HEAD = b"POST /api/v1/event?token=key HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % LARGE
MOST_OF_IT = b'{"a":"' + b"x" * (LARGE - 8)


@asynccontextmanager
async def slow_clients(sidecar: Sidecar) -> AsyncIterator[list[Client]]:
    """Connect as many clients as there is memory for their bodies, each two bytes short of complete."""
    memory = sidecar.server._context.bodies.memory
    async with AsyncExitStack() as stack:
        clients = []
        for number in range(1, 17):
            client = await stack.enter_async_context(connected(sidecar))
            client.send(LARGE_HEAD + MOST_OF_IT)
            held = number * len(MOST_OF_IT)
            await until(lambda held=held: memory.held_bytes == held)  # type: ignore[misc]
            clients.append(client)
        yield clients


@pytest.mark.slow
async def test_of_many_large_bodies_the_one_that_stalls_longest_is_evicted(start: Start) -> None:
    sidecar = await start(max_body_bytes=LARGE, max_event_bytes=LARGE)
    async with slow_clients(sidecar) as slow, connected(sidecar) as client:
        slow[0].send(b'"')
        await until(lambda: sidecar.server._context.bodies.memory.held_bytes == 16 * len(MOST_OF_IT) + 1)
        client.send(LARGE_HEAD + MOST_OF_IT)
        answer = await slow[1].rest()
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"Retry-After: 1\r\n" in answer

        slow[0].send(b"}")
        for each in (*slow[2:], client):
            each.send(b'"}')
        for each in (slow[0], *slow[2:], client):
            assert OK in await each.answer()
    assert sidecar.server._context.bodies.memory.held_bytes == 0
    assert await stored(sidecar) == 16
    assert sidecar.cache.ledger.rejected == 1


@pytest.mark.parametrize("size", [18, 131_072])
async def test_stalled_large_bodies_never_block_a_small_one(start: Start, size: int) -> None:
    sidecar = await start(max_body_bytes=LARGE, max_event_bytes=LARGE)
    async with slow_clients(sidecar), connected(sidecar) as client:
        event = b'{"a":"' + b"x" * (size - 8) + b'"}'
        for _ in range(3):
            client.send(LARGE_HEAD.replace(b"%d" % LARGE, b"%d" % size))
            await until(lambda: any(each._current_request for each in sidecar.server._connections.connections))
            client.send(event)
            assert OK in await client.answer()
    assert await stored(sidecar) == 3


async def test_small_bodies_are_never_evicted(start: Start) -> None:
    sidecar = await start(max_body_bytes=20)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(sidecar)) for _ in range(20)]
        for client in clients:
            client.send(WHOLE[:-1])
        await until(lambda: sidecar.server._context.bodies.memory.held_bytes == 20 * 17)
        for client in clients:
            client.send(WHOLE[-1:])
            assert OK in await client.answer()
