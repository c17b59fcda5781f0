"""The list with one row for each event: its marks, and all that works as with a row for each entry."""

import json
import re

import pytest
from playwright.async_api import Locator, expect

from tests.support.accessibility import LIST_TOP, is_accessible
from tests.support.live_view import Look, Server, StartServer, View, done, failed

pytestmark = pytest.mark.asyncio(loop_scope="session")

DESTINATIONS = ("shop.alpha", "shop.beta", "shop.gamma")


def marks(view: View, row: str) -> Locator:
    return view.row(row).locator(".destination")


async def record_both(server: Server) -> None:
    """Record an event that all destinations took, and then one that failed twice at `beta`."""
    await server.record(*(done("good", stream) for stream in DESTINATIONS))
    await server.record(failed("bad", "shop.beta", "first try"), failed("bad", "shop.alpha"), done("bad", "shop.alpha"))
    await server.record(failed("bad", "shop.beta", "second try"), done("bad", "shop.gamma"))


async def test_a_row_has_a_mark_for_the_last_entry_of_each_destination(server: Server, view: View):
    await record_both(server)
    await view.open()
    await expect(view.rows).to_have_count(8)

    await view.button("By event").click()

    await expect(view.rows).to_have_count(2)
    assert await view.ids() == ["bad", "good"]
    assert view.page.url.endswith("#fold=1")
    await expect(view.row("bad").locator(".status")).to_have_text("Error")
    await expect(view.row("bad").locator(".preview")).to_have_text("second try")
    titles = [await mark.get_attribute("title") or "" for mark in await marks(view, "bad").all()]
    assert [re.sub(r"[\d:.]+$", "", title) for title in titles] == [
        "shop.alpha: Success, 2 attempts in this view, ",
        "shop.beta: Error, 2 attempts in this view, ",
        "shop.gamma: Success, 1 attempt in this view, ",
    ]
    await expect(marks(view, "bad").first).to_have_attribute("aria-label", titles[0])
    await expect(view["#counts"]).to_have_text("8 events, in 2 rows by event")
    await expect(view["#status button"]).to_have_text(["All8", "Success5", "Errors3", "Skipped0"])
    await view.button("By event").click()
    await expect(view.rows).to_have_count(8)
    assert "fold" not in view.page.url


async def test_a_row_opens_its_error_and_a_mark_its_own_entry(server: Server, view: View):
    await record_both(server)
    await view.open("#fold=1")

    await view.row("bad").locator(".type").click()
    await expect(view.detail.locator(".reason.error")).to_contain_text("second try")
    await expect(view.row("bad")).to_have_attribute("aria-selected", "true")
    await marks(view, "bad").last.click()

    await expect(view.detail.locator(".facts")).to_contain_text("shop.gamma")
    await expect(view.row("bad")).to_have_attribute("aria-selected", "true")
    await expect(marks(view, "bad").last).to_have_class(re.compile("opened"))
    await view.row("bad").locator(".type").click()
    await expect(view.rows).to_have_count(1)
    assert "type=signup" in view.page.url or "type=pageview" in view.page.url


async def test_a_mark_filters_by_its_destination_or_leaves_it_out(server: Server, view: View):
    await record_both(server)
    await view.open("#fold=1")

    await marks(view, "bad").nth(1).click(modifiers=["Alt"])
    await expect(view.row("bad").locator(".status")).to_have_text("Success")
    await expect(marks(view, "bad")).to_have_count(2)
    await marks(view, "bad").first.click(modifiers=["ControlOrMeta"])

    # One destination is in view: there is nothing to fold.
    await expect(view.rows).to_have_count(3)
    await expect(view["#fold"]).to_be_hidden()
    await expect(view.rows.locator(".destination")).to_have_count(0)
    await view["#streams-list"].get_by_role("button", name="All streams").click()
    await expect(view.rows).to_have_count(2)


async def test_with_a_filter_the_marks_are_of_matches_and_the_page_says_so(server: Server, view: View):
    await record_both(server)

    await view.open("#fold=1&status=error")

    await expect(marks(view, "bad")).to_have_count(2)
    await expect(view["#counts"]).to_have_text(re.compile("in 1 row by event, with marks of matches only$"))


async def test_keys_move_between_folded_rows_and_open_marks(server: Server, view: View):
    await record_both(server)
    await view.open()
    await expect(view.rows).to_have_count(8)
    await view.press("b")
    await expect(view.rows).to_have_count(2)

    await view.press("j", "j")
    await expect(view.row("good")).to_have_attribute("aria-selected", "true")
    await view.press("Home", "ArrowRight", "ArrowRight", "ArrowRight")
    await expect(view["#counts-live"]).to_contain_text("shop.alpha: Success")
    await view.press("Enter")
    await expect(view.detail.locator(".facts")).to_contain_text("shop.alpha")
    await view.press("j")
    await expect(view.detail.locator(".facts")).to_contain_text("good")
    await view.press("PageUp", "End", "PageDown", "k")
    await expect(view.detail.locator(".facts")).to_contain_text("bad")
    await view.press("c")
    await expect(view["#toast"]).to_have_text("JSON copied")
    assert json.loads(await view.copied())["event_id"] == "bad"


async def test_the_open_entry_stays_active_when_the_list_is_folded_and_unfolded(server: Server, view: View):
    await record_both(server)
    await view.open()
    await view.row("first try").click()
    await expect(view.detail).to_contain_text("first try")

    await view.press("b")
    await expect(view.row("bad")).to_have_attribute("aria-selected", "true")
    await expect(view.detail).to_contain_text("first try")
    await view.press("b")

    await expect(view.row("first try")).to_have_attribute("aria-selected", "true")
    await view.page.go_back()
    await expect(view.rows).to_have_count(2)
    await view.page.reload()
    await expect(view.rows).to_have_count(2)
    await expect(view.detail).to_contain_text("first try")


async def test_a_link_of_the_page_keeps_the_rows_folded(server: Server, view: View):
    await record_both(server)
    await view.open("#fold=1&col=user.email")
    await view.row("good").click()
    await view.detail.locator(".way li").nth(1).locator("a").click()

    await expect(view.rows).to_have_count(3)
    await view["#streams-list"].get_by_role("button", name="All streams").click()

    await expect(view.rows).to_have_count(2)
    await expect(view["#list-head .own"]).to_have_text("user.email")


async def test_new_entries_join_their_row_unless_they_are_held_back(server: Server, view: View):
    await server.record(done("one", "shop.alpha"), done("two", "shop.beta"))
    await view.open("#fold=1")
    await expect(view.rows).to_have_count(2)

    await server.record(failed("one", "shop.beta"))
    await expect(marks(view, "one")).to_have_count(2)
    await expect(view.row("one").locator(".status")).to_have_text("Error")
    assert await view.ids() == ["one", "two"]
    await view.press("p")
    await server.record(done("one", "shop.beta"))
    await expect(view["#jump"]).to_have_text("1 new, jump to latest")
    await expect(view.row("one").locator(".status")).to_have_text("Error")
    await view.press("p")

    await expect(view.row("one").locator(".status")).to_have_text("Success")
    await expect(view.rows).to_have_count(2)


async def test_older_entries_join_their_rows_and_entries_without_an_id_stay_alone(start: StartServer, look: Look):
    server = await start(size=400)
    view = await look(server)
    await server.record(*(done(f"e{number % 50}", "busy") for number in range(400)))
    await server.record(*(done("shared", f"quiet{number}") for number in range(19)))
    await server.record(*({"destination_id": "quiet0", "original": {"event_type": "page"}} for _ in range(2)))
    await view.open("#fold=1")
    await expect(view["#counts"]).to_have_text("121 of 421 cached events, in 53 rows by event")

    await view.button("Load older").click()

    await expect(view["#counts"]).to_have_text("421 events, in 53 rows by event")
    await expect(marks(view, "shared")).to_have_count(8)
    await expect(marks(view, "shared").last).to_have_text("+12")
    await expect(marks(view, "shared").last).to_have_attribute("title", re.compile("quiet9: Success"))


async def test_a_gap_stays_a_row_of_its_own(server: Server, view: View):
    body = (
        'event: ready\ndata: {}\n\nevent: gap\ndata: {"namespace":"destination","id":"shop.alpha","at_most":40}\n\n'
        'event: gap\ndata: {"namespace":"destination","id":"shop.beta","at_most":null}\n\n'
    )
    await server.record(done("kept", "shop.alpha"), done("kept", "shop.beta"))
    view.away = True  # the made-up answer ends immediately
    await view.page.route(
        "**/events/stream?*", lambda route: route.fulfill(body=body, content_type="text/event-stream")
    )

    await view.open("#fold=1")

    await expect(view.rows).to_have_count(2)
    await expect(view.row("shop.alpha")).to_contain_text("up to 40 events of shop.alpha are missing here")


async def test_incoming_events_are_not_folded(server: Server, view: View):
    for token in ("one", "two"):
        await server.send({"event_type": "login", "event_id": "same"}, token)

    await view.open("#tab=incoming&fold=1")

    await expect(view.rows).to_have_count(2)
    await expect(view["#fold"]).to_be_hidden()


async def test_an_export_has_all_entries(server: Server, view: View):
    await record_both(server)
    await view.open("#fold=1")
    await expect(view.rows).to_have_count(2)

    await view.button("Export").click()
    async with view.page.expect_download() as download:
        await view.page.get_by_role("menuitem", name="Export as NDJSON").click()

    assert len((await (await download.value).path()).read_text(encoding="utf-8").splitlines()) == 8


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 760, 1366])
async def test_folded_rows_fit_and_are_accessible(server: Server, look: Look, width: int, scheme: str):
    view = await look(server, width, 768, color_scheme=scheme)
    await record_both(server)
    await view.open("#fold=1&col=user.email")
    await expect(view.rows).to_have_count(2)
    await is_accessible(view)
    boxes = (
        "all => all.map(each => each.getBoundingClientRect()).map(({width, height, right}) => [width, height, right])"
    )
    await expect(marks(view, "bad")).to_have_count(3)
    for wide, high, right in await marks(view, "bad").evaluate_all(boxes):
        assert (wide >= 24, high >= 24, right <= width) == (True, True, True)
    if width == 1366:
        assert await view.page.evaluate(LIST_TOP) <= 190

    if width < 800:
        await view.button("More").click()
        await expect(view.page.get_by_role("menuitem", name="By entry")).to_be_visible()
        await view.press("Escape")
    await view.row("good").click()
    await expect(view.detail).to_be_visible()
    await is_accessible(view)
    if width == 1366:
        assert await view.page.evaluate(LIST_TOP) <= 190


FOLD_MANY = """async () => {
  const {Folding} = await import("./model/fold.js");
  const rows = Array.from({length: 1000}, (_, at) => (
    {key: String(at), eventId: `event-${at % 300}`, stream: `s${at % 5}`, status: "success", time: at}));
  const folding = new Folding();
  const first = folding.fold(rows);
  const next = folding.fold([{...rows[0], key: "new"}, ...rows]);
  return [first.length, next.filter((row, at) => row !== first[at]).length];
}"""


async def test_a_new_entry_changes_no_row_but_its_own(view: View):
    await view.open()

    assert await view.page.evaluate(FOLD_MANY) == [300, 1]
