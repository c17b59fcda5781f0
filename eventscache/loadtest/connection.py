"""One keep-alive connection, with one request under way at most."""

import asyncio
from typing import NamedTuple, Protocol, cast

from eventscache.loadtest.answer import Answer, AnswerReader
from eventscache.loadtest.traffic import Request


class Sent(NamedTuple):
    """A request on its way; `due` is when it was to be sent, and `at` when it was, by `time.perf_counter`."""

    request: Request
    due: float
    at: float


class Owner(Protocol):
    """Who is told of what happens on connections."""

    def answered(self, connection: "Connection", sent: Sent, answer: Answer) -> None:
        """Take an answer; the connection is free again, if that says that it keeps."""

    def unanswered(self, connection: "Connection", sent: Sent, reason: str) -> None:
        """Take that there will be no answer."""


class Connection(asyncio.Protocol):
    """Sends requests, and tells its owner what becomes of each. `closed` is done when it ends."""

    def __init__(self, owner: Owner) -> None:
        self.sent: Sent | None = None
        self.closed = asyncio.get_running_loop().create_future()
        self._owner = owner
        self._reader = AnswerReader()
        self._loss = "connection lost"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    @property
    def usable(self) -> bool:
        """Whether it takes a request now."""
        return self.sent is None and not self._transport.is_closing()

    def send(self, sent: Sent) -> None:
        """Send a request."""
        self.sent = sent
        self._transport.write(sent.request.data)

    def give_up(self, reason: str) -> None:
        """Close at once; a request under way is unanswered for that reason."""
        self._loss = reason
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if self.sent is None:  # such as a 408 to a connection that idles
            self._transport.close()
            return
        try:
            answer = self._reader.feed(data)
        except ValueError:
            self.give_up("not HTTP")
            return
        if answer:
            self._finish(self.sent, answer)

    def _finish(self, sent: Sent, answer: Answer) -> None:
        self.sent = None
        if not answer.keeps:
            self._transport.close()
        self._owner.answered(self, sent, answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Account for what is under way."""
        if self.sent and not exc and (answer := self._reader.end()):
            self._finish(self.sent, answer)
        elif self.sent:
            sent, self.sent = self.sent, None
            self._owner.unanswered(self, sent, self._loss)
        if not self.closed.done():
            self.closed.set_result(None)
