"""A server that answers as a test decides, in place of an eventscache."""

import asyncio
import re
from collections.abc import Callable
from typing import Self

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"status":"ok"}'
METRICS = """eventscache_events_received_total {received}.0
eventscache_events_stored_total {received}.0
eventscache_events_limited_total 0.0
eventscache_events_rejected_total 0.0
eventscache_events_dropped_total{{reason="queue_full"}} 0.0
eventscache_queue_events 0.0
"""


def answer(status: int, body: bytes = b"", *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 %d Whatever" % status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


class Stub:
    """`answers` gets the number of a POST, from 0, and returns bytes, or None to say nothing; b"" hangs up.

    An answer that says `Connection: close` ends the connection. All POSTs count as one event that was received.
    """

    def __init__(self, answers: Callable[[int], bytes | None] = lambda _: OK) -> None:
        self.answers = answers
        self.bodies: list[bytes] = []
        self.heads: list[bytes] = []
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1")
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [task for task in self._connections.values() if task]
        self.leave()
        await self._server.wait_closed()
        await asyncio.gather(*tasks)

    def leave(self) -> None:
        """Hang up, and take no connection any more."""
        self._server.close()
        for writer in self._connections:
            writer.transport.abort()

    @property
    def metrics(self) -> bytes:
        return METRICS.format(received=len(self.bodies)).encode()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections[writer] = asyncio.current_task()
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET "):
                    reply: bytes | None = answer(200, self.metrics)
                else:
                    reply = await self._posted(head, reader)
                if reply:
                    writer.write(reply)
                    await writer.drain()
                if reply is not None and (not reply or b"connection: close" in reply.lower()):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            del self._connections[writer]

    async def _posted(self, head: bytes, reader: asyncio.StreamReader) -> bytes | None:
        (length,) = re.findall(rb"Content-Length: (\d+)", head)
        self.heads.append(head)
        self.bodies.append(await reader.readexactly(int(length)))
        return self.answers(len(self.bodies) - 1)
