"""Sidecars that are replaced while others run on the same Redis."""

import asyncio
import itertools
from collections import Counter

import aiohttp

from tests.support.command import Process, Serve
from tests.support.redis_server import RedisServer
from tests.support.sidecar import CACHE

PREFIX = "eventscache:upgrade"
STREAM = "namespace=destination&ids=d"
CLIENTS, REPLACED = 6, 3


class Clients:
    """They send numbered events to the sidecar that was started last, and remember which ones are stored."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.stored: set[int] = set()
        self.target = ""
        self.stopped = False
        self._numbers = itertools.count()
        self._session = session

    async def send(self) -> None:
        """Send one event after another; an event whose answer is missing is not sent again."""
        while not self.stopped:
            number = next(self._numbers)
            record = {"destination_id": "d", "original": {"n": number}}
            try:
                async with self._session.post(f"{self.target}{CACHE}?ack=stored", json=record) as answer:
                    if answer.status == 200:
                        self.stored.add(number)
                    else:
                        assert answer.status == 503, await answer.text()
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0)

    async def until(self, more: int) -> None:
        """Return when so many more events are stored."""
        wanted = len(self.stored) + more
        async with asyncio.timeout(60):
            while len(self.stored) < wanted:
                await asyncio.sleep(0)


async def test_a_rolling_restart_loses_nothing_that_was_acknowledged_as_stored(
    serve: Serve, redis_server: RedisServer
) -> None:
    def started() -> Process:
        return serve(
            *("--storage", redis_server.storage_url),
            EVENTSCACHE_PREFIX=PREFIX,
            SERVER_CACHE_EVENTS_SIZE="100000",
            EVENTSCACHE_ACK_TIMEOUT_MS="20000",
        )

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        clients = Clients(session)
        old = started()
        clients.target = old.address
        for _ in range(CLIENTS):
            group.create_task(clients.send())
        for _ in range(REPLACED):
            await clients.until(100)
            new = started()
            clients.target = new.address
            assert await asyncio.to_thread(old.stop) == 0
            old = new
        await clients.until(100)
        clients.stopped = True

    events = (await old.get(f"{CACHE}?{STREAM}&limit=100000"))["events"]
    found = Counter(event["original"]["n"] for event in events)
    assert clients.stored - set(found) == set()
    assert max(found.values()) == 1
    numbers = [event["seq"] for event in events]
    assert numbers == [*range(len(numbers), 0, -1)]


async def test_another_version_may_keep_more_about_a_stream(serve: Serve, redis_server: RedisServer) -> None:
    """Within one layout of the keys, a version adds fields that others leave alone."""
    process = serve("--storage", redis_server.storage_url, EVENTSCACHE_PREFIX=f"{PREFIX}:fields")
    await process.post(f"{CACHE}?ack=stored", {"destination_id": "d", "original": {"n": 1}})
    key = f"{PREFIX}:fields:v1:{{d.d}}:state"
    assert redis_server.ask("EXISTS", key) == 1
    redis_server.ask("HSET", key, "of_a_later_version", "kept")
    await process.post(f"{CACHE}?ack=stored", {"destination_id": "d", "original": {"n": 2}})
    assert redis_server.ask("HGET", key, "of_a_later_version") == "kept"
    assert len((await process.get(f"{CACHE}?{STREAM}"))["events"]) == 2


async def test_two_sidecars_with_different_sizes_serve_one_stream(serve: Serve, redis_server: RedisServer) -> None:
    small, large = (
        serve(
            *("--storage", redis_server.storage_url),
            EVENTSCACHE_PREFIX=f"{PREFIX}:sizes",
            SERVER_CACHE_EVENTS_SIZE=size,
        )
        for size in ("5", "50")
    )
    for number in range(5):
        for process in (large, small):
            await process.post(f"{CACHE}?ack=stored", {"destination_id": "d", "original": {"n": number}})
    answers = [await process.get(f"{CACHE}?{STREAM}") for process in (small, large)]
    assert answers[0]["events"] == answers[1]["events"]
    assert 1 <= len(answers[0]["events"]) <= 50
    for process in (small, large):
        assert process.stop() == 0
    assert any(
        line["event"] == "another sidecar uses a different size or time window" for line in small.log + large.log
    )
