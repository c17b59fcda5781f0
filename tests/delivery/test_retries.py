"""Retries: many of them take turns, and none outlives its deadline."""

import asyncio
from collections import Counter
from collections.abc import Iterable

from eventscache.clock import MICROSECONDS
from eventscache.delivery.in_flight import InFlightBatch
from eventscache.delivery.outgoing_batch import OutgoingBatch
from eventscache.delivery.producer import CONFIGURED
from eventscache.delivery.retries import Retries
from eventscache.delivery.storage_calls import StorageCalls
from eventscache.delivery.stream_buffer import StreamBuffer
from eventscache.errors import StorageUnavailable
from eventscache.storage.messages import Admission
from eventscache.stream import Namespace, Stream
from eventscache.testing import ManualClock
from tests.support.cache_bench import until

AWAY = StorageUnavailable("no connection", ambiguous=False)
MOST = 2


class Owner:
    """Inserts nothing, and notes what it is asked."""

    def __init__(self) -> None:
        self.tries: Counter[int] = Counter()
        self.trying = self.most_trying = 0
        self.answers: dict[int, Admission | Exception] = {}
        self.cancelled: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def insert(self, in_flight: InFlightBatch, sent_us: int) -> Admission:
        self.tries[in_flight.number] += 1
        self.trying += 1
        self.most_trying = max(self.trying, self.most_trying)
        await self.gate.wait()
        self.trying -= 1
        raise AWAY

    def on_unavailable(self, fault: StorageUnavailable) -> None:
        pass

    def on_retried(self, in_flight: InFlightBatch, answer: Admission | Exception, sent_us: int) -> None:
        self.answers[in_flight.number] = answer

    def on_cancelled(self, batches: Iterable[InFlightBatch]) -> None:
        self.cancelled += [batch.number for batch in batches]


def started(owner: Owner, clock: ManualClock, count: int, seconds: float = 60) -> Retries:
    retries = Retries(owner, StorageCalls(), most=MOST, now_us=clock)
    deadline_us = clock() + int(seconds * MICROSECONDS)
    batches = [
        InFlightBatch(
            StreamBuffer(Stream(Namespace.TOKEN, str(number))), OutgoingBatch(1, 0), number, deadline_us, CONFIGURED
        )
        for number in range(count)
    ]
    retries.start(dict.fromkeys(batches, AWAY))
    return retries


async def test_more_batches_than_may_be_tried_at_a_time_take_turns() -> None:
    owner = Owner()
    retries = started(owner, ManualClock(), 5)
    assert (retries.count, retries.have_room) == (5, False)
    await until(lambda: len(owner.tries) == 5 and min(owner.tries.values()) == 3)
    assert owner.most_trying <= MOST
    assert max(owner.tries.values()) <= 4
    await retries.stop()
    assert (sorted(owner.cancelled), retries.count) == ([0, 1, 2, 3, 4], 0)


async def test_a_batch_whose_deadline_comes_before_its_turn_is_given_up_on_time() -> None:
    owner = Owner()
    owner.gate.clear()
    retries = started(owner, ManualClock(), 5, 0.1)
    await until(lambda: len(owner.answers) == 3)  # their turn never comes
    assert ({*owner.answers.values()}, len(owner.tries), retries.count) == ({AWAY}, MOST, MOST)
    owner.gate.set()
    await retries.stop()


async def test_stopping_counts_batches_that_wait_for_their_turn() -> None:
    owner = Owner()
    owner.gate.clear()
    retries = started(owner, ManualClock(), 5)
    await until(lambda: owner.trying == MOST)
    await retries.stop()
    assert (sorted(owner.cancelled), owner.answers, retries.count) == ([0, 1, 2, 3, 4], {}, 0)
