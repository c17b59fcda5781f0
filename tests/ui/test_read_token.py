"""The page with a read token: it shows the streams of the token, and offers nothing that the token may not do."""

import json
from typing import Any

import pytest
from playwright.async_api import expect

from eventscache.access.read_tokens import ReadToken
from eventscache.access.some_streams import SomeStreams
from eventscache.stream import Namespace
from tests.support.live_view import TOKEN, Look, Server, StartServer, View, done, failed

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHOP, KEYS = "shop-reads", "keys-read"
TOKENS = (
    ReadToken(SHOP, SomeStreams(("shop-*",))),
    ReadToken(KEYS, SomeStreams(("key",), (Namespace.TOKEN,))),
)
SETTINGS: dict[str, Any] = {"admin_tokens": (TOKEN,), "read_tokens": TOKENS}


async def log_in(view: View, token: str, fragment: str = "") -> None:
    view.away = True  # the first request has no token, and gets a 401
    await view.open(fragment)
    await view["#token"].fill(token)
    await view.press("Enter")
    await expect(view["#state"]).to_have_attribute("data-state", "live")
    view.away = False


async def stored(server: Server) -> None:
    await server.record(
        done("mine", "shop-a"), failed("mine-too", "shop-b"), done("theirs", "blog"), failed("x", "blog")
    )
    await server.record({"token_id": "shop-key", "original": {"event_type": "sent", "event_id": "mine"}})


async def test_a_read_token_opens_the_page_of_its_streams(start: StartServer, look: Look):
    server = await start(**SETTINGS)
    await stored(server)
    view = await look(server)

    await log_in(view, SHOP)

    await expect(view.rows).to_have_count(2)
    await expect(view["#streams-list"].get_by_role("button")).to_have_count(3)  # all, and two
    await expect(view["#streams"]).not_to_contain_text("blog")
    await expect(view["#streams-readable"]).to_have_text("This token shows shop-*")
    await expect(view.page.get_by_role("tab", name="Processed")).to_have_text("Processed2")
    assert sum([events for events, _ in await view.bars()]) == 2
    await server.record(done("later", "shop-c"), done("hidden", "blog"))
    await expect(view.rows).to_have_count(3)
    await expect(view["#streams-list"]).to_contain_text("shop-c")
    assert "blog" not in await view.page.content()
    for request in view.requests:
        assert SHOP not in request.url + (request.post_data or "")


async def test_what_a_read_token_may_not_do_is_not_offered(start: StartServer, look: Look):
    server = await start(**SETTINGS)
    await stored(server)
    view = await look(server)
    await log_in(view, SHOP)
    await expect(view.rows).to_have_count(2)

    await expect(view.button("Clear …")).to_be_hidden()
    await view.rows.first.click()
    await view.detail.locator(".value").first.click()
    await expect(view.page.get_by_role("menuitem")).to_have_text(
        ["Filter by this", "Exclude this", "Copy value", "Copy path"]
    )
    await view.press("Escape", "Escape")
    assert not [request for request in view.requests if "/api/v1/follows" in request.url]
    await view.button("Export").click()
    await expect(view.page.get_by_role("menuitem")).to_have_count(2)
    await view.press("Escape")
    await view.page.set_viewport_size({"width": 360, "height": 700})
    await view.button("More").click()
    await expect(view.page.get_by_role("menuitem")).to_have_text(
        ["By event", "Columns …", "Export as NDJSON", "Export as CSV", "Copy link"]
    )


async def test_an_admin_token_is_offered_to_clear(start: StartServer, look: Look):
    server = await start(**SETTINGS)
    await stored(server)
    view = await look(server)
    await log_in(view, TOKEN)
    await expect(view.rows).to_have_count(4)
    await expect(view["#streams-readable"]).to_be_hidden()
    await view.button("Clear …").click()
    await view["#clear-sure"].click()
    await expect(view["#toast"]).to_have_text("4 events cleared")


async def test_the_way_of_an_event_leads_through_the_own_streams_alone(start: StartServer, look: Look):
    server = await start(**SETTINGS)
    await stored(server)
    await server.record(done("mine", "blog"))
    view = await look(server)
    await log_in(view, SHOP)

    await view.row("pageview").click()

    await expect(view.detail).to_contain_text("mine@jitsu.com")
    await expect(view.detail.locator(".way a")).to_have_count(2)
    await expect(view.detail.locator(".way")).not_to_contain_text("blog")


async def test_an_id_that_is_not_cached_is_explained_without_other_streams(start: StartServer, look: Look):
    server = await start(**SETTINGS)
    await stored(server)
    view = await look(server)
    await log_in(view, SHOP)
    event_id = "00000000-0000-4000-8000-000000000001"
    await server.record(done(event_id, "blog"))

    await view["#search"].fill(event_id)

    words = "is not cached: nothing is known of it in the streams that this token shows."
    await expect(view["#way-offer"]).to_have_text(f"{event_id} {words}")


async def test_an_empty_page_offers_no_commands_that_the_token_may_not_use(start: StartServer, look: Look):
    server = await start(**SETTINGS)
    view = await look(server)
    await log_in(view, SHOP)
    await expect(view["#empty-state"]).to_contain_text("No events yet")
    await expect(view["#empty-state pre"]).to_have_count(0)
    await server.record(done("first", "shop-a"))
    await expect(view.rows).to_have_count(1)


async def test_a_tab_that_the_token_may_not_read_is_left_out(start: StartServer, look: Look):
    server = await start(**SETTINGS)
    await stored(server)
    view = await look(server)

    await log_in(view, KEYS, "#id=shop-a")

    await expect(view.page.get_by_role("tab")).to_have_text(["Incoming", "Errors"])
    await expect(view.page.get_by_role("tab", name="Incoming")).to_have_attribute("aria-selected", "true")
    await expect(view["#empty-state"]).to_contain_text("No events yet")
    await view.page.get_by_role("tab", name="Incoming").press("ArrowRight")
    await expect(view.page.get_by_role("tab", name="Errors")).to_have_attribute("aria-selected", "true")
    await view.press("ArrowRight")
    await expect(view.page.get_by_role("tab", name="Incoming")).to_have_attribute("aria-selected", "true")
    await server.send({"event_type": "seen"}, "key")
    await expect(view.row("seen")).to_be_visible()


async def test_the_errors_are_those_of_the_streams_that_the_token_shows(start: StartServer, look: Look):
    server = await start(**SETTINGS)
    await stored(server)
    await server.record({"token_id": "key", "original": {}, "error": "no such key"})
    view = await look(server)

    await log_in(view, SHOP, "#tab=errors")
    await expect(view["#errors-list .of"]).to_have_text(["shop-b"])
    await view.page.evaluate("sessionStorage.clear()")
    await view.page.reload()
    view.away = True
    await view["#token"].fill(KEYS)
    await view.press("Enter")

    await expect(view["#errors-list .message"]).to_have_text(["no such key"])
    asked = [request.url for request in view.requests if "/api/v1/errors" in request.url]
    assert "namespace=token" in asked[-1]


async def test_the_page_asks_again_when_the_token_was_taken_away(start: StartServer, look: Look):
    server = await start(**SETTINGS)
    await stored(server)
    view = await look(server)
    await log_in(view, SHOP)
    await expect(view.rows).to_have_count(2)
    view.away = True

    server.sidecar._context.access.readers._in_use = {}

    await expect(view["#token-fault"]).to_have_text("That token does not match.")
    await view["#token"].fill(TOKEN)
    await view.press("Enter")
    await expect(view.rows).to_have_count(4)
    await expect(view.button("Clear …")).to_be_visible()


async def test_the_token_stays_in_a_header(start: StartServer, look: Look):
    server = await start(**SETTINGS)
    view = await look(server)
    await log_in(view, SHOP)
    sent = [request for request in view.requests if SHOP in json.dumps(await request.all_headers())]
    assert sent
    assert SHOP not in await view.page.content()
