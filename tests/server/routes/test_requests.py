"""Requests as Jitsu takes them on the ingestion routes, and what every route has in common."""

import json
from typing import Any

import msgpack
import pytest

from eventscache.access.api_keys import ApiKey, KeyList
from eventscache.server.http.parameters import pairs_as_in_go
from eventscache.server.routes import bulk, ingestion, jitsu2_ingestion, jitsu2_pixel, jitsu2_settings, pixel, segment
from eventscache.server.routing import ROUTES
from tests.support.openapi_check import operations, path_with_examples
from tests.support.sidecar import CACHE, Sidecar, Start
from tests.support.wire import CLOSE, HOST, LENGTH, get, post, replies

CLIENT_PATHS = ("/api/v1/event", "/api/v1/events", "/api.k3j9x2")
INGESTION = {path for module in (ingestion, segment, bulk, pixel) for _, path, _ in module.ROUTES}
SERVER_PATHS = ("/api/v1/s2s/event", "/api/v1/s2s/event/", "/api/v1/s2s/events")
JITSU2_PATHS = {path for module in (jitsu2_ingestion, jitsu2_pixel, jitsu2_settings) for _, path, _ in module.ROUTES}
KEYS = KeyList((ApiKey("site", "js", "s2s", ("shop.example",)),))
PAGE = "https://shop.example:8443"
EVENT = b'{"a":1}'

ODD_PARAMETERS = [
    "ref=100%", "x=%E4", "x=%zz", "x=%", "%=1", "%ff=%fe", "x=%ed%a0%80", "x=%00", "=", "&&", "a;b=c;d", "x=a;token=b",
    "utm=50%25%", "x=" + "%" * 500, "+", "x=%u00e9", "p_=%", "p_x=%zz", "x=" + "y" * 4000,
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD_PARAMETERS)
async def test_an_odd_parameter_that_nobody_asks_for_disturbs_nothing(start: Start, odd: str) -> None:
    sidecar = await start(api_keys=KEYS)
    for query in (f"token=js&{odd}", f"{odd}&token=js", f"{odd}&token=js&{odd}"):
        assert (await sidecar.post(f"/api/v1/event?{query}", EVENT)).status == 200, query
    assert (await sidecar.post(f"/api/v1/event?{odd}", EVENT, X_Auth_Token="js")).status == 200
    assert (await sidecar.post(f"/api/v1/s2s/event?{odd}", EVENT, Authorization="Basic czJzOg==")).status == 200
    assert (await sidecar.get(f"{CACHE}?{odd}&ids=a&namespace=token")).status == 200
    assert (await sidecar.get(f"/api/v1/streams?{odd}&namespace=token")).status == 200
    assert (await sidecar.record(b'{"original":{}}', f"{odd}&id=d&ack=stored")).status == 200
    assert len(await sidecar.events("namespace=token&ids=site")) == 5


async def test_a_token_that_cannot_be_read_is_none_and_the_next_place_counts(start: Start) -> None:
    sidecar = await start(api_keys=KEYS)
    for query in ("token=%zz", "token=js%", "token=a;b", "token=%E4", "token", "token=", "x=1"):
        answer = await sidecar.post(f"/api/v1/event?{query}", EVENT)
        assert (answer.status, answer.json["code"]) == (401, "unknown_token"), query
        assert answer.json["message"].startswith("The token is not found"), query
    none = (await sidecar.post("/api/v1/event", EVENT)).json["message"]
    assert "X-Auth-Token" in none
    assert "?token=" in none
    for query in ("token=%zz&token=js", "token=js%", "token=&p_x=js"):
        assert (await sidecar.post(f"/api/v1/event?{query}", EVENT, X_Auth_Token="js")).status == 200, query


def test_a_query_is_split_as_go_splits_it() -> None:
    raw = "a=1&b=%zz&%zz=1&c=%E4&d;e=1&f=1;2&&g&=h&i=a+b%26&j=1=2"
    pairs = [("a", "1"), ("c", "\udce4"), ("g", ""), ("", "h"), ("i", "a b&"), ("j", "1=2")]
    assert list(pairs_as_in_go(raw)) == pairs


async def test_a_control_in_a_target_is_refused_in_words_and_counted(start: Start) -> None:
    sidecar = await start(api_keys=KEYS)
    for target in (b"/api/v1/event?token=js\x7f", b"/api/v1/event?token=js&x=\x01", b"/\x1f"):
        (reply,) = replies(await sidecar.raw(b"POST " + target + b" HTTP/1.1\r\n" + HOST + LENGTH + b"\r\n" + EVENT))
        assert reply.status == 400
        assert "must be escaped; write it as % and two hexadecimal digits" in json.loads(reply.body)["message"]
    assert (sidecar.cache.ledger.received, sidecar.cache.ledger.rejected) == (3, 3)


@pytest.mark.parametrize(
    "headers",
    [
        b"Cookie: " + b"x" * 8300 + b"\r\n",
        b"x" * 8200 + b": a\r\n",
        b"".join(b"Cookie-%d: a\r\n" % number for number in range(300)),
    ],
)
async def test_a_head_that_is_too_long_is_a_431_and_counted(start: Start, headers: bytes) -> None:
    sidecar = await start(api_keys=KEYS)
    head = b"POST /api/v1/event?token=js HTTP/1.1\r\n" + HOST
    for packets in ([head + headers + LENGTH + b"\r\n" + EVENT], [head, headers + LENGTH + b"\r\n" + EVENT]):
        (reply,) = replies(await sidecar.raw(b"".join(packets)))
        assert (reply.status, json.loads(reply.body)["code"]) == (431, "head_too_long")
    long = await sidecar.raw(get(b"/livez?" + b"x" * 25_000))
    assert [reply.status for reply in replies(long)] == [431]
    assert sidecar.cache.ledger.rejected == 3
    assert sidecar.cache.ledger.balanced
    metrics = (await sidecar.get("/metrics")).body
    assert b"eventscache_events_rejected_total 3.0\n" in metrics


async def test_events_for_a_path_or_method_that_takes_none_are_counted(start: Start) -> None:
    sidecar = await start()
    for method, path, status in (
        ("POST", "/api/v1/evnt?token=a", 404),
        ("PUT", "/api/v1/event?token=a", 405),
        ("POST", "/livez", 405),
        ("PATCH", CACHE, 405),
    ):
        assert (await sidecar.ask(method, path, EVENT)).status == status
    assert (sidecar.cache.ledger.received, sidecar.cache.ledger.rejected) == (4, 4)
    for method, path in (("GET", "/favicon.ico"), ("GET", "/api/v1/event"), ("HEAD", "/x"), ("OPTIONS", CACHE)):
        assert (await sidecar.ask(method, path)).status in {404, 405}
    assert sidecar.cache.ledger.received == 4


@pytest.mark.parametrize("path", [*CLIENT_PATHS, *SERVER_PATHS])
async def test_options_is_answered_on_every_ingestion_path(start: Start, path: str) -> None:
    sidecar = await start(api_keys=KEYS, admin_tokens=("admin",))
    for query in ("", "?token=js", "?token=unknown", "?token=%zz"):
        for headers in ({}, {"Origin": PAGE}, {"Origin": PAGE, "Access_Control_Request_Method": "POST"}):
            answer = await sidecar.ask("OPTIONS", path + query, **headers)
            assert (answer.status, answer.body) == (200, b"")
            allowed = answer.headers.get("Access-Control-Allow-Origin")
            assert allowed == (PAGE if headers and path in CLIENT_PATHS else None)
            assert ("Access-Control-Allow-Methods" in answer.headers) == (allowed is not None)
    refused = await sidecar.ask("OPTIONS", f"{path}?token=js", Origin="https://evil.example")
    assert (refused.status, "Access-Control-Allow-Origin" in refused.headers) == (200, False)


@pytest.mark.parametrize("path", CLIENT_PATHS)
async def test_a_page_can_read_every_error(start: Start, path: str) -> None:
    sidecar = await start(api_keys=KEYS, max_body_bytes=100, max_batch=2)
    cases: list[tuple[str, str, bytes, dict[str, str], int]] = [
        ("POST", "token=js", b"x", {}, 400),
        ("POST", "token=js", b"", {}, 400),
        ("POST", "token=unknown", EVENT, {}, 401),
        ("POST", "token=%zz", EVENT, {}, 401),
        ("POST", "", EVENT, {}, 401),
        ("POST", "token=s2s", EVENT, {}, 401),
        ("POST", "token=js", b"x" * 101, {}, 413),
        ("POST", "token=js", b"[{},{},{}]", {}, 413),
        ("POST", "token=js", EVENT, {"Content_Encoding": "br"}, 415),
        ("POST", "token=js", EVENT, {"Content_Encoding": "gzip"}, 400),
        ("GET", "token=js", b"", {}, 405),
        ("PUT", "token=js", EVENT, {}, 405),
    ]
    for method, query, body, headers, status in cases:
        answer = await sidecar.ask(method, f"{path}?{query}", body or None, **{**headers, "Origin": PAGE})
        assert (answer.status, answer.headers.get("Access-Control-Allow-Origin")) == (status, PAGE), (query, answer)
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        assert answer.headers["Vary"] == "Origin"
    evil = await sidecar.ask("POST", f"{path}?token=js", b"x", Origin="https://evil.example")
    assert (evil.status, "Access-Control-Allow-Origin" in evil.headers) == (400, False)


NEEDED = {"/api/v1/lookup": "?event_id=x"}
READS = [
    path_with_examples(path, operation) + NEEDED.get(path, "")
    for method, path, operation in operations()
    if method == "GET"
]


@pytest.mark.parametrize("path", [*READS, "/ui/", "/"])
async def test_head_is_answered_wherever_get_is(start: Start, path: str) -> None:
    sidecar = await start()
    answer = await sidecar.ask("HEAD", path)
    expected = 302 if path == "/" else 204 if path.startswith("/mirror/") else 200
    assert (answer.status, answer.body) == (expected, b"")
    if not path.endswith("/stream"):
        got = await sidecar.get(path)
        for name in ("Content-Type", "Content-Length", "Cross-Origin-Resource-Policy"):
            if path not in {"/metrics", "/"} or name != "Content-Length":
                assert answer.headers.get(name) == got.headers.get(name), name


async def test_head_of_a_large_answer_and_of_an_error_has_no_body(start: Start) -> None:
    sidecar = await start(admin_tokens=("admin",))
    for stream in "abc":
        assert (
            await sidecar.record(b'{"original":{}}', f"id={stream}&ack=stored", X_Admin_Token="admin")
        ).status == 200
    for query, token, status in (("", "admin", 200), ("?limit=0", "admin", 400), ("", "wrong", 401)):
        head = get(f"{CACHE}{query}".encode(), f"X-Admin-Token: {token}\r\n".encode(), method=b"HEAD")
        answer = await sidecar.raw(head + get(b"/ping"))
        first, _, rest = answer.partition(b"\r\n\r\n")
        assert first.startswith(b"HTTP/1.1 %d " % status)
        assert rest.startswith(b"HTTP/1.1 200 OK\r\n")
        assert rest.endswith(b"\r\n\r\npong")
    allowed = (await sidecar.ask("PUT", CACHE)).headers["Allow"]
    assert allowed == "GET, POST, DELETE, HEAD"


async def test_a_target_may_be_a_whole_url(start: Start) -> None:
    sidecar = await start(api_keys=KEYS, admin_tokens=("admin",))
    for prefix in (b"http://127.0.0.1:8095", b"HTTPS://any.example", b"http://[::1]:1"):
        for query in (b"?token=js", b"?x=%zz&token=js"):
            sent = post(CLOSE + LENGTH).replace(b"/api/v1/event?token=key", prefix + b"/api/v1/event" + query)
            assert [reply.status for reply in replies(await sidecar.raw(sent))] == [200]
        read = get(prefix + f"{CACHE}?namespace=token&ids=site".encode(), CLOSE + b"X-Admin-Token: admin\r\n")
        (reply,) = replies(await sidecar.raw(read))
        assert json.loads(reply.body)["response_events"] > 0
        for target, status in ((prefix, 302), (prefix + b"?x", 302), (prefix + b"/nothing", 404)):
            assert [reply.status for reply in replies(await sidecar.raw(get(target)))] == [status]
        options = get(prefix + b"/api/v1/event", CLOSE, method=b"OPTIONS")
        assert [reply.status for reply in replies(await sidecar.raw(options))] == [200]
    page = post(CLOSE + LENGTH + b"Origin: https://shop.example\r\n").replace(
        b"/api/v1/event?token=key", b"http://a/api/v1/event"
    )
    (reply,) = replies(await sidecar.raw(page))
    assert (reply.status, reply.headers["Access-Control-Allow-Origin"]) == (401, "https://shop.example")
    for target in (b"ftp://a/livez", b"http://user:pw@a/livez", b"//a/livez"):
        assert [reply.status for reply in replies(await sidecar.raw(get(target)))] == [404]


async def test_every_answer_says_which_sites_may_use_it(start: Start) -> None:
    sidecar = await start()
    for method, path in [(method, path) for method, path, _ in ROUTES] + [("GET", "/nothing"), ("PUT", CACHE)]:
        answer = await sidecar.ask("HEAD" if path.endswith("/stream") else method, path)
        expected = "cross-origin" if path in INGESTION | JITSU2_PATHS else "same-origin"
        assert answer.headers["Cross-Origin-Resource-Policy"] == expected, path
    for path in ("/", "/ui", "/ui/", "/livez?" + "x" * 9000):
        assert (await sidecar.get(path)).headers["Cross-Origin-Resource-Policy"] == "same-origin"
    for path in CLIENT_PATHS:
        taken = await sidecar.post(f"{path}?token=t", EVENT)
        assert (taken.status, taken.headers["Cross-Origin-Resource-Policy"]) == (200, "cross-origin")


MISSPELT = (
    "destination_ids",
    "ids[]",
    "IDS",
    "Ids",
    "ids%5B%5D",
    "ids[0]",
    "id",
    "token_ids",
    "destination_id",
    "idss",
)


@pytest.mark.parametrize("name", MISSPELT)
async def test_a_read_that_names_ids_otherwise_is_a_400_that_names_ids(start: Start, name: str) -> None:
    sidecar = await start()
    for path in (CACHE, "/api/v1/events/stream"):
        for query in (f"{name}=a", f"ids=a&{name}=b", f"status=error&{name}"):
            answer = await sidecar.ask("GET", f"{path}?{query}")
            assert (answer.status, answer.json["code"]) == (400, "invalid_parameter")
            assert "name streams by ids" in answer.json["message"]


async def test_a_read_ignores_parameters_of_others(start: Start) -> None:
    sidecar = await start()
    for query in ("project_id=p&limit=500&namespace=&ids=P.uid&status=", "uid=1&sid=2&token=x&_=3&kind=a", "hideous=1"):
        assert (await sidecar.get(f"{CACHE}?{query}")).status == 200, query


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("ids=a&resett=limiter", "did you mean reset?"),
        ("ids=a&scopes=x", "did you mean scope?"),
        ("ids=a&group=x", "known are namespace, ids, all, reset, scope"),
        ("all=true&nmespace=token", "did you mean namespace?"),
        ("all=true&Namespace=token", "did you mean namespace?"),
        ("ids[]=a&all=true", "did you mean ids?"),
        ("destination_ids=a&all=true", "did you mean ids?"),
        ("all=true&id=a", "did you mean ids?"),
        ("all=true&status=error", "known are"),
        ("all=true&%zz=1", "known are"),
        ("all=true&=a", "known are"),
        ("all=true&" + "x" * 5000, "known are"),
    ],
)
async def test_clearing_with_an_unknown_parameter_clears_nothing(start: Start, query: str, hint: str) -> None:
    sidecar = await start()
    await sidecar.record(b'{"original":{}}', "id=a&ack=stored")
    answer = await sidecar.ask("DELETE", f"{CACHE}?{query}")
    assert (answer.status, answer.json["code"]) == (400, "invalid_parameter")
    assert hint in answer.json["message"]
    assert len(answer.json["message"]) < 300
    assert len(await sidecar.events("ids=a")) == 1


async def test_clearing_takes_jitsus_token_in_the_query(start: Start) -> None:
    sidecar = await start(admin_tokens=("admin",), admin_token_in_query=True)
    assert (await sidecar.ask("DELETE", f"{CACHE}?ids=a&token=admin")).json == {"status": "ok", "cleared": 0}


UNKNOWN_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"eror": "x"}, "unknown field eror; did you mean error?"),
    ({"ERROR": "x"}, "unknown field ERROR; did you mean error?"),
    ({"destinationId": "x"}, "unknown field destinationId; did you mean destination_id?"),
    ({"attempts": 1}, "unknown field attempts; did you mean attempt?"),
    ({"": 1}, "unknown field ; known are original, "),
    ({"namespace": "token"}, "unknown field namespace; known are original, "),
    ({"x" * 5000: 1}, "unknown field " + "x" * 100 + "; known are original, "),
    ({"response": {"code": 1}}, "unknown field response.code; known are status, body"),
    ({"response": {"statuss": 1}}, "unknown field response.statuss; did you mean status?"),
    ({"a` - at `$.response": 1}, "unknown field "),
]


@pytest.mark.parametrize(("fields", "told"), UNKNOWN_FIELDS)
@pytest.mark.parametrize("kind", ["json", "x-ndjson", "msgpack", "one"])
async def test_an_unknown_field_is_told_by_index_and_name(
    start: Start, fields: dict[str, Any], told: str, kind: str
) -> None:
    sidecar = await start()
    good = {"original": {"n": 1}}
    records = [good, {**good, **fields}, good]
    body = {
        "json": json.dumps(records).encode(),
        "x-ndjson": "\n".join(map(json.dumps, records)).encode(),
        "msgpack": msgpack.packb(records),
        "one": json.dumps(records[1]).encode(),
    }[kind]
    content_type = "application/" + ("json" if kind == "one" else kind)
    answer = await sidecar.record(body, "id=d&ack=stored", Content_Type=content_type)
    (error,) = answer.json["errors"]
    assert error["message"].startswith(told)
    assert (answer.status, error["index"]) == ((400, 0) if kind == "one" else (200, 1))
    assert len(await sidecar.events("ids=d")) == (0 if kind == "one" else 2)
    assert sidecar.cache.ledger.rejected == 1
    assert sidecar.cache.ledger.balanced


async def test_attempt_and_response_are_stored_and_returned_and_found(sidecar: Sidecar) -> None:
    text = "b\u00fcsy" * 5000
    record = {"original": {}, "error": "no", "attempt": 2, "response": {"status": 503, "body": text}}
    for body, kind in ((json.dumps(record).encode(), "json"), (msgpack.packb([record]), "msgpack")):
        answer = await sidecar.record(body, "id=d&ack=stored", Content_Type=f"application/{kind}")
        assert answer.json["stored"] == 1, answer
    (one, two) = await sidecar.events("ids=d&status=error&q=b%C3%BCsy")
    for event in (one, two):
        assert event["attempt"] == 2
        assert event["response"]["status"] == 503
        assert len(event["response"]["body"].encode()) == 10_000
        assert text.startswith(event["response"]["body"])
    again = await sidecar.record(json.dumps([one, two]).encode(), "ack=stored")
    assert again.json["stored"] == 2
    kept = (await sidecar.events("ids=d"))[0]
    assert {**kept, "seq": 0} == {**two, "seq": 0}


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"attempt": 0}, {"attempt": 0}),
        ({"attempt": 3.0}, {"attempt": 3}),
        ({"attempt": None, "response": None}, {}),
        ({"response": {}}, {}),
        ({"response": {"status": None, "body": ""}}, {}),
        ({"response": {"status": 204}}, {"response": {"status": 204}}),
        ({"response": {"body": "x"}}, {"response": {"body": "x"}}),
        ({"attempt": "2"}, "$.attempt"),
        ({"attempt": -1}, "$.attempt"),
        ({"attempt": 1.5}, "attempt is not a whole number"),
        ({"attempt": 10**30}, "$.attempt"),
        ({"attempt": True}, "$.attempt"),
        ({"attempt": [1]}, "$.attempt"),
        ({"response": "503"}, "$.response"),
        ({"response": 503}, "$.response"),
        ({"response": {"status": "503"}}, "$.response.status"),
        ({"response": {"status": 1000}}, "$.response.status"),
        ({"response": {"status": 200.5}}, "response.status is not a whole number"),
        ({"response": {"body": {"a": 1}}}, "$.response.body"),
    ],
)
async def test_attempt_and_response_are_checked(start: Start, fields: dict[str, Any], kept: Any) -> None:
    sidecar = await start()
    for body in ({"original": {}, **fields}, [{"original": {}, **fields}]):
        answer = await sidecar.record(json.dumps(body).encode(), "id=d&ack=stored")
        if isinstance(kept, str):
            assert answer.status == 400
            assert kept in answer.json["errors"][0]["message"]
        else:
            event = (await sidecar.events("ids=d"))[0]
            assert {name: event[name] for name in ("attempt", "response") if name in event} == kept
            assert type(event.get("attempt", 0)) is int
