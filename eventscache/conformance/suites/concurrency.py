"""Several writers, batches or storages at once, and calls that are cancelled."""

import asyncio

from eventscache.clock import MICROSECONDS
from eventscache.conformance.events import error, numbered, payloads, success
from eventscache.conformance.suites.base import MINUTE_US, SuiteBase
from eventscache.conformance.writer import DEFAULT_QUOTA, admission_of
from eventscache.errors import TooManyStreams
from eventscache.storage.messages import Decision, Query, Quota
from eventscache.stream import Status


class ConcurrencySuite(SuiteBase):
    """Several writers, batches or storages at once, and calls that are cancelled."""

    async def test_many_writers_at_once_share_one_quota(self) -> None:
        async with self.storage(self.options()) as storage:
            writers = [self.writer(storage) for _ in range(20)]
            answers = await asyncio.gather(*(writer.insert(success(*numbered(3))) for writer in writers))
            assert sum(answer.all.admitted for answer in answers if answer.all) == 10
            page = await writers[0].fetch()
            assert (page.total, page.limited) == (10, 50)
            assert [entry.sequence for entry in page.entries] == list(range(10, 0, -1))

    async def test_batches_of_several_streams_are_inserted_together_each_with_its_own_answer(self) -> None:
        async with self.storage(self.options(max_streams=40)) as storage:
            writers = [self.writer(storage, f"key {number}") for number in range(40)]
            batches = [writer.batch(success(*numbered(number))) for number, writer in enumerate(writers)]
            first = [admission_of(answer) for answer in await storage.insert_many(batches)]
            admitted = [admission.all.admitted if admission.all else 0 for admission in first]
            assert admitted == [min(number, DEFAULT_QUOTA.size) for number in range(40)]
            assert [admission_of(answer) for answer in await storage.insert_many(batches)] == first
            assert [(await writer.fetch()).total for writer in writers] == admitted

    async def test_an_error_of_one_of_several_batches_affects_no_other(self) -> None:
        async with self.storage(self.options(max_streams=2)) as storage:
            old, other, new = (self.writer(storage, name) for name in ("old", "other", "new"))
            newer = other.batch(success(b"newer"))
            older = old.batch(success(b"older"))
            for answer in await storage.insert_many([older, newer]):
                assert admission_of(answer).all == Decision(1, 0)
            failed, stored, again = await storage.insert_many(
                [new.batch(success(b"x"), trusted=False), old.batch(success(b"y")), newer]
            )
            assert isinstance(failed, TooManyStreams)
            assert admission_of(stored).all == Decision(1, 0)
            assert admission_of(again).all == Decision(1, 0)
            assert payloads(await old.fetch()) == [b"y", b"older"]
            assert payloads(await other.fetch()) == [b"newer"]
            assert await storage.insert_many([]) == []

    async def test_a_cancelled_call_is_carried_out_completely_or_not_at_all(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage, quota=Quota(100, MINUTE_US))
            batches = [writer.batch(error(*numbered(2, 2 * number))) for number in range(10)]
            for turns, batch in enumerate(batches):
                task = asyncio.ensure_future(storage.insert(batch))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                answer = await storage.insert(batch)
                assert answer.all is not None
                assert answer.all.admitted == 2
            page, errors = await writer.fetch(), await writer.fetch(status=Status.ERROR)
            assert payloads(page) == payloads(errors) == numbered(20)[::-1]
            assert [entry.sequence for entry in page.entries] == list(range(20, 0, -1))

    async def test_storages_that_share_data_continue_after_each_other(self) -> None:
        options = self.options()
        async with self.storage(options) as storage:
            if not storage.multiprocess:
                return
            writer = self.writer(storage)
            batch = writer.batch([*success(*numbered(8)), *error(*numbered(4))])
            first = await storage.insert(batch)
            page = await writer.fetch()
        self.clock.advance(MICROSECONDS)
        async with self.storage(options) as storage, self.storage(options) as other:
            for reopened in (storage, other):
                repeated = await reopened.insert(batch)
                assert repeated.at_us == first.at_us
                assert repeated.all == Decision(10, MINUTE_US - MICROSECONDS)
                assert await reopened.fetch(batch.stream, Query()) == page
            assert await self.decide(self.writer(other), 1) == Decision(0, MINUTE_US - MICROSECONDS)
            self.clock.advance(MINUTE_US)
            await self.writer(storage).insert(success(b"x"))
            assert (await other.fetch(batch.stream, Query())).entries[0].sequence == 13
