"""The page without events: it shows how to send the first one."""

import json
import re

import pytest
from playwright.async_api import expect

from eventscache.access.api_keys import ApiKey, KeyList
from tests.support.live_view import Look, Server, StartServer, View

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_empty_page_shows_commands_that_make_it_a_list(server: Server, view: View):
    await view.open()
    commands = view["#empty-state pre"]
    await expect(commands.nth(1)).to_contain_text(f"curl -X POST '{server.address}/api/v1/event?token=my_key'")
    await expect(commands.nth(2)).to_contain_text(f"curl -X POST '{server.address}/api/v1/events/cache'")
    await expect(commands.nth(3)).to_contain_text(f"proxy_pass {server.address}/mirror$request_uri;")
    await view.button("Copy: Record what a destination did").click()
    body = re.search(r"-d '(.*)'", await view.copied())
    assert body

    await server.record(json.loads(body[1]))

    await expect(view.rows).to_have_count(1)
    await expect(view["#empty-state"]).to_be_hidden()


async def test_if_api_keys_are_configured_the_command_names_the_key_that_is_accepted(start: StartServer, look: Look):
    key = ApiKey("web", client_secret="js.web.secret")
    server = await start(api_keys=KeyList((key,)))
    view = await look(server)
    await view.open()
    command = view["#empty-state .command"].nth(1)
    await expect(command.locator("pre")).to_contain_text("/api/v1/event?token=YOUR_API_KEY'")
    await expect(command).to_contain_text("YOUR_API_KEY is a client_secret of api_keys in the configuration")

    await server.send({"event_type": "first"}, "js.web.secret")

    await expect(view.row("first")).to_be_visible()
    assert "js.web.secret" not in await view.page.content()


async def test_the_page_changes_to_the_tab_of_the_first_event(server: Server, view: View):
    await view.open()
    await expect(view["#empty-state"]).to_contain_text("No events yet")

    await server.send({"event_type": "first"})

    await expect(view.row("first")).to_be_visible()
    await expect(view.page.get_by_role("tab", name="Incoming")).to_have_attribute("aria-selected", "true")


async def test_a_chosen_tab_stays_and_offers_the_other_tab(server: Server, view: View):
    await server.send({"event_type": "there"})
    await view.open("#tab=incoming")
    await view.page.get_by_role("tab", name="Processed").click()

    await view.button("Show 1 event under Incoming").click()

    await expect(view.row("there")).to_be_visible()


async def test_the_page_leads_to_jitsus_redis_first_and_says_when_it_is_followed(start: StartServer, look: Look):
    view = await look(await start())
    await view.open()
    first = view["#empty-state .command"].first
    await expect(first).to_contain_text("Follow your Jitsu")
    await expect(first.locator("pre")).to_have_text("eventscache:\n  sources:\n    jitsu_redis: true")

    following = await look(await start(sources=(("jitsu_redis", "redis://127.0.0.1:1/0"),)))
    await following.open()
    await expect(following["#empty-state"]).to_contain_text("This server follows jitsu_redis")
    await expect(following["#empty-state"]).not_to_contain_text("Follow your Jitsu")
