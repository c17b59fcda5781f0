"""Queries, zipped bodies, tokens and origins with any content never break the server."""

import gzip
import socket
import zlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import cast
from urllib.parse import quote, quote_plus

import pytest
from aiohttp import web
from hypothesis import assume, example, given
from hypothesis import strategies as st
from multidict import CIMultiDict
from yarl import URL

from eventscache.access.api_keys import ApiKeys, KeyList
from eventscache.config.settings import Settings
from eventscache.delivery.producer import Producer, Producers
from eventscache.errors import InvalidEvent
from eventscache.server.http.auth import Access
from eventscache.server.http.body import gunzip
from eventscache.server.http.parameters import Parameters, pairs_as_in_go
from eventscache.server.http.responses import HttpError
from eventscache.server.ingestion import senders
from eventscache.server.ingestion.senders import find_token
from eventscache.server.ingestion.write_keys import find_write_key
from eventscache.server.routing import ROUTES
from eventscache.stream import check_id
from tests.support.fuzz import fuzz
from tests.support.sidecar import PRIMED, PRIMER
from tests.support.threaded_sidecar import served

LIMIT = 300
# As the HTTP parser returns them: bytes that are not UTF-8 are surrogates.
HEADERS = st.binary(max_size=20).map(lambda data: data.decode(errors="surrogateescape")) | st.text(max_size=20)
PIECES = st.sampled_from(
    ["ids=", "limit=", "start=", "before=", "namespace=", "ack=", "&", "=", "%", "%f", "%ff", "+", ",", ";"]
)
PIECES |= st.sampled_from(
    ["%00", "%ed%a0%80", "%C0%AF", "\udcff", "é", "1", "a", "token", "9" * 30, "٣", "-", "1e3", "#"]
)
QUERIES = st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join)


def request_with(headers: list[tuple[str, str]], query: str = "") -> web.BaseRequest:
    """Return the part of a request that authentication reads; aiohttp makes one with invalid bytes only on a socket."""
    return cast(web.BaseRequest, SimpleNamespace(remote=None, headers=CIMultiDict(headers), raw_path=f"/?{query}"))


def check_error(error: HttpError, *statuses: int) -> None:
    assert error.status in statuses
    assert error.message.encode()


def read_all(params: Parameters) -> None:
    """Read all parameters as the routes do."""
    readers: list[Callable[[], object]] = [
        params.namespace,
        params.status,
        lambda: params.whole_number("limit", 1),
        lambda: params.time("start"),
        lambda: params.choice("ack", "queued", "stored"),
        lambda: params.ids(5, 20),
        lambda: params.stream(20),
        lambda: params.require_known(("ids", "namespace")),
    ]
    for reader in readers:
        try:
            reader()
        except HttpError as error:
            check_error(error, 400)


@fuzz
@given(QUERIES)
def test_a_query_is_rejected_or_parsed(raw: str) -> None:
    params = Parameters(raw)
    for name in params.names:
        try:
            [value.encode() for value in params.all(name)]
        except HttpError as error:
            check_error(error, 400)
    read_all(params)
    for text in params.ids(1000, 1000) or [] if not rejects_ids(params) else []:
        assert check_id(text, 1000) == text


def rejects_ids(params: Parameters) -> bool:
    try:
        params.ids(1000, 1000)
    except HttpError:
        return True
    return False


@fuzz
@given(st.lists(st.tuples(st.text(), st.text())), st.sampled_from([quote, quote_plus]))
def test_encoded_queries_are_decoded_exactly(pairs: list[tuple[str, str]], encode: Callable[..., str]) -> None:
    raw = "&".join(f"{encode(name, safe='')}={encode(value, safe='')}" for name, value in pairs)
    assert list(pairs_as_in_go(raw)) == pairs
    for name in Parameters(raw).names:
        assert Parameters(raw).all(name) == [value for key, value in pairs if key == name]


@fuzz
@given(
    st.lists(st.binary(max_size=200), min_size=1, max_size=20), st.binary(max_size=3), st.integers(0), st.integers(0, 9)
)
@example([b"x" * (LIMIT + 1)], b"", 0, 9)
@example([b"x" * LIMIT], b"", 0, 9)
@example([b""] * 17, b"", 0, 9)
def test_a_zipped_body_is_rejected_or_unzipped_exactly(
    parts: list[bytes], noise: bytes, place: int, level: int
) -> None:
    whole = b"".join(parts)
    zipped = b"".join(gzip.compress(part, level, mtime=0) for part in parts)
    if len(whole) <= LIMIT and len(parts) <= 16:
        assert gunzip(zipped, LIMIT) == whole
    else:
        with pytest.raises(HttpError) as rejected:
            gunzip(zipped, LIMIT)
        assert rejected.value.status in {400, 413}
    place %= len(zipped) + 1
    for broken in (zipped[:place], zipped[:place] + noise + zipped[place + len(noise) :], zipped + noise, noise):
        try:
            unzipped = gunzip(broken, LIMIT)
        except HttpError as error:
            check_error(error, 400, 413)
        else:
            assert len(unzipped) <= LIMIT
            assert unzipped == gzip.decompress(broken)


@fuzz
@given(st.binary(max_size=LIMIT))
def test_other_compressions_are_rejected_as_gzip(data: bytes) -> None:
    with pytest.raises(HttpError):
        gunzip(zlib.compress(data), LIMIT)


@fuzz
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["X-Admin-Token", "Authorization", "X-Auth-Token", "X-Write-Key", "api_key"]), HEADERS
        ),
        max_size=4,
    ),
    QUERIES,
)
@example([("X-Admin-Token", "\udcff")], "")
@example([("Authorization", "Bearer \udcff")], "")
@example([("Authorization", "Basic \udcff")], "")
@example([("X-Admin-Token", "admin")], "token=admin")
def test_tokens_are_compared_and_never_raise(headers: list[tuple[str, str]], query: str) -> None:
    access = Access(Settings(admin_tokens=("admin",), ingest_tokens=("ingest",), admin_token_in_query=True))
    request = request_with(headers, query)
    known = any(value.strip().removeprefix("Bearer ").strip() == "admin" for _, value in headers) or "admin" in query
    for require in (access.require_admin, access.require_writer):
        try:
            require(request)
        except HttpError as error:
            check_error(error, 400, 401)
        else:
            assert known or any(value == "ingest" for _, value in headers)
    find_token(request, ApiKeys(KeyList()))
    try:
        key = find_write_key(request)
    except HttpError as error:
        check_error(error, 401)
    else:
        assert isinstance(key, str)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served() as where:
        yield where


NAMES = [
    "Origin",
    "Content-Type",
    "Content-Encoding",
    "Accept",
    "Authorization",
    "X-Auth-Token",
    "X-Write-Key",
    "Host",
    "Cookie",
    "Expect",
]
ODD = st.text("application/json;charset*0=utf-8'\"%, Basic:@[]htps", max_size=40).map(str.encode) | st.binary(
    max_size=20
)


@fuzz
@given(st.sampled_from(NAMES), ODD, st.sampled_from([route for route in ROUTES if not route[1].endswith("/stream")]))
@example("Origin", b"https://\xff.example", ("POST", "/api/v1/event", None))
@example("Origin", b"https://\xff.example", ("OPTIONS", "/api/v1/event", None))
def test_odd_headers_never_make_a_route_fail(
    address: str, name: str, value: bytes, route: tuple[str, str, object]
) -> None:
    assume(not set(value) & set(b"\r\n\0"))
    method, path, _ = route
    lines = {"Host": b"127.0.0.1", "Content-Length": b"2", name: value}
    head = f"{method} {path}?token=key&writekey=key HTTP/1.1\r\n".encode()
    request = head + b"".join(b"%b: %b\r\n" % (key.encode(), text) for key, text in lines.items()) + b"\r\n{}"
    with socket.create_connection(("127.0.0.1", URL(address).port or 0), timeout=60) as connection:
        answers = connection.makefile("rb")
        connection.sendall(PRIMER)
        while answers.readline() != b"\r\n":
            pass
        answers.read(len(PRIMED))
        connection.sendall(request)
        answer = answers.readline()
    assert answer.startswith(b"HTTP/1."), answer
    assert 200 <= int(answer.split()[1]) < 500


PATHS = st.lists(st.sampled_from([*(path for _, path, _ in ROUTES), "/", "//", "mirror", "?", "%2F", "{", "..", "#"]))
ODD_BODIES = st.sampled_from([b"{}", b"[{},{}]", b'{"original":{}}', b'[{"original":{},"x":1}]', b"{", b""]) | ODD
ODD_BODIES |= st.sampled_from(
    [b'{"template":{},"events":[{},{}]}', b'[{},{"original":{}},{"template":{},"events":[]}]']
)


@fuzz
@given(st.sampled_from(["POST", "GET", "PUT", "DELETE", "OPTIONS", "HEAD"]), PATHS.map("".join), QUERIES, ODD_BODIES)
@example("POST", "/api/v1/event", "token=key", b"{}")
def test_every_copy_and_every_webhook_has_the_same_answer(
    address: str, method: str, path: str, query: str, body: bytes
) -> None:
    query = quote(query, safe="%&=+,;", errors="surrogateescape")
    copy = (method, f"/mirror/{path}?{query}", 204)
    targets = [copy, copy, ("POST", f"/ingest/jitsu2?{query}", 200)]  # twice, as the fast lane takes no first one
    with socket.create_connection(("127.0.0.1", URL(address).port or 0), timeout=60) as connection:
        answers = connection.makefile("rb")
        for method_, target, status in targets:
            head = f"{method_} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            assert answers.readline().startswith(b"HTTP/1.1 %d " % status), target
            length = 0
            while line := answers.readline().strip():
                length = int(line.split()[1]) if line.lower().startswith(b"content-length") else length
            answers.read(length)


TOKENS = st.text("abzAZ09_.~-", min_size=1, max_size=30) | st.from_regex(r"\A[\w.~-]{1,600}\Z")


@fuzz
@given(TOKENS, st.sampled_from(["", "&x=y", "&token=other"]), st.sampled_from([1, 20, 512]))
@example(".", "", 512)
@example("a" * 513, "", 512)
def test_a_plain_query_leads_to_the_sender_of_its_token(token: str, rest: str, max_id_bytes: int) -> None:
    producer = Producers(10, lambda: 0).anonymous
    found = senders._cached_plain_sender(f"token={token}{rest}", max_id_bytes, producer)
    assert found in {None, expected_sender(token, max_id_bytes, producer)}
    if token.isascii() and len(token) <= max_id_bytes:
        assert found


def expected_sender(token: str, max_id_bytes: int, producer: Producer) -> senders.Sender | None:
    try:
        return senders._anonymous_sender(token, max_id_bytes, producer)
    except InvalidEvent:
        return None


RAW = st.lists(PIECES.map(lambda text: text.encode(errors="surrogateescape")) | st.binary(max_size=4)).map(b"".join)


@fuzz
@given(
    st.sampled_from(["POST", "GET", "PUT", "DELETE", "OPTIONS", "HEAD"]),
    st.sampled_from(["POST", "GET", "PUT", "PATCH", "DELETE"]),
    st.sampled_from(["/", *(path for _, path, _ in ROUTES)]),
    RAW,
    st.sampled_from([0, 140, 300]),
    st.integers(0, 60),
    ODD_BODIES,
)
@example("GET", "GET", "/api/v1/p.gif", b"token=k&x=\xc3\xa9", 0, 40, b"")
@example("POST", "PUT", "/api/v1/event", b"token=k", 300, 5, b"{}")
def test_raw_bytes_and_too_many_headers_change_no_answer(
    address: str, method: str, webhook: str, path: str, query: bytes, headers: int, cut: int, body: bytes
) -> None:
    query = bytes(byte for byte in query if byte not in b"\r\n ")  # these end a target
    lines = b"Host: localhost\r\nConnection: close\r\nContent-Length: %d\r\n" % len(body) + b"X: a\r\n" * headers
    for start, status in (
        (f"{method} /mirror{path}".encode(), 204),
        (f"{webhook} /ingest/jitsu2".encode(), 200),
    ):
        sent = start + b"?" + query + b" HTTP/1.1\r\n" + lines + b"\r\n" + body
        with socket.create_connection(("127.0.0.1", URL(address).port or 0), timeout=60) as connection:
            for piece in (sent[:cut], sent[cut:]):
                connection.sendall(piece)
            answer = connection.makefile("rb").readline()
        assert answer.split(b" ", 1)[1].startswith(b"%d " % status), sent


@fuzz
@given(HEADERS, HEADERS)
@example("\udcff", "é")
def test_a_token_matches_itself_and_no_other(one: str, other: str) -> None:
    access = Access(Settings(admin_tokens=(one or "x",)))
    for token in (one or "x", other):
        request = request_with([("X-Admin-Token", token)])
        if token == (one or "x"):
            access.require_admin(request)
        else:
            with pytest.raises(HttpError):
                access.require_admin(request)
