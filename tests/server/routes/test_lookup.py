"""The way of an event over HTTP."""

import json
from typing import Any

import pytest

from eventscache.errors import StorageUnavailable
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Page, Query
from eventscache.stream import Stream
from tests.support.openapi_check import check_answer
from tests.support.sidecar import Sidecar, Start

LOOKUP = "/api/v1/lookup"
ID = "00000000-0000-4000-8000-000000000001"


def at(second: float) -> str:
    return f"2026-01-01T12:00:{second:09.6f}Z"


def entry(second: float, event_id: str = ID, **more: Any) -> dict[str, Any]:
    original = {"eventn_ctx_event_id": event_id, "user": {"anonymous_id": "anon1"}, "note": "a/b <é>"}
    return {"original": original, "timestamp": at(second), "uid": f"uid {second}", **more}


async def keep(sidecar: Sidecar, *records: dict[str, Any]) -> None:
    answer = await sidecar.record(json.dumps(records).encode())
    assert (answer.status, answer.json["stored"]) == (200, len(records)), answer


async def look_up(sidecar: Sidecar, query: str) -> Any:
    answer = await sidecar.get(f"{LOOKUP}?{query}")
    assert answer.status == 200, answer
    check_answer("GET", LOOKUP, answer)
    return answer.json


async def test_an_event_is_shown_on_its_way_with_the_time_between(sidecar: Sidecar) -> None:
    await keep(
        sidecar,
        entry(0.5, token_id="key"),
        entry(1, destination_id="db", error="down", attempt=1, response={"status": 503, "body": "busy"}),
        entry(0.75, destination_id="hook", skip="not wanted"),
        entry(21.25, destination_id="db", success={"table": "events"}, attempt=2),
        entry(2, "other", token_id="key"),
        entry(3, "other", destination_id="late"),
    )

    answer = await look_up(sidecar, f"event_id={ID}")

    (way,) = answer["ways"]
    waiting_ms = way["pending"][0].pop("waiting_ms")
    assert waiting_ms > 0
    assert way == {
        "event_id": ID,
        "received": [{"token_id": "key", "timestamp": at(0.5), "status": "success", "seq": 1, "uid": "uid 0.5"}],
        "destinations": [
            {
                "destination_id": "hook",
                "attempts": [
                    {
                        "timestamp": at(0.75),
                        "status": "skip",
                        "seq": 1,
                        "uid": "uid 0.75",
                        "skip": "not wanted",
                        "has_result": False,
                        "after_ms": 250.0,
                        "after_previous_ms": 250.0,
                    }
                ],
            },
            {
                "destination_id": "db",
                "attempts": [
                    {
                        "timestamp": at(1),
                        "status": "error",
                        "seq": 1,
                        "uid": "uid 1",
                        "error": "down",
                        "attempt": 1,
                        "response": {"status": 503, "body": "busy"},
                        "has_result": False,
                        "after_ms": 500.0,
                        "after_previous_ms": 500.0,
                    },
                    {
                        "timestamp": at(21.25),
                        "status": "success",
                        "seq": 2,
                        "uid": "uid 21.25",
                        "attempt": 2,
                        "has_result": True,
                        "after_ms": 20_750.0,
                        "after_previous_ms": 20_250.0,
                    },
                ],
            },
        ],
        "pending": [{"destination_id": "late", "may_be_gone": False}],
    }
    assert answer["found"] is True
    assert answer["more"] is False
    assert answer["searched"] == {"streams": 4, "events": 5, "complete": True, "pending_complete": True}


async def test_what_is_not_found_is_an_answer(sidecar: Sidecar) -> None:
    await keep(sidecar, entry(0, token_id="key"))
    answer = await look_up(sidecar, "event_id=unknown")
    searched = {"streams": 1, "events": 0, "complete": True, "pending_complete": True}
    explanation = answer.pop("explanation")
    assert answer == {"found": False, "ways": [], "more": False, "searched": searched}
    assert explanation["outcomes"] == []


async def test_an_event_that_only_destinations_have_was_not_seen_to_be_received(sidecar: Sidecar) -> None:
    await keep(sidecar, entry(1, destination_id="db", error="down"), entry(2, destination_id="db", error="down"))
    (way,) = (await look_up(sidecar, f"event_id={ID}"))["ways"]
    assert (way["received"], way["pending"]) == ([], [])
    attempts = way["destinations"][0]["attempts"]
    assert [(attempt["after_ms"], attempt["after_previous_ms"]) for attempt in attempts] == [(None, None), (None, 1000)]


@pytest.mark.parametrize(
    "query",
    [
        "field=user.anonymous_id&value=anon1",
        "field=note&value=a%2Fb+%3C%C3%A9%3E",
        "field=note&value=a%2Fb+%3C%C3%A9%3E&event_id=&limit=",
    ],
)
async def test_events_are_found_by_any_field(sidecar: Sidecar, query: str) -> None:
    records = [entry(0, token_id="key"), entry(1, destination_id="db"), entry(2, "later", token_id="key")]
    await keep(sidecar, *records)
    answer = await look_up(sidecar, query)
    assert [way["event_id"] for way in answer["ways"]] == ["later", ID]
    one = await look_up(sidecar, f"{query.removesuffix('&limit=')}&limit=1")
    assert [way["event_id"] for way in one["ways"]] == ["later"]
    assert one["more"] is True


async def test_what_was_sent_to_jitsus_route_is_found(sidecar: Sidecar) -> None:
    body = b'{"eventn_ctx": {"event_id": "sent"}, "note": "\\ud83d"}'
    assert (await sidecar.post("/api/v1/event?token=key", body)).status == 200
    await sidecar.events("namespace=token&ids=key&min=1&wait=10")
    (way,) = (await look_up(sidecar, "event_id=sent"))["ways"]
    assert way["received"][0]["token_id"] == "key"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "give either event_id, or field and value"),
        ("event_id=", "give either event_id, or field and value"),
        ("event_id=x&field=a&value=b", "give either event_id, or field and value"),
        ("event_id=x&value=b", "give either event_id, or field and value"),
        ("field=a", "give either event_id, or field and value"),
        ("value=b", "give either event_id, or field and value"),
        ("field=" + "a." * 16 + "a&value=b", "field: a path has 1 to 16 names"),
        ("event_id=x&limit=0", "limit must be a whole number from 1 to 100"),
        ("event_id=x&limit=101", "limit must be a whole number from 1 to 100"),
        ("event_id=x&event_id=y", "event_id is given more than once"),
        ("event_id=%ff", "event_id is not valid UTF-8"),
        ("event=x", "the parameter 'event' is not known, and nothing was done; did you mean event_id?"),
    ],
)
async def test_a_wrong_parameter_is_named(start: Start, query: str, message: str) -> None:
    sidecar = await start()
    answer = await sidecar.get(f"{LOOKUP}?{query}")
    assert (answer.status, answer.json["code"]) == (400, "invalid_parameter")
    assert answer.json["message"].startswith(message)
    check_answer("GET", LOOKUP, answer)


async def test_only_admins_look_events_up(start: Start) -> None:
    sidecar = await start(admin_tokens=("admin",))
    assert (await sidecar.get(f"{LOOKUP}?event_id=x")).status == 401
    assert (await sidecar.get(f"{LOOKUP}?event_id=x", X_Admin_Token="admin")).status == 200


async def test_where_there_is_get_there_is_head(start: Start) -> None:
    sidecar = await start()
    answer = await sidecar.ask("HEAD", f"{LOOKUP}?event_id=x")
    assert (answer.status, answer.body) == (200, b"")


class Away(MemoryStorage):
    async def fetch(self, stream: Stream, query: Query) -> Page:
        raise StorageUnavailable("away")


async def test_a_storage_that_is_away_is_no_empty_answer(start: Start) -> None:
    sidecar = await start(Away())
    await keep(sidecar, entry(0, token_id="key"))
    answer = await sidecar.get(f"{LOOKUP}?event_id={ID}")
    assert (answer.status, answer.json["code"]) == (503, "storage_unavailable")


async def test_a_disabled_cache_finds_nothing(start: Start) -> None:
    sidecar = await start(enabled=False)
    assert (await look_up(sidecar, "event_id=x"))["found"] is False


async def explained(sidecar: Sidecar, event_id: str = ID) -> Any:
    return (await look_up(sidecar, f"event_id={event_id}"))["explanation"]


async def test_a_limited_event_is_explained(start: Start) -> None:
    sidecar = await start(size=1)
    for number in (1, 2, 3):
        body = b'{"event_id":"id-%d"}' % number
        assert (await sidecar.post("/api/v1/event?token=key", body)).status == 200
        await sidecar.events("namespace=token&ids=key")  # sends what waits
    assert await explained(sidecar, "id-1") is None
    for number in (2, 3):
        (outcome,) = (await explained(sidecar, f"id-{number}"))["outcomes"]
        assert (outcome["outcome"], outcome["namespace"], outcome["id"]) == ("limited", "token", "key")
        assert outcome["limited_for_ms"] > 0


async def test_an_invalid_record_is_explained_with_the_message_of_its_answer(start: Start) -> None:
    for settings, by_mask in (({}, False), ({"mask_drop": ("email",)}, True)):
        sidecar = await start(**settings)
        body = json.dumps([{"original": {"event_id": ID}, "emial": "ann"}, {"original": {"event_id": "other"}}] * 2)
        answer = await sidecar.record(body.encode(), "namespace=token&id=key")
        assert answer.status == 202
        outcomes = (await explained(sidecar))["outcomes"]
        assert [outcome["reason"] for outcome in outcomes] == ["invalid_record"] * 2
        message = answer.json["errors"][0]["message"]
        assert [outcome["message"] == message for outcome in outcomes] == [not by_mask] * 2
        assert [outcome["id"] for outcome in outcomes] == ["key"] * 2


async def test_a_body_that_cannot_be_read_is_explained(sidecar: Sidecar) -> None:
    broken = b'{"event_id":"%b",' % ID.encode()
    assert (await sidecar.record(broken)).status == 400
    (outcome,) = (await explained(sidecar))["outcomes"]
    assert (outcome["outcome"], outcome["reason"], outcome["by_text"]) == ("rejected", "malformed_body", True)
    assert (outcome["namespace"], outcome["id"]) == (None, None)
    assert (await sidecar.post("/api/v1/event?token=key", broken)).status == 400
    outcomes = (await explained(sidecar))["outcomes"]
    assert {outcome["outcome"] for outcome in outcomes} <= {"rejected", "stored"}


async def test_requests_that_are_rejected_unread_are_counted_by_their_codes(start: Start) -> None:
    sidecar = await start(max_batch=2)
    assert (await sidecar.post("/api/v1/event", b"{}")).status == 401
    assert (await sidecar.post("/api/v1/events?token=key", b"[{},{},{}]")).status == 413
    assert (await sidecar.post("/api/v1/events?token=key", b"x", Content_Encoding="br")).status == 415
    assert (await sidecar.record(b"[{},{},{}]", "id=key")).status == 413
    assert (await sidecar.post("/api/v9/event?token=key", b"{}")).status == 404
    assert (await sidecar.ask("PUT", "/api/v1/event?token=key", b"{}")).status == 405
    unread = {
        "not_found": 1,
        "method_not_allowed": 1,
        "unknown_token": 1,
        "too_many_events": 2,
        "unsupported_encoding": 1,
    }
    assert (await explained(sidecar))["unread"] == unread


async def test_without_a_record_nothing_is_explained(start: Start) -> None:
    sidecar = await start(record_bytes=0)
    assert (await sidecar.record(b"x")).status == 400
    assert await explained(sidecar) is None


async def test_each_of_several_processes_tells_what_it_knows(start: Start) -> None:
    one, other = await start(size=1), await start(size=1)
    await one.post("/api/v1/events?token=key", b'[{},{"event_id":"%b"}]' % ID.encode())
    await one.events("namespace=token&ids=key")
    assert len((await explained(one))["outcomes"]) == 1
    nothing = await explained(other)
    assert (nothing["outcomes"], nothing["scope"]) == ([], "process")


@pytest.mark.parametrize(
    "event_id", ["%00", "%22", "%5C", "a%2Fb", "%F0%9F%98%80", "%FF", "%ED%A0%BD", "x" * 4000, "."]
)
async def test_any_id_is_looked_for_in_the_record(sidecar: Sidecar, event_id: str) -> None:
    await sidecar.record(b'{"original":{"event_id":"\\ud83d\\u0000"},"x":1}')
    answer = await sidecar.get(f"{LOOKUP}?event_id={event_id}")
    assert answer.status in {200, 400}
    check_answer("GET", LOOKUP, answer)


async def test_very_many_entries_of_one_id_are_bounded(start: Start) -> None:
    sidecar = await start(size=10_000, window_seconds=1)
    body = b"[" + b",".join([b'{"token_id":"key","original":{"event_id":"same"}}'] * 9_000) + b"]"
    await sidecar.record(body)
    found = (await sidecar.get("/api/v1/lookup?event_id=same")).json
    assert len(found["ways"][0]["received"]) == 2000
    assert not found["searched"]["complete"]


async def test_a_malformed_event_that_is_cached_is_not_called_gone(start: Start) -> None:
    sidecar = await start()
    await sidecar.post("/api/v1/event?token=k", b'{"event_id":"mm1","x":')
    await sidecar.events("namespace=token&ids=k")
    (outcome,) = (await sidecar.get("/api/v1/lookup?event_id=mm1")).json["explanation"]["outcomes"]
    assert (outcome["outcome"], outcome["reason"], outcome["by_text"]) == ("stored", "malformed", True)
