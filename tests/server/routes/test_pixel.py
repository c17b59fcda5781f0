"""Jitsu's tracking pixel."""

import base64
from typing import Any
from urllib.parse import quote

import pytest

from eventscache.access.api_keys import ApiKey, KeyList
from tests.support import corpus
from tests.support.sidecar import CACHE, Answer, Log, Sidecar, Start

PIXEL = "/api/v1/p.gif"
KEYS = KeyList((ApiKey("id", "client", "server"),))
EVENT = b'{ "token":"key", "price": 1.10, "user":{"id":7,"email":"a@b.example"},"n":1e400 }'
BAD_BASE64 = 'Error decoding event from "data" field in tracking pixel: illegal base64 data at input byte '
BAD_JSON = 'Error unmarshalling event from "data": '


def data(event: bytes) -> str:
    return f"data={quote(base64.b64encode(event).decode(), safe='')}"


async def kept(sidecar: Sidecar, status: str = "") -> list[dict[str, Any]]:
    return await sidecar.events(f"namespace=token&ids=key&status={status}")


def check_image(answer: Answer) -> None:
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/gif")
    assert answer.body[:10] == b"GIF89a\x01\x00\x01\x00"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["Cache-Control"] == "no-store"


async def test_the_event_of_an_image_is_kept_as_it_was_sent(sidecar: Sidecar) -> None:
    check_image(await sidecar.get(f"{PIXEL}?{data(EVENT)}"))
    assert b'{"original":' + EVENT + b',"timestamp"' in (await sidecar.get(f"{CACHE}?namespace=token&ids=key")).body


async def test_keys_of_the_query_are_paths_and_win_over_the_data(sidecar: Sidecar) -> None:
    query = "user.id=8&user/name=%C3%A9&/a/b/=1&tag=x&tag=y&price.x=1&.=2&=3&no%20blanks=4&bad=%zz"
    check_image(await sidecar.get(f"{PIXEL}?{query}&{data(EVENT)}"))
    answer = await sidecar.get(f"{CACHE}?namespace=token&ids=key")
    expected = (
        '{"token":"key","price":1.10,"user":{"id":"8","email":"a@b.example","name":"é"},"n":1e400,"a":{"b":"1"},'
        '"tag":["x","y"],"noblanks":"4"}'
    )
    assert b'{"original":' + expected.encode() + b',"timestamp"' in answer.body


@pytest.mark.parametrize(("event", "key", "expected"), corpus.PIXEL_KEYS)
async def test_the_first_alternative_whose_objects_are_there_is_set(
    sidecar: Sidecar, event: bytes, key: str, expected: bytes
) -> None:
    check_image(await sidecar.get(f"{PIXEL}?{data(event)}&{quote(key)}=1&token=key"))
    answer = await sidecar.get(f"{CACHE}?namespace=token&ids=key")
    assert b'{"original":{' + expected + b'"token":"key"},"timestamp"' in answer.body


@pytest.mark.parametrize(
    ("query", "kept_at"),
    [
        ("token=key&api_key=other", "key"),
        ("api_key=key", "key"),
        (data(b'{"api_key":"key"}'), "key"),
        (data(b'{"token":"other"}') + "&token=key", "key"),
        (data(b'{"token":7}'), "7"),
    ],
)
async def test_the_token_is_that_of_the_event(sidecar: Sidecar, query: str, kept_at: str) -> None:
    check_image(await sidecar.get(f"{PIXEL}?{query}", X_Auth_Token="header", Authorization="Basic aGVhZGVyOg=="))
    (event,) = await sidecar.events(f"namespace=token&ids={kept_at},header")
    assert event["token_id"] == kept_at


async def test_secrets_of_both_types_count_and_the_image_comes_for_others_too(start: Start, log: Log) -> None:
    sidecar = await start(api_keys=KEYS, admin_tokens=("admin",))
    for query in ("token=client", "token=server", "token=nobody", "", "event_type=x", "token=nobody"):
        check_image(await sidecar.get(f"{PIXEL}?{query}"))
    events = (await sidecar.get(f"{CACHE}?namespace=token&ids=id", X_Admin_Token="admin")).json["events"]
    assert [event["original"]["token"] for event in events] == ["server", "client"]
    assert sidecar.cache.ledger.rejected == 4
    assert sum("input rejected" in line for line in log.lines) == 1
    assert not any("nobody" in line for line in log.lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", f"{BAD_BASE64}0"),
        ("abcdef", f"{BAD_BASE64}4"),
        ("ab!d", f"{BAD_BASE64}2"),
        ("ab=", f"{BAD_BASE64}3"),
        ("ab=c", f"{BAD_BASE64}2"),
        ("e30=e30=", f"{BAD_BASE64}4"),
        ("_-==", f"{BAD_BASE64}0"),
        ("e30+", f"{BAD_BASE64}3"),  # a plus in a query is a blank
        (base64.b64encode(b"{").decode(), f"{BAD_JSON}unexpected end of JSON input"),
        (base64.b64encode(b"  ").decode(), f"{BAD_JSON}unexpected end of JSON input"),
        (base64.b64encode(b"{} x").decode(), f"{BAD_JSON}invalid character 'x' after top-level value"),
        (
            base64.b64encode(b"[1]").decode(),
            f"{BAD_JSON}json: cannot unmarshal array into Go value of type events.Event",
        ),
        (base64.b64encode(b"nope").decode(), f"{BAD_JSON}invalid character 'o' in literal null (expecting 'u')"),
    ],
)
async def test_broken_data_is_kept_if_its_token_is_known(sidecar: Sidecar, text: str, message: str) -> None:
    for query in (f"data={text}&token=key", f"data={text}"):
        answer = await sidecar.get(f"{PIXEL}?{query}")
        assert (answer.status, answer.json["message"], answer.json["code"]) == (400, message, "malformed_body")
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    (event,) = await kept(sidecar, "error")
    assert (event["error"], "original" in event) == (message, False)
    assert sidecar.cache.ledger.rejected == 1


@pytest.mark.parametrize(("text", "original"), [("null", {"token": "key"}), ('{"a":"\udcff"}', {"a": "\ufffd"})])
async def test_data_is_read_as_go_reads_it(sidecar: Sidecar, text: str, original: dict[str, str]) -> None:
    check_image(await sidecar.get(f"{PIXEL}?{data(text.encode(errors='surrogateescape'))}&token=key"))
    (event,) = await kept(sidecar)
    assert event["original"] == {**original, "token": "key"}


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (".".join("a" * 201) + "=1", "nested deeper than 200 levels"),
        (data(b'{"a":' * 201 + b"1" + b"}" * 201), "nested deeper than 200 levels"),
    ],
)
async def test_an_event_over_our_limits_is_malformed(sidecar: Sidecar, query: str, error: str) -> None:
    assert (await sidecar.get(f"{PIXEL}?token=key&{query}")).status == 400
    (event,) = await kept(sidecar, "error")
    assert event["error"] == error


async def test_a_visitor_without_an_id_gets_one(sidecar: Sidecar) -> None:
    first = (await sidecar.get(f"{PIXEL}?token=key")).headers["Set-Cookie"]
    second = (await sidecar.get(f"{PIXEL}?token=key&cookie_domain=.shop.example")).headers["Set-Cookie"]
    name, _, value = first.partition(";")[0].partition("=")
    assert (name, len(value)) == ("__eventn_id", 10)
    assert first.endswith("; Path=/; Expires=Fri, 31 Dec 9999 23:59:59 GMT; Secure; SameSite=None")
    assert "; Domain=.shop.example; " in second
    assert first[:22] != second[:22]


@pytest.mark.parametrize(
    ("query", "cookie"),
    [
        ("token=key", "__eventn_id=abc"),
        ("token=key&user.anonymous_id=7", ""),
        ("token=key&eventn_ctx.user.anonymous_id=7", ""),
        (data(b'{"user":{"anonymous_id":"7"}}'), ""),
        ("token=key&cookie_policy=strict", ""),
        ("token=key&cookie_policy=comply", ""),
    ],
)
async def test_no_other_visitor_gets_an_id(sidecar: Sidecar, query: str, cookie: str) -> None:
    assert "Set-Cookie" not in (await sidecar.get(f"{PIXEL}?{query}", Cookie=cookie)).headers


async def test_nothing_of_a_query_gets_into_the_headers(sidecar: Sidecar) -> None:
    for domain in ("x%0d%0aSet-Cookie:%20a=b", "a;%20HttpOnly", "%C3%A9.example", ""):
        (cookie,) = (await sidecar.get(f"{PIXEL}?cookie_domain={domain}")).headers.getall("Set-Cookie")
        assert "Domain" not in cookie


async def test_head_takes_no_event(sidecar: Sidecar) -> None:
    answer = await sidecar.ask("HEAD", f"{PIXEL}?token=key")
    assert (answer.status, answer.body) == (200, b"")
    assert await kept(sidecar) == []
    options = await sidecar.ask("OPTIONS", PIXEL, Origin="https://a.example")
    assert (options.status, "Access-Control-Allow-Origin" in options.headers) == (200, False)
