"""Extra collections, such as those of event types, in storages that keep them."""

from collections.abc import Mapping
from typing import Any

from eventscache.conformance.events import error, numbered, payloads, success
from eventscache.conformance.suites.base import MINUTE_US, SuiteBase
from eventscache.conformance.writer import Writer
from eventscache.storage.messages import PERIOD_US, Admission, Decision, Extra, LimitedCount, Offer, Quota, Unsent
from eventscache.stream import Status

_QUOTA = Quota(size=2, window_us=MINUTE_US)
_MOST = 3


async def _insert(writer: Writer, count: int, *names: str, start: int = 0, to_all: bool = True) -> Admission:
    """Insert events that all belong to the named extra collections."""
    offers = [Offer(event, Status.SUCCESS, to_all) for event in numbered(count, start)]
    return await writer.insert(offers, extras=_extras(count, *names))


def _extras(count: int, *names: str) -> Mapping[str, Extra]:
    offered = range(min(count, _QUOTA.size))
    unsent = Unsent(max(0, count - _QUOTA.size))
    return {name: Extra(_QUOTA, _MOST, offered, unsent) for name in names}


class ExtrasSuite(SuiteBase):
    """Extra collections: each keeps its last events and admits so many in any window, whatever others do."""

    async def test_a_flood_pushes_no_event_out_of_an_extra_collection(self) -> None:
        async with self.storage(self.options()) as storage:
            if not storage.has_extras:
                return
            writer = self.writer(storage)
            rare = await _insert(writer, 1, "type:rare")
            assert rare.extras == {"type:rare": Decision(1, 0)}
            for number in range(3):
                self.clock.advance(MINUTE_US)
                await writer.insert(success(*numbered(10, 10 * number)))
            assert b"event 0" not in payloads(await writer.fetch())[-1:]
            page = await writer.fetch(extra="type:rare")
            assert [(entry.sequence, entry.event) for entry in page.entries] == [(1, b"event 0")]

    async def test_an_extra_collection_admits_its_own_quota_and_no_more(self) -> None:
        async with self.storage(self.options()) as storage:
            if not storage.has_extras:
                return
            writer = self.writer(storage)
            first = await _insert(writer, 3, "type:a")
            assert first.all == Decision(3, 0)
            assert first.extras == {"type:a": Decision(2, MINUTE_US)}
            self.clock.advance(MINUTE_US - 1)
            assert (await _insert(writer, 1, "type:a")).extras == {"type:a": Decision(0, 1)}
            self.clock.advance(1)
            again = await _insert(writer, 1, "type:a", "type:b", start=7)
            assert {name: decision.admitted for name, decision in again.extras.items()} == {"type:a": 1, "type:b": 1}
            assert payloads(await writer.fetch(extra="type:a")) == [b"event 7", b"event 1"]
            assert payloads(await writer.fetch(extra="type:b")) == [b"event 7"]

    async def test_what_one_collection_admits_depends_on_no_other(self) -> None:
        async with self.storage(self.options()) as storage:
            if not storage.has_extras:
                return
            with_extras, without = self.writer(storage), self.writer(storage, "other")
            for number in range(40):
                self.clock.advance(number * 97_003)
                admission = await _insert(with_extras, 1 + number % 3, f"type:{number % 7}", "group:x")
                assert admission.all == await self.decide(without, 1 + number % 3)

    async def test_events_may_belong_to_extra_collections_alone(self) -> None:
        async with self.storage(self.options()) as storage:
            if not storage.has_extras:
                return
            writer = self.writer(storage)
            admission = await _insert(writer, 1, "type:a", to_all=False)
            assert (admission.all, admission.extras) == (None, {"type:a": Decision(1, 0)})
            assert (await writer.fetch()).entries == []
            assert payloads(await writer.fetch(extra="type:a")) == [b"event 0"]
            assert (await _insert(writer, 1, start=1)).all == Decision(1, 0)
            assert [entry.sequence for entry in (await writer.fetch()).entries] == [2]

    async def test_a_batch_again_is_answered_for_its_extra_collections_too(self) -> None:
        async with self.storage(self.options()) as storage:
            if not storage.has_extras:
                return
            writer = self.writer(storage)
            batch = writer.batch(success(*numbered(3)), extras=_extras(3, "type:a", "type:b"))
            first = await storage.insert(batch)
            self.clock.advance(1000)
            again = await storage.insert(batch)
            assert again.extras == {
                name: Decision(2, MINUTE_US - 1000) for name, decision in first.extras.items() if decision.admitted
            }
            assert (await writer.fetch(extra="type:a")).total == 2

    async def test_a_new_one_takes_the_place_of_the_least_recently_active_one_of_its_kind(self) -> None:
        async with self.storage(self.options()) as storage:
            if not storage.has_extras:
                return
            writer = self.writer(storage)
            for name in ("type:a", "group:a", "type:b", "type:c", "type:a", "type:d"):
                self.clock.advance(1)
                await _insert(writer, 1, name)
            names = [info.name for info in await storage.extras(writer.stream, "type")]
            assert names == ["type:d", "type:a", "type:c"]
            assert [info.name for info in await storage.extras(writer.stream, "group")] == ["group:a"]
            assert (await writer.fetch(extra="type:b")).entries == []

    async def test_all_events_that_it_was_offered_are_counted(self) -> None:
        async with self.storage(self.options()) as storage:
            if not storage.has_extras:
                return
            writer = self.writer(storage)
            await _insert(writer, 5, "type:a")
            self.clock.advance(1000)
            earlier = Unsent(0, (LimitedCount(10, 7), LimitedCount(0, 1)))
            await writer.insert(extras={"type:a": Extra(_QUOTA, _MOST, (), earlier)})
            (info,) = await storage.extras(writer.stream, "type")
            now_us = self.clock.now_us
            assert info[:5] == ("type:a", 2, 13, now_us - 1000, now_us)

    async def test_what_it_was_offered_is_counted_by_period(self) -> None:
        async with self.storage(self.options()) as storage:
            if not storage.has_extras:
                return
            writer = self.writer(storage)
            counted = []
            self.clock.advance(PERIOD_US - self.clock.now_us % PERIOD_US)
            steps = [(5, 0, "a"), (1, PERIOD_US - 1, "a"), (2, 1, "a"), (3, PERIOD_US, "a"), (1, PERIOD_US, "b")]
            for count, pause_us, name in [*steps, (4, PERIOD_US, "a")]:
                self.clock.advance(pause_us)
                await _insert(writer, count, f"type:{name}")
                if name != "a":
                    continue
                info, *_ = await storage.extras(writer.stream, "type")
                counted.append((info.offered, info.recent, info.earlier))
            assert counted == [(5, 5, 0), (6, 6, 0), (8, 2, 6), (11, 3, 2), (15, 4, 0)]

    async def test_counts_alone_begin_none(self) -> None:
        async with self.storage(self.options()) as storage:
            if not storage.has_extras:
                return
            writer = self.writer(storage)
            unsent = Unsent(0, (LimitedCount(10, 7),))
            admission = await writer.insert(success(b"a"), extras={"type:a": Extra(_QUOTA, _MOST, (), unsent)})
            assert admission.extras == {"type:a": Decision(0, 0)}
            assert await storage.extras(writer.stream, "type") == []

    async def test_clearing_one_touches_nothing_else(self) -> None:
        async with self.storage(self.options()) as storage:
            if not storage.has_extras:
                return
            writer = self.writer(storage)
            await _insert(writer, 5, "type:a", "type:b")
            cleared = [await storage.clear_extra(writer.stream, name) for name in ("type:a", "type:a", "type:c")]
            assert cleared == [2, 0, 0]
            assert [info.name for info in await storage.extras(writer.stream, "type")] == ["type:b"]
            totals = [(await writer.fetch(extra=extra)).total for extra in ("type:a", "type:b", "")]
            assert totals == [0, 2, 5]
            admission = await _insert(writer, 1, "type:a", start=5)
            assert admission.extras["type:a"].admitted == 0
            assert (await storage.extras(writer.stream, "type"))[0][:3] == ("type:a", 0, 1)

    async def test_one_that_is_reset_admits_events_at_once(self) -> None:
        async with self.storage(self.options()) as storage:
            if not storage.has_extras:
                return
            writer = self.writer(storage)
            await _insert(writer, 5, "type:a", "type:b")
            assert await storage.clear_extra(writer.stream, "type:a", reset=True) == 2
            admission = await _insert(writer, 1, "type:a", "type:b", start=5)
            assert [decision.admitted for decision in admission.extras.values()] == [1, 0]
            assert payloads(await writer.fetch(extra="type:a")) == [b"event 5"]

    async def test_a_reader_gets_those_of_an_extra_collection_that_it_asks_for(self) -> None:
        async with self.storage(self.options()) as storage:
            if not storage.has_extras:
                return
            writer = self.writer(storage)
            quota = Quota(size=10, window_us=MINUTE_US)
            offers = [*success(b"a", b"b"), *error(b"c"), Offer(b"d", Status.SKIP)]
            await writer.insert(offers, extras={"type:a": Extra(quota, _MOST, range(4))})
            read: list[tuple[dict[str, Any], list[bytes], int]] = [
                ({}, [b"d", b"c", b"b", b"a"], 4),
                ({"status": Status.ERROR}, [b"c"], 1),
                ({"status": Status.SUCCESS, "limit": 1}, [b"b"], 2),
                ({"before": 4, "after": 1}, [b"c", b"b"], 4),
                ({"limit": 0}, [], 4),
            ]
            for query, expected, total in read:
                page = await writer.fetch(extra="type:a", **query)
                assert (payloads(page), page.total, page.limited) == (expected, total, 0), query
            assert (await writer.fetch(extra="type:b")).total == 0

    async def test_clearing_removes_their_events_and_leaves_their_limiters(self) -> None:
        async with self.storage(self.options()) as storage:
            if not storage.has_extras:
                return
            writer = self.writer(storage)
            await _insert(writer, 2, "type:a")
            await _insert(writer, 1, "type:b", start=5, to_all=False)
            assert await storage.clear(writer.stream) == 3
            assert await storage.extras(writer.stream, "type") == []
            assert (await _insert(writer, 1, "type:a")).extras["type:a"].admitted == 0
            await storage.clear(writer.stream, reset=True)
            assert (await _insert(writer, 1, "type:a")).extras == {"type:a": Decision(1, 0)}

    async def test_their_names_may_be_anything(self) -> None:
        async with self.storage(self.options()) as storage:
            if not storage.has_extras:
                return
            writer = self.writer(storage)
            names = ["type:", "type:a:b", "type:{}\n\0", "type:\u043f \udc80", "type:1a", "type:e1"]
            for number, name in enumerate(names):
                await writer.insert(success(b"%d" % number), extras={name: Extra(_QUOTA, len(names), (0,))})
            for number, name in enumerate(names):
                assert payloads(await writer.fetch(extra=name)) == [b"%d" % number]
