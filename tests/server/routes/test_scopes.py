"""Test scopes: what is written in one is read, waited for, pushed and cleared by it, and by nothing else."""

import asyncio
import gzip
import json
import re
import secrets

import pytest

from tests.support.forms import FORM, form
from tests.support.redis_server import RedisServer
from tests.support.sidecar import CACHE, Sidecar, Start

SCOPED = "namespace=token&ids=key"


@pytest.fixture(params=["memory", "redis"])
async def sidecar(request: pytest.FixtureRequest, start: Start, redis_server: RedisServer) -> Sidecar:
    url = redis_server.storage_url if request.param == "redis" else "memory://"
    return await start(url, prefix=f"eventscache:{secrets.token_hex(8)}", size=5)


async def numbers(sidecar: Sidecar, query: str) -> list[int]:
    return [event["original"]["n"] for event in await sidecar.events(query)]


async def test_a_scope_has_its_own_events_whatever_the_rate_limit_of_the_stream_says(sidecar: Sidecar) -> None:
    for number in range(20):
        await sidecar.post(f"/api/v1/event?token=key&scope=run{number % 2}", b'{"n":%d}' % number)
    assert await numbers(sidecar, f"{SCOPED}&scope=run0") == [*range(18, -1, -2)]
    assert await numbers(sidecar, f"{SCOPED}&scope=run1") == [*range(19, 0, -2)]
    assert len(await numbers(sidecar, SCOPED)) == 5
    assert await numbers(sidecar, f"{SCOPED}&scope=other") == []
    found = await sidecar.get(f"{CACHE}?{SCOPED}&scope=run0&limit=1")
    assert (found.json["total_events"], found.json["last_minute_limited"]) == (10, 0)
    assert sidecar.cache.ledger.balanced

    cleared = await sidecar.ask("DELETE", f"{CACHE}?{SCOPED}&scope=run0")
    assert cleared.json["cleared"] == 10
    assert await numbers(sidecar, f"{SCOPED}&scope=run0") == []
    assert len(await numbers(sidecar, f"{SCOPED}&scope=run1")) == 10
    assert len(await numbers(sidecar, SCOPED)) == 5


async def test_every_route_takes_a_scope(sidecar: Sidecar) -> None:
    event = b'{"type":"track","event":"x","n":%d}'
    sent = [
        ("/api/v1/event?token=key", event % 0, {}),
        ("/api/v1/s2s/event?token=key", gzip.compress(event % 1), {"Content-Encoding": "gzip"}),
        ("/api/v1/segment?token=key", event % 2, {}),
        ("/api/s/track?writekey=key", event % 3, {}),
        ("/v1/batch?writekey=key", b'{"batch":[%b]}' % (event % 4), {}),
        ("/mirror/api/v1/event?token=key", event % 5, {}),
        ("/api/v1/events/bulk?token=key", form(event % 6 + b"\n"), {"Content-Type": FORM}),
        (f"{CACHE}?namespace=token&id=key", b'{"original":%b}' % (event % 7), {"Content-Type": "application/json"}),
    ]
    for number, (path, body, headers) in enumerate(sent):
        scoped = {"X-Eventscache-Scope": "run"} if number % 2 else {}
        answer = await sidecar.ask("POST", path if scoped else f"{path}&scope=run", body, **headers, **scoped)
        assert answer.status < 300, (path, answer.body)
    await sidecar.ask("GET", "/api/v1/p.gif?data=eyJuIjo4LCJ0b2tlbiI6ImtleSJ9&scope=run")
    assert sorted(await numbers(sidecar, f"{SCOPED}&scope=run")) == [*range(9)]


async def test_malformed_bodies_belong_to_their_scope_too(sidecar: Sidecar) -> None:
    assert (await sidecar.post("/api/v1/event?token=key&scope=run", b"{broken")).status == 400
    (event,) = await sidecar.events(f"{SCOPED}&scope=run")
    assert event["malformed"] == "{broken"
    assert len(await sidecar.events(f"{SCOPED}&scope=run&status=error")) == 1


async def test_who_waits_for_a_scope_is_woken_by_its_events_alone(sidecar: Sidecar) -> None:
    waiting = asyncio.create_task(sidecar.get(f"{CACHE}?{SCOPED}&scope=run&min=2&wait=20"))
    for number in range(4):
        scope = "&scope=run" if number % 2 else ""
        await sidecar.post(f"/api/v1/event?token=key{scope}", b'{"n":%d}' % number)
    answer = await waiting
    assert [event["original"]["n"] for event in answer.json["events"]] == [3, 1]


async def test_records_of_destinations_belong_to_a_scope_as_they_say(sidecar: Sidecar) -> None:
    records = [{"destination_id": f"d{number}", "original": {"n": number}} for number in range(3)]
    path = f"{CACHE}?scope=run&ack=stored"
    answer = await sidecar.post(path, json.dumps(records).encode(), Content_Type="application/json")
    assert answer.json["stored"] == 3
    assert sorted(await numbers(sidecar, "ids=d0,d1,d2,d3&scope=run")) == [0, 1, 2]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("scope=a%2Cb", "comma"),
        ("scope=a%00", "U+0000"),
        (f"scope={'x' * 201}", "200"),
        ("scope=a&scope=b", "more than once"),
        ("scope=", "scope is empty"),
        ("scope", "scope is empty"),
    ],
)
async def test_a_scope_that_cannot_be_is_refused(sidecar: Sidecar, query: str, words: str) -> None:
    for method, path in (("POST", "/api/v1/event?token=key"), ("GET", f"{CACHE}?ids=a"), ("DELETE", f"{CACHE}?ids=a")):
        answer = await sidecar.ask(method, f"{path}&{query}", b"{}" if method == "POST" else None)
        assert (answer.status, answer.json["code"]) == (400, "invalid_parameter"), path
        assert words in answer.json["message"]
    assert sidecar.cache.ledger.balanced


async def test_only_one_extra_collection_is_read_at_a_time(sidecar: Sidecar) -> None:
    answer = await sidecar.get(f"{CACHE}?ids=a&scope=a&group=b")
    assert (answer.status, answer.json["code"]) == (400, "invalid_parameter")
    answer = await sidecar.get(f"{CACHE}?ids=a&group=b", X_Eventscache_Scope="a")
    assert (answer.status, answer.json["code"]) == (400, "invalid_parameter")
    for parameter in ("group=%2F", "follow=a.b", "group=", "follow="):
        assert (await sidecar.get(f"{CACHE}?ids=a&{parameter}")).status == 400


async def test_a_scope_that_would_not_be_kept_is_refused(sidecar: Sidecar) -> None:
    for number in range(50):
        assert (await sidecar.post(f"/api/v1/event?token=key&scope=run{number}", b"{}")).status == 200
    full = await sidecar.post("/api/v1/event?token=key&scope=more", b"{}")
    assert (full.status, full.json["code"]) == (429, "too_many_scopes")
    record = json.dumps({"token_id": "key", "original": {}}).encode()
    assert (await sidecar.post(f"{CACHE}?scope=more", record, Content_Type="application/json")).status == 429
    assert (await sidecar.post("/api/v1/event?token=key&scope=run7", b"{}")).status == 200
    assert (await sidecar.post("/api/v1/event?token=other&scope=more", b"{}")).status == 200
    await sidecar.ask("DELETE", f"{CACHE}?{SCOPED}&scope=run7&reset=limiter")
    assert (await sidecar.post("/api/v1/event?token=key&scope=more", b"{}")).status == 200
    assert sidecar.cache.ledger.balanced


async def test_every_request_heeds_the_header(sidecar: Sidecar) -> None:
    # given
    for number in range(4):
        await sidecar.post(f"/api/v1/event?token=key&scope=run{number % 2}", b'{"n":%d}' % number)
    of_run = {"X_Eventscache_Scope": "run1"}

    # then
    read = await sidecar.get(f"{CACHE}?{SCOPED}", **of_run)
    assert [event["original"]["n"] for event in read.json["events"]] == [3, 1]
    expected = json.dumps({"expect": [{"match": {}, "count": 2}]}).encode()
    asserted = await sidecar.post(f"/api/v1/events/assert?{SCOPED}", expected, **of_run)
    assert asserted.json["passed"] is True
    assert await pushed(sidecar, f"{SCOPED}&history=10", of_run) == [1, 3]
    assert await numbers(sidecar, f"{SCOPED}&scope=run0") == [2, 0]
    assert (await sidecar.get(f"{CACHE}?{SCOPED}&scope=run0", **of_run)).json["response_events"] == 2

    # and
    assert (await sidecar.ask("DELETE", f"{CACHE}?{SCOPED}", **of_run)).json["cleared"] == 2
    assert len(await sidecar.events(SCOPED)) == 4
    refused = await sidecar.ask("DELETE", f"{CACHE}?{SCOPED}", X_Eventscache_Scope="")
    assert refused.status == 400


async def pushed(sidecar: Sidecar, query: str, headers: dict[str, str]) -> list[int]:
    """Return the numbers of the events that a push brings until it is ready."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"GET /api/v1/events/stream?{query} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"
    answer = await sidecar.raw(head.encode(), until=b"event: ready")
    return [int(number) for number in re.findall(rb'"n":(\d+)', answer)]
