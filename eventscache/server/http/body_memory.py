"""Memory for bodies that arrive in several packets: bounded for all together, and taken from the client that stalls."""

import asyncio
from collections import OrderedDict


class IncomingBody:
    """The pieces of one body that have arrived so far.

    `timeout` is the timeout of its reader. If the body is evicted, the timeout ends at once.
    """

    __slots__ = ("evicted", "pieces", "size", "timeout")

    def __init__(self, timeout: asyncio.Timeout) -> None:
        self.pieces: list[bytes] = []
        self.size = 0
        self.evicted = False
        self.timeout = timeout


class BodyMemory:
    """Holds bodies of at most `max_bytes` together.

    Beyond that, the large body without a new piece for longest is evicted. Small ones, of up to `small_bytes`, never
    are: the number of connections bounds them, and a client that sends large bodies slowly must not block the others.
    """

    def __init__(self, small_bytes: int, max_bytes: int = 0) -> None:
        self.held_bytes = 0
        self.max_bytes = max_bytes
        self._small_bytes = small_bytes
        self._large: OrderedDict[IncomingBody, None] = OrderedDict()  # the one without a new piece for longest first

    def add(self, body: IncomingBody, piece: bytes) -> None:
        """Keep a piece of a body. That may evict another body, or this one."""
        body.pieces.append(piece)
        self.hold(body, len(piece))

    def hold(self, body: IncomingBody, size_bytes: int) -> None:
        """Count what the caller keeps of a body. That may evict another body, or this one."""
        body.size += size_bytes
        self.held_bytes += size_bytes
        if body.size > self._small_bytes:
            self._large[body] = None
            self._large.move_to_end(body)
        while self.held_bytes > self.max_bytes and self._large:
            self._evict(next(iter(self._large)))

    def complete(self, body: IncomingBody) -> bytes:
        """Return a body that has arrived whole, of the pieces that were added; from now on it is not evicted."""
        self._large.pop(body, None)
        return b"".join(body.pieces)

    def release(self, body: IncomingBody) -> None:
        """Free the memory of a body."""
        self._large.pop(body, None)
        self.held_bytes -= body.size
        body.size = 0
        body.pieces.clear()

    def _evict(self, body: IncomingBody) -> None:
        self.release(body)
        body.evicted = True
        if not body.timeout.expired():
            body.timeout.reschedule(0)
