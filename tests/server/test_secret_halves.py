"""The secret half of a write key of Jitsu 2, wherever it arrives: it finds the key, and is kept nowhere."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from eventscache.access.api_keys import ApiKey, KeyList
from tests.support import corpus
from tests.support.corpus import HALF, WRITE_KEY, Case, each
from tests.support.forms import FORM, form
from tests.support.sidecar import CACHE, Log, Sidecar, Start

PIXEL, JITSU2_PIXEL = "/api/v1/p.gif", "/api/px/event"
CLASSIC = ("/api/v1/event", "/api/v1/events", "/api.x", "/api/v1/s2s/event", "/api/v1/segment")
BATCH = "/v1/batch"
JITSU2 = ("/api/s/event", "/api/s/s2s/event", "/v1/page")
BULK = "/api/v1/events/bulk"
ROUTES = (*CLASSIC, *JITSU2, BATCH, BULK)
WEBHOOKS = ("/ingest/jitsu2?actor_id=d", "/ingest/jitsu-webhook?destination_id=d")
RECORDS = f"{CACHE}?id=d"
KEYS = KeyList((ApiKey("site", "client-secret", HALF), ApiKey("whole", "whole:client", "whole:server")))


async def send(sidecar: Sidecar, path: str, body: bytes, query: str = "", **headers: str) -> int:
    """Send an event on a route, in the form that the route takes, and return the status."""
    if path.endswith(BATCH):
        body = b'{"batch":[%b],"writeKey":"kid"}' % body
    elif path.endswith(BULK):
        body, headers = form(body), {**headers, "Content-Type": FORM}
    target = f"{path}{'&' if '?' in path else '?'}{query}"
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = [
        f"POST {target} HTTP/1.1",
        "Host: localhost",
        "Connection: close",
        f"Content-Length: {len(body)}",
        *lines,
        "",
        "",
    ]
    return int((await sidecar.raw("\r\n".join(head).encode() + body)).split()[1])


async def kept(sidecar: Sidecar) -> list[dict[str, Any]]:
    """Return all events, and check that the half is in none of the answers, nor in what was rejected."""
    events: list[dict[str, Any]] = []
    for namespace in ("token", "destination"):
        for path in (f"{CACHE}?namespace={namespace}&limit=1000", f"/api/v1/streams?namespace={namespace}"):
            answer = await sidecar.get(path)
            assert answer.status == 200
            assert HALF.encode() not in answer.body, path
            events += answer.json.get("events", [])
    record = sidecar.cache.record
    assert record
    for entry in (entry for log in record.logs for entry in log._entries):
        held = entry.held
        assert HALF not in repr((held, getattr(held, "records", ""), getattr(held, "data", ""), entry.details))
    return events


@pytest.fixture
async def sidecar(start: Start, log: Log) -> AsyncIterator[Sidecar]:
    yield await start(access_log=True)
    assert not [line for line in log.lines if HALF in line]


@each(corpus.WRITE_KEY_PLACES)
@pytest.mark.parametrize("prefix", ["", "/mirror"])
async def test_without_keys_the_part_before_the_colon_is_the_stream(sidecar: Sidecar, case: Case, prefix: str) -> None:
    query, headers = case.sent
    paths = [*CLASSIC, BULK, *((*JITSU2, BATCH) if case.expected else ())]
    for path in paths:
        assert await send(sidecar, prefix + path, b'{"type":"page"}', query, **headers) in {200, 204}, path
    events = await kept(sidecar)
    assert {event["token_id"] for event in events} == {"kid"}
    assert len(events) == len(paths)


@each(corpus.WRITE_KEY_PLACES)
async def test_with_keys_the_half_finds_the_key_on_every_route(start: Start, log: Log, case: Case) -> None:
    sidecar = await start(api_keys=KEYS, access_log=True)
    query, headers = case.sent
    paths = [*CLASSIC, BULK, *((*JITSU2, BATCH) if case.expected else ())]
    for path in paths:
        assert await send(sidecar, path, b'{"type":"page"}', query, **headers) == 200, path
    events = await kept(sidecar)
    assert {event["token_id"] for event in events} == {"site"}
    assert len(events) == len(paths)
    assert not [line for line in log.lines if HALF in line]


@pytest.mark.parametrize(
    ("token", "client", "server"),
    [
        ("client-secret", "site", ""),
        (HALF, "", "site"),
        ("any:client-secret", "site", "site"),
        (f"any:{HALF}:more", "site", "site"),
        ("whole:client", "whole", ""),
        ("whole:server", "", "whole"),
        ("any:whole:client", "whole", "whole"),
        ("any:wrong", "", ""),
        ("site:", "", ""),
        (f":{HALF}", "", ""),
        (f"{HALF}:any", "", ""),
    ],
)
async def test_a_key_counts_as_a_whole_or_else_its_half_does(
    start: Start, token: str, client: str, server: str
) -> None:
    sidecar = await start(api_keys=KEYS)
    for path, expected in (("/api/v1/event", client), ("/api/v1/s2s/event", server), ("/api/v1/segment", server)):
        assert await send(sidecar, path, b"{}", **{"X-Auth-Token": token}) == (200 if expected else 401), path
    streams = (await sidecar.get("/api/v1/streams?namespace=token")).json["streams"]
    assert {stream["id"] for stream in streams} == {client, server} - {""}


async def test_the_user_of_basic_authentication_counts_whatever_the_password(start: Start) -> None:
    sidecar = await start(api_keys=KEYS)
    basic = base64.b64encode(f"{HALF}:any".encode()).decode()
    assert await send(sidecar, "/api/v1/segment", b"{}", Authorization=f"Basic {basic}") == 200


async def test_a_page_with_the_half_of_a_key_may_read_what_its_origins_allow(start: Start) -> None:
    sidecar = await start(api_keys=KeyList((ApiKey("site", HALF, origins=("shop.example",)),)))
    for origin, allowed in (("https://shop.example", True), ("https://other.example", False)):
        for method in ("OPTIONS", "POST"):
            answer = await sidecar.ask(method, f"/api/v1/event?token={WRITE_KEY}", b"{}", Origin=origin)
            assert ("Access-Control-Allow-Origin" in answer.headers) is allowed


async def test_an_admin_token_at_a_wrong_place_becomes_no_id(start: Start) -> None:
    sidecar = await start(admin_tokens=("admin",))
    for path in CLASSIC:
        assert await send(sidecar, path, b"{}", Authorization="Bearer admin") == 401
    assert (await sidecar.get("/api/v1/streams?namespace=token", X_Admin_Token="admin")).json["streams"] == []


@pytest.mark.parametrize("token", [":", f":{HALF}", f"%3A{HALF}"])
async def test_nothing_before_the_colon_is_no_token(sidecar: Sidecar, token: str) -> None:
    for path in CLASSIC:
        assert await send(sidecar, path, b"{}", f"token={token}") == 401
    assert await kept(sidecar) == []


@each(corpus.WRITE_KEY_NAMES, corpus.NO_SECRET_HALVES)
@pytest.mark.parametrize("path", ROUTES)
async def test_the_half_is_hidden_by_its_name(sidecar: Sidecar, path: str, case: Case) -> None:
    original = expected(case)
    sent = case.sent
    if path == BULK:  # a line
        sent, original = sent.replace(b"\r\n", b"  "), original and original.replace(b"\r\n", b"  ")
    await send(sidecar, path, sent, "token=kid&writekey=kid")
    (event,) = await kept(sidecar)
    if original is None:
        assert event["error"]
        assert "***" in event["malformed"]
    await check_bytes(sidecar, event, original)


def expected(case: Case) -> bytes | None:
    """Return the original that is kept; None if it is malformed."""
    kept_bytes: bytes | None = case.sent if case in corpus.NO_SECRET_HALVES else case.expected
    return kept_bytes


async def check_bytes(sidecar: Sidecar, event: dict[str, Any], original: bytes | None) -> None:
    """Check that an original stands in the answer byte for byte."""
    if original is not None:
        namespace, name = ("token", event["token_id"]) if event["token_id"] else ("destination", "d")
        answer = await sidecar.get(f"{CACHE}?namespace={namespace}&ids={name}")
        assert b'"original":' + original + b"," in answer.body


@each(corpus.WRITE_KEY_NAMES, corpus.NO_SECRET_HALVES)
@pytest.mark.parametrize("path", WEBHOOKS)
@pytest.mark.parametrize("as_record", [False, True])
async def test_webhooks_hide_it(sidecar: Sidecar, path: str, case: Case, as_record: bool) -> None:
    original = expected(case)
    await send(sidecar, path, b'{"original":%b,"success":%b}' % (case.sent, case.sent) if as_record else case.sent)
    (event,) = await kept(sidecar)
    await check_bytes(sidecar, event, original)


@each(corpus.WRITE_KEY_NAMES, corpus.NO_SECRET_HALVES)
@pytest.mark.parametrize("kind", ["record", "records", "lines", "packed"])
async def test_records_hide_it(sidecar: Sidecar, case: Case, kind: str) -> None:
    original = expected(case)
    record = b'{"original":%b}' % case.sent
    if kind == "packed":
        if original is None:
            return
        record = msgspec.msgpack.encode({"original": case.sent})
    types = {"lines": "application/x-ndjson", "packed": "application/msgpack"}
    body = b"[%b]" % record if kind == "records" else record.replace(b"\r\n", b"  ") if kind == "lines" else record
    await send(sidecar, RECORDS, body, **{"Content-Type": types.get(kind, "application/json")})
    events = await kept(sidecar)
    if original is not None:
        assert len(events) == 1
        await check_bytes(sidecar, events[0], original.replace(b"\r\n", b"  ") if kind == "lines" else original)


@each(corpus.WRITE_KEYS_ANYWHERE)
@pytest.mark.parametrize("path", ROUTES)
async def test_the_half_of_the_senders_own_key_is_hidden_anywhere(sidecar: Sidecar, path: str, case: Case) -> None:
    await send(sidecar, path, case.sent, f"token={WRITE_KEY}&writekey={WRITE_KEY}")
    (event,) = await kept(sidecar)
    if case.expected is None:
        assert "***" in event["malformed"]
    await check_bytes(sidecar, event, case.expected)


@each(corpus.WRITE_KEYS_ANYWHERE)
async def test_the_key_in_a_body_counts_as_the_senders_own(sidecar: Sidecar, case: Case) -> None:
    if case.expected is None:
        return
    key = b'"writeKey":"kid:H4LFSECRET"}'
    for path, body in (
        ("/v1/batch", b'{"batch":[%b],%b' % (case.sent, key)),
        ("/v1/page", case.sent[:-1] + b"," + key),
    ):
        assert (await sidecar.post(path, body)).status == 200
    events = await kept(sidecar)
    assert [event["token_id"] for event in events] == ["kid", "kid"]
    assert json.loads(case.expected) in [event["original"] for event in events]


CLIENT, SERVER = "idtwo:clientsecret2", "idtwo:serversecret2"
TWO = KeyList((ApiKey("k2", CLIENT, SERVER),))


async def check_nothing_of_two(sidecar: Sidecar, log: Log, path: str, count: int) -> None:
    """Check that so many events are kept, and neither half of `TWO` in any of them, in the record or in the log."""
    events = (await sidecar.get(f"{CACHE}?namespace=token&ids=k2&limit=1000")).json["events"]
    assert len(events) == count, path
    record = sidecar.cache.record
    assert record
    held = [(entry.held, getattr(entry.held, "records", "")) for kept in record.logs for entry in kept._entries]
    for secret in ("clientsecret2", "serversecret2"):
        assert secret not in repr((events, held, log.lines)), path


TEXTS = f"{CLIENT} clientsecret2 {CLIENT.replace(':', '%3A')} {SERVER} serversecret2 {SERVER.replace(':', '%3a')}"


@pytest.mark.parametrize("body", ['{{"x":"{0}"}}', '{{"x":"{0}"', '{{"type":"{0}"}}'])
@pytest.mark.parametrize(
    "key", [CLIENT, SERVER, "any:idtwo:clientsecret2", "any:idtwo:serversecret2", "idtwo%3Aserversecret2"]
)
@pytest.mark.parametrize("path", ROUTES)
async def test_both_secrets_of_a_key_are_hidden_whichever_is_sent(
    start: Start, log: Log, path: str, key: str, body: str
) -> None:
    sidecar = await start(api_keys=TWO, access_log=True)
    status = await send(sidecar, path, body.format(TEXTS).encode(), **{"X-Write-Key": key})
    takes_other_kind = path.startswith(("/api/s/", BATCH, "/v1/")) or key not in {CLIENT, SERVER}
    assert status != 401 or not takes_other_kind
    await check_nothing_of_two(sidecar, log, path, 0 if status == 401 else 1)


@pytest.mark.parametrize("key", [CLIENT, SERVER, "any:idtwo:clientsecret2", "any%3Aidtwo%3Aserversecret2"])
async def test_both_secrets_are_hidden_if_the_body_names_the_key(start: Start, log: Log, key: str) -> None:
    sidecar = await start(api_keys=TWO)
    named = f'"x":"{TEXTS}","writeKey":"{key}"'
    assert (await sidecar.post("/v1/page", f"{{{named}}}".encode())).status == 200
    assert (await sidecar.post(BATCH, f'{{"batch":[{{"type":"page",{named}}}],{named}}}'.encode())).status == 200
    assert (await sidecar.post(BATCH, f'{{"batch":[{{"type":"{TEXTS}"}}],{named}}}'.encode())).status == 200
    assert (await sidecar.post(BATCH, f'{{"batch":[5],{named}}}'.encode())).status == 400
    await check_nothing_of_two(sidecar, log, BATCH, 3)


@pytest.mark.parametrize("key", [CLIENT, SERVER])
@pytest.mark.parametrize("data", ['{{"x":"{0}"}}', '{{"x":"{0}"'])
async def test_both_secrets_are_hidden_in_pixels(start: Start, log: Log, key: str, data: str) -> None:
    sidecar = await start(api_keys=TWO)
    encoded = base64.b64encode(data.format(TEXTS).encode()).decode()
    texts = TEXTS.replace(" ", "+")
    classic = await sidecar.get(f"{PIXEL}?token={key}&y={texts}&data={encoded}")
    other = await sidecar.get(f"{JITSU2_PIXEL}?writekey={key}&type={texts}&data={encoded}")
    assert (classic.status, other.status) == (200 if data.endswith("}}") else 400, 200)
    await check_nothing_of_two(sidecar, log, PIXEL, 2)


@pytest.mark.parametrize("key", [SERVER, "any:idtwo:clientsecret2"])
@pytest.mark.parametrize("query", ["", "fallback=true&", "fallback=true&skip_malformed=true&"])
async def test_both_secrets_are_hidden_in_broken_lines(start: Start, log: Log, key: str, query: str) -> None:
    sidecar = await start(api_keys=TWO)
    lines = f'{{"x":"{TEXTS}\n{{"event":5,"error":"{TEXTS}"}}\n{{"malformed_event":"{TEXTS}","error":"{TEXTS}"}}'
    answer = await sidecar.post(f"{BULK}?{query}token={key}", form(lines.encode()), Content_Type=FORM)
    assert "secret2" not in answer.body.decode()
    await check_nothing_of_two(sidecar, log, BULK, 3 if "skip" in query else 1)


async def test_a_short_half_is_hidden_with_its_id_only(sidecar: Sidecar) -> None:
    await send(sidecar, "/api/v1/event", b'{"a":"1","n":1,"b":"x k:1 %3A1","c":"k%3A1"}', "token=k:1")
    (event,) = await kept(sidecar)
    assert event["original"] == {"a": "1", "n": 1, "b": "x k:*** %3A1", "c": "k%3A***"}


@pytest.mark.parametrize("half", ["12345678", "aaaa\\u0041", "u0041u00", 'quo"te"quote', "true:false", "ü" * 8])
async def test_an_original_stays_valid_whatever_the_half_is(sidecar: Sidecar, half: str) -> None:
    event = {"n": 12345678, "a": half, "b": f"{half}\\u0041\\", "c": [True, f"k:{half}"], half: {}}
    for body in (json.dumps(event), json.dumps(event, ensure_ascii=False)):
        headers = {"Authorization": "Basic " + base64.b64encode(f"k:{half}".encode()).decode()}
        assert await send(sidecar, "/api/v1/event", body.encode(), **headers) == 200
    one, other = await kept(sidecar)
    assert one["original"]["n"] == other["original"]["n"] == 12345678


@pytest.mark.parametrize("name", ["token", "api_key", "writeKey", "user.write_key"])
async def test_the_pixel_hides_it(sidecar: Sidecar, name: str) -> None:
    data = base64.b64encode(rb'{"n":1.10, "Api_Key":"k:H4LFSECRET","url":"x?kid:H4LFSECRET"}').decode()
    for key in (WRITE_KEY, f"kid%3A{HALF}"):
        token = "" if name == "token" else f"token={key}&"
        for query in (f"{name}={key}", f"{name}={key}&data={data}", f"{name}={key}&data={data}&{name}={key}"):
            assert (await sidecar.get(f"{PIXEL}?{token}{query}")).status == 200
            assert (await sidecar.get(f"{PIXEL}?data=eyJhIjo=&{query}&token={key}")).status == 400
            assert (await sidecar.get(f"{JITSU2_PIXEL}?writekey={key}&type=page&{query}")).status == 200
    assert {event["token_id"] for event in await kept(sidecar)} == {"kid"}


@pytest.mark.parametrize("text", [rb'{"token":"kid\u003aH4LFSECRET"}', rb'{"api_key":"kid:H4LFSECRET","n":1}'])
async def test_the_pixel_hides_it_in_its_data(start: Start, text: bytes) -> None:
    for keys, token_id in ((KeyList(), "kid"), (KEYS, "site")):
        sidecar = await start(api_keys=keys)
        assert (await sidecar.get(f"{PIXEL}?data={base64.b64encode(text).decode()}")).status == 200
        (event,) = await kept(sidecar)
        assert event["token_id"] == token_id


async def test_a_webhook_finds_the_key_by_the_half_and_hides_it_everywhere(start: Start) -> None:
    sidecar = await start(api_keys=KEYS)
    await send(sidecar, WEBHOOKS[0], b'{"api_key":"kid:H4LFSECRET","url":"/?k=kid:H4LFSECRET","n":1.10}')
    (event,) = await kept(sidecar)
    assert event["token_id"] == "site"
    assert event["original"] == {"api_key": "kid:***", "url": "/?k=kid:***", "n": 1.10}


@pytest.mark.parametrize("name", ["writeKey", "write_key", "api_key", "apiKey"])
@pytest.mark.parametrize("key", [CLIENT, SERVER])
@pytest.mark.parametrize(
    "body", ["{0}", '[{{"n":1}},{0}]', '{{"n":1}}\n{0}\n', '{{"original":{0},"error":"{1}"}}', "[{0},5]", "{0},"]
)
async def test_a_webhook_hides_all_halves_of_a_key_that_its_event_names(
    start: Start, log: Log, name: str, key: str, body: str
) -> None:
    sidecar = await start(api_keys=TWO)
    event = f'{{"{name}":"{key}","x":"{TEXTS}","in":{{"y":"{SERVER}"}}}}'
    assert (await sidecar.post(WEBHOOKS[0], body.format(event, TEXTS).encode())).status == 200
    events = (await sidecar.get(f"{CACHE}?ids=d")).json["events"]
    assert len(events) == (2 if '"n"' in body else 1)
    assert "secret2" not in repr(events)
    await check_nothing_of_two(sidecar, log, WEBHOOKS[0], 0)


async def test_a_webhook_hides_the_half_that_is_named_without_keys(sidecar: Sidecar) -> None:
    await send(sidecar, WEBHOOKS[0], b'{"a":{"writeKey":"kid:H4LFSECRET"},"x":"H4LFSECRET","api_key":"js.a"}')
    (event,) = await kept(sidecar)
    assert event["original"] == {"a": {"writeKey": "kid:***"}, "x": "***", "api_key": "js.a"}


@pytest.mark.parametrize("route", [PIXEL, f"{JITSU2_PIXEL}?type=page"])
async def test_a_half_that_ends_with_a_quote_leaves_the_event_valid(sidecar: Sidecar, route: str) -> None:
    sign = "&" if "?" in route else "?"
    query = "token=p1:abcdefg%22&writekey=p1:abcdefg%22&a=abcdefg&b=%22abcdefg&c=abcdefg%22"
    assert (await sidecar.get(f"{route}{sign}{query}")).status == 200
    (event,) = await kept(sidecar)
    original = event["original"]
    assert (original["a"], original["b"], original["c"]) == ("abcdefg", '"abcdefg', "***")


@pytest.mark.parametrize("path", [f"/api/s/kid%3A{HALF}", f"{JITSU2_PIXEL[:-5]}kid%3A{HALF}"])
async def test_the_error_of_an_event_has_no_half(sidecar: Sidecar, path: str) -> None:
    if path.startswith("/api/s/"):
        answer = await sidecar.post(path, b"{}", X_Write_Key=WRITE_KEY)
    else:
        answer = await sidecar.get(path, X_Write_Key=WRITE_KEY)
        assert HALF not in str(answer.headers)
    assert HALF.encode() not in answer.body
    (event,) = await kept(sidecar)
    assert "Unknown event type: " in event["error"]
    assert "***" in event["error"]


async def test_the_errors_of_a_batch_have_no_half(sidecar: Sidecar) -> None:
    body = b'{"batch":[{"type":"kid:H4LFSECRET"},{"type":"x","messageId":"kid:H4LFSECRET"}]}'
    answer = await sidecar.post(BATCH, body, X_Write_Key=WRITE_KEY)
    assert b"kid:***" in answer.body
    assert HALF.encode() not in answer.body
    assert len(await kept(sidecar)) == 2


@pytest.mark.parametrize(("size", "threads"), [(10_000, 0), (20_000, 1)])
@pytest.mark.parametrize("path", ["/api/v1/event", "/api/s/event"])
async def test_what_has_much_to_hide_is_searched_in_a_thread(
    sidecar: Sidecar, monkeypatch: pytest.MonkeyPatch, path: str, size: int, threads: int
) -> None:
    bodies, calls = sidecar.server._context.bodies, 0
    in_thread = bodies.in_thread

    async def counted(function: Callable[..., Any], *arguments: object) -> Any:
        nonlocal calls
        calls += 1
        return await in_thread(function, *arguments)

    monkeypatch.setattr(bodies, "in_thread", counted)
    for text, expected_calls in ((HALF, threads), ("other", 0)):
        calls = 0
        body = b'{"type":"page","a":"%b%b"}' % (b"x" * size, text.encode())
        assert (await sidecar.post(path, body, X_Write_Key=WRITE_KEY)).status == 200
        assert calls == expected_calls
    assert len(await kept(sidecar)) == 2


async def test_a_key_that_is_only_around_the_events_needs_no_thread(
    sidecar: Sidecar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sidecar.server._context.bodies, "in_thread", None)
    body = b'{"batch":[{"type":"page","a":"%b"}],"writeKey":"kid:H4LFSECRET"}' % (b"x" * 20_000)
    assert (await sidecar.post(BATCH, body, X_Write_Key=WRITE_KEY)).status == 200
    assert len(await kept(sidecar)) == 1


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (
            b'{"original":{"api_key":"k:clientsecret1","note":"sent with k:clientsecret1"},"success":{"table":"e"}}',
            {"original": {"api_key": "k:***", "note": "sent with k:***"}, "success": {"table": "e"}},
        ),
        (
            b'{"original":{"api_key":"k:clientsecret1"},"success":{"a":"k:clientsecret1"},"skip":"k:clientsecret1"}',
            {"success": {"a": "k:***"}, "skip": "k:***"},
        ),
        (
            (
                b'{"original":{"api_key":"k:clientsecret1"},"error":"e clientsecret1","malformed":"k:clientsecret1",'
                b'"response":{"status":400,"body":"k%3Aclientsecret1"}}'
            ),
            {"error": "e ***", "malformed": "k:***", "response": {"status": 400, "body": "k%3A***"}},
        ),
        (
            rb'{"original":{"api_key":"k:clientsecret1","a":"\ud83d k:clientsecret1"}}',
            {"original": {"api_key": "k:***", "a": "\ud83d k:***"}},
        ),
        (
            rb'{"api_key":"k\u003aclientsecret1","a":"\ud83d clientsecret1"}',
            {"original": {"api_key": "k:***", "a": "\ud83d ***"}},
        ),
    ],
)
@pytest.mark.parametrize("path", WEBHOOKS)
@pytest.mark.parametrize("form_of_body", [b"%b", b'[{"n":1},%b]', b"[0,%b]"])
async def test_a_record_of_a_webhook_names_its_key_and_keeps_no_half(
    start: Start, log: Log, path: str, record: bytes, expected: dict[str, Any], form_of_body: bytes
) -> None:
    sidecar = await start(api_keys=KeyList((ApiKey("site", "clientsecret1", ""),)))
    await send(sidecar, path, form_of_body % record)
    answer = await sidecar.get(f"{CACHE}?namespace=destination&ids=d")
    assert b"clientsecret1" not in answer.body
    if form_of_body != b"[0,%b]":
        event = answer.json["events"][0]
        assert {name: event[name] for name in expected} == expected
        assert event["token_id"] == ("site" if b'api_key":' in record else "")
    assert "clientsecret1" not in repr(log.lines)


async def test_a_broken_body_of_a_webhook_keeps_no_half(sidecar: Sidecar) -> None:
    await send(sidecar, WEBHOOKS[0], b'{"api_key":"kid:H4LFSECRET","note":"H4LFSECRET')
    (event,) = await kept(sidecar)
    assert event["malformed"] == '{"api_key":"kid:***","note":"***'


async def test_an_invalid_record_of_a_webhook_keeps_no_half(sidecar: Sidecar) -> None:
    await send(sidecar, WEBHOOKS[0], b'{"original":{"api_key":"kid:H4LFSECRET"},"kid:H4LFSECRET":1}')
    assert sidecar.cache.ledger.rejected == 1
    assert await kept(sidecar) == []


@pytest.mark.parametrize("name", ["error", "skip", "malformed"])
@pytest.mark.parametrize("form_of_body", [b"%b", b"[%b]"])
async def test_a_half_is_hidden_by_its_name_in_each_text_of_a_record(
    sidecar: Sidecar, name: str, form_of_body: bytes
) -> None:
    record = json.dumps({"original": {}, "malformed": "{}", name: f"api_key=kid:{HALF}"}).encode()
    await send(sidecar, RECORDS, form_of_body % record, **{"Content-Type": "application/json"})
    (event,) = await kept(sidecar)
    assert event[name] == "api_key=kid:***"


@pytest.mark.parametrize("key", [f"kid%3A{HALF}", f"kid%253a{HALF}", f"kid%25253A{HALF}"])
async def test_the_settings_of_a_key_name_no_half(sidecar: Sidecar, key: str) -> None:
    answer = await sidecar.get(f"/v1/projects/{key}/settings")
    assert answer.json["integrations"]["Segment.io"]["apiKey"] == "kid"


async def test_a_key_that_a_body_has_encoded_is_hidden_in_its_events(sidecar: Sidecar) -> None:
    body = b'{"batch":[{"type":"page","a":"kid%3AH4LFSECRET H4LFSECRET"}],"writeKey":"kid%3AH4LFSECRET"}'
    assert (await sidecar.post(BATCH, body)).status == 200
    (event,) = await kept(sidecar)
    assert (event["token_id"], event["original"]["a"]) == ("kid", "kid%3A*** ***")


async def test_a_secret_that_looks_encoded_is_found_as_it_is(start: Start) -> None:
    sidecar = await start(api_keys=KeyList((ApiKey("site", "a%3Ab", "c%3Ad"),)))
    for path, key in (("/api/v1/event", "a%3Ab"), ("/api/s/event", "a%3Ab"), ("/api/s/s2s/event", "c%3Ad")):
        assert await send(sidecar, path, b'{"type":"page"}', **{"X-Write-Key": key}) == 200
