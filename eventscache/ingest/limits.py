"""How much one body may bring."""

from typing import NamedTuple

from eventscache.errors import InvalidEvent


class BatchTooLarge(InvalidEvent):
    """A body holds more events than are allowed in one."""


class Limits(NamedTuple):
    """Bounds on one body and its events; sizes in bytes."""

    max_event_bytes: int = 51_200
    max_malformed_bytes: int = 10_000
    max_batch: int = 10_000
    max_depth: int = 200
    max_body_bytes: int = 8 * 1024 * 1024
    max_id_bytes: int = 512
