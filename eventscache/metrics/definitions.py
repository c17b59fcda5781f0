"""All metrics: for each its name, its help text, and where a process reads its value.

To add one, add it here and to the table in the README; a test compares the two.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from eventscache.cache import EventsCache

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


class Value(NamedTuple):
    """One number of a process: its name in a snapshot, how to read it, and the value of its label in Prometheus.

    `read` gets the cache and the number of its subscribers.
    """

    name: str
    read: Callable[[EventsCache, int], int]
    label_value: str = ""


class Metric(NamedTuple):
    """One Prometheus metric: a single value, or one for each value of a label. It is a counter unless it is a gauge.

    `show` turns the sum over all processes into what Prometheus gets.
    """

    name: str
    help: str
    values: tuple[Value, ...]
    label: str = ""
    gauge: bool = False
    show: Callable[[int], int] = int


def _dropped(reason: str) -> Value:
    return Value(f"dropped_{reason}", lambda cache, _: cache.ledger.dropped[reason], reason)


METRICS: Final = (
    Metric(
        "eventscache_events_received",
        "Events received: stored + limited + dropped + rejected + queued",
        (Value("received", lambda cache, _: cache.ledger.received),),
    ),
    Metric(
        "eventscache_events_stored",
        "Events that at least one collection admitted",
        (Value("stored", lambda cache, _: cache.ledger.stored),),
    ),
    Metric(
        "eventscache_events_limited",
        "Events that no collection admitted",
        (Value("limited", lambda cache, _: cache.ledger.limited),),
    ),
    Metric(
        "eventscache_events_rejected",
        "Events, or whole bodies, rejected with a 4xx and not kept",
        (Value("rejected", lambda cache, _: cache.ledger.rejected),),
    ),
    Metric(
        "eventscache_events_unreadable",
        "Cached entries that could not be read, and were left out of an answer",
        (Value("unreadable", lambda cache, _: cache.unreadable),),
    ),
    Metric(
        "eventscache_events_dropped",
        "Events lost in the sidecar, by reason",
        tuple(_dropped(reason) for reason in DROP_REASONS),
        label="reason",
    ),
    Metric(
        "eventscache_admissions",
        "Events admitted, by collection",
        (
            Value("admitted_all", lambda cache, _: cache.ledger.admitted_all, "all"),
            Value("admitted_error", lambda cache, _: cache.ledger.admitted_error, "error"),
        ),
        label="collection",
    ),
    Metric(
        "eventscache_queue_events",
        "Events that wait for the storage",
        (Value("queued", lambda cache, _: cache.ledger.queued),),
        gauge=True,
    ),
    Metric(
        "eventscache_queue_bytes",
        "Bytes that wait for the storage",
        (Value("queue_bytes", lambda cache, _: cache.queue.bytes),),
        gauge=True,
    ),
    Metric(
        "eventscache_record_bytes",
        "Bytes of the record of what became of events",
        (Value("record_bytes", lambda cache, _: cache.record.size_bytes if cache.record else 0),),
        gauge=True,
    ),
    Metric(
        "eventscache_storage_up",
        "1 if the storage answered the last insert of every process, else 0",
        (Value("storages_down", lambda cache, _: int(not cache.queue.sender.storage_available)),),
        gauge=True,
        show=lambda storages_down: int(not storages_down),
    ),
    Metric(
        "eventscache_watchers",
        "Subscribers of the push, and requests that wait for events",
        (Value("subscribers", lambda _, subscribers: subscribers),),
        gauge=True,
    ),
)
