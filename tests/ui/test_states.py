"""What the page says of itself: its title, its theme, and which rows are new."""

import time

import pytest
from playwright.async_api import expect

from tests.support.live_view import Look, Server, View, done, failed

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def hide(view: View, hidden: bool) -> None:
    await view.page.evaluate(
        "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange')) }",
        hidden,
    )


async def test_the_title_counts_errors_that_come_while_the_page_is_hidden(server: Server, look: Look):
    view = await look(server, own=True)
    # A little late, so that the events come after the page is hidden also by its own clock.
    await view.page.clock.install(time=time.time() - 60)
    await server.record(failed("before", timestamp="2024-02-29T10:20:30.000000Z"))
    await view.open()
    await view.page.clock.run_for(1000)
    await expect(view.rows).to_have_count(1)

    await hide(view, True)
    await server.record(failed("one"), failed("two"), done("three"))
    await view.page.clock.run_for(16_000)
    await expect(view.page).to_have_title("(2) eventscache")

    await hide(view, False)
    await expect(view.page).to_have_title("eventscache")


async def test_the_theme_is_that_of_the_system_again_after_light_and_dark(server: Server, look: Look):
    view = await look(server, color_scheme="dark")
    await view.open()
    system = await view["body"].evaluate("body => getComputedStyle(body).backgroundColor")

    for theme in ("light", "dark", "system"):
        await view["#theme"].click()
        await expect(view["html"]).to_have_attribute("data-theme", theme)
        await expect(view["#toast"]).to_have_text(f"Theme: {theme}")

    await expect(view["body"]).to_have_css("background-color", system)


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
async def test_a_new_row_is_tinted_unless_motion_is_to_be_reduced(server: Server, look: Look, motion: str):
    view = await look(server, reduced_motion=motion)
    await server.record(done("old"))
    await view.open()
    await expect(view.rows).to_have_count(1)

    await server.record(done("new"))

    await expect(view.row("new@")).to_have_css("animation-name", "tint" if motion == "no-preference" else "none")
    await expect(view.row("old@")).to_have_css("animation-name", "none")


async def test_home_end_and_page_keys_move_in_the_list_and_its_focus_is_seen(server: Server, view: View):
    await server.record(*(done(f"e{number:02}") for number in range(90)))
    await view.open()
    await expect(view.row("e89@")).to_be_visible()
    chosen = view["#canvas .row[aria-selected=true]"]

    await view["#list"].focus()
    await view.press("End")
    await expect(chosen).to_contain_text("e00@")
    await view.press("PageUp")
    page = await view["#list"].evaluate("list => Math.floor(list.clientHeight / 30) - 1")
    await expect(chosen).to_contain_text(f"e{page:02}@")
    await view.press("PageDown", "Home")
    await expect(chosen).to_contain_text("e89@")
    ring = "getComputedStyle(document.querySelector('.rows'), '::after').borderTopStyle"
    assert await view.page.evaluate(ring) == "solid"
