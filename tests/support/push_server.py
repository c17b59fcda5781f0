"""A server whose pushes are written by a test, byte for byte."""

import asyncio
import re
import ssl
from collections.abc import Sequence
from typing import Self

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


class PushServer:
    """Answers each request with the next script, in its pieces, and ends the connection; after the last it stays open.

    A script that begins with `HTTP/` has a head of its own.
    """

    def __init__(self, *scripts: Sequence[bytes], tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.requests: list[bytes] = []
        self._scripts = [*scripts]
        self._open: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", ssl=self._tls)
        scheme = "https" if self._tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._open:
            writer.close()

    @property
    def last_ids(self) -> list[str]:
        """The `Last-Event-ID` of each request, empty where there is none."""
        found = [re.search(rb"Last-Event-ID: (.*)\r\n", request) for request in self.requests]
        return [match[1].decode() if match else "" for match in found]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        script = self._scripts.pop(0)
        if not (script and script[0].startswith(b"HTTP/")):
            writer.write(HEAD)
        for piece in script:
            writer.write(piece)
            await writer.drain()
        if self._scripts:
            writer.close()
        else:
            self._open.append(writer)
