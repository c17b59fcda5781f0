"""Makes events to insert, and takes them out of a page."""

from eventscache.storage.messages import Offer, Page
from eventscache.stream import Status


def success(*events: bytes) -> list[Offer]:
    """Return successful events, offered to `all`."""
    return [Offer(event, Status.SUCCESS) for event in events]


def error(*events: bytes) -> list[Offer]:
    """Return failed events, offered to both collections."""
    return [Offer(event, Status.ERROR, to_error=True) for event in events]


def numbered(count: int, start: int = 0) -> list[bytes]:
    """Return that many distinct events."""
    return [b"event %d" % number for number in range(start, start + count)]


def payloads(page: Page) -> list[bytes]:
    """Return the events of a page."""
    return [entry.event for entry in page.entries]
