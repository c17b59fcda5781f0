"""All metrics: for each its name, its help text, and where a process reads its value.

To add one, add it here and to the table in the README; a test compares the two.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from eventscache.cache import EventsCache
from eventscache.sources.counts import ERROR_KINDS, ErrorKind, SourceCounts
from eventscache.sources.plugins import source_names

DROP_REASONS: Final = (
    "queue_full",
    "storage_unavailable",
    "unconfirmed",
    "storage_error",
    "max_streams",
    "new_streams",
    "shutdown",
    "disabled",
    "worker_died",
)


class Process(NamedTuple):
    """What the numbers of a process are read from.

    Its cache, how many subscribe to it, what its sources count, and how long its event loop was held up.
    """

    cache: EventsCache
    subscribers: int = 0
    sources: Mapping[str, SourceCounts] = {}
    loop_late_ms: int = 0


class Value(NamedTuple):
    """One number of a process: its name in a snapshot, how to read it, and the values of its labels in Prometheus."""

    name: str
    read: Callable[[Process], int]
    labels: tuple[str, ...] = ()


class Metric(NamedTuple):
    """One Prometheus metric: a single value, or one for each set of labels. It is a counter unless it is a gauge.

    `show` turns the sum over all processes into what Prometheus gets.
    """

    name: str
    help: str
    values: tuple[Value, ...]
    labels: tuple[str, ...] = ()
    gauge: bool = False
    show: Callable[[int], float] = int


def _dropped(reason: str) -> Value:
    return Value(f"dropped_{reason}", lambda process: process.cache.ledger.dropped[reason], (reason,))


_NO_COUNTS: Final = SourceCounts()
_SOURCES: Final = source_names()


def _of_sources(name: str, read: Callable[[SourceCounts], int]) -> tuple[Value, ...]:
    """Return a value for each source that is installed."""

    def value(source: str) -> Value:
        return Value(
            f"source_{name}_{source}", lambda process: read(process.sources.get(source, _NO_COUNTS)), (source,)
        )

    return tuple(map(value, _SOURCES))


def _source_error(source: str, kind: ErrorKind) -> Value:
    return Value(
        f"source_error_{kind}_{source}",
        lambda process: process.sources.get(source, _NO_COUNTS).errors[kind],
        (source, kind),
    )


METRICS: Final = (
    Metric(
        "eventscache_events_received",
        "Events received: stored + limited + dropped + rejected + queued",
        (Value("received", lambda process: process.cache.ledger.received),),
    ),
    Metric(
        "eventscache_events_stored",
        "Events that at least one collection admitted",
        (Value("stored", lambda process: process.cache.ledger.stored),),
    ),
    Metric(
        "eventscache_events_limited",
        "Events that no collection admitted",
        (Value("limited", lambda process: process.cache.ledger.limited),),
    ),
    Metric(
        "eventscache_events_rejected",
        "Events, or whole bodies, rejected with a 4xx and not kept",
        (Value("rejected", lambda process: process.cache.ledger.rejected),),
    ),
    Metric(
        "eventscache_events_unreadable",
        "Cached entries that could not be read, and were left out of an answer",
        (Value("unreadable", lambda process: process.cache.unreadable),),
    ),
    Metric(
        "eventscache_events_dropped",
        "Events lost in the sidecar, by reason",
        tuple(_dropped(reason) for reason in DROP_REASONS),
        labels=("reason",),
    ),
    Metric(
        "eventscache_admissions",
        "Events admitted, by collection",
        (
            Value("admitted_all", lambda process: process.cache.ledger.admitted_all, ("all",)),
            Value("admitted_error", lambda process: process.cache.ledger.admitted_error, ("error",)),
        ),
        labels=("collection",),
    ),
    Metric(
        "eventscache_queue_events",
        "Events that wait for the storage",
        (Value("queued", lambda process: process.cache.ledger.queued),),
        gauge=True,
    ),
    Metric(
        "eventscache_queue_bytes",
        "Bytes that wait for the storage",
        (Value("queue_bytes", lambda process: process.cache.queue.bytes),),
        gauge=True,
    ),
    Metric(
        "eventscache_record_bytes",
        "Bytes of the record of what became of events",
        (Value("record_bytes", lambda process: process.cache.record.size_bytes if process.cache.record else 0),),
        gauge=True,
    ),
    Metric(
        "eventscache_storage_up",
        "1 if the storage answered the last insert of every process, else 0",
        (Value("storages_down", lambda process: int(not process.cache.queue.sender.storage_available)),),
        gauge=True,
        show=lambda storages_down: int(not storages_down),
    ),
    Metric(
        "eventscache_loop_late_seconds",
        "How long something held up the event loop; nobody is served meanwhile",
        (Value("loop_late_ms", lambda process: process.loop_late_ms),),
        show=lambda milliseconds: milliseconds / 1000,
    ),
    Metric(
        "eventscache_watchers",
        "Subscribers of the push, and requests that wait for events",
        (Value("subscribers", lambda process: process.subscribers),),
        gauge=True,
    ),
    Metric(
        "eventscache_source_entries",
        "Entries that a source brought to the cache",
        _of_sources("entries", lambda counts: counts.entries),
        labels=("source",),
    ),
    Metric(
        "eventscache_source_errors",
        "What a source could not read or bring, by kind",
        tuple(_source_error(source, kind) for source in _SOURCES for kind in ERROR_KINDS),
        labels=("source", "kind"),
    ),
    Metric(
        "eventscache_source_following",
        "1 if one of the processes follows this source, else 0",
        _of_sources("following", lambda counts: int(counts.following)),
        labels=("source",),
        gauge=True,
    ),
    Metric(
        "eventscache_source_lag_seconds",
        "How old the last entry of a source was when it was brought; 0 when all were",
        _of_sources("lag_ms", lambda counts: counts.lag_ms),
        labels=("source",),
        gauge=True,
        show=lambda milliseconds: milliseconds / 1000,
    ),
    Metric(
        "eventscache_source_last_seen_timestamp_seconds",
        "Unix time when a source brought its last entry; 0 if none since this process follows it",
        _of_sources("last_seen_s", lambda counts: counts.last_seen_s),
        labels=("source",),
        gauge=True,
    ),
)
