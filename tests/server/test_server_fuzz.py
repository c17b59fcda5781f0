"""What a request brings besides events: queries, zipped bodies, tokens and origins. None breaks anything."""

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

from eventscache.config.settings import Settings
from eventscache.server.http.auth import Access
from eventscache.server.http.body import gunzip
from eventscache.server.http.parameters import Parameters
from eventscache.server.http.responses import HttpError
from eventscache.server.routes.ingestion import find_token
from eventscache.server.routing import ROUTES
from eventscache.stream import check_id
from tests.support.fuzz import fuzz
from tests.support.threaded_sidecar import served

LIMIT = 300
# As the HTTP parser hands them over: what is no UTF-8 comes as surrogates.
HEADERS = st.binary(max_size=20).map(lambda data: data.decode(errors="surrogateescape")) | st.text(max_size=20)
PIECES = st.sampled_from(
    ["ids=", "limit=", "start=", "before=", "namespace=", "ack=", "&", "=", "%", "%f", "%ff", "+", ",", ";"]
)
PIECES |= st.sampled_from(
    ["%00", "%ed%a0%80", "%C0%AF", "\udcff", "é", "1", "a", "token", "9" * 30, "٣", "-", "1e3", "#"]
)
QUERIES = st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join)


def asking(headers: list[tuple[str, str]], query: str = "") -> web.BaseRequest:
    """Return as much of a request as is asked who it is from; aiohttp's own takes no odd bytes but from a socket."""
    return cast(web.BaseRequest, SimpleNamespace(remote=None, headers=CIMultiDict(headers), raw_path=f"/?{query}"))


def check_refusal(refusal: HttpError, *statuses: int) -> None:
    assert refusal.status in statuses
    assert refusal.message.encode()


def read_all(asked: Parameters) -> None:
    """Read everything, as the routes do."""
    readers: list[Callable[[], object]] = [
        asked.namespace,
        asked.status,
        lambda: asked.whole_number("limit", 1),
        lambda: asked.time("start"),
        lambda: asked.choice("ack", "queued", "stored"),
        lambda: asked.ids(5, 20),
        lambda: asked.stream(20),
    ]
    for reader in readers:
        try:
            reader()
        except HttpError as refusal:
            check_refusal(refusal, 400)


@fuzz
@given(QUERIES)
def test_a_query_is_refused_or_read(raw: str) -> None:
    try:
        asked = Parameters(raw)
    except HttpError as refusal:
        check_refusal(refusal, 400)
        return
    for name, value in asked.pairs:
        (name + value).encode()
    read_all(asked)
    for text in asked.ids(1000, 1000) or [] if not refuses_ids(asked) else []:
        assert check_id(text, 1000) == text


def refuses_ids(asked: Parameters) -> bool:
    try:
        asked.ids(1000, 1000)
    except HttpError:
        return True
    return False


@fuzz
@given(st.lists(st.tuples(st.text(), st.text())), st.sampled_from([quote, quote_plus]))
def test_what_was_encoded_is_read_as_it_was(pairs: list[tuple[str, str]], encode: Callable[..., str]) -> None:
    raw = "&".join(f"{encode(name, safe='')}={encode(value, safe='')}" for name, value in pairs)
    assert Parameters(raw).pairs == pairs


@fuzz
@given(
    st.lists(st.binary(max_size=200), min_size=1, max_size=20), st.binary(max_size=3), st.integers(0), st.integers(0, 9)
)
@example([b"x" * (LIMIT + 1)], b"", 0, 9)
@example([b"x" * LIMIT], b"", 0, 9)
@example([b""] * 17, b"", 0, 9)
def test_a_zipped_body_is_refused_or_what_was_zipped(parts: list[bytes], noise: bytes, place: int, level: int) -> None:
    whole = b"".join(parts)
    zipped = b"".join(gzip.compress(part, level, mtime=0) for part in parts)
    if len(whole) <= LIMIT and len(parts) <= 16:
        assert gunzip(zipped, LIMIT) == whole
    else:
        with pytest.raises(HttpError) as refused:
            gunzip(zipped, LIMIT)
        assert refused.value.status in {400, 413}
    place %= len(zipped) + 1
    for broken in (zipped[:place], zipped[:place] + noise + zipped[place + len(noise) :], zipped + noise, noise):
        try:
            unzipped = gunzip(broken, LIMIT)
        except HttpError as refusal:
            check_refusal(refusal, 400, 413)
        else:
            assert len(unzipped) <= LIMIT
            assert unzipped == gzip.decompress(broken)


@fuzz
@given(st.binary(max_size=LIMIT))
def test_other_compressions_are_no_gzip(data: bytes) -> None:
    with pytest.raises(HttpError):
        gunzip(zlib.compress(data), LIMIT)


@fuzz
@given(
    st.lists(
        st.tuples(st.sampled_from(["X-Admin-Token", "Authorization", "X-Auth-Token", "api_key"]), HEADERS), max_size=4
    ),
    QUERIES,
)
@example([("X-Admin-Token", "\udcff")], "")
@example([("Authorization", "Bearer \udcff")], "")
@example([("Authorization", "Basic \udcff")], "")
@example([("X-Admin-Token", "admin")], "token=admin")
def test_tokens_are_compared_and_never_raise(headers: list[tuple[str, str]], query: str) -> None:
    access = Access(Settings(admin_tokens=("admin",), ingest_tokens=("ingest",), admin_token_in_query=True))
    request = asking(headers, query)
    known = any(value.strip().removeprefix("Bearer ").strip() == "admin" for _, value in headers) or "admin" in query
    for require in (access.require_admin, access.require_writer):
        try:
            require(request)
        except HttpError as refusal:
            check_refusal(refusal, 400, 401)
        else:
            assert known or any(value == "ingest" for _, value in headers)
    try:
        find_token(request)
    except HttpError as refusal:
        check_refusal(refusal, 400)


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
    lines = {"Host": b"127.0.0.1", "Content-Length": b"2", "Connection": b"close", name: value}
    head = f"{method} {path}?token=key HTTP/1.1\r\n".encode()
    request = head + b"".join(b"%b: %b\r\n" % (key.encode(), text) for key, text in lines.items()) + b"\r\n{}"
    with socket.create_connection(("127.0.0.1", URL(address).port or 0), timeout=60) as connection:
        connection.sendall(request)
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1."), answer
    assert 200 <= int(answer.split()[1]) < 500


@fuzz
@given(HEADERS, HEADERS)
@example("\udcff", "é")
def test_a_token_matches_itself_and_no_other(one: str, other: str) -> None:
    access = Access(Settings(admin_tokens=(one or "x",)))
    for token in (one or "x", other):
        asked = asking([("X-Admin-Token", token)])
        if token == (one or "x"):
            access.require_admin(asked)
        else:
            with pytest.raises(HttpError):
                access.require_admin(asked)
