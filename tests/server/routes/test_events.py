"""Reading, writing and clearing records over HTTP."""

import asyncio
import gzip
import json
from typing import Any
from urllib.parse import quote

import msgpack
import pytest

from eventscache.errors import StorageUnavailable
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Page, Query
from eventscache.storage.options import StorageOptions
from eventscache.stream import Stream
from tests.support.redis_server import RedisServer
from tests.support.sidecar import CACHE, Sidecar, Start

JSON = "application/json"
JITSUS_FIELDS = {
    "total_events",
    "last_minute_limited",
    "cache_capacity_per_interval",
    "interval_seconds",
    "response_events",
    "events",
}


def records(count: int, **fields: Any) -> bytes:
    return json.dumps([{"original": {"n": number}, **fields} for number in range(count)]).encode()


async def test_an_empty_cache_answers_as_jitsu_does(sidecar: Sidecar) -> None:
    for query in ("", "?ids=", "?ids=unknown", "?ids=,,&namespace=token&status=error"):
        answer = await sidecar.get(CACHE + query)
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        assert answer.json == {
            "total_events": 0,
            "last_minute_limited": 0,
            "cache_capacity_per_interval": 100,
            "interval_seconds": 60,
            "response_events": 0,
            "events": [],
        }
    assert (await sidecar.get("/api/v1/streams")).json == {"streams": [], "api_keys": False, "sources": []}


async def test_what_is_posted_is_read_back(sidecar: Sidecar) -> None:
    original = b'{"b": 1.10, "a":[ 1e5 ]}'
    success = b'{"destination_id":"d","table":"t","record":[{"field":"z"},{"field":"a"}]}'
    record = b'{"destination_id":"d","original":' + original + b',"success":' + success + b"}"

    answer = await sidecar.record(record)

    assert (answer.status, answer.json) == (200, {"status": "ok", "received": 1, "stored": 1, "limited": 0})
    answer = await sidecar.get(f"{CACHE}?ids=d")
    assert set(answer.json) == JITSUS_FIELDS
    (event,) = answer.json["events"]
    assert list(event) == ["original", "success", "timestamp", "uid", "destination_id", "token_id", "seq"]
    assert b'"original":' + original + b',"success":' + success in answer.body
    assert len(event["timestamp"]) == len("2020-11-30T21:48:12.754000Z")
    assert (event["destination_id"], event["token_id"], event["seq"]) == ("d", "", 1)


async def test_fields_that_are_given_are_kept(sidecar: Sidecar) -> None:
    record = {
        "malformed": "{",
        "error": "no",
        "skip": "why",
        "timestamp": "2020-11-30T21:48:12Z",
        "uid": "u",
        "destination_id": "d",
        "token_id": "t",
        "masked": True,
        "attempt": 3,
        "response": {"status": 503, "body": "busy"},
    }
    await sidecar.record(json.dumps({**record, "seq": 99}).encode())

    (event,) = await sidecar.events("ids=d&status=error")

    assert event == {**record, "seq": 1}
    assert await sidecar.events("ids=t&namespace=token") == []


async def test_what_a_get_gives_a_post_takes(sidecar: Sidecar) -> None:
    await sidecar.record(records(3, token_id="here", error="e"))
    given = await sidecar.events("namespace=token&ids=here")

    await sidecar.record(json.dumps([{**event, "token_id": "there"} for event in reversed(given)]).encode())

    taken = await sidecar.events("namespace=token&ids=there")
    assert [{**event, "token_id": "here"} for event in taken] == given


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("kind", ["json", "array", "x-ndjson", "msgpack", "x-msgpack"])
async def test_every_format_is_taken(sidecar: Sidecar, kind: str, packed: bool) -> None:
    events: list[dict[str, Any]] = [{"original": {"n": 1, "text": "\u00e9\n"}, "error": "no"}, {"original": {"n": 2}}]
    body = {
        "json": b"".join(json.dumps(event).encode() for event in events[:1]),
        "array": json.dumps(events, indent=1).encode(),
        "x-ndjson": b"\r\n\n".join(json.dumps(event).encode() for event in events),
        "msgpack": msgpack.packb(events),
        "x-msgpack": msgpack.packb(events[0]),
    }[kind]
    headers = {"Content_Type": f"application/{'json' if kind == 'array' else kind}"}
    if packed:
        body, headers["Content_Encoding"] = gzip.compress(body), "gzip"

    answer = await sidecar.record(body, "id=d&ack=stored", **headers)

    count = 1 if kind in {"json", "x-msgpack"} else 2
    assert answer.json["stored"] == count
    assert [event["original"] for event in await sidecar.events("ids=d")] == [
        event["original"] for event in events[:count]
    ][::-1]


async def test_msgpack_keeps_the_bytes_of_json_it_holds(sidecar: Sidecar) -> None:
    batch: list[Any] = [
        {"original": b'{"a": 1.10}'},
        {"original": b"{"},
        {"original": {"a": b"\xff"}},
        {"original": {"a": float("nan")}},
        {"original": {}, 5: 1},
        5,
    ]
    answer = await sidecar.record(msgpack.packb(batch), "id=d", Content_Type="application/msgpack")

    assert answer.status == 202
    assert [error["index"] for error in answer.json["errors"]] == [1, 2, 3, 4, 5]
    assert b'"original":{"a": 1.10}' in (await sidecar.get(f"{CACHE}?ids=d")).body
    broken = await sidecar.record(msgpack.packb(batch)[:-3], "id=d", Content_Type="application/msgpack")
    assert broken.status == 400


async def test_only_the_bad_line_of_ndjson_is_rejected(sidecar: Sidecar) -> None:
    body = b'{"original":{"n":1}}\n{bad}\n{"original":{"n":3}}'
    answer = await sidecar.record(body, "id=d", Content_Type="application/x-ndjson")
    assert (answer.status, answer.json["received"]) == (202, 2)
    assert [error["index"] for error in answer.json["errors"]] == [1]


async def test_totals_and_limits_are_per_id(sidecar: Sidecar) -> None:
    for stream_id in ("a", "b"):
        await sidecar.record(records(130), f"id={stream_id}&ack=stored")

    answer = (await sidecar.get(f"{CACHE}?ids=b,,a,b&ids=a&limit=2&whatever=1")).json

    assert [(event["destination_id"], event["original"]["n"]) for event in answer["events"]] == [
        ("b", 99),
        ("b", 98),
        ("a", 99),
        ("a", 98),
    ]
    assert (answer["total_events"], answer["response_events"], answer["last_minute_limited"]) == (200, 4, 60)
    assert (await sidecar.get(f"{CACHE}?ids=a&limit=5000")).json["response_events"] == 100


async def test_status_filters(sidecar: Sidecar) -> None:
    body = [{"original": {"n": 1}}, {"original": {"n": 2}, "error": "e"}, {"original": {"n": 3}, "skip": "s"}]
    await sidecar.record(json.dumps(body).encode(), "id=d&ack=stored")

    async def numbers(status: str) -> list[int]:
        answer = (await sidecar.get(f"{CACHE}?ids=d&status={status}")).json
        assert answer["total_events"] == len(answer["events"])
        return [event["original"]["n"] for event in answer["events"]]

    assert await numbers("") == [3, 2, 1]
    assert await numbers("error") == [2]
    assert await numbers("skip") == [3]
    assert await numbers("success") == [1]
    assert await numbers("-error") == [3, 1]
    assert await numbers("-skip") == [2, 1]
    assert await numbers("-success") == [3, 2]
    for unknown in ("-", "--error", "errors", "-errors"):
        assert (await sidecar.get(f"{CACHE}?ids=d&status={unknown}")).status == 400


async def test_paging_and_time_and_text_filters(sidecar: Sidecar) -> None:
    body = [
        {"original": {"n": n, "event_type": "odd" if n % 2 else "even"}, "timestamp": f"2026-01-01T00:00:0{n}Z"}
        for n in range(1, 7)
    ]
    await sidecar.record(json.dumps(body).encode(), "id=d&ack=stored")

    async def numbers(query: str) -> list[int]:
        return [event["seq"] for event in await sidecar.events(f"ids=d&{query}")]

    assert await numbers("before=4") == [3, 2, 1]
    assert await numbers("after=4") == [6, 5]
    assert await numbers("start=2026-01-01T00:00:03Z&end=2026-01-01T00:00:05Z") == [4, 3]
    assert await numbers("start=1767225603000") == [6, 5, 4, 3]
    assert await numbers("type=odd&limit=2") == [5, 3]
    assert await numbers("q=t00%3A00%3A04z") == [4]
    assert (await sidecar.get(f"{CACHE}?ids=d&type=odd&limit=1")).json["total_events"] == 3


async def test_without_ids_the_known_streams_are_shown_most_recent_first(sidecar: Sidecar) -> None:
    for stream_id in ("first", "second", "first"):
        await sidecar.record(records(1), f"id={stream_id}&ack=stored")
    await sidecar.record(records(1), "id=key&namespace=token&ack=stored")

    assert [event["destination_id"] for event in await sidecar.events("")] == ["first", "first", "second"]
    streams = (await sidecar.get("/api/v1/streams")).json["streams"]
    assert [(stream["id"], stream["total_events"], stream["error_events"]) for stream in streams] == [
        ("first", 2, 0),
        ("second", 1, 0),
    ]
    assert streams[0]["namespace"] == "destination"
    assert streams[0]["last_active"].endswith("Z")
    assert len((await sidecar.get("/api/v1/streams?namespace=token")).json["streams"]) == 1


async def test_ndjson_is_returned_on_request(sidecar: Sidecar) -> None:
    await sidecar.record(b'{"original":{"a":\r\n1}}', "id=d&ack=stored")
    await sidecar.record(b'{"original":{"a":2}}', "id=e&ack=stored")

    answer = await sidecar.get(f"{CACHE}?ids=d,none,e", Accept="application/x-ndjson")

    assert answer.headers["Content-Type"] == "application/x-ndjson"
    lines = answer.body.splitlines()
    assert [json.loads(line)["original"]["a"] for line in lines] == [1, 2]
    assert (await sidecar.get(f"{CACHE}?ids=none", Accept="application/x-ndjson")).body == b""


async def test_being_limited_is_not_an_error(sidecar: Sidecar) -> None:
    answer = await sidecar.record(records(250), "id=d&ack=stored")
    assert answer.json == {"status": "ok", "received": 250, "stored": 100, "limited": 150}
    again = await sidecar.record(records(3), "id=d")
    assert (again.status, again.json) == (202, {"status": "ok", "received": 3})
    assert (await sidecar.get(f"{CACHE}?ids=d")).json["last_minute_limited"] == 153


async def test_clearing_removes_events_and_keeps_the_limiter(sidecar: Sidecar) -> None:
    for stream_id in ("a", "b", "c"):
        await sidecar.record(records(150), f"id={stream_id}&ack=stored")

    assert (await sidecar.ask("DELETE", f"{CACHE}?ids=a,none")).json == {"status": "ok", "cleared": 100}
    assert await sidecar.events("ids=a") == []
    assert len(await sidecar.events("ids=b")) == 100
    assert (await sidecar.record(records(1), "id=a&ack=stored")).json["limited"] == 1

    assert (await sidecar.ask("DELETE", f"{CACHE}?all=true")).json == {"status": "ok", "cleared": 200}
    assert await sidecar.events("") == []


async def test_clearing_can_reset_the_limiter(sidecar: Sidecar) -> None:
    await sidecar.record(records(150), "id=a&ack=stored")
    assert (await sidecar.ask("DELETE", f"{CACHE}?ids=a&reset=limiter")).json["cleared"] == 100
    assert (await sidecar.record(records(5), "id=a&ack=stored")).json["stored"] == 5


@pytest.mark.parametrize("query", ["", "?ids=", "?all=yes", "?ids=a&all=true", "?ids=a&reset=x", "?namespace=x&ids=a"])
async def test_clearing_needs_ids_or_all(sidecar: Sidecar, query: str) -> None:
    assert (await sidecar.ask("DELETE", CACHE + query)).status == 400


class Away(MemoryStorage):
    """Answers some reads, then becomes unavailable."""

    def __init__(self, reads: int) -> None:
        super().__init__(StorageOptions())
        self._reads = reads

    async def fetch(self, stream: Stream, query: Query) -> Page:
        self._reads -= 1
        if self._reads < 0:
            raise StorageUnavailable("away")
        return await super().fetch(stream, query)

    async def ping(self) -> None:
        raise StorageUnavailable("away")


async def test_an_unavailable_storage_is_a_503_and_never_an_empty_200(start: Start) -> None:
    sidecar = await start(Away(0))
    for accept in ("application/json", "application/x-ndjson"):
        answer = await sidecar.get(f"{CACHE}?ids=a", Accept=accept)
        assert (answer.status, answer.json["error"]) == (503, "")
        assert answer.headers["Retry-After"] == "1"
    assert (await sidecar.get("/readyz")).status == 503
    assert (await sidecar.get("/livez")).status == 200


async def test_a_response_that_breaks_off_is_not_complete(start: Start) -> None:
    sidecar = await start(Away(2))
    await sidecar.record(records(1), "id=a&ack=stored")
    request = f"GET {CACHE}?ids=a,b,c HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()

    try:
        answer = await sidecar.raw(request)
    except ConnectionResetError:
        return  # the cut was faster than the first piece

    assert not answer.endswith(b"0\r\n\r\n")


class Stuck(MemoryStorage):
    """Stores nothing until its gate is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def insert(self, batch):
        await self.gate.wait()
        return await super().insert(batch)


async def test_a_full_queue_is_a_429_for_records_and_changes_nothing_for_jitsu(start: Start) -> None:
    storage = Stuck()
    sidecar = await start(storage, queue_bytes=50_000, ack_timeout_ms=20)
    answer = await sidecar.record(records(1), "id=d&ack=stored")
    assert (answer.status, answer.json["received"]) == (503, 1)
    assert "unknown" in answer.json["message"]
    while (answer := await sidecar.record(records(10), "id=d")).status == 202:
        pass
    assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
    assert (await sidecar.get("/readyz")).status == 200
    ingested = await sidecar.post("/api/v1/event?token=t", b'{"a":"' + b"x" * 49_000 + b'"}')
    assert (ingested.status, ingested.json) == (200, {"status": "ok"})
    ledger = sidecar.cache.ledger
    assert ledger.dropped["queue_full"] == 11
    assert ledger.balanced
    storage.gate.set()


async def test_the_ledger_is_shown_as_metrics(sidecar: Sidecar) -> None:
    await sidecar.record(records(130), "id=d&ack=stored")
    await sidecar.record(b"[5]", "id=d")
    await sidecar.post("/api/v1/event?token=t", b"{}")
    await sidecar.events("ids=t&namespace=token")

    text = (await sidecar.get("/metrics")).body.decode()

    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert values["eventscache_events_received_total"] == "132.0"
    assert values["eventscache_events_stored_total"] == "101.0"
    assert values["eventscache_events_limited_total"] == "30.0"
    assert values["eventscache_events_rejected_total"] == "1.0"
    assert values['eventscache_admissions_total{collection="all"}'] == "101.0"
    assert values["eventscache_queue_events"] == "0.0"


async def test_unknown_paths_and_methods_are_json_errors(sidecar: Sidecar) -> None:
    for path in ("/nothing", f"{CACHE}/", "/api/v1/events/cache/..%2f", "/%00"):
        answer = await sidecar.get(path)
        assert (answer.status, answer.json["error"]) == (404, "")
    answer = await sidecar.ask("PUT", CACHE)
    assert answer.status == 405
    assert "GET" in answer.headers["Allow"]


async def test_a_disabled_cache_stores_nothing_and_reads_empty(start: Start) -> None:
    sidecar = await start(enabled=False)
    assert (await sidecar.post("/api/v1/event?token=t", b"{}")).json == {"status": "ok"}
    assert (await sidecar.record(records(2), "id=d")).status == 202
    assert await sidecar.events("") == []
    assert await sidecar.events("ids=d") == []
    assert (await sidecar.get("/readyz")).status == 200
    assert sidecar.cache.ledger.dropped == {"disabled": 3}


async def test_both_ids_of_a_record_are_checked(sidecar: Sidecar) -> None:
    for bad in ('"x\\u0007"', '"' + "x" * 513 + '"'):
        record = f'{{"destination_id":"d","token_id":{bad},"original":{{}}}}'.encode()
        answer = await sidecar.post(f"{CACHE}?ack=stored", record, Content_Type=JSON)
        assert answer.status == 400
        assert "the id" in answer.json["errors"][0]["message"]


async def test_min_may_be_larger_than_any_storage_can_count(start: Start, redis_server: RedisServer) -> None:
    sidecar = await start(redis_server.storage_url)
    answer = await sidecar.get(f"{CACHE}?ids=d&wait=0.01&min=999999999999999999")
    assert (answer.status, answer.json["response_events"]) == (200, 0)


async def test_every_response_forbids_caching_and_type_sniffing(sidecar: Sidecar) -> None:
    answers = [await sidecar.get(path) for path in ("/livez", "/readyz", "/ping", "/metrics", "/openapi.json", CACHE)]
    answers.append(await sidecar.post("/api/v1/event?token=key", b"{}"))
    answers.append(await sidecar.post("/api/v1/event?token=key", b"{}", Origin="http://127.0.0.1"))
    answers.append(await sidecar.post(f"{CACHE}?ack=stored", b'{"token_id":"key","original":{}}', Content_Type=JSON))
    for answer in answers:
        assert answer.status == 200
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("last", "status"), [(b'{"destination_id":"d","skip":"x"}', 200), (b"1", 400)])
async def test_an_answer_names_the_first_errors_and_counts_the_others(
    sidecar: Sidecar, last: bytes, status: int
) -> None:
    answer = await sidecar.record(b"1\n" * 9_999 + last, Content_Type="application/x-ndjson")
    assert answer.status == status
    assert len(answer.json["errors"]) == 100
    assert answer.json["errors_omitted"] == 9_899 + (status == 400)
    assert len(answer.body) < 10_000
    assert sidecar.cache.ledger.rejected == 9_999 + (status == 400)


async def test_fields_select_what_is_read_and_waited_for(sidecar: Sidecar) -> None:
    for number in range(10):
        event = {"n": number, "user": {"email": f"u{number % 2}@x.example"}, "name": "\u041f & co"}
        await sidecar.post("/api/v1/event?token=key", json.dumps(event).encode())

    async def found(*fields: str) -> list[int]:
        query = "&".join(f"field={quote(field)}" for field in fields)
        events = await sidecar.events(f"namespace=token&ids=key&{query}")
        return [event["original"]["n"] for event in events]

    assert await found("user.email ~ U1@") == [9, 7, 5, 3, 1]
    assert await found("user.email ~ u1", "-n > 4") == [3, 1]
    assert await found("n = (2, 3)") == [3, 2]
    assert await found('name ~ "п &"') == [*range(9, -1, -1)]
    assert len(await sidecar.events(f"namespace=token&ids=key&q={quote('п & CO')}")) == 10
    waited = await sidecar.get(f"{CACHE}?namespace=token&ids=key&field={quote('n = 7')}&min=1&wait=20")
    assert waited.json["total_events"] == 1

    for field in ("n", "n > x", "a" * 1001):
        answer = await sidecar.get(f"{CACHE}?ids=key&field={quote(field)}")
        assert (answer.status, answer.json["code"]) == (400, "invalid_parameter")
        assert answer.json["message"].startswith("field: ")
    too_many = "&".join(["field=a%3D1"] * 21)
    assert (await sidecar.get(f"{CACHE}?ids=key&{too_many}")).status == 400


async def test_the_type_may_be_at_a_path_of_the_configuration(start: Start) -> None:
    sidecar = await start("memory://", per_type=2, type_path="properties.kind", size=3)
    for number in range(20):
        kind = "rare" if number == 5 else "usual"
        event = {"type": "track", "event": "x", "properties": {"kind": kind}, "n": number}
        await sidecar.post("/api/v1/event?token=key", json.dumps(event).encode())
    (rare,) = await sidecar.events("namespace=token&ids=key&type=rare")
    assert rare["original"]["n"] == 5
    assert await sidecar.events("namespace=token&ids=key&type=x") == []


@pytest.mark.parametrize("storage", ["memory", "redis"])
async def test_a_rare_type_is_found_whatever_else_floods(start: Start, redis_server: RedisServer, storage: str) -> None:
    url = redis_server.storage_url if storage == "redis" else "memory://"
    sidecar = await start(url, per_type=5, prefix="eventscache:types")
    for number in range(300):
        await sidecar.post("/api/v1/event?token=flooded", b'{"event_type":"pageview","n":%d}' % number)
    await sidecar.post("/api/v1/event?token=flooded", b'{"event_type":"purchase","price":1.10}')
    await sidecar.post("/api/v1/s2s/event?token=flooded", b'{"type":"track","event":"Order Completed"}')

    found = await sidecar.get(f"{CACHE}?namespace=token&ids=flooded&type=purchase")
    assert found.body.count(b'"original":{"event_type":"purchase","price":1.10}') == 1
    assert (found.json["total_events"], found.json["response_events"]) == (1, 1)
    (order,) = await sidecar.events("namespace=token&ids=flooded&type=Order%20Completed")
    assert order["original"] == {"type": "track", "event": "Order Completed"}
    views = await sidecar.events("namespace=token&ids=flooded&type=pageview&limit=1000")
    assert [view["original"]["n"] for view in views] == [*range(99, -1, -1)]
    everything = await sidecar.events("namespace=token&ids=flooded&limit=1000")
    assert len(everything) == 100
    assert sidecar.cache.ledger.balanced
