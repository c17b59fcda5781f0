"""What waits for the storage: bounded in bytes, flushed per stream, tried again under the same number."""

import asyncio
import contextlib
import itertools
import secrets
from collections import deque
from collections.abc import Callable

import msgspec
import structlog

from eventscache.clock import MICROSECONDS, monotonic_us
from eventscache.delivery.flush_timer import FlushTimer
from eventscache.delivery.ledger import Ledger
from eventscache.delivery.pending import PendingEvents
from eventscache.delivery.stream_buffer import (
    MAX_BATCH_BYTES,
    MAX_BATCH_EVENTS,
    MAX_CALL_STREAMS,
    OutgoingBatch,
    StreamBuffer,
)
from eventscache.errors import StorageError, StorageUnavailable, TooManyStreams
from eventscache.storage.base import Storage
from eventscache.storage.messages import Admission, Batch, Quota
from eventscache.stream import Stream

_log = structlog.get_logger()

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.01, 0.25
_FEWEST_LANES_TO_SWEEP = 1024
_SAY_AGAIN_US = 10_000_000
_LONGEST_GATHERING_US = 50_000


class InFlightBatch(msgspec.Struct, frozen=True):
    """A parcel on its way, under a number that it keeps until it is given up."""

    buffer: StreamBuffer
    batch_: OutgoingBatch
    number: int
    give_up_us: int


class Queue:
    """Events of all streams on their way to the storage, by up to `pool_size` calls at a time.

    A call that fails is tried again, with the same number, until `deadline_seconds` after its first try; then its
    events are dropped and counted. `now_us` is monotonic and this process's own.
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
        now_us: Callable[[], int] = monotonic_us,
    ) -> None:
        self.bytes = 0
        self.storage_answers = True
        self._storage = storage
        self._ledger = ledger
        self._quota = quota
        self._pool_size = pool_size
        self._max_bytes = max_bytes
        self._deadline_us = int(deadline_seconds * MICROSECONDS)
        self._now_us = now_us
        self._writer = secrets.token_urlsafe(9)
        self._numbers = itertools.count(1)
        self._buffers: dict[Stream, StreamBuffer] = {}
        self._sweep_at = _FEWEST_LANES_TO_SWEEP
        self._ready: deque[StreamBuffer] = deque()
        self._launching = False
        self._gathered = self._gathered_before = 0  # events since the last launch, and those of them until a turn ago
        self._gathering_since_us = 0
        self._hurried = False  # somebody waits for what is ready
        self._waiting_bytes = 0  # of what is in no call yet
        self._asking = 0  # calls at their first try
        self._carrier = FlushTimer(self._hurry, now_us)
        self._flying: set[asyncio.Task[None]] = set()
        self._running = False
        self._other_quotas: set[Quota] = set()
        self._refusal, self._say_again_us = "", 0  # what the storage said when it refused a batch

    def start(self) -> None:
        """Start flushing, on the running loop."""
        self._running = True
        self._carrier.start()
        self._launch_soon()

    async def drain(self, timeout_seconds: float) -> None:
        """Flush what waits, within the time there is; drop and count the rest. Nothing may be put any more."""
        try:
            async with asyncio.timeout(timeout_seconds):
                buffers = [*self._buffers.values()]
                for buffer in buffers:
                    self._hurry(buffer)
                for buffer in buffers:
                    await self._flushed(buffer)
        except TimeoutError:
            _log.warning("queue not drained in time", events=self._ledger.queued)
        self._running = False
        await self._carrier.end()
        for task in self._flying:
            task.cancel()
        await asyncio.gather(*self._flying, return_exceptions=True)
        for buffer in self._buffers.values():
            self._drop(list(buffer.waiting), "shutdown")
            buffer.waiting.clear()
        self._waiting_bytes = 0

    def has_room(self, size: int) -> bool:
        """Whether that many bytes more may wait."""
        return self.bytes + size <= self._max_bytes

    def buffer(self, stream: Stream) -> StreamBuffer | None:
        """Return the lane of a stream that something was put into of late."""
        return self._buffers.get(stream)

    def _new_lane(self, stream: Stream) -> StreamBuffer:
        if len(self._buffers) >= self._sweep_at:
            self._sweep()
        buffer = self._buffers[stream] = StreamBuffer(stream)
        self._carrier.expect(len(self._buffers))
        return buffer

    def _sweep(self) -> None:
        """Forget idle lanes: a flood of new ids costs no memory for long."""
        now_us = self._now_us()
        self._buffers = {stream: buffer for stream, buffer in self._buffers.items() if not buffer.is_idle(now_us)}
        self._sweep_at = max(_FEWEST_LANES_TO_SWEEP, 2 * len(self._buffers))

    def refuses(self, stream: Stream, count: int, *, failed: bool) -> bool:
        """Tell whether events, errors or not, are refused without asking the storage; if so, they count as limited."""
        buffer = self._buffers.get(stream)
        if buffer is None or not buffer.refuses(count, self._now_us(), failed=failed):
            return False
        self._ledger.limited += count
        self._carrier.note(buffer)
        return True

    def put(self, stream: Stream, item: PendingEvents, *, trusted: bool) -> None:
        """Let events wait for the next call of their lane."""
        buffer = self._buffers.get(stream) or self._new_lane(stream)
        if trusted:
            buffer.trusted = True
        count = len(item.events)
        self._ledger.queued += count
        self.bytes += item.size
        buffer.put(item)
        self._waiting_bytes += item.size
        self._gathered += count
        self._hurried = self._hurried or item.receipt is not None
        self._schedule(buffer)

    def launch(self) -> None:
        """Send what is ready at once, unless the storage is asked already: somebody waits for it."""
        if self._running and not self._asking:
            self._launch()

    async def delivered(self, stream: Stream, timeout_seconds: float) -> None:
        """Flush what is known of a stream, events and refusals, and return when that is done or time is up."""
        if buffer := self._buffers.get(stream):
            with contextlib.suppress(TimeoutError):  # the read that follows says so if the storage is away
                async with asyncio.timeout(timeout_seconds):
                    await self._flushed(buffer)

    async def _flushed(self, buffer: StreamBuffer) -> None:
        """Return when all that is known of a lane now has been delivered; what comes later is not waited for."""
        arrived = buffer.arrived
        self._hurried = True
        self._hurry(buffer)
        while buffer.done < arrived or buffer.carry_due:
            await buffer.flushed()

    def _hurry(self, buffer: StreamBuffer) -> None:
        """Flush a lane with its refusals, after the flush that may be under way."""
        if buffer.scheduled or buffer.carries:
            buffer.carry_due = True
            self._schedule(buffer)

    def reopen(self, stream: Stream) -> None:
        """Ask the storage again about a stream: its limiter was reset."""
        if buffer := self._buffers.get(stream):
            buffer.all.until_us = buffer.error.until_us = 0

    def _schedule(self, buffer: StreamBuffer) -> None:
        if not buffer.scheduled:
            buffer.scheduled = True
            self._ready.append(buffer)
            self._launch_soon()

    def _launch_soon(self) -> None:
        """Flush on the next turn of the loop: whatever arrives in this one goes along."""
        if not self._launching and self._running:
            self._launching = True
            asyncio.get_running_loop().call_soon(self._launch)

    def _launch(self) -> None:
        """Send what is ready.

        While the storage is asked the next call waits for company, unless there is enough of it: that costs half a
        round trip at times, and saves most of what calls cost. A call that is tried again holds up nobody.
        """
        self._launching = False
        if self._gathers():
            self._launch_soon()
            return
        while self._ready and self._running and len(self._flying) < self._pool_size:
            if self._asking and len(self._ready) < MAX_CALL_STREAMS and self._waiting_bytes < MAX_BATCH_BYTES:
                return
            if flights := self._take():
                self._asking += 1
                task = asyncio.create_task(self._deliver(flights))
                self._flying.add(task)
                task.add_done_callback(self._landed)

    def _gathers(self) -> bool:
        """Tell whether a launch waits for another turn of the loop: events keep coming, and none has waited for long.

        A loop that has nothing else to do flushes at once, and one that is busy in larger and so cheaper calls.
        """
        now_us = self._now_us()
        if not self._gathered_before:
            self._gathering_since_us = now_us
        more, self._gathered_before = self._gathered > self._gathered_before, self._gathered
        lasts = now_us - self._gathering_since_us < _LONGEST_GATHERING_US
        if more and lasts and self._gathered < MAX_BATCH_EVENTS and not self._hurried:
            return True
        self._gathered = self._gathered_before = 0
        self._hurried = False
        return False

    def _landed(self, task: "asyncio.Task[None]") -> None:
        self._flying.discard(task)
        self._launch_soon()

    def _take(self) -> list[InFlightBatch]:
        """Return what goes along in one call: the next parcels of lanes that are ready, within bounds."""
        flights: list[InFlightBatch] = []
        events = size = 0
        now_us = self._now_us()
        while self._ready and len(flights) < MAX_CALL_STREAMS and events < MAX_BATCH_EVENTS and size < MAX_BATCH_BYTES:
            buffer = self._ready.popleft()
            batch_ = buffer.take(self._quota.size, now_us)
            self._waiting_bytes -= batch_.waited_bytes
            self._carrier.note(buffer)
            for item in batch_.refused:
                self._end(item, stored=0)
            flight = InFlightBatch(buffer, batch_, next(self._numbers), now_us + self._deadline_us)
            if batch_.idle:
                self._finish(flight)
            else:
                flights.append(flight)
                events += batch_.payloads
                size += batch_.payload_bytes
        return flights

    def _finish(self, flight: InFlightBatch) -> None:
        buffer = flight.buffer
        buffer.finish_flush(flight.batch_)
        self._carrier.note(buffer)
        if buffer.waiting or buffer.carry_due:
            self._schedule(buffer)

    async def _deliver(self, flights: list[InFlightBatch]) -> None:
        """Insert parcels; whatever happens, every item ends up counted."""
        sent_us = self._now_us()
        try:
            answers = await self._storage.insert_many([self._batch(flight, sent_us) for flight in flights])
            answered: list[tuple[InFlightBatch, Admission | Exception]] = [*zip(flights, answers, strict=True)]
        except asyncio.CancelledError:
            for flight in flights:
                self._drop(flight.batch_.items, "shutdown")
            raise
        except Exception as fault:  # a backend's bug must neither stop the flushing nor lose count
            answered = [(flight, fault) for flight in flights]
        finally:
            self._asking -= 1
        trying = []
        for flight, answer in answered:
            if isinstance(answer, StorageUnavailable):
                trying.append(self._try_again(flight, answer))
            else:
                self._conclude(flight, answer, sent_us)
        self._launch_soon()  # who waits for an answer has it before
        if trying:
            await asyncio.gather(*trying)

    def _batch(self, flight: InFlightBatch, sent_us: int) -> Batch:
        buffer = flight.buffer
        return flight.batch_.batch(
            buffer.stream, self._quota, self._writer, flight.number, sent_us, trusted=buffer.trusted
        )

    async def _try_again(self, flight: InFlightBatch, fault: StorageUnavailable) -> None:
        """Try until the deadline, always under one number: no try can store an event twice."""
        pause_seconds = _FIRST_PAUSE_SECONDS
        ambiguous = fault.ambiguous
        answer: Admission | Exception = fault
        sent_us = 0
        while isinstance(answer, StorageUnavailable):
            self._note_storage(str(answer))
            if self._now_us() + pause_seconds * MICROSECONDS > flight.give_up_us:
                answer = StorageUnavailable(str(answer), ambiguous=ambiguous)
                break
            try:
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
                sent_us = self._now_us()
                answer = await self._storage.insert(self._batch(flight, sent_us))
            except StorageUnavailable as again:
                answer = again
                ambiguous = ambiguous or again.ambiguous
            except asyncio.CancelledError:
                self._drop(flight.batch_.items, "shutdown")
                raise
            except Exception as again:  # as in _deliver
                answer = again
        self._conclude(flight, answer, sent_us)

    def _conclude(self, flight: InFlightBatch, answer: Admission | Exception, sent_us: int) -> None:
        """Count what became of a parcel."""
        buffer, batch_, items = flight.buffer, flight.batch_, flight.batch_.items
        if isinstance(answer, Admission):
            if not self.storage_answers:
                self._note_storage(None)
            if answer.other_quota:
                self._note_quota(answer.other_quota)
            if answer.stale:  # another process writes under our name, or a batch came back from long ago
                _log.error("storage calls a batch stale", writer=self._writer)
                self._drop(items, "unconfirmed")
            else:
                buffer.renew(answer, sent_us, self._carrier.patience_us)
                self._settle(batch_, answer)
        elif isinstance(answer, StorageUnavailable):
            self._drop(items, "unconfirmed" if answer.ambiguous else "storage_unavailable")
            if not answer.ambiguous:
                batch_.hand_back(buffer)
        elif isinstance(answer, TooManyStreams):
            self._drop(items, "max_streams")
        else:
            if isinstance(answer, StorageError):
                self._note_refusal(str(answer))
            else:
                _log.error("storage failed in an unexpected way", exc_info=answer)
            self._drop(items, "storage_error")
        self._finish(flight)

    def _settle(self, batch_: OutgoingBatch, admission: Admission) -> None:
        ledger = self._ledger
        ledger.admitted_all += admission.all.admitted if admission.all else 0
        ledger.admitted_error += admission.error.admitted if admission.error else 0
        for item, stored in batch_.outcomes(admission):
            self._end(item, stored=stored)

    def _end(self, item: PendingEvents, *, stored: int) -> None:
        """Count the events of an item that has been judged."""
        count, ledger = len(item.events), self._ledger
        self.bytes -= item.size
        ledger.queued -= count
        ledger.stored += stored
        ledger.limited += count - stored
        if item.receipt:
            item.receipt.end(stored=stored, limited=count - stored)

    def _drop(self, items: list[PendingEvents], reason: str) -> None:
        for item in items:
            self.bytes -= item.size
            self._ledger.queued -= len(item.events)
            self._ledger.dropped[reason] += len(item.events)
            if item.receipt:
                item.receipt.drop(len(item.events))

    def _note_storage(self, fault: str | None) -> None:
        """Say once that the storage went away, and once that it is back."""
        if self.storage_answers is (fault is None):
            return
        self.storage_answers = fault is None
        if fault:
            _log.warning("storage unavailable", reason=fault)
        else:
            _log.info("storage answers again")

    def _note_refusal(self, reason: str) -> None:
        """Say that the storage refuses batches, and every so often that it goes on: each one is counted anyway."""
        now_us = self._now_us()
        if reason != self._refusal or now_us >= self._say_again_us:
            self._refusal, self._say_again_us = reason, now_us + _SAY_AGAIN_US
            _log.error("storage refused a batch", reason=reason)

    def _note_quota(self, other: Quota) -> None:
        if other not in self._other_quotas and len(self._other_quotas) < 10:  # noqa: PLR2004
            self._other_quotas.add(other)
            _log.warning(
                "another sidecar uses other settings for the same streams",
                size=self._quota.size,
                window_us=self._quota.window_us,
                other_size=other.size,
                other_window_us=other.window_us,
            )
