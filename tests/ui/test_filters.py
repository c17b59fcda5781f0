"""Filters: for cached and new events, in the URL, and as chips."""

import datetime as dt
import re

import pytest
from playwright.async_api import expect

from tests.support.live_view import Look, Server, StartServer, View, done, failed

pytestmark = pytest.mark.asyncio(loop_scope="session")


def minutes_ago(minutes: float) -> str:
    moment = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=minutes)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def test_a_status_filters_cached_and_new_events(server: Server, view: View):
    await server.record(done("ok1"), failed("bad1"))
    await view.open()
    await expect(view.rows).to_have_count(2)

    await view.status("Errors").click()
    await expect(view.rows).to_have_count(1)
    await server.record(done("ok2"), failed("bad2"))

    await expect(view.rows).to_have_count(2)
    assert await view.ids() == ["bad2", "bad1"]


async def test_incoming_events_have_only_the_statuses_that_are_possible(server: Server, view: View):
    await server.send({"event_type": "login"})
    await view.open("#status=skip")
    await expect(view.status("Skipped")).to_have_attribute("aria-pressed", "true")

    await view.page.get_by_role("tab", name="Incoming").click()
    await expect(view.status("All")).to_have_attribute("aria-pressed", "true")
    await expect(view["#status button:visible"]).to_have_text(["All1", "Received1", "Errors0"])
    await view.status("Received").click()

    await expect(view["#status button:visible"]).to_have_text(["All", "Received1", "Errors"])
    await expect(view.row("login")).to_be_visible()


async def test_a_type_filters_cached_and_new_events(server: Server, view: View):
    await server.record(done("page1"), failed("sign1"))
    await view.open()

    await view["#type"].fill("signup")
    await view.press("Enter")
    await expect(view.rows).to_have_count(1)
    await server.record(done("page2"), failed("sign2"))

    await expect(view.rows).to_have_count(2)
    assert await view.ids() == ["sign2", "sign1"]


async def test_a_text_filters_cached_and_new_events_in_any_case(server: Server, view: View):
    await server.record(done("needle1"), done("hay1"))
    await view.open()

    await view["#search"].fill("NEEDLE")
    await expect(view.rows).to_have_count(1)
    await server.record(done("needle2"), done("hay2"))

    await expect(view.rows).to_have_count(2)
    assert await view.ids() == ["needle2", "needle1"]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("user.email ~ ANN", ["ann"]),
        ("user.email = bob@jitsu.com", ["bob"]),
        ("user.email != bob@jitsu.com", ["cleo", "ann"]),
        ("price > 9.5", ["cleo", "bob"]),
        ("price < 10", ["ann"]),
        ('items[0]["odd key"] = x', ["ann"]),
        ("-user.email ~ (ann, bob)", ["cleo"]),
        ("price = (2, 10.0)", ["bob", "ann"]),
    ],
)
async def test_an_expression_filters_by_a_field(server: Server, view: View, expression: str, found: list[str]):
    for name, price in (("ann", 2), ("bob", 10), ("cleo", 100)):
        record = done(name)
        record["original"] |= {"price": price, "items": [{"odd key": "x" if name == "ann" else "y"}]}
        await server.record(record)
    await view.open()
    await expect(view.rows).to_have_count(3)

    await view["#search"].fill(expression)
    await view.press("Enter")

    await expect(view.rows).to_have_count(len(found))
    assert await view.ids() == found
    await expect(view["#empty-state"]).to_be_hidden()


async def test_a_field_filters_cached_and_new_events_on_the_server(server: Server, view: View):
    await server.record(*(done(f"hay{number}") for number in range(60)))
    await view.open("#field=event_id+~+needle&field=-event_id+~+other")
    await expect(view["#empty-state"]).to_contain_text("No match among 60 cached events")

    await server.record(done("needle1"), done("other-needle"), done("hay"))

    await expect(view.rows).to_have_count(1)
    await expect(view["#counts"]).to_have_text(re.compile("^1 match"))
    await expect(view["#chips"]).to_contain_text("not event_id contains other")
    pushed = [request.url for request in view.requests if "/events/stream" in request.url][-1]
    assert pushed.count("field=") == 2


async def test_what_is_too_long_for_a_filter_is_refused_with_a_message(server: Server, view: View):
    record = done("long")
    record["original"]["note"] = "x" * 1001
    await server.record(record)
    await view.open()
    await view.row("long").click()

    await view.detail.locator(".line").filter(has_text="note").locator(".value").click()
    await view.page.get_by_role("menuitem", name="Filter by this").click()

    await expect(view["#toast"]).to_contain_text("too long to filter by")
    await expect(view["#chips"]).to_be_hidden()


@pytest.mark.parametrize(
    ("value", "found"), [("5m", ["now"]), ("1h", ["now", "half"]), ("24h", ["now", "half", "day"])]
)
async def test_a_time_range_filters_events(server: Server, view: View, value: str, found: list[str]):
    await server.record(
        done("old", timestamp=minutes_ago(3000)),
        done("day", timestamp=minutes_ago(600)),
        done("half", timestamp=minutes_ago(30)),
        done("now"),
    )
    await view.open()
    await expect(view.rows).to_have_count(4)

    await view.page.get_by_label("Time range").select_option(value)

    await expect(view.rows).to_have_count(len(found))
    assert await view.ids() == found


async def test_a_custom_time_range_is_in_utc(server: Server, look: Look):
    view = await look(server, timezone_id="America/New_York")
    await server.record(
        done("before", timestamp="2026-03-01T09:59:59.000000Z"), done("inside", timestamp="2026-03-01T10:00:00.000000Z")
    )
    await view.open()

    await view.page.get_by_label("Time range").select_option("custom")
    await view["#custom-start"].fill("2026-03-01T10:00")
    await view["#custom-end"].fill("2026-03-01T11:00")
    await view.button("Apply").click()

    await expect(view.rows).to_have_count(1)
    assert await view.ids() == ["inside"]
    await expect(view["#custom"]).to_be_hidden()
    await expect(view["#range option:checked"]).to_have_text("2026-03-01 10:00 \u2013 11:00")


async def test_a_custom_range_that_is_upside_down_is_refused_in_words(server: Server, view: View):
    await server.record(done("one"))
    await view.open()
    await expect(view.rows).to_have_count(1)

    await view.page.get_by_label("Time range").select_option("custom")
    await view["#custom-start"].fill("2026-03-01T11:00")
    await view["#custom-end"].fill("2026-03-01T10:00")
    await view.button("Apply").click()

    await expect(view.page.get_by_role("alert").filter(has_text="must end after it begins")).to_be_visible()
    await expect(view.rows).to_have_count(1)
    await view.button("Cancel").click()
    await expect(view["#custom"]).to_be_hidden()
    await expect(view["#range"]).to_have_value("")


async def test_chips_are_only_for_filters_without_a_control_and_all_can_be_cleared(server: Server, view: View):
    await server.record(done("ok"), failed("bad"))
    await view.open("#status=error&type=signup&q=bad&field=event_id+%3D+bad")
    await expect(view.rows).to_have_count(1)
    await expect(view["#chips .chip"]).to_have_text(["event_id = bad"])

    await view.button("Remove the filter event_id = bad").click()
    await expect(view["#chips"]).to_be_hidden()
    await view["#summary"].get_by_role("button", name="Clear all filters").click()

    await expect(view.rows).to_have_count(2)
    await expect(view["#summary"].get_by_role("button", name="Clear all filters")).to_be_hidden()
    assert "#" not in view.page.url


async def test_no_match_and_no_events_have_different_texts(server: Server, view: View):
    await server.record(done("one"), done("two"))
    await view.open()

    await view["#search"].fill("nothing has this")
    await expect(view["#empty-state"]).to_contain_text("No match among 2 cached events")
    await view["#empty-state"].get_by_role("button", name="Clear all filters").click()
    await expect(view.rows).to_have_count(2)

    await view.open("#id=never_seen")
    await expect(view["#empty-state"]).to_contain_text("No events yet")


async def test_a_copied_link_opens_the_same_view(server: Server, view: View, look: Look):
    await server.record(failed("one", "alpha"), failed("two", "alpha"), done("three", "alpha"), failed("four", "beta"))
    await view.open()
    await view["#streams-list"].get_by_role("button", name="alpha").click()
    await view.status("Errors").click()
    await expect(view.rows).to_have_count(2)
    await view.row("one").click()
    await expect(view.detail).to_be_visible()

    await view["#link"].or_(view["#more"]).locator("visible=true").first.click()
    if await view["#menu"].is_visible():
        await view.page.get_by_role("menuitem", name="Copy link").click()
    await expect(view["#toast"]).to_have_text("Link copied")
    other = await look(server)
    await other.page.goto(await view.copied())

    await expect(other.detail).to_contain_text("one")
    await expect(other.rows).to_have_count(2)
    await expect(other.status("Errors")).to_have_attribute("aria-pressed", "true")
    await view.page.reload()
    await expect(view.detail).to_contain_text("one")


async def test_going_back_opens_the_previous_view(server: Server, view: View):
    await server.record(done("ok"), failed("bad"))
    await view.open()
    await view.press("e")
    await expect(view.rows).to_have_count(1)

    await view.page.go_back()
    await expect(view.rows).to_have_count(2)
    await view.page.go_forward()
    await expect(view.rows).to_have_count(1)


async def test_a_linked_event_opens_even_if_the_list_does_not_show_it(server: Server, view: View):
    await server.record(done("hidden", uid="the-uid"), failed("bad"))

    await view.open("#status=error&uid=the-uid")

    await expect(view.detail).to_contain_text("hidden@jitsu.com")


async def test_a_message_says_that_a_linked_event_is_no_longer_cached(server: Server, view: View):
    await server.record(done("there"))

    await view.open("#uid=gone")

    await expect(view["#toast"]).to_contain_text("no longer cached")


async def test_a_value_becomes_a_filter_or_is_excluded(server: Server, view: View):
    await server.record(done("ann"), done("bob"))
    await view.open()
    await view.row("ann@").click()

    await view.detail.get_by_role("button", name='"ann@jitsu.com"').click()
    await view.page.get_by_role("menuitem", name="Exclude this").click()
    await expect(view.rows).to_have_count(1)
    assert await view.ids() == ["bob"]
    await view["#chips .chip"].click()
    await expect(view.rows).to_have_count(2)

    await view.detail.get_by_role("button", name='"ann@jitsu.com"').click()
    await view.page.get_by_role("menuitem", name="Filter by this").click()
    await expect(view.rows).to_have_count(1)
    assert await view.ids() == ["ann"]


VALUES = {"1.10": "1.11", "12345678901234567890": "12345678901234567891", '""': '"x"', '" x"': '"x"', "true": "false"}


@pytest.mark.parametrize(("value", "other"), VALUES.items())
async def test_any_value_becomes_a_filter_exactly_as_received_and_stands_in_the_url(
    server: Server, view: View, value: str, other: str
):
    for name, each in (("this", value), ("that", other)):
        await server.record(f'{{"destination_id":"d","original":{{"event_id":"{name}","value":{each}}}}}')
    await view.open()
    await view.row("this").click()

    await view.detail.locator(".line").filter(has_text="value").get_by_role("button").click()
    await view.page.get_by_role("menuitem", name="Filter by this").click()
    await expect(view.rows).to_have_count(1)
    assert await view.ids() == ["this"]
    await view.page.reload()
    await expect(view["#chips .chip"]).to_have_count(1)
    await expect(view.rows).to_have_count(1)
    await view["#chips .chip"].click()
    await view.detail.locator(".line").filter(has_text="value").get_by_role("button").click()
    await view.page.get_by_role("menuitem", name="Exclude this").click()

    await expect(view.rows).to_have_count(1)
    assert await view.ids() == ["that"]


async def test_a_number_filter_finds_other_notations_of_the_same_number(server: Server, view: View):
    await server.record('{"destination_id":"d","original":{"event_id":"one","price":1.10}}')

    await view.open("#field=price+%3D+1.1")

    await expect(view.row("one")).to_be_visible()


async def test_the_time_of_the_last_error_is_shown_and_leads_to_the_errors(server: Server, view: View):
    await server.record(failed("bad", timestamp=minutes_ago(4.5)), done("ok"))
    await view.open()
    await expect(view["#last-error"]).to_contain_text("Errors: 50 % of the last hour, 1 kept, last 4 min ago")

    await view["#last-error"].get_by_role("button", name="Show").click()

    await expect(view.rows).to_have_count(1)
    await expect(view["#last-error"]).to_be_hidden()


async def test_going_back_opens_the_event_that_was_open(server: Server, view: View):
    await server.record(done("ok"), failed("bad"))
    await view.open()
    await view.row("ok@").click()
    await expect(view.detail).to_contain_text("ok@jitsu.com")
    await view.press("e")
    await expect(view.rows).to_have_count(1)
    await view.press("Escape")
    await view.status("All").click()
    await expect(view.rows).to_have_count(2)

    await view.page.go_back()
    await expect(view.rows).to_have_count(1)
    await view.page.go_back()

    await expect(view.rows).to_have_count(2)
    await expect(view.detail).to_contain_text("ok@jitsu.com")


async def test_a_link_to_an_event_names_its_stream_and_opens_it_wherever_it_is_cached(start: StartServer, look: Look):
    server = await start(size=3)
    view = await look(server)
    for number in range(3):
        await server.record(failed(f"bad{number}", "quiet", uid=f"uid-{number}"))
        await server.record(done(f"ok{number}", "quiet"))
    await server.record(done("other", "busy"))
    await view.open("#id=quiet&status=error")
    await view.row("bad0").click()
    await view.detail.get_by_role("button", name="Copy link").click()
    await expect(view["#toast"]).to_have_text("Link copied")

    link = await view.copied()

    assert "stream=quiet&seq=1&event=bad0" in link
    for fragment in (
        link.partition("#")[2],
        "id=busy&uid=uid-0&stream=quiet&seq=1",
        "uid=uid-0&stream=gone&event=bad0",
    ):
        await view.page.goto("about:blank")
        await view.open(f"#{fragment}")
        await expect(view.detail.locator(".facts")).to_contain_text("bad0")
    await expect(view["#toast"]).to_have_text("")


async def test_another_entry_of_a_linked_event_is_shown_as_one(server: Server, view: View):
    await server.record(done("shared-1", uid="there"))

    await view.open("#uid=gone&stream=my_destination&seq=77&event=shared-1")

    await expect(view.detail).to_contain_text("shared-1@jitsu.com")
    await expect(view["#toast"]).to_have_text("The linked event is no longer cached. This is another entry of it")
