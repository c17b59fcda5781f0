"""A TCP proxy in front of a Redis, which does to its clients what networks do."""

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Self

import hiredis

from tests.support import redis_rights
from tests.support.redis_server import HOST, RedisServer

CHUNK_BYTES = 65_536
# What a driver sends of its own when it connects.
HANDSHAKE = {b"AUTH", b"CLIENT", b"HELLO", b"PING", b"SELECT"}
INCOMPLETE = object()
GARBAGE = b"HTTP/1.1 400 Bad Request\r\n\r\n"


class FaultProxy:
    """Listens on a free port of loopback and forwards to a Redis, in the running event loop, until a fault is set.

    The mode holds for open connections too, and can be changed at any time; `forward` ends any of them. TLS passes
    through, except for what looks at the commands: `drop_replies`.
    """

    def __init__(self, upstream: RedisServer) -> None:
        self._upstream = upstream
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.encrypted = upstream.certificates is not None
        self.accepted = 0  # connections so far
        self.dropped: list[bytes] = []  # the commands that were executed and whose client never knew
        self.forward()

    @property
    def storage_url(self) -> str:
        """The address for a storage: with a user that has the least rights."""
        return f"redis://{redis_rights.USER}:{redis_rights.PASSWORD}@{HOST}:{self.port}"

    @property
    def url(self) -> str:
        return self._upstream.url_at(self.port)

    def forward(self) -> None:
        """Forward everything at once; what a hanging connection held back too."""
        self.garbage: bytes | None = None
        self.drops = 0
        self.drops_only: frozenset[bytes] = frozenset()
        self.delay_seconds = 0.0
        self.bytes_per_second = 0.0
        self.splits = False
        self.flows = asyncio.Event()
        self.flows.set()
        self.refuses = False

    def drop_replies(self, count: int, *commands: str) -> None:
        """Let Redis execute the next `count` commands, then reset their connections instead of answering.

        Only the named commands count; without names all but those of a driver's handshake do.
        """
        self.drops = count
        self.drops_only = frozenset(command.upper().encode() for command in commands)

    def hang(self) -> None:
        """Accept connections and bytes, and forward nothing: a black hole."""
        self.flows.clear()

    def refuse(self) -> None:
        """Reset every new connection."""
        self.refuses = True

    def delay(self, seconds: float) -> None:
        """Hold back each chunk of an answer."""
        self.delay_seconds = seconds

    def throttle(self, bytes_per_second: float) -> None:
        """Forward answers slowly, in up to ten chunks a second."""
        self.bytes_per_second = bytes_per_second

    def split(self) -> None:
        """Forward byte by byte, both ways."""
        self.splits = True

    def answer_garbage(self, answer: bytes = GARBAGE) -> None:
        """Answer whatever comes with bytes that are no RESP; Redis sees nothing of it."""
        self.garbage = answer

    def reset_all(self) -> None:
        """Reset the connections that are open now."""
        for connection in tuple(self._connections):
            connection.reset()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server:
            self._server.close()
            self.flows.set()
            self.reset_all()
            await asyncio.gather(*(connection.done.wait() for connection in self._connections))
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self.refuses:
            _reset(writer)
            return
        connection = _Connection(self, reader, writer)
        self._connections.add(connection)
        try:
            await connection.run(self._upstream)
        except OSError:
            _reset(writer)  # there is no Redis
        finally:
            self._connections.discard(connection)
            connection.done.set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


class _Connection:
    """One client's connection, and the one to Redis that is opened for it."""

    def __init__(self, proxy: FaultProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._reader = reader
        self._writer = writer
        self._pumps: list[asyncio.Task[None]] = []
        self.done = asyncio.Event()
        self._commands = hiredis.Reader(notEnoughData=INCOMPLETE)
        self._replies = hiredis.Reader(notEnoughData=INCOMPLETE)
        self._doomed: deque[bytes | None] = deque()  # for each reply that is due: the command it is dropped for

    async def run(self, upstream: RedisServer) -> None:
        reader, writer = await _connect(upstream)
        try:
            self._pumps = [
                asyncio.create_task(self._pump(self._reader, writer, self._on_requests)),
                asyncio.create_task(self._pump(reader, self._writer, self._on_answers)),
            ]
            await asyncio.wait(self._pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in self._pumps:
                pump.cancel()
            await asyncio.gather(*self._pumps, return_exceptions=True)
        finally:
            writer.close()
            self._writer.close()

    def reset(self) -> None:
        _reset(self._writer)
        for pump in self._pumps:
            pump.cancel()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        handle: Callable[[bytes, asyncio.StreamWriter], Awaitable[None]],
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                await self._proxy.flows.wait()
                await handle(chunk, writer)

    async def _on_requests(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        if self._proxy.garbage is not None:
            await _send(self._writer, [self._proxy.garbage])
            return
        self._doomed.extend(self._replies_to_drop(chunk))
        await _send(writer, _bytes_of(chunk) if self._proxy.splits else [chunk])

    def _replies_to_drop(self, chunk: bytes) -> Iterator[bytes | None]:
        """Give, for each command that ends in this chunk, its name if the reply is to be dropped."""
        if self._proxy.encrypted:
            return
        self._commands.feed(chunk)
        while (command := self._commands.gets(False)) is not INCOMPLETE:
            name = bytes(command[0]).upper()
            matches = name in self._proxy.drops_only if self._proxy.drops_only else name not in HANDSHAKE
            if matches and self._proxy.drops > 0:
                self._proxy.drops -= 1
                yield name
            else:
                yield None

    async def _on_answers(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        if self._ends_a_doomed_reply(chunk):
            self.reset()
            return
        proxy = self._proxy
        await asyncio.sleep(proxy.delay_seconds)
        if proxy.bytes_per_second:
            size = max(1, int(proxy.bytes_per_second / 10))
            for start in range(0, len(chunk), size):
                await _send(writer, [chunk[start : start + size]])
                await asyncio.sleep(size / proxy.bytes_per_second)
        else:
            await _send(writer, _bytes_of(chunk) if proxy.splits else [chunk])

    def _ends_a_doomed_reply(self, chunk: bytes) -> bool:
        if self._proxy.encrypted:
            return False
        self._replies.feed(chunk)
        doomed = []
        while (reply := self._replies.gets(False)) is not INCOMPLETE:
            pushed = isinstance(reply, hiredis.PushNotification)
            if not pushed and self._doomed and (command := self._doomed.popleft()):
                doomed.append(command)
        self._proxy.dropped += doomed  # of a pipeline, perhaps, and lost together
        return bool(doomed)


async def _connect(upstream: RedisServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if upstream.port:
        return await asyncio.open_connection(HOST, upstream.port)
    return await asyncio.open_unix_connection(upstream.socket)


def _bytes_of(chunk: bytes) -> list[bytes]:
    return [chunk[at : at + 1] for at in range(len(chunk))]


async def _send(writer: asyncio.StreamWriter, parts: list[bytes]) -> None:
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0)  # a segment each, as far as the kernel lets


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset (SO_LINGER 0), so that the client sees an error and not an orderly end."""
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
