"""Assertions: whether the events of a stream are what a test expects."""

import asyncio
import gzip
import json
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest

import eventscache.server.asserter
from eventscache.query.expectations import Expectations
from eventscache.query.outcome import Outcome
from eventscache.server.asserter import Asserter
from eventscache.server.http.connections import Connection
from tests.support.fake_clock import FakeClock
from tests.support.live_bench import until
from tests.support.raw_client import Client
from tests.support.sidecar import Answer, Sidecar, Start

ASSERT = "/api/v1/events/assert"
KEY = "namespace=token&ids=key"


@pytest.fixture
async def sidecar(start: Start) -> Sidecar:
    return await start("memory://", size=5)


async def asserted(sidecar: Sidecar, body: Any, query: str = KEY) -> Answer:
    return await sidecar.post(f"{ASSERT}?{query}", json.dumps(body).encode())


async def send(sidecar: Sidecar, *events: Any, scope: str = "") -> None:
    for event in events:
        path = f"/api/v1/event?token=key{f'&scope={scope}' if scope else ''}"
        assert (await sidecar.post(path, json.dumps(event).encode())).status == 200


def matching(**original: Any) -> dict[str, Any]:
    return {"match": {"original": original}}


async def test_what_is_expected_passes(sidecar: Sidecar) -> None:
    await send(sidecar, {"type": "signup", "n": 1}, {"type": "buy", "price": 1.10})
    expected = {
        "expect": [matching(type="signup") | {"count": 1}, matching(type="buy", price={"$gt": 1})],
        "none": [{"match": {"error": {"$exists": True}}}],
        "in_order": True,
    }
    answer = await asserted(sidecar, expected)
    assert (answer.status, answer.json["passed"]) == (200, True)
    assert answer.json["events"] == 2


async def test_the_nearest_miss_says_what_differs(sidecar: Sidecar) -> None:
    await send(sidecar, {"type": "buy", "price": 1.10, "currency": "EUR"}, {"type": "view"})
    answer = (await asserted(sidecar, {"expect": [matching(type="buy", price=2, currency="EUR")]})).json
    assert answer["passed"] is False
    (unmet,) = answer["unmet"]
    assert unmet["matched"] == 0
    assert unmet["nearest"]["diff"] == [{"path": "$.original.price", "expected": 2, "actual": 1.1}]


async def test_an_order_that_is_not_kept_fails(sidecar: Sidecar) -> None:
    await send(sidecar, {"n": 2}, {"n": 1})
    answer = (await asserted(sidecar, {"expect": [matching(n=1), matching(n=2)], "in_order": True})).json
    assert answer["passed"] is False
    assert answer["out_of_order"]


async def test_it_waits_until_what_is_expected_has_come(sidecar: Sidecar) -> None:
    waiting = asyncio.create_task(asserted(sidecar, {"expect": [matching(n=3)]}, f"{KEY}&wait=20"))
    await send(sidecar, *({"n": number} for number in range(4)))
    assert (await waiting).json["passed"] is True


async def test_what_must_not_come_fails_at_once_and_passes_at_the_end_of_the_wait(sidecar: Sidecar) -> None:
    waiting = asyncio.create_task(asserted(sidecar, {"none": [matching(n=3)]}, f"{KEY}&wait=20"))
    await send(sidecar, *({"n": number} for number in range(4)))
    answer = (await waiting).json
    assert (answer["passed"], answer["may_still_pass"]) == (False, False)
    assert answer["unwanted"][0]["matched"] == 1
    assert (await asserted(sidecar, {"none": [matching(n=7)]}, f"{KEY}&wait=0.3")).json["passed"] is True


async def test_scopes_do_not_meet(sidecar: Sidecar) -> None:
    for number in range(10):
        await send(sidecar, {"n": number}, scope=f"run{number % 2}")
    even = {"expect": [matching(n={"$in": [0, 2, 4, 6, 8]}) | {"count": 5}], "none": [matching(n={"$in": [1, 3]})]}
    assert (await asserted(sidecar, even, f"{KEY}&scope=run0")).json["passed"] is True
    assert (await asserted(sidecar, even, f"{KEY}&scope=run1")).json["passed"] is False


async def test_fields_select_the_events_that_are_looked_at(sidecar: Sidecar) -> None:
    await send(sidecar, {"n": 1}, {"n": 2})
    assert (await asserted(sidecar, {"expect": [matching()]}, f"{KEY}&field=n+%3D+2")).json["events"] == 1


async def test_events_of_several_streams_are_in_the_order_of_their_times(sidecar: Sidecar) -> None:
    records = [
        {"destination_id": stream, "timestamp": f"2026-01-01T00:00:0{number}Z", "original": {"n": number}}
        for number, stream in enumerate("abab")
    ]
    path = "/api/v1/events/cache?ack=stored"
    await sidecar.post(path, json.dumps(records).encode(), Content_Type="application/json")
    ordered = {"expect": [matching(n=number) for number in range(4)], "in_order": True}
    assert (await asserted(sidecar, ordered, "ids=b,a")).json["passed"] is True


@pytest.mark.parametrize(
    ("query", "body", "words"),
    [
        (KEY, b"{broken", "cannot be read"),
        (KEY, b"[]", "$"),
        (KEY, b'{"expected":[]}', "expected"),
        (KEY, b'{"expect":[{"match":{"a":{"$near":1}}}]}', "$near"),
        (KEY, b'{"expect":[{"match":{"a":{"$regex":"("}}}]}', "$regex"),
        (KEY, b'{"a":' * 300 + b"1" + b"}" * 300, "nested"),
        ("namespace=token", b'{"expect":[]}', "ids"),
        (f"{KEY}&limit=3", b'{"expect":[]}', "limit"),
        (f"{KEY}&wait=61", b'{"expect":[]}', "wait"),
    ],
)
async def test_a_bad_assertion_is_refused_with_its_fault(sidecar: Sidecar, query: str, body: bytes, words: str) -> None:
    answer = await sidecar.post(f"{ASSERT}?{query}", body)
    assert answer.status == 400
    assert words in answer.json["message"]


async def test_a_regular_expression_made_to_be_slow_holds_nobody(sidecar: Sidecar) -> None:
    await send(sidecar, {"text": "a" * 40_000 + "!"})
    answer = await asserted(sidecar, {"expect": [matching(text={"$regex": "^(a+)+$"})]})
    assert answer.json["passed"] is False


class Held:
    """Evaluations that go on when they are let."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = 0
        self.may_go_on = threading.Event()
        monkeypatch.setattr(Expectations, "evaluate", self._evaluate)

    def _evaluate(self, *_: Any) -> Outcome:
        self.begun += 1
        self.may_go_on.wait()
        return Outcome(0, (), (), (), may_still_pass=True)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    evaluations = Held(monkeypatch)
    yield evaluations
    evaluations.may_go_on.set()


ANY: dict[str, Any] = {"expect": [{"match": {}}]}


async def test_bodies_do_not_wait_for_assertions(sidecar: Sidecar, held: Held) -> None:
    asserting = [asyncio.create_task(asserted(sidecar, ANY)) for _ in range(4)]
    await until(lambda: held.begun > 0)
    async with asyncio.timeout(20):
        sent = await sidecar.post("/api/v1/event?token=key", gzip.compress(b"{}"), Content_Encoding="gzip")
    assert sent.status == 200
    assert held.begun == 1
    held.may_go_on.set()
    assert [answer.json["passed"] for answer in await asyncio.gather(*asserting)] == [True] * 4


async def test_nothing_is_evaluated_for_a_client_that_left(sidecar: Sidecar, held: Held) -> None:
    # given
    first = asyncio.create_task(asserted(sidecar, ANY))
    await until(lambda: held.begun == 1)
    leaving = await Client.of(sidecar)
    body = json.dumps(ANY).encode()
    leaving.send(b"POST %b?%b HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (
        ASSERT.encode(), KEY.encode(), len(body), body,
    ))  # fmt: skip
    await until(lambda: waiting_turns(sidecar) == 1)

    # when
    leaving.end()
    await until(lambda: any(cast(Connection, each).ended for each in sidecar.server._connections.connections))
    held.may_go_on.set()

    # then
    assert (await first).json["passed"] is True
    assert (await leaving.read(b"}")).startswith(b"HTTP/1.1 400 ")
    assert held.begun == 1
    await leaving.close()


def waiting_turns(sidecar: Sidecar) -> int:
    return sidecar.server._context.asserter._waiting


async def test_nothing_is_evaluated_before_the_end_when_the_time_is_up(start: Start, held: Held) -> None:
    # given an assertion that waits for its turn, with its time running
    clock = FakeClock()
    sidecar = await start("memory://", clock=clock)
    held.may_go_on.set()
    waiting = asyncio.create_task(asserted(sidecar, {"none": [{"match": {"n": 1}}]}, f"{KEY}&wait=1"))
    await until(lambda: held.begun == 1)
    async with sidecar.server._context.asserter.turn():
        await until(lambda: waiting_turns(sidecar) == 1)

        # when the time is up
        for _ in range(10):
            await clock.advance()

    # then it is evaluated once more
    assert (await waiting).json["passed"] is True
    assert held.begun == 2


async def test_one_assertion_too_many_is_refused(sidecar: Sidecar, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eventscache.server.asserter, "MOST_WAITING", 2)
    asserting = [asyncio.create_task(asserted(sidecar, ANY)) for _ in range(3)]
    await until(lambda: waiting_turns(sidecar) == 2)
    refused = await asserted(sidecar, ANY)
    assert (refused.status, refused.json["code"]) == (429, "too_many_subscribers")
    held.may_go_on.set()
    assert [answer.status for answer in await asyncio.gather(*asserting)] == [200] * 3


async def test_patterns_and_events_that_are_too_many_to_compare_are_refused(sidecar: Sidecar) -> None:
    await send(sidecar, *({"a": [{"b": number} for number in range(3000)]} for _ in range(5)))
    many = {"a": {"$contains": {"$and": [{"b": {"$gte": 0}}] * 100 + [{"b": 3000}]}}}
    answer = await asserted(sidecar, {"expect": [matching(**many)] * 50})
    assert (answer.status, answer.json["code"]) == (400, "invalid_parameter")
    assert "too many to compare" in answer.json["message"]
    assert (await asserted(sidecar, {"expect": [matching(a={"$size": 3000}) | {"count": 5}]})).json["passed"] is True


async def test_an_evaluation_ends_when_nobody_waits_for_it_any_more() -> None:
    # given an evaluation that never ends by itself
    asserter = Asserter()
    began, ended = threading.Event(), threading.Event()

    class Endless(Expectations):
        def evaluate(self, _: Any, budget: Any = None) -> Outcome:
            began.set()
            try:
                while True:
                    budget.spend(0)
            finally:
                ended.set()

    evaluation = asyncio.create_task(asserter.evaluate(Endless(()), []))
    await until(began.is_set)

    # when
    evaluation.cancel()

    # then
    await until(ended.is_set)
    asserter.close()
