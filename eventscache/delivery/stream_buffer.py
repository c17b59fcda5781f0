"""The buffer of one stream: its waiting events and its cooldowns."""

import asyncio
import math
from collections.abc import Callable

from eventscache.delivery.cooldown import Cooldown
from eventscache.delivery.extra_cooldowns import ExtraCooldowns
from eventscache.delivery.outgoing_batch import OutgoingBatch, Unconfirmed
from eventscache.delivery.pending import MAX_PENDING_EVENTS, PendingEvents
from eventscache.delivery.producer import CONFIGURED, Producer
from eventscache.delivery.receipt import Receipt
from eventscache.storage.messages import Admission, Quota
from eventscache.stream import Stream


class StreamBuffer:
    """The waiting events of one stream, and the cooldowns of its collections. At most one batch of it is in flight."""

    __slots__ = (
        "_batch_done",
        "all",
        "arrived",
        "done",
        "error",
        "extras",
        "flush_due",
        "known",
        "producer",
        "scheduled",
        "stream",
        "unanswered",
        "unconfirmed",
        "unreported_since_us",
        "waiting",
        "waiting_since_us",
    )

    def __init__(self, stream: Stream, producer: Producer = CONFIGURED, *, known: bool = True) -> None:
        self.stream = stream
        self.producer = producer  # of all that offered events of the stream, the one that may do most
        # Whether the storage has the stream, as far as this process knows, or it begins in any case. None: it has not,
        # and the stream may begin now.
        self.known: bool | None = known
        self.unanswered = False  # whether the storage did not answer the last batch until its deadline
        self.all = Cooldown()
        self.error = Cooldown()
        self.extras: ExtraCooldowns | None = None
        self.unconfirmed: Unconfirmed | None = None  # goes before the next batch
        self.unreported_since_us = 0  # when the first of its limited counts began to wait; 0: none waits for its flush
        self.waiting: list[PendingEvents] = []  # few: an empty deque takes ten times the memory
        self.waiting_since_us = 0  # when the first of them was put
        self.arrived = 0  # how many pending events were ever put here, and how many of them are done
        self.done = 0
        self.scheduled = False  # ready, or in flight
        self.flush_due = False  # the next batch takes the limited counts along, even if it has no events
        self._batch_done: asyncio.Event | None = None

    def limit_locally(self, count: int, now_us: int, *, failed: bool, to_all: bool = True) -> bool:
        """Count events as limited if all their collections have a cooldown; return whether they have."""
        if not to_all:
            if now_us < self.error.until_us:
                self.error.count_limited(now_us, count)
                return True
            return False
        if now_us >= self.all.until_us:
            return False
        if failed:
            if now_us >= self.error.until_us:
                return False
            self.error.count_limited(now_us, count)
        self.all.count_limited(now_us, count)
        return True

    def add_producer(self, producer: Producer) -> None:
        """Note who else offers events of the stream: the one that may do most counts."""
        if producer.outranks(self.producer):
            self.producer = producer

    @property
    def may_begin(self) -> bool:
        """Whether the stream may begin, if the storage does not have it."""
        return self.known is None or not self.producer.is_bounded

    def note_known(self) -> None:
        """Note that the storage has the stream. If it is evicted, it is new again."""
        self.known = True

    def note_unknown(self) -> bool:
        """Note that the storage does not have the stream; return whether it may begin now."""
        self.known = None if self.producer.begin_stream() else False
        return self.known is None

    def put(self, pending: PendingEvents, now_us: Callable[[], int], most: int = MAX_PENDING_EVENTS) -> None:
        """Add events, to the last ones if possible: the cost per instance is then paid once. `most` wait together."""
        waiting = self.waiting
        if not waiting:
            self.waiting_since_us = now_us()
        elif waiting[-1].merge(pending, most):
            return
        waiting.append(pending)
        self.arrived += 1

    def withdraw(self, receipt: Receipt) -> list[PendingEvents]:
        """Remove and return the waiting events of a receipt."""
        withdrawn = [pending for pending in self.waiting if pending.receipt is receipt]
        if withdrawn:
            self.waiting = [pending for pending in self.waiting if pending.receipt is not receipt]
            self.done += len(withdrawn)
        return withdrawn

    @property
    def has_limited_counts(self) -> bool:
        """Whether the storage does not know yet of some events that were limited here."""
        counts = self.all.limited or self.error.limited or self.unconfirmed
        return bool(counts or (self.extras and self.extras.has_limited_counts))

    def take_unconfirmed(self, now_us: int) -> Unconfirmed | None:
        """Return the counts that have to go before the next batch, if the storage surely still knows their number."""
        unconfirmed, self.unconfirmed = self.unconfirmed, None
        return unconfirmed if unconfirmed and now_us < unconfirmed.until_us else None

    def take(self, quota: Quota, now_us: int) -> OutgoingBatch:
        """Return the next batch: waiting events until it is full, and all limited counts.

        Limited counts alone make no batch before a flush is due.
        """
        self.settle()
        batch = OutgoingBatch(quota.size, self.waiting_since_us)
        # Without a limit nothing is surplus: what one call cannot admit goes with the next one.
        most = math.inf if quota.limits else quota.size
        taken = 0
        for pending in self.waiting:
            if batch.is_full or batch.event_count + len(pending.events) > most:
                break
            if self.extras and not batch.has_room_for(pending.extras, self.extras.kinds):
                break
            taken += 1
            count, failed, to_all = len(pending.events), pending.failed, pending.to_all
            if not pending.extras and self.limit_locally(count, now_us, failed=failed, to_all=to_all):
                batch.limited.append(pending)
            else:
                batch.add(pending, self.stream, self.all, self.error, now_us, extras=self.extras)
        del self.waiting[:taken]
        if not self.waiting:
            self.waiting_since_us = 0  # less memory while it is idle
        if self.flush_due or batch.pending:
            batch.piggyback(self.all, self.error)
            # Not with every batch: these counts cost a call some time, and matter where the collections get events.
            if self.extras is not None and self.extras.unreported and (self.flush_due or batch.has_extras):
                batch.piggyback_extras(self.extras)
            # What there was no room for goes with a further batch.
            self.flush_due = self.flush_due and bool(self.extras and self.extras.unreported)
        return batch

    def settle(self) -> None:
        """Let each collection have its own counts, and no cooldown but its own."""
        if self.extras is not None and self.extras.combined:
            self.extras.settle(self.all)

    def start_cooldowns(self, admission: Admission, sent_us: int, max_us: int) -> int:
        """Start a cooldown for each collection that the storage limits now, of at most `max_us`; return how many."""
        started = 0
        self.settle()
        if admission.all:
            started += self.all.start(sent_us, admission.all.retry_after_us, max_us)
        if admission.error:
            started += self.error.start(sent_us, admission.error.retry_after_us, max_us)
        for name, decision in admission.extras.items():
            if self.extras and (cooldown := self.extras.known(name)):
                cooldown.start(sent_us, decision.retry_after_us, max_us)
        return started

    def is_idle(self, now_us: int) -> bool:
        """Whether nothing is lost if this buffer is removed."""
        cooling_down = now_us < self.all.until_us or now_us < self.error.until_us
        cooling_down = cooling_down or bool(self.extras and not self.extras.is_idle(now_us))
        return not (self.scheduled or self.waiting or self.has_limited_counts or cooling_down)

    def finish(self, batch: OutgoingBatch) -> None:
        """Count a batch as done; another one can be taken."""
        self.done += len(batch.pending) + len(batch.limited)
        self.scheduled = False
        if self._batch_done:
            self._batch_done.set()
            self._batch_done = None

    async def batch_done(self) -> None:
        """Return when the batch that is scheduled or in flight is done."""
        self._batch_done = self._batch_done or asyncio.Event()
        await self._batch_done.wait()
