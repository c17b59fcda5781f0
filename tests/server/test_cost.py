"""What one client asks delays nobody else: `/livez` is answered meanwhile."""

import asyncio
from collections.abc import Awaitable

from tests.support.sidecar import CACHE, Sidecar, Start

GENEROUS_SECONDS = 0.5  # far more than is needed, even on a busy machine, and far less than it was
PUSH = "/api/v1/events/stream"


async def longest_livez(sidecar: Sidecar, work: Awaitable[object]) -> float:
    """Return how long the slowest answer of `/livez` took while some work was done."""
    loop, longest = asyncio.get_running_loop(), 0.0
    task = asyncio.ensure_future(work)
    while not task.done():
        asked = loop.time()
        assert (await sidecar.get("/livez")).status == 200
        longest = max(longest, loop.time() - asked)
    await task
    return longest


async def fill(sidecar: Sidecar) -> None:
    """Fill a stream with the largest events."""
    event = b'{"destination_id":"d","error":"x","original":{"a":"' + "é".encode() * 25_000 + b'"}}'
    assert (await sidecar.record(b"[" + b",".join([event] * 100) + b"]")).json["stored"] == 100


async def test_searches_delay_nobody_else(start: Start) -> None:
    sidecar = await start()
    await fill(sidecar)
    searches = asyncio.gather(*(sidecar.get(f"{CACHE}?q=nothing{number}") for number in range(20)))
    assert await longest_livez(sidecar, searches) < GENEROUS_SECONDS
    assert {answer.status for answer in searches.result()} == {200}


async def test_pushes_with_history_delay_nobody_else(start: Start) -> None:
    sidecar = await start()
    await fill(sidecar)
    request = b"GET %s?history=1000%s HTTP/1.1\r\nHost: localhost\r\n\r\n"

    async def push(query: bytes, until: bytes) -> None:
        assert await sidecar.raw(request % (PUSH.encode(), query), until=until)

    unread = [push(b"", b"\r\n\r\n") for _ in range(20)]
    searching = [push(b"&q=nothing", b"event: ready") for _ in range(20)]
    assert await longest_livez(sidecar, asyncio.gather(*unread, *searching)) < GENEROUS_SECONDS
