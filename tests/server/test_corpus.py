"""Bad input from the tables of `corpus.py`: never a 5xx, and never a loss of other events."""

import gzip
import json
from collections.abc import AsyncIterator

import msgpack
import pytest

from eventscache.access.api_keys import ApiKey, KeyList
from eventscache.config.settings import Settings
from eventscache.errors import ConfigError
from eventscache.server import app
from eventscache.storage.memory import MemoryStorage
from tests.support import corpus
from tests.support.corpus import Case, covers, each
from tests.support.forms import FORM, form
from tests.support.sidecar import CACHE, Log, Sidecar, Start, both_lanes

pytestmark = both_lanes

INGEST = "/api/v1/event?token=key"
JSON = "application/json"
SEGMENT = "/api/v1/segment?token=key"
BULK = "/api/v1/events/bulk?token=key"
PIXEL = "/api/v1/p.gif"


@pytest.fixture
async def sidecar(sidecar: Sidecar, log: Log) -> AsyncIterator[Sidecar]:
    """A sidecar over each backend, which still serves other clients after each test."""
    yield sidecar
    await sidecar.still_serves()
    assert log.faults == []


@each(corpus.NO_JSON, corpus.NO_EVENT)
async def test_malformed_input_is_rejected_and_kept(sidecar: Sidecar, case: Case) -> None:
    answer = await sidecar.post(INGEST, case.sent)

    assert answer.status == 400
    assert answer.json["message"].startswith("Error parsing events body: ")
    assert answer.json["error"] == ""
    for query in ("", "&status=error"):
        (event,) = await sidecar.events(f"namespace=token&ids=key{query}")
        assert f"Error parsing events body: {event['error']}" == answer.json["message"]
        assert event["malformed"] == case.sent[:10_004].decode(errors="backslashreplace").encode()[:10_000].decode()
        assert "original" not in event
    assert (await sidecar.post(INGEST, b'{"next":1}')).status == 200


@each(corpus.NO_JSON, corpus.NO_EVENT, corpus.EXACT, corpus.NOT_UTF8, corpus.NOTHING)
async def test_a_copy_becomes_what_the_request_itself_becomes(sidecar: Sidecar, case: Case) -> None:
    await sidecar.post(INGEST, case.sent)
    copied = await sidecar.post(f"/mirror{INGEST.replace('key', 'copy')}", case.sent)
    assert (copied.status, copied.body) == (204, b"")
    kept = [await sidecar.get(f"{CACHE}?namespace=token&ids={token}") for token in ("key", "copy")]
    (one, other) = (answer.body.partition(b',"timestamp":')[0] for answer in kept)
    assert one == other


@each(corpus.NO_JSON, corpus.NO_EVENT, corpus.EXACT, corpus.NOT_UTF8, corpus.NOTHING, corpus.WHOLE_EVENTS)
async def test_a_webhook_keeps_every_body_by_every_method_and_answers_alike(sidecar: Sidecar, case: Case) -> None:
    for method in ("POST", "GET", "PUT"):
        answer = await sidecar.ask(method, "/ingest/jitsu2?actor_id=d", case.sent)
        assert (answer.status, answer.body) == (200, b'{"status":"ok"}')
    await sidecar.get(f"{CACHE}?ids=d")
    ledger = sidecar.cache.ledger
    assert ledger.stored == 3
    assert ledger.received - 3 == ledger.rejected in {0, 3}  # an element of an array that is no object


@each(corpus.EXACT)
async def test_a_record_of_a_webhook_is_kept_byte_for_byte(sidecar: Sidecar, case: Case) -> None:
    for body in (b'{"original":%b}', b'[{"original": %b}]'):
        assert (await sidecar.post("/ingest/jitsu2?actor_id=d", body % case.sent)).status == 200
    answer = await sidecar.get(f"{CACHE}?ids=d")
    assert answer.body.count(b'{"original":' + case.sent + b',"timestamp":"') == 2


@each(corpus.GZIP, corpus.ENCODINGS)
async def test_encodings_of_copies_and_of_webhooks_change_no_answer(sidecar: Sidecar, case: Case) -> None:
    body, encoding = (case.sent, "gzip") if isinstance(case.sent, bytes) else (b"{}", case.sent)
    for path, status in ((f"/mirror{INGEST}", 204), ("/ingest/jitsu2?actor_id=d", 200)):
        assert (await sidecar.post(path, body, Content_Encoding=encoding)).status == status
    assert sidecar.cache.ledger.received >= 2


@each(corpus.EXACT)
async def test_originals_come_back_byte_for_byte(sidecar: Sidecar, case: Case) -> None:
    event = case.sent
    assert (await sidecar.post(INGEST, event)).json == {"status": "ok"}
    assert (await sidecar.post(INGEST, b"[" + event + b" ]")).json == {"status": "ok"}
    assert (await sidecar.record(b'{"token_id":"key","original":' + event + b"}")).json["stored"] == 1

    answer = await sidecar.get(f"{CACHE}?namespace=token&ids=key")

    assert answer.body.count(b'{"original":' + event + b',"timestamp":"') == 3
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"


@each(corpus.NO_JSON, corpus.NO_EVENT)
async def test_malformed_events_for_jitsu2_are_rejected_and_kept(sidecar: Sidecar, case: Case) -> None:
    from_server = await sidecar.post("/api/s/s2s/page?writekey=key", case.sent)
    from_page = await sidecar.post("/api/s/page?writekey=key", case.sent)
    assert (from_server.status, from_page.status) == (400, 200)
    assert from_server.json == from_page.json
    assert from_server.json["code"] == "malformed_body"
    for query in ("", "&status=error"):
        events = await sidecar.events(f"namespace=token&ids=key{query}")
        assert [event["error"] for event in events] == [from_page.json["message"]] * 2
        for event in events:
            assert event["malformed"] == case.sent[:10_004].decode(errors="backslashreplace").encode()[:10_000].decode()
            assert "original" not in event


@each(corpus.NO_BATCH)
async def test_a_malformed_batch_is_rejected_and_kept(sidecar: Sidecar, case: Case) -> None:
    answer = await sidecar.post("/v1/batch?writekey=key", case.sent)
    assert (answer.status, answer.json["code"], answer.json["ok"]) == (400, "malformed_body", False)
    assert case.expected in answer.json["message"]
    (event,) = await sidecar.events("namespace=token&ids=key&status=error")
    assert event["error"] == answer.json["message"]
    assert event.get("malformed", "") == case.sent[:10_000].decode()
    nobody = await sidecar.post("/v1/batch", case.sent)
    assert nobody.status == 400
    assert (sidecar.cache.ledger.rejected, sidecar.cache.ledger.balanced) == (1, True)


@each(corpus.TOO_MANY)
async def test_a_batch_of_too_many_is_rejected(sidecar: Sidecar, case: Case) -> None:
    answer = await sidecar.post("/v1/batch?writekey=key", b'{"batch":' + case.sent + b"}")
    assert (answer.status, answer.json["code"]) == (413, "too_many_events")
    assert case.expected in answer.json["message"]
    assert sidecar.cache.ledger.rejected == 1


@each(corpus.EXACT)
async def test_events_for_jitsu2_come_back_byte_for_byte(sidecar: Sidecar, case: Case) -> None:
    event = case.sent
    assert (await sidecar.post("/api/s/page?writekey=key", b" " + event + b"\n")).json == {"ok": True}
    batch = b'{"eventsName":"x","batch":[{"n": 1.0},' + event + b" ]}"
    assert (await sidecar.post("/v1/batch?writekey=key", batch)).json == {
        "ok": True,
        "receivedEvents": 2,
        "okEvents": 2,
    }
    answer = await sidecar.get(f"{CACHE}?namespace=token&ids=key")
    assert answer.body.count(b'{"original":' + event + b',"timestamp":"') == 2
    assert answer.body.count(b'{"original":{"n": 1.0},"timestamp":"') == 1


@each(corpus.NOT_UTF8)
async def test_bytes_that_are_not_utf8_are_replaced_for_jitsu2_too(sidecar: Sidecar, case: Case) -> None:
    assert (await sidecar.post("/api/s/s2s/page?writekey=key", case.sent)).json == {"ok": True}
    batch = b'{"eventsName":"x","batch":[' + case.sent + b"]} \xff"
    assert (await sidecar.post("/v1/batch?writekey=key", batch)).json["okEvents"] == 1
    answer = await sidecar.get(f"{CACHE}?namespace=token&ids=key")
    assert answer.body.count(b'{"original":' + case.expected.encode() + b',"timestamp":"') == 2


@each(corpus.WRITE_KEYS)
async def test_a_write_key_of_nobody_brings_nothing(start: Start, log: Log, case: Case) -> None:
    sidecar = await start(api_keys=KeyList((ApiKey("site", "secret-key", "server-key"),)))
    for path, body, status in (
        (b"/api/s/page", b"{}", 200),
        (b"/api/s/s2s/page", b"{}", 401),
        (b"/api/s/s2s/batch", b'{"batch":[]}', 401),
        (b"/v1/batch", b'{"batch":[{}]}', 401),
        (b"/t", b"{}", 401),
    ):
        head = b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n" % len(body)
        answer = await sidecar.raw(head + case.sent + b"\r\n" + body)
        assert answer.startswith(b"HTTP/1.1 %d " % status), (path, answer)
        assert b'"code":"unknown_token"' in answer
        assert b"secret" not in answer
    assert (sidecar.cache.ledger.received, sidecar.cache.ledger.rejected) == (5, 5)
    assert ["input rejected" in line and "secret" not in line for line in log.lines] == [True] * 5


@each(corpus.EXACT)
async def test_responses_can_be_parsed_by_the_standard_library(sidecar: Sidecar, case: Case) -> None:
    await sidecar.post(INGEST, case.sent)
    answer = await sidecar.get(f"{CACHE}?namespace=token&ids=key")
    (event,) = json.loads(answer.body, parse_int=str)["events"]  # Python bounds the digits of an int, JSON does not
    assert isinstance(event["original"], dict)


@each(corpus.NOT_UTF8)
async def test_bytes_in_texts_that_are_not_utf8_are_replaced_as_in_jitsu(sidecar: Sidecar, case: Case) -> None:
    neighbours = b'[{"n": 1.0},' + case.sent + b', {"n":\t2}] \xff'
    assert (await sidecar.post(INGEST, case.sent + b"\xff")).json == {"status": "ok"}
    assert (await sidecar.post(INGEST, neighbours)).json == {"status": "ok"}

    answer = await sidecar.get(f"{CACHE}?namespace=token&ids=key")

    for original, times in ((b'{"n": 1.0}', 1), (case.expected.encode(), 2), (b'{"n":\t2}', 1)):
        assert answer.body.count(b'{"original":' + original + b',"timestamp":"') == times
    assert len(answer.json["events"]) == 4


@each(corpus.NOT_UTF8)
async def test_a_record_must_be_utf8(sidecar: Sidecar, case: Case) -> None:
    body = b'[{"original":{}},{"original":' + case.sent + b"}]"
    answer = await sidecar.record(body, "id=dest&ack=stored")
    assert (answer.status, answer.json["stored"]) == (200, 1)
    assert "UTF-8" in answer.json["errors"][0]["message"]


@each(corpus.NOTHING)
async def test_an_empty_body_is_rejected(sidecar: Sidecar, case: Case) -> None:
    assert (await sidecar.post(INGEST, case.sent)).status == 400
    assert (await sidecar.record(case.sent, "namespace=token&id=key")).status == 400
    assert (await sidecar.record(case.sent, "id=d", Content_Type="application/x-ndjson")).status == 400
    assert await sidecar.events("ids=d") == []
    assert sidecar.cache.ledger.rejected == 2


@covers(1, 2)
async def test_an_empty_body_of_an_event_is_kept_as_jitsu_keeps_it(sidecar: Sidecar) -> None:
    answer = await sidecar.post(INGEST, b"")
    assert answer.json["message"] == "Error parsing events body: empty JSON body"
    await sidecar.post(INGEST, b"\n")
    for query in ("", "&status=error"):
        blank, empty = await sidecar.events(f"namespace=token&ids=key{query}")
        assert (empty["error"], "malformed" in empty) == ("empty JSON body", False)
        assert (blank["error"], blank["malformed"]) == (r'malformed JSON body begins with: "\n"', "\n")


@each(corpus.NO_JSON)
async def test_a_body_that_is_not_json_is_kept_in_the_stream_of_the_query(sidecar: Sidecar, case: Case) -> None:
    answer = await sidecar.record(case.sent, "id=dest")

    assert answer.status == 400
    assert answer.json["error"] == ""
    (event,) = await sidecar.events("ids=dest&status=error")
    assert event["destination_id"] == "dest"
    assert event["malformed"]
    assert (await sidecar.record(case.sent, "")).status == 400
    assert len(await sidecar.events("ids=dest")) == 1
    assert sidecar.cache.ledger.rejected == 1


@each(corpus.NO_EVENT)
async def test_json_that_is_not_a_record_is_reported_by_index(sidecar: Sidecar, case: Case) -> None:
    answer = await sidecar.record(case.sent, "id=dest")

    assert answer.status == 400
    assert answer.json["errors"][0]["index"] == 0
    assert await sidecar.events("ids=dest") == []


@each(corpus.BAD_RECORDS)
async def test_a_bad_record_is_reported_by_index_and_the_others_are_kept(sidecar: Sidecar, case: Case) -> None:
    body = b'[{"original":{"n":0}},' + case.sent + b',{"original":{"n":2}}]'

    answer = await sidecar.record(body, "id=dest&ack=stored")

    assert answer.status == 200
    assert (answer.json["received"], answer.json["stored"]) == (2, 2)
    (error,) = answer.json["errors"]
    assert error["index"] == 1
    assert case.expected in error["message"]
    assert [event["original"]["n"] for event in await sidecar.events("ids=dest")] == [2, 0]
    assert sidecar.cache.ledger.rejected == 1


@each(corpus.BAD_RECORDS)
async def test_a_bad_line_is_reported_by_index_and_the_others_are_kept(sidecar: Sidecar, case: Case) -> None:
    body = b'{"original":{"n":0}}\n' + case.sent + b'\n{"original":{"n":2}}'
    answer = await sidecar.record(body, "id=dest&ack=stored", Content_Type="application/x-ndjson")
    assert (answer.status, answer.json["stored"]) == (200, 2)
    assert [error["index"] for error in answer.json["errors"]] == [1]
    assert case.expected in answer.json["errors"][0]["message"]


@covers(33)
async def test_jitsus_ingestion_rejects_a_body_as_a_whole(sidecar: Sidecar) -> None:
    for element in (b'{"a":NaN}', b'"x"', b'{"a":01}'):
        assert (await sidecar.post(INGEST, b'[{"n":1},' + element + b"]")).status == 400
    events = await sidecar.events("namespace=token&ids=key")
    assert [set(event) & {"malformed", "original"} for event in events] == [{"malformed"}] * 3


@covers(15)
@pytest.mark.parametrize(("errors", "status"), [(("x", ""), "success"), (("", "x"), "error")])
async def test_the_last_value_of_a_repeated_field_counts(
    sidecar: Sidecar, errors: tuple[str, str], status: str
) -> None:
    body = b'{"original":{},"error":"%b","error":"%b"}' % tuple(error.encode() for error in errors)
    assert (await sidecar.record(body, "id=d&ack=stored")).json["stored"] == 1
    for filtered in ("success", "error"):
        assert len(await sidecar.events(f"ids=d&status={filtered}")) == (filtered == status)


@covers(34)
async def test_an_empty_array_is_not_an_error(sidecar: Sidecar) -> None:
    assert (await sidecar.post("/api/v1/events?token=key", b"[]")).json == {"status": "ok"}
    answer = await sidecar.record(b"[]", "id=dest&ack=stored")
    assert (answer.status, answer.json) == (200, {"status": "ok", "received": 0, "stored": 0, "limited": 0})
    assert (await sidecar.record(b" [\n] ", "id=dest")).json == {"status": "ok", "received": 0}
    assert await sidecar.events("ids=dest") == []


@covers(35)
async def test_a_body_may_hold_as_many_events_as_allowed_and_no_more(start: Start, log: Log) -> None:
    sidecar = await start(max_batch=3)
    record = b'{"original":{}}'

    def bodies(count: int) -> dict[str, bytes]:
        return {
            JSON: b"[" + b",".join([record] * count) + b"]",
            "application/x-ndjson": b"\n".join([record] * count),
            "application/msgpack": msgpack.packb([{"original": {}}] * count),
        }

    def template(count: int) -> bytes:
        return b'{"template":{},"events":[' + b",".join([b"{}"] * count) + b"]}"

    for kind, body in bodies(4).items():
        assert (await sidecar.record(body, "id=dest", Content_Type=kind)).status == 413, kind
    for body in (bodies(4)[JSON], template(4)):
        assert (await sidecar.post(INGEST, body)).status == 413
    assert sidecar.cache.ledger.rejected == 5
    for kind, body in bodies(3).items():
        assert (await sidecar.record(body, "id=dest", Content_Type=kind)).status == 202, kind
    for body in (bodies(3)[JSON], template(3)):
        assert (await sidecar.post(INGEST, body)).status == 200
    await sidecar.still_serves()
    assert log.faults == []


@covers(37)
async def test_a_body_may_be_as_large_as_allowed_and_no_larger(start: Start, log: Log) -> None:
    sidecar = await start(max_body_bytes=1000, max_event_bytes=2000)

    def record(size: int) -> bytes:
        return b'{"original":{"a":"' + b"x" * (size - 21) + b'"}}'

    async def pieces(body: bytes) -> AsyncIterator[bytes]:
        yield body[:10]
        yield body[10:]

    for path, good in ((INGEST, 200), (f"{CACHE}?id=dest&ack=stored", 200)):
        for size, status in ((1000, good), (1001, 413)):
            body = record(size)
            assert len(body) == size
            for data in (body, pieces(body)):
                answer = await sidecar.ask("POST", path, data, Content_Type=JSON)
                assert answer.status == status, (path, size)
                assert (status == 413) == (b"1000 bytes" in answer.body)
    assert len(await sidecar.events("ids=dest")) == 2
    await sidecar.still_serves()
    assert log.faults == []


@covers(29, 30, 31)
@pytest.mark.parametrize("event", [case.sent for case in corpus.NO_EVENT if case.row in {29, 30, 31}])
async def test_large_events_may_have_many_values_where_they_are_allowed(start: Start, log: Log, event: bytes) -> None:
    sidecar = await start(max_event_bytes=2 * corpus.MEGABYTE)
    assert (await sidecar.post(INGEST, event)).status == 200
    answer = await sidecar.get(f"{CACHE}?namespace=token&ids=key")
    assert b'{"original":' + event + b',"timestamp"' in answer.body
    await sidecar.still_serves()
    assert log.faults == []


@each(corpus.TOO_MANY_VALUES, corpus.TOO_MANY_VALUES_IN_AN_EVENT)
async def test_a_body_of_too_many_values_is_kept_as_malformed(start: Start, case: Case) -> None:
    sidecar = await start(max_event_bytes=8 * corpus.MEGABYTE)
    for path in (INGEST, f"{CACHE}?namespace=token&id=key"):
        answer = await sidecar.post(path, case.sent, Content_Type=JSON)
        assert (answer.status, answer.json["error"]) == (400, "")
        assert case.expected in answer.json["message"]
    kept = (await sidecar.get(f"{CACHE}?namespace=token&ids=key&status=error")).json["events"]
    assert [event["malformed"] for event in kept] == [case.sent[:10_000].decode()] * 2
    assert all(case.expected in event["error"] for event in kept)


@each(corpus.TOO_MANY)
async def test_a_body_of_too_many_events_is_rejected(sidecar: Sidecar, case: Case) -> None:
    for path in (INGEST, f"{CACHE}?id=dest"):
        answer = await sidecar.post(path, case.sent, Content_Type=JSON)
        assert (answer.status, answer.json["error"]) == (413, "")
        assert case.expected in answer.json["message"]
    assert sidecar.cache.ledger.rejected == 2


@each(corpus.TYPES)
async def test_records_need_a_known_content_type_and_events_are_read_as_utf8(sidecar: Sidecar, case: Case) -> None:
    headers = {"Content_Type": case.name} if case.name else {}
    body = '{"a":"\u00e9"}'.encode(case.sent)

    record = await sidecar.post(f"{CACHE}?id=d", body, **headers)
    event = await sidecar.post(INGEST, body, **headers)

    assert record.status == 415
    assert "Accept" in record.headers or "charset" in record.json["message"]
    assert event.status == (200 if case.expected else 400)
    assert await sidecar.events("ids=d") == []
    (kept,) = await sidecar.events("namespace=token&ids=key")
    assert kept.get("original") == ({"a": case.expected} if case.expected else None)


@each(corpus.GZIP)
async def test_gzip_is_unzipped_within_bounds(start: Start, log: Log, case: Case) -> None:
    sidecar = await start()
    answer = await sidecar.record(case.sent, "id=d&ack=stored", Content_Encoding="gzip")
    assert answer.status == case.expected
    assert len(await sidecar.events("ids=d")) == (case.expected == 200)
    ingested = await sidecar.post(INGEST, case.sent, Content_Encoding="gzip")
    if b" " not in case.name.encode() or case.expected != 200:  # Jitsu takes no white space in front
        assert ingested.status == case.expected
    await sidecar.still_serves()
    assert log.faults == []


@each(corpus.ENCODINGS)
async def test_other_encodings_are_415(sidecar: Sidecar, case: Case) -> None:
    for path in (INGEST, f"{CACHE}?id=d"):
        answer = await sidecar.post(path, b'{"original":{}}', Content_Type=JSON, Content_Encoding=case.sent)
        assert (answer.status, answer.headers["Accept-Encoding"], answer.json["error"]) == (415, "gzip", "")
    assert (await sidecar.get("/api/v1/streams")).json == {"streams": [], "api_keys": False, "sources": []}


@each(corpus.BAD_QUERIES)
async def test_bad_queries_are_rejected_by_parameter_name(sidecar: Sidecar, case: Case) -> None:
    answer = await sidecar.get(f"{CACHE}?{case.sent}")

    assert answer.status == 400
    assert case.expected in answer.json["message"]
    assert answer.json["error"] == ""


@each([case for case in corpus.BAD_QUERIES if case.sent.startswith("ids=") and "," not in case.sent])
async def test_bad_ids_are_rejected_on_every_route(sidecar: Sidecar, case: Case) -> None:
    text = case.sent.removeprefix("ids=")
    assert (await sidecar.ask("DELETE", f"{CACHE}?ids={text}")).status == 400
    assert (await sidecar.record(b'{"original":{}}', f"id={text}")).status == 400
    token = await sidecar.post(f"/api/v1/event?token={text}", b"{}")
    assert (token.status, token.json["error"]) == (401, "")
    assert (await sidecar.get("/api/v1/streams?namespace=token")).json == {
        "streams": [],
        "api_keys": False,
        "sources": [],
    }


@each(corpus.QUERIES)
async def test_unusual_queries_are_parsed(start: Start, log: Log, case: Case) -> None:
    sidecar = await start()
    for stream_id in "ab":
        for number, error in ((1, "x"), (2, "")):
            record = {"original": {"name": f"{stream_id}{number}"}, "error": error}
            await sidecar.record(json.dumps(record).encode(), f"id={stream_id}&ack=stored")

    answer = await sidecar.get(f"{CACHE}?{case.sent}")

    assert answer.status == 200
    assert [event["original"]["name"] for event in answer.json["events"]] == case.expected
    assert (answer.json["cache_capacity_per_interval"], answer.json["interval_seconds"]) == (100, 60)
    await sidecar.still_serves()
    assert log.faults == []


@covers(60)
async def test_too_many_ids_are_rejected(start: Start, log: Log) -> None:
    sidecar = await start(max_ids=3)
    assert (await sidecar.get(f"{CACHE}?ids=a,b,c,d")).status == 400
    assert (await sidecar.get(f"{CACHE}?ids=a,b&ids=c,d")).status == 400
    assert (await sidecar.ask("DELETE", f"{CACHE}?ids=a,b,c,d")).status == 400
    assert (await sidecar.get(f"{CACHE}?ids=a,b,c,a,b")).status == 200
    many = await (await start()).get(f"{CACHE}?ids={','.join(map(str, range(1001)))}")
    assert (many.status, many.json["error"]) == (400, "")
    await sidecar.still_serves()
    assert log.faults == []


@each(corpus.IDS)
async def test_streams_of_similar_ids_are_separate(sidecar: Sidecar, case: Case) -> None:
    for other in corpus.IDS:
        body = json.dumps({"original": {"name": other.expected}}).encode()
        assert (await sidecar.record(body, f"id={other.sent}&ack=stored")).json["stored"] == 1

    (event,) = await sidecar.events(f"ids={case.sent}")
    assert (event["original"]["name"], event["destination_id"]) == (case.expected, case.expected)

    assert (await sidecar.ask("DELETE", f"{CACHE}?ids={case.sent}")).json["cleared"] == 1
    streams = (await sidecar.get("/api/v1/streams")).json["streams"]
    assert sum(stream["total_events"] for stream in streams) == len(corpus.IDS) - 1


@each(corpus.CREDENTIALS)
@pytest.mark.parametrize("request_line", corpus.GUARDED)
async def test_without_the_admin_token_nothing_is_shown(start: Start, log: Log, case: Case, request_line: str) -> None:
    sidecar = await start(admin_tokens=("secret", "other"), ingest_tokens=("ingest",))
    request = request_line.encode() + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + case.sent + b"\r\n"

    answer = await sidecar.raw(request)

    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b'{"message":"Admin token does not match","error":"","code":"unknown_token"}' in answer
    await sidecar.still_serves()
    assert log.lines == []


@covers(75)
async def test_a_token_in_the_query_counts_only_where_it_is_allowed(start: Start, log: Log) -> None:
    careful = await start(admin_tokens=("admin-secret",))
    assert (await careful.get(f"{CACHE}?token=admin-secret")).status == 401
    like_jitsu = await start(admin_tokens=("admin-secret",), admin_token_in_query=True)
    assert (await like_jitsu.get(f"{CACHE}?token=admin-secret")).status == 200
    for query in ("token=wrong", "token=", "token", "token=admin-secret&token=admin-secret"):
        assert (await like_jitsu.get(f"{CACHE}?{query}")).status == 401, query
    assert not any("secret" in line for line in log.lines)
    await careful.still_serves()


@covers(76)
async def test_only_a_loopback_address_needs_no_admin_token() -> None:
    app.Sidecar(Settings(), MemoryStorage())
    for host in ("0.0.0.0", "::", ""):
        with pytest.raises(ConfigError, match="admin_tokens"):
            app.Sidecar(Settings(host=host), MemoryStorage())


@covers(77)
async def test_no_page_of_another_origin_may_read(start: Start, log: Log) -> None:
    headers = {"Origin": "https://evil.example", "Access_Control_Request_Method": "GET"}
    for sidecar in (await start(), await start(admin_tokens=("admin",))):
        for path in (CACHE, "/api/v1/streams", "/livez", "/metrics", "/"):
            for method in ("OPTIONS", "GET", "DELETE"):
                answer = await sidecar.ask(method, path, X_Admin_Token="admin", **headers)
                assert not any(name.startswith("Access-Control") for name in answer.headers), (method, path)
                assert answer.status < 500
        await sidecar.still_serves()
    assert log.faults == []


@covers(78)
async def test_no_response_can_be_taken_for_a_web_page(sidecar: Sidecar) -> None:
    await sidecar.post(INGEST, b'{"a":"<script>alert(1)</script>"}')
    for path in (f"{CACHE}?namespace=token&ids=key", f"{CACHE}?namespace=<script>", "/<script>"):
        answer = await sidecar.get(path, Accept="text/html")
        assert answer.headers["Content-Type"].startswith("application/json")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@covers(79)
async def test_nothing_of_a_client_is_written_into_the_log(sidecar: Sidecar, log: Log) -> None:
    text = 'no\x1b[31m\r\nforged " 200 0 "'
    record = json.dumps({"original": {}, "error": text, "destination_id": "d"}).encode()
    assert (await sidecar.record(record, User_Agent='a" 200 0 "forged')).json["stored"] == 1
    assert (await sidecar.get("/%1b[31m%0d%0aforged", Referer="forged")).status == 404
    (event,) = await sidecar.events("ids=d")
    assert event["error"] == text
    assert not any("forged" in line or "\x1b" in line for line in log.lines)


@each(corpus.IGNORED_HEADERS)
async def test_unrelated_headers_are_ignored(sidecar: Sidecar, case: Case) -> None:
    headers = {name.replace("-", "_"): value for name, value in case.sent.items()}
    assert (await sidecar.record(b'{"original":{}}', "id=d&ack=stored", **headers)).json["stored"] == 1
    answer = await sidecar.get(f"{CACHE}?ids=d", **headers)
    assert answer.status == 200
    assert len(answer.json["events"]) == 1
    assert (await sidecar.post(INGEST, b"{}", **headers)).json == {"status": "ok"}
    assert len(await sidecar.events("ids=d")) == 1


@each(corpus.BATCHES)
async def test_a_batch_of_no_events_is_rejected_and_kept(sidecar: Sidecar, case: Case) -> None:
    answer = await sidecar.post(SEGMENT, case.sent)
    assert (answer.status, answer.json["error"]) == (400, "")
    assert case.expected in answer.json["message"]
    (event,) = await sidecar.events("namespace=token&ids=key&status=error")
    assert f"Error parsing events body: {event['error']}" == answer.json["message"]
    assert event["malformed"] == case.sent[:10_000].decode()


@each(corpus.NO_JSON, corpus.NO_EVENT, corpus.EXACT, corpus.NOT_UTF8)
async def test_segments_bodies_may_be_anything(sidecar: Sidecar, case: Case) -> None:
    for body in (case.sent, b'{"batch":[{},' + case.sent + b"]}"):
        answer = await sidecar.post(SEGMENT, body)
        assert answer.status in {200, 400}
    assert sidecar.cache.ledger.rejected == 0


@each(corpus.EXACT)
async def test_the_events_of_batches_and_files_come_back_byte_for_byte(sidecar: Sidecar, case: Case) -> None:
    assert (await sidecar.post(SEGMENT, b'{"batch":[' + case.sent + b' , {}], "sentAt":""}')).status == 200
    line = case.sent.replace(b"\n", b" ")
    assert (await sidecar.post(BULK, form(line + b"\n{}"), Content_Type=FORM)).status == 200
    answer = await sidecar.get(f"{CACHE}?namespace=token&ids=key")
    for event in {case.sent, line}:
        times = 2 if case.sent == line else 1
        assert answer.body.count(b'{"original":' + event + b',"timestamp":"') == times


@each(corpus.BROKEN_FORMS)
async def test_a_broken_form_is_rejected_and_counted(sidecar: Sidecar, log: Log, case: Case) -> None:
    body, encoding = case.sent
    headers = {"Content_Encoding": encoding} if encoding else {}
    for _ in range(2):
        answer = await sidecar.post(BULK, body, Content_Type=FORM, **headers)
        assert (answer.status, answer.json["error"]) == (400, "")
        assert case.expected in answer.json["message"]
    assert sidecar.cache.ledger.rejected == 2
    assert sum("input rejected" in line for line in log.lines) == 1
    record = sidecar.cache.record
    assert record is not None
    assert record.unread == {"malformed_body": 2}
    assert await sidecar.events("namespace=token&ids=key") == []


@each(corpus.BROKEN_LINES)
async def test_a_broken_line_fails_its_file_and_is_kept(sidecar: Sidecar, case: Case) -> None:
    answer = await sidecar.post(BULK, form(b'{"n":1}\n' + case.sent + b'\n{"n":2}'), Content_Type=FORM)
    assert (answer.status, answer.json["error"]) == (400, "")
    assert case.expected in answer.json["message"]
    (event,) = await sidecar.events("namespace=token&ids=key")
    assert f"failed to parse JSON payload: {event['error']}" == answer.json["message"]
    assert event["malformed"] == case.sent.decode()


@covers(42)
async def test_a_bomb_in_a_file_is_rejected(sidecar: Sidecar) -> None:
    for bomb in (corpus.bomb(1024), gzip.compress(b"{}\n" * 1_000_000)):
        answer = await sidecar.post(BULK, form(bomb), Content_Type=FORM, Content_Encoding="gzip")
        assert answer.status == 413
    assert sidecar.server._context.bodies.bulk_memory.held_bytes == 0


@each(corpus.PIXELS)
async def test_a_pixel_without_an_event_is_answered_as_by_jitsu(sidecar: Sidecar, log: Log, case: Case) -> None:
    for _ in range(2):
        answer = await sidecar.get(f"{PIXEL}?{case.sent}")
        assert answer.status == (400 if case.expected else 200)
        if case.expected:
            assert case.expected in answer.json["message"]
        else:
            assert answer.body.startswith(b"GIF89a")
    assert sidecar.cache.ledger.rejected == 2
    assert 1 <= sum("input rejected" in line for line in log.lines) <= 2
