"""Limits of one body and its events."""

from typing import NamedTuple

from eventscache.errors import InvalidEvent

_VALUES_PER_EVENT = 50


class BatchTooLarge(InvalidEvent):
    """A body has more events than are allowed."""


class Limits(NamedTuple):
    """The largest sizes in bytes, the most events in a body, and the most levels of an event."""

    max_event_bytes: int = 51_200
    max_malformed_bytes: int = 10_000
    max_batch: int = 10_000
    max_depth: int = 200
    max_body_bytes: int = 8 * 1024 * 1024
    max_id_bytes: int = 512
    max_bulk_bytes: int = 24 * 1024 * 1024

    def check_count(self, count: int, what: str) -> None:
        """Raise `BatchTooLarge` if a body has more than `max_batch` of `what`."""
        if count > self.max_batch:
            raise BatchTooLarge(f"{count} {what} in one body; at most {self.max_batch} are allowed")

    def check_values(self, body: bytes) -> None:
        """Raise `InvalidEvent` if JSON has more values than any useful batch: it would take long to decode."""
        most = _VALUES_PER_EVENT * self.max_batch
        if len(body) >= most and sum(map(body.count, (b",", b"[", b"{"))) > most:
            raise InvalidEvent(f"more than {most} values in one body")
