"""Retries of batches that the storage did not answer."""

import asyncio
import copy
from collections.abc import Callable, Iterable
from typing import Protocol

from eventscache.clock import MICROSECONDS
from eventscache.delivery.in_flight import InFlightBatch
from eventscache.delivery.storage_calls import StorageCalls, fault_kind
from eventscache.errors import StorageUnavailable
from eventscache.storage.messages import Admission

# The longest one and that of a circuit breaker make up how late an outage may be noticed to be over.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.01, 0.15


class Retried(Protocol):
    """Who inserts the batches, and counts what became of them."""

    async def insert(self, in_flight: InFlightBatch, sent_us: int) -> Admission:
        """Insert a batch. Raises `StorageError`."""

    def on_unavailable(self, fault: StorageUnavailable) -> None:
        """Note that a batch has no answer, and is retried."""

    def on_retried(self, in_flight: InFlightBatch, answer: Admission | Exception, sent_us: int) -> None:
        """Count what became of a batch: it is retried no more."""

    def on_cancelled(self, batches: Iterable[InFlightBatch]) -> None:
        """Count batches whose retries are stopped."""


class Retries:
    """Sends each batch that has no answer again by itself, until it has one or its deadline comes.

    At most `most` of them wait for their next try or its answer at a time. More take turns, so that no server that is
    away keeps the batches of another one from being tried, and the tries in a second stay bounded.
    """

    def __init__(self, retried: Retried, calls: StorageCalls, *, most: int, now_us: Callable[[], int]) -> None:
        self.count = 0
        """How many batches are retried."""
        self.most = most
        self._retried = retried
        self._storage_calls = calls
        self._now_us = now_us
        self._turns = asyncio.Semaphore(most)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def have_room(self) -> bool:
        """Whether another batch would need to take no turns."""
        return self.count < self.most

    def start(self, unanswered: dict[InFlightBatch, StorageUnavailable]) -> None:
        """Retry batches from now on, each with why it has no answer."""
        self.count += len(unanswered)
        task = asyncio.create_task(self._retry_all(unanswered))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Stop retrying, and count all batches; those started in this turn of the loop would not be counted."""
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _retry_all(self, unanswered: dict[InFlightBatch, StorageUnavailable]) -> None:
        """Retry each batch by itself until it is resolved, and so no longer among the unanswered ones."""
        try:
            async with asyncio.TaskGroup() as retries:
                for in_flight, fault in unanswered.items():
                    retries.create_task(self._retry(in_flight, fault, unanswered))
        finally:  # those left, also if their retry was cancelled before it began
            self.count -= len(unanswered)
            self._retried.on_cancelled(unanswered)

    async def _retry(
        self, in_flight: InFlightBatch, fault: StorageUnavailable, unanswered: dict[InFlightBatch, StorageUnavailable]
    ) -> None:
        """Retry until the deadline, always under one number: no retry can store an event twice."""
        pause_seconds = _FIRST_PAUSE_SECONDS
        ambiguous = fault.ambiguous
        answer: Admission | Exception = fault
        sent_us = 0
        while isinstance(answer, StorageUnavailable):
            self._retried.on_unavailable(answer)
            again = await self._try_in_turn(in_flight, pause_seconds)
            if again is None:
                answer = _known_to_be(answer, ambiguous=ambiguous)
                break
            answer, sent_us = again
            ambiguous = ambiguous or (isinstance(answer, StorageUnavailable) and answer.ambiguous)
            pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
        del unanswered[in_flight]
        self.count -= 1
        self._retried.on_retried(in_flight, answer, sent_us)

    async def _try_in_turn(
        self, in_flight: InFlightBatch, pause_seconds: float
    ) -> tuple[Admission | Exception, int] | None:
        """Return the answer to a try after a pause, and when it was sent; None if the deadline comes first."""
        left_us = in_flight.deadline_us - self._now_us()
        if left_us < pause_seconds * MICROSECONDS or not await self._turn(left_us):
            return None
        try:
            await asyncio.sleep(pause_seconds)
            sent_us = self._now_us()
            return await self._try(in_flight, sent_us), sent_us
        finally:
            self._turns.release()

    async def _turn(self, left_us: int) -> bool:
        """Return once a batch may be tried, or False if its time is over."""
        if not self._turns.locked():
            return await self._turns.acquire()
        try:
            async with asyncio.timeout(left_us / MICROSECONDS):
                return await self._turns.acquire()
        except TimeoutError:
            return False

    async def _try(self, in_flight: InFlightBatch, sent_us: int) -> Admission | Exception:
        """Return the answer to one try, or why it has none."""
        self._storage_calls.retries += 1
        try:
            return await self._retried.insert(in_flight, sent_us)
        except StorageUnavailable as fault:
            self._storage_calls.insert_faults[fault_kind(fault)] += 1
            return fault
        except Exception as fault:  # a bug of a backend must neither stop the retries nor leave events uncounted
            return fault
        finally:
            self._storage_calls.inserts.add(self._now_us() - sent_us)


def _known_to_be(fault: StorageUnavailable, *, ambiguous: bool) -> StorageUnavailable:
    """Return why a batch has no answer, by what is known of all its tries."""
    if ambiguous and not fault.ambiguous:
        fault = copy.copy(fault)  # other batches can have the same one
        fault.ambiguous = True
    return fault
