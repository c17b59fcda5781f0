"""The histogram: its span, its labels, and the ranges that are chosen in it."""

import datetime as dt
import re

import pytest
from playwright.async_api import expect

from tests.support.live_view import Server, View, done, failed

pytestmark = pytest.mark.asyncio(loop_scope="session")


def seconds_ago(seconds: float) -> str:
    moment = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@pytest.mark.parametrize(("oldest", "span"), [(30, 5), (600, 15), (1800, 60), (4000, 60)])
async def test_the_histogram_spans_what_is_cached(server: Server, view: View, oldest: int, span: int):
    await server.record(done("old", timestamp=seconds_ago(oldest)), done("one"), done("two"))

    await view.open()

    await expect(view["#axis-start"]).to_have_text(f"{span} min ago")
    await expect(view["#axis-end"]).to_have_text("now")
    await expect(view["#axis-most"]).to_contain_text(f"in {span} s")
    bars = await view.bars()
    assert sum([events for events, _ in bars]) == (3 if oldest < 3600 else 2)


async def test_a_drag_selects_a_range_of_time_and_a_second_click_removes_it(server: Server, view: View):
    then = seconds_ago(1500)
    await server.record(done("long", timestamp=seconds_ago(3000)), done("then", timestamp=then))
    await server.record(failed("also", timestamp=then), done("now"))
    await view.open()
    await expect(view.rows).to_have_count(4)
    box = await view["#bars"].bounding_box()
    assert box

    await view.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 8)
    await view.page.mouse.down()
    await view.page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 8, steps=3)
    assert await view["#bars .chosen"].count() > 10
    await view.page.mouse.up()

    await expect(view.rows).to_have_count(2)
    assert await view.ids() == ["also", "then"]
    await expect(view["#range"]).to_have_value("chosen")
    await expect(view["#bars .chosen .error"].locator("visible=true")).to_have_count(1)
    await expect(view["#range option:checked"]).to_have_text(re.compile(r"^(\d{4}-\d\d-\d\d )?\d\d:\d\d \u2013 "))
    assert await view["#range"].evaluate("select => select.offsetWidth") > 120
    await expect(view["#custom"]).to_be_hidden()
    await view.page.get_by_label("Time range").select_option("")
    await expect(view.rows).to_have_count(4)


async def test_keys_select_a_range_of_time(server: Server, view: View):
    await server.record(done("then", timestamp=seconds_ago(1500)), done("now"))
    await view.open()
    await expect(view.rows).to_have_count(2)

    await view["#histogram"].focus()
    await view.press("End", "Shift+PageUp")
    await expect(view["#bars .chosen"]).to_have_count(11)
    await view.press("Escape")
    await expect(view["#bars .chosen"]).to_have_count(0)
    await view.press("End", "Shift+PageUp", "Shift+ArrowLeft", "Enter")

    await expect(view.rows).to_have_count(1)
    assert await view.ids() == ["now"]
    await expect(view["#range"]).to_have_value("chosen")
    await view.page.reload()
    await expect(view.rows).to_have_count(1)
    await expect(view["#range"]).to_have_value("chosen")
