"""A cache whose limiter is off: it keeps the newest events, and refuses none."""

import pytest

from eventscache.cache import EventsCache
from eventscache.config.settings import Settings
from eventscache.event import Event
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Query
from eventscache.stream import Status
from tests.support.cache_bench import TOKEN, until

SIZE = 10


@pytest.mark.parametrize("count", [1, 9, 10, 11, 25, 1500])
@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("fields", [{}, {"error": "broken"}])
async def test_the_newest_events_are_kept_and_all_are_stored(
    count: int, together: bool, fields: dict[str, str]
) -> None:
    quota = Settings(size=SIZE, limited=False).quota
    cache = EventsCache(MemoryStorage(), quota=quota)
    await cache.open()
    events = [Event.of(TOKEN, original=b"%d" % number, **fields) for number in range(count)]
    for some in [events] if together else [[event] for event in events]:
        assert cache.offer([(TOKEN, event) for event in some])
    await until(lambda: cache.ledger.queued == 0)
    assert (cache.ledger.stored, cache.ledger.limited, cache.ledger.dropped.total()) == (count, 0, 0)
    for status in (None, *([Status.ERROR] if fields else [])):
        page = await cache.fetch(TOKEN, Query(status))
        kept = [int(event.original) for _, event in page.events]
        assert kept == [*range(count - 1, max(0, count - SIZE) - 1, -1)]
        assert (page.total, page.limited) == (min(count, SIZE), 0)
    await cache.close()


async def test_a_caller_who_waits_learns_that_all_are_stored() -> None:
    cache = EventsCache(MemoryStorage(), quota=Settings(size=SIZE, limited=False).quota)
    await cache.open()
    receipt = await cache.store([(TOKEN, Event.of(TOKEN, original=b"{}")) for _ in range(3 * SIZE + 1)])
    assert receipt is not None
    assert (receipt.stored, receipt.limited) == (3 * SIZE + 1, 0)
    await cache.close()


async def test_originals_are_not_limited_either() -> None:
    cache = EventsCache(MemoryStorage(), quota=Settings(size=SIZE, limited=False).quota, per_type=2)
    await cache.open()
    for start in range(0, 100, 25):
        assert cache.offer_originals(TOKEN, [b'{"event_type":"a","n":%d}' % n for n in range(start, start + 25)])
    await until(lambda: cache.ledger.queued == 0)
    assert (cache.ledger.stored, cache.ledger.limited) == (100, 0)
    page = await cache.fetch(TOKEN, Query())
    assert [event.original for _, event in page.events] == [b'{"event_type":"a","n":%d}' % n for n in range(99, 89, -1)]
    await cache.close()
