"""Clients that run in pages, each as it is published, in a real browser and on another origin than the sidecar's."""

from typing import Any, NamedTuple

import pytest

from eventscache.access.api_keys import ApiKey, KeyList
from tests.support.clients import EVENTS, Fields, OpenPage, Serve, check, jitsu_fields, originals, segment_fields
from tests.support.gate import Gate

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = "js.secret"
KEYS = KeyList((ApiKey("shop", SECRET, "s2s.secret", ("127.0.0.1",)), ApiKey("other", "js.other", "s2s.other")))


class Use(NamedTuple):
    """How a client is used in a page, and what is known of it."""

    page: str
    options: dict[str, Any] | None = None
    fields: Fields = segment_fields
    """What an original has of an event."""
    key: str = "{}"
    """What the client is given as its key: `{}` stands for the secret."""
    stream: str = "my_token"
    """The stream of its events where no keys are configured, and its key has this secret."""
    refusal: str = ""
    """What the console shows of a 401. Without it, the page gets a 200 for a wrong key, as its makers mean it."""
    batches: bool = False
    retries: bool = True
    """Without it, the client drops what was not taken, as its makers mean it."""
    keeps_order: bool = True
    """Also of what it sends again."""


USES = {
    "@jitsu/sdk-js": Use("jitsu_sdk.html", fields=jitsu_fields, refusal="#401", batches=True),
    "@jitsu/sdk-js, with randomize_url": Use(
        "jitsu_sdk.html", {"randomize_url": True}, fields=jitsu_fields, refusal="#401", batches=True
    ),
    "@jitsu/js": Use("jitsu_js.html", key="my_id:{}", stream="my_id", retries=False),
    "@segment/analytics-next": Use("analytics_next.html", refusal="Non-retryable error: 401", keeps_order=False),
    "@segment/analytics-next, with batching": Use(
        "analytics_next.html",
        {"deliveryStrategy": {"strategy": "batching", "config": {"size": len(EVENTS), "timeout": 200}}},
        refusal="status of 401",
        batches=True,
    ),
}


@pytest.fixture(params=[*USES.values()], ids=[*USES])
def use(request: pytest.FixtureRequest) -> Use:
    used: Use = request.param
    return used


def by_number(received: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(received, key=lambda original: original["properties"]["number"])


def statuses(gate: Gate) -> set[tuple[str, int]]:
    return {(request.method, request.status) for request in gate.requests}


async def test_all_events_are_under_the_token_complete_and_in_order(
    serve: Serve, open_page: OpenPage, use: Use
) -> None:
    sidecar, gate = await serve()
    page = await open_page(use.page)

    await page.send(gate.address, use.key.format("my_token"), EVENTS, use.options)

    check(await originals(sidecar, use.stream), use.fields)
    assert page.console == []
    assert page.failed == []
    assert {status for _, status in statuses(gate)} == {200}
    assert len(gate.posts) == (1 if use.batches else len(EVENTS))


async def test_with_keys_events_are_under_the_id_of_their_key(serve: Serve, open_page: OpenPage, use: Use) -> None:
    sidecar, gate = await serve(api_keys=KEYS)
    page = await open_page(use.page)

    await page.send(gate.address, use.key.format(SECRET), EVENTS, use.options)

    check(await originals(sidecar, "shop"), use.fields)
    assert page.console == []
    assert await originals(sidecar, SECRET, 0) == []


async def test_the_page_may_read_that_its_key_is_wrong(serve: Serve, open_page: OpenPage, use: Use) -> None:
    sidecar, gate = await serve(api_keys=KEYS)
    page = await open_page(use.page)

    await page.send(gate.address, use.key.format("wrong"), EVENTS[:1], use.options)

    await page.until(lambda: not use.refusal or any(use.refusal in line for line in page.console))
    assert page.failed == []
    assert gate.posts[0].status == (401 if use.refusal else 200)
    assert (await sidecar.get("/api/v1/streams")).json["streams"] == []


async def test_what_was_answered_with_503_comes_again_if_the_client_retries(
    serve: Serve, open_page: OpenPage, use: Use
) -> None:
    sidecar, gate = await serve()
    gate.busy = 1
    page = await open_page(use.page)

    await page.send(gate.address, use.key.format("my_token"), EVENTS, use.options)

    taken = EVENTS if use.retries else EVENTS[1:]
    received = await originals(sidecar, use.stream, len(taken))
    check(received if use.keeps_order else by_number(received), use.fields, taken)
    assert gate.posts[0].status == 503


async def test_what_was_sent_in_an_outage_comes_after_it_if_the_client_retries(
    serve: Serve, open_page: OpenPage, use: Use
) -> None:
    sidecar, gate = await serve(closed=True)
    page = await open_page(use.page)

    # Segment's client loads its settings from elsewhere.
    elsewhere = {"settings": {"cdnSettings": {"integrations": {"Segment.io": {"apiKey": "my_token"}}}}}
    options = {**(use.options or {}), **(elsewhere if "analytics" in use.page else {})}
    await page.send(gate.address, use.key.format("my_token"), EVENTS, options)
    await page.until(lambda: bool(page.failed))
    await gate.open()

    if use.retries:
        received = await originals(sidecar, use.stream)
        check(received if use.keeps_order else by_number(received), use.fields)
