"""A client that sends bytes as they are."""

import asyncio
import contextlib

from yarl import URL

from tests.support.sidecar import PRIMED, PRIMER, Sidecar

GENEROUS_SECONDS = 20


class Client:
    """One connection, bytes in and bytes out."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def of(cls, sidecar: Sidecar) -> "Client":
        url = URL(sidecar.address)
        reader, writer = await asyncio.open_connection(url.host, url.port)
        if sidecar.primes:
            writer.write(PRIMER)
            await reader.readuntil(PRIMED)
        return cls(reader, writer)

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    def end(self) -> None:
        """Send no more, and still read."""
        with contextlib.suppress(OSError):
            self._writer.write_eof()

    async def read(self, until: bytes = b"") -> bytes:
        """Return all until some bytes, or until the connection is closed."""
        async with asyncio.timeout(GENEROUS_SECONDS):
            return await (self._reader.readuntil(until) if until else self._reader.read())

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
