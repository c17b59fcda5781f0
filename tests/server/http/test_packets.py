"""Requests in whatever packets they come: the answers are the same, and so is what is kept and counted."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from tests.support import wire
from tests.support.packets import Transport
from tests.support.sidecar import Log, Sidecar, Start, both_lanes
from tests.support.wire import replies

pytestmark = both_lanes

GENEROUS_SECONDS = 20
HOST = b"Host: localhost\r\n"


def sized(path: bytes, body: bytes, headers: bytes = b"") -> bytes:
    return b"POST %b HTTP/1.1\r\n%b%bContent-Length: %d\r\n\r\n%b" % (path, HOST, headers, len(body), body)


def chunked(path: bytes, *bodies: bytes, trailer: bytes = b"") -> bytes:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(body), body) for body in bodies)
    return b"POST %b HTTP/1.1\r\n%b%b\r\n%b0\r\n%b\r\n" % (path, HOST, wire.CHUNKED, chunks, trailer)


EVENT = b'{"n":1}'
RAW = b"/api/v1/event?token=key&x=\xc3\xa9"
COPY = b"/mirror/api/v1/event?token=key&x=\xc3\xa9"
NOT_ONE = b"POST /api/v1/event?token=smuggled&\xc3 HTTP/1.1\r\n\r\n0\r\n\r\n"
GOOD = {
    "an event": (sized(b"/api/v1/event?token=key", EVENT), 200),
    "a raw byte": (sized(RAW, EVENT), 200),
    "a copy": (sized(COPY, EVENT), 204),
    "a copy behind blank lines": (b"\r\n\r\n" + sized(COPY, EVENT), 204),
    "a raw header": (sized(COPY, EVENT, b"X-A: \xc3\xa9\r\n"), 204),
    "chunks": (chunked(COPY, EVENT), 204),
    "chunks and a trailer": (chunked(RAW, b'{"n":', b"1}", trailer=b"X: y\r\n"), 200),
    "a body like a request": (sized(COPY, NOT_ONE), 204),
    "chunks like a request": (chunked(COPY, NOT_ONE[:20], NOT_ONE[20:]), 204),
    "no body": (b"GET /mirror/x?\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n", 204),
    "a webhook": (sized(b"/ingest/jitsu2?actor_id=d&x=\xff", b"{}"), 200),
}
BAD = {
    "300 headers of a copy": (sized(COPY, EVENT, b"X: y\r\n" * 300), 204, "head_too_long"),
    "300 headers": (sized(RAW, EVENT, b"X: y\r\n" * 300), 431, "head_too_long"),
    "a control byte": (sized(b"/api/v1/event?token=key\x01", EVENT), 400, "invalid_http"),
    "a control byte of a copy": (sized(b"/mirror/api/v1/event?\x01", EVENT), 204, "invalid_http"),
    "a bad length of a webhook": (sized(b"/ingest/jitsu2?x", b"", b"Content-Length: x\r\n"), 200, "invalid_http"),
}


async def answers(sidecar: Sidecar, packets: Sequence[bytes], count: int, *, turns: int = 0) -> list[int]:
    """Return the statuses of so many answers to packets on one connection, with turns of the loop between them."""
    transport, connection = Transport(), sidecar.server._connections()
    connection.connection_made(transport)
    async with asyncio.timeout(GENEROUS_SECONDS):
        for packet in filter(None, packets):
            while not transport.is_reading():
                await asyncio.sleep(0)
            connection.data_received(packet)
            for _ in range(turns):
                await asyncio.sleep(0)
        while not transport.closed and transport.answer.count(b"HTTP/1.") < count:
            await asyncio.sleep(0)
    connection.connection_lost(None)
    return [reply.status for reply in replies_to(transport.answer)]


def replies_to(answer: bytes) -> list[wire.Reply]:
    """Return the responses in some bytes; one without a body has no length."""
    return list(replies(answer.replace(b"204 No Content\r\n", b"204 No Content\r\nContent-Length: 0\r\n")))


def in_two(sent: bytes) -> list[list[bytes]]:
    return [[sent[:at], sent[at:]] for at in range(len(sent))]


@pytest.mark.parametrize("turns", [0, 1, 8])
@pytest.mark.parametrize(("sent", "status"), GOOD.values(), ids=GOOD)
async def test_requests_are_taken_in_any_two_packets(
    sidecar: Sidecar, log: Log, sent: bytes, status: int, turns: int
) -> None:
    """They are the first and the second one of their connections."""
    for first in (b"", sized(b"/api/v1/event?token=key", EVENT)):
        expected = [200, status] if first else [status]
        for packets in in_two(sent):
            assert await answers(sidecar, [first, *packets], len(expected), turns=turns) == expected
        for packets in in_two(first + sent):
            assert await answers(sidecar, packets, len(expected), turns=turns) == expected
    assert sidecar.cache.record
    assert not sidecar.cache.record.unread
    assert not await sidecar.events("namespace=token&ids=smuggled")
    assert log.faults == []


@pytest.mark.parametrize("turns", [0, 1, 8])
@pytest.mark.parametrize(("sent", "status", "code"), BAD.values(), ids=BAD)
async def test_a_head_that_is_refused_is_answered_as_its_route_does_and_loses_no_other(
    sidecar: Sidecar, log: Log, sent: bytes, status: int, code: str, turns: int
) -> None:
    tried = 0
    places = [*range(80), *range(80, len(sent), 97)]
    for before in ([], ["an event"], ["a copy", "chunks", "no body"]):
        first = b"".join(GOOD[name][0] for name in before)
        expected = [*(GOOD[name][1] for name in before), status]
        for at in places:
            for packets in ([first + sent[:at], sent[at:]], [first, sent[:at], sent[at:]]):
                assert await answers(sidecar, packets, len(expected), turns=turns) == expected
                tried += 1
    assert sidecar.cache.record
    assert dict(sidecar.cache.record.unread) == {code: tried}
    assert sidecar.cache.ledger.rejected == tried
    assert log.faults == []


@pytest.mark.parametrize("seed", range(40))
async def test_any_requests_are_taken_in_any_packets(start: Start, log: Log, seed: int) -> None:
    sidecar = await start()
    chance = random.Random(seed)
    chosen = chance.choices(list(GOOD.values()), k=chance.choice([5, 40, 300]))
    sent, expected = b"".join(part for part, _ in chosen), [status for _, status in chosen]
    whole = await answers(sidecar, [sent], len(chosen))
    assert whole == expected
    received = sidecar.cache.ledger.received
    for _ in range(5):
        cuts = sorted(chance.sample(range(1, len(sent)), chance.choice([1, 5, 100])))
        packets = [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
        assert await answers(sidecar, packets, len(chosen), turns=chance.choice([0, 0, 1, 5])) == expected
    assert sidecar.cache.ledger.received == 6 * received
    assert sidecar.cache.record
    assert not sidecar.cache.record.unread
    assert not await sidecar.events("namespace=token&ids=smuggled")
    assert log.faults == []


async def test_large_packets_are_taken_head_by_head(start: Start, log: Log) -> None:
    sidecar = await start()
    large = sized(COPY, b'{"a":"' + b"x" * 150_000 + b'"}')
    small, copy = GOOD["a raw byte"][0], GOOD["a copy"][0]
    assert await answers(sidecar, [large + copy], 2) == [204, 204]
    assert await answers(sidecar, [small + large + large + copy], 4) == [200, 204, 204, 204]
    assert sidecar.cache.ledger.received == 6
    assert sidecar.cache.record
    assert not sidecar.cache.record.unread
    assert log.faults == []


async def test_a_good_request_is_answered_although_nothing_may_follow_it(sidecar: Sidecar) -> None:
    last = sized(COPY, EVENT, wire.CLOSE)
    for after in (b"\x00\xff\r\n\r\n", sized(RAW, EVENT), b"PO"):
        assert await answers(sidecar, [last + after], 1) == [204]
        assert await answers(sidecar, [last, after], 1) == [204]
    assert sidecar.cache.ledger.received == 6
    assert sidecar.cache.ledger.rejected == 0


async def test_a_head_that_begins_behind_a_request_has_its_own_time(start: Start) -> None:
    sidecar = await start(header_timeout_ms=100)
    answer = await sidecar.raw(sized(COPY, EVENT) + sized(COPY, EVENT)[:30])
    assert answer.count(b"HTTP/1.1 204 ") == 1
