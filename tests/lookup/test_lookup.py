"""The search over all streams: what it finds, and its bounds."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from eventscache.cache import EventsCache
from eventscache.errors import StorageUnavailable
from eventscache.event import Event
from eventscache.lookup import lookup as lookup_module
from eventscache.lookup.lookup import Found, Lookup
from eventscache.lookup.reading import CALLS_AT_ONCE
from eventscache.lookup.wanted import ByEventId, ByField
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Page, Query, Quota
from eventscache.stream import Namespace, Stream
from tests.support.loop_turns import turns_during

KEY = Stream(Namespace.TOKEN, "key")
LARGE = Quota(1000, 60_000_000)


class Storage(MemoryStorage):
    """Notes what it is asked, and may ignore which bytes are asked for."""

    def __init__(self, *, ignores_bytes: bool = False, unreadable: int = 0) -> None:
        super().__init__()
        self.ignores_bytes = ignores_bytes
        self.unreadable = unreadable
        self.queries: list[Query] = []
        self.calls = self.most_calls = 0
        self.away = False

    async def fetch(self, stream: Stream, query: Query) -> Page:
        self.queries.append(query)
        self.calls += 1
        self.most_calls = max(self.most_calls, self.calls)
        await asyncio.sleep(0)
        self.calls -= 1
        if self.away:
            raise StorageUnavailable("away")
        page = await super().fetch(stream, query._replace(containing=b"") if self.ignores_bytes else query)
        return page._replace(entries=page.entries[self.unreadable :], unreadable=self.unreadable)


@asynccontextmanager
async def opened(storage: Storage, quota: Quota = LARGE) -> AsyncIterator[EventsCache]:
    cache = EventsCache(storage, quota=quota, ack_timeout_seconds=60)
    await cache.open()
    try:
        yield cache
    finally:
        await cache.close()


def event(stream: Stream, event_id: str, second: int = 0, original: dict[str, Any] | None = None, **more: Any) -> Event:
    body = json.dumps({"event_id": event_id, **(original or {})}).encode()
    return Event.of(stream, original=body, timestamp=f"2026-01-01T12:00:{second:02}.000000Z", **more)


async def store(cache: EventsCache, stream: Stream, *event_ids: str, **more: Any) -> None:
    assert await cache.store([(stream, event(stream, event_id, **more)) for event_id in event_ids])


def destination(name: str) -> Stream:
    return Stream(Namespace.DESTINATION, name)


async def find(cache: EventsCache, event_id: str) -> Found:
    return await Lookup(cache).find(ByEventId(event_id), 10)


@pytest.mark.parametrize("ignores_bytes", [False, True])
async def test_an_event_is_found_in_every_stream_whether_or_not_the_storage_looks_for_bytes(
    *, ignores_bytes: bool
) -> None:
    storage = Storage(ignores_bytes=ignores_bytes)
    async with opened(storage) as cache:
        for stream in (KEY, destination("a"), destination("b")):
            await store(cache, stream, "other", "x", "x2")
        found = await find(cache, "x")
    ((way, waiting),) = found.ways
    assert ([step.stream for step in way.received], sorted(way.destinations), waiting) == ([KEY], ["a", "b"], [])
    assert (found.streams, found.more, found.complete, found.pending_complete) == (3, False, True, True)
    assert found.events == (9 if ignores_bytes else 6)  # "x" is in "x2"


async def test_events_of_any_number_and_size_are_found_page_by_page() -> None:
    for storage in (Storage(ignores_bytes=True), Storage(ignores_bytes=True, unreadable=3)):
        async with opened(storage) as cache:
            await store(cache, KEY, "x", *(f"other {number}" for number in range(900)))
            assert (await find(cache, "x")).ways
    # All that is not plain is compared by us.
    async with opened(Storage()) as cache:
        await store(cache, KEY, "é/\\", *(f"other {number}" for number in range(300)))
        assert (await find(cache, "é/\\")).ways


async def test_an_error_that_newer_events_pushed_out_is_found_in_its_own_collection() -> None:
    async with opened(Storage(), Quota(3, 1)) as cache:
        await store(cache, destination("a"), "x", error="down")
        for _ in range(3):
            await store(cache, destination("a"), "y")
        ((way, _),) = (await find(cache, "x")).ways
    assert way.destinations["a"][0].error == "down"


async def test_a_field_finds_several_events_the_newest_first() -> None:
    async with opened(Storage()) as cache:
        for second, event_id in enumerate("abc"):
            await store(cache, KEY, event_id, second=second, original={"user": {"id": 7}})
        await store(cache, KEY, "d", original={"user": {"id": 77}})
        wanted = ByField(("user", "id"), "7")
        everything = await Lookup(cache).find(wanted, 10)
        newest = await Lookup(cache).find(wanted, 2)
    assert ([way.event_id for way, _ in everything.ways], everything.more) == (["c", "b", "a"], False)
    assert ([way.event_id for way, _ in newest.ways], newest.more) == (["c", "b"], True)


async def test_what_is_pending_is_inferred_from_other_events_of_the_token() -> None:
    async with opened(Storage()) as cache:
        await store(cache, KEY, "x", "other")
        await store(cache, Stream(Namespace.TOKEN, "second"), "strange")
        await store(cache, destination("a"), "x")
        await store(cache, destination("b"), "other", second=9)
        await store(cache, destination("c"), "strange")
        ((_, waiting),) = (await find(cache, "x")).ways
    assert [(one.destination_id, one.may_be_gone) for one in waiting] == [("b", False)]


async def test_a_full_destination_whose_events_are_all_younger_may_have_had_the_event() -> None:
    async with opened(Storage(), Quota(2, 1)) as cache:
        await store(cache, KEY, "x", "other")
        await store(cache, destination("b"), "other", "another", second=9)
        ((_, waiting),) = (await find(cache, "x")).ways
    assert [(one.destination_id, one.may_be_gone) for one in waiting] == [("b", True)]


async def test_the_most_recently_active_streams_are_searched_and_others_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lookup_module, "MOST_STREAMS", 2)
    async with opened(Storage()) as cache:
        await store(cache, destination("a"), "x")
        await store(cache, destination("b"), "x")
        assert (await find(cache, "x")).complete
        await store(cache, KEY, "x")
        found = await find(cache, "x")
    ((way, _),) = found.ways
    assert way.received
    assert len(way.destinations) == 1
    assert (found.streams, found.complete, found.pending_complete) == (2, False, False)


@pytest.mark.parametrize("bound", ["_MOST_EVENTS", "_MOST_BYTES"])
async def test_a_search_ends_at_its_bounds_and_says_so(monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    async with opened(Storage(ignores_bytes=True)) as cache:
        await store(cache, KEY, *(f"{number}" for number in range(500)))
        assert (await find(cache, "0")).complete
        monkeypatch.setattr(lookup_module, bound, 100)
        found = await find(cache, "0")
    assert (found.ways, found.complete) == ([], False)
    assert 0 < found.events < 500


@pytest.mark.parametrize("bound", ["_MOST_RECENT_EVENTS", "_MOST_RECENT_BYTES"])
async def test_what_is_pending_is_bounded_too(monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    monkeypatch.setattr(lookup_module, bound, 1)
    async with opened(Storage()) as cache:
        await store(cache, KEY, "x", "other")
        for number in range(3 * CALLS_AT_ONCE):
            await store(cache, destination(str(number)), "other")
        found = await find(cache, "x")
    assert found.ways
    assert (found.complete, found.pending_complete) == (True, False)


async def test_all_lookups_together_ask_the_storage_for_a_few_streams_at_a_time() -> None:
    storage = Storage()
    async with opened(storage) as cache:
        for number in range(30):
            await store(cache, destination(str(number)), "x")
        storage.most_calls = 0
        lookup = Lookup(cache)
        everything = await asyncio.gather(*(lookup.find(ByEventId("x"), 10) for _ in range(5)))
    assert {len(found.ways[0][0].destinations) for found in everything} == {30}
    assert storage.most_calls == CALLS_AT_ONCE


async def test_a_storage_that_is_away_ends_a_lookup_at_once() -> None:
    storage = Storage()
    async with opened(storage) as cache:
        for number in range(100):
            await store(cache, destination(str(number)), "x")
        storage.away = True
        storage.queries.clear()
        with pytest.raises(StorageUnavailable):
            await find(cache, "x")
        assert len(storage.queries) <= 2 * CALLS_AT_ONCE
        assert storage.calls == 0


async def test_others_have_their_turns_during_a_lookup() -> None:
    async with opened(Storage()) as cache:
        for number in range(5):
            large = [(destination(str(number)), Event(original=b'{"a":"%s"}' % (b"x" * 500_000))) for _ in range(20)]
            assert await cache.store(large)
        turns, found = await turns_during(Lookup(cache).find(ByField(("a",), "x"), 10))
    assert found.ways == []
    assert turns > 50  # of 50 MB
