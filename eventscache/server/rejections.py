"""What is rejected with a 4xx: counted, and noted so that its sender can be told."""

from eventscache.cache import EventsCache
from eventscache.delivery.producer import Producer
from eventscache.event import Event
from eventscache.ingest import malformed
from eventscache.ingest.limits import BatchTooLarge
from eventscache.ingest.parsed import Parsed
from eventscache.server.http.responses import HttpError
from eventscache.stream import Stream

METHODS_WITH_EVENTS = frozenset({"POST", "PUT", "PATCH"})
"""A request that no handler takes counts as one rejected event if it could have brought events."""


def reject_unread(cache: EventsCache, fault: HttpError | BatchTooLarge) -> HttpError:
    """Count a body that is rejected before any event in it is known, and return the error that answers it."""
    error = fault if isinstance(fault, HttpError) else HttpError(413, "too_many_events", str(fault))
    cache.ledger.reject()
    if cache.record is not None:
        cache.record.unread[error.code] += 1
    return error


def reject_broken_off(cache: EventsCache) -> HttpError:
    """Count a body whose sender left before all of it came, and return the error for it, which nobody reads."""
    return reject_unread(cache, HttpError(400, "invalid_http", "the body breaks off", closes=True))


def reject_records(cache: EventsCache, parsed: Parsed, default: Stream | None) -> None:
    """Count the invalid records of a body whose records are of the `default` stream, where they name none."""
    cache.ledger.reject(len(parsed.errors) + parsed.errors_omitted)
    if parsed.errors and cache.record is not None:
        messages = [message for _, message in parsed.errors]
        cache.record.add_rejected(default, parsed.invalid, "invalid_record", messages, omitted=parsed.errors_omitted)


async def keep_malformed(
    cache: EventsCache, stream: Stream | None, body: bytes, reason: str, producer: Producer, *, max_bytes: int
) -> None:
    """Offer a body as a `malformed` event, cut to `max_bytes`; count it as rejected if it has no stream.

    The `reason` is the error of the event. An empty body is an event that has only that, as in Jitsu.
    """
    if stream is None:
        cache.ledger.reject()
        if cache.record is not None:
            cache.record.add_rejected(None, [body], "malformed_body")
        return
    event = Event.of(stream, malformed=malformed.cut(body, max_bytes), error=reason)
    await cache.offer_in_turns([(stream, event)], producer)
