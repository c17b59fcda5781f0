"""Clients that leave, dawdle, or send under ever new names; all others are served meanwhile."""

import asyncio
import random
import socket
from contextlib import ExitStack, suppress

from yarl import URL

from tests.support.redis_server import RedisServer
from tests.support.sidecar import CACHE, HONEST, Log, Sidecar, Start
from tests.support.trial import PATIENT, Try

GENEROUS_SECONDS = 60
LEAVERS = 300
DAWDLERS = 200
PLACES = 100
NEW_NAMES = 2000
BODY = b'[{"original":{"text":"%b"}},{"original":{"n":2}}]' % (b"x" * 40_000)
RECORDS = (
    f"POST {CACHE}?id=left&ack=stored HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    f"Content-Length: {len(BODY)}\r\n\r\n"
).encode() + BODY
READ = f"GET {CACHE}?ids=left&limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


async def leave_midway(sidecar: Sidecar, dice: random.Random) -> None:
    """Send a part of some requests, read a part of the answers, and break off."""
    url = URL(sidecar.address)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    sent = dice.choice([RECORDS, READ, RECORDS + READ, HONEST])
    cut = dice.choice([len(sent), dice.randrange(len(sent))])
    writer.write(sent[:cut])
    if dice.random() < 0.5:
        await asyncio.sleep(0)
    elif cut == len(sent):
        await reader.read(dice.choice([1, 200, 30_000]))
    writer.transport.abort()


async def test_clients_that_break_off_anywhere_leave_nothing_half_done(
    start: Start, tcp_redis: RedisServer, log: Log
) -> None:
    sidecar = await start(tcp_redis.storage_url, size=1000, max_event_bytes=100_000)
    assert (await sidecar.record(BODY, "id=left&ack=stored")).status == 200
    dice = random.Random(1)
    for _ in range(LEAVERS // 20):
        await asyncio.gather(*(leave_midway(sidecar, dice) for _ in range(20)))
        await sidecar.still_serves()
    async with asyncio.timeout(GENEROUS_SECONDS):
        while sidecar.cache.ledger.queued or sidecar.server.connections > 2:
            await asyncio.sleep(0.01)
    assert log.faults == []
    assert sidecar.cache.ledger.balanced
    events = await sidecar.events("ids=left&limit=1000")
    # Both records of a body are there, or none of them.
    assert [len(event["original"].get("text", "")) for event in events] == [0, 40_000] * (len(events) // 2)


async def test_a_crowd_that_never_ends_its_requests_keeps_nobody_out(start: Start) -> None:
    sidecar = await start(max_connections=PLACES, header_timeout_ms=600_000, body_timeout_ms=600_000)
    url, loop = URL(sidecar.address), asyncio.get_running_loop()
    with ExitStack() as stack:
        for nth in range(DAWDLERS):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            await loop.sock_connect(client, (url.host, url.port))
            with suppress(OSError):  # it was sent away for others
                await loop.sock_sendall(client, HONEST[: nth % 60])
            assert sidecar.server.connections <= PLACES + 1  # the one that is being closed
            if nth % 10 == 0:
                await sidecar.still_serves()
        await sidecar.still_serves()
    assert sidecar.cache.ledger.received >= DAWDLERS // 10


async def test_ever_new_names_fill_neither_redis_nor_the_sidecar(on_trial: Try, tcp_redis: RedisServer) -> None:
    most, trusted = 50, 3
    dropped = frozenset({"max_streams", "new_streams"})
    async with on_trial(
        tcp_redis.storage_url, **PATIENT, max_streams=most, max_new_streams_per_minute=20, dropped=dropped
    ) as trial:
        for first in range(0, NEW_NAMES, 100):
            answers = await asyncio.gather(
                *(
                    trial.sidecar.post(f"/api/v1/event?token=name-{number}", b'{"n":1}')
                    for number in range(first, first + 100)
                )
            )
            assert {answer.status for answer in answers} <= {200, 429}
            assert int(str(tcp_redis.ask("DBSIZE"))) <= 5 * (most + trusted) + 2
        trial.others_sent(NEW_NAMES)
    assert sum(trial.ledger.dropped.get(reason, 0) for reason in dropped) > NEW_NAMES // 2
