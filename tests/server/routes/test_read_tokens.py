"""Read tokens: who sees what, and that nothing tells of the streams that a reader may not see."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from eventscache.access.read_tokens import ReadToken
from eventscache.access.some_streams import SomeStreams
from eventscache.live.cursor import Cursor
from eventscache.server.routing import ROUTES
from eventscache.stream import Namespace, Stream
from tests.support.event_streams import STREAM, opened, until
from tests.support.fake_clock import GENEROUS_SECONDS, FakeClock
from tests.support.openapi_check import check_answer
from tests.support.sidecar import CACHE, Answer, Log, Sidecar, Start

STREAMS, LOOKUP, ACCESS, ERRORS = "/api/v1/streams", "/api/v1/lookup", "/api/v1/access", "/api/v1/errors"
TOKEN, DESTINATION = Namespace
TOKENS = (
    ReadToken("r-shop", SomeStreams(("shop-*",))),
    ReadToken("r-keys", SomeStreams(("shop-a", "blog"), (TOKEN,))),
    ReadToken("r-destinations", SomeStreams(("*",), (DESTINATION,))),
    ReadToken("r-nothing", SomeStreams(("nobody",))),
)
SETTINGS: dict[str, Any] = {"admin_tokens": ("admin",), "ingest_tokens": ("ingest",), "read_tokens": TOKENS}
ADMIN = {"X_Admin_Token": "admin"}
ALL = tuple(Stream(namespace, name) for namespace in Namespace for name in ("shop-a", "shop-b", "blog"))
NONE: tuple[Stream, ...] = ()

# Each kind of token: the headers of a request, and the streams that it sees, or the status that it gets instead.
SEEN: dict[str, tuple[dict[str, str], tuple[Stream, ...] | int]] = {
    "none": ({}, 401),
    "wrong": ({"X_Admin_Token": "wrong"}, 401),
    "pattern as token": ({"X_Admin_Token": "shop-*"}, 401),
    "ingest": ({"X_Auth_Token": "ingest"}, 401),
    "ingest as admin": ({"X_Admin_Token": "ingest"}, 401),
    "read as ingest": ({"X_Auth_Token": "r-shop"}, 401),
    "two at once": ({"X_Admin_Token": "r-shop,r-keys"}, 401),
    "read": ({"X_Admin_Token": "r-shop"}, tuple(stream for stream in ALL if stream.id.startswith("shop-"))),
    "read as bearer": (
        {"Authorization": "Bearer r-shop"},
        tuple(stream for stream in ALL if stream.id.startswith("shop-")),
    ),
    "read of keys": ({"X_Admin_Token": "r-keys"}, (Stream(TOKEN, "shop-a"), Stream(TOKEN, "blog"))),
    "read of destinations": (
        {"X_Admin_Token": "r-destinations"},
        tuple(stream for stream in ALL if stream.namespace is DESTINATION),
    ),
    "read of nothing": ({"X_Admin_Token": "r-nothing"}, NONE),
    "admin": (ADMIN, ALL),
    "admin and read": ({"X_Admin_Token": "r-nothing", "Authorization": "Bearer admin"}, ALL),
}


def name_of(stream: Stream) -> str:
    return f"{stream.namespace}-{stream.id}"


def record(stream: Stream, event_id: str, **fields: Any) -> bytes:
    return json.dumps({f"{stream.namespace}_id": stream.id, "original": {"event_id": event_id}, **fields}).encode()


async def put(sidecar: Sidecar, stream: Stream, event_id: str, **fields: Any) -> None:
    assert (await sidecar.record(record(stream, event_id, **fields), **ADMIN)).json["stored"] == 1


async def fill(sidecar: Sidecar) -> None:
    """Put an event and an error into every stream; of each there was another one, which is cleared."""
    for stream in ALL:
        await put(sidecar, stream, f"gone-{name_of(stream)}")
        await sidecar.ask("DELETE", f"{CACHE}?namespace={stream.namespace}&ids={stream.id}", **ADMIN)
        await put(sidecar, stream, f"here-{name_of(stream)}")
        await put(sidecar, stream, f"error-{name_of(stream)}", error="refused")


Ask = Callable[[Sidecar, Stream, dict[str, str]], Awaitable[int | bool]]
"""Asks for a stream: returns the status of an error, or else whether the answer has anything of the stream."""


def asks(path: str, seen: Callable[[Any, Stream], bool]) -> Ask:
    async def ask(sidecar: Sidecar, stream: Stream, headers: dict[str, str]) -> int | bool:
        target = path.format(namespace=stream.namespace, id=stream.id, name=name_of(stream))
        answer = await sidecar.get(target, **headers)
        if not target.startswith("/log/"):
            check_answer("GET", target.partition("?")[0], answer)
        return seen(answer.json, stream) if answer.status == 200 else answer.status

    return ask


def has_events(body: Any, stream: Stream) -> bool:
    events = [event for event in body["events"] if event[f"{stream.namespace}_id"] == stream.id]
    assert bool(events) == (len(body["events"]) > 0) or body["total_events"] > len(events)
    return bool(events)


def has_events_only(body: Any, _: Stream) -> bool:
    numbers = body["total_events"], body["response_events"], len(body["events"])
    assert len(set(map(bool, numbers))) == 1
    return bool(body["events"])


def is_listed(body: Any, stream: Stream) -> bool:
    return stream.id in [each["id"] for each in body["streams"]]


def has_errors(body: Any, stream: Stream) -> bool:
    streams = [(each["namespace"], each["id"]) for group in body["groups"] for each in group["streams"]]
    return (stream.namespace, stream.id) in streams


async def ask_lines(sidecar: Sidecar, stream: Stream, headers: dict[str, str]) -> int | bool:
    path = f"{CACHE}?namespace={stream.namespace}&ids={stream.id}"
    answer = await sidecar.get(path, Accept="application/x-ndjson", **headers)
    return bool(answer.body) if answer.status == 200 else answer.status


async def ask_push(sidecar: Sidecar, stream: Stream, headers: dict[str, str], ids: str = "") -> int | bool:
    query = f"namespace={stream.namespace}&history=10{ids}"
    refused = await sidecar.ask("HEAD", f"{STREAM}?{query}", **headers)
    if refused.status != 200:
        return refused.status
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with opened(sidecar, query, **named) as push:
        frames = await push.until("ready")
    sent = {frame.data[f"{stream.namespace}_id"] for frame in frames if frame.event == "event"}
    assert not ids or sent <= {stream.id}
    return stream.id in sent


async def ask_push_of_one(sidecar: Sidecar, stream: Stream, headers: dict[str, str]) -> int | bool:
    return await ask_push(sidecar, stream, headers, f"&ids={stream.id}")


async def ask_log(sidecar: Sidecar, stream: Stream, headers: dict[str, str]) -> int | bool:
    kind = "incoming" if stream.namespace is TOKEN else "bulker_stream"
    answer = await sidecar.get(f"/log/{kind}.all/{stream.id}", **headers)
    check_answer("GET", "/log/{type}.{level}/{actor}", answer)
    return bool(answer.json) if answer.status == 200 else answer.status


READING: dict[str, Ask] = {
    "cache, one id": asks(f"{CACHE}?namespace={{namespace}}&ids={{id}}", has_events_only),
    "cache, its errors": asks(f"{CACHE}?namespace={{namespace}}&ids={{id}}&status=error", has_events_only),
    "cache, one of many ids": asks(f"{CACHE}?namespace={{namespace}}&ids=x,{{id}},shop-a&limit=5", has_events),
    "cache, all": asks(f"{CACHE}?namespace={{namespace}}", has_events),
    "cache, a text": asks(f"{CACHE}?namespace={{namespace}}&q=here-{{name}}", has_events_only),
    "cache, after": asks(f"{CACHE}?namespace={{namespace}}&ids={{id}}&after=1", has_events_only),
    "cache, lines": ask_lines,
    "errors, one id": asks(f"{ERRORS}?namespace={{namespace}}&ids={{id}}", has_errors),
    "errors, all": asks(f"{ERRORS}?namespace={{namespace}}", has_errors),
    "streams": asks(f"{STREAMS}?namespace={{namespace}}", is_listed),
    "push, one id": ask_push_of_one,
    "push, all": ask_push,
    "lookup by id": asks(f"{LOOKUP}?event_id=here-{{name}}", lambda body, _: body["found"]),
    "lookup by field": asks(f"{LOOKUP}?field=event_id&value=here-{{name}}", lambda body, _: body["found"]),
    "lookup of an error": asks(f"{LOOKUP}?event_id=error-{{name}}", lambda body, _: body["found"]),
    "explanation": asks(f"{LOOKUP}?event_id=gone-{{name}}", lambda body, _: bool(body["explanation"]["outcomes"])),
    "log": ask_log,
}


@pytest.mark.parametrize("kind", SEEN)
@pytest.mark.parametrize("route", READING)
async def test_every_token_sees_its_own_streams_on_every_route(start: Start, route: str, kind: str) -> None:
    headers, expected = SEEN[kind]
    sidecar = await start(**SETTINGS)
    await fill(sidecar)

    seen = {stream: await READING[route](sidecar, stream, headers) for stream in ALL}

    if isinstance(expected, int):
        assert set(seen.values()) == {expected}
    else:
        assert {stream for stream, answer in seen.items() if answer is True} == set(expected)
        assert set(seen.values()) <= {True, False}


# What a token may do besides reading: the status of each kind for requests that write and clear.
MAY_NOT = {"none": 401, "wrong": 401, "ingest": 401, "read": 403, "read as bearer": 403, "read of keys": 403}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{CACHE}?ack=stored", record(Stream(DESTINATION, "shop-a"), "x")),
        ("DELETE", f"{CACHE}?ids=shop-a", None),
        ("DELETE", f"{CACHE}?namespace=token&ids=shop-a&reset=limiter", None),
        ("DELETE", f"{CACHE}?all=true", None),
        ("DELETE", f"{CACHE}?ids=blog", None),
    ],
)
@pytest.mark.parametrize("kind", [*MAY_NOT, "admin", "admin and read"])
async def test_only_an_admin_token_does_more_than_read(
    start: Start, method: str, path: str, body: bytes | None, kind: str
) -> None:
    sidecar = await start(**SETTINGS)
    await fill(sidecar)
    stored = sidecar.cache.ledger.stored
    headers = {**SEEN[kind][0], **({"Content_Type": "application/json"} if body else {})}
    answer = await sidecar.ask(method, path, body, **headers)
    check_answer(method, CACHE, answer)
    expected = 200 if method == "POST" and kind == "ingest" else MAY_NOT.get(kind, 200)
    assert answer.status == expected
    if expected == 403:
        assert answer.json["code"] == "admin_token_needed"
    if expected != 200:
        assert sidecar.cache.ledger.stored == stored
        events = (await sidecar.get(f"{CACHE}?namespace=token", **ADMIN)).json["total_events"]
        assert events == 2 * len([stream for stream in ALL if stream.namespace is TOKEN])


FOLLOWS, FOLLOW, ASSERT = "/api/v1/follows", "/api/v1/follows/{id}", "/api/v1/events/assert"
READ_WITH_ANY = {CACHE, STREAM, STREAMS, LOOKUP, ACCESS, ERRORS, FOLLOWS, FOLLOW, ASSERT, "/log/{type}.{level}/{actor}"}


@pytest.mark.parametrize("route", [(method, path) for method, path, _ in ROUTES if path != STREAM])
async def test_a_read_token_is_taken_where_reading_is_and_nowhere_else(start: Start, route: tuple[str, str]) -> None:
    method, path = route
    sidecar = await start(**SETTINGS, host="0.0.0.0")
    body = b"{}" if method == "POST" else None
    target = path.replace("{type}.{level}", "incoming.all") + ("?event_id=x" if path == LOOKUP else "")
    if path == ASSERT:
        target, body = f"{path}?ids=shop-a", b'{"none":[{"match":{}}]}'
    with_token = await sidecar.ask(method, target, body, X_Admin_Token="r-shop")
    without = await sidecar.ask(method, target, body)
    if path == "/api/v1/replay":
        assert (with_token.status, without.status) == (403, 401)
    elif path in READ_WITH_ANY:
        assert (with_token.status, without.status) == (200 if method == "GET" or path == ASSERT else 403, 401)
    else:
        assert with_token.status == without.status
    assert sidecar.cache.ledger.stored == 0


async def test_a_failed_login_counts_and_a_read_token_that_may_not_does_not(start: Start) -> None:
    sidecar = await start(**SETTINGS)
    for _ in range(20):
        assert (await sidecar.ask("DELETE", f"{CACHE}?ids=shop-a", X_Admin_Token="r-shop")).status == 403
    for _ in range(10):
        assert (await sidecar.get(CACHE, X_Admin_Token="r-sho")).status == 401
    assert (await sidecar.get(CACHE, X_Admin_Token="r-sho")).status == 429
    assert (await sidecar.get(CACHE, X_Admin_Token="r-shop")).status == 200


async def test_a_read_token_in_the_query_counts_where_an_admin_token_does(start: Start) -> None:
    path = f"{CACHE}?namespace=token&ids=shop-a&token=r-shop"
    assert (await (await start(**SETTINGS)).get(path)).status == 401
    sidecar = await start(**SETTINGS, admin_token_in_query=True)
    await fill(sidecar)
    assert (await sidecar.get(path)).json["total_events"] == 2
    assert (await sidecar.get(f"{LOOKUP}?event_id=here-token-blog&token=r-shop")).json["found"] is False
    assert (await sidecar.ask("DELETE", f"{path}&reset=limiter")).status == 403


@pytest.mark.parametrize(
    ("headers", "answer"),
    [
        (
            ADMIN,
            {
                "token": "admin",
                "may": ["read", "write", "clear"],
                "namespaces": [*Namespace],
                "ids": ["*"],
                "type_path": "",
                "replay_targets": [],
            },
        ),
        (
            {"X_Admin_Token": "r-keys"},
            {
                "token": "read",
                "may": ["read"],
                "namespaces": ["token"],
                "ids": ["shop-a", "blog"],
                "type_path": "",
                "replay_targets": [],
            },
        ),
    ],
)
async def test_a_client_is_told_what_its_token_may_do(
    start: Start, headers: dict[str, str], answer: dict[str, Any]
) -> None:
    told = await (await start(**SETTINGS)).get(ACCESS, **headers)
    check_answer("GET", ACCESS, told)
    assert told.json == answer


async def test_without_tokens_the_operator_may_do_everything(start: Start) -> None:
    told = (await (await start()).get(ACCESS)).json
    assert (told["token"], told["may"], told["ids"]) == ("none", ["read", "write", "clear"], ["*"])


# Nothing tells of other streams.

OWN = {"X_Admin_Token": "r-shop"}
QUESTIONS = [
    *(f"{CACHE}?namespace={namespace}{query}" for namespace in Namespace for query in ("", "&status=error", "&q=e")),
    *(f"{CACHE}?namespace=token&ids={ids}" for ids in ("blog", "shop-a,blog", "blog&before=9", "blog&after=0")),
    *(f"{STREAMS}?namespace={namespace}" for namespace in Namespace),
    *(f"{ERRORS}?namespace={namespace}{query}" for namespace in Namespace for query in ("", "&ids=blog", "&limit=1")),
    *(f"{LOOKUP}?event_id={event_id}" for event_id in ("shared", "here-token-blog", "gone-token-blog", "lost", "bad")),
    f"{LOOKUP}?field=event_id&value=shared",
    f"{LOOKUP}?field=event_id&value=here-token-blog",
    *(f"/log/{kind}.all/blog" for kind in ("incoming", "bulker_stream", "bulker_batch")),
    "/log/incoming.error/blog",
    ACCESS,
]


async def answers(sidecar: Sidecar) -> dict[str, tuple[int, bytes]]:
    got: dict[str, Answer] = {question: await sidecar.get(question, **OWN) for question in QUESTIONS}
    assert {answer.status for answer in got.values()} == {200}
    return {question: (answer.status, answer.body) for question, answer in got.items()}


async def make_noise(sidecar: Sidecar) -> None:
    """Let everything happen in foreign streams that can: events are stored, limited, dropped, rejected and cleared.

    Some have the event ids that the questions are about.
    """
    key, destination = Stream(TOKEN, "blog"), Stream(DESTINATION, "blog")
    for stream in (key, destination):
        for number in range(30):
            await sidecar.record(record(stream, f"noise-{number}", error="refused"), **ADMIN)
        await sidecar.record(record(stream, "lost"), **ADMIN)
        await sidecar.record(record(stream, "shared"), **ADMIN)
    await sidecar.record(record(Stream(TOKEN, "other"), "shared"), **ADMIN)
    await sidecar.ask("DELETE", f"{CACHE}?namespace=token&ids=blog", **ADMIN)
    bad = b'{"destination_id":"blog","original":{"event_id":"bad"},"what":1}'
    assert (await sidecar.record(bad, **ADMIN)).status == 400
    # The request names a stream of the reader, the record another one.
    assert (await sidecar.record(bad, "id=shop-a", **ADMIN)).status == 400
    assert (await sidecar.record(b'{"event_id":"bad"', "", **ADMIN)).status == 400
    assert (await sidecar.post(f"{CACHE}?id=blog", b"{}", Content_Encoding="br", **ADMIN)).status == 415
    sidecar.cache._drop(5, "queue_full", None)
    assert sidecar.cache.record
    for log in sidecar.cache.record.logs:
        log.miss(3, sidecar.cache.record.now_us())


async def test_no_answer_changes_with_what_happens_in_other_streams(start: Start) -> None:
    sidecar = await start(**SETTINGS, size=10, window_seconds=3600)
    for stream in (Stream(TOKEN, "shop-a"), Stream(DESTINATION, "shop-a")):
        await put(sidecar, stream, "shared")
        await put(sidecar, stream, "own", error="refused")
    before = await answers(sidecar)

    await make_noise(sidecar)

    assert (await sidecar.get(f"{LOOKUP}?event_id=lost", **ADMIN)).json["explanation"]["outcomes"]
    assert (await sidecar.get(f"{LOOKUP}?event_id=bad", **ADMIN)).json["explanation"]["outcomes"]
    assert (await sidecar.get(f"{CACHE}?namespace=destination", **ADMIN)).json["last_minute_limited"]
    assert await answers(sidecar) == before


async def test_a_foreign_stream_is_answered_as_one_that_never_was(start: Start) -> None:
    sidecar = await start(**SETTINGS)
    await fill(sidecar)
    for path in (
        f"{CACHE}?namespace=token&ids={{}}",
        f"{CACHE}?namespace=token&ids={{}}&wait=0&min=2&before=3",
        f"{CACHE}?namespace=token&ids=shop-a,{{}}&status=error",
        f"{LOOKUP}?event_id=here-token-{{}}",
        f"{LOOKUP}?event_id=gone-token-{{}}",
        "/log/incoming.all/{}",
    ):
        foreign, unknown = [await sidecar.get(path.format(name), **OWN) for name in ("blog", "blag")]
        assert (foreign.status, foreign.body) == (unknown.status, unknown.body), path
    # A wrong id is a wrong id, whoever asks.
    for headers in (OWN, ADMIN):
        assert (await sidecar.get(f"{CACHE}?ids={'x' * 513}", **headers)).status == 400


async def test_of_a_way_only_the_own_steps_are_shown(start: Start) -> None:
    sidecar = await start(**SETTINGS)
    for event_id in ("shared", "another"):
        for stream in (Stream(TOKEN, "shop-a"), Stream(TOKEN, "blog"), *ALL[4:]):
            if event_id == "shared" and stream == Stream(DESTINATION, "shop-b"):
                continue  # pending, as the destination has the other event of the token
            await put(sidecar, stream, event_id)
    await put(sidecar, Stream(DESTINATION, "shop-b"), "another")
    await put(sidecar, Stream(DESTINATION, "late"), "another")

    def shown(answer: Answer) -> tuple[set[str], set[str], set[str]]:
        (way,) = answer.json["ways"]
        return (
            {step["token_id"] for step in way["received"]},
            {each["destination_id"] for each in way["destinations"]},
            {each["destination_id"] for each in way["pending"]},
        )

    path = f"{LOOKUP}?event_id=shared"
    assert shown(await sidecar.get(path, **ADMIN)) == ({"shop-a", "blog"}, {"blog"}, {"shop-b", "late"})
    assert shown(await sidecar.get(path, X_Admin_Token="r-keys")) == ({"shop-a", "blog"}, set(), set())
    own = await sidecar.get(path, **OWN)
    assert shown(own) == ({"shop-a"}, set(), {"shop-b"})
    assert own.json["searched"] == {"streams": 2, "events": 1, "complete": True, "pending_complete": True}


async def test_an_explanation_tells_what_happened_in_the_own_streams_alone(start: Start) -> None:
    sidecar = await start(**SETTINGS)
    await fill(sidecar)
    for stream in (Stream(TOKEN, "shop-a"), Stream(TOKEN, "blog")):
        await put(sidecar, stream, "shared")
        await sidecar.ask("DELETE", f"{CACHE}?namespace=token&ids={stream.id}", **ADMIN)
    await make_noise(sidecar)

    explanation = (await sidecar.get(f"{LOOKUP}?event_id=gone-token-shop-a", **OWN)).json["explanation"]
    (outcome,) = explanation.pop("outcomes")
    assert (outcome["namespace"], outcome["id"], outcome["outcome"]) == ("token", "shop-a", "stored")
    assert explanation == {"since": None, "missed": [], "waiting": 0, "unread": {}, "scope": "process"}


async def test_of_many_streams_the_own_ones_are_found_however_long_they_were_idle(start: Start) -> None:
    sidecar = await start(**SETTINGS)
    await put(sidecar, Stream(TOKEN, "shop-a"), "own")
    for number in range(120):
        await put(sidecar, Stream(TOKEN, f"busy-{number}"), "noise")
    assert (await sidecar.get(f"{CACHE}?namespace=token", **OWN)).json["total_events"] == 1
    async with opened(sidecar, "namespace=token&history=1", **{"X-Admin-Token": "r-shop"}) as push:
        assert [frame.event for frame in await push.until("ready")] == ["event", "ready"]


# The push and the long poll.


async def test_the_push_tells_of_the_own_streams_alone(start: Start, clock: FakeClock) -> None:
    sidecar = await start(**SETTINGS, clock=clock)
    await put(sidecar, Stream(TOKEN, "shop-a"), "first")
    async with (
        opened(sidecar, "namespace=token&history=5", **{"X-Admin-Token": "r-shop"}) as push,
        opened(sidecar, "namespace=token&ids=blog,shop-a&history=5", **{"X-Admin-Token": "r-shop"}) as named,
    ):
        await push.until("ready")
        await named.until("ready")
        await make_noise(sidecar)
        await clock.advance(4)
        assert [frame.event for frame in await push.until("counters")] == ["counters"]
        counters = push.frames[-1].data
        assert counters == {
            "per_second": 0.0,
            "last_minute_limited": 0,
            "total_events": 1,
            "dropped": None,
            "readable_within_ms": None,
            "streams": 1,
        }
        assert (await named.until("counters"))[-1].data == counters
        await put(sidecar, Stream(TOKEN, "shop-new"), "second")
        await clock.advance(5)
        frames = await push.until("event")
        assert frames[-1].data["token_id"] == "shop-new"
        cursor = frames[-1].id
    assert cursor
    assert len(Cursor.parse(cursor)._positions) == 2
    await put(sidecar, Stream(TOKEN, "blog"), "third")
    async with opened(sidecar, "namespace=token", **{"X-Admin-Token": "r-keys", "Last-Event-ID": cursor}) as resumed:
        frames = await resumed.until("ready")
    assert [frame.data["token_id"] for frame in frames if frame.event == "event"] == ["blog"]


async def test_a_foreign_stream_is_waited_for_as_one_that_never_was(start: Start, clock: FakeClock) -> None:
    sidecar = await start(**SETTINGS, clock=clock)
    await fill(sidecar)
    waiting = asyncio.create_task(sidecar.get(f"{CACHE}?namespace=token&ids=blog&wait=1", **OWN))
    live = sidecar.server.live
    await until(lambda: live.subscribers > 0 and all(each.ready for each in live._subscriptions))
    await put(sidecar, Stream(TOKEN, "blog"), "more")
    await clock.advance(3)
    assert not waiting.done()
    await clock.end_sleep()
    answer = (await waiting).json
    assert (answer["events"], answer["total_events"]) == ([], 0)


# What becomes of open connections when a token is taken away or changed.


def write_tokens(path: Path, **tokens: str) -> None:
    """Replace the file of read tokens as a whole: the ids of each token."""
    entries = [{"token": token.replace("_", "-"), "ids": ids} for token, ids in tokens.items()]
    path.with_suffix(".new").write_text(json.dumps(entries), encoding="utf-8")
    path.with_suffix(".new").replace(path)


async def start_with_files(start: Start, tmp_path: Path, clock: FakeClock) -> tuple[Sidecar, Path, Path]:
    readers, admins = tmp_path / "readers", tmp_path / "admins"
    write_tokens(readers, r_file="shop-*")
    admins.write_text("another\n")
    sidecar = await start(
        **SETTINGS,
        clock=clock,
        read_tokens_file=str(readers),
        admin_tokens_file=str(admins),
        api_keys_reload_seconds=0.01,
    )
    await fill(sidecar)
    return sidecar, readers, admins


async def until_status(sidecar: Sidecar, token: str, status: int, path: str = ACCESS) -> None:
    async with asyncio.timeout(GENEROUS_SECONDS):
        while (await sidecar.get(path, X_Admin_Token=token)).status != status:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("change", ["taken away", "of other streams", "all taken away"])
async def test_a_push_ends_when_its_read_token_is_taken_away_or_changed(
    start: Start, tmp_path: Path, clock: FakeClock, change: str
) -> None:
    sidecar, readers, _ = await start_with_files(start, tmp_path, clock)
    async with (
        opened(sidecar, "namespace=token", **{"X-Admin-Token": "r-file"}) as push,
        opened(sidecar, "namespace=token", **{"X-Admin-Token": "r-shop"}) as listed,
    ):
        await push.until("ready")
        await listed.until("ready")
        await clock.advance()
        assert sidecar.server.live.subscribers == 2

        if change == "of other streams":
            write_tokens(readers, r_file="blog")
            async with asyncio.timeout(GENEROUS_SECONDS):
                while (await sidecar.get(ACCESS, X_Admin_Token="r-file")).json["ids"] != ["blog"]:
                    await asyncio.sleep(0.01)
        else:
            write_tokens(readers, **({} if change == "all taken away" else {"r_new": "shop-*"}))
            await until_status(sidecar, "r-file", 401)
        await put(sidecar, Stream(TOKEN, "shop-a"), "late")
        await clock.advance()

        assert b"late" not in await push.end()
        assert (await listed.until("event"))[-1].data["original"]["event_id"] == "late"


async def test_a_push_ends_when_its_admin_token_is_taken_away(start: Start, tmp_path: Path, clock: FakeClock) -> None:
    sidecar, _, admins = await start_with_files(start, tmp_path, clock)
    async with opened(sidecar, "namespace=token", **{"X-Admin-Token": "another"}) as push:
        await push.until("ready")
        admins.write_text("third\n")
        await until_status(sidecar, "third", 200)
        await clock.end_sleep()
        assert b"event: event" not in await push.end()


async def test_a_request_that_waits_gets_a_401_when_its_token_is_taken_away(
    start: Start, tmp_path: Path, clock: FakeClock
) -> None:
    sidecar, readers, _ = await start_with_files(start, tmp_path, clock)
    path = f"{CACHE}?namespace=token&ids=shop-a&min=9&wait=60"
    waiting = asyncio.create_task(sidecar.get(path, X_Admin_Token="r-file"))
    await until(lambda: sidecar.server.live.subscribers == 1)
    write_tokens(readers)
    await until_status(sidecar, "r-file", 401)
    await clock.end_sleep()
    answer = await waiting
    assert (answer.status, answer.json["message"]) == (401, "the token was changed or taken away meanwhile")
    check_answer("GET", CACHE, answer)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "must be a list of entries"),
        ("- {token: s3cr3t}", "entry 1: names no ids"),
        ("- {token: r-shop, ids: a}", "entry 1: its token is in eventscache.read_tokens as well"),
        ("- {token: admin, ids: a}", "entry 1: its token is an admin or ingest token too"),
        ("- {token: another, ids: a}", "entry 1: its token is an admin or ingest token too"),
        ("- {token: ingest, ids: a}", "entry 1: its token is an admin or ingest token too"),
    ],
)
async def test_a_file_with_a_fault_is_logged_once_and_the_last_read_tokens_stay_in_use(
    start: Start, tmp_path: Path, clock: FakeClock, log: Log, content: str, reason: str
) -> None:
    sidecar, readers, _ = await start_with_files(start, tmp_path, clock)
    assert [line for line in log.lines if "'read tokens reloaded'" in line]
    log.clear()
    complete = tmp_path / "complete"  # else the reloader may read the half that is written
    complete.write_text(content)
    complete.replace(readers)
    for _ in range(3):
        await sidecar.server._reloaders[-1].check()
    (line,) = log.lines
    assert "'read tokens not reloaded, the last ones stay in use'" in line
    assert reason in line
    assert "s3cr3t" not in line
    assert (await sidecar.get(ACCESS, X_Admin_Token="r-file")).json["ids"] == ["shop-*"]


async def test_an_admin_token_stays_one_if_a_read_token_is_equal_to_it(start: Start, tmp_path: Path) -> None:
    admins = tmp_path / "admins"
    admins.write_text("r-shop\n")
    sidecar = await start(**SETTINGS, admin_tokens_file=str(admins))
    assert (await sidecar.get(ACCESS, X_Admin_Token="r-shop")).json["token"] == "admin"
