"""A batch on its way to the storage."""

import msgspec

from eventscache.delivery.outgoing_batch import OutgoingBatch, Unconfirmed
from eventscache.delivery.producer import Producer
from eventscache.delivery.stream_buffer import StreamBuffer
from eventscache.storage.messages import WRITER_HORIZON_US

_KNOWN_US = WRITER_HORIZON_US * 8 // 10


class InFlightBatch(msgspec.Struct, frozen=True):
    """A batch on its way to the storage: its number stays the same for every retry, until the deadline.

    `producer` is the one for whom it was taken. It is `unconfirmed` if it brings the counts of a batch that had no
    answer, under the number of that.
    """

    buffer: StreamBuffer
    batch: OutgoingBatch
    number: int
    deadline_us: int
    producer: Producer
    unconfirmed: Unconfirmed | None = None

    def left_over(self, now_us: int) -> Unconfirmed | None:
        """Return what to send again, once the storage may or may not have this batch."""
        if self.unconfirmed:
            return self.unconfirmed
        counts = self.batch.counts_only()
        return None if counts is None else Unconfirmed(counts, self.number, now_us + _KNOWN_US)
