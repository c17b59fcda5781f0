"""All metrics: for each its name, its help text, and where a process reads its value.

To add one, add it here and to the tables in docs/operations.md; a test compares the two.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from itertools import product
from typing import Final, NamedTuple

from eventscache import __version__
from eventscache.alerts.counts import AlertCounts
from eventscache.alerts.rules import Rule
from eventscache.cache import EventsCache
from eventscache.delivery.freshness import FRESHNESS_BOUNDS_US
from eventscache.delivery.histogram import Histogram
from eventscache.delivery.storage_calls import CALL_BOUNDS_US, FAULT_KINDS, FaultKind, StorageCalls
from eventscache.metrics.loop_lag import LAG_BOUNDS_US, LoopLag
from eventscache.metrics.process_memory import resident_bytes
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


WORKER_DEATHS: Final = "worker_deaths"
"""The value that grows when a worker dies, which it cannot count itself."""


class Process(NamedTuple):
    """What the numbers of a process are read from.

    That is its cache, how many subscribe to it, what its sources count, how late its loop is, its connections and how
    many there may be, what became of its alerts, and how many requests took the fast lane.
    """

    cache: EventsCache
    subscribers: int = 0
    sources: Mapping[str, SourceCounts] = {}
    loop_lag: LoopLag | None = None
    connections: int = 0
    max_connections: int = 0
    alerts: AlertCounts | None = None
    fast_lane_requests: int = 0


class Value(NamedTuple):
    """One number of a process: its name in a snapshot, how to read it, and the values of its labels in Prometheus."""

    name: str
    read: Callable[[Process], int]
    labels: tuple[str, ...] = ()


class Kind(StrEnum):
    """The kinds of Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(NamedTuple):
    """One Prometheus metric: a single value, or one for each set of labels.

    `show` turns the sum over all processes into what Prometheus gets. A histogram has for each set of labels the counts
    within its `bounds_us`, the count above them, and the sum of the times in microseconds.
    """

    name: str
    help: str
    values: tuple[Value, ...]
    labels: tuple[str, ...] = ()
    kind: Kind = Kind.COUNTER
    show: Callable[[int], float] = int
    bounds_us: tuple[int, ...] = ()


def _histogram(
    name: str, bounds_us: Sequence[int], read: Callable[[Process], Histogram | None], labels: tuple[str, ...] = ()
) -> tuple[Value, ...]:
    """Return the values of a histogram for one set of labels."""

    def count(index: int) -> Callable[[Process], int]:
        return lambda process: found.counts[index] if (found := read(process)) else 0

    counts = (Value(f"{name}_{index}", count(index), labels) for index in range(len(bounds_us) + 1))
    return (*counts, Value(f"{name}_sum_us", lambda process: found.sum_us if (found := read(process)) else 0, labels))


def _dropped(reason: str) -> Value:
    return Value(f"dropped_{reason}", lambda process: process.cache.ledger.dropped[reason], (reason,))


_FAULTS: Final[Mapping[str, Callable[[StorageCalls], Mapping[FaultKind, int]]]] = {
    "insert": lambda calls: calls.insert_faults,
    "read": lambda calls: calls.read_faults,
}


def _storage_error(operation: str, kind: FaultKind) -> Value:
    return Value(
        f"{operation}_{kind}",
        lambda process: _FAULTS[operation](process.cache.storage_calls).get(kind, 0),
        (operation, kind),
    )


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


def _of_alerts(name: str, read: Callable[[AlertCounts], Mapping[Rule, int]]) -> tuple[Value, ...]:
    """Return a value for each rule."""

    def value(rule: Rule) -> Value:
        return Value(
            f"alerts_{name}_{rule}", lambda process: read(process.alerts)[rule] if process.alerts else 0, (rule,)
        )

    return tuple(map(value, Rule))


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
        "eventscache_cooldowns",
        "Cooldowns that began: the storage said that it admits no event of a stream for a while, so that events until "
        "then are limited without asking it",
        (Value("cooldowns", lambda process: process.cache.queue.sender.cooldowns),),
    ),
    Metric(
        "eventscache_freshness_seconds",
        "Time from when an event was accepted until it could be read, of events that were stored",
        _histogram("freshness", FRESHNESS_BOUNDS_US, lambda process: process.cache.freshness.times),
        kind=Kind.HISTOGRAM,
        bounds_us=FRESHNESS_BOUNDS_US,
    ),
    Metric(
        "eventscache_queue_events",
        "Events that wait for the storage",
        (Value("queued", lambda process: process.cache.ledger.queued),),
        kind=Kind.GAUGE,
    ),
    Metric(
        "eventscache_queue_bytes",
        "Bytes that wait for the storage",
        (Value("queue_bytes", lambda process: process.cache.queue.bytes),),
        kind=Kind.GAUGE,
    ),
    Metric(
        "eventscache_queue_max_bytes",
        "Bytes that may wait for the storage; events beyond are dropped (eventscache.queue_bytes)",
        (Value("queue_max_bytes", lambda process: process.cache.queue.max_bytes),),
        kind=Kind.GAUGE,
    ),
    Metric(
        "eventscache_active_streams",
        "Streams that got events within the last seconds or minutes; a stream counts in each process that got some",
        (Value("active_streams", lambda process: process.cache.queue.streams),),
        kind=Kind.GAUGE,
    ),
    Metric(
        "eventscache_record_bytes",
        "Bytes of the record of what became of events",
        (Value("record_bytes", lambda process: process.cache.record.size_bytes if process.cache.record else 0),),
        kind=Kind.GAUGE,
    ),
    Metric(
        "eventscache_storage_up",
        "1 if the storage answered the last insert of every process, else 0",
        (Value("storages_down", lambda process: int(not process.cache.queue.sender.storage_available)),),
        kind=Kind.GAUGE,
        show=lambda storages_down: int(not storages_down),
    ),
    Metric(
        "eventscache_storage_seconds",
        "Time that a call of the storage took, whatever came of it; one insert takes the batches of up to 64 streams",
        (
            *_histogram("inserts", CALL_BOUNDS_US, lambda process: process.cache.storage_calls.inserts, ("insert",)),
            *_histogram("reads", CALL_BOUNDS_US, lambda process: process.cache.storage_calls.reads, ("read",)),
        ),
        labels=("operation",),
        kind=Kind.HISTOGRAM,
        bounds_us=CALL_BOUNDS_US,
    ),
    Metric(
        "eventscache_storage_errors",
        "Batches that were not inserted, each try of one, and reads that failed: the storage did not answer, refused, "
        "or had an error that does not pass",
        tuple(_storage_error(operation, kind) for operation, kind in product(_FAULTS, FAULT_KINDS)),
        labels=("operation", "kind"),
    ),
    Metric(
        "eventscache_storage_retries",
        "Batches that were sent once more, since the storage did not answer; none is stored twice",
        (Value("retries", lambda process: process.cache.storage_calls.retries),),
    ),
    Metric(
        "eventscache_storage_breakers_open",
        "Servers of the storage that a process does not call now, because they failed: it tries again by itself",
        (Value("breakers_open", lambda process: process.cache.open_breakers),),
        kind=Kind.GAUGE,
    ),
    Metric(
        "eventscache_storage_refusing",
        "Servers of the storage that answer, but take no events now: read-only, too full or not permitted; known also "
        "while no events come",
        (Value("refusing", lambda process: process.cache.refusing),),
        kind=Kind.GAUGE,
    ),
    Metric(
        "eventscache_subscribers",
        "Subscribers of the push, and requests that wait for events",
        (Value("subscribers", lambda process: process.subscribers),),
        kind=Kind.GAUGE,
    ),
    Metric(
        "eventscache_fast_lane_requests",
        "Requests with events that were answered at once (eventscache.fast_lane)",
        (Value("fast_lane_requests", lambda process: process.fast_lane_requests),),
    ),
    Metric(
        "eventscache_connections",
        "Open HTTP connections",
        (Value("connections", lambda process: process.connections),),
        kind=Kind.GAUGE,
    ),
    Metric(
        "eventscache_max_connections",
        "HTTP connections that may be open; above it some are closed (eventscache.max_connections)",
        (Value("max_connections", lambda process: process.max_connections),),
        kind=Kind.GAUGE,
    ),
    Metric(
        "eventscache_loop_lag_seconds",
        "How late a process begins work that is due, measured ten times a second: what every request waits at least",
        _histogram("loop_lag", LAG_BOUNDS_US, lambda process: process.loop_lag.times if process.loop_lag else None),
        kind=Kind.HISTOGRAM,
        bounds_us=LAG_BOUNDS_US,
    ),
    Metric(
        "eventscache_resident_memory_bytes",
        "Memory that the processes hold",
        (Value("resident_bytes", lambda _: resident_bytes()),),
        kind=Kind.GAUGE,
    ),
    Metric(
        "eventscache_processes",
        "Processes that serve: as many as eventscache.workers, unless one has just died",
        (Value("processes", lambda _: 1),),
        kind=Kind.GAUGE,
    ),
    Metric(
        "eventscache_worker_deaths",
        "Worker processes that exited by themselves or were killed; each was restarted",
        (Value(WORKER_DEATHS, lambda _: 0),),
    ),
    Metric(
        "eventscache_build_info",
        "Always 1; its label is the version of the program",
        (Value("build_info", lambda _: 1, (__version__,)),),
        labels=("version",),
        kind=Kind.GAUGE,
        show=lambda _: 1,
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
        kind=Kind.GAUGE,
    ),
    Metric(
        "eventscache_source_lag_seconds",
        "How old the last entry of a source was when it was brought; 0 when all were",
        _of_sources("lag_ms", lambda counts: counts.lag_ms),
        labels=("source",),
        kind=Kind.GAUGE,
        show=lambda milliseconds: milliseconds / 1000,
    ),
    Metric(
        "eventscache_source_last_seen_timestamp_seconds",
        "Unix time when a source brought its last entry; 0 if none since this process follows it",
        _of_sources("last_seen_s", lambda counts: counts.last_seen_s),
        labels=("source",),
        kind=Kind.GAUGE,
    ),
    Metric(
        "eventscache_alerts_sent",
        "Messages about events that the webhook of eventscache.alerts took, by the rule that they are about",
        _of_alerts("sent", lambda counts: counts.sent),
        labels=("rule",),
    ),
    Metric(
        "eventscache_alerts_failed",
        "Messages about events that were given up: the webhook of eventscache.alerts did not take them in four tries, "
        "too many waited for it, or the server stopped",
        _of_alerts("failed", lambda counts: counts.failed),
        labels=("rule",),
    ),
    Metric(
        "eventscache_alerts_suppressed",
        "Messages about events that were not sent on purpose: one like it was sent within the hour, or there were too "
        "many within the hour",
        _of_alerts("suppressed", lambda counts: counts.suppressed),
        labels=("rule",),
    ),
)
