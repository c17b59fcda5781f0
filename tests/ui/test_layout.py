"""The layout at all widths, and whether the page is accessible."""

import pytest
from playwright.async_api import expect

from eventscache.config.replay_targets import ReplayTarget
from tests.support.accessibility import LIST_TOP, is_accessible
from tests.support.live_view import Look, Server, StartServer, View, done, failed

pytestmark = pytest.mark.asyncio(loop_scope="session")


LINES = """
() => {
  const lines = {};
  for (const node of document.querySelectorAll("#toolbar > :not(.spring)"))
    if (node.checkVisibility()) (lines[Math.round(node.getBoundingClientRect().top)] ??= []).push(node.id);
  return Object.values(lines);
}
"""


@pytest.mark.parametrize("width", [720, 760, 800, 960, 1100, 1280, 1400])
async def test_no_control_of_the_toolbar_is_alone_on_a_line(server: Server, look: Look, width: int):
    view = await look(server, width)
    await server.record(done("one"))
    await view.open()
    await expect(view.rows).to_have_count(1)
    await _has_no_lonely_control(view)

    await view.rows.first.click()
    await expect(view.detail).to_be_visible()
    await _has_no_lonely_control(view)
    # The list learns its new width a frame later.
    await view.page.wait_for_function("() => document.querySelector('#canvas .row .preview').offsetWidth >= 150")


async def _has_no_lonely_control(view: View) -> None:
    lines = await view.page.evaluate(LINES)
    wide = await view["main"].evaluate("main => main.offsetWidth >= 560")
    assert len(lines) == 1 or (not wide and len(lines) == 2 and lines[1] == ["type", "range", "pause", "more"])
    assert await view["#search"].evaluate("search => search.offsetWidth") >= 180


@pytest.mark.parametrize("width", [360, 1440])
async def test_the_jump_button_is_in_the_lower_half_of_the_list(server: Server, look: Look, width: int):
    view = await look(server, width)
    await server.record(*(done(f"e{number}") for number in range(40)))
    await view.open()
    await view.press("p")
    await server.record(done("new"))
    await expect(view["#jump"]).to_be_visible()

    jump = await view["#jump"].bounding_box()
    rows = await view["#list"].bounding_box()
    assert jump
    assert rows
    assert jump["y"] > rows["y"] + rows["height"] / 2
    help_, theme = await view["#help"].bounding_box(), await view["#theme"].bounding_box()
    assert help_
    assert theme
    assert help_["y"] == theme["y"]


@pytest.mark.parametrize("width", [1160, 1366])
async def test_the_list_begins_at_most_190_pixels_from_the_top_and_never_moves(
    start: StartServer, look: Look, width: int
):
    server = await start(size=2)
    view = await look(server, width, 768)
    await server.record(done("one"), failed("two"))
    await view.open()
    await expect(view.rows).to_have_count(2)
    top = await view.page.evaluate(LIST_TOP)
    assert top <= 190

    await server.record(done("three"), done("four"))
    await expect(view.banner("are not shown")).to_be_visible()
    assert await view.page.evaluate(LIST_TOP) == top
    await view.rows.first.click()
    await expect(view.detail).to_be_visible()

    most = top if width > 1200 else 190  # on a narrow page the toolbar has two lines then
    assert await view.page.evaluate(LIST_TOP) <= most


@pytest.mark.parametrize("width", [360, 600, 760, 1160, 1366, 1600])
async def test_every_row_says_its_stream(server: Server, look: Look, width: int):
    view = await look(server, width)
    await server.record(done("one", "alpha"), done("two", "beta"))
    await view.open()
    await expect(view.row("alpha").locator(".stream")).to_be_visible()

    await view.rows.first.click()
    await expect(view.detail).to_be_visible()
    await expect(view.row("alpha").locator(".stream")).to_be_visible()


SEEN = """
() => [...document.querySelectorAll("button, input, select, [role=slider], [role=listbox]")]
  .filter(node => node.checkVisibility({visibilityProperty: true}) && !node.closest(".panel"))
  .map(node => ({node, box: node.getBoundingClientRect()}))
  .map(({node, box}) => ({name: node.id || node.textContent, box, part: node.closest("header, aside, main")}))
  .flatMap(({name, box, part}, at, all) => {
    const before = all[at - 1];
    const wrong = before?.part === part && box.top + box.height / 2 < before.box.top;
    return wrong ? [[before.name, name]] : [];
  })
"""


@pytest.mark.parametrize("width", [360, 760, 1366])
async def test_the_controls_are_in_the_order_in_which_they_are_seen(server: Server, look: Look, width: int):
    view = await look(server, width)
    await server.record(done("one"), failed("two"))
    await view.open("#field=event_id+%21%3D+x")
    await expect(view.rows).to_have_count(2)

    assert await view.page.evaluate(SEEN) == []


async def test_long_chips_are_not_clipped(server: Server, look: Look):
    view = await look(server, 360)
    await server.record(done("one"))
    value = "a-value-without-any-end-" * 12
    await view.open(f"#field=event_id+%21%3D+{value}")

    await expect(view["#chips .chip"]).to_contain_text(value)
    assert await view["#chips .chip"].evaluate("chip => chip.scrollWidth <= chip.clientWidth")


WIDTHS = (360, 900, 1440)


@pytest.mark.parametrize("width", WIDTHS)
async def test_the_page_fits_at_any_width(server: Server, look: Look, width: int):
    view = await look(server, width)
    await view.open()
    await expect(view["#empty-state"]).to_be_visible()
    await _fits(view, width)
    await server.record(done("one", "a-stream-with-a-rather-long-name-" * 4), failed("two", error="x" * 300))
    await expect(view.rows).to_have_count(2)
    await _fits(view, width)

    if width < 1100:
        await view["#streams-open"].click()
        await expect(view["#streams-search"]).to_be_focused()
        await _fits(view, width)
        await view.button("Done").click()
    await view.rows.first.click()
    await expect(view.detail).to_be_visible()
    await _fits(view, width)
    for part in ("Result", "Diff", "Raw"):
        await view.detail.get_by_role("tab", name=part).click()
        await _fits(view, width)


@pytest.mark.parametrize("width", WIDTHS)
async def test_the_errors_fit_at_any_width(server: Server, look: Look, width: int):
    view = await look(server, width)
    await view.open("#tab=errors")
    await expect(view["#errors-empty h2"]).to_have_text("No errors")
    await _fits(view, width)
    await server.record(failed("one", "a-stream-with-a-rather-long-name-" * 4), failed("two", error="x" * 300))
    await expect(view["#errors-list .group"]).to_have_count(2)
    await _fits(view, width)

    await view["#errors-list .group"].first.click()
    await expect(view.detail).to_be_visible()
    await _fits(view, width)


async def _fits(view: View, width: int) -> None:
    assert await view.page.evaluate("document.documentElement.scrollWidth") <= width
    outside = await view.page.evaluate(
        "[...document.querySelectorAll('button, input, select')]"
        ".filter(node => node.checkVisibility({visibilityProperty: true}) && !node.closest('.panel, .streams'))"
        ".filter(node => node.getBoundingClientRect().right > innerWidth + 1)"
        ".map(node => node.id || node.className)"
    )
    assert outside == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
async def test_the_page_is_accessible(start: StartServer, look: Look, scheme: str, width: int):
    server = await start(size=4, replay_targets=(ReplayTarget("staging", "http://[::1]:1/"),))
    view = await look(server, width, color_scheme=scheme)
    await view.open()
    await expect(view["#empty-state"]).to_be_visible()
    await is_accessible(view)

    skipped = {"destination_id": "d", "original": {"event_id": "out"}, "skip": "a rule"}
    malformed = {"destination_id": "d", "malformed": "{", "error": "no JSON"}
    await server.record(done("one"), failed("two"), skipped, malformed, *(done(f"e{n}") for n in range(9)))
    await view.open("#q=%22")
    await expect(view.row("out").or_(view.row("a rule"))).to_be_visible()
    await expect(view.banner("are not shown")).to_be_visible()
    await is_accessible(view)

    await server.record({"token_id": "key", "original": {"event_id": "out"}})
    await view.row("a rule").click()
    await expect(view.detail.locator(".way li")).to_have_count(2)
    for part in ("Original", "Result", "Diff", "Raw"):
        await view.detail.get_by_role("tab", name=part).click()
        await is_accessible(view)
    await view.page.get_by_role("tab", name="Errors").click()
    await expect(view["#errors-list .group"]).to_have_count(2)
    await is_accessible(view)
    await view["#errors-list .group"].first.click()
    await expect(view.detail).to_be_visible()
    await is_accessible(view)
    await view.press("Escape", "?")
    await expect(view["#help-dialog"]).to_be_visible()
    await is_accessible(view)
    await view.press("Escape")
    await view.page.get_by_role("tab", name="Processed").click()
    await view.button("Replay …").or_(view.button("More", exact=False)).click()
    if await view["#menu"].is_visible():
        await view.page.get_by_role("menuitem", name="Replay …").click()
    await expect(view[".replay .reason"]).to_contain_text("Not JSON")
    await is_accessible(view)
    await view[".replay .primary"].click()
    await expect(view[".replay .answer"].first).to_be_visible()
    await is_accessible(view)
