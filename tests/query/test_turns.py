"""Turns of readers: how much one does at a time, and how many go on in one turn of the loop."""

import asyncio
from collections import Counter

import pytest

from eventscache.cache import EventsCache
from eventscache.event import Event
from eventscache.query.filter import EventFilter
from eventscache.query.turns import AT_ONCE, EVENT_BYTES, PIECE_BYTES, Turns, Work
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Query, Quota
from eventscache.stream import Namespace, Stream
from tests.support.loop_turns import turns_during

STREAM = Stream(Namespace.TOKEN, "key")


@pytest.mark.parametrize("size_bytes", [0, 10_000, PIECE_BYTES])
async def test_a_reader_waits_for_its_next_turn_after_a_piece(size_bytes: int) -> None:
    async def read(events: int) -> None:
        work = Work(Turns())
        for _ in range(events):
            await work.spend(size_bytes)

    once, _ = await turns_during(read(1000))
    twice, _ = await turns_during(read(2000))
    pieces = 1000 // -(-PIECE_BYTES // (EVENT_BYTES + size_bytes))
    assert pieces <= once <= 2 * pieces + 2
    assert 1.8 < twice / once < 2.2


async def test_however_many_read_few_go_on_in_one_turn_of_the_loop() -> None:
    turns, turn, pieces = Turns(), 0, Counter[int]()

    async def read() -> None:
        work = Work(turns)
        for _ in range(20):
            await work.spend(PIECE_BYTES)
            pieces[turn] += 1

    readers = asyncio.gather(*(read() for _ in range(50)))
    while not readers.done():
        turn += 1
        await asyncio.sleep(0)
    assert pieces.total() == 50 * 20
    assert max(pieces.values()) <= AT_ONCE


@pytest.mark.parametrize("event_filter", [None, EventFilter(text="needle"), EventFilter(event_type="no")])
async def test_reading_a_stream_takes_turns_by_its_size(event_filter: EventFilter | None) -> None:
    cache = EventsCache(MemoryStorage(), quota=Quota(100_000, 1_000_000))
    await cache.open()

    async def turns_to_read(events: int) -> int:
        stream = Stream(Namespace.TOKEN, str(events))
        for _ in range(events // 100):
            cache.offer([(stream, Event(original=b'{"a":"' + b"x" * 20_000 + b'"}'))] * 100)
            await cache.queue.flush(stream, 60)
        turns, page = await turns_during(cache.fetch(stream, Query(limit=events), event_filter))
        assert page.total == (0 if event_filter else events)
        return turns

    once, twice = await turns_to_read(400), await turns_to_read(800)
    assert once >= 400 * 20_000 / PIECE_BYTES
    assert 1.8 < twice / once < 2.2
    await cache.close()
