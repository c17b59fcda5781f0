"""The same batch again, and the answers to a writer."""

from eventscache.clock import MICROSECONDS
from eventscache.conformance.events import error, numbered, payloads, success
from eventscache.conformance.suites.base import MINUTE_US, SuiteBase
from eventscache.storage.messages import Decision, Quota
from eventscache.stream import Status


class IdempotenceSuite(SuiteBase):
    """The same batch again, and the answers to a writer."""

    async def test_the_same_batch_again_changes_nothing(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            batch = writer.batch([*success(*numbered(9)), *error(*numbered(3))])
            first = await storage.insert(batch)
            before = await writer.fetch(), await writer.fetch(status=Status.ERROR)
            self.clock.advance(MICROSECONDS)
            second = await storage.insert(batch)
            assert second.all == Decision(10, MINUTE_US - MICROSECONDS)
            assert second.error is not None
            assert first.error is not None
            assert second.error.admitted == first.error.admitted == 3
            assert second.error.retry_after_us == max(0, first.error.retry_after_us - MICROSECONDS)
            assert (await writer.fetch(), await writer.fetch(status=Status.ERROR)) == before

    async def test_an_empty_batch_gets_the_same_answer_twice(self) -> None:
        async with self.storage(self.options()) as storage:
            batch = self.writer(storage).batch()
            first = await storage.insert(batch)
            assert (first.all, first.error, first.stale) == (None, None, False)
            assert await storage.insert(batch) == first

    async def test_the_answer_has_the_time_of_the_decision(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            batch, decided_us = writer.batch(success(b"a")), self.clock.now_us
            assert (await storage.insert(batch)).at_us == decided_us
            self.clock.advance(MICROSECONDS)
            assert (await storage.insert(batch)).at_us == decided_us
            self.clock.advance(-MINUTE_US)
            # The stream's time stands where it was, until the clock goes on.
            assert (await writer.insert(success(b"b"))).at_us == decided_us
            assert [entry.admitted_us for entry in (await writer.fetch()).entries] == [decided_us, decided_us]

    async def test_an_older_number_is_stale(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            older, newer = writer.batch(success(b"older")), writer.batch(success(b"newer"))
            await storage.insert(newer)
            answer = await storage.insert(older)
            assert answer.stale
            assert payloads(await writer.fetch()) == [b"newer"]

    async def test_writers_are_independent_of_each_other(self) -> None:
        async with self.storage(self.options()) as storage:
            for event in (b"one", b"two", b"three"):
                admission = await self.writer(storage).insert(success(event))
                assert not admission.stale
            assert payloads(await self.writer(storage).fetch()) == [b"three", b"two", b"one"]

    async def test_the_last_answers_of_a_hundred_writers_are_remembered(self) -> None:
        async with self.storage(self.options()) as storage:
            writers = [self.writer(storage, quota=Quota(1000, MINUTE_US)) for _ in range(100)]
            batches = [writer.batch(success(b"%d" % number)) for number, writer in enumerate(writers)]
            first = [await storage.insert(batch) for batch in batches]
            again = [await storage.insert(batch) for batch in batches]
            assert [answer.all for answer in again] == [answer.all for answer in first]
            assert (await writers[0].fetch()).total == 100
