"""The intake: it takes events at any rate, for the queue."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import NoReturn, TypeVar

from eventscache.clock import MICROSECONDS
from eventscache.delivery.inserter import Inserter
from eventscache.delivery.ledger import Ledger
from eventscache.delivery.packer import Packer, Part, Run, runs_of, size_of
from eventscache.delivery.producer import CONFIGURED, Producer
from eventscache.delivery.queue import Queue
from eventscache.delivery.receipt import Loss, Receipt
from eventscache.errors import NewStreamsRefused, NotStored, StorageUnavailable
from eventscache.event import Event
from eventscache.extras.rules import NO_RULES, Rules
from eventscache.masking.mask import Mask
from eventscache.masking.masking_thread import MaskingThread, are_short, originals_are_short
from eventscache.query.turns import Turns
from eventscache.record.record import COOLDOWN, Record
from eventscache.stream import Stream

_DROPPED_AT_ONCE = {"shutdown": "the server is stopping", "queue_full": "the queue is full"}
_OFFERED_TOGETHER = 500  # some milliseconds of work

_Record = tuple[Stream, Event]
_T = TypeVar("_T")


class Intake:
    """Puts events into the queue without waiting for the storage, and counts all of them.

    It takes events between `_begin` and `_end`, and drops all others.
    """

    def __init__(
        self,
        queue: Queue,
        packer: Packer,
        inserter: Inserter,
        ledger: Ledger,
        record: Record | None,
        *,
        enabled: bool,
        keeps_extras: bool,
        ack_timeout_seconds: float,
        storage_timeout_seconds: float,
        now_us: Callable[[], int],
    ) -> None:
        self.queue = queue
        self.ledger = ledger
        self.record = record
        self.turns = Turns()
        self._packer = packer
        self._inserter = inserter
        self.keeps_extras = keeps_extras
        self._enabled = enabled
        self._ack_timeout_seconds = ack_timeout_seconds
        self._storage_timeout_seconds = storage_timeout_seconds
        self._now_us = now_us
        self._rules = NO_RULES
        self._masking: MaskingThread | None = None
        self._open = False

    def _begin(self) -> None:
        if self._packer.mask:
            self._masking = MaskingThread(self._packer.mask, self.queue.max_bytes)
        self.queue.start()
        self._open = True

    def _end(self) -> None:
        self._open = False
        if self._masking:
            self._masking.close()

    def _rules_of(self, scope: str) -> Rules:
        """Return the rules for events that are written in a scope, which is named as its collection is, if any."""
        return self._rules.within(scope) if scope and self.keeps_extras else self._rules

    def use_mask(self, mask: Mask | None) -> None:
        """Mask events by this mask that come from now on."""
        self._packer.mask = mask
        if self.record is not None:
            self.record.masked = mask is not None
        if mask is None:
            self._masking = None  # its thread ends when those who wait for it have left
        elif self._masking is not None:
            self._masking.mask = mask
        elif self._open:
            self._masking = MaskingThread(mask, self.queue.max_bytes)

    def offer_originals(
        self, stream: Stream, originals: Sequence[bytes], producer: Producer = CONFIGURED, scope: str = ""
    ) -> bool:
        """Take events that have nothing but an original, as `offer` does; limited ones are only counted."""
        count = len(originals)
        if not self._open:
            self._drop(count, "shutdown" if self._enabled else "disabled", None)
            return not self._enabled
        if (names_of := (self._rules_of(scope) if scope else self._rules).of_original) is not None:
            return self._offer_with_extras(stream, originals, producer, names_of)
        if self.queue.limit_locally(stream, count, failed=False):
            self.ledger.received += count
            if self.record is not None and self.record.limited.is_open:
                self.record.add_limited_originals(stream, originals)
            return True
        if not count:
            return True
        if self.queue.refused and (refusal := self.queue.refused.recall(stream, producer)):
            self._drop_originals(stream, originals, refusal.reason)
            return True
        return self._put(self._packer.pack_originals(stream, originals), producer)

    def _offer_with_extras(
        self,
        stream: Stream,
        originals: Sequence[bytes],
        producer: Producer,
        names_of: Callable[[Stream, bytes], tuple[str, ...]],
    ) -> bool:
        """Take originals as `offer_originals` does, by the extra collections that they belong to and that are open."""
        if len(originals) == 1:  # as most requests have
            limited, extras = self.queue.limit_original(stream, names_of(stream, originals[0]))
            if not limited:
                return self._put(self._packer.pack_originals(stream, originals, extras), producer)
            self._note_limited(stream, originals)
            return True
        parts: list[Part] = []
        for names, same in groupby(originals, lambda original: names_of(stream, original)):
            run = [*same]
            limited, extras = self.queue.limit_by_collection(stream, names, len(run), failed=False)
            if limited:
                self._note_limited(stream, run)
            else:
                parts += self._packer.pack_originals(stream, run, extras)
        return self._put(parts, producer) if parts else True

    def _note_limited(self, stream: Stream, originals: Sequence[bytes]) -> None:
        """Note originals that were counted as limited."""
        self.ledger.received += len(originals)
        if self.record is not None and self.record.limited.is_open:
            self.record.add_limited_originals(stream, originals)

    def _would_delay(self, originals: Sequence[bytes]) -> bool:
        """Whether masking these originals takes so long that others must have their turns."""
        return self._masking is not None and self._open and not originals_are_short(originals)

    def offer_originals_at_once(
        self, stream: Stream, originals: Sequence[bytes], producer: Producer = CONFIGURED, scope: str = ""
    ) -> bool:
        """Take events as `offer_originals` does; return False, and do nothing, if that would delay others."""
        if self._would_delay(originals):
            return False
        self.offer_originals(stream, originals, producer, scope)
        return True

    async def offer_originals_in_turns(
        self, stream: Stream, originals: Sequence[bytes], producer: Producer = CONFIGURED, scope: str = ""
    ) -> bool:
        """Take events as `offer_originals` does; many or large ones that are masked delay nobody else."""
        if not self._would_delay(originals):
            return self.offer_originals(stream, originals, producer, scope)
        if self._rules_of(scope).of_original is None and self.queue.limit_locally(stream, len(originals), failed=False):
            self._note_limited(stream, originals)
            return True
        return await self.offer_in_turns(
            [(stream, Event.of(stream, original=original)) for original in originals], producer, scope=scope
        )

    def offer(
        self,
        records: Sequence[_Record],
        producer: Producer = CONFIGURED,
        receipt: Receipt | None = None,
        *,
        errors_only: bool = False,
        scope: str = "",
    ) -> bool:
        """Take events; if the queue has no room for those that are not limited at once, drop these and return False.

        An event without `timestamp` or `uid` gets one. A `receipt` counts what became of all of them. Events are masked
        before they are kept. `errors_only` events are all errors, and are offered to the collection `error` alone. With
        the collection of a `scope` they belong to that too.
        """
        if not self._open:
            self._drop(len(records), "shutdown" if self._enabled else "disabled", receipt)
            return not self._enabled
        runs = self._not_limited(records, receipt, self._rules_of(scope), to_all=not errors_only)
        return self._put(self._packer.pack(runs, receipt, to_all=not errors_only), producer, receipt)

    async def offer_in_turns(
        self,
        records: Sequence[_Record],
        producer: Producer = CONFIGURED,
        receipt: Receipt | None = None,
        *,
        errors_only: bool = False,
        scope: str = "",
    ) -> bool:
        """Take events as `offer` does; others have turns in between if there are many, or large ones to mask."""
        masking = self._masking if self._masking and not are_short([event for _, event in records]) else None
        if not self._open or (masking is None and len(records) <= _OFFERED_TOGETHER):
            return self.offer(records, producer, receipt, errors_only=errors_only, scope=scope)
        runs: list[Run] = []
        for some in _slices(records):
            runs += self._not_limited(some, receipt, self._rules_of(scope), to_all=not errors_only)
            await self.turns.next()
        masked = await self._masked(masking, runs) if masking else runs
        if masked is None:
            self._drop_runs(runs, "queue_full" if self._open else "shutdown", receipt)
            return False
        parts: list[Part] = []
        for some_runs in _slices(masked):
            parts += self._packer.pack(some_runs, receipt, masked=masking is not None, to_all=not errors_only)
            await self.turns.next()
        return await self._put_in_turns(parts, producer, receipt)

    def _not_limited(
        self, records: Sequence[_Record], receipt: Receipt | None, rules_: Rules, *, to_all: bool
    ) -> list[Run]:
        """Return the runs of events whose stream has no cooldown; the others are counted as limited."""
        runs = []
        for stream, failed, events, names in runs_of(records, rules_.of_event):
            limited, extras = self.queue.limit_by_collection(stream, names, len(events), failed=failed, to_all=to_all)
            if limited:
                self.ledger.received += len(events)
                if receipt:
                    receipt.resolve(limited=len(events))
                if self.record is not None:
                    self.record.add_events(stream, events, COOLDOWN)
            else:
                runs.append(Run(stream, failed, events, extras))
        return runs

    async def _masked(self, masking: MaskingThread, runs: Sequence[Run]) -> list[Run] | None:
        """Return runs with their events masked; None if too many wait for that, or if the cache is closed."""
        events = [event for run in runs for event in run.events]
        self._packer.stamp(events)  # by their arrival
        masked = await masking.masked(events)
        if masked is None:
            return None
        kept = iter(masked)
        return [run._replace(events=[*islice(kept, len(run.events))]) for run in runs]

    def _put(self, parts: Sequence[Part], producer: Producer, receipt: Receipt | None = None) -> bool:
        """Put all events into the queue, or drop all of them; return whether there was room."""
        if not self._reserve(parts, receipt):
            return False
        self._put_reserved(parts, producer)
        return True

    async def _put_in_turns(self, parts: Sequence[Part], producer: Producer, receipt: Receipt | None) -> bool:
        """Put events as `_put` does, with turns for others."""
        if not self._reserve(parts, receipt):
            return False
        reserved = [*_slices(parts)]
        try:
            while reserved and self._open:
                self._put_reserved(reserved.pop(0), producer)
                await self.turns.next()
        finally:
            if reserved:
                left = [part for some in reserved for part in some]
                self.queue.release(size_of(left))
                self._drop_parts(left, "shutdown", receipt)
        return True

    def _reserve(self, parts: Sequence[Part], receipt: Receipt | None) -> bool:
        """Return whether the queue has room for all events and is open; if not, drop all."""
        if self._open and self.queue.reserve(size_of(parts)):
            return True
        self._drop_parts(parts, "queue_full" if self._open else "shutdown", receipt)
        return False

    def _put_reserved(self, parts: Sequence[Part], producer: Producer) -> None:
        for stream, pending in parts:
            self.ledger.received += len(pending.events)
            self.queue.put(stream, pending, producer)

    def _drop(self, count: int, reason: str, receipt: Receipt | None) -> None:
        self.ledger.received += count
        self.ledger.dropped[reason] += count
        if receipt:
            receipt.drop(count, _DROPPED_AT_ONCE.get(reason, ""))

    def _drop_originals(self, stream: Stream, originals: Sequence[bytes], reason: str) -> None:
        """Drop originals for a reason, before anything is made of them."""
        self._drop(len(originals), reason, None)
        if self.record is not None and self.record.lost.is_open:
            self._note_lost(self._packer.pack_originals(stream, originals), reason)

    def _note_lost(self, parts: Iterable[Part], reason: str) -> None:
        if self.record is not None:
            for stream, pending in parts:
                self.record.add_pending(stream, pending.events, pending.size_bytes, reason)

    def _drop_runs(self, runs: Iterable[Run], reason: str, receipt: Receipt | None) -> None:
        for stream, _, events, _ in runs:
            self._drop(len(events), reason, receipt)
            if self.record is not None:
                self.record.add_events(stream, events, reason)

    def _drop_parts(self, parts: Iterable[Part], reason: str, receipt: Receipt | None) -> None:
        for part in parts:
            self._drop(len(part[1].events), reason, receipt)
            self._note_lost((part,), reason)

    async def keep(self, records: Sequence[_Record], *, errors_only: bool = False) -> int:
        """Store events, oldest first, that were limited where they come from: no rate limit holds for them here.

        They go past the queue, and are masked. `errors_only` events are all errors, for the collection `error` alone.
        Returns how many the storage cannot take at all. Raises `StorageUnavailable` if others may not be stored.
        """
        runs = runs_of(records, self._rules.of_event)
        masking = self._masking if self._masking and not are_short([event for _, event in records]) else None
        masked = (await self._masked(masking, runs) if masking else runs) if self._open else None
        if masked is None:
            self._drop_runs(runs, "queue_full" if self._open else "shutdown", None)
            raise StorageUnavailable("too many events wait to be masked, or the server is stopping", ambiguous=False)
        parts: list[Part] = []
        for some in _slices(masked):
            parts += self._packer.pack(some, masked=masking is not None, to_all=not errors_only)
            await self.turns.next()
        return await self._inserter.insert(parts)

    def pass_over(self, count: int) -> None:
        """Count events as limited that are not offered: `size` newer ones of their stream are, at the same time."""
        self.ledger.limit(count)
        if self.record is not None and self.record.limited.is_open:
            self.record.limited.miss(count, self.record.now_us())

    async def store(
        self,
        records: Sequence[_Record],
        producer: Producer = CONFIGURED,
        *,
        errors_only: bool = False,
        scope: str = "",
    ) -> Receipt | None:
        """Take events and return when each is stored or limited; return None if the queue has no room.

        Raises `NewStreamsRefused` or `NotStored` if some were surely not stored and nothing is unknown, else
        `StorageUnavailable` after the ack timeout: then some may be stored all the same.
        """
        receipt = Receipt(len(records), self._last_retry_us())
        if not await self.offer_in_turns(records, producer, receipt, errors_only=errors_only, scope=scope):
            return None
        self.queue.sender.dispatch_now()
        try:
            async with asyncio.timeout(self._ack_timeout_seconds):
                await receipt.complete()
        except TimeoutError:
            self.queue.withdraw(receipt, {stream for stream, _ in records}, "the storage is too slow")
        if receipt.dropped and self._enabled:
            _raise_loss(receipt, len(records))
        if not receipt.is_complete:
            raise StorageUnavailable("the storage did not confirm within eventscache.ack_timeout_ms")
        return receipt

    def _last_retry_us(self) -> int:
        """Return when the last retry may begin, so that its answer arrives within the ack timeout."""
        timeout_seconds = self._ack_timeout_seconds
        retry_seconds = max(timeout_seconds / 2, timeout_seconds - self._storage_timeout_seconds)
        return self._now_us() + int(retry_seconds * MICROSECONDS)


def _raise_loss(receipt: Receipt, count: int) -> NoReturn:
    """Raise the error of a caller's events of which some were dropped."""
    losses = receipt.losses
    if losses[Loss.UNCONFIRMED] or not receipt.is_complete:
        raise StorageUnavailable(
            f"of {count} events, {receipt.stored + receipt.limited} were confirmed: {receipt.reason}"
        )
    error = NewStreamsRefused if losses[Loss.NEW_STREAM] == receipt.dropped else NotStored
    raise error(
        f"{receipt.dropped} of {count} events were not stored: {receipt.reason}",
        stored=receipt.stored,
        limited=receipt.limited,
        final=losses[Loss.FINAL],
    )


def _slices(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Yield items as they are worked on in one turn of the loop."""
    for first in range(0, len(items), _OFFERED_TOGETHER):
        yield items[first : first + _OFFERED_TOGETHER]
