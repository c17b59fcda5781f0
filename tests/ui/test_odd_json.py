"""Events that are JSON by the standard, but odd: the page shows, finds, compares, copies and exports them."""

import csv
import io
import json

import pytest
from playwright.async_api import expect

from tests.support.live_view import Server, View, done

pytestmark = pytest.mark.asyncio(loop_scope="session")

HALF = r'{"event_type":"Sale \ud83d","event_id":"half","title":"A \ud83d\u0041","\udc00":{"deep":"\ud83d\ude00"}}'
HUGE = '{"event_type":"huge","event_id":"huge","n":1e400,"price":-1.10,"digits":' + "9" * 400 + "}"


def destination(original: str) -> str:
    columns = '[{"field":"title","type":"text","value":"A \\ufffdA"},{"field":"n","type":"number","value":1e400}]'
    return f'{{"destination_id":"d","original":{original},"success":{{"table":"t","record":{columns}}}}}'


async def exported(view: View, kind: str) -> str:
    await view.button("Export").click()
    async with view.page.expect_download() as download:
        await view.page.get_by_role("menuitem", name=f"Export as {kind}").click()
    return (await (await download.value).path()).read_text(encoding="utf-8")


async def test_odd_events_are_listed_and_pushed_beside_others(server: Server, view: View):
    await server.record(destination(HALF), done("plain"))
    await view.open()
    await server.record(destination(HUGE), done("later"))

    await expect(view.rows).to_have_count(4)
    await expect(view.row("half").locator(".type")).to_have_text(r"Sale \ud83d")
    await expect(view.row("huge").locator(".preview")).to_contain_text("n=1e400")


async def test_an_odd_event_is_shown_in_full_in_each_tab_and_copied_as_received(server: Server, view: View):
    await server.record(destination(HALF))
    await view.open()
    await view.row("half").click()

    await expect(view.detail.locator(".tree")).to_contain_text(r"A \ud83dA")
    await view.press("c")
    await expect(view["#toast"]).to_have_text("JSON copied")
    assert await view.copied() == HALF
    await view.detail.get_by_role("tab", name="Result").click()
    await expect(view.detail).to_contain_text("1e400")
    await view.detail.get_by_role("tab", name="Diff").click()
    await expect(view.detail.locator(".difference.changed")).to_contain_text("title")
    await view.detail.get_by_role("tab", name="Raw").click()
    await expect(view.detail.locator(".raw")).to_contain_text(r"\udc00")


async def test_odd_events_are_found_by_text_type_and_field(server: Server, view: View):
    await server.record(destination(HALF), destination(HUGE), done("plain"))
    for fragment, found in {
        r"#q=\ud83d": "half",
        "#type=Sale+%EF%BF%BD": "half",
        "#type=huge": "huge",
        "#field=price+%3D+-1.1": "huge",
        "#field=digits+%3E+1e399": "huge",
        "#field=digits+%3C+1e400": "huge",
        r"#field=title+%3D+%22A+%5Cud83dA%22": "half huge",  # one in its column
    }.items():
        await view.page.goto("about:blank")
        await view.open(fragment)
        await expect(view.rows).to_have_count(len(found.split()))
        assert sorted(await view.ids()) == found.split(), fragment


async def test_half_a_surrogate_pair_becomes_a_filter_that_stands_in_the_url(server: Server, view: View):
    await server.record(destination(HALF), done("plain"))
    await view.open()
    await view.row("half").click()
    await view.detail.locator(".line").filter(has_text="title").get_by_role("button").click()
    await view.page.get_by_role("menuitem", name="Filter by this").click()
    await expect(view.rows).to_have_count(1)

    await view.page.reload()

    await expect(view["#chips .chip"]).to_have_count(1)
    await expect(view.rows).to_have_count(1)


async def test_odd_events_are_exported_as_received(server: Server, view: View):
    await server.record(destination(HALF), destination(HUGE), done("plain"))
    await view.open()
    await expect(view.rows).to_have_count(3)

    lines = (await exported(view, "NDJSON")).splitlines()
    rows = list(csv.DictReader(io.StringIO(await exported(view, "CSV"))))

    assert any(f'"original":{HALF},' in line for line in lines)
    assert any(f'"original":{HUGE},' in line for line in lines)
    assert {HALF, HUGE} <= {row["original"] for row in rows}
    assert len(rows) == len([json.loads(line) for line in lines]) == 3


CELL = "async text => (await import('./lib/csv.js')).csvLine([text]).slice(1, -3).replaceAll('\"\"', '\"')"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("-1", "'-1"),
        ("  =1", "  '=1"),
        ("\u00a0\u3000+1", "\u00a0\u3000'+1"),
        ("\u200b\ufeff=1", "\u200b\ufeff'=1"),
        ("\uff1d1", "'\uff1d1"),
        ("\uff0b1;\uff0d1\n\uff201", "'\uff0b1;'\uff0d1\n'\uff201"),
        ("\ufe661", "'\ufe661"),
        ("\u22121", "'\u22121"),
        ("a;=1", "a;'=1"),
        ("a ; \t=1", "a ; \t'=1"),
        ('a;"=1', "a;\"'=1"),
        ("a\uff1b=1", "a\uff1b'=1"),
        ("a\n=1", "a\n'=1"),
        ("a\r\n\n @x", "a\r\n\n '@x"),
        ("a\u2028=1", "a\u2028'=1"),
        ("\ttext", "'\ttext"),
        ("a = b; c - d", "a = b; c - d"),
        ('{"a":-1,"b":[-1, +2],"c":"x=1"}', '{"a":-1,"b":[-1, +2],"c":"x=1"}'),
    ],
)
async def test_what_a_spreadsheet_takes_for_a_formula_is_a_text_in_csv(view: View, text: str, cell: str):
    await view.open()
    assert await view.page.evaluate(CELL, text) == cell


LONG_CELLS = """async text => {
  const { csvLine } = await import("./lib/csv.js");
  return Array.from({ length: 20 }, () => csvLine([text])).every((line) => line.endsWith("=\\"\\r\\n"));
}"""


@pytest.mark.parametrize("piece", [" ", "\n", ";", '"', " =", "\n=", "; x"])
async def test_long_cells_are_written_in_time_that_grows_as_they_do(view: View, piece: str):
    await view.open()
    assert await view.page.evaluate(LONG_CELLS, piece * 50_000 + "=")  # in squared time: minutes
