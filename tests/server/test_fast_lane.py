"""The fast lane: nobody can tell it from aiohttp's way but by its speed."""

import asyncio
import os
import random
import re
import time
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

import pytest

from eventscache.access.api_keys import ApiKey, KeyList
from eventscache.config.settings import Settings
from eventscache.server.fast_lane import FAST_ROUTES
from eventscache.server.http import aiohttp_internals
from eventscache.server.http.whole_request import COMPILED
from eventscache.server.routes import bulk, jitsu2_pixel, pixel
from eventscache.server.routing import INGESTION_ROUTES
from tests.support import corpus
from tests.support.corpus import Case, each
from tests.support.mutants import MutatedRequests, plain
from tests.support.packets import Transport
from tests.support.raw_client import Client
from tests.support.sidecar import Log, Sidecar, Start, sidecars
from tests.support.wire import get

SECONDS = float(os.environ.get("FUZZ_SECONDS") or 0)
CASES = 400  # in each round
GENEROUS_SECONDS = 20
TURNS_AT_REST = 12  # of the loop: then nothing more happens on a connection
DATE = re.compile(rb"\r\nDate: [^\r]*")
PRIMER = get(b"/livez", b"")
NO_SECOND_WAY = {*bulk.ROUTES, *pixel.ROUTES, *jitsu2_pixel.ROUTES}

compiled = pytest.mark.skipif(not COMPILED, reason="the module in C was not built")


class Exchange(NamedTuple):
    """What a connection got, without dates, and whether it was closed."""

    answer: bytes
    closed: bool


async def exchange(sidecar: Sidecar, packets: list[bytes], turns: int) -> Exchange:
    """Send packets on a connection of its own, with turns of the loop between them, until nothing happens any more."""
    transport, connection = Transport(), sidecar.server._connections()
    connection.connection_made(transport)
    async with asyncio.timeout(GENEROUS_SECONDS):
        for packet in packets:
            while not transport.is_reading() and not transport.closed:
                await asyncio.sleep(0)
            if transport.closed:
                break
            connection.data_received(packet)
            for _ in range(turns):
                await asyncio.sleep(0)
        turns_at_rest = 0
        while turns_at_rest < TURNS_AT_REST:
            await asyncio.sleep(0)
            waits = transport.closed or connection.idle or not (connection._body is None or connection._body.is_eof())
            turns_at_rest = turns_at_rest + 1 if waits else 0
    result = Exchange(DATE.sub(b"", transport.answer), transport.closed)
    connection.connection_lost(None)
    await asyncio.sleep(0)
    return result


async def primed(sidecar: Sidecar) -> Any:
    """Return a connection that has had its first request, and waits for the next one."""
    connection = sidecar.server._connections()
    connection.connection_made(Transport())
    connection.data_received(PRIMER)
    await asyncio.sleep(0)
    while not connection.idle:
        await asyncio.sleep(0)
    return connection


async def kept(sidecar: Sidecar) -> Any:
    """Return what a sidecar has kept and counted; its events without their times and ids."""
    events = {}
    for stream in ("key", "other", "smuggled"):
        answer = await sidecar.get(f"/api/v1/events/cache?namespace=token&ids={stream}&limit=1000000")
        events[stream] = re.sub(rb'"(?:timestamp|uid|seq|last_minute_limited)":(?:"[^"]*"|\d+),?', b"", answer.body)
    ledger, record = sidecar.cache.ledger, sidecar.cache.record
    assert record
    assert ledger.balanced
    counts = (ledger.received, ledger.stored, ledger.limited, ledger.rejected, dict(ledger.dropped))
    return counts, dict(record.unread), events


async def clear(*sidecars: Sidecar) -> None:
    for sidecar in sidecars:
        await sidecar.ask("DELETE", "/api/v1/events/cache?namespace=token&ids=all&reset=limiter")


@pytest.fixture
async def pair() -> Any:
    """Start two sidecars alike, one with the fast lane and one without."""
    async with sidecars() as start:

        async def two(**settings: Any) -> tuple[Sidecar, Sidecar]:
            return await start(**settings), await start(fast_lane=False, **settings)

        yield two


KEYS = KeyList((ApiKey("key", "key", "key"), ApiKey("other", "key:secret", "other", origins=("a.example",))))
SETTINGS: dict[str, dict[str, Any]] = {
    "everything stored": {"size": 100_000},
    "overload": {"size": 1, "window_seconds": 86_400},
    "keys": {"size": 100_000, "api_keys": KEYS},
    "a mask and small limits": {
        "size": 100_000,
        "mask_drop": ("n",),
        "max_body_bytes": 40,
        "max_event_bytes": 30,
        "max_batch": 1,
    },
    "types": {"size": 2, "window_seconds": 86_400, "per_type": 1},
}


def packets_of(chance: Random, requests: list[bytes]) -> list[bytes]:
    """Return requests mostly in a packet of their own each, or else split or joined anywhere."""
    if chance.randrange(3):
        return requests
    sent = b"".join(requests)
    cuts = sorted(chance.sample(range(1, len(sent)), min(len(sent) - 1, chance.choice((1, 2, 5, 1000)))))
    return [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]


def seeds() -> Iterator[int]:
    ends = time.monotonic() + SECONDS
    yield 1
    while time.monotonic() < ends:
        yield random.randrange(2**32)


@compiled
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
async def test_fuzz_both_ways_answer_keep_and_count_alike(pair: Any, log: Log, settings: dict[str, Any]) -> None:
    fast, slow = await pair(**settings)
    for seed in seeds():
        chance = Random(seed)
        mutants = MutatedRequests(chance)
        sent = taken = 0
        for number in range(CASES):
            changed_share = chance.choice((0.0, 0.1, 0.5))
            requests = [mutants.next(changed_share) or PRIMER for _ in range(chance.choice((1, 2, 4, 8)))]
            packets, turns = [PRIMER, *packets_of(chance, requests)], chance.choice((0, 1, 20, 20, 20))
            before = fast.server.fast_lane.taken
            one = await exchange(fast, packets, turns)
            other = await exchange(slow, packets, turns)
            assert one == other, (seed, number, packets, turns)
            sent, taken = sent + len(requests), taken + fast.server.fast_lane.taken - before
            if number % 100 == 99:
                assert await kept(fast) == await kept(slow), (seed, number)
        assert taken > sent / 50, (sent, taken)
        await clear(fast, slow)
    assert log.faults == []


def test_every_route_for_events_in_plain_posts_has_a_fast_one() -> None:
    assert set(FAST_ROUTES) == {
        path
        for route in INGESTION_ROUTES
        if route not in NO_SECOND_WAY
        for method, path, _ in [route]
        if method == "POST"
    }


@compiled
@each(corpus.EXACT)
async def test_originals_of_the_fast_lane_come_back_byte_for_byte(start: Start, case: Case) -> None:
    sidecar = await start()
    assert sidecar.server.fast_lane
    requests = [plain(body=case.sent), plain(target=b"/mirror/api/v1/event?token=key", body=b"[" + case.sent + b" ]")]
    answer = (await exchange(sidecar, [PRIMER, *requests], 20)).answer
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert answer.count(b"HTTP/1.1 204 No Content\r\n") == 1
    assert sidecar.server.fast_lane.taken == sum(len(request) < 100_000 for request in requests)
    kept = await sidecar.get("/api/v1/events/cache?namespace=token&ids=key")
    assert kept.body.count(b'{"original":' + case.sent + b',"timestamp":"') == 2


@compiled
@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"fast_lane": False}, ""), ({"access_log": True}, "eventscache.access_log is on")],
)
async def test_a_fast_lane_that_is_shut_says_why(start: Start, log: Log, settings: Any, reason: str) -> None:
    sidecar = await start(**settings)
    assert sidecar.server.fast_lane is None
    shut = [line for line in log.lines if "fast lane shut" in line]
    assert (len(shut) == 1 and reason in shut[0]) if reason else shut == []
    answer = (await exchange(sidecar, [PRIMER, plain()], 20)).answer
    assert answer.count(b"HTTP/1.1 200 OK") == 2


@compiled
async def test_without_a_private_name_of_aiohttp_there_is_no_fast_lane(
    start: Start, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aiohttp_internals, "_FAST_LANE_ATTRIBUTES", ("_paused", "_renamed"))
    assert (await start()).server.fast_lane is None
    assert any("lacks RequestHandler._renamed" in line for line in log.lines)


@compiled
async def test_requests_that_are_logged_while_it_runs_do_not_take_it(start: Start) -> None:
    sidecar = await start()
    lane = sidecar.server.fast_lane
    assert lane
    for on, taken in ((False, 1), (True, 1), (False, 2)):
        sidecar.server.debug(on=on)
        await exchange(sidecar, [PRIMER, plain()], 20)
        assert lane.taken == taken


@compiled
async def test_keys_that_change_while_it_runs_count_at_once(start: Start) -> None:
    sidecar = await start(api_keys=KeyList((ApiKey("one", "key"),)))
    assert (await exchange(sidecar, [PRIMER, plain()], 20)).answer.count(b"HTTP/1.1 200 OK") == 2
    sidecar.server.use(Settings(api_keys=KeyList((ApiKey("two", "other"),))))
    assert b"HTTP/1.1 401 Unauthorized" in (await exchange(sidecar, [PRIMER, plain()], 20)).answer
    assert sidecar.cache.ledger.rejected == 1


@compiled
async def test_settings_that_change_while_it_runs_count_at_once(start: Start) -> None:
    sidecar = await start()
    for longest, status in ((3, b"200 OK"), (2, b"401 Unauthorized"), (3, b"200 OK")):
        sidecar.server.use(Settings(max_id_bytes=longest))
        assert b"HTTP/1.1 " + status in (await exchange(sidecar, [PRIMER, plain()], 20)).answer.partition(b"}")[2]


@compiled
async def test_events_that_take_long_to_mask_are_left_to_aiohttp(start: Start) -> None:
    sidecar = await start(mask_drop=("n",))
    lane = sidecar.server.fast_lane
    assert lane
    for length, taken in ((100, 1), (5000, 1), (100, 2)):
        body = b'{"n":1,"x":"%b"}' % (b"x" * length)
        connection = await primed(sidecar)
        connection.data_received(plain(body=body))
        async with asyncio.timeout(GENEROUS_SECONDS):
            while connection.transport.answer.count(b"HTTP/1.1 200 OK") < 2:
                await asyncio.sleep(0)
        connection.connection_lost(None)
        assert lane.taken == taken
    assert b'"n":1' not in (await sidecar.get("/api/v1/events/cache?namespace=token&ids=key")).body


@compiled
async def test_a_request_behind_a_blank_line_ends_the_time_of_that_head(start: Start) -> None:
    sidecar = await start()
    connection = await primed(sidecar)
    connection.data_received(b"\r\n")
    assert connection._head_since is not None
    connection.data_received(plain())
    assert connection._head_since is None
    assert sidecar.server.fast_lane
    assert sidecar.server.fast_lane.taken == 0
    connection.connection_lost(None)


@compiled
async def test_a_connection_that_is_about_to_close_takes_nothing_more(start: Start) -> None:
    sidecar = await start()
    connection = await primed(sidecar)
    connection.close()
    connection.data_received(plain())
    assert sidecar.server.fast_lane
    assert sidecar.server.fast_lane.taken == sidecar.cache.ledger.received == 0
    connection.connection_lost(None)


@compiled
async def test_a_bug_in_the_fast_lane_is_logged_and_aiohttp_answers(
    start: Start, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(FAST_ROUTES, "/api/v1/event", broken)
    sidecar = await start()
    answer = (await exchange(sidecar, [PRIMER, plain()], 20)).answer
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert any("fast lane failed: internal error" in line for line in log.lines)
    assert len(await sidecar.events("namespace=token&ids=key")) == 1


@compiled
async def test_an_idle_connection_of_the_fast_lane_is_closed_in_its_time(start: Start) -> None:
    sidecar = await start(keepalive_ms=300)
    client = await Client.of(sidecar)
    client.send(PRIMER)
    await client.read(until=b"}")
    client.send(plain())
    await client.read(until=b"}")
    assert sidecar.server.fast_lane
    assert sidecar.server.fast_lane.taken == 1
    assert await client.read() == b""
    await client.close()


@compiled
async def test_a_request_is_time_for_which_a_connection_is_kept(start: Start) -> None:
    sidecar = await start()
    connection = await primed(sidecar)
    first = connection.idle_since
    while asyncio.get_running_loop().time() <= first:
        await asyncio.sleep(0)
    connection.data_received(plain())
    assert connection.idle_since > first
    connection.connection_lost(None)


@compiled
async def test_a_client_that_reads_no_answers_is_left_to_aiohttp(start: Start) -> None:
    sidecar = await start()
    connection = await primed(sidecar)
    connection.pause_writing()
    connection.data_received(plain())
    assert sidecar.server.fast_lane
    assert sidecar.server.fast_lane.taken == 0
    connection.resume_writing()
    connection.connection_lost(None)
