"""The leases and the checkpoints of sources."""

import asyncio

from eventscache.conformance.suites.base import SuiteBase
from eventscache.storage.checkpoints import LocalCheckpoints

_GENEROUS_SECONDS = 30


class CheckpointSuite(SuiteBase):
    """The leases and the checkpoints of sources."""

    async def test_one_owner_at_a_time_has_a_lease(self) -> None:
        async with self.storage(self.options()) as storage:
            checkpoints, other = storage.checkpoints("a place"), storage.checkpoints("another {place}")
            assert await checkpoints.hold("first", 60)
            assert not await checkpoints.hold("second", 60)
            assert await checkpoints.hold("first", 60)
            assert await other.hold("second", 60)
            assert await checkpoints.hold("first", 0)
            assert await checkpoints.hold("second", 60)
            assert not await checkpoints.hold("first", 0)

    async def test_a_lease_ends_by_itself(self) -> None:
        async with self.storage(self.options()) as storage:
            checkpoints = storage.checkpoints("place")
            assert await checkpoints.hold("first", 0.05)
            async with asyncio.timeout(_GENEROUS_SECONDS):
                while not await checkpoints.hold("second", 60):  # noqa: ASYNC110 - the storage has no event for it
                    await asyncio.sleep(0.01)
            assert not await checkpoints.save("first", {b"a": b"1"})

    async def test_only_the_owner_of_the_lease_changes_checkpoints(self) -> None:
        async with self.storage(self.options()) as storage:
            checkpoints = storage.checkpoints("place")
            assert await checkpoints.load() == {}
            assert not await checkpoints.save("first", {b"a": b"1"})
            await checkpoints.hold("first", 60)
            every = bytes(range(256))
            assert await checkpoints.save("first", {b"a": b"1", every: every, b"b": b"2"})
            assert not await checkpoints.save("second", {b"a": b"3"})
            assert await checkpoints.load() == {b"a": b"1", every: every, b"b": b"2"}
            assert await checkpoints.save("first", {b"a": b"", b"b": b"4", b"none": b""})
            assert await checkpoints.load() == {every: every, b"b": b"4"}

    async def test_checkpoints_outlive_the_lease_and_many_are_saved(self) -> None:
        async with self.storage(self.options()) as storage:
            checkpoints = storage.checkpoints("place")
            await checkpoints.hold("first", 60)
            many = {b"list %d" % number: b"x" * 300 for number in range(1_200)}
            assert await checkpoints.save("first", many)
            await checkpoints.hold("first", 0)
            assert await checkpoints.load() == many

    async def test_processes_that_share_a_storage_share_checkpoints(self) -> None:
        async with self.storage(self.options()) as storage:
            one, other = storage.checkpoints("place"), storage.checkpoints("place")
            if isinstance(one, LocalCheckpoints):  # then one process follows, whatever others do
                return
            await one.hold("first", 60)
            assert not await other.hold("second", 60)
            await one.save("first", {b"a": b"1"})
            assert await other.load() == {b"a": b"1"}
