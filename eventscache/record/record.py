"""The record of one process: what became of the events that it received last."""

from collections import Counter
from collections.abc import Callable, Container, Sequence
from typing import Protocol

import msgspec

from eventscache.clock import monotonic_us
from eventscache.event import Event
from eventscache.query.event_id import event_id
from eventscache.query.members import sure_bytes
from eventscache.query.turns import PIECE_BYTES, Work
from eventscache.record.contents import RejectedRecords, events_in, pack_events
from eventscache.record.log import ENTRY_BYTES, Entry, Log
from eventscache.stream import ALL_STREAMS, Stream


class Tallies(Protocol):
    """How many events were limited, stored, dropped by reason, and rejected."""

    limited: int
    stored: int
    dropped: Counter[str]
    rejected: int


COOLDOWN = "cooldown"
"""Limited by this process: the storage had said that the stream's limiter admits nothing yet."""
RATE_LIMIT = "rate_limit"
"""Limited by the storage."""
STORED = "stored"
"""The reason of events that are not lost."""
MAX_SIGHTINGS = 100
"""How many sightings a question finds at most: the newest ones."""
_MOST_REJECTED_BYTES = 65_536  # of each
_BYTES_PER_CHARACTER = 4
_READ_COST = 4  # to read an event takes so much longer than to search its bytes, at least


class Sighting(msgspec.Struct, frozen=True):
    """What became of an event with the id that was asked for, and when.

    `outcome` is `STORED`, or the reason why it was not: that of a drop, or the code of an error if it was `rejected`,
    and then `detail` may have a message. `failed` events are errors. `by_text` tells that it could not be parsed, and
    holds the id somewhere.
    """

    at_us: int
    stream: Stream | None
    outcome: str
    detail: str = ""
    rejected: bool = False
    failed: bool = False
    by_text: bool = False


class Record:
    """What became of events: they are kept as they came, and searched only when somebody asks.

    It keeps at most `max_bytes`, for `max_age_us` and at most a sixteenth longer; the oldest leaves first. What was
    limited, what was lost (dropped or rejected), and what was stored have a third of the bytes each. What comes so fast
    that it would leave within a minute is missed: only counted. Events count in the `ledger` just before they are
    added. `now_us` is this process's monotonic clock. With `masked` no messages of invalid records are kept: they quote
    names.
    """

    def __init__(
        self,
        max_bytes: int,
        max_age_us: int,
        ledger: Tallies,
        now_us: Callable[[], int] = monotonic_us,
        *,
        masked: bool = False,
    ) -> None:
        def log(tally: Callable[[], int]) -> Log:
            return Log(max_bytes // 3, max_age_us, PIECE_BYTES, tally, now_us())

        self.unread: Counter[str] = Counter()
        """How many bodies were rejected before anything in them was read, by the code of the error."""
        self.limited = log(lambda: ledger.limited)
        self.lost = log(lambda: ledger.dropped.total() + ledger.rejected)
        self.stored = log(lambda: ledger.stored)
        self.now_us = now_us
        self.masked = masked

    @property
    def logs(self) -> tuple[Log, Log, Log]:
        """The logs of what was limited, lost and stored."""
        return self.limited, self.lost, self.stored

    @property
    def size_bytes(self) -> int:
        """About how many bytes of memory it takes."""
        return sum(log.size_bytes for log in self.logs)

    @property
    def since_us(self) -> int:
        """Since when every event that this process received and read is either found, or counted as missed."""
        return max(log.since_us for log in self.logs)

    def add_limited_originals(self, stream: Stream, originals: Sequence[bytes]) -> None:
        """Note originals that a cooldown limits; to be called only while `limited` is open."""
        if len(originals) == 1:
            original = originals[0]
            self.limited.add(Entry(self.now_us(), stream, COOLDOWN, original), 1, len(original))
        elif originals:
            size_bytes = getattr(originals, "size_bytes", 0) or _size_bytes(originals)
            self.limited.add(Entry(self.now_us(), stream, COOLDOWN, originals), len(originals), size_bytes)

    def add_events(self, stream: Stream, events: Sequence[Event], reason: str) -> None:
        """Note events that are lost for a reason; one that no storage would take is left out."""
        log = self.limited if reason == COOLDOWN else self.lost
        if log.is_open and (packed := pack_events(events)) is not None:
            log.add(Entry(self.now_us(), stream, reason, packed), len(events), len(packed.data))

    def add_pending(
        self, stream: Stream, held: Sequence[object], size_bytes: int, reason: str, *, stored: int = 0
    ) -> None:
        """Note pending events, of which the first ones were stored, and the others were not, for a reason."""
        if stored and self.stored.is_open:
            self.stored.add(Entry(self.now_us(), stream, STORED, held[:stored]), stored, size_bytes)
        if stored < len(held):
            log = self.limited if reason in {COOLDOWN, RATE_LIMIT} else self.lost
            if log.is_open:
                log.add(Entry(self.now_us(), stream, reason, held[stored:]), len(held) - stored, size_bytes)

    def add_rejected(
        self,
        stream: Stream | None,
        records: Sequence[bytes],
        code: str,
        messages: Sequence[str] = (),
        *,
        omitted: int = 0,
    ) -> None:
        """Note records that are invalid, each with a message, or a body that cannot be read; `omitted` are missed.

        All of them count in the ledger already.
        """
        if not self.lost.is_open:
            return
        now_us = self.now_us()
        held = RejectedRecords([record[:_MOST_REJECTED_BYTES] for record in records])
        details = () if self.masked else messages
        size_bytes = _size_bytes(held.records) + _BYTES_PER_CHARACTER * sum(map(len, details))
        self.lost.add(Entry(now_us, stream, code, held, details), len(records), size_bytes)
        if omitted:
            self.lost.miss(omitted, now_us)

    def tend(self) -> None:
        """Let leave what is too old; to be called every second."""
        for log in self.logs:
            log.tend(self.now_us())

    async def find(self, wanted: str, work: Work, readable: Container[Stream] = ALL_STREAMS) -> list[Sighting]:
        """Return the sightings of an event with that id, newest first. What leaves meanwhile is not found.

        Unless all streams are readable, what is not surely of a readable one is left out: also what was rejected, as
        the record itself may name another stream than the request did.
        """
        found: list[Sighting] = []
        for log in self.logs:
            found += await _sightings(log, wanted, work, readable)
        found.sort(key=lambda sighting: sighting.at_us, reverse=True)
        return found[:MAX_SIGHTINGS]


def _size_bytes(texts: Sequence[bytes]) -> int:
    return sum(map(len, texts)) + ENTRY_BYTES * len(texts)


async def _sightings(log: Log, wanted: str, work: Work, readable: Container[Stream]) -> list[Sighting]:
    """Return what a log has of an id, newest first."""
    needle = sure_bytes(wanted)
    found: list[Sighting] = []
    for entry in log.newest_first():
        if not _is_readable(entry, readable):
            continue
        for index, (size_bytes, event) in enumerate(events_in(entry.held, needle)):
            if event and (sighting := _sighting(entry, index, event, wanted)):
                found.append(sighting)
                if len(found) == MAX_SIGHTINGS:
                    return found
            await work.spend(_READ_COST * size_bytes if event else size_bytes)
    return found


def _is_readable(entry: Entry, readable: Container[Stream]) -> bool:
    """Whether an entry is surely of a readable stream; all are if all streams are readable."""
    if readable is ALL_STREAMS:
        return True
    return entry.stream is not None and entry.stream in readable and not isinstance(entry.held, RejectedRecords)


def _sighting(entry: Entry, index: int, event: Event, wanted: str) -> Sighting | None:
    """Return the sighting of one event of an entry, if it has the id."""
    by_text = event_id(event) != wanted
    if by_text and f'"{wanted}"' not in event.malformed:
        return None
    detail = entry.details[index] if index < len(entry.details) else ""
    return Sighting(
        entry.at_us,
        entry.stream,
        entry.outcome,
        detail,
        rejected=isinstance(entry.held, RejectedRecords),
        failed=bool(event.error or event.malformed),
        by_text=by_text,
    )
