"""Following a value for some minutes, from the page."""

from typing import Any

import pytest
from playwright.async_api import Route, expect

from tests.support.live_view import Look, Server, View, done, soon

pytestmark = pytest.mark.asyncio(loop_scope="session")

ORIGINAL = {"event_id": "one", "user": {"email": "one@jitsu.com"}, "items": [{"price": 1.5}], "a.b": "dotted"}


def followed(**more: Any) -> dict[str, Any]:
    return {"id": "f0", "name": "user.email = x", "until": soon(10.5), "minutes": 15, **more}


async def open_event(server: Server, view: View) -> None:
    await server.record({"destination_id": "db", "original": ORIGINAL})
    await view.open()
    await view.rows.first.click()


async def choose(view: View, value: str, choice: str) -> None:
    await view.detail.locator(".value").filter(has_text=value).click()
    await view.page.get_by_role("menuitem", name=choice).click()


@pytest.mark.parametrize(
    ("value", "field", "name"),
    [
        ("one@", {"path": "user.email", "equals": "one@jitsu.com"}, "user.email = one@jitsu.com"),
        ("1.5", {"path": "items.0.price", "equals": "1.5"}, "items.0.price = 1.5"),
    ],
)
async def test_a_value_is_followed_for_15_minutes(
    server: Server, view: View, value: str, field: dict[str, str], name: str
):
    changes = await view.stub_follows()
    await open_event(server, view)

    await choose(view, value, "Follow for 15 minutes")

    await expect(view["#follows"]).to_contain_text(f"Following {name}, ends in 14 min")
    await expect(view["#toast"]).to_have_text(f"Following {name}")
    assert changes == [("POST", "follows", {"name": name, "minutes": 15, "fields": [field]})]


async def test_a_field_that_no_path_can_name_is_not_offered(server: Server, view: View):
    await open_event(server, view)
    await view.detail.locator(".value").filter(has_text="dotted").click()
    await expect(view.page.get_by_role("menuitem")).to_have_text(
        ["Filter by this", "Exclude this", "Copy value", "Copy path"]
    )


async def test_only_the_followed_events_can_be_shown_and_the_address_says_so(server: Server, view: View):
    await view.stub_follows(followed())
    await server.record(done("other"))
    await view.open()
    await expect(view.rows).to_have_count(1)
    chip = view["#follows button[aria-pressed]"]
    await expect(chip).to_have_text("Following user.email = x, ends in 10 min")

    async with view.page.expect_request("**/api/v1/events/stream?*follow=f0*"):
        await chip.click()
    await expect(chip).to_have_attribute("aria-pressed", "true")
    await expect(view["#chips .chip"]).to_have_text("followed events")
    await expect(view.rows).to_have_count(0)
    assert view.page.url.endswith("#follow=f0")
    await view.page.reload()
    await expect(chip).to_have_attribute("aria-pressed", "true")

    await chip.click()
    await expect(view.rows).to_have_count(1)


async def test_a_follow_is_ended_and_its_filter_with_it(server: Server, view: View):
    changes = await view.stub_follows(followed())
    await server.record(done("other"))
    await view.open("#follow=f0")
    await view.button("Stop following user.email = x").click()

    await expect(view["#follows"]).to_be_hidden()
    await expect(view.rows).to_have_count(1)
    assert [(method, path) for method, path, _ in changes] == [("DELETE", "follows/f0")]


async def test_what_is_over_is_not_shown(view: View):
    await view.stub_follows(followed(), followed(id="f1", name="over", until=soon(-1)))
    await view.open()
    await expect(view["#follows li"]).to_have_count(1)
    await expect(view["#follows"]).not_to_contain_text("over")


async def test_a_name_is_a_text(view: View):
    await view.stub_follows(followed(name="<b>x</b> \u202e y"))
    await view.open()
    await expect(view["#follows"]).to_contain_text(r"Following <b>x</b> \u202e y, ends")


async def test_what_cannot_be_followed_is_said(server: Server, view: View):
    async def refuse(route: Route) -> None:
        if route.request.method == "POST":
            await route.fulfill(status=429, json={"message": "20 are followed already"})
        else:
            await route.fallback()

    await open_event(server, view)
    await view.page.route("**/api/v1/follows", refuse)
    view.away = True
    await choose(view, "one@", "Follow for 15 minutes")
    await expect(view["#toast"]).to_have_text("Nothing was changed: 20 are followed already")


@pytest.mark.parametrize("width", [360, 1440])
async def test_follows_fit_at_any_width(server: Server, look: Look, width: int):
    view = await look(server, width)
    await view.stub_follows(followed(name="x" * 300), followed(id="f1"))
    await server.record(done("one"))
    await view.open()
    await expect(view["#follows li"]).to_have_count(2)
    assert await view.page.evaluate("document.documentElement.scrollWidth") <= width
    right = "Math.max(...[...document.querySelectorAll('#follows button')].map(b => b.getBoundingClientRect().right))"
    assert await view.page.evaluate(right) <= width
