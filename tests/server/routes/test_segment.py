"""Jitsu's routes for Segment's clients."""

import base64
import gzip
import json

import pytest

from eventscache.access.api_keys import ApiKey, KeyList
from tests.support.sidecar import CACHE, Sidecar, Start

PATHS = [f"/api/v1/segment{form}" for form in ("", "/v1/batch", "/compat", "/compat/v1/batch")]
TRACK = b'{"type":"track","event":"Signed Up","properties":{"price":1.10},"messageId":"m1"}'
PAGE = b'{ "type": "page", "userId" : 7 }'
BATCH = b'{"sentAt":"2021-07-28T08:58:16.939Z","batch":[%b, %b],"writeKey":"key"}' % (TRACK, PAGE)
KEYS = KeyList((ApiKey("id", "client", "server"),))
NO_BATCH = "Error parsing events body: malformed Segment body 'batch' type. Expected array of objects"
NO_OBJECT = "Go value of type map[string]interface {}"


@pytest.mark.parametrize("path", PATHS)
async def test_each_event_of_a_batch_is_kept_as_it_was_sent(sidecar: Sidecar, path: str) -> None:
    answer = await sidecar.post(f"{path}?token=key", BATCH, Content_Type="application/json")

    assert (answer.status, answer.body) == (200, b'{"status":"ok"}')
    kept = await sidecar.get(f"{CACHE}?namespace=token&ids=key")
    assert len(kept.json["events"]) == 2
    assert all(b'{"original":' + event + b',"timestamp"' in kept.body for event in (TRACK, PAGE))


async def test_what_segments_clients_send_is_taken(sidecar: Sidecar) -> None:
    basic = f"Basic {base64.b64encode(b'key:').decode()}"
    for path, body in ((PATHS[1], BATCH), (PATHS[1], TRACK), (PATHS[0], b" \r\n\t" + PAGE + b" what follows")):
        assert (await sidecar.post(path, body, Authorization=basic)).status == 200
    zipped = await sidecar.post(PATHS[0], gzip.compress(BATCH), Authorization=basic, Content_Encoding="gzip")
    assert zipped.status == 200
    events = await sidecar.events("namespace=token&ids=key")
    assert [event["original"]["type"] for event in events] == ["page", "track", "page", "track", "page", "track"]


@pytest.mark.parametrize(
    "body",
    [b'{"b\\u0061tch":[{"n":1}]}', b'{"batch":5,"batch":[{"n":1}]}', b'{"\\ud800":1,"batch":[{"n":1}]}'],
    ids=["escaped", "the last one", "beside half a character"],
)
async def test_the_batch_is_found_as_go_finds_it(sidecar: Sidecar, body: bytes) -> None:
    assert (await sidecar.post(f"{PATHS[0]}?token=key", body)).status == 200
    (event,) = await sidecar.events("namespace=token&ids=key")
    assert event["original"] == {"n": 1}


async def test_an_empty_batch_is_not_an_error(sidecar: Sidecar) -> None:
    assert (await sidecar.post(f"{PATHS[1]}?token=key", b'{"batch":[]}')).json == {"status": "ok"}
    assert await sidecar.events("namespace=token&ids=key") == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"batch":{}}', NO_BATCH),
        (b'{"batch":null}', NO_BATCH),
        (b'{"batch":[{"n":1},5]}', NO_BATCH),
        (b"", "Error parsing events body: empty JSON body"),
        (b" \n", "Error parsing events body: error parsing HTTP body: EOF"),
        (b"x", "Error parsing events body: error parsing HTTP body: invalid character 'x' looking for beginning"),
        (b'{"batch":[{}', "Error parsing events body: error parsing HTTP body: unexpected EOF"),
        (b"[{}]", f"Error parsing events body: error parsing HTTP body: json: cannot unmarshal array into {NO_OBJECT}"),
        (b'"x"', f"Error parsing events body: error parsing HTTP body: json: cannot unmarshal string into {NO_OBJECT}"),
        (b"tru", "Error parsing events body: error parsing HTTP body: unexpected EOF"),
        (b"null", "Error parsing events body: error parsing HTTP body: it is null, and not an object"),
        (b'{"a":"%b"}' % (b"x" * 51_200), "Error parsing events body: Event size 51208 exceeds limit: 51200"),
        (b'{"batch":[{"a":"%b"}]}' % (b"x" * 51_200), "Error parsing events body: Size of one of events exceeds"),
    ],
)
async def test_a_malformed_body_has_jitsus_words_and_is_kept(sidecar: Sidecar, body: bytes, message: str) -> None:
    answer = await sidecar.post(f"{PATHS[0]}?token=key", body)

    assert (answer.status, answer.json["code"]) == (400, "malformed_body")
    assert answer.json["message"].startswith(message)
    (event,) = await sidecar.events("namespace=token&ids=key&status=error")
    assert f"Error parsing events body: {event['error']}" == answer.json["message"]
    assert event.get("malformed", "") == body[:10_000].decode()


async def test_only_a_server_secret_counts_and_another_is_not_found(start: Start) -> None:
    sidecar = await start(api_keys=KEYS, admin_tokens=("admin",))
    assert (await sidecar.post(f"{PATHS[0]}?token=server", TRACK)).status == 200
    for token in ("client", "nobody"):
        answer = await sidecar.post(f"{PATHS[0]}?token={token}", TRACK)
        assert (answer.status, answer.json["code"]) == (401, "unknown_token")
        assert answer.json["message"] == "The token is not found"
    events = (await sidecar.get(f"{CACHE}?namespace=token&ids=id", X_Admin_Token="admin")).json["events"]
    assert [event["original"] for event in events] == [json.loads(TRACK)]
    assert sidecar.cache.ledger.rejected == 2


async def test_no_page_may_read_the_answers(sidecar: Sidecar) -> None:
    for method, body in (("POST", TRACK), ("POST", b"x"), ("OPTIONS", None)):
        answer = await sidecar.ask(method, f"{PATHS[0]}?token=key", body, Origin="https://a.example")
        assert not any(name.startswith("Access-Control") for name in answer.headers)
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
