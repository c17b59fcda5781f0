"""Texts of events as the page shows them."""

import sys
import unicodedata

import pytest

from tests.support.live_view import View

pytestmark = pytest.mark.asyncio(loop_scope="session")

INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
HIDDEN = """async points => {
  const { visible } = await import("./lib/text.js");
  return points.filter((point) => visible(String.fromCodePoint(point)) === String.fromCodePoint(point));
}"""
VISIBLE = "async text => (await import('./lib/text.js')).visible(text)"
ONE_LINE = "async ([text, length]) => (await import('./lib/text.js')).oneLine(text, length)"


async def test_control_and_format_characters_are_never_shown_as_they_are(view: View):
    await view.open()
    points = [point for point in range(sys.maxunicode + 1) if unicodedata.category(chr(point)) in INVISIBLE]

    unchanged = await view.page.evaluate(HIDDEN, points)

    assert [chr(point) for point in unchanged] == ["\t", "\n"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("soft\u00adhyphen", r"soft\u00adhyphen"),
        ("tag\U000e0041", r"tag\udb40\udc41"),
        ("ä 漢字 \U0001f600\ta\nb", "ä 漢字 \U0001f600\ta\nb"),
    ],
)
async def test_invisible_characters_are_shown_as_json_escapes(view: View, text: str, shown: str):
    await view.open()

    assert await view.page.evaluate(VISIBLE, text) == shown


@pytest.mark.parametrize(
    ("text", "length", "shown"),
    [("ab\U0001f600", 4, "ab\U0001f600"), ("ab\U0001f600c", 3, "ab…"), ("ab\U0001f600c", 4, "ab\U0001f600…")],
)
async def test_a_text_is_not_cut_inside_a_character(view: View, text: str, length: int, shown: str):
    await view.open()

    assert await view.page.evaluate(ONE_LINE, [text, length]) == shown
