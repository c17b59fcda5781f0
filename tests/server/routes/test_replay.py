"""Replay: cached events are posted again, byte for byte, to addresses of the configuration."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from eventscache.access.read_tokens import ReadToken
from eventscache.access.some_streams import SomeStreams
from eventscache.config.replay_targets import ReplayTarget
from tests.support.sidecar import Answer, Sidecar, Start

REPLAY = "/api/v1/replay"
ORIGINAL = b'{"price":1.10, "id":12345678901234567890,\n "name":"\\u041f"}'


class Target:
    """A server that takes what is replayed, and answers as it is told."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, str, str]] = []
        self.status = 200

    async def take(self, request: web.Request) -> web.Response:
        headers = request.headers
        self.taken.append((await request.read(), headers["Content-Type"], headers.get("Authorization", "")))
        return web.Response(status=self.status, text="x" * 5000, headers={"Location": "/elsewhere"})


@pytest.fixture
async def target() -> Target:
    return Target()


@pytest.fixture
async def address(target: Target) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/{path:.*}", target.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/api?token=secret"
    await runner.cleanup()


async def replay(sidecar: Sidecar, **asked: Any) -> Answer:
    return await sidecar.post(REPLAY, json.dumps(asked).encode())


async def test_events_are_posted_byte_for_byte_in_the_order_asked_for(
    start: Start, target: Target, address: str
) -> None:
    targets = (ReplayTarget("staging", address, (("Authorization", "Bearer x"),)),)
    sidecar = await start("memory://", replay_targets=targets)
    assert (await sidecar.get(REPLAY)).json == {"targets": ["staging"]}
    assert (await sidecar.get("/api/v1/access")).json["replay_targets"] == ["staging"]
    await sidecar.post("/api/v1/event?token=key", ORIGINAL)
    await sidecar.post("/api/v1/event?token=key", b'{"n":2}')
    await sidecar.post("/api/v1/event?token=key", b"{broken")

    answers = (await replay(sidecar, target="staging", namespace="token", id="key", seqs=[2, 1, 3, 9])).json["answers"]
    assert [body for body, _, _ in target.taken] == [b'{"n":2}', ORIGINAL, b"{broken"]
    assert {(kind, token) for _, kind, token in target.taken} == {("application/json", "Bearer x")}
    assert [(each["seq"], each["status"]) for each in answers] == [(2, 200), (1, 200), (3, 200), (9, None)]
    assert answers[0]["body"] == "x" * 1000
    assert answers[3]["error"] == "the event is not cached any more"


async def test_an_example_that_only_its_error_group_keeps_is_posted(start: Start, target: Target, address: str) -> None:
    sidecar = await start("memory://", replay_targets=(ReplayTarget("staging", address),), size=2, limited=False)
    await sidecar.record(b'{"destination_id":"d","original":{"n":1},"error":"rare"}')
    for _ in range(4):
        await sidecar.record(b'{"destination_id":"d","original":{"n":2},"error":"often"}')
    assert 1 not in [event["seq"] for event in await sidecar.events("ids=d&status=error")]
    (answer,) = (await replay(sidecar, target="staging", id="d", seqs=[1])).json["answers"]
    assert (answer["status"], [body for body, _, _ in target.taken]) == (200, [b'{"n":1}'])


async def test_an_event_that_took_the_number_of_another_one_is_not_posted(
    start: Start, target: Target, address: str
) -> None:
    sidecar = await start("memory://", replay_targets=(ReplayTarget("staging", address),))
    for uid in ("one", "two"):
        await sidecar.record(f'{{"destination_id":"d","original":{{}},"uid":"{uid}"}}'.encode())
    answers = (await replay(sidecar, target="staging", id="d", seqs=[1, 2], uids=["two", "three"])).json["answers"]
    assert [(each["status"], each["error"]) for each in answers] == [
        (None, "the event is not cached any more"),
        (200, ""),
    ]
    assert len(target.taken) == 1


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_what_the_target_answers_is_shown(start: Start, target: Target, address: str, status: int) -> None:
    target.status = status
    sidecar = await start("memory://", replay_targets=(ReplayTarget("staging", address),))
    record = b'{"destination_id":"d","original":{"n":1},"error":"late"}'
    await sidecar.record(record)
    (answer,) = (await replay(sidecar, target="staging", id="d", seqs=[1])).json["answers"]
    assert (answer["status"], answer["error"], len(target.taken)) == (status, "", 1)


async def test_a_masked_event_is_told(start: Start, target: Target, address: str) -> None:
    sidecar = await start("memory://", replay_targets=(ReplayTarget("staging", address),), mask_drop=("user.email",))
    await sidecar.post("/api/v1/event?token=key", b'{"user":{"email":"a@b.c","id":1}}')
    (answer,) = (await replay(sidecar, target="staging", namespace="token", id="key", seqs=[1])).json["answers"]
    assert answer["masked"] is True
    assert b"a@b.c" not in target.taken[0][0]


async def test_a_target_that_is_away_is_told_without_its_address(start: Start, unused_tcp_port: int) -> None:
    targets = (ReplayTarget("staging", f"http://127.0.0.1:{unused_tcp_port}/?token=secret"),)
    sidecar = await start("memory://", replay_targets=targets)
    await sidecar.post("/api/v1/event?token=key", b"{}")
    answered = await replay(sidecar, target="staging", namespace="token", id="key", seqs=[1])
    assert answered.json["answers"][0]["error"].startswith("no connection")
    assert b"secret" not in answered.body


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"target": "other", "id": "key", "seqs": [1]}, "target"),
        ({"target": "staging", "id": "key", "seqs": []}, "seqs"),
        ({"target": "staging", "id": "key", "seqs": [1] * 101}, "seqs"),
        ({"target": "staging", "id": "a,b", "seqs": [1]}, "comma"),
        ({"target": "staging", "id": "key", "seqs": ["1"]}, "seqs"),
        ({"target": "staging", "seqs": [1]}, "id"),
        ({"target": "staging", "id": "key", "seqs": [1], "url": "http://x"}, "url"),
    ],
)
async def test_what_cannot_be_replayed_is_refused(start: Start, asked: dict[str, Any], words: str) -> None:
    sidecar = await start("memory://", replay_targets=(ReplayTarget("staging", "http://127.0.0.1:1/"),))
    answer = await replay(sidecar, **asked)
    assert answer.status == 400
    assert words in answer.json["message"]


async def test_only_an_admin_may_replay(start: Start) -> None:
    reads = ReadToken("reads", SomeStreams(("*",)))
    targets = (ReplayTarget("staging", "http://127.0.0.1:1/"),)
    sidecar = await start(
        "memory://", admin_tokens=("admin",), ingest_tokens=("ingest",), read_tokens=(reads,), replay_targets=targets
    )
    assert (await sidecar.get("/api/v1/access", X_Admin_Token="reads")).json["replay_targets"] == []
    for headers, status in (({}, 401), ({"X_Auth_Token": "ingest"}, 401), ({"X_Admin_Token": "reads"}, 403)):
        assert (await sidecar.ask("POST", REPLAY, b"{}", **headers)).status == status
        assert (await sidecar.ask("GET", REPLAY, **headers)).status == status
