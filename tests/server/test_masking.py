"""Masking, from the HTTP request to every byte that a real Redis holds afterwards."""

import asyncio
import gzip
import hashlib
import hmac
import json

import msgpack
import pytest

from tests.support.redis_server import RedisServer
from tests.support.sidecar import Start

KEY = "the key of the mask"
MARKER = "m4rk3r"
EVENT = "/api/v1/event?token="


def hashed(json_text: str) -> str:
    return hmac.new(KEY.encode(), json_text.encode(), hashlib.sha256).hexdigest()[:32]


async def test_nothing_that_is_masked_reaches_redis(start: Start, redis_server: RedisServer) -> None:
    prefix = "eventscache:masked"
    sidecar = await start(
        redis_server.storage_url,
        prefix=prefix,
        mask_drop=("**.secret", "p"),
        mask_hash=("**.email",),
        mask_ip=True,
        mask_key=KEY,
        max_event_bytes=2000,
    )
    original = {"secret": MARKER, "email": "ann@" + MARKER, "ip": "203.0.113.77", "a": [{"secret": {"x": [MARKER]}}]}
    record = {
        "destination_id": "d",
        "original": original,
        "success": {
            "secret": MARKER,
            "record": [{"field": "a_email", "value": "ANN@" + MARKER}, {"field": "c", "value": "ann@" + MARKER}],
            "body": json.dumps(original),
        },
        "error": f"cannot store {MARKER} of ann@{MARKER} from 203.0.113.77: {json.dumps(original)}",
        "skip": f"skipped {MARKER}",
        "malformed": json.dumps(original)[:-1],
        "response": {"status": 400, "body": json.dumps({"refused": original})},
    }
    data = json.dumps(record).encode()
    escaped = data.replace(b"secret", b"\\u0073ecret").replace(b"email", b"em\\u0061il")
    for body in (data, b"[" + data + b"," + escaped + b"]"):
        assert (await sidecar.record(body)).status == 200
    assert (await sidecar.record(data + b"\n" + data, Content_Type="application/x-ndjson")).status == 200
    assert (await sidecar.record(msgpack.packb([record]), Content_Type="application/msgpack")).status == 200
    assert (await sidecar.record(data[:-1], "id=d")).status == 400
    event = json.dumps(original).encode()
    template = b'{"template":{"p":' + event + b'},"events":[' + event + b"," + event + b"]}"
    for body, status in (
        (event, 200),
        (b"[" + event + b"," + event + b"]", 200),
        (template, 200),
        (event[:-1], 400),
        (event[:-1].decode().encode("utf-16"), 400),
        (b'{"x":"' + b"x" * 3000 + b'","secret":"' + MARKER.encode() + b'"}', 400),
    ):
        assert (await sidecar.post("/api/v1/event?token=key", body)).status == status
    assert len(await sidecar.events("namespace=token&ids=key")) >= 7
    assert len(await sidecar.events("ids=d")) == 7

    found: list[bytes] = []
    with redis_server.client(decode_responses=False) as client:
        for key in client.scan_iter(f"{prefix}*".encode()):
            found.append(key)
            match client.type(key):
                case b"list":
                    found += client.lrange(key, 0, -1)
                case b"hash":
                    found += [part for pair in client.hgetall(key).items() for part in pair]
                case b"zset":
                    found += client.zrange(key, 0, -1)
                case other:
                    raise AssertionError(other)
            found.append(client.dump(key) or b"")
    everything = b"\n".join(found)
    assert len(found) > 20
    assert MARKER.encode() not in everything
    assert MARKER.encode("utf-16-le") not in everything
    assert b"203.0.113.77" not in everything
    assert b"203.0.113.0" in everything
    assert hashed(f'"ann@{MARKER}"').encode() in everything
    assert b"[masked: " in everything


def batch(event: object) -> bytes:
    """Return a zipped batch of an event that is costly to mask: a few KB that unzip to megabytes."""
    return gzip.compress(b"[" + b",".join([json.dumps(event).encode()] * 100) + b"]")


COSTLY = {
    "dots": {str(number): "{" + "." * 12_000 + "g:" * (number == 3) for number in range(4)},
    "levels in a name": {"." * 48_000 + "email": 1},
    "addresses": {"a": "{" + ",".join(["::1"] * 4_000), "b": ["1.2.3.4"] * 900},
    "hashed values": [{"phone": f"value {number}"} for number in range(900)],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", COSTLY)
async def test_others_are_served_while_costly_events_are_masked(start: Start, kind: str) -> None:
    sidecar = await start(
        mask_drop=("**.email", "*.*.*.name", "**.user.**.name"), mask_hash=("**.phone",), mask_ip=True, mask_key=KEY
    )
    body = batch({"events": COSTLY[kind]})
    under_way = [
        asyncio.create_task(sidecar.post(f"{EVENT}{number}", body, Content_Encoding="gzip")) for number in "12"
    ]
    malformed = sidecar.post(EVENT + "3", b"::1," * 2_500)
    under_way += [asyncio.create_task(malformed)]
    answers = 0
    while not all(task.done() for task in under_way):
        async with asyncio.timeout(2):
            assert (await sidecar.get("/livez")).status == 200
        answers += 1
    assert answers
    assert [(await task).status for task in under_way] == [200, 200, 400]
    events = await sidecar.events("namespace=token&ids=1,2,3&limit=300")
    assert len(events) == 201


async def test_many_columns_with_underscores_hold_nobody(start: Start) -> None:
    sidecar = await start(mask_drop=("*.*.*.email", "**.user.**.email", "**.a.**.b.**.c"))
    columns = [{"field": "_" * 1_400, "value": 1}, {"field": "a_" * 700, "value": 2}, {"field": "_a_email", "value": 3}]
    body = json.dumps([{"destination_id": "d", "success": {"record": columns * 10}}] * 50).encode()
    under_way = asyncio.create_task(sidecar.record(body))
    while not under_way.done():
        async with asyncio.timeout(2):
            assert (await sidecar.get("/livez")).status == 200
    assert (await under_way).json["stored"] == 50
    [event] = await sidecar.events("ids=d&limit=1")
    assert event["success"]["record"][:2] == columns[:2]
