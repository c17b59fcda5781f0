"""Responses that write themselves: over a real connection they are like any other response, byte by byte."""

import asyncio
from email.utils import parsedate_to_datetime

import pytest

from eventscache.server.http.responses import PrebuiltResponse
from tests.support.sidecar import Sidecar

BODY = b'{"event_type":"x"}'
OK = b'{"status":"ok"}'
CACHE = "/api/v1/events/cache"


def request(*headers: str, version: str = "1.1") -> bytes:
    head = [f"POST /api/v1/event?token=key HTTP/{version}", "Host: 127.0.0.1", f"Content-Length: {len(BODY)}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + BODY


LAST = request("Connection: close")


def split(answers: bytes) -> list[bytes]:
    return [answer + OK for answer in answers.split(OK)[:-1]]


def parsed(answer: bytes) -> tuple[bytes, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    headers = dict(line.decode().split(": ", 1) for line in lines)
    return status, headers, body


async def test_a_prebuilt_response_has_all_headers_of_aiohttps(sidecar: Sidecar) -> None:
    prebuilt, plain = map(parsed, split(await sidecar.raw(request() + LAST)))
    assert prebuilt[0] == plain[0] == b"HTTP/1.1 200 OK"
    assert prebuilt[2] == plain[2] == OK
    assert prebuilt[1].keys() == plain[1].keys() - {"Connection"}
    for name in ("Content-Type", "Content-Length", "Server"):
        assert prebuilt[1][name] == plain[1][name]
    assert parsedate_to_datetime(prebuilt[1]["Date"]) <= parsedate_to_datetime(plain[1]["Date"])


def answers_of(data: bytes) -> list[bytes]:
    """Return the answers to several requests, by their lengths."""
    answers = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        answers.append(head + b"\r\n\r\n" + rest[:length])
        data = rest[length:]
    return answers


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
async def test_a_page_of_events_has_all_headers_of_aiohttps(sidecar: Sidecar, accept: str) -> None:
    await sidecar.record(b'{"original":{"a":1}}', "id=a&ack=stored")
    asked = f"GET {CACHE}?ids=a HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n".encode()
    sent = await sidecar.raw(asked + b"\r\n" + asked + b"Connection: close\r\n\r\n")
    whole, plain = map(parsed, answers_of(sent))
    assert whole[0] == plain[0] == b"HTTP/1.1 200 OK"
    assert whole[2] == plain[2]
    assert whole[1].keys() == plain[1].keys() - {"Connection"}
    for name in whole[1].keys() - {"Date"}:
        assert whole[1][name] == plain[1][name]


async def test_head_of_a_page_has_its_length_and_no_body(sidecar: Sidecar) -> None:
    await sidecar.record(b'{"original":{"a":1}}', "id=a&ack=stored")
    length = len((await sidecar.get(f"{CACHE}?ids=a")).body)
    asked = f"HEAD {CACHE}?ids=a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    _, headers, body = parsed(await sidecar.raw(asked))
    assert (headers["Content-Length"], body) == (str(length), b"")


@pytest.mark.parametrize(
    ("version", "headers", "kept"),
    [
        ("1.1", [], True),
        ("1.1", ["Connection: keep-alive"], True),
        ("1.1", ["Connection: close"], False),
        ("1.0", [], False),
        ("1.0", ["Connection: keep-alive"], True),
    ],
)
async def test_the_connection_is_kept_as_the_client_asks(
    sidecar: Sidecar, version: str, headers: list[str], kept: bool
) -> None:
    sent = request(*headers, version=version)
    answers = split(await sidecar.raw(sent * 2 + LAST if kept else sent))  # reads until the connection is closed
    assert len(answers) == (3 if kept else 1)
    assert answers[0].startswith(b"HTTP/%b 200 OK\r\n" % version.encode())


async def test_one_origin_never_gets_the_response_of_another(sidecar: Sidecar) -> None:
    origins = ["https://one.example", None, "https://two.example", "https://one.example", None]
    requests = [request(f"Origin: {origin}") if origin else request() for origin in origins]
    answers = split(await sidecar.raw(b"".join(requests) + LAST))
    for origin, answer in zip(origins, answers, strict=False):
        _, headers, _ = parsed(answer)
        assert headers.get("Access-Control-Allow-Origin") == origin
        assert headers.get("Vary") == ("Origin" if origin else None)
    assert len(answers) == len(origins) + 1


@pytest.mark.parametrize("origin", [b"\xff\xfe", b"https://caf\xc3\xa9.example"])
async def test_an_invalid_origin_is_not_allowed(sidecar: Sidecar, origin: bytes) -> None:
    answers = split(await sidecar.raw(request().replace(b"Host: 127", b"Origin: %b\r\nHost: 127" % origin) * 2 + LAST))
    assert len(answers) == 3
    for answer in answers:
        assert "Access-Control-Allow-Origin" not in parsed(answer)[1]


def test_the_date_follows_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    dates = iter(["Mon, 23 Nov 2026 10:00:00 GMT", "Mon, 23 Nov 2026 10:00:01 GMT"])
    monkeypatch.setattr("eventscache.server.http.responses.rfc822_formatted_time", lambda: next(dates))
    written: list[bytes] = []

    class Transport:
        def is_closing(self) -> bool:
            return False

        def write(self, data: bytes) -> None:
            written.append(data)

        def get_write_buffer_size(self) -> int:
            return 0

    class Request:
        transport = Transport()

    answer = PrebuiltResponse(200, OK, ())
    for _ in range(2):
        asyncio.run(answer.prepare(Request()))  # type: ignore[arg-type]
    assert [parsed(each)[1]["Date"][-6:-4] for each in written] == ["00", "01"]
