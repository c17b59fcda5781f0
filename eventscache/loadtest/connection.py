"""A keep-alive connection with at most one request at a time."""

import asyncio
from typing import NamedTuple, Protocol, cast

from eventscache.loadtest.requests import Request
from eventscache.loadtest.response import Response, ResponseReader


class SentRequest(NamedTuple):
    """A request without its response yet: when it was due and when it was sent, in seconds of `time.perf_counter`."""

    request: Request
    due: float
    sent_at: float


class ConnectionListener(Protocol):
    """Gets the result of each request of some connections."""

    def on_response(self, connection: "ClientConnection", sent: SentRequest, response: Response) -> None:
        """Take a response; if it keeps alive, the connection is free again."""

    def on_failure(self, connection: "ClientConnection", sent: SentRequest, reason: str) -> None:
        """Take the reason why there will be no response."""


class ClientConnection(asyncio.Protocol):
    """Sends requests, and gives its listener the result of each. `closed` is done when the connection ends."""

    def __init__(self, listener: ConnectionListener) -> None:
        self.sent: SentRequest | None = None
        self.closed = asyncio.get_running_loop().create_future()
        self._listener = listener
        self._reader = ResponseReader()
        self._failure = "connection lost"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not inherit from it

    @property
    def usable(self) -> bool:
        """Whether a request can be sent now."""
        return self.sent is None and not self._transport.is_closing()

    def send(self, sent: SentRequest) -> None:
        """Send a request."""
        self.sent = sent
        self._transport.write(sent.request.data)

    def abort(self, reason: str) -> None:
        """Close at once; a request without its response fails for that reason."""
        self._failure = reason
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parse the response."""
        if self.sent is None:  # such as a 408 on an idle connection
            self._transport.close()
            return
        try:
            response = self._reader.feed(data)
        except ValueError:
            self.abort("not HTTP")
            return
        if response:
            self._finish(self.sent, response)

    def _finish(self, sent: SentRequest, response: Response) -> None:
        self.sent = None
        if not response.keeps_alive:
            self._transport.close()
        self._listener.on_response(self, sent, response)

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the request that has no response yet, if any."""
        if self.sent and not exc and (response := self._reader.end()):
            self._finish(self.sent, response)
        elif self.sent:
            sent, self.sent = self.sent, None
            self._listener.on_failure(self, sent, self._failure)
        if not self.closed.done():
            self.closed.set_result(None)
