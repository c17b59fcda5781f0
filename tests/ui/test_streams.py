"""The list of streams: it stays where it is, is reached by one key, and says when the last error of each was."""

import pytest
from playwright.async_api import expect

from tests.support.live_view import Look, Server, StartServer, View, done, failed

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def names(view: View) -> list[str]:
    return await view["#streams-list .name"].all_text_contents()


async def test_streams_do_not_move_under_the_pointer(server: Server, view: View):
    for name in ("alpha", "beta", "gamma"):
        await server.record(done("one", name))
    await view.open()
    await expect(view.rows).to_have_count(3)
    assert await names(view) == ["All streams", "gamma", "beta", "alpha"]

    await view["#streams-list"].hover()
    await server.record(done("two", "alpha"), done("three", "new"))
    await expect(view["#streams-list"]).to_contain_text("new")
    await expect(view["#streams-list li"].filter(has_text="alpha").locator(".total")).to_have_text("2")
    assert await names(view) == ["All streams", "gamma", "beta", "alpha", "new"]

    await view["#search"].hover()
    await expect(view["#streams-list .name"].nth(1)).not_to_have_text("gamma")


async def test_streams_without_events_leave_the_list(server: Server, view: View):
    await server.record(done("a", "alpha"), done("b", "beta"))
    await view.open("#id=alpha")
    await expect(view["#streams-list li"]).to_have_count(3)

    await view.button("Clear …").click()
    await view["#clear-sure"].click()
    await expect(view["#toast"]).to_have_text("1 event cleared")
    await view["#streams-list"].get_by_role("button", name="All streams").click()
    await view["#search"].hover()

    await expect(view["#streams-list li"]).to_have_count(2)
    assert await names(view) == ["All streams", "beta"]


async def test_the_list_is_one_stop_of_the_tab_key_and_the_arrows_move_in_it(server: Server, view: View):
    for name in ("alpha", "beta", "gamma"):
        await server.record(done("one", name))
    await view.open()
    await expect(view["#streams-list li"]).to_have_count(4)
    focused = view["#streams-list :focus"]

    await view["#streams-search"].focus()
    await view.press("Tab")
    await expect(focused).to_contain_text("All streams")
    await view.press("ArrowDown", "ArrowDown")
    await expect(focused).to_contain_text("beta")
    await view.press("ArrowLeft")
    await expect(focused).to_have_attribute("aria-label", "Also show beta")
    await view.press("End")
    await expect(focused).to_have_attribute("aria-label", "Also show alpha")
    await view.press("Space")
    await expect(view.rows).to_have_count(1)
    await expect(focused).to_have_attribute("aria-label", "Also show alpha")
    await view.press("Tab")
    await expect(view["#search"]).to_be_focused()
    await view.press("Shift+Tab")
    await expect(focused).to_have_attribute("aria-label", "Also show alpha")
    assert await view["#streams-list [tabindex='0']"].count() == 1


async def test_the_search_box_stays_whole_with_a_thousand_streams(start: StartServer, look: Look):
    server = await start(max_streams=2000)
    view = await look(server, 1366, 768)
    for batch in range(0, 1000, 50):
        await server.record(*(done("e", f"stream-{number:04}") for number in range(batch, batch + 50)))

    await view.open()

    await expect(view["#streams-more"]).to_have_text("800 more: use the search")
    box = await view["#streams-search"].bounding_box()
    assert box
    assert box["height"] == 28
    await view["#streams-search"].fill("0007")
    await expect(view["#streams-list li"]).to_have_count(1)


async def test_an_error_is_told_apart_from_how_many_events_fail(start: StartServer, look: Look):
    server = await start(size=4)
    view = await look(server)
    await server.record(*(failed(f"bad{number}", "alpha") for number in range(4)))
    await server.record(*(done(f"ok{number}", "beta") for number in range(4)))

    await view.open()

    await expect(view["#last-error"]).to_contain_text("Errors: 50 % of the last hour, 4 kept, last")
    badge = view["#streams-list li"].filter(has_text="alpha").locator(".errors")
    await expect(badge).not_to_contain_text("4 of")
    await expect(view["#streams-list li"].filter(has_text="beta").locator(".errors")).to_have_count(0)
    await expect(view["#status button"]).to_have_text(["All8", "Success4", "Errors4", "Skipped0"])
