"""The columns of the list: what all rows share is cut, columns are hidden, and columns of one's own are added."""

import re

import pytest
from playwright.async_api import Locator, expect

from tests.support.accessibility import is_accessible
from tests.support.live_view import Look, Server, StartServer, View, done, failed

pytestmark = pytest.mark.asyncio(loop_scope="session")


def own(view: View, row: str) -> Locator:
    return view.row(row).locator(".own")


async def choose(view: View, *names: str) -> None:
    await view.button("Columns").click()
    for name in names:
        await view.page.get_by_label(name, exact=True).click()
    await view.press("Escape")
    await expect(view["#chooser"]).to_be_hidden()


async def test_what_all_streams_and_types_share_is_cut_and_stays_in_titles_and_copies(server: Server, view: View):
    records = [done(f"e{name}", f"project1.{name}") for name in ("alpha", "beta")]
    for record, kind in zip(records, ("shop_view", "shop_buy"), strict=True):
        record["original"]["event_type"] = kind
    await server.record(*records)
    await view.open()
    alpha, beta = view.row("ealpha@"), view.row("ebeta@")

    await expect(alpha.locator(".stream .cut")).to_have_text("project1.")
    await expect(alpha.locator(".stream")).to_have_text("project1.alpha")
    await expect(alpha.locator(".stream")).to_have_attribute("title", "project1.alpha")
    await expect(alpha.locator(".type .cut")).to_have_text("shop_")
    assert await alpha.locator(".stream .cut").evaluate("cut => cut.offsetWidth") < 20
    await view["#list"].evaluate("list => getSelection().selectAllChildren(list.querySelector('.row .stream'))")
    assert re.fullmatch(r"project1\.(alpha|beta)", await view.page.evaluate("getSelection().toString()"))
    await view.page.evaluate("getSelection().removeAllRanges()")

    # What another type does not share is shown again.
    await server.record(done("other", "project1.beta"))
    await expect(view.row("other@")).to_be_visible()
    await expect(beta.locator(".type .cut")).to_have_count(0)
    await expect(beta.locator(".stream .cut")).to_have_count(1)
    await beta.locator(".stream").click(modifiers=["ControlOrMeta"])
    await expect(view.rows).to_have_count(2)
    assert "id=project1.beta" in view.page.url


async def test_columns_are_hidden_and_shown_by_keyboard_and_stand_in_the_url(server: Server, view: View):
    await server.record(done("one"), failed("two"))
    await view.open()
    await expect(view.rows).to_have_count(2)

    await view.button("Columns").focus()
    await view.press("Enter")
    await expect(view["#chooser"]).to_be_visible()
    await view.press("Tab", "Tab", "Tab", " ")
    await expect(view.row("one@").locator(".id")).to_be_hidden()
    await expect(view.page.get_by_label("Event id", exact=True)).to_be_focused()
    await view.press("e")  # it is no key of the page here
    await view.press("Escape")
    await expect(view["#chooser"]).to_be_hidden()
    await expect(view.button("Columns")).to_be_focused()
    assert view.page.url.endswith("#col=-id")
    await expect(view["#list-head .id"]).to_be_hidden()
    await view.page.reload()
    await expect(view.row("one@").locator(".id")).to_be_hidden()
    await choose(view, "Event id")

    await expect(view.row("one@").locator(".id")).to_be_visible()
    assert "#" not in view.page.url


async def test_a_column_of_ones_own_shows_values_as_received(server: Server, view: View):
    values = {
        "digits": "12345678901234567890",
        "price": "1.10",
        "object": '{"b":1,"c":{}}',
        "empty": '""',
        "text": '"x\\ny"',
    }
    for name, value in values.items():
        await server.record(f'{{"destination_id":"d","original":{{"event_id":"{name}","value":{value}}}}}')
    await server.record(done("none", "d"))
    await view.open()
    await expect(view.rows).to_have_count(6)

    await view.button("Columns").click()
    await view["#column"].fill("val")
    assert await view["#paths option"].evaluate_all("all => all.map(each => each.value)") == [
        "value",
        "value.b",
        "value.c",
    ]
    await view["#column"].fill("value")
    await view.press("Enter")
    await expect(view["#list-head .own"]).to_have_text("value")
    await expect(view["#column"]).to_have_value("")

    shown = {name: await own(view, name).text_content() for name in (*values, "none")}
    assert shown == {
        "digits": "12345678901234567890",
        "price": "1.10",
        "object": "{ b, c }",
        "empty": '""',
        "text": "x\\ny",
        "none": "\u2013",
    }
    await expect(own(view, "price")).to_have_attribute("title", "value: 1.10")
    assert view.page.url.endswith("#col=value")
    await view.page.reload()
    await expect(own(view, "price")).to_have_text("1.10")
    await view.button("Columns").click()
    await view["#chooser"].get_by_label("value", exact=True).click()
    await expect(view.rows.locator(".own")).to_have_count(0)


async def test_what_is_no_path_is_refused_and_left_out_of_a_link(server: Server, view: View):
    await server.record(done("one"))
    await view.open("#col=no+path&col=user.email&col=-status&col=-type")
    await expect(view.rows.locator(".own")).to_have_text(["one@jitsu.com"])
    await expect(view.rows.locator(".type")).to_be_hidden()
    await expect(view.rows.locator(".status")).to_be_visible()

    await view.button("Columns").click()
    await view["#column"].fill("a b")
    await view.press("Enter")

    await expect(view["#toast"]).to_contain_text("A column is a path")
    await expect(view.rows.locator(".own")).to_have_count(1)


async def test_a_cell_of_ones_own_column_filters_or_leaves_out(server: Server, view: View):
    for name, price in (("a", "1.10"), ("b", "2"), ("c", "2")):
        await server.record(f'{{"destination_id":"d","original":{{"event_id":"{name}-id","odd key":{price}}}}}')
    await view.open("#col=%5B%22odd+key%22%5D")
    await expect(own(view, "a-id")).to_have_text("1.10")

    await own(view, "a-id").click(modifiers=["Alt"])
    await expect(view.rows).to_have_count(2)
    await expect(view["#chips .chip"]).to_have_text('["odd key"] ≠ 1.10')
    await view["#unfilter"].click()
    await expect(view.rows).to_have_count(3)
    await own(view, "a-id").click(modifiers=["ControlOrMeta"])
    await expect(view.rows).to_have_count(1)
    await view["#unfilter"].click()
    await expect(view.rows).to_have_count(3)
    await view.press("j", *["ArrowRight"] * 6)
    await expect(view["#counts-live"]).to_have_text('["odd key"]: 2')
    await view.press("f")

    await expect(view.rows).to_have_count(2)
    await expect(view["#list-head .own"]).to_have_text('["odd key"]')


async def test_a_change_of_columns_keeps_the_view_and_the_open_event(server: Server, view: View):
    await server.record(done("one"), done("two"))
    await view.open()
    await view.row("one@").click()
    await expect(view.detail).to_be_visible()
    pushes = [request for request in view.requests if "/events/stream" in request.url]

    await choose_narrow(view, "Summary")

    await expect(view.row("one@").locator(".preview")).to_be_hidden()
    await expect(view.detail).to_contain_text("one@jitsu.com")
    await expect(view.row("one@")).to_have_attribute("aria-selected", "true")
    assert [request for request in view.requests if "/events/stream" in request.url] == pushes
    await view.page.go_back()
    await expect(view.row("one@").locator(".preview")).to_be_visible()
    await expect(view.detail).to_contain_text("one@jitsu.com")


async def choose_narrow(view: View, name: str) -> None:
    await view["#more"].click()
    await view.page.get_by_role("menuitem", name="Columns …").click()
    await view.page.get_by_label(name, exact=True).click()
    await view.press("Escape")


async def test_a_masked_value_has_its_tag(start: StartServer, look: Look):
    server = await start(mask_hash=("**.email",), mask_key="a-key")
    view = await look(server)
    user = {"email": "ann@jitsu.com", "plan": " *** "}
    await server.record({"destination_id": "d", "original": {"event_id": "one", "user": user}})

    await view.open("#col=user.email&col=user.plan")

    await expect(view.rows.locator(".own .mask")).to_have_text(re.compile("^hash [0-9a-f]{8}$"))
    assert await view.rows.locator(".own").last.text_content() == " *** "


FITS = """
() => {
  const box = document.querySelector("#list").getBoundingClientRect();
  return [...document.querySelectorAll("#canvas .row > *, #list-head > *")]
    .filter(node => node.checkVisibility() && node.offsetTop < node.parentElement.clientHeight)
    .filter(node => node.getBoundingClientRect().right > box.right + 1)
    .map(node => node.className);
}
"""


@pytest.mark.parametrize("width", [360, 560, 700, 760, 1160, 1600])
async def test_columns_without_room_are_left_out_from_the_last_one_on(server: Server, look: Look, width: int):
    view = await look(server, width)
    await server.record(done("one", "alpha"), failed("two", "beta"))
    paths = ["user.email", *(f"path{number}" for number in range(9))]
    await view.open("#" + "&".join(f"col={path}" for path in paths))
    await expect(view.rows).to_have_count(2)

    assert await view.page.evaluate(FITS) == []
    assert await view.page.evaluate("document.documentElement.scrollWidth") <= width
    seen = await own(view, "one").evaluate_all(
        "all => all.filter(node => node.checkVisibility() && node.offsetTop < node.parentElement.clientHeight).length"
    )
    assert {360: seen == 0, 560: seen <= 1}.get(width, seen <= 6)
    assert width < 1160 or seen >= 1
    await expect(view.row("one@").locator(".preview")).to_be_visible()
    left = "nodes => nodes.map(node => Math.round(node.getBoundingClientRect().left))"
    heads = await view["#list-head > .own"].evaluate_all(left)
    assert width < 700 or heads[:seen] == (await own(view, "one").evaluate_all(left))[:seen]


@pytest.mark.parametrize("fold", ["", "&fold=1"])
async def test_on_a_phone_a_column_takes_the_place_of_a_hidden_summary(server: Server, look: Look, fold: str):
    view = await look(server, 360)
    await server.record(done("one", "alpha"), done("two", "beta"))

    await view.open(f"#col=-preview&col=user.email&col=event_id{fold}")

    await expect(own(view, "one@").first).to_be_visible()
    await expect(own(view, "one@").last).to_be_hidden()
    await expect(view.row("one@").locator(".stream")).to_be_visible()
    assert await view.page.evaluate(FITS) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1366])
async def test_the_menu_of_columns_fits_and_is_accessible(server: Server, look: Look, width: int, scheme: str):
    view = await look(server, width, color_scheme=scheme)
    await server.record(done("one"))
    await view.open("#col=user.email")
    await expect(view.rows).to_have_count(1)

    if width == 360:
        await view["#more"].click()
        await view.page.get_by_role("menuitem", name="Columns …").click()
    else:
        await view.button("Columns").click()

    await expect(view["#chooser"]).to_be_visible()
    box = await view["#chooser"].bounding_box()
    assert box
    assert (box["x"] >= 0, box["x"] + box["width"] <= width) == (True, True)
    await is_accessible(view)
    await view["#search"].click(position={"x": 5, "y": 5})
    await expect(view["#chooser"]).to_be_hidden()
