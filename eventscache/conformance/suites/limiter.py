"""What the rate limiters admit, and what they count."""

from eventscache.clock import MICROSECONDS
from eventscache.conformance.events import error, numbered, payloads, success
from eventscache.conformance.suites.base import INTERVAL_US, MINUTE_US, SuiteBase
from eventscache.conformance.writer import DEFAULT_QUOTA
from eventscache.storage.messages import Decision, LimitedCount, Quota, Unsent
from eventscache.stream import Status


class LimiterSuite(SuiteBase):
    """What the rate limiters admit, and what they count."""

    async def test_admits_exactly_the_size_and_counts_the_rest(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            admission = await writer.insert(success(*numbered(25)))
            assert admission.all == Decision(10, MINUTE_US)
            page = await writer.fetch()
            assert payloads(page) == numbered(10)[::-1]
            assert (page.total, page.limited) == (10, 15)

    async def test_surplus_is_limited_and_counted_like_payloads(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            admission = await writer.insert(success(*numbered(10)), all=Unsent(surplus=990))
            assert admission.all == Decision(10, MINUTE_US)
            assert (await writer.fetch()).limited == 990

    async def test_no_window_holds_more_than_the_size(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            for _ in range(10):
                assert (await self.decide(writer, 1)).admitted == 1
                self.clock.advance(1000)
            # The first admission is a window old in one microsecond; the bucket has had a token for long.
            self.clock.advance(MINUTE_US - 10 * 1000 - 1)
            assert await self.decide(writer, 1) == Decision(0, 1)
            self.clock.advance(1)
            assert (await self.decide(writer, 1)).admitted == 1

    async def test_a_limited_stream_loses_the_right_to_a_burst(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            await writer.insert(success(*numbered(11)))
            self.clock.advance(MINUTE_US - 1)
            await writer.insert(success(b"limited"))
            self.clock.advance(1)
            # The log would admit ten, but the bucket was left with one token a moment ago.
            admission = await writer.insert(success(*numbered(10)))
            assert admission.all == Decision(1, INTERVAL_US - 1)

    async def test_a_stream_within_its_quota_is_never_limited(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            for _ in range(5):
                assert (await self.decide(writer, 10)).admitted == 10
                self.clock.advance(MINUTE_US)
            assert (await writer.fetch()).limited == 0

    async def test_retry_after_is_exact_to_the_microsecond(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage, quota=Quota(7, MINUTE_US))
            retry_after_us = (await self.decide(writer, 30)).retry_after_us
            for _ in range(20):  # the log decides at first, then the bucket
                self.clock.advance(retry_after_us - 1)
                assert await self.decide(writer, 1) == Decision(0, 1)
                self.clock.advance(1)
                decision = await self.decide(writer, 2)
                assert decision.admitted == 1
                retry_after_us = decision.retry_after_us

    async def test_each_collection_has_its_own_limiter(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            await writer.insert(success(*numbered(15)))
            admission = await writer.insert(error(*numbered(12)))
            assert admission.all == Decision(0, MINUTE_US)
            assert admission.error == Decision(10, MINUTE_US)
            assert (await writer.fetch()).limited == 17
            errors = await writer.fetch(status=Status.ERROR)
            assert (errors.total, errors.limited) == (10, 2)

    async def test_another_quota_caps_the_bucket_and_is_reported(self) -> None:
        async with self.storage(self.options()) as storage:
            wide, narrow = self.writer(storage), self.writer(storage, quota=Quota(3, MINUTE_US))
            assert (await wide.insert(success(*numbered(2)))).other_quota is None
            admission = await narrow.insert(success(*numbered(5)))
            assert admission.all is not None
            assert admission.all.admitted == 1
            assert admission.other_quota == DEFAULT_QUOTA
            assert (await narrow.fetch()).total == 3
            assert (await narrow.insert()).other_quota is None

    async def test_a_quota_that_limits_nothing_takes_no_tokens(self) -> None:
        async with self.storage(self.options()) as storage:
            limited = self.writer(storage)
            unlimited = self.writer(storage, quota=Quota.without_limit(limited.quota.size))
            await unlimited.insert(success(b"a"))
            self.clock.advance(1)
            size = limited.quota.size
            admission = await limited.insert(success(*numbered(size)))
            assert admission.all
            assert admission.all.admitted == size - 1

    async def test_events_limited_earlier_count_at_their_age(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            earlier = Unsent(limited_earlier=(LimitedCount(3 * INTERVAL_US, 4), LimitedCount(2 * INTERVAL_US, 5)))
            admission = await writer.insert(success(*numbered(10)), all=earlier)
            # The bucket was left with one token two intervals ago, and got two since.
            assert admission.all == Decision(3, INTERVAL_US)
            assert (await writer.fetch()).limited == 4 + 5 + 7

    async def test_events_limited_earlier_may_come_alone_and_leave_the_count_after_a_minute(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            old = Unsent(limited_earlier=(LimitedCount(61 * MICROSECONDS, 1000), LimitedCount(59 * MICROSECONDS, 7)))
            admission = await writer.insert(all=old)
            assert admission.all == Decision(0, 0)
            assert admission.error is None
            assert (await writer.fetch()).limited == 7
            self.clock.advance(MICROSECONDS)
            assert (await writer.fetch()).limited == 0

    async def test_the_count_of_limited_events_covers_a_minute(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            for _ in range(61):
                await writer.insert(success(*numbered(10)), all=Unsent(surplus=5))
                self.clock.advance(MICROSECONDS)
            first = (await writer.fetch()).limited
            self.clock.advance(58 * MICROSECONDS)
            last = (await writer.fetch()).limited
            self.clock.advance(MICROSECONDS)
            assert (await writer.fetch()).limited == 0
            assert first > last > 0

    async def test_a_clock_that_steps_back_limits_a_stream_for_a_window_at_most(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            await writer.insert(success(*numbered(10)))
            self.clock.advance(-3600 * MICROSECONDS)
            assert await self.decide(writer, 1) == Decision(0, MINUTE_US)
            self.clock.advance(MINUTE_US)
            assert (await self.decide(writer, 1)).admitted == 1
            times = [entry.admitted_us for entry in (await writer.fetch()).entries]
            assert times == sorted(times, reverse=True)
