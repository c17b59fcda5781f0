"""The promises of the storage contract, one method each, over whatever backend they are given.

They never wait: time is `StorageOptions.now`. `eventscache.testing` makes them a pytest suite, and
`eventscache storage verify` runs them against a live backend.
"""

import asyncio
import itertools
import secrets
from collections.abc import Iterable
from typing import Any

import msgspec

from eventscache.clock import MICROSECONDS
from eventscache.errors import StorageError, TooManyStreams
from eventscache.storage.base import Storage
from eventscache.storage.messages import Admission, Batch, Decision, LimitedCount, Offer, Page, Query, Quota, Unsent
from eventscache.storage.options import StorageOptions
from eventscache.stream import Namespace, Status, Stream

MINUTE_US = 60 * MICROSECONDS
QUOTA = Quota(size=10, window_us=MINUTE_US)
INTERVAL_US = MINUTE_US // 10


class ManualClock:
    """A clock in microseconds that moves only when it is told to."""

    def __init__(self, now_us: int = 1_700_000_000 * MICROSECONDS) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us

    def advance(self, microseconds: int) -> None:
        """Move the clock, backwards if negative."""
        self.now_us += microseconds


def success(*events: bytes) -> list[Offer]:
    """Return events that went well."""
    return [Offer(event, Status.SUCCESS) for event in events]


def error(*events: bytes) -> list[Offer]:
    """Return failed events, offered to both collections."""
    return [Offer(event, Status.ERROR, to_error=True) for event in events]


def numbered(count: int, start: int = 0) -> list[bytes]:
    """Return that many distinct events."""
    return [b"event %d" % number for number in range(start, start + count)]


class Writer:
    """Numbers batches as one process incarnation does."""

    def __init__(self, storage: Storage, stream: Stream, quota: Quota = QUOTA) -> None:
        self.storage = storage
        self.stream = stream
        self.quota = quota
        self._name = secrets.token_hex(8)
        self._numbers = itertools.count(1)

    def batch(
        self,
        offers: Iterable[Offer] = (),
        *,
        all: Unsent = Unsent(),
        error: Unsent = Unsent(),
        may_evict: bool = True,
    ) -> Batch:
        """Return the next batch."""
        return Batch(self.stream, self.quota, self._name, next(self._numbers), tuple(offers), all, error, may_evict)

    async def insert(self, offers: Iterable[Offer] = (), **shares: Any) -> Admission:
        """Insert the next batch."""
        return await self.storage.insert(self.batch(offers, **shares))

    async def fetch(self, **query: Any) -> Page:
        """Fetch the stream."""
        return await self.storage.fetch(self.stream, Query(**query))


def payloads(page: Page) -> list[bytes]:
    """Return the events of a page."""
    return [entry.event for entry in page.entries]


def judged(answer: Admission | StorageError) -> Admission:
    """Return an answer, or raise the fault that it is."""
    if isinstance(answer, StorageError):
        raise answer
    return answer


class Conformance:
    """The promises of `eventscache.storage.base.Storage`; each `test_...` is one of them."""

    prefix = "eventscache:scratch"
    """What the prefixes of the scratch data begin with."""

    clock: ManualClock

    def storage(self, options: StorageOptions) -> Storage:
        """Return a closed storage that holds nothing yet; `options.prefix` sets it apart where data is shared."""
        raise NotImplementedError

    def setup_method(self) -> None:
        """Start each promise with a clock of its own."""
        self.clock = ManualClock()

    def options(self, **changes: Any) -> StorageOptions:
        """Return the suite's options: its clock, a scratch prefix, and patience with a slow machine."""
        prefix = f"{self.prefix}-{secrets.token_hex(6)}"
        return msgspec.structs.replace(StorageOptions(prefix=prefix, now=self.clock, timeout_seconds=60), **changes)

    def writer(self, storage: Storage, stream_id: str = "key", quota: Quota = QUOTA) -> Writer:
        """Return a writer for a token's stream."""
        return Writer(storage, Stream(Namespace.TOKEN, stream_id), quota)

    async def judge(self, writer: Writer, count: int) -> Decision:
        """Offer that many successes and return the verdict."""
        admission = await writer.insert(success(*numbered(count)))
        assert admission.all is not None
        return admission.all

    async def test_opens_answers_and_closes_twice(self) -> None:
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

    async def test_admits_exactly_the_size_and_counts_the_rest(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            admission = await writer.insert(success(*numbered(25)))
            assert admission.all == Decision(10, MINUTE_US)
            page = await writer.fetch()
            assert payloads(page) == numbered(10)[::-1]
            assert (page.total, page.limited) == (10, 15)

    async def test_the_last_events_stay_and_older_ones_leave(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            await writer.insert(error(*numbered(6)))
            self.clock.advance(MINUTE_US)
            await writer.insert(error(*numbered(9, 6)))
            for status in (None, Status.ERROR):
                page = await writer.fetch(status=status)
                assert payloads(page) == numbered(15)[:4:-1]
                assert page.total == 10

    async def test_surplus_is_refused_and_counted_like_payloads(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            admission = await writer.insert(success(*numbered(10)), all=Unsent(surplus=990))
            assert admission.all == Decision(10, MINUTE_US)
            assert (await writer.fetch()).limited == 990

    async def test_no_window_holds_more_than_the_size(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            for _ in range(10):
                assert (await self.judge(writer, 1)).admitted == 1
                self.clock.advance(1000)
            # A microsecond before the first admission is a window old, the bucket has long refilled a token.
            self.clock.advance(MINUTE_US - 10 * 1000 - 1)
            assert await self.judge(writer, 1) == Decision(0, 1)
            self.clock.advance(1)
            assert (await self.judge(writer, 1)).admitted == 1

    async def test_who_is_refused_loses_the_right_to_a_burst(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            await writer.insert(success(*numbered(11)))
            self.clock.advance(MINUTE_US - 1)
            await writer.insert(success(b"refused"))
            self.clock.advance(1)
            # The log has room for ten; the refusal a moment ago left one token.
            admission = await writer.insert(success(*numbered(10)))
            assert admission.all == Decision(1, INTERVAL_US - 1)

    async def test_a_stream_within_its_quota_is_never_limited(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            for _ in range(5):
                assert (await self.judge(writer, 10)).admitted == 10
                self.clock.advance(MINUTE_US)
            assert (await writer.fetch()).limited == 0

    async def test_retry_names_the_very_microsecond(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage, quota=Quota(7, MINUTE_US))
            retry_after_us = (await self.judge(writer, 30)).retry_after_us
            for _ in range(20):  # through the log's opening at first, then through the bucket's
                self.clock.advance(retry_after_us - 1)
                assert await self.judge(writer, 1) == Decision(0, 1)
                self.clock.advance(1)
                verdict = await self.judge(writer, 2)
                assert verdict.admitted == 1
                retry_after_us = verdict.retry_after_us

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

    async def test_carried_refusals_are_booked_at_their_age(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            carried = Unsent(limited_earlier=(LimitedCount(3 * INTERVAL_US, 4), LimitedCount(2 * INTERVAL_US, 5)))
            admission = await writer.insert(success(*numbered(10)), all=carried)
            # One token was left two intervals ago, and two have come since.
            assert admission.all == Decision(3, INTERVAL_US)
            assert (await writer.fetch()).limited == 4 + 5 + 7

    async def test_carried_refusals_may_come_alone_and_age_out_of_the_count(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            old = Unsent(limited_earlier=(LimitedCount(61 * MICROSECONDS, 1000), LimitedCount(59 * MICROSECONDS, 7)))
            admission = await writer.insert(all=old)
            assert admission.all == Decision(0, 0)
            assert admission.error is None
            assert (await writer.fetch()).limited == 7
            self.clock.advance(MICROSECONDS)
            assert (await writer.fetch()).limited == 0

    async def test_the_count_of_refusals_covers_a_minute(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            for _ in range(61):
                await writer.insert(success(*numbered(10)), all=Unsent(surplus=5))
                self.clock.advance(MICROSECONDS)
            refused = (await writer.fetch()).limited
            self.clock.advance(58 * MICROSECONDS)
            last = (await writer.fetch()).limited
            self.clock.advance(MICROSECONDS)
            assert (await writer.fetch()).limited == 0
            assert refused > last > 0

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

    async def test_a_batch_that_brought_nothing_is_answered_alike_twice(self) -> None:
        async with self.storage(self.options()) as storage:
            batch = self.writer(storage).batch()
            first = await storage.insert(batch)
            assert (first.all, first.error, first.stale) == (None, None, False)
            assert await storage.insert(batch) == first

    async def test_a_batch_is_told_when_it_was_judged(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            batch, judged_us = writer.batch(success(b"a")), self.clock.now_us
            assert (await storage.insert(batch)).at_us == judged_us
            self.clock.advance(MICROSECONDS)
            assert (await storage.insert(batch)).at_us == judged_us
            self.clock.advance(-MINUTE_US)
            # The stream's time stands where it was, until the clock goes on.
            assert (await writer.insert(success(b"b"))).at_us == judged_us
            assert [entry.admitted_us for entry in (await writer.fetch()).entries] == [judged_us, judged_us]

    async def test_batches_of_several_streams_go_together_each_with_its_own_answer(self) -> None:
        async with self.storage(self.options(max_streams=40)) as storage:
            writers = [self.writer(storage, f"key {number}") for number in range(40)]
            batches = [writer.batch(success(*numbered(number))) for number, writer in enumerate(writers)]
            first = [judged(answer) for answer in await storage.insert_many(batches)]
            admitted = [verdict.all.admitted if verdict.all else 0 for verdict in first]
            assert admitted == [min(number, QUOTA.size) for number in range(40)]
            assert [judged(answer) for answer in await storage.insert_many(batches)] == first
            assert [(await writer.fetch()).total for writer in writers] == admitted

    async def test_what_is_wrong_with_one_of_several_batches_spoils_no_other(self) -> None:
        async with self.storage(self.options(max_streams=2)) as storage:
            old, other, new = (self.writer(storage, name) for name in ("old", "other", "new"))
            newer = other.batch(success(b"newer"))
            older = old.batch(success(b"older"))
            for answer in await storage.insert_many([older, newer]):
                assert judged(answer).all == Decision(1, 0)
            refused, stored, again = await storage.insert_many(
                [new.batch(success(b"x"), may_evict=False), old.batch(success(b"y")), newer]
            )
            assert isinstance(refused, TooManyStreams)
            assert judged(stored).all == Decision(1, 0)
            assert judged(again).all == Decision(1, 0)
            assert payloads(await old.fetch()) == [b"y", b"older"]
            assert payloads(await other.fetch()) == [b"newer"]
            assert await storage.insert_many([]) == []

    async def test_an_older_number_is_stale(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            older, newer = writer.batch(success(b"older")), writer.batch(success(b"newer"))
            await storage.insert(newer)
            answer = await storage.insert(older)
            assert answer.stale
            assert payloads(await writer.fetch()) == [b"newer"]

    async def test_writers_do_not_know_each_other(self) -> None:
        async with self.storage(self.options()) as storage:
            for event in (b"one", b"two", b"three"):
                admission = await self.writer(storage).insert(success(event))
                assert not admission.stale
            assert payloads(await self.writer(storage).fetch()) == [b"three", b"two", b"one"]

    async def test_many_writers_at_once_share_one_quota(self) -> None:
        async with self.storage(self.options()) as storage:
            writers = [self.writer(storage) for _ in range(20)]
            answers = await asyncio.gather(*(writer.insert(success(*numbered(3))) for writer in writers))
            assert sum(answer.all.admitted for answer in answers if answer.all) == 10
            page = await writers[0].fetch()
            assert (page.total, page.limited) == (10, 50)
            assert [entry.sequence for entry in page.entries] == list(range(10, 0, -1))

    async def test_a_clock_that_steps_back_closes_a_stream_for_a_window_at_most(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            await writer.insert(success(*numbered(10)))
            self.clock.advance(-3600 * MICROSECONDS)
            assert await self.judge(writer, 1) == Decision(0, MINUTE_US)
            self.clock.advance(MINUTE_US)
            assert (await self.judge(writer, 1)).admitted == 1
            times = [entry.admitted_us for entry in (await writer.fetch()).entries]
            assert times == sorted(times, reverse=True)

    async def test_filters_by_status(self) -> None:
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

    async def test_pages_by_sequence_number(self) -> None:
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

    async def test_lists_the_known_streams_most_recently_active_first(self) -> None:
        async with self.storage(self.options()) as storage:
            for name in ("first", "second", "third"):
                self.clock.advance(MINUTE_US)
                await self.writer(storage, name).insert([*success(b"1"), *error(b"2")])
            self.clock.advance(MINUTE_US)
            await self.writer(storage, "first").insert(success(b"3"))
            infos = await storage.streams(Namespace.TOKEN)
            assert [info.stream.id for info in infos] == ["first", "third", "second"]
            assert [(info.total, info.errors) for info in infos] == [(3, 1), (2, 1), (2, 1)]
            assert infos[0].last_active_us == self.clock.now_us
            assert await storage.streams(Namespace.DESTINATION) == []
            assert await storage.streams(Namespace.TOKEN, limit=0) == []
            assert await storage.streams(Namespace.TOKEN, limit=9) == infos
            assert len(await storage.streams(Namespace.TOKEN, limit=2)) == 2

    async def test_the_stream_that_was_written_last_comes_first_however_close_the_others_are(self) -> None:
        async with self.storage(self.options()) as storage:
            writers = [self.writer(storage, name) for name in ("a", "b", "c")]
            for writer in (*writers, *writers[1:], writers[0], *writers[::-1], writers[1]):
                self.clock.advance(1000)
                await writer.insert(success(b"x"))
                assert [info.stream for info in await storage.streams(Namespace.TOKEN, limit=1)] == [writer.stream]

    async def test_namespaces_and_odd_ids_stay_apart(self) -> None:
        async with self.storage(self.options()) as storage:
            ids = ["x", "x:error", "x:all", "x#y", "{x}", "}{", "%", "%25", "\n", "\0", "*", "?", "[x]", "../", ","]
            ids += ["t.x", "caf\u00e9", "cafe\u0301", "\N{PILE OF POO}", " ", "X", "y" * 512]
            streams = [Stream(namespace, name) for namespace in Namespace for name in ids]
            for number, stream in enumerate(streams):
                await Writer(storage, stream).insert(success(b"%d" % number))
            for number, stream in enumerate(streams):
                assert payloads(await storage.fetch(stream, Query())) == [b"%d" % number], stream
            assert {info.stream.id for info in await storage.streams(Namespace.TOKEN)} == set(ids)

    async def test_clearing_keeps_the_limiter(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            await writer.insert([*success(*numbered(8)), *error(*numbered(4))])
            assert await storage.clear(writer.stream) == 12
            assert (await writer.fetch()).entries == []
            errors = await writer.fetch(status=Status.ERROR)
            assert errors.entries == []
            refused = await writer.insert(success(b"x"))
            assert refused.all == Decision(0, MINUTE_US)
            assert (await writer.fetch()).limited == 3
            self.clock.advance(MINUTE_US)
            await writer.insert(success(b"y"))
            page = await writer.fetch()
            assert [(entry.sequence, entry.event) for entry in page.entries] == [(13, b"y")]

    async def test_clearing_with_reset_forgets_the_limiter_and_goes_on_counting(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            await writer.insert(success(*numbered(15)))
            assert await storage.clear(writer.stream, reset=True) == 10
            again = await writer.insert(success(*numbered(10)))
            assert again.all == Decision(10, MINUTE_US)
            page = await writer.fetch()
            assert page.limited == 0
            assert page.entries[0].sequence == 20

    async def test_what_is_stored_outlives_the_storage_object_if_processes_share_it(self) -> None:
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
            assert await self.judge(self.writer(other), 1) == Decision(0, MINUTE_US - MICROSECONDS)
            self.clock.advance(MINUTE_US)
            await self.writer(storage).insert(success(b"x"))
            assert (await other.fetch(batch.stream, Query())).entries[0].sequence == 13

    async def test_prefixes_are_apart(self) -> None:
        one, two = self.options(), self.options()
        async with self.storage(one) as storage, self.storage(two) as other:
            await self.writer(storage).insert(success(*numbered(10)))
            assert (await self.writer(other).fetch()).total == 0
            assert (await self.judge(self.writer(other), 10)).admitted == 10
            await other.erase()
            assert (await self.writer(storage).fetch()).total == 10
            assert len(await storage.streams(Namespace.TOKEN)) == 1

    async def test_numbers_in_a_query_may_be_of_any_size(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            await writer.insert(success(*numbered(3)))
            assert (await writer.fetch(before=2**53, limit=2**31)).total == 3
            assert len((await writer.fetch(before=2**53, after=0)).entries) == 3
            assert (await writer.fetch(after=2**53)).entries == []

    async def test_a_call_that_is_cancelled_is_carried_out_or_not_but_not_by_half(self) -> None:
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

    async def test_at_least_a_hundred_writers_are_remembered(self) -> None:
        async with self.storage(self.options()) as storage:
            writers = [self.writer(storage, quota=Quota(1000, MINUTE_US)) for _ in range(100)]
            batches = [writer.batch(success(b"%d" % number)) for number, writer in enumerate(writers)]
            first = [await storage.insert(batch) for batch in batches]
            again = [await storage.insert(batch) for batch in batches]
            assert [answer.all for answer in again] == [answer.all for answer in first]
            assert (await writers[0].fetch()).total == 100

    async def test_erasing_leaves_nothing_behind(self) -> None:
        async with self.storage(self.options()) as storage:
            writers = [self.writer(storage, name) for name in ("a", "b")]
            for writer in writers:
                await writer.insert([*success(*numbered(15)), *error(b"failed")])
            await storage.erase()
            assert await storage.streams(Namespace.TOKEN) == []
            assert await writers[0].fetch() == Page([], 0, 0)
            # Limiter and sequence begin anew.
            assert (await self.judge(writers[1], 10)).admitted == 10
            assert (await writers[1].fetch()).entries[0].sequence == 10
            assert len(await storage.streams(Namespace.TOKEN)) == 1

    async def test_a_lowered_size_reaches_idle_streams_through_the_trim(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            await writer.insert(error(*numbered(10)))
            while await storage.trim(4) == 0:
                pass
            assert payloads(await writer.fetch()) == numbered(10)[:5:-1]
            assert (await writer.fetch(status=Status.ERROR)).total == 4
            # Trimming takes events, not stamps.
            refused = await writer.insert(success(b"x"))
            assert refused.all == Decision(0, MINUTE_US)

    async def test_another_quota_caps_the_bucket_and_is_told(self) -> None:
        async with self.storage(self.options()) as storage:
            wide, narrow = self.writer(storage), self.writer(storage, quota=Quota(3, MINUTE_US))
            assert (await wide.insert(success(*numbered(2)))).other_quota is None
            admission = await narrow.insert(success(*numbered(5)))
            assert admission.all is not None
            assert admission.all.admitted == 1
            assert admission.other_quota == QUOTA
            assert (await narrow.fetch()).total == 3
            assert (await narrow.insert()).other_quota is None

    async def test_a_new_stream_displaces_the_least_recently_active_one(self) -> None:
        async with self.storage(self.options(max_streams=3)) as storage:
            for name in ("a", "b", "c", "a", "d"):
                self.clock.advance(MINUTE_US)
                await self.writer(storage, name).insert(success(b"x"))
            assert {info.stream.id for info in await storage.streams(Namespace.TOKEN)} == {"a", "c", "d"}
            assert (await self.writer(storage, "b").fetch()).entries == []

    async def test_a_stream_that_is_written_to_is_never_displaced_however_fast_new_ones_come(self) -> None:
        async with self.storage(self.options(max_streams=3)) as storage:
            busy = self.writer(storage, "busy")
            admitted = (await self.judge(busy, 1)).admitted
            for number in range(40):
                self.clock.advance(1)
                await self.writer(storage, f"new {number}").insert(success(b"x"))
                self.clock.advance(1)
                admitted += (await self.judge(busy, 1)).admitted
            # All of it took place within a moment: whoever was displaced could begin a quota anew.
            assert admitted == QUOTA.size
            assert (await busy.fetch()).total == QUOTA.size
            assert busy.stream in {info.stream for info in await storage.streams(Namespace.TOKEN)}

    async def test_a_new_stream_that_may_not_displace_is_refused(self) -> None:
        async with self.storage(self.options(max_streams=1)) as storage:
            await self.writer(storage, "a").insert(success(b"x"))
            try:
                await storage.insert(self.writer(storage, "b").batch(success(b"y"), may_evict=False))
            except TooManyStreams:
                pass
            else:
                raise AssertionError("a stream too many was let in")
            again = self.writer(storage, "a").batch(success(b"z"), may_evict=False)
            assert (await storage.insert(again)).all is not None
            assert (await self.writer(storage, "b").fetch()).entries == []
