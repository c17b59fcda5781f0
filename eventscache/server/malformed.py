"""Malformed bodies: kept as an event of their stream, so that the sender finds them in the cache."""

from eventscache.cache import EventsCache
from eventscache.delivery.producer import Producer
from eventscache.event import Event
from eventscache.ingest import malformed
from eventscache.stream import Stream


async def keep_malformed(
    cache: EventsCache, stream: Stream | None, body: bytes, reason: str, producer: Producer, *, max_bytes: int
) -> None:
    """Offer a body as a `malformed` event, cut to `max_bytes`; count it as rejected if it has no stream.

    The `reason` is the error of the event. An empty body is an event that has only that, as in Jitsu.
    """
    if stream is None:
        cache.ledger.reject()
        return
    event = Event.of(stream, malformed=malformed.cut(body, max_bytes), error=reason)
    await cache.offer_in_turns([(stream, event)], producer)
