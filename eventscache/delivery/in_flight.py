"""A batch on its way to the storage."""

import msgspec

from eventscache.delivery.outgoing_batch import OutgoingBatch
from eventscache.delivery.stream_buffer import StreamBuffer


class InFlightBatch(msgspec.Struct, frozen=True):
    """A batch on its way to the storage: its number stays the same for every retry, until the deadline."""

    buffer: StreamBuffer
    batch: OutgoingBatch
    number: int
    deadline_us: int
