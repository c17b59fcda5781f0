"""Makes of events what waits for the storage: each with a time and an id, masked and packed."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from eventscache.delivery.pending import PendingEvents, most_pending
from eventscache.delivery.receipt import Receipt
from eventscache.event import Event
from eventscache.masking.mask import Mask
from eventscache.storage.messages import Offer, Quota
from eventscache.stream import Status, Stream
from eventscache.timestamp import format_time
from eventscache.uid import uids

NamesOfExtras = Callable[[Stream, Event], tuple[str, ...]]
"""Returns the names of the extra collections that an event belongs to."""


class Run(NamedTuple):
    """Consecutive events of one stream that belong to the same collections, and whether they are errors."""

    stream: Stream
    failed: bool
    events: list[Event]
    extras: tuple[str, ...] = ()


Part = tuple[Stream, PendingEvents]


class Packer:
    """Packs events, which it masks if there is a mask."""

    def __init__(self, mask: Mask | None, quota: Quota) -> None:
        self.mask = mask
        self._most = most_pending(quota)
        self._uids = uids()

    def pack_originals(self, stream: Stream, originals: Sequence[bytes], extras: tuple[str, ...] = ()) -> list[Part]:
        """Return events that have nothing but an original, all for the same extra collections."""
        if self.mask is None and stream.id.isascii():
            # Packing cannot fail then, and is left until the events are sent: some of them may never be.
            now_us = time.time_ns() // 1000
            arrived = [(now_us, original) for original in originals]
            split = PendingEvents.split(arrived, originals, pack=self._pack_later, extras=extras, most=self._most)
            return [(stream, pending) for pending in split]
        events = [Event.of(stream, original=original) for original in originals]
        return self.pack([Run(stream, False, events, extras)])

    def _pack_later(self, stream: Stream, arrived: Sequence[tuple[int, bytes]]) -> list[Offer]:
        """Return offers of originals; each comes with its arrival in Unix microseconds."""
        return [Offer(packed, Status.SUCCESS) for packed in Event.pack_originals(stream, arrived, self._uids)]

    def pack(
        self, runs: Iterable[Run], receipt: Receipt | None = None, *, masked: bool = False, to_all: bool = True
    ) -> list[Part]:
        """Return events of runs; they may be `masked` already. Errors without `to_all` are for `error` alone."""
        mask = None if masked else self.mask
        parts = []
        for stream, failed, events, extras in runs:
            self.stamp(events)
            offers = []
            for event in events:
                status = Status.ERROR if failed else Status.SKIP if event.skip else Status.SUCCESS
                kept = event if mask is None else mask.masked(event)
                offers.append(Offer(kept.pack(), status, to_all, failed))
            payloads = [offer.event for offer in offers]
            split = PendingEvents.split(
                offers, payloads, receipt, failed=failed, to_all=to_all, extras=extras, most=self._most
            )
            parts += [(stream, pending) for pending in split]
        return parts

    def stamp(self, events: Iterable[Event]) -> None:
        """Give a time and an id to events that have none."""
        now = ""
        for event in events:
            if not event.timestamp:
                event.timestamp = now = now or format_time(time.time_ns() // 1000)
            if not event.uid:
                event.uid = next(self._uids)


def runs_of(records: Iterable[tuple[Stream, Event]], names_of: NamesOfExtras | None = None) -> list[Run]:
    """Return the runs of events that may be of several streams."""
    runs: list[Run] = []
    run: list[Event] = []
    run_stream, run_failed = None, False
    run_extras: tuple[str, ...] = ()
    for stream, event in records:
        failed = bool(event.error or event.malformed)
        extras = names_of(stream, event) if names_of else ()
        if failed is not run_failed or (stream is not run_stream and stream != run_stream) or extras != run_extras:
            run, run_stream, run_failed, run_extras = [], stream, failed, extras
            runs.append(Run(stream, failed, run, extras))
        run.append(event)
    return runs


def size_of(parts: Iterable[Part]) -> int:
    """Return how many bytes parts take."""
    return sum(pending.size_bytes for _, pending in parts)
