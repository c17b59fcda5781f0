"""The events and limited counts of one stream that one storage call takes."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from eventscache.delivery.cooldown import NO_UNREPORTED_COUNTS, Cooldown, UnreportedCounts
from eventscache.delivery.extra_cooldowns import ExtraCooldowns, ExtraKind
from eventscache.delivery.pending import MAX_PENDING_BYTES, MAX_PENDING_EVENTS, PendingEvents
from eventscache.storage.messages import Admission, Batch, Extra, LimitedCount, Offer, Quota, Unsent, kind_of
from eventscache.stream import Stream

# A batch is full when it holds so much. It holds less than three of the largest pending events.
MAX_BATCH_EVENTS, MAX_BATCH_BYTES = 2 * MAX_PENDING_EVENTS, 2 * MAX_PENDING_BYTES


class Unconfirmed(NamedTuple):
    """Limited counts of which nobody knows whether the storage has them: they go again under their number.

    The storage knows a number for minutes, so that is safe until `until_us`.
    """

    batch: "OutgoingBatch"
    number: int
    until_us: int


class _CollectionPart:
    """What a batch brings to one collection."""

    __slots__ = ("limited_earlier", "sent", "surplus")

    def __init__(self) -> None:
        self.sent = 0
        self.surplus = 0
        self.limited_earlier: UnreportedCounts = NO_UNREPORTED_COUNTS

    def add(self, cooldown: Cooldown, count: int, size: int, now_us: int) -> int:
        """Return how many of some more events are sent as payloads; the others are surplus, or limited locally."""
        if now_us < cooldown.until_us:
            cooldown.count_limited(now_us, count)
            return 0
        sent = min(count, size - self.sent)
        self.sent += sent
        self.surplus += count - sent  # no storage could admit them after `size` others
        return sent

    def unsent(self, now_us: int) -> Unsent:
        if self.surplus or self.limited_earlier:
            return Unsent(self.surplus, self.limited_earlier.with_ages(now_us))
        return _NOTHING_UNSENT


class _ExtraPart(_CollectionPart):
    """What a batch brings to an extra collection: also the indexes of its payloads among the offers."""

    __slots__ = ("indexes",)

    def __init__(self) -> None:
        super().__init__()
        self.indexes: list[int] = []

    def to_send(self, kind: ExtraKind, now_us: int) -> Extra:
        if not kind.quota.limits:
            return newest_offered(kind, self.indexes)
        return Extra(*kind, self.indexes, self.unsent(now_us))


_NOTHING_UNSENT, _EMPTY = Unsent(), _CollectionPart()
_NO_COOLDOWN = Cooldown()
_NO_EXTRAS: Mapping[str, int] = {}


def newest_offered(kind: ExtraKind, indexes: Sequence[int], quota: Quota | None = None) -> Extra:
    """Return what an extra collection gets without a limit: the newest events that it keeps; the others are counted."""
    size = kind.quota.size
    counted = len(indexes) - size
    # As limited a microsecond ago, so that they leave the bucket full.
    unsent = Unsent(0, (LimitedCount(1, counted),)) if counted > 0 else _NOTHING_UNSENT
    return Extra(quota or kind.quota, kind.most, indexes[-size:], unsent)


class OutgoingBatch:
    """What one storage call brings for a stream, the same for every retry; `size` is that of the quota.

    `since_us` is when the oldest of its events was accepted.

    `all` and `error` are always the cooldowns of the stream's collections.
    """

    __slots__ = (
        "_all",
        "_error",
        "_extra_cooldowns",
        "_extras",
        "_offers",
        "_sent_counts",
        "_size",
        "deadline_us",
        "limited",
        "payload_bytes",
        "pending",
        "since_us",
        "size_bytes",
    )

    def __init__(self, size: int, since_us: int) -> None:
        self._size = size
        self.since_us = since_us
        self._all = _CollectionPart()
        self._error = _EMPTY  # shared: most batches hold no errors
        self._offers: list[Offer] = []
        # Per pending events: how many go to `all`, how many to `error`, and how many to extra collections.
        self._sent_counts: list[tuple[int, int, Mapping[str, int]]] = []
        self._extras: dict[str, _ExtraPart] = {}
        self._extra_cooldowns: ExtraCooldowns | None = None
        self.pending: list[PendingEvents] = []
        self.limited: list[PendingEvents] = []  # by cooldowns that started after the events were put
        self.payload_bytes = 0
        self.size_bytes = 0  # of the pending events
        self.deadline_us: int | None = None  # when no retry may begin any more, for callers who wait for their receipts

    @property
    def event_count(self) -> int:
        """How many events are sent."""
        return len(self._offers)

    @property
    def has_extras(self) -> bool:
        """Whether events are sent to an extra collection."""
        return bool(self._extras)

    @property
    def is_full(self) -> bool:
        """Whether more events would make the call too long for its timeout."""
        return len(self._offers) >= MAX_BATCH_EVENTS or self.payload_bytes >= MAX_BATCH_BYTES

    def add(
        self,
        pending: PendingEvents,
        stream: Stream,
        all: Cooldown,
        error: Cooldown,
        now_us: int,
        *,
        extras: ExtraCooldowns | None,
    ) -> None:
        """Offer events to the collections without a cooldown; `extras` are those of the stream's extra collections."""
        count = len(pending.events)
        to_all = self._all.add(all, count, self._size, now_us) if pending.to_all else 0
        to_error = 0
        if pending.failed:
            if self._error is _EMPTY:
                self._error = _CollectionPart()
            to_error = self._error.add(error, count, self._size, now_us)
        sent, to_extras = max(to_all, to_error), _NO_EXTRAS
        if pending.extras and extras is not None:
            to_extras = self._add_to_extras(pending, extras, now_us)
            sent = max(sent, *to_extras.values(), 0)
        self.pending.append(pending)
        if (receipt := pending.receipt) and receipt.deadline_us is not None:
            self.deadline_us = min(receipt.deadline_us, self.deadline_us or receipt.deadline_us)
        self.size_bytes += pending.size_bytes
        self._sent_counts.append((to_all, to_error, to_extras))
        if sent:
            offers = pending.first_offers(stream, sent)
            if to_all < sent or (pending.failed and to_error < sent):
                offers = [
                    Offer(offer.event, offer.status, index < to_all, pending.failed and index < to_error)
                    for index, offer in enumerate(offers)
                ]
            self._offers += offers
            self.payload_bytes += pending.size_bytes

    def has_room_for(self, names: tuple[str, ...], kinds: Mapping[str, ExtraKind]) -> bool:
        """Whether the batch may name these extra collections too: it has a bounded number of each kind."""
        new = [name for name in names if name not in self._extras]
        if not new:
            return True
        counts = Counter(map(kind_of, self._extras))
        counts.update(map(kind_of, new))
        return all(counts[kind_of(name)] <= kinds[kind_of(name)].most for name in new)

    def _add_to_extras(self, pending: PendingEvents, extras: ExtraCooldowns, now_us: int) -> dict[str, int]:
        """Return how many events are sent to each extra collection that has no cooldown."""
        self._extra_cooldowns = extras
        sent: dict[str, int] = {}
        first, count = len(self._offers), len(pending.events)
        for name in pending.extras:
            if extras.limit_locally(name, count, now_us):
                continue
            part = self._extras.setdefault(name, _ExtraPart())
            quota = extras.kinds[kind_of(name)].quota
            # Without a limit nothing is surplus: the collection is offered the last ones of the whole batch.
            sent[name] = part.add(_NO_COOLDOWN, count, quota.size if quota.limits else MAX_BATCH_EVENTS, now_us)
            part.indexes += range(first, first + sent[name])
        return sent

    def piggyback_extras(self, extras: ExtraCooldowns) -> None:
        """Take the limited counts of extra collections along, once all events are added, as far as there is room."""
        self._extra_cooldowns = extras
        for name, cooldown in extras.take_unreported(lambda name: self.has_room_for((name,), extras.kinds)):
            self._extras.setdefault(name, _ExtraPart()).limited_earlier = cooldown.take_counts()

    def piggyback(self, all: Cooldown, error: Cooldown) -> None:
        """Take the limited counts along, once all events are added."""
        if all.limited:
            self._all.limited_earlier = all.take_counts()
        if error.limited:
            if self._error is _EMPTY:
                self._error = _CollectionPart()
            self._error.limited_earlier = error.take_counts()

    def restore_counts(self, all: Cooldown, error: Cooldown) -> None:
        """Give the limited counts back: the storage has surely not counted them."""
        all.restore_counts(self._all.limited_earlier)
        error.restore_counts(self._error.limited_earlier)
        for name, part in self._extras.items():
            extras = self._extra_cooldowns
            if extras and part.limited_earlier and (cooldown := extras.known(name)):
                cooldown.restore_counts(part.limited_earlier)
                extras.unreported.add(name)

    def counts_only(self) -> "OutgoingBatch | None":
        """Return a batch of the limited counts without the events; None if there are none.

        It names the same extra collections, so that an answer to this batch fits that one too.
        """
        parts = (self._all, self._error, *self._extras.values())
        if not any(part.limited_earlier for part in parts):
            return None
        batch = OutgoingBatch(self._size, 0)
        batch._all.limited_earlier = self._all.limited_earlier
        if self._error.limited_earlier:
            batch._error = _CollectionPart()
            batch._error.limited_earlier = self._error.limited_earlier
        for name, part in self._extras.items():
            batch._extras[name] = _ExtraPart()
            batch._extras[name].limited_earlier = part.limited_earlier
        batch._extra_cooldowns = self._extra_cooldowns
        return batch

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to send."""
        counts = self._all.limited_earlier or self._error.limited_earlier or self._extras
        return not self.pending and not counts

    def to_batch(
        self,
        stream: Stream,
        quota: Quota,
        writer: str,
        number: int,
        now_us: int,
        *,
        trusted: bool,
        may_begin: bool = True,
    ) -> Batch:
        """Return the batch for the storage, as it is sent at `now_us`."""
        return Batch(
            stream,
            quota,
            writer,
            number,
            self._offers,
            self._all.unsent(now_us),
            self._error.unsent(now_us),
            trusted,
            may_begin,
            self._extras_to_send(now_us) if self._extras else {},
        )

    def _extras_to_send(self, now_us: int) -> dict[str, Extra]:
        kinds = self._extra_cooldowns.kinds if self._extra_cooldowns else {}
        return {name: part.to_send(kinds[kind_of(name)], now_us) for name, part in self._extras.items()}

    def stored_counts(self, admission: Admission) -> Iterator[tuple[PendingEvents, int]]:
        """Yield the pending events, each with how many of them a collection admitted: each admits the first ones."""
        all_left = admission.all.admitted if admission.all else 0
        error_left = admission.error.admitted if admission.error else 0
        extra_left = {name: decision.admitted for name, decision in admission.extras.items()}
        for pending, (to_all, to_error, to_extras) in zip(self.pending, self._sent_counts, strict=True):
            by_extras = 0
            if to_extras:
                for name, sent in to_extras.items():
                    admitted = min(sent, extra_left.get(name, 0))
                    extra_left[name] = extra_left.get(name, 0) - admitted
                    by_extras = max(by_extras, admitted)
            if not to_error:
                stored = min(all_left, to_all)
                all_left -= stored
                yield pending, max(stored, by_extras)
                continue
            by_all, by_error = min(to_all, all_left), min(to_error, error_left)
            all_left -= by_all
            error_left -= by_error
            yield pending, max(by_all, by_error, by_extras)
