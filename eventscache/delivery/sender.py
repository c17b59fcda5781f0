"""Sends batches to the storage, and counts what became of their events."""

import asyncio
import itertools
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from eventscache.clock import MICROSECONDS
from eventscache.delivery.freshness import Freshness
from eventscache.delivery.in_flight import InFlightBatch
from eventscache.delivery.ledger import Ledger
from eventscache.delivery.linger import Linger
from eventscache.delivery.outgoing_batch import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, OutgoingBatch
from eventscache.delivery.receipt import Loss
from eventscache.delivery.refused_streams import Refusal
from eventscache.delivery.retries import Retries
from eventscache.delivery.storage_calls import StorageCalls, fault_kind
from eventscache.delivery.storage_log import StorageLog
from eventscache.delivery.stream_buffer import StreamBuffer
from eventscache.errors import StorageRefused, StorageUnavailable, TooManyStreams, UnknownStream
from eventscache.record.record import RATE_LIMIT, Record
from eventscache.storage.base import Storage
from eventscache.storage.messages import Admission, Batch, Quota

MAX_CALL_STREAMS = 64
"""How many batches one call takes."""
_LOSSES = {
    "unconfirmed": Loss.UNCONFIRMED,
    "shutdown": Loss.UNCONFIRMED,
    "storage_error": Loss.FINAL,
}
"""By the reason to drop events that were sent, what that means; else another try can help."""

_TOO_MANY_STREAMS = Refusal(
    "max_streams", "there are eventscache.max_streams streams already: raise that, or clear some", Loss.FINAL
)
_NEW_STREAM = Refusal(
    "new_streams",
    "new streams would begin, and eventscache.max_new_streams_per_minute of them began in the last minute",
    Loss.NEW_STREAM,
)


class BatchSource(Protocol):
    """Where a sender takes batches from. It learns when they are done."""

    ready: deque[StreamBuffer]
    """Buffers that have something to send and nothing in flight; the longest ready comes first."""
    ready_again: deque[StreamBuffer]
    """The same for streams whose last batch the storage did not answer until its deadline."""
    ready_new: deque[StreamBuffer]
    """The same for streams that the storage may not have, and that begin only within a producer's bound."""
    waiting_bytes: int
    """The size of all events that are in no batch yet."""
    max_cooldown_us: int
    """How long a cooldown lasts at most."""

    def take(self, buffer: StreamBuffer, now_us: int) -> OutgoingBatch:
        """Return the next batch of a buffer that was ready; it can be empty."""

    def on_begun(self, buffer: StreamBuffer) -> None:
        """Note that the storage has a stream of which that was not known."""

    def on_refused(self, buffer: StreamBuffer, refusal: Refusal) -> None:
        """Note that the storage let a stream not begin, and why: the same holds for the events that wait."""

    def on_batch_done(self, buffer: StreamBuffer, batch: OutgoingBatch) -> None:
        """Make the buffer ready again if it has more to send: all events of its batch are counted."""


class Sender:
    """Sends what is ready, with up to `pool_size` storage calls at a time.

    Streams that may be new have calls of their own, one at a time: however many there are, they hardly delay the
    others. So have streams whose last batch had no answer.

    A batch that the storage did not answer is retried under the same number, until `deadline_seconds` after its first
    try; then its events are dropped. Retries are no part of the `pool_size` calls, and delay none of them. As many
    batches as these calls can take are retried at a time; what is ready besides waits, with no deadline yet, until the
    storage answers. A `record` notes what became of events, `calls` what that took. `now_us` is this process's
    monotonic clock.
    """

    def __init__(
        self,
        source: BatchSource,
        storage: Storage,
        ledger: Ledger,
        quota: Quota,
        *,
        pool_size: int,
        deadline_seconds: float,
        record: Record | None,
        calls: StorageCalls,
        now_us: Callable[[], int],
    ) -> None:
        self.linger = Linger(now_us)
        self.freshness = Freshness()
        self.cooldowns = 0
        """How many cooldowns began."""
        self._source = source
        self._storage = storage
        self._ledger = ledger
        self._quota = quota
        self._record = record
        self._storage_calls = calls
        self._pool_size = pool_size
        self._deadline_us = int(deadline_seconds * MICROSECONDS)
        self._now_us = now_us
        self._writer = secrets.token_urlsafe(9)
        self._numbers = itertools.count(1)
        self._running = False
        self._dispatch_scheduled = False
        self._calls: set[asyncio.Task[None]] = set()
        self._unanswered_first_tries = 0  # calls that the storage has not answered yet
        self._in_vain = 0  # how many batches of these had no answer, since the storage answered the last one
        # One call at most of streams that may be new, and one of those without an answer to their last batch.
        self._call_of_new: asyncio.Task[None] | None = None
        self._call_again: asyncio.Task[None] | None = None
        self._retries = Retries(self, calls, most=pool_size * MAX_CALL_STREAMS, now_us=now_us)
        self._log = StorageLog(quota, now_us)

    @property
    def storage_available(self) -> bool:
        """Whether the storage answered the last call, as far as that is known."""
        return self._log.storage_available

    def debug(self, *, on: bool) -> None:
        """Log each answer of the storage, or no more."""
        self._log.debugs = on

    def start(self) -> None:
        """Start sending, on the running loop."""
        self._running = True
        self.dispatch_soon()

    async def stop(self) -> None:
        """Stop sending; drop and count what is in flight."""
        self._running = False
        await asyncio.sleep(0)  # a call counts its events when it is cancelled, but only if it has begun
        calls = [*self._calls, *filter(None, (self._call_of_new, self._call_again))]
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await self._retries.stop()

    def dispatch_soon(self) -> None:
        """Send what is ready on the next turn of the loop, with all that is put in this one."""
        if not self._dispatch_scheduled and self._running:
            self._dispatch_scheduled = True
            asyncio.get_running_loop().call_soon(self._dispatch)

    def dispatch_now(self) -> None:
        """Send what is ready in this turn, as a caller waits; if a first try is in flight, its answer does so."""
        if self._running and not self._unanswered_first_tries:
            self._dispatch()

    def _dispatch(self) -> None:
        """Send what is ready."""
        self._dispatch_scheduled = False
        if self.linger.lasts():
            self.dispatch_soon()
            return
        self._dispatch_known()
        if self._source.ready_again:
            self._dispatch_again()
        if self._source.ready_new:
            self._dispatch_new()

    def _dispatch_known(self) -> None:
        """Send what is ready of streams that the storage has.

        While a first try is in flight, the next call waits until it is large enough or the answer is there: that
        costs half a round trip at times, and saves most of the calls. A retry delays no other call; while there are
        some, a first try may be one at a server that is away as well, and is not waited for.
        """
        source = self._source
        while source.ready and self._running and len(self._calls) < self._pool_size and self._tries_more:
            if (
                self._unanswered_first_tries
                and len(source.ready) < MAX_CALL_STREAMS
                and source.waiting_bytes < MAX_BATCH_BYTES
                and not self._retries.count
            ):
                return
            if in_flight := self._take_batches(source.ready):
                self._unanswered_first_tries += 1
                call = asyncio.create_task(self._send(in_flight))
                self._calls.add(call)
                call.add_done_callback(self._on_call_done)

    @property
    def _tries_more(self) -> bool:
        """Whether more batches are taken: not if the storage answers none, and many of them are retried.

        A first try begins the time until events are dropped: in an outage they had better wait in the queue.
        """
        if self._in_vain < MAX_CALL_STREAMS:  # a server that is away is not all of them: some batches are answered
            return True
        return self._retries.count + MAX_CALL_STREAMS * len(self._calls) < self._retries.most

    def _dispatch_again(self) -> None:
        """Send the next ones of the streams whose last batch had no answer, while there is room for retries."""
        if self._call_again or not self._running or not self._retries.have_room:
            return
        if in_flight := self._take_batches(self._source.ready_again):
            self._call_again = asyncio.create_task(self._send_apart(in_flight))
            self._call_again.add_done_callback(self._on_call_done)

    def _dispatch_new(self) -> None:
        """Send the next ones of the streams that may be new: anybody can make up such, so they have a bound."""
        if self._call_of_new or not self._running or self._retries.count >= 2 * self._retries.most:
            return
        if in_flight := self._take_batches(self._source.ready_new):
            self._call_of_new = asyncio.create_task(self._send_apart(in_flight))
            self._call_of_new.add_done_callback(self._on_call_done)

    def _on_call_done(self, call: "asyncio.Task[None]") -> None:
        self._calls.discard(call)
        if call is self._call_of_new:
            self._call_of_new = None
        if call is self._call_again:
            self._call_again = None
        self.dispatch_soon()

    def _take_batches(self, ready: deque[StreamBuffer]) -> list[InFlightBatch]:
        """Return the batches of one call, within its bounds."""
        in_flight: list[InFlightBatch] = []
        events = size_bytes = 0
        now_us = self._now_us()
        source = self._source
        while (
            ready and len(in_flight) < MAX_CALL_STREAMS and events < MAX_BATCH_EVENTS and size_bytes < MAX_BATCH_BYTES
        ):
            buffer = ready.popleft()
            if unconfirmed := buffer.take_unconfirmed(now_us):
                counts, number, _ = unconfirmed
                in_flight.append(
                    InFlightBatch(buffer, counts, number, now_us + self._deadline_us, buffer.producer, unconfirmed)
                )
                continue
            batch = source.take(buffer, now_us)
            if batch.is_empty:
                source.on_batch_done(buffer, batch)
            else:
                deadline_us = now_us + self._deadline_us
                if batch.deadline_us is not None:
                    deadline_us = min(deadline_us, batch.deadline_us)
                in_flight.append(InFlightBatch(buffer, batch, next(self._numbers), deadline_us, buffer.producer))
                events += batch.event_count
                size_bytes += batch.payload_bytes
        return in_flight

    async def _send(self, in_flight: list[InFlightBatch]) -> None:
        """Insert batches with one call; whatever happens, every event is counted."""
        sent_us = self._now_us()
        try:
            answered = await self._insert_many(in_flight, sent_us)
        finally:
            self._unanswered_first_tries -= 1
        unanswered, unknown = self._resolve_all(answered, sent_us)
        self._in_vain = self._in_vain + len(unanswered) if len(unanswered) == len(in_flight) else 0
        self.dispatch_soon()  # callers that wait for an answer learn it before
        await self._follow_up(unknown, unanswered)

    async def _send_apart(self, in_flight: list[InFlightBatch]) -> None:
        """Insert batches whose answers no other call waits for."""
        sent_us = self._now_us()
        unanswered, unknown = self._resolve_all(await self._insert_many(in_flight, sent_us), sent_us)
        await self._follow_up(unknown, unanswered)

    async def _follow_up(
        self, unknown: list[InFlightBatch], unanswered: dict[InFlightBatch, StorageUnavailable]
    ) -> None:
        """Begin streams that do not exist, as far as they may, and let batches without an answer be retried."""
        if unknown:  # new, or evicted
            await self._begin(unknown, unanswered)
        if not unanswered:
            return
        if self._running:
            self._retries.start(unanswered)
        else:  # a task that has not begun when it is cancelled would count nothing
            self._cancel(unanswered)

    async def _insert_many(
        self, in_flight: list[InFlightBatch], sent_us: int, others: Iterable[InFlightBatch] = ()
    ) -> list[tuple[InFlightBatch, Admission | Exception]]:
        """Return each batch with its answer. If that is cancelled, all events of these and of `others` are counted."""
        try:
            answers = await self._storage.insert_many([self._batch(sent, sent_us) for sent in in_flight])
            return [*zip(in_flight, answers, strict=True)]
        except asyncio.CancelledError:
            self._cancel([*in_flight, *others])
            raise
        except Exception as fault:  # a bug of a backend must neither stop the sender nor leave events uncounted
            return [(sent, fault) for sent in in_flight]
        finally:
            self._storage_calls.inserts.add(self._now_us() - sent_us)

    def _resolve_all(
        self, answered: list[tuple[InFlightBatch, Admission | Exception]], sent_us: int
    ) -> tuple[dict[InFlightBatch, StorageUnavailable], list[InFlightBatch]]:
        """Count what became of batches; return those without an answer, and those of streams that do not exist."""
        unanswered: dict[InFlightBatch, StorageUnavailable] = {}
        unknown = []
        for sent, answer in answered:
            if isinstance(answer, StorageUnavailable):
                self._storage_calls.insert_faults[fault_kind(answer)] += 1
                unanswered[sent] = answer
            elif isinstance(answer, UnknownStream):
                unknown.append(sent)
            else:
                self._resolve(sent, answer, sent_us)
        return unanswered, unknown

    async def _begin(self, unknown: list[InFlightBatch], unanswered: dict[InFlightBatch, StorageUnavailable]) -> None:
        """Insert batches of new streams as far as these may begin; add those without an answer to `unanswered`."""
        beginning = []
        for sent in unknown:
            if sent.buffer.note_unknown():
                beginning.append(sent)
            else:
                self._resolve(sent, UnknownStream(), 0)
        if not beginning:
            return
        sent_us = self._now_us()
        again, refused = self._resolve_all(await self._insert_many(beginning, sent_us, others=unanswered), sent_us)
        unanswered |= again
        for sent in refused:  # against the contract
            self._resolve(sent, UnknownStream(), 0)

    def _batch(self, in_flight: InFlightBatch, sent_us: int) -> Batch:
        buffer = in_flight.buffer
        return in_flight.batch.to_batch(
            buffer.stream,
            self._quota,
            self._writer,
            in_flight.number,
            sent_us,
            trusted=buffer.producer.trusted,
            may_begin=buffer.may_begin,
        )

    async def insert(self, in_flight: InFlightBatch, sent_us: int) -> Admission:
        """Insert a batch; its stream begins if it is new, and may. Raises `StorageError`."""
        try:
            return await self._storage.insert(self._batch(in_flight, sent_us))
        except UnknownStream:
            if not in_flight.buffer.note_unknown():
                raise
            return await self._storage.insert(self._batch(in_flight, sent_us))

    def on_unavailable(self, fault: StorageUnavailable) -> None:
        """See `Retried.on_unavailable`."""
        self._log.unavailable(str(fault))

    def on_retried(self, in_flight: InFlightBatch, answer: Admission | Exception, sent_us: int) -> None:
        """See `Retried.on_retried`."""
        self._resolve(in_flight, answer, sent_us)
        self.dispatch_soon()  # what waits for room, or for the storage to answer

    def on_cancelled(self, batches: Iterable[InFlightBatch]) -> None:
        """See `Retried.on_cancelled`."""
        self._cancel(batches)

    def _resolve(self, in_flight: InFlightBatch, answer: Admission | Exception, sent_us: int) -> None:
        """Count what became of a batch."""
        if self._log.debugs:
            self._log.answer(self._batch(in_flight, sent_us), answer, sent_us)
        in_flight.buffer.unanswered = isinstance(answer, StorageUnavailable)
        if isinstance(answer, Admission):
            self._in_vain = 0
            if not self._log.storage_available:
                self._log.available()
            if answer.other_quota and answer.other_quota.limits:  # else a source brought the batch before
                self._log.other_quota(answer.other_quota)
            if answer.stale:  # another process has the same writer id, or the batch was delayed for very long
                self._log.stale(self._writer)
                self._drop(in_flight, "unconfirmed", "the storage has a later batch of this server")
            else:
                if not in_flight.buffer.known:
                    self._source.on_begun(in_flight.buffer)
                self.cooldowns += in_flight.buffer.start_cooldowns(answer, sent_us, self._source.max_cooldown_us)
                self._count_admission(in_flight, answer)
        else:
            self._give_up(in_flight, answer)
        self._source.on_batch_done(in_flight.buffer, in_flight.batch)

    def _count_admission(self, in_flight: InFlightBatch, admission: Admission) -> None:
        ledger, record = self._ledger, self._record
        stored_before, now_us = ledger.stored, self._now_us()
        ledger.count_admission(admission)
        for pending, stored in in_flight.batch.stored_counts(admission):
            pending.resolve(ledger, stored=stored)
            if record is not None:
                record.add_pending(
                    in_flight.buffer.stream, pending.events, pending.size_bytes, RATE_LIMIT, stored=stored
                )
        if stored_now := ledger.stored - stored_before:
            self.freshness.add(now_us - in_flight.batch.since_us, stored_now, now_us)

    def _give_up(self, in_flight: InFlightBatch, fault: Exception) -> None:
        if isinstance(fault, StorageUnavailable):
            told = str(fault) if isinstance(fault, StorageRefused) else "the storage does not answer"
            self._drop(in_flight, "unconfirmed" if fault.ambiguous else "storage_unavailable", told)
            if fault.ambiguous or in_flight.unconfirmed:
                in_flight.buffer.unconfirmed = in_flight.left_over(self._now_us())
            else:
                in_flight.batch.restore_counts(in_flight.buffer.all, in_flight.buffer.error)
        elif isinstance(fault, TooManyStreams):
            self._refuse(in_flight, _TOO_MANY_STREAMS)
        elif isinstance(fault, UnknownStream):
            self._refuse(in_flight, _NEW_STREAM)
        else:
            self._storage_calls.insert_faults["error"] += 1
            self._log.error(fault)
            self._drop(in_flight, "storage_error", "the storage has an error, which is in the log")

    def _refuse(self, in_flight: InFlightBatch, refusal: Refusal) -> None:
        self._drop(in_flight, *refusal)
        if in_flight.buffer.producer is in_flight.producer:  # else one that may do more has come meanwhile
            self._source.on_refused(in_flight.buffer, refusal)

    def _drop(self, in_flight: InFlightBatch, reason: str, told: str, loss: Loss | None = None) -> None:
        loss = loss or _LOSSES.get(reason, Loss.PASSING)
        for pending in in_flight.batch.pending:
            pending.drop(self._ledger, reason, told, loss)
            if self._record is not None:
                self._record.add_pending(in_flight.buffer.stream, pending.events, pending.size_bytes, reason)

    def _cancel(self, batches: Iterable[InFlightBatch]) -> None:
        for in_flight in batches:
            self._drop(in_flight, "shutdown", "the server is stopping")
            self._source.on_batch_done(in_flight.buffer, in_flight.batch)
