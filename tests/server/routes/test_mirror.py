"""`/mirror/...`: events are taken as on the route that is mirrored, and every answer is a 204."""

import asyncio
import gzip
from typing import Any

import pytest
from yarl import URL

from eventscache.access.api_keys import ApiKey, KeyList
from eventscache.server.context import Context
from eventscache.server.routing import INGESTION_ROUTES
from tests.support import wire
from tests.support.corpus import Case, each
from tests.support.forms import FORM, form
from tests.support.raw_client import Client
from tests.support.sidecar import CACHE, Answer, Log, Sidecar, Start

EVENT = b'{"n":1}'
KEY = ApiKey("id", "client", "server")
FAULT = "input rejected: more of its kind is only counted"


def check(answer: Answer) -> None:
    """Check that nothing of the mirrored answer is told."""
    assert (answer.status, answer.body) == (204, b"")
    assert not {"Content-Length", "Content-Type", "WWW-Authenticate", "Retry-After", "Allow"} & set(answer.headers)
    assert not [name for name in answer.headers if name.startswith("Access-Control")]


def unread(sidecar: Sidecar) -> dict[str, int]:
    assert sidecar.cache.record
    return dict(sidecar.cache.record.unread)


async def kept(sidecar: Sidecar, stream_id: str = "key") -> list[Any]:
    events = await sidecar.events(f"namespace=token&ids={stream_id}")
    return [event.get("original", event.get("malformed")) for event in events][::-1]


@pytest.mark.parametrize("path", sorted({path for method, path, _ in INGESTION_ROUTES if method == "POST"}))
async def test_each_ingestion_route_takes_the_event_of_a_copy(sidecar: Sidecar, path: str) -> None:
    path = path.replace("{", "").replace("}", "")
    await sidecar.post(f"{path}?token=key", EVENT, Origin="https://shop.example")
    answer = await sidecar.post(f"/mirror{path}?token=key", EVENT, Origin="https://shop.example")
    check(answer)
    direct, mirrored = (await kept(sidecar)) or [None, None]
    assert direct == mirrored


async def test_token_body_and_encoding_are_read_as_on_the_route_itself(start: Start) -> None:
    sidecar = await start(api_keys=KeyList((KEY,)))
    await sidecar.post("/mirror/api/v1/s2s/events", b'[{"n":1},{"n":2}]', X_Auth_Token="server")
    await sidecar.post("/mirror/api/v1/event?p_x=client", gzip.compress(b'{"n":3}'), Content_Encoding="gzip")
    assert await kept(sidecar, "id") == [{"n": 1}, {"n": 2}, {"n": 3}]


async def test_what_is_not_ingestion_is_not_done(sidecar: Sidecar) -> None:
    await sidecar.record(b'{"token_id":"key","original":{"n":1}}')
    for method, path in (
        ("GET", f"{CACHE}?namespace=token&ids=key"),
        ("DELETE", f"{CACHE}?namespace=token&ids=key"),
        ("POST", f"{CACHE}?namespace=token&id=key"),
        ("GET", "/metrics"),
        ("GET", "/ui/"),
        ("POST", "/mirror/api/v1/event?token=key"),
        ("POST", "/ingest/jitsu2?actor_id=key"),
        ("POST", "//api/v1/event?token=key"),
    ):
        body = b'{"token_id":"key","original":{"n":2}}' if method == "POST" else None
        check(await sidecar.ask(method, f"/mirror{path}", body, Content_Type="application/json"))
    assert await kept(sidecar) == [{"n": 1}]
    assert unread(sidecar) == {"not_found": 4}  # those that may have brought events
    assert sidecar.cache.ledger.rejected == 4


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
async def test_every_method_is_answered(sidecar: Sidecar, method: str) -> None:
    check(await sidecar.ask(method, "/mirror/api/v1/event?token=key", Origin="https://shop.example"))
    check(await sidecar.ask(method, "/mirror/whatever?token=key"))
    assert set(unread(sidecar)) <= {"method_not_allowed", "not_found"}


@pytest.mark.parametrize(
    "target", ["http://jitsu.example/mirror/api/v1/event?token=key", "/mirror/api/v1/event?token=key"]
)
async def test_a_target_may_be_a_whole_url(sidecar: Sidecar, target: str) -> None:
    request = f"POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 7\r\n\r\n"
    assert (await sidecar.raw(request.encode() + EVENT)).startswith(b"HTTP/1.1 204 ")
    assert await kept(sidecar) == [{"n": 1}]


async def test_a_websocket_is_answered_too(sidecar: Sidecar) -> None:
    request = b"GET /mirror/x HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    assert (await sidecar.raw(request)).startswith(b"HTTP/1.1 204 ")


FAULTS = {
    "unknown_token": ("?token=wrong", EVENT, {}),
    "wrong_token_type": ("?token=server", EVENT, {}),
    "unsupported_encoding": ("?token=client", EVENT, {"Content_Encoding": "br"}),
    "invalid_gzip": ("?token=client", gzip.compress(EVENT)[:-9], {"Content_Encoding": "gzip"}),
    "body_too_large": ("?token=client", b" " * 300_000, {}),
    "too_many_events": ("?token=client", b"[" + b"{}," * 10 + b"{}]", {}),
}


@pytest.mark.parametrize("code", FAULTS)
async def test_what_is_rejected_is_counted_by_its_code_and_logged_once(start: Start, log: Log, code: str) -> None:
    sidecar = await start(api_keys=KeyList((KEY,)), max_body_bytes=200_000, max_batch=10)
    query, body, headers = FAULTS[code]
    for _ in range(20):
        answer = await sidecar.post(f"/mirror/api/v1/event{query}", body, **headers)
        check(answer)
        assert "Connection" not in answer.headers  # all of it has been read, so another request can follow
    assert unread(sidecar) == {code: 20}
    assert sidecar.cache.ledger.rejected == sidecar.cache.ledger.received == 20
    assert len([line for line in log.lines if FAULT in line and f"'{code}'" in line]) == 1
    assert log.faults == []


async def test_what_jitsu_keeps_as_malformed_is_kept(sidecar: Sidecar, log: Log) -> None:
    for body in (b'{"n":', b"", b"no json", b" {}"):
        check(await sidecar.post("/mirror/api/v1/event?token=key", body))
    errors = await sidecar.events("namespace=token&ids=key&status=error")
    assert [event.get("malformed", "") for event in errors][::-1] == ['{"n":', "", "no json", " {}"]
    assert [line.count("malformed_body") for line in log.lines if FAULT in line] == [1]
    assert unread(sidecar) == {}


HEAD = b"POST /mirror/api/v1/event?token=key HTTP/1.1\r\nHost: x\r\n"


async def test_a_body_that_does_not_come_in_time_is_counted_and_ends_the_connection(start: Start, log: Log) -> None:
    sidecar = await start(body_timeout_ms=100)
    answer = await sidecar.raw(HEAD + b"Content-Length: 100\r\n\r\n" + EVENT)
    assert answer.startswith(b"HTTP/1.1 204 No Content\r\n")
    assert b"Connection: close" in answer
    assert unread(sidecar) == {"body_timeout": 1}
    assert (sidecar.cache.ledger.rejected, log.faults) == (1, [])
    await sidecar.still_serves()


@pytest.mark.parametrize("framing", [b"Content-Length: 100\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n64\r\n"])
@pytest.mark.parametrize("path", [b"/mirror/api/v1/event?token=key", b"/ingest/jitsu2?actor_id=d"])
async def test_a_sender_that_truncates_and_leaves_is_counted(
    start: Start, log: Log, path: bytes, framing: bytes
) -> None:
    sidecar = await start()
    url = URL(sidecar.address)
    _, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\n" + framing + EVENT)
    await writer.drain()
    writer.close()
    async with asyncio.timeout(20):
        while not sidecar.cache.ledger.rejected:
            await asyncio.sleep(0.01)
    assert unread(sidecar) == {"invalid_http": 1}
    assert log.faults == []
    await sidecar.still_serves()


@each(wire.MIRRORED_INVALID_HTTP)
async def test_a_copy_that_is_not_valid_http_is_answered_counted_and_told_once(
    start: Start, log: Log, case: Case
) -> None:
    sidecar = await start()
    for _ in range(3):
        answer = await sidecar.raw(case.sent)
        assert answer.startswith(b"HTTP/1.0 204 No Content\r\n")
        assert b"Connection: keep-alive" not in answer
        assert answer.endswith(b"\r\n\r\n")
    assert unread(sidecar) == {case.expected: 3}
    assert (sidecar.cache.ledger.received, sidecar.cache.ledger.rejected) == (3, 3)
    (line,) = log.lines
    assert "'route': '/mirror'" in line
    assert f"'kind': '{case.expected}'" in line
    assert "secret" not in line
    await sidecar.still_serves()


@each(wire.MIRRORED_INVALID_HTTP)
async def test_its_target_is_known_in_whatever_pieces_it_comes(start: Start, case: Case) -> None:
    sidecar = await start()
    client = await Client.of(sidecar)
    for start_at in range(0, 40, 8):
        client.send(case.sent[start_at : start_at + 8])
        await sidecar.still_serves()  # so that this piece has been read
    client.send(case.sent[40:])
    assert (await client.read()).startswith(b"HTTP/1.0 204 ")
    await client.close()
    assert unread(sidecar) == {case.expected: 1}


async def test_raw_bytes_of_a_target_are_taken_in_whatever_pieces_they_come(start: Start) -> None:
    sidecar = await start()
    for target in ("/mirror/api/v1/event?token=key&x=\u00e9", "/mirror/api.\u00e9?token=key"):
        sent = f"\r\nPOST {target} HTTP/1.1\r\nHost: x\r\nX-A: \u00e9\r\n".encode()
        sent += b"Content-Length: 9\r\n\r\n" + '{"a":"\u00e9'.encode() + b"}"
        for at in (0, *range(len(sent))):
            client = await Client.of(sidecar)
            client.send(sent[:at])
            await sidecar.still_serves()  # so that this piece has been read
            client.send(sent[at:])
            assert (await client.read(until=b"\r\n\r\n")).startswith(b"HTTP/1.1 204 ")
            await client.close()
    assert unread(sidecar) == {}


async def test_a_pixel_takes_raw_bytes_as_escapes(sidecar: Sidecar) -> None:
    for target in (b"token=key&x=\xc3\xa9", b"token=key&x=\xff", b"token=key&\xc3\xa9.x=1"):
        answer = await sidecar.raw(b"GET /mirror/api/v1/p.gif?" + target + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 204 ")
    assert await kept(sidecar) == [
        {"token": "key", "x": "\u00e9"},
        {"token": "key", "x": "\ufffd"},
        {"token": "key", "\u00e9": {"x": "1"}},
    ]


async def test_a_body_is_never_changed_and_no_longer_line_smuggles_a_request(sidecar: Sidecar) -> None:
    body = "POST /api/v1/event?token=smuggled&\u00e9 HTTP/1.1\r\n".encode()
    head = HEAD + b"Content-Length: %d\r\n\r\n" % (len(body) + len(EVENT))
    client = await Client.of(sidecar)
    for piece in (head, body, EVENT + HEAD + b"Content-Length: 7\r\nConnection: close\r\n\r\n" + EVENT):
        client.send(piece)
        await sidecar.still_serves()  # so that this piece has been read
    assert (await client.read()).count(b"HTTP/1.1 204 ") == 2
    await client.close()
    assert await kept(sidecar) == [(body + EVENT).decode(), {"n": 1}]
    assert await kept(sidecar, "smuggled") == []


@pytest.mark.parametrize(
    "path", ["api/px/page?writekey=key&data=x", "api/v1/events/bulk?token=key", "v1/batch?writekey=key"]
)
async def test_what_a_route_tells_itself_is_told_of_the_mirror_and_once(sidecar: Sidecar, log: Log, path: str) -> None:
    method = "GET" if "/px/" in path else "POST"
    body = {"GET": None, "POST": b'{"batch":[{"n":1}]}'}[method]
    headers = {}
    if "bulk" in path:
        body, headers = form(b"no json\n"), {"Content_Type": FORM}
        path += "&fallback=true&skip_malformed=true"
    for _ in range(3):
        check(await sidecar.ask(method, f"/mirror/{path}", body, **headers))
    (line,) = log.lines
    assert "'route': '/mirror'" in line


async def test_the_token_of_a_mirrored_pixel_is_told_of_the_mirror_and_once(start: Start, log: Log) -> None:
    sidecar = await start(api_keys=KeyList((KEY,)))
    for _ in range(3):
        check(await sidecar.get("/mirror/api/v1/p.gif?token=wrong"))
    (line,) = log.lines
    assert "'route': '/mirror'" in line
    await sidecar.get("/api/v1/p.gif?token=wrong")
    assert "'route': '/api/v1/p.gif'" in log.lines[-1]


async def test_a_chunk_that_is_wrong_later_is_told_in_one_line(sidecar: Sidecar, log: Log) -> None:
    for _ in range(3):
        client = await Client.of(sidecar)
        client.send(HEAD + wire.CHUNKED + b"\r\n3\r\n{}\n\r\n")
        await sidecar.still_serves()  # so that this piece has been read
        client.send(b"XX\r\n")
        assert (await client.read()).startswith(b"HTTP/1.1 204 ")
        await client.close()
    assert unread(sidecar) == {"invalid_http": 3}
    (line,) = log.lines
    assert "'route': '/mirror'" in line


async def test_a_proxy_that_waits_for_100_continue_gets_its_answer(start: Start) -> None:
    sidecar = await start(api_keys=KeyList((KEY,)))
    for token, started in ((b"client", b"HTTP/1.1 100 Continue"), (b"wrong", b"HTTP/1.1 204 ")):
        head = HEAD.replace(b"key", token) + b"Expect: 100-continue\r\nContent-Length: 7\r\n\r\n"
        assert (await sidecar.raw(head + EVENT, until=b"204 No Content\r\n")).startswith(started)


async def test_ten_thousand_requests_come_on_one_connection(start: Start) -> None:
    sidecar = await start(api_keys=KeyList((KEY,)))
    several = b"".join(
        HEAD.replace(b"key", token) + b"Content-Length: 7\r\n\r\n" + EVENT
        for token in (b"client", b"wrong", b"client", b"server")
    )
    last = HEAD.replace(b"key", b"client") + b"Content-Length: 7\r\nConnection: close\r\n\r\n" + EVENT
    answers = await sidecar.raw(several * 2500 + last)
    assert answers.count(b"HTTP/1.1 204 No Content\r\n") == 10_001
    assert answers.count(b"\r\n\r\n") == 10_001
    assert unread(sidecar) == {"unknown_token": 2500, "wrong_token_type": 2500}
    ledger = sidecar.cache.ledger
    assert (ledger.received, ledger.rejected) == (10_001, 5000)


async def test_a_full_queue_changes_no_answer(start: Start) -> None:
    sidecar = await start(queue_bytes=1)
    check(await sidecar.post("/mirror/api/v1/event?token=key", EVENT))
    assert sidecar.cache.ledger.dropped["queue_full"] == 1


async def test_a_bug_of_ours_is_logged_and_counted(start: Start, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    sidecar = await start()

    def broken(_: Context, *__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(type(sidecar.cache), "offer_originals_in_turns", broken)
    check(await sidecar.post("/mirror/api/v1/event?token=key", EVENT))
    assert len(log.faults) == 1
    assert unread(sidecar) == {"internal_error": 1}
