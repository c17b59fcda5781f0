"""Bad input beside the tables of `corpus.py`: it is rejected with a reason."""

import json

import pytest

from tests.support.sidecar import CACHE, Sidecar, Start, both_lanes

pytestmark = both_lanes

INGEST = "/api/v1/event?token=key"


async def test_an_invalid_origin_is_answered_and_not_allowed(sidecar: Sidecar) -> None:
    request = b"%b /api/v1/event?token=key HTTP/1.1\r\nHost: x\r\nOrigin: https://\xff.example\r\n"
    request += b"Content-Length: 2\r\nConnection: %b\r\n\r\n{}"
    for method, connection in ((b"POST", b"keep-alive"), (b"POST", b"close"), (b"OPTIONS", b"close")):
        answer = await sidecar.raw(request % (method, connection), until=b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"Access-Control-Allow-Methods" in answer
        assert b"Access-Control-Allow-Origin" not in answer
    assert len(await sidecar.events("namespace=token&ids=key")) == 2


async def test_a_record_without_a_stream_is_rejected(sidecar: Sidecar) -> None:
    answer = await sidecar.record(b'{"original":{}}', "")

    assert answer.status == 400
    assert "names neither" in answer.json["errors"][0]["message"]


async def test_a_large_body_is_accepted_and_a_malformed_one_is_kept(sidecar: Sidecar) -> None:
    body = b"[" + b",".join(b'{"number":%d,"text":"%b"}' % (number, b"x" * 900) for number in range(1000)) + b"]"
    assert (await sidecar.post(INGEST, body)).status == 200
    assert (await sidecar.post(INGEST, body[:-1])).status == 400
    assert len(await sidecar.events("namespace=token&ids=key")) == 100
    (event,) = await sidecar.events("namespace=token&ids=key&status=error")
    assert event["malformed"] == body[:10_000].decode()


async def test_a_template_cannot_multiply_a_small_body(sidecar: Sidecar) -> None:
    body = b'{"template":{"t":"' + b"y" * 20_000 + b'"},"events":[' + b",".join([b"{}"] * 9_999) + b"]}"
    assert (await sidecar.post(INGEST, body)).status == 413
    assert sidecar.cache.ledger.rejected == 1


async def test_the_last_of_repeated_templates_counts_as_in_jitsu(sidecar: Sidecar) -> None:
    body = b'{"template":5,"events":7,"template":{"a":1},"events":[{"n":1,"n":2}]}'
    assert (await sidecar.post(INGEST, body)).status == 200
    answer = await sidecar.get(f"{CACHE}?namespace=token&ids=key")
    assert b'"original":{"n":1,"n":2,"a":1}' in answer.body


async def test_a_msgpack_record_that_is_too_large_is_not_unpacked(sidecar: Sidecar) -> None:
    many = b"\x81\xa8original\x81\xa1a\xdd" + (50_000).to_bytes(4) + (b"\x92" + b"\xcb" + bytes(8) + b"\xc0") * 50_000
    body = b"\x93\x81\xa8original\x80" + many + b"\x81\xa8original\x80"
    answer = await sidecar.record(body, "id=d&ack=stored", Content_Type="application/msgpack")
    assert (answer.status, answer.json["stored"]) == (200, 2)
    (error,) = answer.json["errors"]
    assert (error["index"], "too_large" in error["message"]) == (1, True)


@pytest.mark.parametrize("body", [b"\xc1", b"\xdd\x00\x01\x00\x00" + b"\x80" * 65_536, b"\x91" * 100_000, b""])
async def test_bad_msgpack_is_rejected_with_a_reason(sidecar: Sidecar, body: bytes) -> None:
    answer = await sidecar.record(body, "id=d", Content_Type="application/msgpack")
    assert answer.status in {400, 413}
    assert not answer.json["message"].endswith((": ", ":"))


@pytest.mark.parametrize("headers", [b"", b"X-Admin-Token: admin\r\n"])
async def test_a_client_gets_100_continue_only_for_a_body_that_is_allowed(start: Start, headers: bytes) -> None:
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
async def test_times_are_in_rfc_3339(sidecar: Sidecar, text: str, good: bool) -> None:
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


OTHER_QUERIES = {
    "start=yesterday": "start",
    "end=2020-01-01": "end",
    "before=x": "before",
    "before=5": "exactly one id",
    "after=5&ids=a,b": "exactly one id",
}


@pytest.mark.parametrize(("query", "fault"), OTHER_QUERIES.items())
async def test_our_own_parameters_are_rejected_by_name(sidecar: Sidecar, query: str, fault: str) -> None:
    answer = await sidecar.get(f"{CACHE}?{query}")
    assert (answer.status, answer.json["error"]) == (400, "")
    assert fault in answer.json["message"]
