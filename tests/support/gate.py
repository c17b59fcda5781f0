"""A way to a sidecar that can be closed, or answer 503 for it, and that notes what passes."""

import asyncio
import contextlib
import gzip
import json
import socket
from typing import Any, NamedTuple, Self

from yarl import URL

HOST = "127.0.0.1"
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


class Request(NamedTuple):
    """A request as it was sent, and the status that it was answered with."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def json(self) -> Any:
        zipped = self.headers.get("content-encoding") == "gzip"
        return json.loads(gzip.decompress(self.body) if zipped else self.body)


class Gate:
    """Has an address from the start, which refuses connections until it is opened. Bytes pass unchanged."""

    def __init__(self, upstream: str) -> None:
        self._upstream = URL(upstream)
        self._socket = socket.socket()
        self._socket.bind((HOST, 0))
        self._server: asyncio.Server | None = None
        self._clients: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
        self.address = f"http://{HOST}:{self._socket.getsockname()[1]}"
        self.requests: list[Request] = []
        self.busy = 0  # how many more times a POST is answered with 503

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, sock=self._socket)

    @property
    def posts(self) -> list[Request]:
        return [request for request in self.requests if request.method == "POST"]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients[writer] = asyncio.current_task()
        upstream_reader, upstream = await asyncio.open_connection(self._upstream.host, self._upstream.port)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):  # one of them has left
                while True:
                    await self._pass_on(await _message(reader), writer, upstream_reader, upstream)
        finally:
            upstream.close()
            writer.close()
            del self._clients[writer]

    async def _pass_on(
        self,
        message: tuple[bytes, bytes],
        writer: asyncio.StreamWriter,
        upstream_reader: asyncio.StreamReader,
        upstream: asyncio.StreamWriter,
    ) -> None:
        head, body = message
        if head.startswith(b"POST ") and self.busy:
            self.busy -= 1
            answer = _BUSY
        else:
            upstream.write(head + body)
            answer = b"".join(await _message(upstream_reader))
        method, path, _ = head.decode("latin-1").split(" ", 2)
        self.requests.append(Request(method, path, _headers(head), body, int(answer.split(b" ", 2)[1])))
        writer.write(answer)
        await writer.drain()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server:
            self._server.close()
        self._socket.close()
        tasks = [task for task in self._clients.values() if task]
        for writer in self._clients:
            writer.transport.abort()
        await asyncio.gather(*tasks)


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read a request or an answer: its head, and its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    return head, await reader.readexactly(int(_headers(head).get("content-length", "0")))


def _headers(head: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    return {name.lower(): value.strip() for name, _, value in lines if name}
