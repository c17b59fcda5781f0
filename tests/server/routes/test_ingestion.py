"""Jitsu's plain ingestion bodies."""

import gzip
import json
from typing import Any

import pytest

from eventscache.access.api_keys import ApiKey, KeyList
from tests.support.sidecar import CACHE, Log, Sidecar, Start

EVENT = b'{"event_type":"pageview","n":1.10}'


async def originals(sidecar: Sidecar) -> list[dict[str, Any]]:
    return [event["original"] for event in await sidecar.events("namespace=token&ids=key")][::-1]


@pytest.mark.parametrize("path", ["event", "events", "s2s/event", "s2s/event/", "s2s/events"])
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "text/plain; charset=latin1"])
async def test_every_route_takes_an_event_of_any_type(sidecar: Sidecar, path: str, content_type: str) -> None:
    answer = await sidecar.post(f"/api/v1/{path}?token=key", EVENT, Content_Type=content_type)

    assert (answer.status, answer.body) == (200, b'{"status":"ok"}')
    (event,) = await sidecar.events("namespace=token&ids=key")
    assert event["original"] == {"event_type": "pageview", "n": 1.10}
    assert (event["token_id"], event["destination_id"]) == ("key", "")
    assert set(event) == {"original", "timestamp", "uid", "token_id", "destination_id", "seq"}


async def test_an_array_is_its_events(sidecar: Sidecar) -> None:
    await sidecar.post("/api/v1/events?token=key", b'[{"n":1},\n {"n":2} ,{"n":3}]')
    assert await originals(sidecar) == [{"n": 1}, {"n": 2}, {"n": 3}]


async def test_a_template_wins_over_the_events_keys(sidecar: Sidecar) -> None:
    body = b'{"template":{"a":1.10,"b":{"c":1}},"events":[{"a":2,"n":1e2},{"b":3}]}'
    await sidecar.post("/api/v1/events?token=key", body)
    answer = await sidecar.get(f"{CACHE}?namespace=token&ids=key")
    assert b'"original":{"a":1.10,"n":1e2,"b":{"c":1}}' in answer.body
    assert await originals(sidecar) == [{"a": 1.1, "n": 100.0, "b": {"c": 1}}, {"b": {"c": 1}, "a": 1.1}]


@pytest.mark.parametrize(
    "body", [{"template": {}, "events": [{}, 5]}, {"template": 5, "events": []}, {"template": {}}, {"events": [{}]}]
)
async def test_a_body_that_only_looks_like_a_template_is_a_plain_event(sidecar: Sidecar, body: dict[str, Any]) -> None:
    await sidecar.post("/api/v1/events?token=key", json.dumps(body).encode())
    assert await originals(sidecar) == [body]


async def test_what_follows_the_first_value_is_ignored_as_in_jitsu(sidecar: Sidecar) -> None:
    for body in (b'{"n":1} trailing', b'{"n":1}{"n":2}', b'[{"n":1}]]', b'{"n":1}\n'):
        assert (await sidecar.post("/api/v1/event?token=key", body)).status == 200
    assert await originals(sidecar) == [{"n": 1}] * 4


@pytest.mark.parametrize("odd", [rb'{"title":"Sale \ud83d"}', b'{"n": 1e400}', b'{"\\udc00":%b}' % (b"9" * 5000)])
async def test_one_odd_event_of_a_batch_costs_no_neighbour_and_stays_byte_for_byte(
    sidecar: Sidecar, odd: bytes
) -> None:
    batch = [b'{"n":1}', odd, b'{"n":3}']
    answer = await sidecar.post("/api/v1/events?token=key", b"[" + b",".join(batch) + b"]")
    assert answer.json == {"status": "ok"}
    for query in ("", "&q=timestamp", "&start=2020-01-01T00:00:00Z"):
        kept = await sidecar.get(f"{CACHE}?namespace=token&ids=key{query}")
        assert all(b'"original":' + event + b"," in kept.body for event in batch)


async def test_gzip_is_taken(sidecar: Sidecar) -> None:
    await sidecar.post("/api/v1/event?token=key", gzip.compress(EVENT), Content_Encoding="gzip")
    assert len(await originals(sidecar)) == 1
    rejected = await sidecar.post("/api/v1/event?token=key", EVENT, Content_Encoding="br")
    assert (rejected.status, rejected.headers["Accept-Encoding"]) == (415, "gzip")


async def test_malformed_input_is_not_cut_inside_a_character(sidecar: Sidecar) -> None:
    await sidecar.post("/api/v1/event?token=key", b'{"' + "\u00e9".encode() * 6000)
    (event,) = await sidecar.events("namespace=token&ids=key&status=error")
    assert event["malformed"] == '{"' + "\u00e9" * 4999


async def test_a_thousand_at_once_are_limited_exactly(sidecar: Sidecar) -> None:
    body = json.dumps([{"n": n} for n in range(1000)]).encode()
    assert (await sidecar.post("/api/v1/events?token=key", body)).status == 200
    answer = (await sidecar.get(f"{CACHE}?namespace=token&ids=key&limit=1000")).json
    assert (answer["total_events"], answer["response_events"], answer["last_minute_limited"]) == (100, 100, 900)


@pytest.mark.parametrize("name", ["k3j9x2", "a.b", "%C3%A9"])
async def test_a_path_of_randomized_urls_is_as_that_of_an_event(sidecar: Sidecar, name: str) -> None:
    page = {"Origin": "https://a.example"}
    path = f"/api.{name}?p_x1=key"
    assert (await sidecar.ask("OPTIONS", path, **page)).headers["Access-Control-Allow-Origin"] == page["Origin"]
    for body, status in ((EVENT, 200), (b"x", 400)):
        answer = await sidecar.post(path, body, **page)
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (status, page["Origin"])
    unknown = await sidecar.post(f"/api.{name}", EVENT, **page)
    assert (unknown.status, unknown.headers["Access-Control-Allow-Origin"]) == (401, page["Origin"])
    assert len(await sidecar.events("namespace=token&ids=key")) == 2


async def test_a_path_of_randomized_urls_takes_client_secrets_and_their_origins(start: Start) -> None:
    key = ApiKey("id", "client", "server", ("*.shop.example",))
    sidecar = await start(api_keys=KeyList((key,)))
    assert (await sidecar.post("/api.x?token=server", EVENT)).json["code"] == "wrong_token_type"
    for origin, allowed in (("https://a.shop.example", True), ("https://other.example", False)):
        answer = await sidecar.post("/api.x?token=client", EVENT, Origin=origin)
        assert (answer.status, "Access-Control-Allow-Origin" in answer.headers) == (200, allowed)


@pytest.mark.parametrize("path", ["/api.", "/api.x/y", "/xapi.y", "/api/", "/api"])
async def test_other_paths_are_not_taken_for_randomized_urls(sidecar: Sidecar, path: str) -> None:
    answer = await sidecar.post(f"{path}?token=key", EVENT)
    assert answer.status == 404


async def test_each_kind_of_rejection_is_logged_once_for_a_route_as_it_is_declared(sidecar: Sidecar, log: Log) -> None:
    for target in ("/v1/event?token=key", "/v1/s2s/event?token=key", ".a?token=key", ".b?token=key", "/v1/event"):
        for _ in range(2):
            await sidecar.post(f"/api{target}", b"{")

    told = [json.loads(line.replace("'", '"')) for line in log.lines]
    assert [(line["route"], line["kind"]) for line in told] == [
        ("/api/v1/event", "malformed_body"),
        ("/api/v1/s2s/event", "malformed_body"),
        ("/api.{anything}", "malformed_body"),
        ("/api/v1/event", "unknown_token"),
    ]
