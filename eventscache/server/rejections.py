"""What is rejected with a 4xx: counted, and noted so that its sender can be told."""

from collections.abc import Sequence

from eventscache.cache import EventsCache
from eventscache.delivery.producer import Producer
from eventscache.event import Event
from eventscache.ingest import malformed
from eventscache.ingest.bulk import BrokenLine
from eventscache.ingest.limits import BatchTooLarge
from eventscache.ingest.parsed import Parsed
from eventscache.ingest.secret_half import SecretHalf, without_halves_in_text
from eventscache.server.http.responses import HttpError
from eventscache.stream import Stream

_LONGEST_KEY_BYTES = 8190  # of a line in the head of a request
_MOST_SEARCHED_BYTES = 65_536  # of what is no event of a stream

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
    cache: EventsCache,
    stream: Stream | None,
    body: bytes,
    reason: str,
    producer: Producer,
    *,
    max_bytes: int,
    half: SecretHalf | None = None,
    scope: str = "",
) -> None:
    """Offer a body as a `malformed` event, cut to `max_bytes`; count it as rejected if it has no stream.

    The `reason` is the error of the event. An empty body is an event that has only that, as in Jitsu. Secret halves of
    write keys are hidden, also `half`, that of its sender.
    """
    body = body[: (max_bytes if stream else _MOST_SEARCHED_BYTES) + _LONGEST_KEY_BYTES]
    if half:
        body, reason = half.hidden_in_text(body), half.hidden_in_words(reason)
    body = without_halves_in_text(body)
    if stream is None:
        cache.ledger.reject()
        if cache.record is not None:
            cache.record.add_rejected(None, [body], "malformed_body")
        return
    event = Event.of(stream, malformed=malformed.cut(body, max_bytes), error=reason)
    await cache.offer_in_turns([(stream, event)], producer, scope=scope)


async def keep_broken_lines(
    cache: EventsCache,
    stream: Stream,
    lines: Sequence[BrokenLine],
    producer: Producer,
    *,
    omitted: int,
    scope: str = "",
) -> None:
    """Offer lines of a file as `malformed` events, and count those that are `omitted` as rejected."""
    events = [(stream, Event.of(stream, malformed=line.text, error=line.reason)) for line in lines]
    await cache.offer_in_turns(events, producer, scope=scope)
    cache.ledger.reject(omitted)
    if omitted and cache.record is not None and cache.record.lost.is_open:
        cache.record.lost.miss(omitted, cache.record.now_us())
