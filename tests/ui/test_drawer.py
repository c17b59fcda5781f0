"""The open event: its width, and its raw text."""

import pytest
from playwright.async_api import expect

from tests.support.live_view import Look, Server, View, done

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def width(view: View) -> int:
    return int(await view.detail.evaluate("detail => detail.offsetWidth"))


async def test_the_open_event_is_resized_by_pointer_and_keyboard_and_stays_so(server: Server, view: View):
    await server.record(done("one"))
    await view.open()
    await view.rows.first.click()
    edge = view.page.get_by_role("separator", name="Width of the event")
    await expect(edge).to_be_visible()
    before = await width(view)

    await edge.focus()
    await expect(edge).to_have_attribute("aria-valuenow", str(before))
    await expect(edge).to_have_attribute("aria-valuemin", "320")
    await view.press("ArrowLeft")
    assert await width(view) == before + 40
    await view.press("ArrowRight", "ArrowRight")
    assert await width(view) == before - 40
    box = await edge.bounding_box()
    assert box
    await view.page.mouse.move(box["x"] + 4, 400)
    await view.page.mouse.down()
    await view.page.mouse.move(box["x"] - 96, 400, steps=3)
    await view.page.mouse.up()

    wide = await width(view)
    assert abs(wide - (before + 60)) <= 5
    await expect(edge).to_have_attribute("aria-valuenow", str(wide))
    await view.page.reload()
    await expect(view.detail).to_be_visible()
    assert await width(view) == wide
    await view.press("Escape")
    await expect(edge).to_be_hidden()


async def test_the_raw_text_is_as_sent_or_pretty_without_a_change_of_any_value(server: Server, view: View):
    original = (
        '{"price":1.10,"big":12345678901234567890,"empty":{},"none":[],'
        '"text":"a {b}, \\"c\\": d","list":[1,{"x":null}]}'
    )
    await server.record(f'{{"destination_id":"d","original":{original}}}')
    await view.open()
    await view.rows.first.click()
    await view.detail.get_by_role("tab", name="Raw").click()
    raw = view.detail.locator("pre.raw")
    await expect(raw).to_contain_text(original)

    await view.button("Pretty").click()

    await expect(view.button("Pretty")).to_have_attribute("aria-pressed", "true")
    text = await raw.text_content() or ""
    assert '\n\t\t"price": 1.10,\n\t\t"big": 12345678901234567890,\n\t\t"empty": {},\n\t\t"none": [],\n' in text
    assert '\n\t\t"text": "a {b}, \\"c\\": d",\n\t\t"list": [\n\t\t\t1,\n\t\t\t{\n\t\t\t\t"x": null\n' in text
    await view.button("Pretty").click()
    await expect(raw).to_contain_text(original)


async def test_on_a_phone_the_open_event_has_all_of_the_width(server: Server, look: Look):
    view = await look(server, 360)
    await server.record(done("one"))
    await view.open()
    await view.rows.first.click()

    await expect(view.detail).to_be_visible()
    assert await width(view) == 360
    await expect(view["#resizer"]).to_be_hidden()
