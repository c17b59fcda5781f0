"""Export, clearing, keyboard shortcuts and the theme."""

import csv
import io
import json

import pytest
from playwright.async_api import expect

from tests.support.live_view import Look, Server, StartServer, View, done, failed

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def exported(view: View, kind: str) -> str:
    await view.button("Export").click()
    async with view.page.expect_download() as download:
        menu = view.page.get_by_role("menu", name="Export")
        await menu.get_by_role("menuitem", name=f"Export as {kind}").click()
    path = await (await download.value).path()
    return path.read_text(encoding="utf-8")


async def test_the_filtered_events_are_exported_as_ndjson(server: Server, view: View):
    await server.record(done("ok"), failed("bad1"), failed("bad2"))
    await view.open("#status=error&field=event_id+!%3D+bad1")
    await expect(view.rows).to_have_count(1)

    lines = (await exported(view, "NDJSON")).splitlines()

    assert [json.loads(line)["original"]["event_id"] for line in lines] == ["bad2"]


async def test_an_export_covers_all_streams_in_view_and_rows_that_have_left_the_cache(start: StartServer, look: Look):
    server = await start(size=2, limited=False)
    view = await look(server)
    for batch in range(0, 110, 22):
        await server.record(*(done(f"e{number}", f"s{number}") for number in range(batch, batch + 22)))
    await server.record(done("early"))
    await view.open()
    await expect(view.row("early@")).to_be_visible()

    await server.record(done("late1"), done("late2"))
    await expect(view.row("late2@")).to_be_visible()
    lines = (await exported(view, "NDJSON")).splitlines()

    ids = [json.loads(line)["original"]["event_id"] for line in lines]
    assert sorted(ids) == sorted(["early", "late1", "late2", *(f"e{number}" for number in range(110))])
    await expect(view["#toast"]).to_have_text("113 events exported, 1 of them no longer cached")


async def test_the_filtered_events_are_exported_as_csv_without_formulas(server: Server, view: View):
    await server.record(failed("=HYPERLINK(1)", error='say "no", twice'), done("ok"))
    await view.open("#status=error")
    await expect(view.rows).to_have_count(1)

    (row,) = csv.DictReader(io.StringIO(await exported(view, "CSV")))

    assert row["event_id"] == "'=HYPERLINK(1)"
    assert row["error"] == 'say "no", twice'
    assert json.loads(row["original"])["event_type"] == "signup"


async def test_csv_holds_numbers_as_received(server: Server, view: View):
    original = '{"price":1.10,"big":12345678901234567890}'
    await server.record(f'{{"destination_id":"d","original":{original}}}')
    await view.open()

    (row,) = csv.DictReader(io.StringIO(await exported(view, "CSV")))

    assert row["original"] == original


async def test_a_stream_is_cleared_only_after_a_confirmation(server: Server, view: View):
    await server.record(done("a", "alpha"), done("b", "beta"))
    await view.open("#id=alpha")
    await expect(view.rows).to_have_count(1)

    await view.button("Clear …").click()
    await expect(view["#clear-dialog"]).to_contain_text("Stream alpha")
    await expect(view.button("Cancel")).to_be_focused()
    await view.button("Cancel").click()
    await expect(view.rows).to_have_count(1)
    await view.button("Clear …").click()
    await view["#clear-sure"].click()

    await expect(view["#toast"]).to_have_text("1 event cleared")
    await expect(view["#empty-state"]).to_contain_text("No events yet")
    await view["#streams-list"].get_by_role("button", name="All streams").click()
    await expect(view.rows).to_have_count(1)


async def test_all_streams_are_cleared_in_all_windows(server: Server, view: View, look: Look):
    await server.record(done("a", "alpha"), done("b", "beta"))
    other = await look(server)
    await other.open()
    await expect(other.rows).to_have_count(2)
    await view.open()

    await view.button("Clear …").click()
    await view["#clear-dialog"].get_by_label("All 2 streams of this tab").check()
    await view["#clear-sure"].click()

    await expect(view["#toast"]).to_have_text("2 events cleared")
    await expect(view.rows).to_have_count(0)
    await expect(other.rows).to_have_count(0)


async def test_keys_do_what_the_help_says(server: Server, view: View):
    await server.record(done("one"), failed("two"), done("three"))
    await view.open()
    await expect(view.rows).to_have_count(3)

    await view.press("j", "j")
    await expect(view.row("signup")).to_have_attribute("aria-selected", "true")
    await view.press("k", "Enter")
    await expect(view.detail).to_contain_text("three@jitsu.com")
    await view.press("j")
    await expect(view.detail).to_contain_text("type changing")
    await view.press("c")
    await expect(view["#toast"]).to_have_text("JSON copied")
    assert json.loads(await view.copied())["event_id"] == "two"
    await view.press("Escape")
    await expect(view.detail).to_be_hidden()
    await view.press("e")
    await expect(view.rows).to_have_count(1)
    await view.press("e")
    await expect(view.rows).to_have_count(3)
    await view.press("/")
    await expect(view["#search"]).to_be_focused()
    await view.page.keyboard.type("pet?")
    await expect(view["#search"]).to_have_value("pet?")
    await view.press("Escape", "?")
    await expect(view["#help-dialog"]).to_be_visible()
    await view.press("Escape")
    await expect(view["#help-dialog"]).to_be_hidden()


async def test_the_theme_is_that_of_the_system_until_another_is_chosen(server: Server, look: Look):
    view = await look(server, color_scheme="dark")
    await view.open()
    dark = await view["body"].evaluate("body => getComputedStyle(body).backgroundColor")

    await view.press("t")
    light = await view["body"].evaluate("body => getComputedStyle(body).backgroundColor")
    await view.page.reload()

    assert dark != light
    await expect(view["html"]).to_have_attribute("data-theme", "light")
    await expect(view["body"]).to_have_css("background-color", light)


async def test_enter_opens_an_event_after_a_button_was_pressed(server: Server, view: View):
    await server.record(done("one"))
    await view.open()
    await expect(view.rows).to_have_count(1)
    await view.button("Copy link").click()
    await view.press("j", "Enter")
    await expect(view.detail).to_contain_text("one@jitsu.com")


async def test_every_control_is_reached_by_keyboard_and_has_a_focus_outline(server: Server, view: View):
    await server.record(done("one"))
    await view.open()
    await expect(view.rows).to_have_count(1)
    reached = set()

    for _ in range(40):
        await view.press("Tab")
        reached.add(await view.page.evaluate("document.activeElement.id || document.activeElement.className"))
        outline = await view.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none" or await view.page.evaluate("document.activeElement === document.body")

    expected = "tab-processed theme help streams-search search type range histogram pause export link clear list"
    assert set(expected.split()) <= reached
    assert {"stream", "success", "error", "skip"} <= reached
