"""The list: its rows, their order, and how new and older events are added."""

import asyncio
import re

import pytest
from playwright.async_api import Route, expect

from tests.support.live_view import Look, Server, StartServer, View, done, failed

pytestmark = pytest.mark.asyncio(loop_scope="session")

SUCCESS = re.compile("Success")


async def test_the_page_loads_files_of_its_own_server_only(view: View):
    await view.open()

    assert {request.url.partition("?")[0].rpartition("/")[2] for request in view.requests} >= {"app.js", "page.css"}
    await expect(view.page).to_have_title("eventscache")


async def test_a_row_shows_status_time_type_id_and_a_summary(server: Server, view: View):
    stamp = "2024-02-29T10:20:30.123456Z"
    await server.record(
        done("ok", timestamp=stamp),
        failed("bad", error="no such\ncolumn"),
        {"destination_id": "my_destination", "original": {"event_id": "out"}, "skip": "left out by a rule"},
        {"destination_id": "my_destination", "original": {"event_id": "soon", "event_type": "page"}},
        {"destination_id": "my_destination", "malformed": "{abc: 1}", "error": ""},
    )

    await view.open()

    await expect(view.row("ok@jitsu.com")).to_contain_text(SUCCESS)
    await expect(view.row("ok@jitsu.com").locator(".time")).to_have_text("02-29 10:20:30.123")
    await expect(view.row("ok@jitsu.com").locator(".time")).to_have_attribute("title", stamp)
    await expect(view.row("ok@jitsu.com").locator(".ago")).to_have_text(re.compile(r"\d+ d ago"))
    await expect(view.row("ok@jitsu.com").locator(".type")).to_have_text("pageview")
    await expect(view.row("ok@jitsu.com").locator(".id")).to_have_text("ok")
    await expect(view.row("no such column").locator(".status")).to_have_text("Error")
    await expect(view.row("left out by a rule").locator(".status")).to_have_text("Skipped")
    await expect(view.row("soon").locator(".status")).to_have_text("Pending")
    await expect(view.row("{abc: 1}").locator(".status")).to_have_text("Malformed")
    for row in await view.rows.all():
        await expect(row.locator("svg.icon")).to_have_count(1)


async def test_a_row_shows_numbers_as_received(server: Server, view: View):
    original = '{"event_id":12345678901234567890,"price":1.10,"inner":{"deep":1e2}}'
    await server.record(f'{{"destination_id":"d","original":{original}}}')

    await view.open()

    await expect(view.rows.locator(".id")).to_have_text("12345678901234567890")
    await expect(view.rows.locator(".preview")).to_have_text("price=1.10  deep=1e2")


async def test_the_newest_event_is_on_top(server: Server, view: View):
    await server.record(done("first"))
    await server.record(done("second", "other_destination"))
    await server.record(done("third"))

    await view.open()

    await expect(view.rows).to_have_count(3)
    assert await view.ids() == ["third", "second", "first"]


STAMP = "2024-02-29T10:20:30.123{:03}Z"
SAME_MILLISECOND = [("first", "b", 1), ("second", "a", 2), ("third", "b", 3), ("fourth", "c", 4), ("fifth", "a", 5)]


async def test_events_of_one_millisecond_are_ordered_by_microseconds(server: Server, view: View):
    records = [done(name, stream, timestamp=STAMP.format(us)) for name, stream, us in SAME_MILLISECOND]
    await server.record(*records)

    await view.open()

    await expect(view.rows).to_have_count(5)
    assert await view.ids() == ["fifth", "fourth", "third", "second", "first"]


async def test_events_of_one_microsecond_are_ordered_by_stream_name_and_by_their_order_in_the_stream(
    server: Server, view: View
):
    await server.record(*(done(name, stream, timestamp=STAMP.format(7)) for name, stream, _ in SAME_MILLISECOND))

    await view.open()

    await expect(view.rows).to_have_count(5)
    assert await view.ids() == ["fifth", "second", "third", "first", "fourth"]


MERGE = """async rows => {
  const { mergeNewestFirst } = await import("./model/row_buffer.js");
  return mergeNewestFirst(rows).map(({ name }) => name);
}"""


@pytest.mark.parametrize("arrival", [(0, 1, 2, 3, 4), (1, 4, 0, 2, 3), (3, 0, 2, 1, 4)])
async def test_the_order_of_rows_does_not_depend_on_which_stream_arrives_first(view: View, arrival: tuple[int, ...]):
    await view.open()

    def row(position: int, microseconds: int) -> dict[str, str | int]:
        name, stream, _ = SAME_MILLISECOND[position]
        return {"name": name, "stream": stream, "timeUs": 1_000 + microseconds}

    by_time = await view.page.evaluate(MERGE, [row(position, position) for position in arrival])
    by_stream = await view.page.evaluate(MERGE, [row(position, 0) for position in arrival])

    assert by_time == ["fifth", "fourth", "third", "second", "first"]
    assert by_stream == ["fifth", "second", "third", "first", "fourth"]


async def test_a_new_event_appears_by_itself(server: Server, view: View):
    await server.record(done("old"))
    await view.open()
    await expect(view.rows).to_have_count(1)

    await server.record(done("new"))

    await expect(view.rows.first).to_be_visible()
    await expect(view.rows).to_have_count(2)
    assert await view.ids() == ["new", "old"]


async def test_incoming_events_have_a_tab_of_their_own(server: Server, view: View):
    await server.record(done("processed"))
    await server.send({"event_type": "login", "event_id": "incoming"})
    await view.open()
    await expect(view.rows).to_have_count(1)

    await view.page.get_by_role("tab", name="Incoming").click()

    await expect(view.row("login").locator(".status")).to_have_text("Received")
    await expect(view.rows).to_have_count(1)
    await expect(view["#streams-list"]).to_contain_text("key")


async def test_one_or_several_or_all_streams_can_be_chosen(server: Server, view: View):
    await server.record(done("a1", "alpha"), done("a2", "alpha"), failed("b1", "beta"), done("c1", "gamma"))
    await view.open()
    streams = view["#streams-list"]
    await expect(streams.locator("li").filter(has_text="alpha").locator(".total")).to_have_text("2")
    await expect(streams.locator("li").filter(has_text="beta").locator(".errors")).to_have_text(
        re.compile(r"\d+ s|now")
    )
    await expect(streams.locator(".errors").last).to_have_attribute("title", re.compile("^1 error kept, the last "))

    await streams.get_by_role("button", name="alpha").click()
    await expect(view.rows).to_have_count(2)
    await view.page.get_by_label("Also show beta").check()
    await expect(view.rows).to_have_count(3)
    assert sorted(await view.ids()) == ["a1", "a2", "b1"]
    await streams.get_by_role("button", name="All streams").click()
    await expect(view.rows).to_have_count(4)

    await view["#streams-search"].fill("GAM")
    await expect(streams.locator("li")).to_have_count(1)
    await expect(streams).to_contain_text("gamma")
    await view["#streams-search"].fill("nothing like it")
    await expect(view["#streams-more"]).to_have_text("No stream matches")


async def test_a_paused_list_does_not_change_and_counts_new_events(server: Server, view: View):
    await server.record(done("before"))
    await view.open()
    await expect(view.rows).to_have_count(1)

    await view.press("p")
    await expect(view["#state"]).to_contain_text("Live, list paused")
    await server.record(done("one"), done("two"))

    await expect(view["#state"]).to_contain_text("Live, list paused: 2 new")
    await expect(view.button("Resume")).to_be_visible()
    await expect(view["#jump"]).to_have_text("2 new, jump to latest")
    assert await view.ids() == ["before"]
    await view.press(" ")
    await expect(view.rows).to_have_count(3)
    assert await view.ids() == ["two", "one", "before"]
    await expect(view["#pause"]).to_have_text("Pause")


async def test_scrolling_down_holds_new_rows_back_until_the_button_is_pressed(server: Server, view: View):
    await server.record(*(done(f"e{number}") for number in range(90)))
    await view.open()
    await expect(view.row("e89@").first).to_be_visible()

    await view["#list"].hover()
    await view.page.mouse.wheel(0, 900)
    await expect(view["#jump"]).to_have_text("Jump to latest")
    await server.record(done("late"))
    await expect(view["#jump"]).to_have_text("1 new, jump to latest")
    await expect(view["#state"]).to_contain_text("Live, list held: 1 new")
    await expect(view.row("late@")).to_have_count(0)
    await view["#jump"].click()

    await expect(view.row("late@")).to_be_visible()
    await expect(view["#jump"]).to_be_hidden()


async def test_an_open_event_holds_new_rows_back_until_it_is_closed(server: Server, view: View):
    await server.record(done("read"))
    await view.open()

    await view.row("read@").click()
    await server.record(done("late"))
    await expect(view["#jump"]).to_have_text("1 new, jump to latest")
    await view.press("Escape")

    await expect(view.rows).to_have_count(2)
    await expect(view.detail).to_be_hidden()


async def test_a_gap_is_a_row_between_the_events_before_and_after(server: Server, view: View):
    body = (
        'event: ready\ndata: {}\n\nevent: gap\ndata: {"namespace":"destination","id":"my_destination","at_most":40}\n\n'
        'event: away\ndata: {"message":"timeout"}\n\n'
    )
    await server.record(done("kept"))
    view.away = True  # the made-up answer ends immediately
    await view.page.route(
        "**/events/stream?*", lambda route: route.fulfill(body=body, content_type="text/event-stream")
    )

    await view.open()

    await expect(view.rows.first).to_contain_text("up to 40 events of my_destination are missing here")
    await expect(view.banner("The storage is unavailable. The events below stay")).to_be_visible()


async def test_counts_are_announced_to_screen_readers(server: Server, view: View):
    await server.record(done("one"), done("two"))
    await view.open()

    await expect(view["#counts"]).to_have_text("2 events")
    await expect(view["#counts-live"]).to_have_attribute("aria-live", "polite")


async def test_a_busy_stream_leaves_the_page_usable(start: StartServer, look: Look):
    server = await start(size=5000, window_seconds=1)
    view = await look(server)
    await server.record(done("first"))
    await view.open()
    await view.page.evaluate("document.querySelector('#canvas').dataset.most = 0")
    await view.page.evaluate(
        "new MutationObserver(() => { const c = document.querySelector('#canvas');"
        " c.dataset.most = Math.max(c.dataset.most, c.children.length) }).observe("
        "document.querySelector('#canvas'), {childList: true})"
    )

    for batch in range(8):  # in bytes together less than what may be unread before a client is disconnected
        await server.record(*(done(f"e{batch}-{number}") for number in range(140)))
        # Each key is handled while many events arrive.
        await view.press("t")
        await expect(view["html"]).to_have_attribute("data-theme", ("light", "dark", "system")[batch % 3])

    await expect(view.row("e7-139@")).to_be_visible()
    await expect(view["#counts"]).to_contain_text("Newest 1,000")
    await expect(view["#rate"]).to_contain_text("/s")
    assert int(await view["#canvas"].get_attribute("data-most") or 0) < 60
    await view.row("e7-139@").click()
    await expect(view.detail).to_contain_text("e7-139")


async def test_older_events_are_loaded_on_demand(start: StartServer, look: Look):
    server = await start(size=400)
    view = await look(server)
    await server.record(*(done(f"e{number}", "busy") for number in range(400)))
    await server.record(*(done("only", f"quiet{number}") for number in range(19)))
    await view.open()
    await expect(view["#counts"]).to_have_text("119 of 419 cached events")

    await view.button("Load older").click()

    await expect(view["#counts"]).to_have_text("419 events")
    await expect(view["#older"]).to_be_hidden()
    await view["#list"].evaluate("list => list.scrollTop = list.scrollHeight")
    await expect(view.row("e0@")).to_be_visible()
    assert (await view.ids())[-3:] == ["e2", "e1", "e0"]


async def test_with_too_many_streams_a_banner_says_which_are_followed_and_others_can_be_loaded(
    server: Server, view: View
):
    for batch in range(0, 130, 26):
        await server.record(*(done(f"e{number}", f"s{number}") for number in range(batch, batch + 26)))
    await view.open()
    await expect(view.banner("The 100 most recently active of 130 streams are followed")).to_be_visible()
    await expect(view["#counts"]).to_have_text("100 of 130 cached events")

    await view.button("Load older").click()
    await expect(view["#counts"]).to_have_text("120 of 130 cached events")
    await view.button("Load older").click()

    await expect(view["#counts"]).to_have_text("130 events")
    await expect(view["#older"]).to_be_hidden()
    await view["#streams-list"].get_by_role("button", name="s129").click()
    await expect(view.banner("are followed")).to_have_count(0)


async def test_older_events_that_match_a_filter_are_loaded(server: Server, view: View):
    rare = ({"original": {"event_type": "rare", "event_id": f"r{number}", "n": number}} for number in range(90))
    await server.record(*(each | {"destination_id": "deep"} for each in rare))
    await server.record(*(done("x", f"s{number}") for number in range(49)))
    await view.open("#type=rare&field=n+%3E+9")
    await expect(view["#counts"]).to_have_text("Newest 40 matches")

    await view.button("Load older").click()

    await expect(view["#counts"]).to_have_text("80 matches among 139 cached events")
    await expect(view["#older"]).to_be_hidden()
    await view["#list"].evaluate("list => list.scrollTop = list.scrollHeight")
    await expect(view.row("r10")).to_be_visible()


async def test_with_many_full_streams_the_newest_events_are_on_top(server: Server, view: View):
    for stream in range(30):
        await server.record(*(done(f"s{stream}-{number}", f"stream{stream}") for number in range(100)))

    await view.open()

    await expect(view["#counts"]).to_contain_text("1,000")
    assert (await view.ids())[:3] == ["s29-99", "s29-98", "s29-97"]


async def test_a_filter_that_finds_little_is_looked_for_in_all_streams(server: Server, view: View):
    for batch in range(0, 130, 26):
        await server.record(*(done(f"e{number}", f"s{number}") for number in range(batch, batch + 26)))

    await view.open("#field=event_id+%3D+(e1,+e99)")
    await expect(view["#counts"]).to_have_text("2 matches among 130 cached events")
    assert sorted(await view.ids()) == ["e1", "e99"]
    await expect(view["#older"]).to_be_hidden()

    await view.open("#q=nowhere")
    await expect(view["#empty-state"]).to_contain_text("No match among 130 cached events")
    await expect(view["#older"]).to_be_hidden()


async def test_a_page_that_reads_on_says_how_far_it_looked(server: Server, view: View):
    for batch in range(0, 130, 26):
        await server.record(*(done(f"e{number}", f"s{number}") for number in range(batch, batch + 26)))
    held = asyncio.Event()

    async def hold(route: Route) -> None:
        await held.wait()
        await route.continue_()

    await view.page.route("**/events/cache?*q=e1%40*", hold)
    await view.open("#q=e1%40")

    await expect(view["#empty-state"]).to_contain_text("No match yet among 100 of 130 streams")
    await expect(view["#older"]).to_be_hidden()
    held.set()

    await expect(view["#counts"]).to_have_text("1 match among 130 cached events")


async def test_older_events_are_offered_only_if_there_are_any(server: Server, view: View):
    await server.record(*(done(f"e{number}") for number in range(3)))
    await view.open()
    await expect(view["#counts"]).to_have_text("3 events")

    await server.record(*(done(f"new{number}") for number in range(4)))

    await expect(view["#counts"]).to_have_text("7 events")
    await expect(view["#streams-list"].locator(".total").last).to_have_text("7")
    await expect(view["#older"]).to_be_hidden()


async def test_exactly_as_many_matches_as_are_read_first_are_all(server: Server, view: View):
    await server.record(*(done(f"e{number}", "deep") for number in range(40)))
    await server.record(*(failed("x", f"s{number}") for number in range(49)))

    await view.open("#type=pageview")

    await expect(view["#counts"]).to_have_text("40 matches among 89 cached events")
    await expect(view["#older"]).to_be_hidden()


async def test_events_that_a_full_list_has_no_room_for_can_be_loaded(start: StartServer, look: Look):
    server = await start(size=1500)
    view = await look(server)
    for batch in range(3):
        await server.record(*(done(f"e{batch}-{number}") for number in range(500)))
    await view.open()
    await expect(view["#counts"]).to_have_text("Newest 1,000 of 1,500 cached events")

    await view.button("Load older").click()

    await expect(view["#counts"]).to_have_text("1,500 events")
    await expect(view["#older"]).to_be_hidden()


SUMMARIES = {
    '{"event_type":"pageview","doc_path":"/pricing","user":{"email":"a@b.c"}}': "/pricing  email=a@b.c",
    '{"type":"page","context":{"page":{"url":"https://shop.example/cart?x=1"}}}': "/cart?x=1",
    '{"event_type":"purchase","revenue":59.90,"currency":"EUR","n":1}': "59.90 EUR  n=1",
    '{"type":"track","event":"Order Completed","properties":{"total":1e2}}': "1e2  event=Order Completed",
    '{"event_type":"pageview","src":"jitsu"}': "event_type=pageview  src=jitsu",
    "{}": "no fields",
}


@pytest.mark.parametrize(("original", "summary"), SUMMARIES.items())
async def test_the_summary_says_what_events_of_a_kind_are_known_by(
    server: Server, view: View, original: str, summary: str
):
    await server.record(f'{{"destination_id":"d","original":{original}}}')

    await view.open()

    await expect(view.rows.locator(".preview")).to_have_text(summary)


async def test_the_summary_says_which_request_was_sent_and_what_it_answered(server: Server, view: View):
    sent = {"method": "POST", "url": "https://hooks.example.com/crm?key=1", "body": "{}"}
    await server.record(
        {"destination_id": "d", "original": {"n": 1}, "success": sent, "response": {"status": 429, "body": "slow"}}
    )

    await view.open()

    await expect(view.rows.locator(".preview")).to_have_text("POST hooks.example.com 429  n=1")
