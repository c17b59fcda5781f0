"""Jitsu 2's tracking pixel: a picture whatever happens."""

import base64
from urllib.parse import quote

from eventscache.access.api_keys import ApiKey, KeyList
from tests.support.sidecar import Answer, Sidecar, Start

DATA = quote(base64.b64encode(b'{"n":1.10,"user":{"x":1}}').decode())


def error_of(answer: Answer) -> str | None:
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/gif")
    assert answer.body.startswith(b"GIF89a")
    assert "no-store" in answer.headers["Cache-Control"]
    told: str | None = answer.headers.get("X-Jitsu-Error")
    return told


async def test_an_event_is_its_data_and_its_parameters(sidecar: Sidecar) -> None:
    query = f"writekey=key:secret&event=x&user.id=7&data={DATA}&process_headers=1"
    answer = await sidecar.get(f"/api/px/track?{query}", Cookie="__eventn_uid=u")
    assert error_of(answer) is None
    assert "Set-Cookie" not in answer.headers
    (event,) = await sidecar.events("namespace=token&ids=key")
    assert event["original"] == {"n": 1.1, "user": {"x": 1, "id": "7"}, "event": "x"}


async def test_what_is_wrong_is_kept_and_told_in_a_header(sidecar: Sidecar) -> None:
    assert "not base64" in str(error_of(await sidecar.get("/api/px/page?writekey=key&data=x")))
    assert "Unknown event type: \\xe9" in str(error_of(await sidecar.get("/api/px/%C3%A9?writekey=key")))
    errors = [event["error"] for event in await sidecar.events("namespace=token&ids=key&status=error")]
    assert errors[0] == "event error: Unknown event type: \u00e9"
    assert "not base64" in errors[1]
    assert "X-Write-Key" in str(error_of(await sidecar.get("/api/px/page")))
    assert error_of(await sidecar.get("/api/px/%zz?writekey=key"))
    assert sidecar.cache.ledger.rejected == 2


async def test_broken_data_is_kept_decoded_if_it_can_be(sidecar: Sidecar) -> None:
    broken = (b'{"n":', b"[1]", b'{"writeKey":"key:secret","n":NaN}')
    for text in (*(quote(base64.b64encode(data).decode()) for data in broken), "not%20base64", "%C3%A9"):
        assert error_of(await sidecar.get(f"/api/px/page?writekey=key&data={text}"))
    events = await sidecar.events("namespace=token&ids=key&status=error")
    assert [event["malformed"] for event in events[::-1]] == [
        '{"n":',
        "[1]",
        '{"writeKey":"key:***","n":NaN}',
        "not base64",
        "\u00e9",
    ]
    assert all("pixel" in event["error"] or "data" in event["error"] for event in events)


async def test_a_header_is_answered_without_an_event(sidecar: Sidecar) -> None:
    assert (await sidecar.ask("HEAD", "/api/px/page?writekey=key")).status == 200
    assert sidecar.cache.ledger.received == 0


async def test_only_a_client_secret_counts_and_every_page_may_ask(start: Start) -> None:
    sidecar = await start(api_keys=KeyList((ApiKey("site", "js", "s2s"),)))
    assert error_of(await sidecar.get("/api/px/page?writekey=js")) is None
    for key in ("s2s", "wrong", ""):
        assert error_of(await sidecar.get(f"/api/px/page?writekey={key}"))
    assert len(await sidecar.events("namespace=token&ids=site")) == 1
    answer = await sidecar.ask("OPTIONS", "/api/px/page", Origin="https://a.example")
    assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example"


async def test_nobody_is_sent_elsewhere(sidecar: Sidecar) -> None:
    answer = await sidecar.get("/api/px/page?writekey=key&destination_url=https%3A%2F%2Fevil.example")
    assert error_of(answer) is None
    assert "Location" not in answer.headers
