"""The tab Errors: one line for errors that differ only in what varies."""

import json
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from tests.support.live_view import Look, Server, StartServer, View, done, failed

pytestmark = pytest.mark.asyncio(loop_scope="session")

COLUMN = "Unsupported column [{}] type changing from: INT64 to: STRING"
ORIGINAL = {
    "event_type": "pageview",
    "eventn_ctx": {"event_id": "e1", "local_tz_offset": 60},
    "user": {"email": "x@jitsu.com", "anonymous_id": "a1"},
    "items": [{"sku": "s1"}, {"sku": "s2"}],
    "Odd Name": 1,
    "plain": True,
}


def groups(view: View) -> Locator:
    return view["#errors-list .group"]


def messages(view: View) -> Locator:
    return groups(view).locator(".message")


def refused(error: str, stream: str = "db", **changes: Any) -> dict[str, Any]:
    return {"destination_id": stream, "original": {**ORIGINAL, **changes}, "error": error}


async def test_errors_alike_are_one_line_with_their_count(server: Server, view: View):
    for name in "abc":
        await server.record(refused(COLUMN.format(name)))
    await server.record(refused(COLUMN.format("d"), "lake"))
    await server.record(refused("<b>no</b> such \u202etable"))
    await view.open()

    await view.page.get_by_role("tab", name="Errors").click()

    await expect(messages(view)).to_have_text(["<b>no</b> such \\u202etable", COLUMN.format("d")])
    await expect(groups(view).locator("b")).to_have_text(["1", "4"])
    await expect(groups(view).locator(".of")).to_have_text(["db", "lake, 1 more"])
    await expect(groups(view).locator(".trend")).to_have_text(["new", "new"])
    await expect(view["#errors-words"]).to_have_text("2 error groups of 2 streams")
    await expect(view["#events"]).to_be_hidden()
    assert view.page.url.endswith("#tab=errors")


async def test_new_errors_appear_and_the_order_is_part_of_the_address(server: Server, view: View):
    await server.record(refused("one"), refused("one"), refused("two"))
    await view.open("#tab=errors")
    await expect(groups(view)).to_have_count(2)
    await server.record(refused("three"))
    await expect(messages(view).first).to_have_text("three")

    await view.page.get_by_label("Order").select_option("Most frequent first")

    await expect(messages(view).first).to_have_text("one")
    await expect(groups(view).locator("b").first).to_have_text("2")
    assert "sort=frequent" in view.page.url
    await server.record(*[refused("two")] * 3)
    await expect(messages(view).first).to_have_text("two")
    await view.page.reload()
    await expect(messages(view).first).to_have_text("two")
    await expect(view.page.get_by_label("Order")).to_have_value("frequent")


async def test_bodies_that_api_keys_sent_and_that_cannot_be_read_are_errors_too(server: Server, view: View):
    await server.record(refused("down"))
    await server.record({"token_id": "web", "malformed": '{"x":'})
    await view.open("#tab=errors")
    await expect(messages(view)).to_have_text(["malformed event", "down"])

    await groups(view).first.click()
    await expect(view.detail.locator(".panel")).to_contain_text("This is not valid JSON")
    await view.detail.get_by_role("link", name="Show as list").click()

    await expect(view["#tab-incoming"]).to_have_attribute("aria-selected", "true")
    await expect(view.rows).to_have_count(1)


async def test_a_group_shows_its_last_examples_and_the_field_that_the_error_names(server: Server, view: View):
    for name in ("plain", "user_email", "local_tz_offset"):
        await server.record(refused(COLUMN.format(name), event_id=name))
    await view.open("#tab=errors")

    await groups(view).first.click()

    await expect(view.detail.locator(".reason")).to_contain_text("[local_tz_offset]")
    named = view.detail.locator(".tree .line, .tree .toggle").filter(has=view["span.named"])
    await expect(named).to_have_text(["local_tz_offset60named by the error"])
    await expect(named).to_be_in_viewport()
    example = view.detail.locator(".examples button")
    await expect(example).to_have_text(["1", "2", "3"])
    await expect(example.first).to_have_accessible_name("Example 1")
    await example.nth(1).click()
    await expect(named).to_have_text(['email"x@jitsu.com"named by the error'])
    await expect(example.nth(1)).to_have_attribute("aria-current", "true")
    await expect(example.nth(1)).to_be_focused()
    await example.nth(2).click()
    await expect(named).to_have_text(["plaintruenamed by the error"])


async def test_a_field_far_down_is_brought_into_view(server: Server, view: View):
    many = {f"field{number}": number for number in range(500)}
    await server.record(refused("bad value in [deep.far_down]", deep={**many, "far_down": "here"}))
    await view.open("#tab=errors")
    await groups(view).first.click()
    await expect(view.detail.locator(".named")).to_be_in_viewport()


async def test_one_click_leads_from_a_group_to_its_events_and_back(server: Server, view: View):
    await server.record(refused(COLUMN.format("a")), refused("other"), done("fine"))
    await view.open("#tab=errors")
    await view["#errors-list"].get_by_text("Unsupported").click()
    await view.detail.get_by_role("link", name="Show as list").click()

    await expect(view.rows).to_have_count(1)
    await expect(view["#chips .chip"]).to_have_text("one error group")
    await expect(view.detail).to_be_hidden()
    await server.record(refused("other"), refused(COLUMN.format("b")))
    await expect(view.rows).to_have_count(2)
    await view.page.go_back()
    await expect(view.detail.locator(".reason")).to_contain_text("Unsupported")
    await view.page.go_forward()
    await view.button("Remove the filter one error group").click()
    await expect(view.rows).to_have_count(5)


async def test_a_value_of_an_example_filters_the_list_of_its_group(server: Server, view: View):
    await server.record(refused(COLUMN.format("plain")), done("fine"))
    await view.open("#tab=errors")
    await groups(view).first.click()
    await view.detail.get_by_role("button", name="true").click()
    await view.page.get_by_role("menuitem", name="Filter by this").click()

    await expect(view.rows).to_have_count(1)
    await expect(view["#chips .chip"]).to_have_text(["one error group", "plain = true"])


async def test_groups_are_read_by_keys(server: Server, view: View):
    await server.record(refused("one"))
    await server.record(refused("two"))
    await view.open("#tab=errors")
    await expect(groups(view)).to_have_count(2)

    await view.press("j", "j", "k", "j", "Enter")
    await expect(view.detail.locator(".reason")).to_contain_text("one")
    await expect(groups(view).nth(1)).to_have_attribute("aria-selected", "true")
    await view.press("k")
    await expect(view.detail.locator(".reason")).to_contain_text("two")
    await view.press("Escape")

    await expect(view.detail).to_be_hidden()
    assert view.page.url.endswith("#tab=errors")
    await view.press("ArrowDown")
    await expect(groups(view).nth(1)).to_have_attribute("aria-selected", "true")


async def test_the_address_opens_the_group(server: Server, view: View):
    await server.record(refused("one"), refused("two"))
    await view.open("#tab=errors")
    await view["#errors-list"].get_by_text("one").click()
    await expect(view.detail).to_be_visible()
    await view.page.reload()
    await expect(view.detail.locator(".reason")).to_contain_text("one")


async def test_without_errors_the_tab_says_what_would_be_there(server: Server, view: View):
    await server.record(done("fine"))
    await view.open("#tab=errors")
    await expect(view["#errors-empty"]).to_contain_text("No errors")
    await expect(view["#errors-empty"]).to_contain_text("a destination refused")


async def test_errors_that_cannot_be_read_are_never_none(server: Server, view: View):
    await server.record(refused("down"))
    view.away = server.storage.away = True
    await view.page.goto(f"{server.address}/ui/#tab=errors")
    await expect(view["#errors-words"]).to_contain_text("The errors cannot be read: the storage does not answer")
    await expect(view["#errors-empty h2"]).to_have_text("The errors cannot be read")

    server.storage.away = False
    await expect(messages(view)).to_have_text(["down"])
    await expect(view["#errors-words"]).to_have_text("1 error group of 1 stream")
    server.storage.away = True

    await expect(view["#errors-words"]).to_contain_text("These are as of")
    await expect(messages(view)).to_have_text(["down"])


async def test_where_no_groups_are_kept_the_tab_says_why(start: StartServer, look: Look):
    view = await look(await start(error_groups=False))
    view.away = True
    await view.page.goto(f"{view.server.address}/ui/#tab=errors")
    await expect(view["#errors-words"]).to_contain_text("eventscache.cache.events.error_groups is off")


async def test_nothing_is_read_while_the_tab_is_not_open_or_the_page_is_hidden(server: Server, look: Look):
    view = await look(server, own=True)
    await view.page.clock.install()
    await view.open("#tab=errors")
    await expect(view["#errors-empty"]).to_contain_text("No errors")
    async with view.page.expect_request("**/api/v1/errors?*"):
        await view.page.clock.run_for(4_000)

    for leave, come_back in (
        ("document.getElementById('tab-processed').click()", "document.getElementById('tab-errors').click()"),
        (HIDE.format("true"), HIDE.format("false")),
    ):
        await view.page.evaluate(leave)
        await view.page.clock.run_for(1_000)
        before = asked(view)
        await view.page.clock.run_for(20_000)
        assert asked(view) == before
        async with view.page.expect_request("**/api/v1/errors?*"):
            await view.page.evaluate(come_back)


HIDE = (
    "Object.defineProperty(document, 'hidden', {{value: {}, configurable: true}});"
    "document.dispatchEvent(new Event('visibilitychange'))"
)


def asked(view: View) -> int:
    return sum("/api/v1/errors" in request.url for request in view.requests)


NAMED = """async ([message, original]) => {
  const { namedFields } = await import("./model/named_fields.js");
  const { parse } = await import("./lib/json.js");
  return namedFields(message, parse(original)).map((keys) => keys.join("/"));
}"""
CASES = [
    ("Unsupported column [local_tz_offset] type changing", ["eventn_ctx/local_tz_offset"]),
    ('column "plain" is of type boolean', ["plain"]),
    ("column 'plain' is wrong", ["plain"]),
    ("column `plain` is wrong", ["plain"]),
    ("no value for user.email", ["user/email"]),
    ("no value for user.email.", ["user/email"]),
    ('value too long in "user_email"', ["user/email"]),
    ("eventn_ctx_event_id must be a text", ["eventn_ctx/event_id"]),
    ("EVENTN_CTX_EVENT_ID is invalid", ["eventn_ctx/event_id"]),
    ("items[1].sku is unknown", ["items/1/sku"]),
    ('the element "items_1_sku"', ["items/1/sku"]),
    ("[user_email, plain] are missing", ["user/email", "plain"]),
    ('the object "user" is null', ["user"]),
    ('the field "Odd Name"', ["Odd Name"]),
    ('the end of a path: "sku"', ["items/0/sku", "items/1/sku"]),
    ("two quotes: can't read [plain], don't", ["plain"]),
    ("the plain word names nothing, nor does user", []),
    ("[nothing] is `there` and '' [] \"\"", []),
    ("[ ___ ] [.] dial tcp 10.0.0.5:5432", []),
    ("", []),
    ("[" * 4000 + "'" * 4000, []),
]


@pytest.mark.parametrize(("message", "named"), CASES)
async def test_the_fields_are_found_that_a_message_names(view: View, message: str, named: list[str]):
    await view.open()
    assert await view.page.evaluate(NAMED, [message, json.dumps(ORIGINAL)]) == named


async def test_an_error_in_the_list_of_events_names_its_field_too(server: Server, view: View):
    await server.record(refused(COLUMN.format("user_email")), failed("x"))
    await view.open()
    await view.row("Unsupported").click()
    await expect(view.detail.locator(".named")).to_be_in_viewport()
