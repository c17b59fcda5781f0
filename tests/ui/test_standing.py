"""How things stand: no events yet, no token, no server, losses; and whether everybody can read it."""

import json
import re

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from eventscache.access.api_keys import ApiKey, KeyList
from tests.support.live_view import TOKEN, Look, Server, StartServer, View, done, failed

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_empty_page_teaches_and_becomes_the_list(server: Server, view: View):
    await view.open()
    commands = view["#nothing pre"]
    await expect(commands.nth(0)).to_contain_text(f"curl -X POST '{server.address}/api/v1/event?token=my_key'")
    await expect(commands.nth(1)).to_contain_text(f"curl -X POST '{server.address}/api/v1/events/cache'")
    await expect(commands.nth(2)).to_contain_text(f"proxy_pass {server.address}$request_uri;")
    await view.button("Copy: Record what a destination did").click()
    body = re.search(r"-d '(.*)'", await view.copied())
    assert body

    await server.record(json.loads(body[1]))

    await expect(view.rows).to_have_count(1)
    await expect(view["#nothing"]).to_be_hidden()


async def test_where_api_keys_are_configured_the_command_asks_for_one_that_is_accepted(start: StartServer, look: Look):
    key = ApiKey("web", client_secret="js.web.secret")
    server = await start(api_keys=KeyList((key,)))
    view = await look(server)
    await view.open()
    command = view["#nothing .command"].first
    await expect(command.locator("pre")).to_contain_text("/api/v1/event?token=YOUR_API_KEY'")
    await expect(command).to_contain_text("YOUR_API_KEY is a client_secret of api_keys in the configuration")

    await server.send({"event_type": "first"}, "js.web.secret")

    await expect(view.row("first")).to_be_visible()
    assert "js.web.secret" not in await view.page.content()


async def test_a_first_event_that_comes_to_the_other_tab_is_shown_there(server: Server, view: View):
    await view.open()
    await expect(view["#nothing"]).to_contain_text("No events yet")

    await server.send({"event_type": "first"})

    await expect(view.row("first")).to_be_visible()
    await expect(view.page.get_by_role("tab", name="Incoming")).to_have_attribute("aria-selected", "true")


async def test_a_tab_that_was_chosen_stays_and_points_to_the_other(server: Server, view: View):
    await server.send({"event_type": "there"})
    await view.open("#tab=incoming")
    await view.page.get_by_role("tab", name="Processed").click()

    await view.button("Show 1 event under Incoming").click()

    await expect(view.row("there")).to_be_visible()


async def test_a_token_is_asked_for_and_stays_in_this_tab(start: StartServer, look: Look):
    server = await start(admin_tokens=(TOKEN,))
    await server.record(done("secret-keeper"))
    view = await look(server)
    view.away = True
    await view.open()

    await view["#token"].fill("wrong")
    await view.press("Enter")
    await expect(view["#token-fault"]).to_have_text("That token does not match.")
    await view["#token"].fill(TOKEN)
    await view.press("Enter")
    await expect(view.rows).to_have_count(1)
    await expect(view["#state"]).to_have_attribute("data-state", "live")

    await view.page.reload()
    await expect(view.rows).to_have_count(1)
    assert await view.page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [1, 0, ""]
    assert TOKEN not in await view.page.content()
    assert await view["#token"].input_value() == ""
    sent = [request for request in view.requests if TOKEN in json.dumps(await request.all_headers())]
    assert sent
    for request in view.requests:
        assert TOKEN not in request.url + (request.post_data or "")
        carrying = [name for name, value in (await request.all_headers()).items() if TOKEN in value]
        assert carrying in ([], ["x-admin-token"])


HEAR = """
window.heard = "";
const real = window.fetch;
window.fetch = async (...wanted) => {
  const answer = await real(...wanted);
  const reader = answer.clone().body.pipeThrough(new TextDecoderStream()).getReader();
  const hear = async () => {
    for (let part = await reader.read(); !part.done; part = await reader.read()) window.heard += part.value;
  };
  hear().catch(() => {});
  return answer;
};
"""


async def test_no_secret_of_the_configuration_comes_to_the_page(start: StartServer, look: Look):
    secrets = {
        "admin_tokens": (TOKEN, "another-admin-token"),
        "ingest_tokens": ("an-ingest-token",),
        "storage": "redis://user:a-redis-password@127.0.0.1:1/0",
    }
    keys = KeyList((ApiKey("web", client_secret="js.web.secret", server_secret="s2s.web.secret"),))
    server = await start(**secrets, api_keys=keys, mask_hash=("**.email",), mask_key="a-mask-key")
    view = await look(server, own=True)
    await view.page.add_init_script(HEAR)
    view.away = True
    await view.open()
    await view["#token"].fill(TOKEN)
    await view.press("Enter")
    await expect(view["#nothing pre"]).to_have_count(3)
    shown = await view.page.content()

    await server.record(done("one"), failed("two"))
    await server.send({"event_type": "sent", "user": {"email": "ann@jitsu.com"}}, "js.web.secret")
    await expect(view.rows).to_have_count(2)
    for row in await view.rows.all():
        await row.click()
        await view.detail.get_by_role("tab", name="Raw").click()
        shown += await view.page.content()
    await view.page.get_by_role("tab", name="Incoming").click()
    await view.row("sent").click()
    await view.detail.get_by_role("tab", name="Raw").click()
    shown += await view.page.content()

    heard = await view.page.evaluate("window.heard")
    assert heard.count("event: event") >= 3
    urls = "".join(request.url for request in view.requests)
    values = [TOKEN, "another-admin-token", "an-ingest-token", "a-redis-password", "a-mask-key", "web.secret"]
    assert [secret for secret in [*values, "ann@jitsu.com"] if secret in shown + heard + urls] == []


async def test_without_a_token_one_can_still_enter_it_later(start: StartServer, look: Look):
    server = await start(admin_tokens=(TOKEN,))
    view = await look(server)
    view.away = True
    await view.open()
    await expect(view["#token"]).to_be_focused()

    await view.press("Escape")
    await expect(view["#nothing"]).to_have_text("Nothing can be read: the server does not let this page in.")
    await hide(view, True)
    await hide(view, False)
    await expect(view["#state"]).to_contain_text("Not connected")
    await view.notice("needs an admin token").get_by_role("button", name="Enter it").click()
    await view["#token"].fill(TOKEN)
    await view.press("Enter")

    await expect(view["#state"]).to_have_attribute("data-state", "live")
    await expect(view["#nothing pre"].nth(1)).to_contain_text("X-Admin-Token: YOUR_ADMIN_TOKEN")


async def test_a_server_that_goes_and_comes_back_loses_and_doubles_nothing(server: Server, view: View):
    await server.record(done("one"), done("two"))
    await view.open()
    await expect(view.rows).to_have_count(2)
    view.away = True

    await server.stop()
    await expect(view.notice("The server does not answer")).to_be_visible()
    await expect(view["#state"]).to_contain_text("Reconnecting")
    await expect(view.rows).to_have_count(2)
    await server.start()
    await server.record(done("three"))
    await view.button("Try now").click()

    await expect(view.rows).to_have_count(3)
    await expect(view.notice("The server does not answer")).to_have_count(0)
    await server.record(done("four"))
    await expect(view.rows).to_have_count(4)
    assert await view.ids() == ["four", "three", "two", "one"]


async def test_a_server_that_forgot_everything_loses_nothing_of_what_comes_since(server: Server, view: View):
    await server.record(*(done(f"old{number}") for number in range(3)))
    await view.open()
    await expect(view.rows).to_have_count(3)
    view.away = True

    await server.stop()
    await expect(view["#state"]).to_contain_text("Reconnecting")
    await server.start(forgetful=True)
    await server.record(*(done(f"new{number}") for number in range(5)))
    await view.button("Try now").click()

    await expect(view.row("new4@")).to_be_visible()
    for number in range(5):
        await expect(view.row(f"new{number}@")).to_have_count(1)
    gap = view["#canvas .row.gap"]
    await expect(gap).to_contain_text("the numbers of my_destination began anew here")
    await expect(gap).to_contain_text("what was before is cached no more")
    counted = await view["#bars .minute"].evaluate_all("bars => bars.map(bar => parseInt(bar.title.slice(7)))")
    assert sum(counted) == 8


async def test_it_comes_back_by_itself(server: Server, view: View):
    await server.record(done("one"))
    await view.open()
    view.away = True

    await server.stop()
    await expect(view["#state"]).to_contain_text("Reconnecting")
    await server.start()

    await expect(view["#state"]).to_have_attribute("data-state", "live", timeout=20_000)


async def hide(view: View, hidden: bool) -> None:
    await view.page.evaluate(
        "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange')) }",
        hidden,
    )


async def test_a_hidden_tab_closes_its_stream_and_goes_on_where_it_was(server: Server, view: View):
    await server.record(done("one"))
    await view.open()
    await expect(view.rows).to_have_count(1)

    await hide(view, True)
    await expect(view["#state"]).to_have_attribute("data-state", "closed")
    await server.record(done("two"))
    await hide(view, False)

    await expect(view.rows).to_have_count(2)
    resumed = [request for request in view.requests if "/events/stream" in request.url][-1]
    assert "last-event-id" in await resumed.all_headers()
    assert "history" not in resumed.url


async def test_an_absent_storage_is_told_until_it_answers_whoever_asks(start: StartServer, look: Look):
    server = await start(ack_timeout_ms=200)
    view = await look(server)
    await server.record(done("one"), failed("two"))
    await view.open()
    await expect(view.rows).to_have_count(2)
    view.away = True

    server.storage.away = True
    await expect(view.notice("The storage does not answer. What was read stays")).to_be_visible()
    await expect(view["#state"]).to_contain_text("Storage away")
    await expect(view.rows).to_have_count(2)
    await view.press("e")
    await expect(view["#chips"]).to_contain_text("errors")
    await expect(view["#nothing"]).to_have_text("Waiting for the storage")
    await expect(view.rows).to_have_count(0)

    await hide(view, True)
    server.storage.away = False
    await hide(view, False)

    await expect(view.rows).to_have_count(1)
    await expect(view.notice("The storage does not answer")).to_have_count(0)
    await expect(view["#state"]).to_contain_text("Live")


async def test_what_is_not_shown_is_told_with_numbers_and_why(start: StartServer, look: Look):
    server = await start(size=5)
    await server.record(*(done(f"e{number}") for number in range(30)))
    view = await look(server)
    await view.open()

    notice = view.notice("25 events of the last minute are not shown: each stream admits 5 events in 60 seconds")
    await notice.get_by_role("button", name="Why?").click()

    await expect(notice.locator(".why")).to_contain_text("server.cache.events.size")
    await notice.get_by_role("button", name="Dismiss").click()
    await expect(notice).to_have_count(0)


async def test_what_was_lost_is_told_until_it_is_dismissed(server: Server, view: View):
    server.sidecar.cache.ledger.dropped["queue_full"] += 3
    await server.record(done("one"))
    await view.open()

    notice = view.notice("3 events were lost on the way into the cache")
    await expect(notice).to_be_visible()
    await notice.get_by_role("button", name="Dismiss").click()

    await expect(notice).to_have_count(0)


LINES = """
() => {
  const lines = {};
  for (const node of document.querySelectorAll("#toolbar > :not(.spring)"))
    if (node.checkVisibility()) (lines[Math.round(node.getBoundingClientRect().top)] ??= []).push(node.id);
  return Object.values(lines);
}
"""


@pytest.mark.parametrize("width", [720, 760, 800, 960, 1100, 1280, 1400])
async def test_no_control_of_the_toolbar_is_left_alone_on_a_line(server: Server, look: Look, width: int):
    view = await look(server, width)
    await server.record(done("one"))
    await view.open()
    await expect(view.rows).to_have_count(1)
    await _stands_in_whole_lines(view)

    await view.rows.first.click()
    await expect(view.detail).to_be_visible()
    await _stands_in_whole_lines(view)
    # The list learns its new width a frame later.
    await view.page.wait_for_function("document.querySelector('#canvas .row .preview').offsetWidth >= 200")


async def _stands_in_whole_lines(view: View) -> None:
    lines = await view.page.evaluate(LINES)
    assert len(lines) == 1 or (len(lines) == 2 and lines[1] == ["status", "type", "range"])
    assert await view["#search"].evaluate("search => search.offsetWidth") >= 180


@pytest.mark.parametrize("width", [360, 1440])
async def test_what_is_new_is_told_below_the_rows(server: Server, look: Look, width: int):
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


WIDTHS = (360, 900, 1440)


@pytest.mark.parametrize("width", WIDTHS)
async def test_nothing_breaks_at_any_width(server: Server, look: Look, width: int):
    view = await look(server, width)
    await view.open()
    await expect(view["#nothing"]).to_be_visible()
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
async def test_everybody_can_read_it(start: StartServer, look: Look, scheme: str, width: int):
    server = await start(size=4)
    view = await look(server, width, color_scheme=scheme)
    await view.open()
    await expect(view["#nothing"]).to_be_visible()
    await _is_accessible(view)

    skipped = {"destination_id": "d", "original": {"event_id": "out"}, "skip": "a rule"}
    malformed = {"destination_id": "d", "malformed": "{", "error": "no JSON"}
    await server.record(done("one"), failed("two"), skipped, malformed, *(done(f"e{n}") for n in range(9)))
    await view.open("#q=%22")
    await expect(view.row("out").or_(view.row("a rule"))).to_be_visible()
    await expect(view.notice("are not shown")).to_be_visible()
    await _is_accessible(view)

    await view.row("a rule").click()
    for part in ("Original", "Result", "Diff", "Raw"):
        await view.detail.get_by_role("tab", name=part).click()
        await _is_accessible(view)
    await view.press("Escape", "?")
    await expect(view["#help-dialog"]).to_be_visible()
    await _is_accessible(view)


# Without all that passed, which is much to bring back.
AXE = "axe.run({resultTypes: ['violations']}).then(results => results.violations)"


async def _is_accessible(view: View) -> None:
    await view.page.evaluate("document.getAnimations().forEach(animation => animation.cancel())")
    if not await view.page.evaluate("'axe' in window"):
        await view.page.evaluate(Axe().axe_script)
    found = await view.page.evaluate(AXE)
    assert [(rule["id"], node["html"][:120], node["failureSummary"]) for rule in found for node in rule["nodes"]] == []
