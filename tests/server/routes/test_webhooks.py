"""`/ingest/...`: whole events and records that Jitsu sends by itself; every answer is a 200."""

import gzip
import json
from typing import Any

import pytest

from eventscache.access.api_keys import ApiKey, KeyList
from tests.support import corpus
from tests.support.sidecar import Answer, Log, Sidecar, Start

CLASSIC = "/ingest/jitsu-webhook?destination_id=d"
JITSU2 = "/ingest/jitsu2?actor_id=d"
WHOLE_EVENTS = [case.sent for case in corpus.WHOLE_EVENTS]
FAULT = "input rejected: more of its kind is only counted"


def check(answer: Answer) -> None:
    assert (answer.status, answer.body) == (200, b'{"status":"ok"}')


def unread(sidecar: Sidecar) -> dict[str, int]:
    assert sidecar.cache.record
    return dict(sidecar.cache.record.unread)


async def kept(sidecar: Sidecar, stream_id: str = "d") -> list[dict[str, Any]]:
    return (await sidecar.events(f"ids={stream_id}"))[::-1]


@pytest.mark.parametrize("path", [CLASSIC, JITSU2])
@pytest.mark.parametrize("content_type", ["", "application/json", "text/plain", "application/x-www-form-urlencoded"])
async def test_a_whole_event_is_an_original_of_its_destination(sidecar: Sidecar, path: str, content_type: str) -> None:
    headers = {"Content_Type": content_type} if content_type else {}
    check(await sidecar.post(path, b'{"event_type":"pageview","price":1.10}', **headers))
    (event,) = await kept(sidecar)
    assert event["original"] == {"event_type": "pageview", "price": 1.10}
    assert (event["destination_id"], event["token_id"]) == ("d", "")
    assert set(event) == {"original", "timestamp", "uid", "token_id", "destination_id", "seq"}


METHODS = ("POST", "GET", "PUT", "PATCH", "DELETE")


@pytest.mark.parametrize("method", METHODS)
async def test_each_method_that_jitsu_lets_one_choose_brings_its_body(start: Start, method: str) -> None:
    sidecar = await start(ingest_tokens=("ingest",))
    for number, path in enumerate((CLASSIC, JITSU2, CLASSIC.replace("?", "/?"), JITSU2.replace("?", "/?"))):
        check(await sidecar.ask(method, path, b'{"n":%d}' % number, X_Auth_Token="ingest"))
        check(await sidecar.ask(method, path, b'{"n":9}', X_Auth_Token="wrong"))
    assert [event["original"]["n"] for event in await kept(sidecar)] == [0, 1, 2, 3]
    assert unread(sidecar) == {"unknown_token": 4}


async def test_without_a_body_every_method_is_as_an_empty_post(sidecar: Sidecar) -> None:
    for method in METHODS:
        check(await sidecar.ask(method, CLASSIC))
    events = await kept(sidecar)
    assert [(event["error"], "original" in event) for event in events] == [("empty JSON body", False)] * len(METHODS)


async def test_head_has_the_answer_and_keeps_nothing(sidecar: Sidecar) -> None:
    for path in (CLASSIC, JITSU2):
        answer = await sidecar.ask("HEAD", path, b'{"n":1}')
        assert (answer.status, answer.headers["Content-Length"], answer.body) == (200, "15", b"")
    assert sidecar.cache.ledger.received == 0


async def test_a_websocket_is_answered_too(sidecar: Sidecar) -> None:
    head = f"GET {CLASSIC} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    assert (await sidecar.raw(f"{head}Content-Length: 7\r\n\r\n".encode() + b'{"n":1}')).startswith(b"HTTP/1.1 200 ")
    assert [event["original"] for event in await kept(sidecar)] == [{"n": 1}]


@pytest.mark.parametrize("path", [CLASSIC, JITSU2, JITSU2.replace("?", "/?")])
async def test_what_is_not_valid_http_is_answered_alike_and_counted_by_its_code(
    sidecar: Sidecar, log: Log, path: str
) -> None:
    for head in (b"", b"Host: localhost\r\nContent-Length: x\r\n"):
        answer = await sidecar.raw(b"POST " + path.encode() + b" HTTP/1.1\r\n" + head + b"\r\n")
        assert answer.startswith(b"HTTP/1.0 200 ")
        assert answer.endswith(b'{"status":"ok"}')
    assert unread(sidecar) == {"invalid_http": 2}
    (line,) = log.lines
    assert path.partition("?")[0] in line


async def test_a_record_is_taken_as_by_the_cache_itself(sidecar: Sidecar) -> None:
    record = {
        "destination_id": "other",
        "original": {"n": 1},
        "success": {"table": "events"},
        "timestamp": "2020-11-30T21:48:12.754000Z",
        "uid": "u",
    }
    check(await sidecar.post(CLASSIC, json.dumps(record).encode()))
    (event,) = await kept(sidecar, "other")
    assert {name: event[name] for name in record} == record


async def test_a_record_that_names_no_stream_is_of_the_one_in_the_query(sidecar: Sidecar) -> None:
    check(await sidecar.post(JITSU2, b'{"original":{"n":1},"error":"late"}'))
    (event,) = await kept(sidecar)
    assert (event["destination_id"], event["error"]) == ("d", "late")


async def test_an_array_may_hold_both_and_keeps_its_order(sidecar: Sidecar) -> None:
    check(await sidecar.post(CLASSIC, b'[{"n":1},{"original":{"n":2}},{"n":3},{"original":"a text","n":4}]'))
    assert [event["original"]["n"] for event in await kept(sidecar)] == [1, 2, 3, 4]


@pytest.mark.parametrize("around", [b"%b", b"[%b]", b" [ %b ] "])
@pytest.mark.parametrize("event", WHOLE_EVENTS)
async def test_any_other_object_is_one_event_whatever_is_in_it(sidecar: Sidecar, event: bytes, around: bytes) -> None:
    check(await sidecar.post(CLASSIC, around % event))
    answer = await sidecar.get("/api/v1/events/cache?ids=d")
    assert b'{"events":[{"original":' + event + b',"timestamp"' in answer.body
    assert answer.json["total_events"] == 1


@pytest.mark.parametrize(
    ("body", "numbers", "rejected"),
    [
        (b'{"nd":1}\n{"nd":2}\n', [1, 2], 0),
        (b'{"nd":1}{"nd":2} {"nd":3}', [1, 2, 3], 0),
        (b'{"nd":1}\r\n\r\n[{"nd":2},{"nd":3}]\n{\n "nd":4\n}{"nd":5}', [1, 2, 3, 4, 5], 0),
        (b'{"nd":1,"api_key":"k:secrethalf"}\n{"nd":2}', [1, 2], 0),
        (b'{"nd":1,"a":"\xff"}\n{"nd":2,"a":"\\ud83d"}', [1, 2], 0),
        (b'{"nd":1}\n5 "x" null\n{"nd":2}', [1, 2], 3),
        (b'{"nd":1} what follows', [1], 1),
        (b'[]{"nd":1}', [1], 0),
        (b"[] what follows", [], 1),
        (b'{"nd":1}\n{"nd":\n{"nd":2}\n\n{"nd":3}', [1, 2, 3], 1),
        (b'{"nd":1\n{"nd":2}\n{"nd":3}', [2, 3], 1),
        (b'[{"nd":1}]\n[{"nd":2}\n{"nd":3}', [1, 3], 1),
        (b'[1,{"nd":1},"x",null,[{"nd":9}],{"nd":2}]', [1, 2], 4),
        (b'[%b,{"nd":1}]' % (b'{"a":' * 300 + b"1" + b"}" * 300), [1], 1),
        (b'{"nd":1}\n%b' % (b'{"a":' * 300 + b"1" + b"}" * 300), [1], 1),
        (b'{"nd":1}\n{"original":{"nd":2}}\n{"original":{"nd":3},"x":1}', [1, 2], 1),
    ],
)
async def test_all_values_count_and_what_is_no_object_is_rejected_by_itself(
    sidecar: Sidecar, body: bytes, numbers: list[int], rejected: int
) -> None:
    check(await sidecar.post(CLASSIC, body))
    assert [event["original"]["nd"] for event in await kept(sidecar)] == numbers
    ledger = sidecar.cache.ledger
    assert (ledger.rejected, ledger.received) == (rejected, rejected + len(numbers))


@pytest.mark.parametrize(
    "body",
    [
        *(b'[1,"x"]', b"5 6", b'{\n"a":\n{"b":1}\n', b'[\n{"a":1},\n{"a":2}', b'{"a":1\n{"a":2', b"{}"[:1]),
        *(b'[{"a":1}', b'\n{"a":1,}\n', b"{" * 300 + b"}" * 300),
    ],
)
async def test_a_body_in_which_no_object_can_be_read_is_kept_whole(sidecar: Sidecar, body: bytes) -> None:
    check(await sidecar.post(CLASSIC, body))
    events = await kept(sidecar)
    assert [event["malformed"] for event in events] == [body.decode()]


async def test_too_many_values_are_too_many(start: Start) -> None:
    sidecar = await start(max_batch=3)
    check(await sidecar.post(CLASSIC, b'{"n":1}\n' * 4))
    assert unread(sidecar) == {"too_many_events": 1}
    check(await sidecar.post(CLASSIC, b'{"n":1}\n' * 3))
    assert len(await kept(sidecar)) == 3


async def test_blanks_of_a_template_may_stand_around(sidecar: Sidecar) -> None:
    check(await sidecar.post(CLASSIC, b'\n  {"n":1}\n'))
    check(await sidecar.post(CLASSIC, gzip.compress(b'{"n":2}'), Content_Encoding="gzip"))
    assert [event["original"]["n"] for event in await kept(sidecar)] == [1, 2]


@pytest.mark.parametrize(
    ("secret", "token_id"), [("client", "key"), ("server", "key"), ("other", ""), (5, ""), ({}, "")]
)
async def test_the_secret_in_an_event_tells_its_api_key(start: Start, secret: Any, token_id: str) -> None:
    sidecar = await start(api_keys=KeyList((ApiKey("key", "client", "server"),)))
    check(await sidecar.post(CLASSIC, json.dumps({"api_key": secret, "n": 1}).encode()))
    (event,) = await kept(sidecar)
    assert (event["destination_id"], event["token_id"]) == ("d", token_id)


async def test_the_secret_in_the_original_of_a_record_tells_its_api_key_unless_the_record_names_one(
    start: Start,
) -> None:
    sidecar = await start(api_keys=KeyList((ApiKey("key", "client", "server"),)))
    check(await sidecar.post(CLASSIC, b'{"original":{"api_key":"client"},"success":{"table":"t"}}'))
    check(await sidecar.post(CLASSIC, b'{"destination_id":"d","token_id":"x","original":{"api_key":"client"}}'))
    assert [event["token_id"] for event in await kept(sidecar)] == ["key", "x"]


@pytest.mark.parametrize("header", ["X_Auth_Token", "X_Admin_Token"])
async def test_a_right_token_is_needed_where_tokens_are_configured(start: Start, log: Log, header: str) -> None:
    sidecar = await start(admin_tokens=("admin",), ingest_tokens=("ingest",))
    for number, token in enumerate(["wrong", "", "wrong"] * 10):
        check(await sidecar.post(CLASSIC, b'{"n":%d}' % number, **{header: token}))
    check(await sidecar.post(CLASSIC, b'{"n":"right"}', **{header: {"X_Auth_Token": "ingest"}.get(header, "admin")}))
    answer = await sidecar.get("/api/v1/events/cache?ids=d", X_Admin_Token="admin")
    assert [event["original"]["n"] for event in answer.json["events"]] == ["right"]
    assert unread(sidecar) == {"unknown_token": 30}
    assert sidecar.cache.ledger.rejected == 30
    assert len([line for line in log.lines if FAULT in line]) == 1
    assert not any("wrong" in line for line in log.lines)


async def test_an_ingest_token_counts_without_an_admin_token_and_a_wrong_one_does_not(start: Start) -> None:
    sidecar = await start(ingest_tokens=("ingest",))
    sent: list[dict[str, str]] = [
        {"X_Auth_Token": "ingest", "Host": "eventscache.local:8095"},
        {"X_Auth_Token": "ingest", "X_Forwarded_For": "1.2.3.4"},
        {"X_Auth_Token": "wrong"},
        {"X_Auth_Token": "wrong", "Host": "eventscache.local:8095"},
        {"Host": "eventscache.local:8095"},
        {},  # of the operator
    ]
    for number, headers in enumerate(sent):
        check(await sidecar.post(CLASSIC, b'{"n":%d}' % number, **headers))
    assert [event["original"]["n"] for event in await kept(sidecar)] == [0, 1, 5]
    assert unread(sidecar) == {"unknown_token": 2, "forbidden": 1}


async def test_a_forwarded_request_without_tokens_is_not_the_operators(sidecar: Sidecar) -> None:
    check(await sidecar.post(CLASSIC, b'{"n":1}', X_Forwarded_For="1.2.3.4"))
    assert unread(sidecar) == {"forbidden": 1}


@pytest.mark.parametrize(
    "body",
    [b"no json", b'{"n":', b'{"a":' * 201 + b"1" + b"}" * 201, b"5", b"[5]", b'{"n":NaN}', b"", b"\xef\xbb\xbf{}"],
)
async def test_what_is_no_json_is_a_malformed_event_of_the_stream(sidecar: Sidecar, log: Log, body: bytes) -> None:
    for _ in range(3):
        check(await sidecar.post(CLASSIC, body))
    events = await sidecar.events("ids=d&status=error")
    assert [event.get("malformed", "") for event in events] == [body.decode()] * 3
    assert all(event["error"] for event in events)
    assert len([line for line in log.lines if FAULT in line]) == 1
    assert log.faults == []


@pytest.mark.parametrize(
    ("path", "body", "count"),
    [
        ("/ingest/jitsu-webhook", b'{"n":1}', 1),
        ("/ingest/jitsu2", b"[{},{},{}]", 3),
        ("/ingest/jitsu2", b"no json", 1),
        (CLASSIC, b'{"original":{},"orror":""}', 1),
        ("/ingest/jitsu2", b"[" + b"{}," * 200 + b'{"original":{}}]', 201),
    ],
)
async def test_what_is_of_no_stream_or_invalid_is_rejected(
    sidecar: Sidecar, log: Log, path: str, body: bytes, count: int
) -> None:
    check(await sidecar.post(path, body))
    ledger = sidecar.cache.ledger
    assert (ledger.received, ledger.rejected) == (count, count)
    assert len([line for line in log.lines if FAULT in line]) == 1


@pytest.mark.parametrize("query", ["destination_id=%00", "actor_id=a,b", "actor_id=" + "x" * 513, "actor_id=%ff"])
async def test_an_id_that_is_not_usable_is_rejected(sidecar: Sidecar, query: str) -> None:
    check(await sidecar.post(f"/ingest/jitsu2?{query}", b'{"n":1}'))
    assert unread(sidecar) == {"invalid_parameter": 1}


async def test_a_body_over_a_bound_is_read_and_rejected(start: Start) -> None:
    sidecar = await start(max_body_bytes=200_000)
    answer = await sidecar.post(CLASSIC, b" " * 300_000)
    check(answer)
    assert "Connection" not in answer.headers
    assert unread(sidecar) == {"body_too_large": 1}


async def test_a_body_that_breaks_off_is_answered(start: Start, log: Log) -> None:
    sidecar = await start(body_timeout_ms=100)
    request = f'POST {CLASSIC} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{{"n":1}}'
    answer = await sidecar.raw(request.encode())
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b'{"status":"ok"}')
    assert unread(sidecar) == {"body_timeout": 1}
    assert log.faults == []
