"""Which streams are known, how many there may be, and that they are kept apart."""

from eventscache.conformance.events import error, numbered, payloads, success
from eventscache.conformance.suites.base import MINUTE_US, SuiteBase
from eventscache.conformance.writer import DEFAULT_QUOTA, Writer, admission_of
from eventscache.errors import TooManyStreams, UnknownStream
from eventscache.storage.messages import Decision, Query
from eventscache.stream import Namespace, Stream


class StreamsSuite(SuiteBase):
    """Which streams are known, how many there may be, and that they are kept apart."""

    async def test_known_streams_are_listed_most_recently_active_first(self) -> None:
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

    async def test_namespaces_and_unusual_ids_are_kept_apart(self) -> None:
        async with self.storage(self.options()) as storage:
            ids = ["x", "x:error", "x:all", "x#y", "{x}", "}{", "%", "%25", "\n", "\0", "*", "?", "[x]", "../", ","]
            ids += ["t.x", "caf\u00e9", "cafe\u0301", "\N{PILE OF POO}", " ", "X", "y" * 512]
            streams = [Stream(namespace, name) for namespace in Namespace for name in ids]
            for number, stream in enumerate(streams):
                await Writer(storage, stream).insert(success(b"%d" % number))
            for number, stream in enumerate(streams):
                assert payloads(await storage.fetch(stream, Query())) == [b"%d" % number], stream
            assert {info.stream.id for info in await storage.streams(Namespace.TOKEN)} == set(ids)

    async def test_prefixes_are_kept_apart(self) -> None:
        one, two = self.options(), self.options()
        async with self.storage(one) as storage, self.storage(two) as other:
            await self.writer(storage).insert(success(*numbered(10)))
            assert (await self.writer(other).fetch()).total == 0
            assert (await self.decide(self.writer(other), 10)).admitted == 10
            await other.erase()
            assert (await self.writer(storage).fetch()).total == 10
            assert len(await storage.streams(Namespace.TOKEN)) == 1

    async def test_a_new_stream_evicts_the_least_recently_active_one(self) -> None:
        async with self.storage(self.options(max_streams=3)) as storage:
            for name in ("a", "b", "c", "a", "d"):
                self.clock.advance(MINUTE_US)
                await self.writer(storage, name).insert(success(b"x"))
            assert {info.stream.id for info in await storage.streams(Namespace.TOKEN)} == {"a", "c", "d"}
            assert (await self.writer(storage, "b").fetch()).entries == []

    async def test_an_active_stream_is_never_evicted_however_fast_new_ones_come(self) -> None:
        async with self.storage(self.options(max_streams=3)) as storage:
            busy = self.writer(storage, "busy")
            admitted = (await self.decide(busy, 1)).admitted
            for number in range(40):
                self.clock.advance(1)
                await self.writer(storage, f"new {number}").insert(success(b"x"))
                self.clock.advance(1)
                admitted += (await self.decide(busy, 1)).admitted
            # All of this took only microseconds: an evicted stream would have begun a new quota.
            assert admitted == DEFAULT_QUOTA.size
            assert (await busy.fetch()).total == DEFAULT_QUOTA.size
            assert busy.stream in {info.stream for info in await storage.streams(Namespace.TOKEN)}

    async def test_a_new_stream_that_may_not_begin_is_an_error_and_leaves_no_trace(self) -> None:
        async with self.storage(self.options(max_streams=2)) as storage:
            new, other = self.writer(storage, "new"), self.writer(storage, "other")
            refused = new.batch(success(b"x"), may_begin=False)
            for batch in (refused, new.batch(error(b"x"), trusted=False, may_begin=False)):
                try:
                    await storage.insert(batch)
                except UnknownStream:
                    pass
                else:
                    raise AssertionError("a stream began that may not begin")
            assert await storage.streams(Namespace.TOKEN) == []
            answers = await storage.insert_many([new.batch(may_begin=False), other.batch(success(b"y"))])
            assert isinstance(answers[0], UnknownStream)
            assert admission_of(answers[1]).all == Decision(1, 0)
            # The same writer may begin it later, and then it is known.
            for number in range(2):
                assert (await new.insert(success(b"%d" % number))).all == Decision(1, 0)
                known = await storage.insert(new.batch(success(b"again"), may_begin=False))
                assert known.all == Decision(1, 0)
            assert payloads(await new.fetch()) == [b"again", b"1", b"again", b"0"]
            # It evicts no stream either.
            last = self.writer(storage, "last")
            answers = await storage.insert_many(
                [last.batch(success(b"x"), may_begin=False), other.batch(success(b"z"), may_begin=False)]
            )
            assert isinstance(answers[0], UnknownStream)
            assert admission_of(answers[1]).all == Decision(1, 0)

    async def test_many_new_streams_at_once_evict_the_least_recently_active_ones(self) -> None:
        async with self.storage(self.options(max_streams=40)) as storage:
            old = [self.writer(storage, f"old {number}") for number in range(40)]
            for writer in old:
                self.clock.advance(1000)
                await writer.insert(success(b"x"))
            new = [self.writer(storage, f"new {number}") for number in range(30)]
            for answer in await storage.insert_many([writer.batch(success(b"y")) for writer in new]):
                assert admission_of(answer).all == Decision(1, 0)
            known = {info.stream for info in await storage.streams(Namespace.TOKEN)}
            assert known == {writer.stream for writer in (*old[30:], *new)}
            assert [(await writer.fetch()).total for writer in old] == [0] * 30 + [1] * 10

    async def test_a_new_stream_that_may_not_evict_is_an_error(self) -> None:
        async with self.storage(self.options(max_streams=1)) as storage:
            await self.writer(storage, "a").insert(success(b"x"))
            try:
                await storage.insert(self.writer(storage, "b").batch(success(b"y"), trusted=False))
            except TooManyStreams:
                pass
            else:
                raise AssertionError("there are more streams than max_streams")
            again = self.writer(storage, "a").batch(success(b"z"), trusted=False)
            assert (await storage.insert(again)).all is not None
            assert (await self.writer(storage, "b").fetch()).entries == []
