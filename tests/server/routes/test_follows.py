"""Follows over HTTP: begun on one server, kept by all of the storage, read by `follow=`."""

import asyncio
import json
from typing import Any

import pytest

from eventscache.access.read_tokens import ReadToken
from eventscache.access.some_streams import SomeStreams
from tests.support.redis_server import RedisServer
from tests.support.sidecar import CACHE, Sidecar, Start

FOLLOWS = "/api/v1/follows"
GENEROUS_SECONDS = 20


async def begin(sidecar: Sidecar, **asked: Any) -> dict[str, Any]:
    answer = await sidecar.post(FOLLOWS, json.dumps(asked).encode())
    assert answer.status == 201, answer.body
    follow: dict[str, Any] = answer.json["follow"]
    return follow


async def test_what_is_followed_on_one_server_is_kept_by_all(start: Start, redis_server: RedisServer) -> None:
    here, there = [await start(redis_server.storage_url, prefix="eventscache:follows-http", size=3) for _ in range(2)]
    follow = await begin(here, name="Ann", type="buy", fields=[{"path": "user.id", "equals": 7}])
    async with asyncio.timeout(GENEROUS_SECONDS):
        while not (await there.get(FOLLOWS)).json["follows"]:
            await asyncio.sleep(0.05)
    for number in range(30):
        event = {"event_type": "buy" if number % 2 else "view", "user": {"id": 7 if number % 3 else 8}, "n": number}
        await (here, there)[number % 2].post("/api/v1/event?token=key", json.dumps(event).encode())
    wanted = [number for number in range(29, -1, -1) if number % 2 and number % 3]
    assert len(await there.events("namespace=token&ids=key")) == 3
    query = f"namespace=token&ids=key&follow={follow['id']}"
    assert sorted([event["original"]["n"] for event in await here.events(query)], reverse=True) == wanted

    assert (await there.ask("DELETE", f"{FOLLOWS}/{follow['id']}")).json == {"status": "ok", "ended": True}
    assert (await there.ask("DELETE", f"{FOLLOWS}/unknown")).json == {"status": "ok", "ended": False}
    (ended,) = (await there.get(FOLLOWS)).json["follows"]
    assert (ended["id"], ended["active"]) == (follow["id"], False)
    assert len(await there.events(query)) == len(wanted)


async def test_a_follow_is_answered_as_it_was_asked_for(start: Start) -> None:
    sidecar = await start("memory://")
    asked = {
        "name": "Ann",
        "namespace": "token",
        "ids": ["a", "b"],
        "type": "buy",
        "fields": [{"path": "user.name", "contains": "é"}, {"path": "n", "equals": "1.10"}],
    }
    follow = await begin(sidecar, **asked)
    assert {name: value for name, value in follow.items() if name not in {"id", "until", "active"}} == asked
    assert (await sidecar.get(FOLLOWS)).json == {"follows": [follow], "max_follows": 20}


async def test_who_has_a_read_token_sees_what_is_followed_of_its_streams_and_follows_nothing(start: Start) -> None:
    tokens = (ReadToken("shop", SomeStreams(("shop-*",))),)
    sidecar = await start("memory://", admin_tokens=("admin",), read_tokens=tokens)
    admin, team = {"X_Admin_Token": "admin"}, {"X_Admin_Token": "shop"}
    for ids in (["shop-1"], ["other"], ["shop-1", "other"], []):
        answer = await sidecar.ask("POST", FOLLOWS, json.dumps({"ids": ids}).encode(), **admin)
        assert answer.status == 201
    seen = (await sidecar.ask("GET", FOLLOWS, **team)).json["follows"]
    assert [follow["ids"] for follow in seen] == [["shop-1"]]
    assert (await sidecar.ask("POST", FOLLOWS, b"{}", **team)).status == 403
    assert (await sidecar.ask("DELETE", f"{FOLLOWS}/{seen[0]['id']}", **team)).status == 403
    assert (await sidecar.ask("POST", FOLLOWS, b"{}")).status == 401


async def test_no_more_than_twenty_are_active(start: Start) -> None:
    sidecar = await start("memory://")
    for _ in range(20):
        await begin(sidecar)
    answer = await sidecar.post(FOLLOWS, b"{}")
    assert (answer.status, answer.json["code"]) == (409, "too_many_follows")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "object"),
        ('{"minute":1}', "minute"),
        ('{"minutes":0}', "minutes"),
        ('{"minutes":1441}', "minutes"),
        ('{"minutes":"1"}', "minutes"),
        ('{"name":"a\\u202eb"}', "name"),
        ('{"namespace":"x"}', "namespace"),
        ('{"ids":["a,b"]}', "comma"),
        ('{"fields":[{"path":"a"}]}', "either"),
        ('{"fields":[{"path":"a","equals":1,"contains":"x"}]}', "either"),
        ('{"fields":[{"path":"a","equals":{}}]}', "single"),
        ('{"fields":[{"path":"a","contains":""}]}', "fields[0]"),
        ('{"fields":[{"path":"","equals":1}]}', "path"),
    ],
)
async def test_conditions_that_cannot_be_are_refused(start: Start, body: str, words: str) -> None:
    sidecar = await start("memory://")
    answer = await sidecar.post(FOLLOWS, body.encode())
    assert answer.status == 400
    assert words in answer.json["message"]
    assert (await sidecar.get(f"{CACHE}?ids=a&follow=x")).json["events"] == []
