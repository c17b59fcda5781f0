"""Why an event is not in the cache, as far as this process knows."""

import contextlib
import time
from collections.abc import Container
from typing import NamedTuple

import msgspec

from eventscache.cache import EventsCache
from eventscache.errors import StorageError
from eventscache.extras.error_groups import GROUP
from eventscache.extras.follows import FOLLOW
from eventscache.extras.scopes import SCOPE
from eventscache.extras.types import TYPE
from eventscache.query.members import sure_bytes
from eventscache.query.turns import Work
from eventscache.record.record import COOLDOWN, RATE_LIMIT, STORED, Record, Sighting
from eventscache.storage.messages import UNLIMITED, Query
from eventscache.stream import ALL_STREAMS, Stream
from eventscache.timestamp import format_time

_MOST_STREAMS = 10  # whose events are counted, for events that were stored
_MOST_READ = 1000  # events of a stream, to find the oldest
_LIMITED = "limited"
_MESSAGES = {
    COOLDOWN: "the stream had offered more events than its quota; this process knew it from the storage's last answer",
    RATE_LIMIT: "the stream had offered more events than its quota",
    "queue_full": "more events arrived than the storage could take (eventscache.queue_bytes)",
    "storage_unavailable": "the storage did not answer, and surely does not have the event",
    "unconfirmed": "the storage did not confirm the event in time, and may have it",
    "storage_error": "the storage had an error, which is in the log",
    "max_streams": "the stream was new, and there were eventscache.max_streams streams",
    "new_streams": "the stream was new, and its sender began too many (eventscache.max_new_streams_per_minute)",
    "shutdown": "the server was stopping",
    f"kept_by_{TYPE}": "it was stored, and only the list of its type has it still: read with type=",
    f"kept_by_{SCOPE}": "it was stored, and only its test scope has it still: read with scope=",
    f"kept_by_{FOLLOW}": "it was stored, and only a follow has it still: read with follow=",
    f"kept_by_{GROUP}": "it was stored, and only the group of its error has it still: read with group=",
    "pushed_out": "it was stored, and newer events have pushed it out: the stream is full",
    "removed": "it was stored, and then removed: the stream expired, was evicted, or was cleared",
    "malformed": "it is cached, as a malformed event: its id cannot be read, so the lookup does not find it",
    "unknown": "it was stored; the storage does not tell what became of it",
}


class Outcome(msgspec.Struct, frozen=True):
    """What became of one event with the id.

    `outcome` is `limited`, `dropped`, `rejected` or `stored`; `reason` and `message` say more. `id` is that of the
    stream. `limited_for_ms` says how long this process still limits events of the stream, if it does. With `by_text`
    the event could not be parsed, and holds the id as a text somewhere.
    """

    outcome: str
    reason: str
    message: str
    at: str
    namespace: str | None
    id: str | None
    limited_for_ms: int | None
    by_text: bool


class MissedEvents(msgspec.Struct, frozen=True):
    """So many events came too fast to be kept in the record: the one that is looked for may be among them."""

    outcome: str
    events: int
    first: str
    last: str


class Explanation(msgspec.Struct, frozen=True):
    """What one process knows of an id. Another one may know more.

    If there are no `outcomes`, this process has not seen the event `since` then, unless it is among the events `missed`
    (`lost` ones are dropped or rejected) or `waiting` for the storage. `unread` counts the bodies that were rejected
    unread since the process began, by the code of the error.

    To a reader of some streams only `outcomes` in these streams are told, and `since` is None: all else depends on the
    events of other streams too.
    """

    since: str | None
    outcomes: list[Outcome]
    missed: list[MissedEvents]
    waiting: int
    unread: dict[str, int]
    scope: str = "process"


class Explainer:
    """Asks the record of a cache."""

    def __init__(self, cache: EventsCache) -> None:
        self._cache = cache

    async def explain(self, event_id: str, readable: Container[Stream] = ALL_STREAMS) -> Explanation | None:
        """Return what is known of an event that is not cached; None without a record."""
        record = self._cache.record
        if record is None:
            return None
        waiting = self._cache.ledger.queued  # before the search: what becomes of these may be noted too late for it
        sightings = await record.find(event_id, Work(self._cache.turns), readable)
        gone = await self._gone([sighting for sighting in sightings if sighting.outcome == STORED], event_id)
        times = _Times(record)
        outcomes = [self._outcome(sighting, gone, times) for sighting in sightings]
        if readable is not ALL_STREAMS:
            return Explanation(None, outcomes, [], 0, {})
        return Explanation(
            times.text(record.since_us),
            outcomes,
            _missed(record, times),
            waiting,
            dict(record.unread),
        )

    def _outcome(self, sighting: Sighting, gone: dict[Stream | None, "_Gone"], times: "_Times") -> Outcome:
        stream = sighting.stream
        outcome, reason = "dropped", sighting.outcome
        limited_for_ms, oldest = None, ""
        if sighting.rejected:
            outcome = "rejected"
        elif reason == STORED:
            outcome, (reason, oldest) = STORED, gone.get(stream, _UNKNOWN)
        elif reason in {COOLDOWN, RATE_LIMIT} and stream:
            outcome = _LIMITED
            limited_for_ms = -(-self._cache.queue.limited_for_us(stream, failed=sighting.failed) // 1000) or None
        message = sighting.detail or _MESSAGES.get(reason, "the answer to it was this error")
        if oldest:
            message += f", and its oldest event is of {oldest}"
        namespace, stream_id = stream or (None, None)
        at = times.text(sighting.at_us)
        return Outcome(outcome, reason, message, at, namespace, stream_id, limited_for_ms, sighting.by_text)

    async def _gone(self, sightings: list[Sighting], event_id: str) -> dict[Stream | None, "_Gone"]:
        """Return by stream why a stored event is not found."""
        reasons: dict[Stream | None, _Gone] = {}
        by_stream = {sighting.stream: sighting for sighting in sightings[::-1] if sighting.stream}
        for stream, sighting in [*by_stream.items()][-_MOST_STREAMS:]:
            with contextlib.suppress(StorageError):
                reasons[stream] = await self._reason(stream, event_id, by_text=sighting.by_text)
        return reasons

    async def _reason(self, stream: Stream, event_id: str, *, by_text: bool) -> "_Gone":
        page = await self._cache.fetch(
            stream, Query(limit=UNLIMITED if by_text else 1, containing=sure_bytes(event_id))
        )
        if by_text and any(f'"{event_id}"' in event.malformed for _, event in page.events):
            return _Gone("malformed")
        if kind := await self._cache.kept_by(stream, event_id):
            return _Gone(f"kept_by_{kind}")
        if page.total < self._cache.quota.size:
            return _Gone("removed")
        if page.total > _MOST_READ:
            return _Gone("pushed_out")
        cached = (await self._cache.fetch(stream, Query(limit=UNLIMITED))).events
        return _Gone("pushed_out", cached[-1][1].timestamp if cached else "")


class _Gone(NamedTuple):
    """Why a stored event is not found, and the time of the oldest event of its stream, if that was read."""

    reason: str
    oldest: str = ""


_UNKNOWN = _Gone("unknown")


class _Times:
    """Turns times of a record's clock into texts."""

    def __init__(self, record: Record) -> None:
        self._ahead_us = time.time_ns() // 1000 - record.now_us()

    def text(self, at_us: int) -> str:
        """Return the time as events have it."""
        return format_time(self._ahead_us + at_us)


def _missed(record: Record, times: _Times) -> list[MissedEvents]:
    """Return what the record has missed, if anything."""
    logs = ((_LIMITED, record.limited), ("lost", record.lost), (STORED, record.stored))
    return [
        MissedEvents(outcome, missed.events, times.text(missed.first_us), times.text(missed.last_us))
        for outcome, log in logs
        if (missed := log.missed(record.now_us()))
    ]
