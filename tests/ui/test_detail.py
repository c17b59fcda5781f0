"""One event in full, with any content."""

import json
import re

import pytest
from playwright.async_api import Locator, expect

from tests.support.live_view import Look, Server, StartServer, View, done, failed

pytestmark = pytest.mark.asyncio(loop_scope="session")


def tab(view: View, name: str) -> Locator:
    return view.detail.get_by_role("tab", name=name)


async def test_an_original_is_shown_byte_for_byte(server: Server, view: View):
    original = '{"z":1.10,"big":12345678901234567890,"twice":1,"twice":2,"__proto__":{"polluted":true},"a":[]}'
    await server.record(f'{{"destination_id":"d","original":{original}}}')
    await view.open()

    await view.rows.first.click()

    await expect(view.detail.locator(".tree > *")).to_have_count(6)
    for text in ("1.10", "12345678901234567890", "twice2", "__proto__"):
        await expect(view.detail.locator(".tree")).to_contain_text(text)
    await view.button("Copy JSON").click()
    assert await view.copied() == original
    assert await view.page.evaluate("({}).polluted === undefined")


async def test_a_table_is_sorted_by_field(server: Server, view: View):
    record = done("one")
    record["success"]["record"] = [
        {"field": "zeta", "type": "bigint", "value": 7},
        {"field": "alpha", "type": "text", "value": "x"},
    ]
    await server.record(record)
    await view.open()
    await view.rows.first.click()

    await tab(view, "Result").click()

    await expect(view.detail.locator("tbody tr")).to_have_text(['alphatext"x"', "zetabigint7"])
    await expect(view.detail.locator(".facts")).to_contain_text("events")


async def test_an_http_request_is_shown_as_one(server: Server, view: View):
    record = done("one")
    record["success"] = {
        "destination_id": "hook",
        "url": "https://crm.example.com/in",
        "method": "POST",
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"event_id": "one", "extra": True}),
    }
    await server.record(record)
    await view.open()
    await view.rows.first.click()

    await tab(view, "Result").click()
    await expect(view.detail.locator(".request")).to_have_text("POST https://crm.example.com/in")
    await expect(view.detail.locator("tbody")).to_contain_text("content-type")
    await expect(view.detail.locator(".tree")).to_contain_text("extratrue")
    await expect(view.detail.locator(".panel a")).to_have_count(0)

    await tab(view, "Diff").click()
    await expect(view.detail.locator(".added")).to_contain_text("extra")
    await expect(view.detail.locator(".left")).to_contain_text("user.email")


async def test_the_reason_of_an_error_and_of_a_skip_is_shown(server: Server, view: View):
    await server.record(
        failed("bad", error="cannot cast\n'x' to INT64"),
        {"destination_id": "d", "original": {"event_id": "out"}, "skip": "no table for it"},
    )
    await view.open()

    await view.row("bad").click()
    await expect(view.detail.locator(".reason.error")).to_contain_text("cannot cast\n'x' to INT64", use_inner_text=True)
    await tab(view, "Result").click()
    await expect(view.detail).to_contain_text("The destination stored nothing")
    await tab(view, "Diff").click()
    await expect(view.detail).to_contain_text("nothing to compare")

    await view.row("no table").click()
    await expect(view.detail.locator(".reason.skip")).to_contain_text("no table for it")


async def test_the_attempt_and_the_response_of_a_destination_are_shown(server: Server, view: View):
    body = "<b>busy</b>\ntry later"
    await server.record(failed("bad", attempt=3, response={"status": 503, "body": body}), done("good"))
    await view.open()

    await view.row("bad").click()
    await expect(view.detail.locator(".facts")).to_contain_text("Attempt3")
    await expect(view.detail.locator(".facts")).to_contain_text("Response503")
    await expect(view.detail.locator(".reason.response")).to_contain_text(body, use_inner_text=True)

    await view.row("good").click()
    await expect(view.detail.locator(".facts")).not_to_contain_text("Attempt")
    await expect(view.detail.locator(".reason.response")).to_have_count(0)


async def test_a_malformed_body_is_shown_as_received(server: Server, view: View):
    await server.record({"destination_id": "d", "malformed": '{abc: "123"}', "error": "no JSON"})
    await view.open()

    await view.rows.first.click()

    await expect(view.detail.locator("pre")).to_have_text('{abc: "123"}')


async def test_original_and_result_are_compared(server: Server, view: View):
    record = done("one")
    record["original"] = {"user": {"id": 7, "age": 41, "name": "Ann Lee"}, "same": "kept as is", "gone": "left behind"}
    record["success"]["record"] = [
        {"field": "user_id", "type": "text", "value": "7"},
        {"field": "user_age", "type": "bigint", "value": 42},
        {"field": "full_name", "type": "text", "value": "Ann Lee"},
        {"field": "same", "type": "text", "value": "kept as is"},
        {"field": "_timestamp", "type": "timestamp", "value": "2026-01-01"},
    ]
    await server.record(record)
    await view.open()
    await view.rows.first.click()

    await tab(view, "Diff").click()

    for kind, text in {
        "changed": "user_age4142",
        "retyped": 'user_id7"7"',
        "renamed": 'user_namefull_name"Ann Lee"',
        "added": '_timestamp"2026-01-01"',
        "left": 'gone"left behind"',
        "same": 'same"kept as is"',
    }.items():
        await expect(view.detail.locator(f".{kind} tbody tr")).to_have_text([text])


async def test_masked_values_are_shown_as_tags(start: StartServer, look: Look):
    server = await start(mask_drop=("user.name",), mask_hash=("**.email",), mask_key="a-key")
    digits = "0123456789abcdef" * 2
    await server.record(done("plain") | {"original": {"event_id": "plain", "md5": digits, "masked": True, "x": "***"}})
    record = done("one")
    record["original"]["user"] = {"name": "Ann Lee", "email": "ann@jitsu.com"}
    columns = {"user_email": "ann@jitsu.com", "who": "Ann Lee"}
    record["success"]["record"] = [{"field": field, "type": "text", "value": columns[field]} for field in columns]
    await server.record(record)
    view = await look(server)
    await view.open()
    row = view.rows.first
    await expect(row.locator(".mask")).to_have_text("masked")
    await expect(row.locator(".preview")).to_have_text(re.compile(r"masked.*email=hash [0-9a-f]{8}"))

    await row.click()
    await expect(view.detail.locator(".facts")).to_contain_text("Masked")
    tags = view.detail.locator(".tree .mask")
    await expect(tags).to_have_text([re.compile("^hash [0-9a-f]{8}$")])
    await expect(tags).to_have_attribute("title", re.compile("^A keyed hash .*: [0-9a-f]{32}$"))
    await tab(view, "Result").click()
    await expect(view.detail.locator("td .mask")).to_have_text([re.compile("^hash "), "removed"])
    await expect(view.detail.locator("td .mask").last).to_have_attribute("title", re.compile("^This value was removed"))

    await view.row("plain").click()
    await tab(view, "Original").click()
    await expect(view.detail.locator(".tree")).to_contain_text(digits)
    await expect(view.detail.locator(".mask")).to_have_count(0)
    await expect(view.detail.locator(".facts")).not_to_contain_text("Masked")


async def test_the_raw_tab_shows_the_record_as_the_api_returns_it(server: Server, view: View):
    await server.record(done("one"))
    await view.open()
    await view.rows.first.click()

    await tab(view, "Raw").click()

    shown = await view.detail.locator("pre.raw").text_content()
    _, _, line = await server.get("/api/v1/events/cache", Accept="application/x-ndjson")
    assert shown == line.decode().strip()


async def test_branches_expand_and_collapse_and_values_and_paths_are_copied(server: Server, view: View):
    record = done("one")
    record["original"] = {
        "a": {"b c": [{"deep": "treasure"}]},
        "filler": {f"k{number}": number for number in range(80)},
    }
    await server.record(record)
    await view.open()
    await view.rows.first.click()
    treasure = view.detail.get_by_role("button", name='"treasure"')

    await view.button("Collapse all").click()
    await expect(treasure).to_be_hidden()
    await view.button("Expand all").click()
    await treasure.click()
    await view.page.get_by_role("menuitem", name="Copy path").click()
    assert await view.copied() == 'a["b c"][0].deep'
    await treasure.click()
    await view.page.get_by_role("menuitem", name="Copy value").click()
    assert await view.copied() == "treasure"
    await view.detail.get_by_role("button", name=re.compile("^a")).click()
    await expect(treasure).to_be_hidden()


async def test_a_curl_command_holds_placeholders_for_secrets(server: Server, view: View):
    await server.send({"event_type": "page", "api_key": "s2s.secret", "text": "it's"}, "js.secret")
    await view.open("#tab=incoming")
    await view.rows.first.click()

    await view.button("Copy cURL").click()

    command = await view.copied()
    assert f"'{server.address}/api/v1/event?token=YOUR_TOKEN'" in command
    assert "it'\\''s" in command
    assert "secret" not in command


async def test_a_big_event_is_shown_immediately_and_in_parts(server: Server, view: View):
    deep: object = "the bottom"
    for _ in range(190):
        deep = {"d": deep}
    wide = {f"k{number}": 0 for number in range(5000)}
    await server.record(
        {"destination_id": "d", "original": {"event_id": "deep", "deep": deep}},
        {"destination_id": "d", "original": wide | {"event_id": "wide"}},
        {"destination_id": "d", "original": {"event_id": "long", "text": "x" * 49_000}},
    )
    await view.open()

    await view.row("deep").click()
    await view.button("Expand all").click()
    await expect(view.detail.get_by_text("the bottom")).to_be_visible()

    await view.row("wide").click()
    await expect(view.detail.locator(".tree .line")).to_have_count(200)
    await view.button("Show 200 more of 5,001").click()
    await expect(view.detail.locator(".tree .line")).to_have_count(400)
    await tab(view, "Raw").click()
    await expect(view.detail.locator("pre.raw")).to_contain_text("k4999")

    await tab(view, "Original").click()
    await view.row("long").click()
    await expect(view.detail.get_by_text("x" * 500)).to_have_count(0)
    await view.button("Show all 49,000 characters").click()
    await expect(view.detail.get_by_text("x" * 500)).to_have_count(1)


HOSTILE = {
    "script": "<script>window.hit = 1</script>",
    "handler": '<img src=x onerror="window.hit = 1"><svg onload="window.hit = 1">',
    "link": "javascript:window.hit=1",
    "data": "data:text/html,<script>parent.hit = 1</script>",
    "breakout": "\"'></button></td></pre></textarea></script><script>window.hit = 1</script>",
    "template": "{{constructor.constructor('window.hit = 1')()}} ${window.hit = 1}",
    "lines": "before\u2028after\u2029end",
    "bidi": "invoice\u202egnp.exe",
    "nul": "a\u0000b\u0007",
    "surrogates": "\U0001f600 ok",
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_text_is_shown_as_text_everywhere(server: Server, view: View, name: str):
    text = HOSTILE[name]
    shown = "".join(f"\\u{ord(c):04x}" if c in "\u2028\u2029\u202e\u0000\u0007" else c for c in text)
    stream = text if name in {"script", "handler", "link", "template"} and "," not in text else "d"
    original = {
        "event_type": text, "event_id": text, "__proto__": {"hit": text}, "constructor": text, text: text, "url": text
    }  # fmt: skip
    record = [{"field": text, "type": text, "value": text}]
    success = {"destination_id": text, "table": text, "url": text, "record": record}
    await server.record({"destination_id": stream, "original": original, "success": success, "uid": text})
    await server.record({"destination_id": stream, "original": original, "error": text})
    await server.record({"destination_id": stream, "original": original, "skip": text})
    await server.record({"destination_id": stream, "malformed": text, "error": text})
    body = {"url": text, "method": text, "headers": {text: text}, "body": text}
    await server.record({"destination_id": stream, "original": original, "success": body})

    await view.open()
    await expect(view.rows).to_have_count(5)
    await expect(view.rows.last.locator(".type")).to_have_text(shown)
    for position in range(5):
        await view.rows.nth(position).click()
        for part in ("Original", "Result", "Diff", "Raw"):
            await tab(view, part).click()
        await expect(view.detail.locator("pre.raw")).to_contain_text("destination_id")
    await tab(view, "Original").click()
    await view["#search"].fill(text.replace("\u0000", "")[:40])
    await view["#search"].press("Enter")
    await expect(view["#unfilter, #empty-state button"].locator("visible=true")).to_be_visible()

    assert await view.page.evaluate("window.hit") is None
    assert await view.page.evaluate("({}).hit") is None
    for tag in (
        "script:not([src])",
        "img:not([src='icon.svg'])",
        "a:not(#skip, .way [href^='#'])",
        "iframe",
        "[onerror]",
        "[onload]",
    ):
        await expect(view["body " + tag]).to_have_count(0)


ESCAPED = (
    r'{"event_id":"esc","t\u0069tle":"\u041f\u0440\u0438 \u0026 \u003cco\u003e","bidi":"a\u202eb","lines":"x\ny\\n",'
    r'"inner":{"deep":{"note":"' + "long " * 200 + r'\u041f\u0440\u0438"}}}'
)


async def test_texts_are_shown_as_they_are_meant_and_copied_as_they_were_sent(server: Server, view: View):
    columns = (
        r'[{"field":"title","type":"text","value":"При & <co>"},{"field":"bidi","type":"text","value":"a\u202Eb"}]'
    )
    await server.record(
        f'{{"destination_id":"d","original":{ESCAPED},"success":{{"table":"t","record":{columns}}}}}', done("other")
    )
    await view.open()
    await view["#search"].fill("пРИ &")
    await expect(view.rows).to_have_count(1)
    await view.row("esc").click()

    tree = view.detail.locator(".tree")
    await expect(tree.locator(".line").filter(has_text="title")).to_have_text('title"При & <co>"')
    await expect(tree.locator("mark")).to_have_text("При &")
    await expect(tree.locator(".escape")).to_have_text([r"\u202e", r"\n"])
    await expect(tree.locator(".line").filter(has_text="lines")).to_have_text(r'lines"x\ny\n"')
    await view.press("c")
    await expect(view["#toast"]).to_have_text("JSON copied")
    assert await view.copied() == ESCAPED

    await tab(view, "Result").click()
    await expect(view.detail.locator("tbody mark")).to_have_text("При &")
    await expect(view.detail.locator("tbody .escape")).to_have_text(r"\u202e")
    await tab(view, "Diff").click()
    await expect(view.detail.locator(".difference.same")).to_contain_text("2 fields")
    await tab(view, "Raw").click()
    await expect(view.detail.locator(".raw")).to_contain_text(r"\u0026 \u003cco\u003e")


async def test_what_is_searched_for_is_marked_in_rows_and_in_branches_that_were_closed(server: Server, view: View):
    record = done("needle-1")
    record["original"]["inner"] = {f"k{number}": {"deep": number} for number in range(80)}
    record["original"]["inner"]["k79"] = {"Odd Key": "hay"}
    await server.record(record, failed("two", error="no <b>odd key</b>"))
    await view.open()
    await expect(view.rows).to_have_count(2)

    await view["#search"].fill("odd key")
    await expect(view["#canvas mark"]).to_have_text("odd key")
    await view.row("needle-1").click()

    await expect(view.detail.locator(".tree mark")).to_have_text("Odd Key")
    await expect(view.detail.locator(".tree mark")).to_be_in_viewport()
    await view["#search"].fill("hay")
    await expect(view.detail.locator(".tree mark")).to_have_text("hay")
    await view["#search"].fill("")
    await expect(view.page.locator("mark")).to_have_count(0)
