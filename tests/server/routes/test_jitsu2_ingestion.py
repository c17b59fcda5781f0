"""Jitsu 2's ingestion routes, and the default paths of Segment's libraries."""

import base64
import gzip
import json
from typing import Any

import pytest

from eventscache.access.api_keys import ApiKey, KeyList
from eventscache.server.routes import jitsu2_ingestion
from tests.support.sidecar import CACHE, Log, Sidecar, Start

TRACK = b'{"type":"track","event":"x","n":1.10}'
BATCH = b'{"batch":[' + TRACK + b',{"type":"page"}],"sentAt":"now"}'
TAKEN = {"ok": True, "receivedEvents": 2, "okEvents": 2}
KEYS = KeyList(
    (ApiKey("site", "js", "s2s", ("shop.example",)), ApiKey("whole", "key:secret"), ApiKey("both", "x", "x"))
)
PATHS = sorted({path for _, path, _ in jitsu2_ingestion.ROUTES})
BATCH_PATHS = ("/v1/batch", "/v1/b", "/v1/batch/b", "/batch", "/b", "/batch/b")
TYPES = ("track", "page", "identify", "group", "screen", "alias")
SEGMENT_PATHS = (
    *(f"/v1/{name}" for name in TYPES),
    *(f"{start}/{letter}" for start in ("", "/v1") for letter in "tpigsa"),
)


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


async def ids(sidecar: Sidecar) -> list[str]:
    streams = (await sidecar.get("/api/v1/streams?namespace=token")).json["streams"]
    return sorted(stream["id"] for stream in streams)


@pytest.mark.parametrize("path", ["/api/s/track", "/api/s/t", "/api/s/event", "/api/s/s2s/track", *SEGMENT_PATHS])
@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
async def test_every_route_takes_an_event(sidecar: Sidecar, path: str, content_type: str) -> None:
    answer = await sidecar.post(path, TRACK, X_Write_Key="key", Content_Type=content_type)
    assert (answer.status, answer.json) == (200, {"ok": True})
    answer = await sidecar.get(f"{CACHE}?namespace=token&ids=key")
    assert b'"original":' + TRACK + b',"timestamp"' in answer.body
    (event,) = answer.json["events"]
    assert set(event) == {"original", "timestamp", "uid", "token_id", "destination_id", "seq"}


@pytest.mark.parametrize("path", ["/api/s/s2s/batch", *BATCH_PATHS])
async def test_every_route_takes_a_batch_zipped_or_not(sidecar: Sidecar, path: str) -> None:
    assert (await sidecar.post(path, BATCH, X_Write_Key="key")).json == TAKEN
    zipped = await sidecar.post(path, gzip.compress(BATCH), X_Write_Key="key", Content_Encoding="gzip")
    assert zipped.json == TAKEN
    originals = [event["original"] for event in await sidecar.events("namespace=token&ids=key")]
    assert originals == [{"type": "page"}, json.loads(TRACK)] * 2
    broken = await sidecar.post(path, BATCH, X_Write_Key="key", Content_Encoding="gzip")
    assert (broken.status, broken.json["code"]) == (400, "invalid_gzip")
    assert sidecar.cache.ledger.rejected == 1


async def test_an_event_that_jitsu_refuses_is_kept_with_its_error(sidecar: Sidecar) -> None:
    body = b'{"batch":[{"type":"page"},{"type":"track","messageId":"m"},{}],"writeKey":"key"}'
    fault = "event error: 'event' property is required for 'track' event"
    answer = await sidecar.post("/v1/batch", body)
    errors = [f"Message ID: m: {fault}", "Event 2: event error: type property of event is required"]
    assert answer.status == 200
    assert answer.json == {"ok": False, "receivedEvents": 3, "okEvents": 1, "errors": errors}
    events = await sidecar.events("namespace=token&ids=key&status=error")
    assert [event["original"] for event in events] == [{}, {"type": "track", "messageId": "m"}]
    assert events[1]["error"] == fault
    for path, status in (("/api/s/track", 200), ("/api/s/s2s/track", 400), ("/v1/track", 400)):
        refused = await sidecar.post(path, b"{}", X_Write_Key="key")
        told = {"message": fault, "error": "", "code": "malformed_body", "ok": False}
        assert (refused.status, refused.json) == (status, told)
    assert len(await sidecar.events("namespace=token&ids=key")) == 6
    assert sidecar.cache.ledger.rejected == 0


async def test_no_answer_is_much_larger_than_its_batch(sidecar: Sidecar) -> None:
    body = b'{"batch":[' + b",".join([b"{}"] * 1000) + b'],"writeKey":"key"}'
    answer = (await sidecar.post("/b", body)).json
    assert (answer["receivedEvents"], answer["okEvents"], len(answer["errors"])) == (1000, 0, 100)
    assert (await sidecar.get(f"{CACHE}?namespace=token&ids=key")).json["last_minute_limited"] == 900


async def test_a_batch_without_events_is_no_error(sidecar: Sidecar) -> None:
    for body in (b"{}", b'{"batch":[]}', b'{"batch":null}'):
        answer = await sidecar.post("/v1/batch?writekey=key", body)
        assert answer.json == {"ok": True, "receivedEvents": 0, "okEvents": 0}


async def test_the_key_is_looked_for_where_jitsu_2_does_and_in_its_order(start: Start) -> None:
    sidecar = await start()
    places: list[tuple[str, dict[str, str]]] = [
        ("", {"Authorization": basic("a:")}),
        ("", {"Authorization": basic("b")}),
        ("", {"Authorization": basic("c:secret")}),
        ("", {"Authorization": basic("d").removeprefix("Basic ")}),
        ("?writekey=x", {"Authorization": "Bearer j:secret"}),
        ("", {"Authorization": "bearer k"}),
        ("?writekey=x", {"Authorization": basic("e:"), "X_Write_Key": "x"}),
        ("?writekey=x", {"X_Write_Key": "f"}),
        ("?writekey=g", {}),
        ("?a=%zz&%77ritekey=h", {}),
        ("?writekey=", {"X_Write_Key": "i:secret"}),
    ]
    for query, headers in places:
        assert (await sidecar.post(f"/api/s/page{query}", b"{}", **headers)).json == {"ok": True}, (query, headers)
        batch = await sidecar.post(f"/v1/batch{query}", b'{"batch":[],"writeKey":"x"}', **headers)
        assert batch.json["ok"]
    assert await ids(sidecar) == ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"]


async def test_the_body_names_the_key_of_batches_and_of_segments_events_only(start: Start) -> None:
    sidecar = await start()
    event = b'{"event":"x","writeKey":"key:secret"}'
    for path in SEGMENT_PATHS:
        assert (await sidecar.post(path, event)).json == {"ok": True}
    for path in ("/api/s/s2s/batch", *BATCH_PATHS):
        assert (await sidecar.post(path, b'{"batch":[{"type":"page"}],"writeKey":"key:secret"}')).json["ok"]
    for path, status in (("/api/s/track", 200), ("/api/s/s2s/track", 401)):
        answer = await sidecar.post(path, event)
        assert (answer.status, answer.json["code"]) == (status, "unknown_token")
        assert "X-Write-Key" in answer.json["message"]
    assert await ids(sidecar) == ["key"]
    assert len(await sidecar.events("namespace=token")) == len(SEGMENT_PATHS) + 1 + len(BATCH_PATHS)


@pytest.mark.parametrize(
    ("key", "page", "server", "either"),
    [
        ("js", "site", "", "site"),
        ("s2s", "", "site", "site"),
        ("site:js", "site", "site", "site"),
        ("any:s2s", "site", "site", "site"),
        ("any:s2s:more", "site", "site", "site"),
        ("key:secret", "whole", "whole", "whole"),
        ("x", "both", "both", "both"),
        ("secret", "", "", ""),
        ("site", "", "", ""),
        ("site:wrong", "", "", ""),
        ("site:", "", "", ""),
        (":js", "", "", ""),
    ],
)
async def test_api_keys_decide(start: Start, key: str, page: str, server: str, either: str) -> None:
    sidecar = await start(api_keys=KEYS)
    tokens: set[str] = set()
    batch = b'{"batch":[{"type":"page"}]}'
    for path, body, expected in (
        ("/api/s/page", b"{}", page),
        ("/api/s/s2s/page", b"{}", server),
        ("/api/s/s2s/batch", batch, server),
        ("/v1/batch", batch, either),
        ("/v1/page", b"{}", either),
    ):
        answer = await sidecar.post(path, body, X_Write_Key=key)
        if expected:
            assert answer.json["ok"], (path, answer)
            tokens.add(expected)
        else:
            assert answer.status == (200 if path == "/api/s/page" else 401)
            assert answer.json["code"] in {"unknown_token", "wrong_token_type"}
    assert await ids(sidecar) == sorted(tokens)
    assert sidecar.cache.ledger.balanced


async def test_a_server_with_a_key_of_its_own_gets_real_statuses_everywhere(start: Start) -> None:
    sidecar = await start(api_keys=KEYS)
    for key, status in (("site:s2s", 400), ("site:js", 200)):
        for body in (b"[]", b"{}"):
            assert (await sidecar.post("/api/s/track", body, X_Write_Key=key)).status == status


async def test_a_wrong_kind_of_key_is_told(start: Start) -> None:
    sidecar = await start(api_keys=KEYS)
    page = await sidecar.post("/api/s/page", b"{}", X_Write_Key="s2s")
    assert page.json["message"] == "The write key is a server secret, and this route needs a client secret"
    server = await sidecar.post("/api/s/s2s/page", b"{}", X_Write_Key="js")
    assert server.json["message"] == "The write key is a client secret, and this route needs a server secret"


async def test_the_secret_of_a_key_is_nowhere(start: Start, log: Log) -> None:
    sidecar = await start(access_log=True)
    key = {"X_Write_Key": "id:s3cr3t"}
    event = b'{"type":"page","writeKey":"id:s3cr3t","a":{"writeKey":"id:s3cr3t"}}'
    batch = b'{"writeKey":"id:s3cr3t","batch":[' + event + b"]}"
    answers = [
        await sidecar.post("/api/s/page", event, **key),
        await sidecar.post("/api/s/page?writekey=id:s3cr3t", event),
        await sidecar.post("/api/s/page", event + b"x", **key),
        await sidecar.post("/api/s/zz", event, **key),
        await sidecar.post("/v1/batch", batch),
        await sidecar.post("/v1/batch", batch[:-1]),
        await sidecar.post("/v1/batch", batch[:-1], **key),
        await sidecar.post("/p", event, Authorization=basic("id:s3cr3t")),
        await sidecar.get("/v1/projects/id:s3cr3t/settings"),
        await sidecar.get("/v1/projects/id%3As3cr3t/settings"),
        await sidecar.get("/api/px/page?writekey=id:s3cr3t&writeKey=id:s3cr3t&writeKey=id:s3cr3t"),
        await sidecar.get("/api/px/page?writekey=:s3cr3t"),
    ]
    answers += [await sidecar.get(f"{CACHE}?namespace=token{query}") for query in ("", "&status=error", "&q=s3cr3t")]
    answers += [await sidecar.get("/api/v1/streams?namespace=token"), await sidecar.get("/metrics")]
    assert not any(b"s3cr3t" in answer.body or "s3cr3t" in str(answer.headers) for answer in answers)
    assert not any("s3cr3t" in line for line in log.lines)
    assert await ids(sidecar) == ["id"]
    assert len(await sidecar.events("namespace=token&ids=id")) == 8


@pytest.mark.parametrize("path", PATHS)
async def test_every_page_may_send_and_read_every_answer(start: Start, path: str) -> None:
    sidecar = await start(api_keys=KEYS)
    page = "https://other.example"
    asked = await sidecar.ask("OPTIONS", path, Origin=page, Access_Control_Request_Headers="authorization")
    assert (asked.status, asked.body) == (200, b"")
    assert asked.headers["Access-Control-Allow-Origin"] == page
    assert asked.headers["Access-Control-Allow-Methods"] == "GET,POST,HEAD,OPTIONS"
    assert {"authorization", "x-write-key", "content-type", "x-retry-count"} <= {
        *asked.headers["Access-Control-Allow-Headers"].split(", ")
    }
    assert asked.headers["Access-Control-Max-Age"] == "86400"
    assert (await sidecar.ask("OPTIONS", path)).headers["Access-Control-Allow-Origin"] == "*"
    for method, body, headers in (
        ("POST", TRACK, {"X_Write_Key": "site:s2s"}),
        ("POST", TRACK, {"X_Write_Key": "wrong"}),
        ("POST", b"x", {"X_Write_Key": "site:s2s"}),
        ("POST", TRACK, {"X_Write_Key": "site:s2s", "Content_Encoding": "br"}),
        ("PUT", TRACK, {}),
    ):
        answer = await sidecar.ask(method, path, body, Origin=page, **headers)
        assert answer.headers["Access-Control-Allow-Origin"] == page, (method, headers, answer)
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


async def test_a_body_that_is_too_large_has_its_own_status_for_pages_too(start: Start) -> None:
    sidecar = await start(max_body_bytes=100, max_batch=1)
    assert (await sidecar.post("/api/s/page?writekey=key", b"x" * 101)).status == 413
    assert (await sidecar.post("/b?writekey=key", b'{"batch":[{},{}]}')).status == 413
    assert (await sidecar.post("/api/s/%zz?writekey=key", b"{}")).status == 400
    assert sidecar.cache.ledger.rejected == 3


async def test_off_loopback_without_keys_ingestion_is_closed(start: Start) -> None:
    sidecar = await start(host="0.0.0.0", admin_tokens=("admin",))
    for path, status in (("/api/s/page", 200), ("/api/s/s2s/page", 401), ("/v1/page", 401)):
        answer = await sidecar.post(path, b"{}", X_Write_Key="key")
        assert (answer.status, answer.json["code"]) == (status, "ingestion_closed")


async def test_a_full_queue_and_a_limit_change_no_answer(start: Start) -> None:
    full = await start(queue_bytes=1)
    assert (await full.post("/api/s/page?writekey=key", b"{}")).json == {"ok": True}
    assert (await full.post("/v1/batch?writekey=key", BATCH)).json == TAKEN
    assert full.cache.ledger.dropped["queue_full"] == 3
    limited = await start(size=1)
    for _ in range(3):
        assert (await limited.post("/v1/batch?writekey=key", BATCH)).json == TAKEN


async def test_segments_client_for_python_finds_code_and_message(start: Start) -> None:
    sidecar = await start(api_keys=KEYS)
    body = gzip.compress(BATCH)
    for key, status in (("s2s", 200), ("wrong", 401)):
        answer = await sidecar.post("/v1/batch", body, Authorization=basic(f"{key}:"), Content_Encoding="gzip")
        assert answer.status == status
        if status == 401:
            payload: dict[str, Any] = answer.json
            assert (payload["code"], payload["message"]) == ("unknown_token", "The write key is not found")


async def test_analytics_next_finds_its_settings_and_sends_text(start: Start) -> None:
    sidecar = await start(api_keys=KEYS)
    page = {"Origin": "https://shop.example"}
    for method in ("GET", "POST"):
        settings = await sidecar.ask(method, "/v1/projects/js/settings", **page)
        assert settings.json["integrations"]["Segment.io"]["apiKey"] == "js"
        assert settings.headers["Access-Control-Allow-Origin"] == page["Origin"]
    assert (await sidecar.ask("OPTIONS", "/v1/projects/js/settings", **page)).status == 200
    assert (await sidecar.get("/v1/projects/%zz/settings")).status == 400
    for key in ("", ":", ":secret", "%3Asecret"):
        assert (await sidecar.get(f"/v1/projects/{key}/settings")).status == 404
    for letter in "tpigsa":
        event = b'{"event":"x","writeKey":"js"}'
        sent = await sidecar.post(f"/{letter}", event, **page, Content_Type="text/plain", Authorization=basic("js:"))
        assert sent.json == {"ok": True}
    assert len(await sidecar.events("namespace=token&ids=site")) == 6


async def test_exact_paths_are_found_before_templates(sidecar: Sidecar) -> None:
    assert (await sidecar.post("/api/s/s2s/batch?writekey=key", BATCH)).json == TAKEN
    for path in ("/api/s/", "/api/s/a/b", "/v1/nothing", "/x", "/v1/"):
        assert (await sidecar.post(f"{path}?writekey=key", TRACK)).status == 404, path


async def test_what_was_sent_is_taken_whatever_jitsu_2_would_make_of_it(sidecar: Sidecar) -> None:
    key = {"X_Write_Key": "key"}
    event = b'{"type":"page","messageId":"m","timestamp":"2020-11-30T21:48:12Z"}'
    for content_type in ("application/xml", "application/x-www-form-urlencoded", ""):
        answer = await sidecar.post("/api/s/page", event, **key, Content_Type=content_type)
        assert answer.json == {"ok": True}
    zipped = await sidecar.post("/api/s/s2s/page", gzip.compress(event), **key, Content_Encoding="gzip")
    assert zipped.json == {"ok": True}
    body = b'{"batch":[' + event + b"," + event + b'],"context":{"ip":"1.2.3.4"}}'
    assert (await sidecar.post("/v1/batch", body, **key)).json == TAKEN
    answer = await sidecar.get(f"{CACHE}?namespace=token&ids=key")
    assert answer.body.count(b'{"original":' + event + b',"timestamp":"') == 6


async def test_a_path_in_a_whole_url_is_the_same(sidecar: Sidecar) -> None:
    request = b"POST http://x/api/s/page?writekey=key HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    answer = await sidecar.raw(request + b"Content-Length: 2\r\nOrigin: https://a.example\r\n\r\n{}")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"Access-Control-Allow-Origin: https://a.example\r\n" in answer
    assert answer.endswith(b'{"ok":true}')
