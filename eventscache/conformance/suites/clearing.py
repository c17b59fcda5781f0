"""Clearing, trimming and erasing."""

from eventscache.conformance.events import error, numbered, payloads, success
from eventscache.conformance.suites.base import MINUTE_US, SuiteBase
from eventscache.storage.messages import Decision, Page
from eventscache.stream import Namespace, Status


class ClearingSuite(SuiteBase):
    """Clearing, trimming and erasing."""

    async def test_clearing_keeps_the_limiter(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            await writer.insert([*success(*numbered(8)), *error(*numbered(4))])
            assert await storage.clear(writer.stream) == 12
            assert (await writer.fetch()).entries == []
            errors = await writer.fetch(status=Status.ERROR)
            assert errors.entries == []
            limited = await writer.insert(success(b"x"))
            assert limited.all == Decision(0, MINUTE_US)
            assert (await writer.fetch()).limited == 3
            self.clock.advance(MINUTE_US)
            await writer.insert(success(b"y"))
            page = await writer.fetch()
            assert [(entry.sequence, entry.event) for entry in page.entries] == [(13, b"y")]

    async def test_clearing_with_reset_resets_the_limiter_and_sequence_numbers_continue(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            await writer.insert(success(*numbered(15)))
            assert await storage.clear(writer.stream, reset=True) == 10
            again = await writer.insert(success(*numbered(10)))
            assert again.all == Decision(10, MINUTE_US)
            page = await writer.fetch()
            assert page.limited == 0
            assert page.entries[0].sequence == 20

    async def test_many_streams_are_cleared_as_each_is(self) -> None:
        async with self.storage(self.options()) as storage:
            writers = [self.writer(storage, f"key {number}") for number in range(150)]
            for writer in writers:
                await writer.insert([*success(b"1"), *error(b"2")])
            full, kept = writers[0], self.writer(storage, "kept")
            await full.insert(success(*numbered(10)))
            await kept.insert(success(b"x"))
            unknown = self.writer(storage, "nobody")
            assert await storage.clear_many([writer.stream for writer in (*writers, unknown)]) == 300 + 8
            assert [(await writer.fetch()).total for writer in (*writers, kept)] == [0] * 150 + [1]
            assert await storage.clear_many([writer.stream for writer in writers]) == 0
            assert await storage.clear_many([]) == 0
            # The limiters and the numbers stay, unless they are reset.
            assert (await self.decide(full, 1)).admitted == 0
            assert await storage.clear_many([full.stream, writers[1].stream], reset=True) == 0
            assert (await self.decide(full, 10)).admitted == 10
            assert (await full.fetch()).entries[0].sequence == 20

    async def test_trimming_cuts_idle_streams_to_a_lowered_size(self) -> None:
        async with self.storage(self.options()) as storage:
            writer = self.writer(storage)
            await writer.insert(error(*numbered(10)))
            while await storage.trim(4) == 0:
                pass
            assert payloads(await writer.fetch()) == numbered(10)[:5:-1]
            assert (await writer.fetch(status=Status.ERROR)).total == 4
            # Trimming removes events and keeps the admission log.
            limited = await writer.insert(success(b"x"))
            assert limited.all == Decision(0, MINUTE_US)

    async def test_erasing_removes_everything(self) -> None:
        async with self.storage(self.options()) as storage:
            writers = [self.writer(storage, name) for name in ("a", "b")]
            for writer in writers:
                await writer.insert([*success(*numbered(15)), *error(b"failed")])
            await storage.erase()
            assert await storage.streams(Namespace.TOKEN) == []
            assert await writers[0].fetch() == Page([], 0, 0)
            # Limiters and sequence numbers begin anew.
            assert (await self.decide(writers[1], 10)).admitted == 10
            assert (await writers[1].fetch()).entries[0].sequence == 10
            assert len(await storage.streams(Namespace.TOKEN)) == 1
