"""A connection on which calls are sent as they come: those of inserts and reads."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

import hiredis
from redis import exceptions as driver

from eventscache.storage.redis.connect import DetachableConnection

_SHORT = 256
_CLASSES = {"NOSCRIPT": driver.NoScriptError, "READONLY": driver.ReadOnlyError}


def _error(text: str) -> driver.ResponseError:
    """Return what the driver raises for an error reply, as far as anybody tells it apart by its class."""
    return _CLASSES.get(text.partition(" ")[0], driver.ResponseError)(text.removeprefix("ERR "))


def _packed(command: Sequence[Any]) -> bytes:
    """Return the bytes of a command: short arguments packed in C, long ones copied once, which that does not."""
    pieces = [b"*%d\r\n" % len(command)]
    short: list[Any] = []
    for argument in command:
        if type(argument) is bytes and len(argument) > _SHORT:
            if short:
                pieces.append(_packed_short(short))
                short = []
            pieces += (b"$%d\r\n" % len(argument), argument, b"\r\n")
        else:
            short.append(argument)
    if short:
        pieces.append(_packed_short(short))
    return b"".join(pieces)


def _packed_short(arguments: list[Any]) -> bytes:
    packed: bytes = hiredis.pack_command(tuple(arguments))
    return packed[packed.index(b"\n") + 1 :]  # without their number


class _Line(asyncio.Protocol):
    """One connection that is open: replies come in the order of the calls, each of them in time or none any more."""

    def __init__(self, timeout_seconds: float) -> None:
        self.lost = False
        self._timeout_seconds = timeout_seconds
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(protocolError=driver.InvalidResponse, replyError=_error)
        # Replies to come, and when their calls were sent; None for one that nobody waits for.
        self._expected: deque[tuple[asyncio.Future[Any] | None, float]] = deque()
        self._heard = 0.0
        self._looking: asyncio.TimerHandle | None = None
        self._answered = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None

    def begin(self, writer: asyncio.StreamWriter) -> None:
        """Take over a connection."""
        self._writer = writer
        writer.transport.set_protocol(self)

    def send(self, commands: bytes, replies: int = 1) -> asyncio.Future[Any]:
        """Send a call at once; return the last of its replies to come. If nobody waits for it, it is passed over."""
        reply = self._loop.create_future()
        sent = self._loop.time()
        for _ in range(replies - 1):
            self._expected.append((None, sent))
        self._expected.append((reply, sent))
        if self._writer:
            self._writer.transport.write(commands)
        if self._looking is None:
            self._looking = self._loop.call_later(self._timeout_seconds, self._look)
        return reply

    def _look(self) -> None:
        """Give up if the next reply is late and nothing is coming, else look again when that may be."""
        self._looking = None
        if not self._expected:
            return
        due = max(self._expected[0][1], self._heard) + self._timeout_seconds
        if due <= self._loop.time():
            self._lose(driver.TimeoutError("Timeout reading from the server"))
        else:
            self._looking = self._loop.call_at(due, self._look)

    def data_received(self, data: bytes) -> None:
        """Hand replies to those who wait for them."""
        self._heard = self._loop.time()
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                if not isinstance(reply, hiredis.PushNotification):
                    self._hand_over(reply)
        except (driver.InvalidResponse, IndexError) as fault:  # no Redis, or one that answers what it was not asked
            self._lose(driver.InvalidResponse(str(fault)))

    def _hand_over(self, reply: Any) -> None:
        waiting, _ = self._expected.popleft()
        if waiting and not waiting.done():
            if isinstance(reply, Exception):
                waiting.set_exception(reply)
            else:
                waiting.set_result(reply)
        if not self._expected:
            self._answered.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what was not answered."""
        self._lose(driver.ConnectionError(f"Connection closed by server: {exc}" if exc else "Connection closed"))

    def _lose(self, fault: Exception) -> None:
        self.lost = True
        if self._writer:
            self._writer.transport.abort()
        if self._looking:
            self._looking.cancel()
            self._looking = None
        while self._expected:
            waiting, _ = self._expected.popleft()
            if waiting and not waiting.done():
                waiting.set_exception(fault)
        self._answered.set()

    async def end(self) -> None:
        """Close when all calls have been answered, or the last of them is late."""
        while self._expected:
            self._answered.clear()
            await self._answered.wait()
        self._lose(driver.ConnectionError("Connection closed"))


class PipelinedConnection:
    """Makes calls on one connection of its own, without waiting for the replies to those before.

    What the driver does around a call (a connection out of a pool, tasks, timers, a stream) costs more than the call
    itself. So it connects, with whatever login, TLS and Sentinels that takes, and then hands its connection over. A
    call that was sent is carried out even if its caller is cancelled. Raises what the driver raises.
    """

    def __init__(self, pool: Any, timeout_seconds: float) -> None:
        self._pool = pool
        self._timeout_seconds = timeout_seconds
        self._line: _Line | None = None
        self._connecting = asyncio.Lock()

    async def evalsha(self, *arguments: Any) -> Any:
        """Run a script by its digest."""
        return await self._call("EVALSHA", arguments)

    async def eval(self, *arguments: Any) -> Any:
        """Run a script by its text."""
        return await self._call("EVAL", arguments)

    async def transaction(self, *commands: tuple[Any, ...]) -> list[Any]:
        """Run short commands in one step; return a reply to each, some of them errors.

        Raises a `ResponseError` if none was run.
        """
        packed = b"".join(map(hiredis.pack_command, (("MULTI",), *commands, ("EXEC",))))
        line = await self._connected()
        replies: list[Any] = await line.send(packed, 2 + len(commands))
        return replies

    async def _call(self, command: str, arguments: tuple[Any, ...]) -> Any:
        line = await self._connected()
        return await line.send(_packed((command, *arguments)))

    async def _connected(self) -> _Line:
        if self._line and not self._line.lost:
            return self._line
        async with self._connecting:
            if self._line is None or self._line.lost:
                connection: DetachableConnection = self._pool.make_connection()
                await connection.connect()  # type: ignore[no-untyped-call]
                self._line = _Line(self._timeout_seconds)
                self._line.begin(connection.detach())
            return self._line

    async def renew(self) -> None:
        """Use another connection from now on: the server may be the right one no more."""
        line, self._line = self._line, None
        if line:
            await line.end()

    async def close(self) -> None:
        """Disconnect when all calls have been answered, or are late."""
        await self.renew()
