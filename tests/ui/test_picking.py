"""Filtering by what is shown: by cells of rows, by values of an event, by what is suggested while somebody types."""

import asyncio
from contextlib import suppress
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.async_api import Locator, expect

from tests.support.live_view import Look, Server, StartServer, View, done, failed

pytestmark = pytest.mark.asyncio(loop_scope="session")


NARROWING = {"type", "status", "q", "field", "start", "end", "group"}


def cell(view: View, row: str, name: str) -> Locator:
    return view.row(row).locator(f'[data-cell="{name}"]')


def narrowed_by(view: View) -> list[tuple[str, str]]:
    """Return what narrows the view, as the address has it."""
    return [(name, value) for name, value in parse_qsl(urlsplit(view.page.url).fragment) if name in NARROWING]


async def narrowed(view: View, expected: list[tuple[str, str]]) -> None:
    """Wait until these narrow the view, and nothing else."""
    with suppress(TimeoutError):
        async with asyncio.timeout(20):
            while narrowed_by(view) != expected:
                await asyncio.sleep(0.05)
    assert narrowed_by(view) == expected


async def show_all(view: View) -> None:
    await view["#unfilter"].click()


@pytest.mark.parametrize(
    ("name", "words", "left_out"),
    [
        ("type", ("type", "signup"), ("field", "event_type != signup")),
        ("id", ("field", "event_id = bad"), ("field", "event_id != bad")),
        ("status", ("status", "error"), ("status", "-error")),
        ("preview", ("q", "type changing"), None),
    ],
)
async def test_a_cell_becomes_a_filter_or_is_left_out(
    server: Server, view: View, name: str, words: tuple[str, str], left_out: tuple[str, str] | None
):
    await server.record(done("ok"), failed("bad"))
    await view.open()

    await cell(view, "bad", name).click(modifiers=["ControlOrMeta"])
    await narrowed(view, [words])
    await expect(view.rows).to_have_count(1)
    assert await view.ids() == ["bad"]
    await expect(view.detail).to_be_hidden()
    await show_all(view)
    await expect(view.rows).to_have_count(2)

    await cell(view, "bad", name).click(modifiers=["Alt"])
    if left_out is None:
        await expect(view["#toast"]).to_have_text("A message cannot be left out")
        return
    await narrowed(view, [left_out])
    await expect(view.rows).to_have_count(1)
    assert await view.ids() == ["ok"]


async def test_a_pair_of_the_summary_and_a_minute_become_filters(server: Server, view: View):
    await server.record(done("old", timestamp="2026-03-01T09:59:59.000000Z"), done("new"))
    await view.open()

    await view.row("new@").locator('[data-cell="0"]').click(modifiers=["Alt"])
    await narrowed(view, [("field", "user.email != new@jitsu.com")])
    assert await view.ids() == ["old"]
    await show_all(view)
    await expect(view.rows).to_have_count(2)
    await cell(view, "old@", "time").click(modifiers=["ControlOrMeta"])

    await expect(view.rows).to_have_count(1)
    await narrowed(view, [("start", "2026-03-01T09:59:00.000Z"), ("end", "2026-03-01T10:00:00.000Z")])


async def test_a_status_is_left_out_of_cached_and_new_events_and_of_an_export(server: Server, view: View):
    skipped = {"destination_id": "my_destination", "original": {"event_id": "out"}, "skip": "a rule"}
    await server.record(done("ok"), failed("bad"), skipped)
    await view.open()
    await cell(view, "ok@", "status").click(modifiers=["Alt"])
    await narrowed(view, [("status", "-success")])
    await expect(view["#status button[aria-pressed=true]"]).to_have_text(["Errors1", "Skipped1"])

    await server.record(done("ok2"), failed("bad2"))
    await expect(view.rows).to_have_count(3)
    assert await view.ids() == ["bad2", "out", "bad"]
    await expect(view["#status button[aria-pressed=true]"]).to_have_text(["Errors2", "Skipped1"])
    await expect(view["#counts"]).to_have_text("3 matches among 5 cached events")
    await view.button("Export").click()
    await view.page.get_by_role("menuitem", name="Export as NDJSON").click()
    await expect(view["#toast"]).to_have_text("3 events exported")
    await view.page.reload()
    await expect(view.rows).to_have_count(3)

    await cell(view, "a rule", "status").click(modifiers=["Alt"])
    await narrowed(view, [("status", "error")])
    await expect(view.rows).to_have_count(2)
    await view.press("j", "ArrowLeft", "ArrowLeft", "ArrowLeft")
    await expect(view["#canvas .at"]).to_have_text("Error")
    await view.press("x")
    await narrowed(view, [("status", "-error")])
    await expect(view.row("ok2@")).to_be_visible()


async def test_a_time_that_is_left_out_begins_the_range_behind_it(server: Server, view: View):
    times = [f"2026-03-01T10:00:0{number}.500000Z" for number in range(4)]
    await server.record(*(done(f"e{number}", timestamp=time) for number, time in enumerate(times)))
    await view.open("#end=2026-03-01T10:00:03.000Z")
    await expect(view.rows).to_have_count(3)

    await cell(view, "e0@", "time").click(modifiers=["Alt"])

    await narrowed(view, [("start", "2026-03-01T10:00:00.501Z"), ("end", "2026-03-01T10:00:03.000Z")])
    await expect(view.rows).to_have_count(2)
    assert await view.ids() == ["e2", "e1"]
    await view.press("j", "j", "ArrowLeft", "ArrowLeft")
    await expect(view["#canvas .at"]).to_have_text("03-01 10:00:01.500")
    await view.press("x")
    await narrowed(view, [("start", "2026-03-01T10:00:01.501Z"), ("end", "2026-03-01T10:00:03.000Z")])


async def test_a_stream_becomes_the_only_one_or_is_left_out(server: Server, view: View):
    await server.record(done("a", "alpha"), done("b", "beta"), done("c", "gamma"))
    await view.open()

    await cell(view, "b@", "stream").click(modifiers=["Alt"])
    await expect(view.rows).to_have_count(2)
    assert sorted(await view.ids()) == ["a", "c"]
    await cell(view, "c@", "stream").click(modifiers=["ControlOrMeta"])

    await expect(view.rows).to_have_count(1)
    assert "id=gamma" in view.page.url


async def test_a_click_opens_an_event_and_then_filters_by_its_cells(server: Server, view: View):
    await server.record(done("ok"), failed("bad"))
    await view.open()

    await cell(view, "bad", "type").click()
    await expect(view.detail).to_contain_text("signup")
    await cell(view, "bad", "type").click()

    await narrowed(view, [("type", "signup")])


async def test_keys_filter_by_the_chosen_cell_and_leave_it_out(server: Server, view: View):
    await server.record(done("ok"), failed("bad"))
    await view.open()
    await view.press("j")

    await view.press("f")
    await narrowed(view, [("type", "signup")])
    await show_all(view)
    await expect(view.rows).to_have_count(2)
    await view.press("ArrowRight", "ArrowRight")
    await expect(view["#canvas .at"]).to_have_text("bad")
    await expect(view["#counts-live"]).to_have_text("bad")
    await view.press("x")

    await narrowed(view, [("field", "event_id != bad")])


async def test_keys_and_alt_filter_by_a_value_of_the_open_event(server: Server, view: View):
    await server.record(done("ann"), done("bob"))
    await view.open()
    await view.row("ann@").click()
    value = view.detail.get_by_role("button", name='"ann@jitsu.com"')

    await value.focus()
    await view.press("x")
    await narrowed(view, [("field", "user.email != ann@jitsu.com")])
    await view["#chips .chip"].click()
    await value.click(modifiers=["Alt"])
    await narrowed(view, [("field", "user.email != ann@jitsu.com")])
    await view["#chips .chip"].click()

    await view.detail.get_by_role("tab", name="Result").click()
    await view.detail.locator("tbody").get_by_role("button", name='"ann"').click()
    await view.page.get_by_role("menuitem", name="Filter by this").click()
    await narrowed(view, [("field", "event_id = ann")])
    await expect(view.rows).to_have_count(1)


async def test_paths_and_values_are_suggested_while_a_filter_is_typed(server: Server, view: View):
    record = done("ann")
    record["original"] |= {"price": 1, "odd key": {"x": "a, b"}}
    await server.record(record, done("bob"))
    await view.open()
    await expect(view.rows).to_have_count(2)

    async def suggested() -> list[str]:
        found: list[str] = await view["#suggestions option"].evaluate_all("all => all.map(each => each.value)")
        return found

    await view["#search"].fill("-us")
    assert await suggested() == ["-user.email = "]
    await view["#search"].fill("user.email = b")
    assert await suggested() == ["user.email = bob@jitsu.com"]
    await view["#search"].fill("odd")
    assert await suggested() == ['["odd key"].x = ']
    await view["#search"].fill('["odd key"].x ~')
    assert await suggested() == ['["odd key"].x ~ a, b']
    await view["#search"].fill('["odd key"].x = a, b')
    await view.press("Enter")
    await expect(view.rows).to_have_count(1)
    assert await view.ids() == ["ann"]


async def test_types_at_a_configured_place_are_shown_and_filtered_by(start: StartServer, look: Look):
    server = await start(type_path="properties.kind")
    view = await look(server)
    await server.record(
        '{"destination_id":"d","original":{"event_id":"dots","event_type":"usual","properties.kind":"dotted"}}',
        '{"destination_id":"d","original":{"event_id":"number","properties":{"kind":1.10}}}',
        '{"destination_id":"d","original":{"event_id":"list","event_type":"usual","properties":[{"kind":"no"}]}}',
        '{"destination_id":"d","original":{"event_id":"none","event_type":"usual","properties":{"kind":""}}}',
    )
    await view.open()
    await expect(view.rows).to_have_count(4)

    assert [await view.row(name).locator(".type").inner_text() for name in ("dots", "number", "list", "none")] == [
        "dotted",
        "1.10",
        "usual",
        "usual",
    ]
    await cell(view, "number", "type").click(modifiers=["ControlOrMeta"])
    await expect(view.rows).to_have_count(1)
    await narrowed(view, [("type", "1.10")])
    await show_all(view)
    await cell(view, "number", "type").click(modifiers=["Alt"])

    await narrowed(view, [("field", "properties.kind != 1.10")])
    await expect(view.rows).to_have_count(3)


async def test_type_id_and_stream_of_an_open_event_become_filters_or_are_left_out(server: Server, view: View):
    await server.record(done("ok"), failed("bad"), done("far", "other"))
    await view.open()
    await view.row("bad").click()

    await view.detail.get_by_role("button", name="signup", exact=True).click()
    await narrowed(view, [("type", "signup")])
    await show_all(view)
    await view.row("bad").click()
    await view.detail.locator(".facts").get_by_role("button", name="bad").click(modifiers=["Alt"])
    await narrowed(view, [("field", "event_id != bad")])
    await show_all(view)
    await view.row("bad").click()
    await view.detail.locator(".facts").get_by_role("button", name="my_destination").click()

    await expect(view.rows).to_have_count(2)
    assert "id=my_destination" in view.page.url


async def test_the_type_of_an_example_filters_the_list_of_its_group(server: Server, view: View):
    await server.record(failed("bad"), failed("worse"))
    await view.open("#tab=errors")
    await view["#errors-list"].get_by_role("option").click()

    await view.detail.get_by_role("button", name="signup", exact=True).click()

    await expect(view.rows).to_have_count(2)
    assert [name for name, _ in narrowed_by(view)] == ["type", "group"]
