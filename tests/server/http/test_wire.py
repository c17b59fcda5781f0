"""Bad requests from the tables of `wire.py` over a real connection: each is answered or cut off; others are served."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.support import wire
from tests.support.corpus import Case, covers, each
from tests.support.raw_client import Client
from tests.support.sidecar import CACHE, Log, Sidecar, Start, both_lanes
from tests.support.wire import CLOSE, EVENT, post, replies

pytestmark = both_lanes

FIXED_MESSAGES = {"the request is not valid HTTP/1.1", "the body breaks off, or its chunks are not valid HTTP/1.1"}
MUST_BE_ESCAPED = "the request is not valid HTTP/1.1: its path or query holds a byte that must be escaped; "
TOO_LONG = (*wire.LONG, *(case for case in wire.CHUNKS if case.name == "1,000 trailers"))
PIPELINED = 5000
OK = b'{"status":"ok"}'


@pytest.fixture
async def sidecar(start: Start) -> Sidecar:
    """A sidecar that accepts small bodies only."""
    return await start(max_body_bytes=2000)


async def assert_calm(sidecar: Sidecar, log: Log) -> None:
    """Other clients are served, and nothing was logged with a traceback."""
    await sidecar.still_serves()
    assert log.faults == []


Connect = Callable[[Sidecar], Awaitable[Client]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Open connections, and close them after the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def connected(sidecar: Sidecar) -> Client:
            client = await Client.of(sidecar)
            stack.push_async_callback(client.close)
            return client

        yield connected


def assert_invalid_http(answer: bytes, *, too_long: bool = False) -> None:
    """There is one response: 400 with a fixed message, or 431 for a head that is too long."""
    (reply,) = replies(answer)
    assert reply.status == (431 if too_long else 400)
    assert reply.headers["Content-Type"].startswith("application/json")
    assert reply.headers["Cross-Origin-Resource-Policy"] in {"same-origin", "cross-origin"}
    value = json.loads(reply.body)
    assert value == {"message": value["message"], "error": "", "code": "head_too_long" if too_long else "invalid_http"}
    if too_long:
        assert "8190 bytes" in value["message"]
        assert "256 headers" in value["message"]
    else:
        assert value["message"] in FIXED_MESSAGES or value["message"].startswith(MUST_BE_ESCAPED)


@each(wire.INVALID_HTTP)
async def test_invalid_http_is_answered_counted_and_closed(sidecar: Sidecar, log: Log, case: Case) -> None:
    answer = await sidecar.raw(case.sent)

    assert_invalid_http(answer, too_long=case in TOO_LONG)
    assert len(log.lines) <= 1
    assert (sidecar.cache.ledger.received, sidecar.cache.ledger.rejected) == (1, 1)
    assert sidecar.cache.record
    assert sidecar.cache.record.unread == {"head_too_long" if case in TOO_LONG else "invalid_http": 1}
    await assert_calm(sidecar, log)


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.row} {case.name}") for case in wire.INVALID_HTTP])
async def test_nothing_after_invalid_http_is_served(sidecar: Sidecar, case: Case) -> None:
    answer = await sidecar.raw(case.sent + post(CLOSE + wire.LENGTH))
    (reply,) = replies(answer)
    assert reply.status == (431 if case in TOO_LONG else 400)
    assert (sidecar.cache.ledger.received, sidecar.cache.ledger.rejected) == (1, 1)
    await sidecar.still_serves()


@each(wire.LATER)
async def test_a_body_that_becomes_invalid_in_a_later_packet_is_rejected(
    sidecar: Sidecar, connect: Connect, log: Log, case: Case
) -> None:
    client = await connect(sidecar)
    good, bad = case.sent
    client.send(good)
    await sidecar.still_serves()  # so that the good part has been read
    client.send(bad)

    assert_invalid_http(await client.read())
    assert len(log.lines) <= 1
    assert sidecar.cache.ledger.received == 2  # the honest one, and the one that was rejected
    await assert_calm(sidecar, log)


@each(wire.WELL_FRAMED)
async def test_unusual_but_valid_http_is_served(sidecar: Sidecar, connect: Connect, log: Log, case: Case) -> None:
    client = await connect(sidecar)
    client.send(case.sent)
    answer = await client.read(until=OK)
    client.send(post(CLOSE + wire.LENGTH))
    answer += await client.read()

    assert [(reply.status, reply.body) for reply in replies(answer)] == [(200, OK)] * 2
    events = await sidecar.events("namespace=token&ids=key")
    assert [event["original"] for event in events] == [{"a": 1}] * 2
    await assert_calm(sidecar, log)


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.row} {case.name}") for case in wire.WELL_FRAMED])
async def test_a_request_may_arrive_byte_by_byte(sidecar: Sidecar, connect: Connect, log: Log, case: Case) -> None:
    client = await connect(sidecar)
    pieces = [case.sent[place : place + 1] for place in range(300)] + [case.sent[300:]]
    for piece in pieces:
        client.send(piece)
        await asyncio.sleep(0)
    assert [reply.status for reply in replies(await client.read(until=OK))] == [200]
    await assert_calm(sidecar, log)


FOLLOWING = {
    "a request": [post()],
    "two requests": [post() * 2],
    "half a head": [post()[:60]],
    "a head in two packets": [post(body=b"")[:-2], b"\r\n" + EVENT],
    "half a body": [post()[:-3]],
    "invalid HTTP": [b"\x00\xff\r\n\r\n"],
    "another upgrade": [wire.UPGRADES[2].sent + post()],
}


@pytest.mark.parametrize("following", FOLLOWING.values(), ids=FOLLOWING)
@pytest.mark.parametrize("together", [True, False], ids=["together", "apart"])
@each(wire.UPGRADES)
async def test_an_upgrade_is_answered_in_http_1_and_nothing_after_it_is(
    sidecar: Sidecar, connect: Connect, log: Log, case: Case, together: bool, following: list[bytes]
) -> None:
    client = await connect(sidecar)
    first, *more = [case.sent + following[0], *following[1:]] if together else [case.sent, *following]
    client.send(first)
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        for packet in more:
            await asyncio.sleep(0)
            client.send(packet)
        answer = await client.read()

    if together:  # else what comes late can reset the connection before its answer has been read
        assert [(reply.status, reply.headers["Connection"]) for reply in replies(answer)] == [(case.expected, "close")]
    ledger, brings_events = sidecar.cache.ledger, case.sent.startswith(b"POST")
    assert (ledger.received, ledger.rejected) == (brings_events, brings_events and case.expected == 404)
    await assert_calm(sidecar, log)


@each(wire.ROUTED)
async def test_unknown_methods_and_paths_get_an_error(sidecar: Sidecar, connect: Connect, log: Log, case: Case) -> None:
    client = await connect(sidecar)
    client.send(case.sent)
    await sidecar.still_serves()
    client.end()
    (reply,) = replies(await client.read())

    assert reply.status in case.expected
    assert reply.status == 200 or json.loads(reply.body)["error"] == ""
    await assert_calm(sidecar, log)


@each(wire.HEAD)
async def test_head_is_answered_without_a_body(sidecar: Sidecar, log: Log, case: Case) -> None:
    head, _, body = (await sidecar.raw(case.sent)).partition(b"\r\n\r\n")
    assert int(head.split()[1]) in case.expected
    assert body == b""
    await assert_calm(sidecar, log)


@each(wire.NOT_ALLOWED)
async def test_a_body_that_is_not_allowed_is_rejected_before_it_has_arrived(
    sidecar: Sidecar, connect: Connect, log: Log, case: Case
) -> None:
    client = await connect(sidecar)
    client.send(case.sent)
    answer = await client.read(until=b"}")
    status, complete = case.expected
    if complete or case.row == 39:  # where it is a part of the body
        client.send(post())
    client.end()
    with contextlib.suppress(ConnectionResetError):
        answer += await client.read()

    first, *more = replies(answer)
    assert (first.status, json.loads(first.body)["error"]) == (status, "")
    assert complete or not any(reply.status == 200 for reply in more)
    await assert_calm(sidecar, log)


@each(wire.HALVES)
async def test_nothing_of_half_a_request_is_kept(sidecar: Sidecar, connect: Connect, log: Log, case: Case) -> None:
    for politely in (True, False):
        client = await connect(sidecar)
        client.send(case.sent)
        await sidecar.still_serves()  # so that it has been read
        if politely:
            client.end()
            answer = await client.read()
            assert all(reply.status in {100, 400} for reply in replies(answer))
        await client.close()
    assert await sidecar.events("namespace=token&ids=key") == []
    await assert_calm(sidecar, log)


@covers(83)
async def test_a_client_that_sends_no_more_is_still_answered(sidecar: Sidecar, connect: Connect, log: Log) -> None:
    client = await connect(sidecar)
    client.send(post())
    client.end()
    (reply,) = replies(await client.read())
    assert reply.status == 200
    await assert_calm(sidecar, log)


@each(wire.STALLED)
async def test_a_client_that_stalls_is_cut_off(start: Start, connect: Connect, log: Log, case: Case) -> None:
    sidecar = await start(header_timeout_ms=100, body_timeout_ms=100, keepalive_ms=100)
    client = await connect(sidecar)
    client.send(case.sent)
    answer = b""
    if case.expected:
        answer = await client.read(until=b"}")
        client.end()
    answer += await client.read()
    assert [reply.status for reply in replies(answer)] == ([case.expected] if case.expected else [])
    assert sidecar.cache.ledger.stored == 0
    await assert_calm(sidecar, log)


@covers(81)
@pytest.mark.parametrize("sent", [wire.get(b"/livez", b"X-A: " + b"x" * 8000), post(b"Content-Length: 2000\r\n", b"")])
async def test_sending_byte_by_byte_does_not_extend_a_time_limit(
    start: Start, connect: Connect, log: Log, sent: bytes
) -> None:
    sidecar = await start(header_timeout_ms=100, body_timeout_ms=100)
    client = await connect(sidecar)
    reading = asyncio.create_task(client.read())
    sending = iter(sent[:-2] + b"x" * 100_000)
    while not reading.done():
        client.send(b"%c" % next(sending))
        await asyncio.sleep(0.001)
    with contextlib.suppress(ConnectionError):
        assert all(reply.status == 408 for reply in replies(reading.result()))
    await assert_calm(sidecar, log)


@covers(82)
async def test_pipelined_requests_are_answered_in_order(start: Start, log: Log) -> None:
    sidecar = await start()
    paths = [f"/api/v1/event?token=t{number % 50}" for number in range(PIPELINED)]
    sent = b"".join(
        b"POST %b HTTP/1.1\r\nHost: localhost\r\nOrigin: http://o%d\r\nContent-Length: 7\r\n\r\n%b"
        % (path.encode(), number, EVENT)
        for number, path in enumerate(paths)
    )
    answer = await sidecar.raw(sent + post(CLOSE + wire.LENGTH))
    came = list(replies(answer))
    assert [reply.status for reply in came] == [200] * (PIPELINED + 1)
    origins = [reply.headers.get("Access-Control-Allow-Origin") for reply in came[:-1]]
    assert origins == [f"http://o{number}" for number in range(PIPELINED)]
    assert sidecar.cache.ledger.received == PIPELINED + 1
    await assert_calm(sidecar, log)


@covers(80)
async def test_a_browsers_form_and_beacon_are_taken(sidecar: Sidecar, log: Log) -> None:
    for kind in (b"text/plain;charset=UTF-8", b"\xff\xfe; charset=\xff", b"application/json; charset*0=utf-8''"):
        answer = await sidecar.raw(post(b"Content-Type: " + kind + b"\r\n" + CLOSE + wire.LENGTH))
        assert [reply.status for reply in replies(answer)] == [200]
    await assert_calm(sidecar, log)


@covers(80)
async def test_an_invalid_content_type_is_rejected_for_records(sidecar: Sidecar, log: Log) -> None:
    for kind in (b"\xff\xfe; charset=\xff", b"application/json; charset*0=utf-8'';charset*1*=a", b"", b";", b"/"):
        head = f"POST {CACHE}?id=d HTTP/1.1\r\n".encode() + wire.HOST + CLOSE + wire.LENGTH
        answer = await sidecar.raw(head + b"Content-Type: " + kind + b"\r\n\r\n" + EVENT)
        assert [reply.status for reply in replies(answer)] == [415]
    await assert_calm(sidecar, log)
