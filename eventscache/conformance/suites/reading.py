"""What a reader gets of the events that were stored."""

from typing import Any

from eventscache.conformance.events import error, numbered, payloads, success
from eventscache.conformance.suites.base import MINUTE_US, SuiteBase
from eventscache.storage.messages import Offer, Page, Query
from eventscache.stream import Namespace, Status, Stream


class ReadingSuite(SuiteBase):
    """What a reader gets of the events that were stored."""

    async def test_it_opens_answers_and_closes_twice(self) -> None:
        async with self.storage(self.options()) as storage:
            await storage.ping()
        await storage.close()

    async def test_an_unknown_stream_is_an_empty_page_and_leaves_no_trace(self) -> None:
        async with self.storage(self.options()) as storage:
            unknown = Stream(Namespace.DESTINATION, "nobody")
            assert await storage.fetch(unknown, Query()) == Page([], 0, 0)
            assert await storage.clear(unknown) == 0
            assert await storage.streams(Namespace.DESTINATION) == []

    async def test_events_come_back_newest_first_and_byte_for_byte(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            odd = [bytes(range(256)), b"", b'{"a":1.10}', b"\r\n" * 3, b"x" * 100_000]
            admission = await writer.insert(success(*odd))
            assert admission.all is not None
            assert admission.all.admitted == len(odd)
            assert admission.error is None
            page = await writer.fetch()
            assert payloads(page) == odd[::-1]
            assert [entry.sequence for entry in page.entries] == [5, 4, 3, 2, 1]
            assert {entry.admitted_us for entry in page.entries} == {self.clock.now_us}
            assert (page.total, page.limited) == (5, 0)

    async def test_the_last_events_stay_and_older_ones_are_trimmed(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            await writer.insert(error(*numbered(6)))
            self.clock.advance(MINUTE_US)
            await writer.insert(error(*numbered(9, 6)))
            for status in (None, Status.ERROR):
                page = await writer.fetch(status=status)
                assert payloads(page) == numbered(15)[:4:-1]
                assert page.total == 10
            self.clock.advance(MINUTE_US)
            await writer.insert(error(*numbered(1, 15)))  # one event more than the size
            assert payloads(await writer.fetch()) == numbered(16)[:5:-1]
            assert (await writer.fetch(status=Status.ERROR)).total == 10

    async def test_a_flood_of_successes_pushes_no_error_out(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            both = await writer.insert(error(b"failed"))
            assert both.all is not None
            assert both.error is not None
            assert both.all.admitted == both.error.admitted == 1
            for _ in range(3):
                self.clock.advance(MINUTE_US)
                await writer.insert(success(*numbered(10)))
            assert b"failed" not in payloads(await writer.fetch())
            errors = await writer.fetch(status=Status.ERROR)
            assert payloads(errors) == [b"failed"]
            assert errors.entries[0].status is Status.ERROR
            assert errors.total == 1

    async def test_an_error_has_one_number_in_both_collections(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            await writer.insert([*success(b"a"), *error(b"b"), *success(b"c")])
            everything = await writer.fetch()
            assert [(e.sequence, e.event) for e in everything.entries] == [(3, b"c"), (2, b"b"), (1, b"a")]
            errors = await writer.fetch(status=Status.ERROR)
            assert errors.entries == [everything.entries[1]]

    async def test_an_error_can_be_offered_to_either_collection_alone(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            await writer.insert(
                [
                    Offer(b"to error", Status.ERROR, to_all=False, to_error=True),
                    Offer(b"to all", Status.ERROR, to_all=True, to_error=False),
                    Offer(b"skipped", Status.SKIP),
                ]
            )
            everything = await writer.fetch()
            assert [(e.sequence, e.event) for e in everything.entries] == [(3, b"skipped"), (2, b"to all")]
            errors = await writer.fetch(status=Status.ERROR)
            assert [(e.sequence, e.event) for e in errors.entries] == [(1, b"to error")]

    async def test_a_query_filters_by_status(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            await writer.insert(
                [*success(b"1", b"2"), Offer(b"3", Status.SKIP), *error(b"4"), Offer(b"5", Status.SKIP)]
            )
            await writer.insert(success(b"6"))
            assert payloads(await writer.fetch(status=Status.SUCCESS)) == [b"6", b"2", b"1"]
            skipped = await writer.fetch(status=Status.SKIP, limit=1)
            assert payloads(skipped) == [b"5"]
            assert skipped.total == 2
            assert payloads(await writer.fetch(status=Status.ERROR)) == [b"4"]
            assert (await writer.fetch(limit=2)).total == 6

    async def test_a_query_pages_by_sequence_number(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            await writer.insert(success(*numbered(8)))

            async def numbers(**query: Any) -> list[int]:
                page = await writer.fetch(**query)
                assert page.total == 8
                return [entry.sequence for entry in page.entries]

            assert await numbers(before=4) == [3, 2, 1]
            assert await numbers(before=4, limit=2) == [3, 2]
            assert await numbers(after=6) == [8, 7]
            assert await numbers(after=2, before=6, limit=2) == [5, 4]
            assert await numbers(after=2, before=6, status=Status.SUCCESS) == [5, 4, 3]
            assert await numbers(after=8) == []
            assert await numbers(limit=0) == []
            assert await numbers(limit=1_000_000) == [8, 7, 6, 5, 4, 3, 2, 1]

    async def test_a_query_for_events_that_contain_bytes_leaves_none_of_them_out(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            odd = [b"\0 50% of (a)", b"50%", b"'; x", b"\xff\xfe50%"]
            await writer.insert([*success(*odd), *error(b"failed 50%"), Offer(b"skipped", Status.SKIP)])

            async def numbers(containing: bytes, **query: Any) -> list[int]:
                page = await writer.fetch(containing=containing, **query)
                return [entry.sequence for entry in page.entries if containing in entry.event]

            assert await numbers(b"50%") == [5, 4, 2, 1]
            assert await numbers(b"\0") == [1]
            assert await numbers(b"\xff") == [4]
            assert await numbers(b"'") == [3]
            assert await numbers(b"50%", before=4, after=1) == [2]
            assert await numbers(b"50%", status=Status.ERROR) == [5]
            assert await numbers(b"skipped", status=Status.SKIP) == [6]
            assert await numbers(b"absent") == []
            assert (await writer.fetch(containing=b"absent")).total == 6
            assert (await writer.fetch(containing=b"skipped", limit=0)).entries == []

    async def test_reading_on_after_a_full_page_finds_every_event_that_contains_bytes(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            await writer.insert(success(b"a0", b"b1", b"a2", b"b3", b"a4"))
            found, before = [], None
            while page := (await writer.fetch(containing=b"a", limit=1, before=before)).entries:
                found += [entry.event for entry in page if b"a" in entry.event]
                before = page[-1].sequence
            assert found == [b"a4", b"a2", b"a0"]

    async def test_numbers_in_a_query_may_be_of_any_size(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            await writer.insert(success(*numbered(3)))
            assert (await writer.fetch(before=2**53, limit=2**31)).total == 3
            assert len((await writer.fetch(before=2**53, after=0)).entries) == 3
            assert (await writer.fetch(after=2**53)).entries == []
