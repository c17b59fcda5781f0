"""Jitsu's route for files of events."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from yarl import URL

from eventscache.access.api_keys import ApiKey, KeyList
from eventscache.ingest.bulk import BulkFile
from eventscache.ingest.limits import Limits
from tests.support.event_streams import until
from tests.support.forms import END, FORM, form, part
from tests.support.sidecar import CACHE, Answer, Log, Sidecar, Start

BULK = "/api/v1/events/bulk"
KEYS = KeyList((ApiKey("id", "client", "server"),))
LINES = b'{"n":1.10}\n { "n" : 2 } what follows\n{"n":3,"t":"\xff"}'
INTO_MAP = "cannot unmarshal bytes into Go value of type map[string]interface {}: "
NO_FORM = "failed to read 'file' form parameter: "
NO_JSON = "failed to parse JSON payload: "


async def send(sidecar: Sidecar, body: Any, query: str = "token=key", **headers: str) -> Answer:
    return await sidecar.ask("POST", f"{BULK}?{query}", body, **{"Content_Type": FORM, **headers})


async def kept(sidecar: Sidecar, status: str = "") -> list[dict[str, Any]]:
    return (await sidecar.events(f"namespace=token&ids=key&status={status}"))[::-1]


async def test_every_line_is_an_event_as_it_was_sent(sidecar: Sidecar) -> None:
    answer = await send(sidecar, form(LINES))

    assert (answer.status, answer.body) == (200, b'{"status":"ok"}')
    events = (await sidecar.get(f"{CACHE}?namespace=token&ids=key")).body
    for line in (b'{"n":1.10}', b'{ "n" : 2 }', '{"n":3,"t":"\ufffd"}'.encode()):
        assert events.count(b'{"original":' + line + b',"timestamp"') == 1
    assert len(await kept(sidecar)) == 3


async def test_a_file_is_the_same_in_pieces_of_any_size(sidecar: Sidecar) -> None:
    body = part(b"a field", b"project", b"") + form(b"\r\n".join([b'{"n":%d}' % n for n in range(50)]))

    async def pieces(size: int) -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    for size in (1, 7, 64):
        assert (await send(sidecar, pieces(size))).status == 200
    events = await kept(sidecar)
    assert [event["original"]["n"] for event in events] == [*range(50), *range(50)]


async def test_the_file_may_be_zipped_and_not_the_body(sidecar: Sidecar) -> None:
    members = gzip.compress(LINES[:15]) + gzip.compress(LINES[15:])
    assert (await send(sidecar, form(members), Content_Encoding="gzip")).status == 200
    assert len(await kept(sidecar)) == 3
    zipped = await send(sidecar, gzip.compress(form(LINES)), Content_Encoding="gzip")
    assert (zipped.status, zipped.json["message"]) == (400, f"{NO_FORM}multipart: NextPart: EOF")


async def test_a_line_of_the_log_of_failed_events_is_its_event(sidecar: Sidecar) -> None:
    failed = b'{"event":{"n":1.10},"error":"late","event_id":"7","RecognizedEvent":false}\n{"Event":{"n":2}}\n'
    assert (await send(sidecar, form(failed), "token=key&fallback=true")).status == 200
    assert [event["original"] for event in await kept(sidecar)] == [{"n": 1.1}, {"n": 2}]
    assert (await send(sidecar, form(failed))).status == 200
    assert (await kept(sidecar))[-1]["original"] == {"Event": {"n": 2}}


MALFORMED = b'{"malformed_event":"{x","error":"bad"}'
FALLBACK = (
    (MALFORMED, "event: {x was sent to fallback because it is malformed (not valid JSON): bad"),
    (b'{"error":"x"}', '\'event\' field can\'t be empty in fallback object: {"error":"x"}'),
    (b"x", "cannot unmarshal bytes into Go value of type FailedEvent {}: invalid character 'x' looking for beginning"),
    (b'{"event":[]}', f'Error parsing event {{"event":[]}} malformed json: {INTO_MAP}json: cannot unmarshal array'),
    (b"null", "'event' field can't be empty in fallback object: null"),
    (b' null {"event":{}}', "'event' field can't be empty in fallback object:  null"),
    (b'{"event":null}', 'Error parsing event {"event":null} malformed json: '),
    (b'{"error":5}', "cannot unmarshal bytes into Go value of type FailedEvent {}: json: cannot unmarshal number"),
)


@pytest.mark.parametrize(("line", "reason"), FALLBACK)
async def test_a_broken_line_fails_its_file_or_is_skipped(sidecar: Sidecar, line: bytes, reason: str) -> None:
    body = form(b'{"event":{"n":1}}\n%b\n{"event":{"n":2}}\n' % line)

    failed = await send(sidecar, body, "token=key&fallback=true")
    assert (failed.status, failed.json["code"]) == (400, "malformed_body")
    assert failed.json["message"].startswith(f"{NO_JSON}{reason}")
    (event,) = await kept(sidecar)
    assert (event["malformed"], f"{NO_JSON}{event['error']}") == (line.decode(), failed.json["message"])

    assert (await send(sidecar, body, "token=key&fallback=true&skip_malformed=true")).status == 200
    assert [event["malformed"] for event in await kept(sidecar, "error")] == [line.decode()] * 2
    assert [event["original"]["n"] for event in await kept(sidecar, "success")] == [1, 2]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"x", "invalid character 'x' looking for beginning of value"),
        (b"", "EOF"),
        (b'{"n":', "unexpected EOF"),
        (b"5", "json: cannot unmarshal number into Go value of type map[string]interface {}"),
        (b"[{}]", "json: cannot unmarshal array into Go value of type map[string]interface {}"),
        (b"null", "it is null, and not an object"),
    ],
)
async def test_one_broken_line_fails_a_plain_file_whatever_may_be_skipped(
    sidecar: Sidecar, line: bytes, reason: str
) -> None:
    answer = await send(sidecar, form(b'{"n":1}\n%b\nx\n{"n":2}' % line), "token=key&skip_malformed=true")
    assert (answer.status, answer.json["message"]) == (400, f"{NO_JSON}{INTO_MAP}{reason}")
    (event,) = await kept(sidecar)
    assert (event.get("malformed", ""), event["error"]) == (line.decode(), INTO_MAP + reason)
    assert sidecar.cache.ledger.rejected == 0


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a":"%b"}' % (b"x" * 200_000), "Event size 200008 exceeds limit: 51200"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "nested deeper than 200 levels"),
    ],
)
async def test_a_line_over_our_limits_is_malformed_and_the_file_is_taken(
    sidecar: Sidecar, line: bytes, reason: str
) -> None:
    assert (await send(sidecar, form(b'{"n":1}\n%b\n{"n":2}' % line))).status == 200
    (event,) = await kept(sidecar, "error")
    assert (event["malformed"], event["error"]) == (line[:10_000].decode(), reason)
    assert [event["original"]["n"] for event in await kept(sidecar, "success")] == [1, 2]


async def test_a_file_has_a_limit_of_its_own(start: Start, log: Log) -> None:
    sidecar = await start(max_body_bytes=100, max_bulk_bytes=2_000)
    body = form(b'{"a":"%b"}' % (b"x" * 1_000))
    assert (await send(sidecar, body)).status == 200

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield body[:-20]

    for large in (form(b"x" * 2_000), pieces(), form(gzip.compress(b'{"n":1}\n' + b" " * 100_000))):
        answer = await send(sidecar, large, Content_Encoding="gzip" if isinstance(large, bytes) else "")
        assert (answer.status, "2000 bytes" in answer.json["message"]) == (413, True), answer
    many = await send(sidecar, form(b"{}\n" * 63))
    assert (many.status, many.json["code"]) == (413, "too_many_events")
    assert sidecar.cache.ledger.rejected == 4
    assert sidecar.server._context.bodies.bulk_memory.held_bytes == 0
    await sidecar.still_serves()
    assert log.faults == []


async def test_only_a_server_secret_counts(start: Start) -> None:
    sidecar = await start(api_keys=KEYS, admin_tokens=("admin",))
    assert (await send(sidecar, form(LINES), "token=server")).status == 200
    client = await send(sidecar, form(LINES), "token=client")
    message = "The token isn't a server token. Please use an s2s integration token"
    assert (client.status, client.json["message"], client.json["code"]) == (401, message, "wrong_token_type")
    unknown = await send(sidecar, form(LINES), "token=nobody")
    assert (unknown.status, unknown.json["message"]) == (401, "The token is not found")
    events = (await sidecar.get(f"{CACHE}?namespace=token&ids=id", X_Admin_Token="admin")).json["events"]
    assert len(events) == 3
    assert sidecar.cache.ledger.rejected == 2
    record = sidecar.cache.record
    assert record is not None
    assert record.unread == {"wrong_token_type": 1, "unknown_token": 1}


def large_file() -> bytes:
    """Return 20,000 lines in 9 MB."""
    event = b'{"event_type":"page","pad":"%b","n":%d}\n'
    return b"".join([event % (b"x" * 400, n) for n in range(20_000)])


async def test_a_large_file_is_taken_whole_and_in_turns(start: Start) -> None:
    sidecar = await start()
    ledger = sidecar.cache.ledger
    turns = before = most = 0
    task = asyncio.ensure_future(send(sidecar, form(large_file())))
    while not task.done():
        await asyncio.sleep(0)
        turns, most, before = turns + 1, max(most, ledger.received - before), ledger.received
    assert task.result().status == 200
    assert ledger.received == 20_000
    assert most <= 1_000, "the events that were taken in one turn of the loop"
    assert turns > 100
    assert len(await kept(sidecar)) == 100
    assert sidecar.server._context.bodies.bulk_memory.held_bytes == 0


def test_a_file_takes_little_more_memory_than_it_has_bytes() -> None:
    content = large_file()
    file = BulkFile(FORM, Limits())
    body = form(content)
    held = sum(file.feed(body[start : start + 65_536]) for start in range(0, len(body), 65_536))
    file.end()
    assert len(content) * 0.9 < held < len(content) * 1.1
    assert sum(map(len, file.events)) == 20_000


async def test_only_so_many_broken_lines_are_kept(start: Start) -> None:
    sidecar = await start(max_batch=3)
    body = form(b'{"event":{"n":1}}\n' + b"x\n" * 10)
    assert (await send(sidecar, body, "token=key&fallback=true&skip_malformed=true")).status == 200
    assert len(await kept(sidecar, "error")) == 3
    assert len(await kept(sidecar, "success")) == 1
    assert (sidecar.cache.ledger.received, sidecar.cache.ledger.rejected) == (11, 7)


async def test_a_file_that_stops_arriving_makes_room_for_others(start: Start, log: Log) -> None:
    sidecar = await start(max_bulk_bytes=200_000)
    memory = sidecar.server._context.bodies.bulk_memory
    body = form(b'{"a":"%b"}\n' % (b"x" * 10_000) * 18)
    head = f"POST {BULK}?token=key HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nContent-Length: {len(body)}\r\n\r\n"
    stalled = []
    for number in range(1, 5):
        reader, writer = await asyncio.open_connection("127.0.0.1", URL(sidecar.address).port)
        writer.write(head.encode() + body[:-2])
        stalled.append((reader, writer))
        await until(lambda number=number: memory.held_bytes > number * 180_000)  # type: ignore[misc]
    assert (await send(sidecar, body)).status == 200
    answer = await stalled[0][0].readuntil(b"}")
    assert answer.startswith(b"HTTP/1.1 429 ")
    for reader, writer in stalled[1:]:
        writer.write(body[-2:])
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")
    for _, writer in stalled:
        writer.close()
        await writer.wait_closed()
    await until(lambda: memory.held_bytes == 0)
    assert log.faults == []


async def test_a_file_has_to_arrive_in_time(start: Start, log: Log) -> None:
    sidecar = await start(body_timeout_ms=50, max_bulk_bytes=1_000)
    head = f"POST {BULK}?token=key HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nContent-Length: 500\r\n\r\n"
    answer = await sidecar.raw(head.encode() + form(LINES)[:50])
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert sidecar.cache.ledger.rejected == 1
    await sidecar.still_serves()
    assert log.faults == []


async def test_a_client_may_ask_before_it_sends_a_file(sidecar: Sidecar) -> None:
    body = form(LINES)
    head = f"POST {BULK}?token=key HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nContent-Length: {len(body)}\r\n"
    answer = await sidecar.raw(f"{head}Connection: close\r\nExpect: 100-continue\r\n\r\n".encode() + body)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


async def test_each_kind_of_broken_input_is_logged_once(start: Start, log: Log) -> None:
    sidecar = await start()
    for _ in range(3):
        await send(sidecar, b"x")
        await send(sidecar, form(b"x\n"), "token=key&fallback=true&skip_malformed=true")
        await send(sidecar, form(LINES), "")
    told = [json.loads(line.replace("'", '"'))["kind"] for line in log.lines if "input rejected" in line]
    assert told == ["malformed_body", "malformed_line", "unknown_token"]


async def test_no_page_may_read_the_answers(sidecar: Sidecar) -> None:
    for method, body in (("POST", form(LINES)), ("POST", b"x"), ("OPTIONS", None)):
        answer = await sidecar.ask(method, f"{BULK}?token=key", body, Origin="https://a.example", Content_Type=FORM)
        assert not any(name.startswith("Access-Control") for name in answer.headers)
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


async def test_a_form_without_its_end_keeps_nothing(sidecar: Sidecar) -> None:
    answer = await send(sidecar, form(LINES)[: -len(END)])
    assert (answer.status, answer.json["message"]) == (400, f"{NO_FORM}unexpected EOF")
    assert await kept(sidecar) == []
    assert sidecar.cache.ledger.rejected == 1
