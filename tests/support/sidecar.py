import asyncio
import functools
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
import pytest
import structlog
from yarl import URL

from eventscache.clock import Clock
from eventscache.config.settings import Settings
from eventscache.server import app
from eventscache.storage.base import Storage
from eventscache.storage.plugins import storage_class
from tests.support.redis_server import RedisServer

_LARGE = 2**20
CACHE = "/api/v1/events/cache"
HONEST = (
    b"POST /api/v1/event?token=honest HTTP/1.1\r\n"
    b'Host: localhost\r\nConnection: close\r\nContent-Length: 7\r\n\r\n{"n":1}'
)
PRIMER = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
PRIMED = b'{"status":"ok"}'


class Answer(NamedTuple):
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Sidecar:
    """A sidecar on a real socket, and a client for it."""

    def __init__(self, server: app.Sidecar, address: str, session: aiohttp.ClientSession, *, primes: bool) -> None:
        self.primes = primes
        """Whether each connection begins with a request of its own: the fast lane takes no first one."""
        self.server = server
        self.cache = server.cache
        self.address = address
        self._session = session

    async def ask(self, method: str, path: str, data: Any = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(data, bytes) and len(data) >= _LARGE:
            data = io.BytesIO(data)  # the client warns of more at once
        # Without a type of its own the client would invent one.
        async with self._session.request(
            method,
            URL(self.address + path, encoded=True),
            data=data,
            headers=named,
            skip_auto_headers=["Content-Type"],
            allow_redirects=False,
        ) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, **headers)

    async def post(self, path: str, data: bytes, **headers: str) -> Answer:
        return await self.ask("POST", path, data, **headers)

    async def record(self, data: bytes, query: str = "ack=stored", **headers: str) -> Answer:
        headers = {"Content_Type": "application/json", **headers}
        return await self.post(f"{CACHE}?{query}", data, **headers)

    async def events(self, query: str) -> list[dict[str, Any]]:
        answer = await self.get(f"{CACHE}?{query}")
        assert answer.status == 200, answer
        events: list[dict[str, Any]] = answer.json["events"]
        return events

    async def raw(self, request: bytes, until: bytes = b"") -> bytes:
        """Send bytes as they are, and return the response, all of it or until some bytes."""
        url = URL(self.address)
        reader, writer = await asyncio.open_connection(url.host, url.port)
        async with asyncio.timeout(20):
            if self.primes:
                writer.write(PRIMER)
                await reader.readuntil(PRIMED)
            writer.write(request)
            answer = await (reader.readuntil(until) if until else reader.read())
        writer.close()
        await writer.wait_closed()
        return answer

    async def still_serves(self) -> None:
        """Send an event on a connection of its own, as any client would."""
        answer = await self.raw(HONEST)
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        assert answer.endswith(b'{"status":"ok"}')


class Log:
    """What is logged during a test, by us and by libraries."""

    def __init__(self, ours: list[MutableMapping[str, Any]], theirs: pytest.LogCaptureFixture) -> None:
        self._ours = ours
        self._theirs = theirs

    @property
    def lines(self) -> list[str]:
        return [str(entry) for entry in self._ours] + [record.getMessage() for record in self._theirs.records]

    @property
    def faults(self) -> list[str]:
        """Tracebacks, except those of clients that left, and our own errors."""
        ours = [str(entry) for entry in self._ours if entry.get("exc_info") or entry["log_level"] == "error"]
        faults = [(record, record.exc_info[1]) for record in self._theirs.records if record.exc_info]
        return ours + [
            f"{record.getMessage()}: {fault!r}" for record, fault in faults if not isinstance(fault, ConnectionError)
        ]

    def clear(self) -> None:
        self._ours.clear()
        self._theirs.clear()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[Log]:
    with structlog.testing.capture_logs() as ours:
        yield Log(ours, caplog)


Start = Callable[..., Awaitable[Sidecar]]


@functools.cache
def _storage_class(scheme: str) -> type[Storage]:
    """Return the class for a URL; to look it up among all that is installed takes longer than many tests."""
    return storage_class(f"{scheme}:")


@asynccontextmanager
async def sidecars(*, fast_lane: bool = True, primes: bool = False) -> AsyncIterator[Start]:
    """Start sidecars, until the end; they listen on loopback, whatever the settings are.

    With `primes` each connection begins with a request of its own.
    """
    async with AsyncExitStack() as stack:

        async def start_sidecar(
            storage: Storage | str = "memory://", clock: Clock | None = None, **changes: Any
        ) -> Sidecar:
            # Long enough for a slow machine, unless the test is about timeouts.
            settings = Settings(
                **{"storage_timeout_ms": 60_000, "ack_timeout_ms": 60_000, "fast_lane": fast_lane, **changes}
            )
            if isinstance(storage, str):
                storage = _storage_class(storage.partition(":")[0]).from_url(storage, settings.storage_options)
            sidecar = app.Sidecar(settings, storage, clock=clock)
            address = await sidecar.start("127.0.0.1", 0)
            stack.push_async_callback(sidecar.stop)
            session = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
            if primes:
                async with session.get(f"{address}/livez") as primed:
                    await primed.read()
            return Sidecar(sidecar, address, session, primes=primes)

        yield start_sidecar


@pytest.fixture(params=["fast lane", "aiohttp"])
def lane(request: pytest.FixtureRequest) -> str:
    """Run a test twice: with the fast lane, for which each connection is primed, and without."""
    return str(request.param)


both_lanes = pytest.mark.usefixtures("lane")
"""Runs a test as `lane` says."""


@pytest.fixture
async def start(request: pytest.FixtureRequest) -> AsyncIterator[Start]:
    """Start sidecars, as `sidecars` does."""
    twice = "lane" in request.fixturenames
    is_fast = not twice or request.getfixturevalue("lane") == "fast lane"
    async with sidecars(fast_lane=is_fast, primes=twice and is_fast) as start_sidecar:
        yield start_sidecar


@pytest.fixture(params=["memory", "redis"])
async def sidecar(request: pytest.FixtureRequest, start: Start) -> Sidecar:
    """A sidecar with default settings, over each backend."""
    if request.param == "memory":
        return await start()
    servers: dict[str, RedisServer] = request.getfixturevalue("redis_servers")
    return await start(servers[max(servers)].storage_url, prefix=f"eventscache:test-{id(request)}")
