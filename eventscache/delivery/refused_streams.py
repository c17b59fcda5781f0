"""Which streams the storage refused a moment ago."""

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from eventscache.clock import MICROSECONDS
from eventscache.delivery.producer import Producer
from eventscache.delivery.receipt import Loss
from eventscache.stream import Stream

_REMEMBERED_US = MICROSECONDS
_MOST = 10_000


class Refusal(NamedTuple):
    """Why a stream may not begin: the reason to drop its events, what a caller is told, and what the loss means."""

    reason: str
    told: str
    loss: Loss


class RefusedStreams:
    """Remembers for a second which streams the storage let nobody begin: their next events need not ask again.

    That holds for the producer that was refused: another one may begin the stream. It remembers those refused last,
    within a bound. `now_us` is this process's monotonic clock.
    """

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._refused: OrderedDict[Stream, tuple[Refusal, Producer, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._refused)

    def add(self, stream: Stream, producer: Producer, refusal: Refusal) -> None:
        """Remember a stream from now on."""
        self._refused[stream] = refusal, producer, self._now_us() + _REMEMBERED_US
        self._refused.move_to_end(stream)
        if len(self._refused) > _MOST:
            self._refused.popitem(last=False)

    def recall(self, stream: Stream, producer: Producer) -> Refusal | None:
        """Return why a producer may not begin a stream; forget it if the storage has to be asked again."""
        found = self._refused.get(stream)
        if found is None:
            return None
        refusal, refused, until_us = found
        if producer is refused and self._now_us() < until_us:
            return refusal
        del self._refused[stream]
        return None

    def discard(self, stream: Stream) -> None:
        """Forget a stream: it has begun."""
        self._refused.pop(stream, None)

    def clear(self) -> None:
        """Forget all streams: there may be room for them."""
        self._refused.clear()
