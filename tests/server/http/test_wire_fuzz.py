"""Requests with a few bytes changed, over real connections: other clients are served all the same.

A short run by default; `FUZZ_SECONDS=600` makes a long one, with other mutants. A failed assertion shows the seed.
"""

import asyncio
import contextlib
import gzip
import os
import time
from random import Random

from tests.support.mutants import TELLING, change
from tests.support.raw_client import Client
from tests.support.sidecar import CACHE, HONEST, Log, Sidecar, Start, both_lanes
from tests.support.wire import CHUNKED, CLOSE, HOST, LENGTH, chunked, chunks, get, post, replies

pytestmark = both_lanes

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
BATCHES = 10
BATCH = 30
SEED = 20
ZIPPED = gzip.compress(b'{"a":1}')
RECORDS = f"POST {CACHE}?id=d&ack=stored HTTP/1.1\r\n".encode() + HOST
VALID = (
    HONEST,
    post(),
    post(LENGTH + CLOSE),
    post(b"Expect: 100-continue\r\n" + LENGTH),
    post(b"Content-Encoding: gzip\r\nContent-Length: %d\r\n" % len(ZIPPED), ZIPPED),
    post(b"X-Auth-Token: \xc3\xa9\r\nOrigin: http://a.example\r\n" + LENGTH),
    post(b"Connection: Upgrade\r\nUpgrade: websocket\r\n" + LENGTH),
    get(b"/livez", b"Connection: Upgrade\r\nUpgrade: h2c\r\n"),
    get(b"a:1", b"", method=b"CONNECT"),
    chunked(chunks()),
    chunked(chunks(after=b';a="b"')),
    chunked(b"3\r\n" + b'{"a' + b"\r\n4\r\n" + b'":1}' + b"\r\n0\r\nX-Trailer: y\r\n\r\n"),
    chunked(chunks(b"x" * 2001)),
    RECORDS + b"Content-Type: application/json\r\nContent-Length: 15\r\n\r\n" + b'{"original":{}}',
    RECORDS + b"Content-Type: application/msgpack\r\n" + CHUNKED + b"\r\n" + chunks(b"\x81\xa8original\x80"),
    RECORDS + b"Content-Type: application/x-ndjson; charset=utf-8\r\nContent-Length: 5\r\n\r\n{}\n{}",
    get(f"{CACHE}?ids=a,%C3%A9&limit=5&start=2026-01-01T00:00:00Z&status=error".encode(), b""),
    get(b"/api/v1/streams?namespace=token", b"X-Admin-Token: a\r\nAuthorization: Bearer b\r\n"),
    get(b"/livez", b"Range: bytes=0-1\r\n"),
    get(f"{CACHE}?ids=a&reset=limiter".encode(), method=b"DELETE"),
    b"GET /ping HTTP/1.0\r\n\r\n",
)


def mutated(random: Random, request: bytes) -> bytes:
    """Return a request with one to three changes of single bytes or short pieces; another request may follow it."""
    data = bytearray(request)
    for _ in range(random.choice((1, 1, 2, 3))):
        change(random, data, random.randrange(len(data) + 1), TELLING)
    return bytes(data) + (random.choice(VALID) if random.randrange(4) == 0 else b"")


def split(random: Random, data: bytes) -> list[bytes]:
    """Return a request in one to four packets."""
    places = sorted(random.randrange(len(data) + 1) for _ in range(random.randrange(4)))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


async def send(sidecar: Sidecar, packets: list[bytes]) -> Client:
    client = await Client.of(sidecar)
    for packet in packets:
        client.send(packet)
        await asyncio.sleep(0)
    return client


async def statuses(client: Client) -> list[int]:
    """Send no more, and return the statuses of the responses."""
    client.end()
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        answer = await client.read()
    await client.close()
    return [reply.status for reply in replies(answer)]


async def fuzz(sidecar: Sidecar, log: Log, seed: int) -> None:
    """Send a batch of mutants, each over a connection of its own, and then a valid request."""
    random = Random(seed)
    mutants = [split(random, mutated(random, random.choice(VALID))) for _ in range(BATCH)]
    clients = [await send(sidecar, packets) for packets in mutants]
    await sidecar.still_serves()
    for client, packets in zip(clients, mutants, strict=True):
        try:
            answered = await statuses(client)
        except TimeoutError:
            raise AssertionError(f"not closed: {seed}, {packets}") from None
        assert all(status < 500 for status in answered), (seed, packets)
    await sidecar.still_serves()
    assert log.faults == [], seed
    log.clear()


async def test_mutated_requests_never_harm_other_clients(start: Start, log: Log) -> None:
    sidecar = await start(max_body_bytes=2000)
    ends = time.monotonic() + SECONDS
    seed = SEED
    while seed < SEED + BATCHES or time.monotonic() < ends:
        await fuzz(sidecar, log, seed)
        seed += 1
