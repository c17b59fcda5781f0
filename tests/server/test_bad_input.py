"""What a client should not send, and what it gets: never a 5xx, never a loss of anything else.

M below means: refused with a 400, and kept as a malformed event of the token, so that its sender finds it.
"""

import json

import pytest

from tests.server.conftest import CACHE, Sidecar, Start

INGEST = "/api/v1/event?token=key"
BACKSLASH = b"\\"

MALFORMED = {
    "truncated": b"{",
    "truncated event": b'{"a": {"b": 1}',
    "trailing comma": b'{"a":1,}',
    "single quotes": b"{'a':1}",
    "NaN": b'{"a":NaN}',
    "-Infinity": b'{"a":-Infinity}',
    "a number no reader can hold": b'{"a":1e400}',
    "leading zero": b'{"a":01}',
    "lone surrogate": b'{"a":"' + BACKSLASH + b'ud800"}',
    "lone low surrogate": b'{"a":"' + BACKSLASH + b'udc00"}',
    "raw NUL": b'{"a":"\0"}',
    "raw control": b'{"a":"\x1f"}',
    "no UTF-8": b'{"a":"\xff\xfe"}',
    "overlong": b'{"a":"\xc0\xaf"}',
    "encoded surrogate": b'{"a":"\xed\xa0\x80"}',
    "byte order mark": b'\xef\xbb\xbf{"a":1}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "white space first": b' {"a":1}',
    "too deep": b'{"a":' * 200 + b"[]" + b"}" * 200,
    "far too deep": b"[" * 100_000,
    "scalar": b"5",
    "null": b"null",
    "string": b'"event"',
    "array with a scalar": b'[{"a":1},5]',
    "array with an array": b'[[{"a":1}]]',
    "a huge integer": b'{"a":' + b"1" * 100_000 + b"}",
}
# Jitsu refuses these; as a body of records they are JSON, and their faults are told by index.
JSON_ALL_THE_SAME = ("white space", "scalar", "null", "string", "array", "too deep")
EXACT = {
    "20 digits": b'{"a":12345678901234567890}',
    "beyond 64 bits": b'{"a":[9223372036854775808,-9223372036854775809,18446744073709551616]}',
    "number texts": b'{"a":[1.10,-0,1E5,0.30000000000000004441]}',
    "duplicate keys": b'{"a":1,"b":2,"a":3}',
    "escaped NUL": b'{"a":"' + BACKSLASH + b'u0000"}',
    "as deep as allowed": b'{"a":' * 199 + b"[]" + b"}" * 199,
    "white space inside": b'{ "a" :\t[ 1 ,\n2 ] }',
    "hostile text": b'{"a":"</script><img onerror=1>","__proto__":{"x":1}}',
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
async def test_malformed_input_is_refused_and_kept(sidecar: Sidecar, body: bytes) -> None:
    answer = await sidecar.post(INGEST, body)

    assert answer.status == 400
    assert answer.json["message"].startswith("Error parsing events body: ")
    assert answer.json["error"] == ""
    for query in ("", "&status=error"):
        (event,) = await sidecar.events(f"namespace=token&ids=key{query}")
        assert event["error"] == answer.json["message"]
        assert event["malformed"] == body[:10_004].decode(errors="backslashreplace").encode()[:10_000].decode()
        assert "original" not in event
    assert (await sidecar.post(INGEST, b'{"next":1}')).status == 200


@pytest.mark.parametrize("event", EXACT.values(), ids=EXACT)
async def test_originals_come_back_byte_for_byte(sidecar: Sidecar, event: bytes) -> None:
    assert (await sidecar.post(INGEST, event)).json == {"status": "ok"}
    assert (await sidecar.post(INGEST, b"[" + event + b" ]")).json == {"status": "ok"}
    assert (await sidecar.record(b'{"token_id":"key","original":' + event + b"}")).json["stored"] == 1

    answer = await sidecar.get(f"{CACHE}?namespace=token&ids=key")

    assert answer.body.count(b'{"original":' + event + b',"timestamp":"') == 3
    assert len(json.loads(answer.body)["events"]) == 3


@pytest.mark.parametrize("body", [b"", b" \r\n\t "], ids=["empty", "white space"])
async def test_an_empty_body_is_refused_and_not_kept(sidecar: Sidecar, body: bytes) -> None:
    assert (await sidecar.post(INGEST, body)).status == 400
    assert (await sidecar.record(body, "namespace=token&id=key")).status == 400
    assert await sidecar.events("namespace=token&ids=key") == []
    assert sidecar.cache.ledger.rejected == 2


@pytest.mark.parametrize(
    "body",
    [body for name, body in MALFORMED.items() if not name.startswith(JSON_ALL_THE_SAME)],
)
async def test_a_body_that_is_no_json_is_kept_with_the_stream_of_the_query(sidecar: Sidecar, body: bytes) -> None:
    answer = await sidecar.record(body, "id=dest")

    assert answer.status == 400
    (event,) = await sidecar.events("ids=dest&status=error")
    assert event["destination_id"] == "dest"
    assert event["malformed"]
    assert (await sidecar.record(body, "")).status == 400
    assert len(await sidecar.events("ids=dest")) == 1
    assert sidecar.cache.ledger.rejected == 1


BAD_RECORDS = {
    "null": (b"null", "not an object"),
    "scalar": (b"5", "not an object"),
    "string": (b'"x"', "not an object"),
    "empty": (b"{}", "none of original"),
    "original no object": (b'{"original":[1]}', "original is not an object"),
    "error no text": (b'{"original":{},"error":5}', "$.error"),
    "bad time": (b'{"original":{},"timestamp":"yesterday"}', "timestamp"),
    "too large": (b'{"original":{"a":"' + b"x" * 51_200 + b'"}}', "too_large"),
    "too deep": (b'{"original":' + b'{"a":' * 200 + b"[]" + b"}" * 201, "nested deeper"),
    "far too deep": (b'{"original":' + b'{"a":' * 201 + b"1" + b"}" * 202, "nested deeper"),
    "control in id": (b'{"original":{},"token_id":"a' + BACKSLASH + b'u0007"}', "U+0007"),
    "comma in id": (b'{"original":{},"token_id":"a,b"}', "comma"),
    "long id": (b'{"original":{},"token_id":"' + b"x" * 513 + b'"}', "513 bytes"),
}


@pytest.mark.parametrize(("record", "reason"), BAD_RECORDS.values(), ids=BAD_RECORDS)
async def test_a_bad_record_is_told_by_index_and_the_rest_is_kept(sidecar: Sidecar, record: bytes, reason: str) -> None:
    body = b'[{"original":{"n":0}},' + record + b',{"original":{"n":2}}]'

    answer = await sidecar.record(body, "id=dest&ack=stored")

    assert answer.status == 200
    assert answer.json["stored"] == 2
    (error,) = answer.json["errors"]
    assert error["index"] == 1
    assert reason in error["message"]
    assert [event["original"]["n"] for event in await sidecar.events("ids=dest")] == [2, 0]
    alone = await sidecar.record(record, "id=dest")
    assert alone.status == 400
    assert reason in alone.json["errors"][0]["message"]
    assert sidecar.cache.ledger.rejected == 2


@pytest.mark.parametrize("value", [b"1e400", b'"\xff"'], ids=["a number no reader can hold", "no UTF-8"])
async def test_a_fault_inside_one_record_of_an_array_costs_that_record(sidecar: Sidecar, value: bytes) -> None:
    body = b'[{"original":{"n":0}},{"original":{"a":' + value + b'}},{"original":{"n":2}}]'
    answer = await sidecar.record(body, "id=dest&ack=stored")
    assert (answer.json["stored"], [error["index"] for error in answer.json["errors"]]) == (2, [1])
    # Jitsu's ingestion knows no such thing as a part of a body.
    assert (await sidecar.post(INGEST, body)).status == 400


async def test_an_origin_that_no_page_has_is_answered_and_not_allowed(sidecar: Sidecar) -> None:
    request = b"%b /api/v1/event?token=key HTTP/1.1\r\nHost: x\r\nOrigin: https://\xff.example\r\n"
    request += b"Content-Length: 2\r\nConnection: %b\r\n\r\n{}"
    for method, connection in ((b"POST", b"keep-alive"), (b"POST", b"close"), (b"OPTIONS", b"close")):
        answer = await sidecar.raw(request % (method, connection), until=b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"Access-Control-Allow-Methods" in answer
        assert b"Access-Control-Allow-Origin" not in answer
    assert len(await sidecar.events("namespace=token&ids=key")) == 2


async def test_a_record_without_a_stream_is_bad(sidecar: Sidecar) -> None:
    answer = await sidecar.record(b'{"original":{}}', "")

    assert answer.status == 400
    assert "names neither" in answer.json["errors"][0]["message"]


async def test_an_empty_array_is_no_error(sidecar: Sidecar) -> None:
    assert (await sidecar.post("/api/v1/events?token=key", b"[]")).json == {"status": "ok"}
    answer = await sidecar.record(b"[]", "id=dest&ack=stored")
    assert answer.json == {"status": "ok", "received": 0, "stored": 0, "limited": 0}


async def test_a_body_may_be_as_large_as_allowed_and_no_larger(start: Start) -> None:
    sidecar = await start(max_body_bytes=1000, max_event_bytes=2000)

    def event(size: int) -> bytes:
        return b'{"a":"' + b"x" * (size - 8) + b'"}'

    for path in (INGEST, f"{CACHE}?id=dest"):
        kind = {"Content_Type": "application/json"}
        over = await sidecar.post(path, event(1001), **kind)
        assert over.status == 413
        assert "1000 bytes" in over.json["message"]
        # An event is a record too: what matters here is that it is read.
        assert (await sidecar.post(path, event(1000), **kind)).status in {200, 400}
    assert len(await sidecar.events("namespace=token&ids=key")) == 1


async def test_a_body_may_hold_as_many_events_as_allowed_and_no_more(start: Start) -> None:
    sidecar = await start(max_batch=3)
    four, three = b"[" + b",".join([b'{"original":{}}'] * 4) + b"]", b"[" + b",".join([b'{"original":{}}'] * 3) + b"]"

    for path in (INGEST, f"{CACHE}?id=dest"):
        assert (await sidecar.post(path, four, Content_Type="application/json")).status == 413
        assert (await sidecar.post(path, three, Content_Type="application/json")).status in {200, 202}
    lines = three.strip(b"[]").replace(b",", b"\n") + b'\n{"original":{}}'
    assert (await sidecar.record(lines, "id=dest", Content_Type="application/x-ndjson")).status == 413
    assert sidecar.cache.ledger.rejected == 3


@pytest.mark.parametrize("body", [b"[" + b"[]," * 300_000 + b"[]]", b'{"a":[' + b"5," * 500_000 + b"5]}"])
async def test_a_body_of_too_many_values_is_not_even_decoded(sidecar: Sidecar, body: bytes) -> None:
    for path in (INGEST, f"{CACHE}?id=dest"):
        answer = await sidecar.post(path, body, Content_Type="application/json")
        assert answer.status == 413
        assert "500000 values" in answer.json["message"]
    assert sidecar.cache.ledger.rejected == 2


async def test_a_large_body_is_taken_and_a_large_bad_one_kept(sidecar: Sidecar) -> None:
    body = b"[" + b",".join(b'{"number":%d,"text":"%b"}' % (number, b"x" * 900) for number in range(1000)) + b"]"
    assert (await sidecar.post(INGEST, body)).status == 200
    assert (await sidecar.post(INGEST, body[:-1])).status == 400
    assert len(await sidecar.events("namespace=token&ids=key")) == 100
    (event,) = await sidecar.events("namespace=token&ids=key&status=error")
    assert event["malformed"] == body[:10_000].decode()


async def test_a_template_cannot_make_much_of_little(sidecar: Sidecar) -> None:
    body = b'{"template":{"t":"' + b"y" * 51_000 + b'"},"events":[' + b",".join([b"{}"] * 9_999) + b"]}"
    assert (await sidecar.post(INGEST, body)).status == 413
    assert sidecar.cache.ledger.rejected == 1


async def test_a_template_that_stands_twice_is_malformed(sidecar: Sidecar) -> None:
    answer = await sidecar.post(INGEST, b'{"template":5,"template":{},"events":[]}')
    assert answer.status == 400
    assert len(await sidecar.events("namespace=token&ids=key&status=error")) == 1


@pytest.mark.parametrize("body", [b"\xc1", b"\xdd\x00\x01\x00\x00" + b"\x80" * 65_536, b"\x91" * 100_000, b""])
async def test_bad_msgpack_is_refused_with_a_reason(sidecar: Sidecar, body: bytes) -> None:
    answer = await sidecar.record(body, "id=d", Content_Type="application/msgpack")
    assert answer.status in {400, 413}
    assert not answer.json["message"].endswith((": ", ":"))


@pytest.mark.parametrize("headers", [b"", b"X-Admin-Token: admin\r\n"])
async def test_a_body_is_asked_for_only_when_it_may_come(start: Start, headers: bytes) -> None:
    sidecar = await start(admin_tokens=("admin",), max_body_bytes=1000)
    request = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %%d\r\n%b%%b\r\n"
    request %= (f"{CACHE}?id=d".encode(), headers)
    waiting, odd = b"Expect: 100-continue\r\n", b"Expect: foo\r\n"
    for length, expect, status in ((2000, waiting, 413), (2, odd, 417)):
        answer = await sidecar.raw(request % (length, expect), until=b"}")
        assert answer.startswith(b"HTTP/1.1 %d " % (status if headers else 401))
    answer = await sidecar.raw(request % (15, waiting) + b'{"original":{}}', until=b"}")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 " if headers else b"HTTP/1.1 401 ")


TIMES = {
    "2020-11-30T21:48:12.754000Z": True,
    "2020-11-30t21:48:12z": True,
    "2020-11-30T21:48:12.123456789+05:30": True,
    "1606772892754": True,
    "2020-W01-1T00:00:00Z": False,
    "20201130T214812Z": False,
    "2020-11-30T21:48:12,5Z": False,
    "2020-11-30T21:48:12": False,
    "2020-13-30T21:48:12Z": False,
    "2020-11-30": False,
    "9" * 4000: False,
    "-5": False,
}


@pytest.mark.parametrize(("text", "good"), TIMES.items(), ids=lambda value: str(value)[:30])
async def test_times_are_those_of_rfc_3339(sidecar: Sidecar, text: str, good: bool) -> None:
    record = json.dumps({"original": {}, "timestamp": text}).encode()
    assert (await sidecar.record(record, "id=d")).status == (202 if good else 400)
    quoted = text.replace("+", "%2B")
    assert (await sidecar.get(f"{CACHE}?ids=d&start={quoted}")).status == (200 if good else 400)


async def test_events_over_jitsus_size_are_malformed_as_in_jitsu(start: Start) -> None:
    sidecar = await start(max_event_bytes=50)
    large = b'{"a":"' + b"x" * 60 + b'"}'

    one = await sidecar.post(INGEST, large)
    assert one.json["message"] == f"Error parsing events body: Event size {len(large)} exceeds limit: 50"
    several = await sidecar.post(INGEST, b"[" + large + b"," + large + b"]")
    assert several.json["message"] == "Error parsing events body: Size of one of events exceeds limit: 50"
    (event, _) = await sidecar.events("namespace=token&ids=key")
    assert len(event["malformed"]) == 50


REFUSED_QUERIES = {
    "limit=0": "limit",
    "limit=-1": "limit",
    "limit=+5": "limit",
    "limit=%2B5": "limit",
    "limit=1e3": "limit",
    "limit=%205": "limit",
    "limit=0x5": "limit",
    "limit=%D9%A3": "limit",
    "limit=1_0": "limit",
    f"limit={10**30}": "limit",
    "limit=1&limit=2": "more than once",
    "namespace=Destination": "namespace",
    "namespace=x": "namespace",
    "status=ERROR": "status",
    "start=yesterday": "start",
    "end=2020-01-01": "end",
    "before=x": "before",
    "before=5": "exactly one id",
    "after=5&ids=a,b": "exactly one id",
    "ids=" + "x" * 513: "513 bytes",
    "ids=%ff": "UTF-8",
    "ids=%c0%af": "UTF-8",
    "ids=%ed%a0%80": "UTF-8",
    "ids=%zz": "escape",
    "ids=a%": "escape",
    "ids=%00": "U+0000",
    "ids=%0A": "U+000A",
    "ids=%E2%80%AE": "U+202E",
}


@pytest.mark.parametrize(("query", "fault"), REFUSED_QUERIES.items())
async def test_bad_queries_are_refused_by_name(sidecar: Sidecar, query: str, fault: str) -> None:
    answer = await sidecar.get(f"{CACHE}?{query}")

    assert answer.status == 400
    assert fault in answer.json["message"]
    assert answer.json["error"] == ""


async def test_too_many_ids_are_refused(start: Start) -> None:
    sidecar = await start(max_ids=3)

    assert (await sidecar.get(f"{CACHE}?ids=a,b,c,d")).status == 400
    assert (await sidecar.get(f"{CACHE}?ids=a,b,c,a,b")).status == 200


async def test_a_raw_byte_that_is_no_utf8_is_refused(sidecar: Sidecar) -> None:
    request = b"GET %s?ids=\xff HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % CACHE.encode()

    answer = await sidecar.raw(request)

    assert answer.startswith(b"HTTP/1.0 400 ")


async def test_ids_that_look_like_keys_stay_apart(sidecar: Sidecar) -> None:
    ids = {
        "x": "x",
        "x%3Aerror": "x:error",
        "x%23y": "x#y",
        "%7Bx%7D": "{x}",
        "%7D%7B": "}{",
        "%5Cn": "\\n",
        "%2A": "*",
        "..%2F": "../",
        "caf%C3%A9": "caf\u00e9",
        "cafe%CC%81": "cafe\u0301",
    }
    for quoted, name in ids.items():
        body = json.dumps({"original": {"name": name}}).encode()
        assert (await sidecar.record(body, f"id={quoted}&ack=stored")).json["stored"] == 1
    for quoted, name in ids.items():
        (event,) = await sidecar.events(f"ids={quoted}")
        assert (event["original"]["name"], event["destination_id"]) == (name, name)


CREDENTIALS = {
    "none": b"",
    "wrong": b"X-Admin-Token: wrong\r\n",
    "empty": b"X-Admin-Token: \r\n",
    "not ASCII": b"X-Admin-Token: s\xc3\xa9cret\r\n",
    "no UTF-8": b"X-Admin-Token: \xff\xfe\r\n",
    "long": b"X-Admin-Token: " + b"x" * 8000 + b"\r\n",
    "twice": b"X-Admin-Token: secret\r\nX-Admin-Token: secret\r\n",
    "bearer wrong": b"Authorization: Bearer wrong\r\n",
    "basic": b"Authorization: Basic c2VjcmV0Og==\r\n",
    "ingest": b"X-Auth-Token: ingest\r\n",
}


@pytest.mark.parametrize("header", CREDENTIALS.values(), ids=CREDENTIALS)
@pytest.mark.parametrize("request_line", [f"GET {CACHE}", f"DELETE {CACHE}?ids=a", "GET /api/v1/streams"])
async def test_without_the_admin_token_nothing_is_shown(start: Start, header: bytes, request_line: str) -> None:
    sidecar = await start(admin_tokens=("secret", "other"), ingest_tokens=("ingest",))
    request = request_line.encode() + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + header + b"\r\n"

    answer = await sidecar.raw(request)

    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b'{"message":"Admin token does not match","error":""}' in answer
