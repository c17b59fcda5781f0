"""The queue: buffers of all streams, bounded in bytes."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping

import structlog

from eventscache.clock import monotonic_us
from eventscache.delivery.extra_cooldowns import ExtraCooldowns, ExtraKind
from eventscache.delivery.flush_timer import FlushTimer
from eventscache.delivery.known_streams import KnownStreams
from eventscache.delivery.ledger import Ledger
from eventscache.delivery.outgoing_batch import OutgoingBatch
from eventscache.delivery.pending import PendingEvents, most_pending
from eventscache.delivery.producer import Producer
from eventscache.delivery.receipt import Loss, Receipt
from eventscache.delivery.refused_streams import Refusal, RefusedStreams
from eventscache.delivery.sender import Sender
from eventscache.delivery.storage_calls import StorageCalls
from eventscache.delivery.stream_buffer import StreamBuffer
from eventscache.record.record import COOLDOWN, Record
from eventscache.storage.base import Storage
from eventscache.storage.messages import Quota
from eventscache.stream import Stream

_log = structlog.get_logger()

_MIN_BUFFERS_TO_SWEEP = 1024
_NONE_OPEN: tuple[str, ...] = ()
_LIMITED = True, _NONE_OPEN


class Queue:
    """Events of all streams on their way to the storage: at most `max_bytes` of them, waiting or in flight.

    Its sender makes up to `pool_size` calls at a time, and drops events `deadline_seconds` after their first try.
    Before that they wait as long as it takes. A `record` notes what became of them, `calls` what they took.
    `extra_kinds` are the kinds of extra collections that events may belong to. `now_us` is this process's monotonic
    clock.
    """

    def __init__(
        self,
        storage: Storage,
        ledger: Ledger,
        quota: Quota,
        *,
        pool_size: int,
        max_bytes: int,
        deadline_seconds: float,
        record: Record | None = None,
        calls: StorageCalls | None = None,
        extra_kinds: Mapping[str, ExtraKind] | None = None,
        now_us: Callable[[], int] = monotonic_us,
    ) -> None:
        self.bytes = 0
        self.ready: deque[StreamBuffer] = deque()
        self.ready_again: deque[StreamBuffer] = deque()
        self.ready_new: deque[StreamBuffer] = deque()
        self.waiting_bytes = 0  # of all events that are in no batch yet
        self.sender = Sender(
            self,
            storage,
            ledger,
            quota,
            pool_size=pool_size,
            deadline_seconds=deadline_seconds,
            record=record,
            calls=calls or StorageCalls(),
            now_us=now_us,
        )
        self._record = record
        self._linger = self.sender.linger
        self._ledger = ledger
        self._quota = quota
        self._most_pending = most_pending(quota)
        self._extra_kinds = extra_kinds or {}
        self.max_bytes = max_bytes
        self._now_us = now_us
        self._buffers: dict[Stream, StreamBuffer] = {}
        self._known = KnownStreams()
        self.refused = RefusedStreams(now_us)
        """The streams whose events are dropped at once."""
        self._sweep_at = _MIN_BUFFERS_TO_SWEEP
        self._flush_timer = FlushTimer(self._request_flush, now_us)
        self.max_cooldown_us = self._flush_timer.max_cooldown_us

    def start(self) -> None:
        """Start sending, on the running loop."""
        self._flush_timer.start()
        self.sender.start()

    async def drain(self, timeout_seconds: float) -> None:
        """Send what waits, within the timeout; drop and count the rest. Nothing may be put any more."""
        try:
            async with asyncio.timeout(timeout_seconds):
                buffers = [*self._buffers.values()]
                for buffer in buffers:
                    self._request_flush(buffer)
                for buffer in buffers:
                    await self._flushed(buffer)
        except TimeoutError:
            _log.warning("queue not drained within the shutdown timeout", events=self._ledger.queued)
        await self.sender.stop()
        await self._flush_timer.stop()
        for buffer in self._buffers.values():
            for pending in buffer.waiting:
                self.bytes -= pending.size_bytes
                self._drop(buffer.stream, pending, "shutdown", "the server is stopping")
            buffer.waiting.clear()
        self.waiting_bytes = 0

    @property
    def streams(self) -> int:
        """How many streams have a buffer: those that got events lately."""
        return len(self._buffers)

    def has_room(self, size_bytes: int) -> bool:
        """Whether events of so many bytes can be put."""
        return self.bytes + size_bytes <= self.max_bytes

    def buffer(self, stream: Stream) -> StreamBuffer | None:
        """Return the buffer of a stream, if there is one: idle buffers are removed."""
        return self._buffers.get(stream)

    def reserve(self, size_bytes: int) -> bool:
        """Take room for events that will be put; return whether there was enough."""
        if not self.has_room(size_bytes):
            return False
        self.bytes += size_bytes
        return True

    def release(self, size_bytes: int) -> None:
        """Give back room that was reserved."""
        self.bytes -= size_bytes

    def _new_buffer(self, stream: Stream, producer: Producer) -> StreamBuffer:
        if len(self._buffers) >= self._sweep_at:
            self._sweep()
        known = not producer.is_bounded or self._known.recall(stream)
        buffer = self._buffers[stream] = StreamBuffer(stream, producer, known=known)
        self._flush_timer.adapt(len(self._buffers))
        self.max_cooldown_us = self._flush_timer.max_cooldown_us
        return buffer

    def _sweep(self) -> None:
        """Remove idle buffers: a flood of new ids holds no memory for long."""
        now_us = self._now_us()
        self._buffers = {stream: buffer for stream, buffer in self._buffers.items() if not buffer.is_idle(now_us)}
        self._sweep_at = max(_MIN_BUFFERS_TO_SWEEP, 2 * len(self._buffers))

    def limit_locally(self, stream: Stream, count: int, *, failed: bool, to_all: bool = True) -> bool:
        """Count events as limited if all collections that they belong to have a cooldown; return whether they have.

        `failed` tells whether they are errors; without `to_all` these belong to `error` alone.
        """
        buffer = self._buffers.get(stream)
        if buffer is None or not buffer.limit_locally(count, self._now_us(), failed=failed, to_all=to_all):
            return False
        self._count_limited(buffer, count)
        return True

    def _count_limited(self, buffer: StreamBuffer, count: int) -> None:
        self._ledger.limited += count
        if not buffer.unreported_since_us:
            self._flush_timer.update(buffer)

    def limit_by_collection(
        self, stream: Stream, names: tuple[str, ...], count: int, *, failed: bool, to_all: bool = True
    ) -> tuple[bool, tuple[str, ...]]:
        """Count events as `limit_locally` does, and for each extra collection with a cooldown.

        Returns whether all of their collections have a cooldown, and which of the extra collections have none.
        """
        buffer = self._buffers.get(stream)
        if buffer is None:
            return False, names
        now_us, extras, is_open = self._now_us(), buffer.extras, names
        if extras is not None:
            if len(names) == 1:  # of nearly all events
                is_open = _NONE_OPEN if extras.limit_locally(names[0], count, now_us) else names
            else:
                is_open = tuple(name for name in names if not extras.limit_locally(name, count, now_us))
        if not is_open and buffer.limit_locally(count, now_us, failed=failed, to_all=to_all):
            self._count_limited(buffer, count)
            return True, is_open
        if is_open is not names:  # some were counted
            self._flush_timer.update(buffer)
        return False, is_open

    def limit_original(self, stream: Stream, names: tuple[str, ...]) -> tuple[bool, tuple[str, ...]]:
        """Do what `limit_by_collection` does for one event that is no error: fast, as floods consist of these."""
        buffer = self._buffers.get(stream)
        if buffer is not None and buffer.extras is not None:
            now_us = self._now_us()
            combined = buffer.extras.combined.get(names)
            if combined is not None and now_us < combined.until_us:
                is_first = combined.limited is None
                combined.count_limited(now_us)
                self._ledger.limited += 1
                if is_first:
                    self._flush_timer.update(buffer)
                return _LIMITED
        limited, is_open = self.limit_by_collection(stream, names, 1, failed=False)
        if limited and buffer is not None and buffer.extras is not None:
            buffer.extras.combine(names, buffer.all)
        return limited, is_open

    def put(self, stream: Stream, pending: PendingEvents, producer: Producer) -> None:
        """Let events wait for the next batch of their stream; their room is reserved.

        If the storage refused the stream a moment ago, they are dropped as it would be refused again.
        """
        if self.refused and (refusal := self.refused.recall(stream, producer)):
            self._refuse(stream, pending, refusal)
            return
        buffer = self._buffers.get(stream) or self._new_buffer(stream, producer)
        if pending.extras and buffer.extras is None:
            buffer.extras = ExtraCooldowns(self._extra_kinds)
        if producer is not buffer.producer:
            buffer.add_producer(producer)
        count = len(pending.events)
        self._ledger.queued += count
        buffer.put(pending, self._now_us, self._most_pending)
        self.waiting_bytes += pending.size_bytes
        self._linger.events += count
        if pending.receipt is not None:
            self._linger.urgent = True
        self._schedule(buffer)

    def _refuse(self, stream: Stream, pending: PendingEvents, refusal: Refusal) -> None:
        self.bytes -= pending.size_bytes
        self._ledger.queued += len(pending.events)
        self._drop(stream, pending, *refusal)

    async def flush(self, stream: Stream, timeout_seconds: float) -> None:
        """Send all events and limited counts of a stream, and return when that is done or the time is up."""
        if buffer := self._buffers.get(stream):
            with contextlib.suppress(TimeoutError):  # the caller's next call of the storage raises if it is unavailable
                async with asyncio.timeout(timeout_seconds):
                    await self._flushed(buffer)

    async def _flushed(self, buffer: StreamBuffer) -> None:
        """Return when all that a buffer holds now was sent; what is put later is not waited for."""
        arrived = buffer.arrived
        self._linger.urgent = True
        self._request_flush(buffer)
        while buffer.done < arrived or buffer.flush_due:
            await buffer.batch_done()

    def _request_flush(self, buffer: StreamBuffer) -> None:
        """Let the next batch of a buffer take its limited counts, after the one that may be in flight."""
        if buffer.scheduled or buffer.has_limited_counts:
            buffer.flush_due = True
            self._schedule(buffer)

    def withdraw(self, receipt: Receipt, streams: Iterable[Stream], reason: str) -> None:
        """Drop those events of a receipt that wait and were never sent, and tell it the reason."""
        for stream in streams:
            buffer = self._buffers.get(stream)
            if buffer is None:
                continue
            for pending in buffer.withdraw(receipt):
                self.bytes -= pending.size_bytes
                self.waiting_bytes -= pending.size_bytes
                self._drop(stream, pending, "storage_unavailable", reason)

    def _drop(self, stream: Stream, pending: PendingEvents, reason: str, told: str, loss: Loss = Loss.PASSING) -> None:
        pending.drop(self._ledger, reason, told, loss)
        if self._record is not None:
            self._record.add_pending(stream, pending.events, pending.size_bytes, reason)

    def limited_for_us(self, stream: Stream, *, failed: bool) -> int:
        """Return how long no collection of an event admits one, by the storage's last answers; `failed` as above.

        That is 0 if it is not known. If others offer events of the stream, it takes longer.
        """
        buffer = self._buffers.get(stream)
        if buffer is None:
            return 0
        opens_us = min(buffer.all.opens_us, buffer.error.opens_us) if failed else buffer.all.opens_us
        return max(0, opens_us - self._now_us())

    def end_cooldowns(self, stream: Stream) -> None:
        """Send the next events of a stream to the storage: its limiter was reset. There may be room for others."""
        self.refused.clear()
        if buffer := self._buffers.get(stream):
            buffer.settle()
            buffer.all.until_us = buffer.error.until_us = 0
            buffer.all.opens_us = buffer.error.opens_us = 0
            if buffer.extras is not None:  # its counts go: the limiters of the stream begin anew
                buffer.extras = ExtraCooldowns(self._extra_kinds)

    def end_extra_cooldown(self, stream: Stream, name: str) -> None:
        """Send the next events of an extra collection to the storage: its limiter was reset."""
        buffer = self._buffers.get(stream)
        if buffer and buffer.extras:
            buffer.settle()
            buffer.extras.end(name)

    def may_begin_extra(self, stream: Stream, name: str) -> bool:
        """Whether events of an extra collection may be kept now: only so many of a kind begin in a minute."""
        buffer = self._buffers.get(stream)
        return buffer is None or buffer.extras is None or buffer.extras.may_begin(name, self._now_us())

    def _schedule(self, buffer: StreamBuffer) -> None:
        if not buffer.scheduled:
            buffer.scheduled = True
            self._ready_with(buffer).append(buffer)
            self.sender.dispatch_soon()

    def _ready_with(self, buffer: StreamBuffer) -> deque[StreamBuffer]:
        """Return the buffers that a buffer is sent with."""
        if not buffer.known:
            return self.ready_new
        return self.ready_again if buffer.unanswered else self.ready

    def take(self, buffer: StreamBuffer, now_us: int) -> OutgoingBatch:
        """Return the next batch of a buffer; events that a cooldown limits by now are counted at once."""
        batch = buffer.take(self._quota, now_us)
        self.waiting_bytes -= batch.size_bytes
        self._flush_timer.update(buffer)
        for pending in batch.limited:
            self.waiting_bytes -= pending.size_bytes
            self.bytes -= pending.size_bytes
            pending.resolve(self._ledger, stored=0)
            if self._record is not None:
                self._record.add_pending(buffer.stream, pending.events, pending.size_bytes, COOLDOWN)
        return batch

    def on_begun(self, buffer: StreamBuffer) -> None:
        """Note that the storage has a stream of which that was not known."""
        buffer.note_known()
        self._known.add(buffer.stream)
        self.refused.discard(buffer.stream)

    def on_refused(self, buffer: StreamBuffer, refusal: Refusal) -> None:
        """Note that the storage let a stream not begin, and why; drop its events that wait."""
        self.refused.add(buffer.stream, buffer.producer, refusal)
        waiting, buffer.waiting = buffer.waiting, []
        buffer.done += len(waiting)
        for pending in waiting:
            self.bytes -= pending.size_bytes
            self.waiting_bytes -= pending.size_bytes
            self._drop(buffer.stream, pending, *refusal)

    def on_batch_done(self, buffer: StreamBuffer, batch: OutgoingBatch) -> None:
        """Free the room of a batch, and make its buffer ready again if it has more to send."""
        self.bytes -= batch.size_bytes
        buffer.finish(batch)
        self._flush_timer.update(buffer)
        if buffer.waiting or buffer.flush_due:
            self._schedule(buffer)
        elif buffer.known is False and not buffer.unanswered and buffer.is_idle(self._now_us()):
            # It was refused. A flood of new ids lets no buffers pile up until the next sweep.
            self._buffers.pop(buffer.stream, None)
