"""A connection that sends each call at once, without waiting for the replies to earlier ones."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

import hiredis
from redis import exceptions as driver

from eventscache.storage.redis.driver_internals import connect_detached

_SHORT = 256  # bytes
# A reply may take longer than a call may, if it is long and so much of it arrives in that time. A server that sends
# less is as good as silent: its readers would wait for minutes.
_PROGRESS_BYTES = 16 * 1024
_ERROR_CLASSES = {"NOSCRIPT": driver.NoScriptError, "READONLY": driver.ReadOnlyError}


def _error(text: str) -> driver.ResponseError:
    """Return the driver's exception for an error reply, with its own class if our code needs that class."""
    return _ERROR_CLASSES.get(text.partition(" ")[0], driver.ResponseError)(text.removeprefix("ERR "))


def _pack(command: Sequence[Any]) -> bytes:
    """Return the bytes of a command: hiredis packs short arguments, but would copy long ones more than once."""
    pieces = [b"*%d\r\n" % len(command)]
    short: list[Any] = []
    for argument in command:
        if type(argument) is bytes and len(argument) > _SHORT:
            if short:
                pieces.append(_pack_short(short))
                short = []
            pieces += (b"$%d\r\n" % len(argument), argument, b"\r\n")
        else:
            short.append(argument)
    if short:
        pieces.append(_pack_short(short))
    return b"".join(pieces)


def _pack_short(arguments: list[Any]) -> bytes:
    packed: bytes = hiredis.pack_command(tuple(arguments))
    return packed[packed.index(b"\n") + 1 :]  # without the number of arguments


_BROKE = "Connection closed by server"


class _OpenConnection(asyncio.Protocol):
    """One open connection: replies come in the order of the calls. If one of them is late, all calls fail."""

    def __init__(self, timeout_seconds: float) -> None:
        self.closed = False
        self._timeout_seconds = timeout_seconds
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(protocolError=driver.InvalidResponse, replyError=_error)
        # The expected replies, each with the time when its call was sent; None if nobody waits for the reply.
        self._expected: deque[tuple[asyncio.Future[Any] | None, float]] = deque()
        self._last_progress = 0.0
        self._new_bytes = 0  # since then
        self._timer: asyncio.TimerHandle | None = None
        self._all_answered = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None

    def attach(self, writer: asyncio.StreamWriter) -> None:
        """Use this connection of the driver from now on."""
        self._writer = writer
        writer.transport.set_protocol(self)
        if writer.transport.is_closing():  # it broke before: nobody would be told
            self._fail(driver.ConnectionError(_BROKE))

    def send(self, commands: bytes, replies: int = 1) -> asyncio.Future[Any]:
        """Send a call at once; return the last of its replies as a future, which may be cancelled.

        Raises `ConnectionError` of the driver if the connection broke, also just now: no reply would come.
        """
        if self.closed:
            raise driver.ConnectionError(_BROKE)
        reply = self._loop.create_future()
        sent = self._loop.time()
        for _ in range(replies - 1):
            self._expected.append((None, sent))
        self._expected.append((reply, sent))
        if self._writer:
            self._writer.transport.write(commands)
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout_seconds, self._check_timeout)
        return reply

    def _check_timeout(self) -> None:
        """Fail if the next reply is late and too little arrived meanwhile, else check again when it can be late."""
        self._timer = None
        if not self._expected:
            return
        due = max(self._expected[0][1], self._last_progress) + self._timeout_seconds
        if due <= self._loop.time():
            self._fail(driver.TimeoutError("Timeout reading from the server"))
        else:
            self._timer = self._loop.call_at(due, self._check_timeout)

    def data_received(self, data: bytes) -> None:
        """Give each reply to its caller."""
        self._new_bytes += len(data)
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                if not isinstance(reply, hiredis.PushNotification):
                    self._deliver(reply)
                    self._new_bytes = _PROGRESS_BYTES
        except (driver.InvalidResponse, IndexError) as error:  # no Redis, or a reply without a call
            self._fail(driver.InvalidResponse(str(error)))
        if self._new_bytes >= _PROGRESS_BYTES:
            self._new_bytes = 0
            self._last_progress = self._loop.time()

    def _deliver(self, reply: Any) -> None:
        waiting, _ = self._expected.popleft()
        if waiting and not waiting.done():
            if isinstance(reply, Exception):
                waiting.set_exception(reply)
            else:
                waiting.set_result(reply)
        if not self._expected:
            self._all_answered.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail all calls that were not answered."""
        self._fail(driver.ConnectionError(f"Connection closed by server: {exc}" if exc else "Connection closed"))

    def _fail(self, error: Exception) -> None:
        self.closed = True
        if self._writer:
            self._writer.transport.abort()
        if self._timer:
            self._timer.cancel()
            self._timer = None
        while self._expected:
            waiting, _ = self._expected.popleft()
            if waiting and not waiting.done():
                waiting.set_exception(error)
        self._all_answered.set()

    async def finish(self) -> None:
        """Close the connection when all calls have been answered or one is late."""
        while self._expected:
            self._all_answered.clear()
            await self._all_answered.wait()
        self._fail(driver.ConnectionError("Connection closed"))


class PipelinedConnection:
    """Makes calls on one connection of its own, without waiting for the replies to earlier calls.

    The driver's work around a call (a connection from a pool, tasks, timers, a stream) costs more than the call itself.
    So the driver only connects, with login, TLS and Sentinels, and its connection is then used directly. A call that
    was sent is carried out even if its caller is cancelled. Raises the exceptions of the driver.
    """

    def __init__(self, pool: Any, timeout_seconds: float) -> None:
        self._pool = pool
        self._timeout_seconds = timeout_seconds
        self._connection: _OpenConnection | None = None
        self._connecting: asyncio.Task[_OpenConnection] | None = None
        self._ending: set[asyncio.Task[None]] = set()

    async def evalsha(self, *arguments: Any) -> Any:
        """Run a script by its digest."""
        return await self._call("EVALSHA", arguments)

    async def eval(self, *arguments: Any) -> Any:
        """Run a script by its text."""
        return await self._call("EVAL", arguments)

    async def transaction(self, *commands: tuple[Any, ...]) -> list[Any]:
        """Run short commands in one transaction; return a reply to each, which can be an error.

        Raises a `ResponseError` if none of them was run.
        """
        packed = b"".join(map(hiredis.pack_command, (("MULTI",), *commands, ("EXEC",))))
        connection = await self._connected()
        replies: list[Any] = await connection.send(packed, 2 + len(commands))
        return replies

    async def _call(self, command: str, arguments: tuple[Any, ...]) -> Any:
        connection = await self._connected()
        return await connection.send(_pack((command, *arguments)))

    async def _connected(self) -> _OpenConnection:
        if self._connection and not self._connection.closed:
            return self._connection
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect())
            self._connecting.add_done_callback(self._on_connecting_done)
        try:
            # Each step of a login may take as long as a call; whoever waits for all of them does not.
            async with asyncio.timeout(self._timeout_seconds):
                return await asyncio.shield(self._connecting)
        except TimeoutError:
            raise driver.TimeoutError("Timeout connecting to server") from None

    async def _connect(self) -> _OpenConnection:
        writer = await connect_detached(self._pool)
        self._connection = _OpenConnection(self._timeout_seconds)
        self._connection.attach(writer)
        return self._connection

    def _on_connecting_done(self, connecting: "asyncio.Task[_OpenConnection]") -> None:
        self._connecting = None
        if not connecting.cancelled():
            connecting.exception()  # mark it as retrieved: all who waited may have gone

    def reconnect(self) -> None:
        """Use a new connection from now on: the server may no longer be the right one.

        The present one is closed when all its calls have been answered or are late.
        """
        connection, self._connection = self._connection, None
        if connection and not connection.closed:
            ending = asyncio.create_task(connection.finish())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Disconnect when all calls have been answered or are late."""
        if self._connecting:
            await asyncio.gather(self._connecting, return_exceptions=True)
        self.reconnect()
        await asyncio.gather(*self._ending)
