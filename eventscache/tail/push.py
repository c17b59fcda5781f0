"""What a sidecar pushes, over as many connections as it takes."""

import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from eventscache.clock import Clock
from eventscache.tail.faults import ConnectionLost
from eventscache.tail.notices import Notices
from eventscache.tail.query import TailQuery
from eventscache.tail.server import Server
from eventscache.tail.sse import Message, SseParser

_LONGEST_PAUSE_SECONDS: Final = 15.0


class Push:
    """Reads the messages of a query, and resumes after the last one when a connection was lost.

    So no event comes twice, and the server says what may be missing. Nothing is read before it is asked for. A lost
    connection is an error if `reconnects` is false, and before the server has accepted for the first time.
    """

    def __init__(
        self, server: Server, query: TailQuery, notices: Notices, *, reconnects: bool, clock: Clock | None = None
    ) -> None:
        self._server = server
        self._query = query.encode()
        self._notices = notices
        self._reconnects = reconnects
        self._clock = clock or Clock()
        self._last_id = ""
        self._accepted = False
        self._failures = 0

    async def messages(self) -> AsyncGenerator[list[Message], None]:
        """Yield messages as they come, those of one piece together. Raises `Rejected` and `ConnectionLost`."""
        while True:
            try:
                async with aclosing(self._connection()) as connection:
                    async for messages in connection:
                        yield messages
            except ConnectionLost as fault:
                if not (self._reconnects and self._accepted):
                    raise
                await self._pause(fault)

    async def _connection(self) -> AsyncGenerator[list[Message], None]:
        """Yield the messages of one connection."""
        parser = SseParser()
        async with aclosing(self._server.push(self._query, self._last_id)) as pieces:
            async for piece in pieces:
                if not piece:
                    self._accept()
                    continue
                self._failures = 0
                messages = self._parsed(parser, piece)
                self._last_id = next((each.id for each in reversed(messages) if each.id), self._last_id)
                if messages:
                    yield messages

    def _parsed(self, parser: SseParser, piece: bytes) -> list[Message]:
        try:
            return parser.feed(piece)
        except ValueError as fault:
            raise ConnectionLost(str(fault)) from None

    def _accept(self) -> None:
        if self._failures:
            self._notices.say("back", "connected again")
        self._accepted = True

    async def _pause(self, fault: ConnectionLost) -> None:
        self._failures += 1
        seconds = min(2.0 ** (self._failures - 1), _LONGEST_PAUSE_SECONDS) * random.uniform(0.9, 1.1)  # noqa: S311
        self._notices.say("lost", f"connection lost ({fault}); trying again in {seconds:.0f} s")
        await self._clock.sleep(seconds)
