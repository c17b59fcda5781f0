"""Memory for bodies that come in pieces: bounded for all of them together, and given up by who stands still."""

import asyncio
from collections import OrderedDict


class IncomingBody:
    """What has come of one body, until it is let go.

    `timeout` is that of whoever reads it: it ends at once if the body has to give way.
    """

    __slots__ = ("gave_way", "pieces", "size", "timeout")

    def __init__(self, timeout: asyncio.Timeout) -> None:
        self.pieces: list[bytes] = []
        self.size = 0
        self.gave_way = False
        self.timeout = timeout


class BodyMemory:
    """Holds bodies of at most so many bytes together.

    When there are more, the large body that has stood still longest gives way. Small ones never do: they are bounded
    by how many connections there may be, and nobody is to be kept from sending one by who sends large ones slowly.
    """

    def __init__(self, most_bytes: int, small_bytes: int) -> None:
        self.held = 0
        self._most_bytes = most_bytes
        self._small_bytes = small_bytes
        self._coming: OrderedDict[IncomingBody, None] = (
            OrderedDict()
        )  # large ones; the one that stood still longest first

    def put(self, body: IncomingBody, piece: bytes) -> None:
        """Keep a piece of a body; some body may give way to it, maybe itself."""
        body.pieces.append(piece)
        body.size += len(piece)
        self.held += len(piece)
        if body.size > self._small_bytes:
            self._coming[body] = None
            self._coming.move_to_end(body)
        while self.held > self._most_bytes and self._coming:
            self._give_way(next(iter(self._coming)))

    def complete(self, body: IncomingBody) -> bytes:
        """Return all of a body, which does not give way any more."""
        self._coming.pop(body, None)
        return b"".join(body.pieces)

    def let_go(self, body: IncomingBody) -> None:
        """Forget a body."""
        self._coming.pop(body, None)
        self.held -= body.size
        body.size = 0
        body.pieces.clear()

    def _give_way(self, body: IncomingBody) -> None:
        self.let_go(body)
        body.gave_way = True
        if not body.timeout.expired():
            body.timeout.reschedule(0)
