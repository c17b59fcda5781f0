"""The way of an event: as a time line in the event, and offered to a search."""

import re
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from tests.support.live_view import Look, Server, StartServer, View

pytestmark = pytest.mark.asyncio(loop_scope="session")

ID = "00000000-0000-4000-8000-000000000001"


def entry(second: float, event_id: str = ID, **more: Any) -> dict[str, Any]:
    timestamp = f"2026-01-01T12:00:{second:09.6f}Z"
    return {"original": {"event_type": "pageview", "event_id": event_id}, "timestamp": timestamp, **more}


async def keep_a_way(server: Server) -> None:
    """An event that one destination took at the second attempt, another skipped, and a third has not got."""
    await server.record(
        entry(0.5, token_id="key"),
        entry(1, destination_id="db", error="connection <b>refused</b>", attempt=1, response={"status": 503}),
        entry(0.75, destination_id="hook", skip="not wanted"),
        entry(21.25, destination_id="db", success={"table": "events"}, attempt=2),
        entry(2, "another", token_id="key"),
        entry(3, "another", destination_id="late"),
    )


def steps(view: View) -> Locator:
    return view.detail.locator(".way li")


async def test_an_open_event_shows_its_way_as_a_time_line(server: Server, view: View):
    await keep_a_way(server)
    await view.open("#tab=incoming")

    await view.row(ID[:8]).click()

    await expect(steps(view)).to_have_count(5)
    await expect(steps(view).locator("a")).to_have_text(
        ["Received key", "Skipped hook", "Error db", "Success db", "Pending late"]
    )
    await expect(steps(view).locator(".passed")).to_have_text(
        ["", "+ 250 ms", "+ 500 ms", "+ 20.8 s", re.compile("for ")]
    )
    await expect(steps(view).nth(0)).to_have_attribute("aria-current", "step")
    await expect(steps(view).nth(1)).to_contain_text("not wanted")
    await expect(steps(view).nth(2)).to_contain_text("Attempt 1 · Response 503 · connection <b>refused</b>")
    await expect(steps(view).nth(3)).to_contain_text("Attempt 2 · 20.3 s after the one before")
    await expect(steps(view).nth(3).locator("time")).to_have_attribute("datetime", "2026-01-01T12:00:21.250000Z")


async def test_each_step_leads_to_its_entry_and_back(server: Server, view: View):
    await keep_a_way(server)
    await view.open("#tab=incoming")
    await view.row(ID[:8]).click()

    await steps(view).nth(2).locator("a").focus()
    await view.press("Enter")

    await expect(view.detail.locator(".reason.error")).to_contain_text("connection <b>refused</b>")
    await expect(view["#tab-processed"]).to_have_attribute("aria-selected", "true")
    await expect(steps(view).nth(2)).to_have_attribute("aria-current", "step")

    await steps(view).nth(4).locator("a").click()
    await expect(view.rows).to_have_count(1)
    await expect(view.rows.first).to_contain_text("another")

    await view.page.go_back()
    await view.page.go_back()
    await expect(steps(view).nth(0)).to_have_attribute("aria-current", "step")


async def test_what_is_pending_is_shown_when_it_arrives(server: Server, view: View):
    other = {"event_type": "pageview", "event_id": "other"}
    original = {"event_type": "signup", "event_id": ID}
    await server.record({"token_id": "key", "original": other}, {"destination_id": "db", "original": other})
    await server.record({"token_id": "key", "original": original})
    await view.open("#tab=incoming")
    await view.row("signup").click()
    await expect(steps(view).locator("a")).to_have_text(["Received key", "Pending db"])
    await expect(steps(view).nth(1)).to_contain_text("Other events of the same API key went there")

    await server.record({"destination_id": "db", "original": original, "success": {"table": "events"}})

    await expect(steps(view).locator("a")).to_have_text(["Received key", "Success db"])


async def test_an_entry_without_a_result_is_pending(server: Server, view: View):
    await server.record(entry(1, destination_id="db"))
    await view.open()
    await view.rows.first.click()
    await expect(steps(view)).to_have_count(1)
    await expect(steps(view).locator("a")).to_have_text("Pending db")
    await expect(steps(view).locator(".note")).to_have_count(0)


async def test_a_search_for_an_event_id_offers_its_way(server: Server, view: View):
    await keep_a_way(server)
    await view.open("#tab=incoming")

    await view["#search"].fill(ID)
    await expect(view["#way-offer"]).to_have_text(f"{ID} is the id of an event: show its way")
    await view["#way-offer a"].click()

    await expect(steps(view)).to_have_count(5)
    await expect(view["#way-offer"]).to_be_hidden()


async def test_enter_in_the_search_leads_to_the_way(server: Server, view: View):
    await keep_a_way(server)
    await view.open("#id=hook")

    await view["#search"].fill(ID)
    await view.press("Enter")

    await expect(steps(view)).to_have_count(5)
    await expect(steps(view).nth(0)).to_have_attribute("aria-current", "step")
    await expect(view["#search"]).to_have_value("")
    await view.press("Escape")
    await expect(view.detail).to_be_hidden()


async def test_another_text_is_only_searched_for(server: Server, view: View):
    await keep_a_way(server)
    await view.open("#tab=incoming")

    await view["#search"].fill("another1")
    await view.press("Enter")

    await expect(view["#empty-state"]).to_contain_text("No match")
    await expect(view["#way-offer"]).to_be_hidden()


async def test_an_event_without_an_id_has_no_way(server: Server, view: View):
    await server.record({"destination_id": "d", "original": {"event_type": "page"}})
    await view.open()

    await view.rows.first.click()

    await expect(view.detail.locator(".tree")).to_be_visible()
    await expect(view.detail.locator(".way")).to_be_hidden()
    assert not any("/lookup" in request.url for request in view.requests)


async def test_a_search_for_an_id_that_is_not_cached_says_why(start: StartServer, look: Look):
    server = await start(size=1)
    await server.record(entry(1, "first-of-its-stream-1", token_id="key"), entry(2, token_id="key"))
    view = await look(server)
    await view.open("#tab=incoming")

    await view["#search"].fill(ID)
    said = view["#way-offer"]
    await expect(said).to_contain_text(f"{ID} is not cached: it was limited in key at ")
    await expect(said).to_contain_text("the stream had offered more events than its quota.")

    await view["#search"].fill(f"{ID[:-1]}9")
    await expect(said).to_contain_text("9 is not cached: this server process has not seen it since ")
