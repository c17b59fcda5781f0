"""The connection: the admin token, a server or a storage that is unavailable, and losses."""

import json

import pytest
from playwright.async_api import expect

from eventscache.access.api_keys import ApiKey, KeyList
from tests.support.live_view import TOKEN, Look, Server, StartServer, View, done, failed

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_admin_token_is_asked_for_and_stays_in_this_tab(start: StartServer, look: Look):
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
        with_token = [name for name, value in (await request.all_headers()).items() if TOKEN in value]
        assert with_token in ([], ["x-admin-token"])


RECORD_ANSWERS = """
window.received = "";
const real = window.fetch;
window.fetch = async (...request) => {
  const answer = await real(...request);
  const reader = answer.clone().body.pipeThrough(new TextDecoderStream()).getReader();
  const read = async () => {
    for (let part = await reader.read(); !part.done; part = await reader.read()) window.received += part.value;
  };
  read().catch(() => {});
  return answer;
};
"""


async def test_no_secret_of_the_configuration_is_sent_to_the_page(start: StartServer, look: Look):
    secrets = {
        "admin_tokens": (TOKEN, "another-admin-token"),
        "ingest_tokens": ("an-ingest-token",),
        "storage": "redis://user:a-redis-password@127.0.0.1:1/0",
    }
    keys = KeyList((ApiKey("web", client_secret="js.web.secret", server_secret="s2s.web.secret"),))
    server = await start(**secrets, api_keys=keys, mask_hash=("**.email",), mask_key="a-mask-key")
    view = await look(server, own=True)
    await view.page.add_init_script(RECORD_ANSWERS)
    view.away = True
    await view.open()
    await view["#token"].fill(TOKEN)
    await view.press("Enter")
    await expect(view["#empty-state pre"]).to_have_count(4)
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

    received = await view.page.evaluate("window.received")
    assert received.count("event: event") >= 3
    urls = "".join(request.url for request in view.requests)
    values = [TOKEN, "another-admin-token", "an-ingest-token", "a-redis-password", "a-mask-key", "web.secret"]
    assert [secret for secret in [*values, "ann@jitsu.com"] if secret in shown + received + urls] == []


async def test_the_admin_token_can_be_entered_later(start: StartServer, look: Look):
    server = await start(admin_tokens=(TOKEN,))
    view = await look(server)
    view.away = True
    await view.open()
    await expect(view["#token"]).to_be_focused()

    await view.press("Escape")
    await expect(view["#empty-state"]).to_have_text("No events can be read: the server rejected the request.")
    await hide(view, True)
    await hide(view, False)
    await expect(view["#state"]).to_contain_text("Not connected")
    await view.banner("needs an admin token").get_by_role("button", name="Enter token").click()
    await view["#token"].fill(TOKEN)
    await view.press("Enter")

    await expect(view["#state"]).to_have_attribute("data-state", "live")
    await expect(view["#empty-state pre"].nth(2)).to_contain_text("X-Admin-Token: YOUR_ADMIN_TOKEN")


async def test_a_restart_of_the_server_loses_and_repeats_no_event(server: Server, view: View):
    await server.record(done("one"), done("two"))
    await view.open()
    await expect(view.rows).to_have_count(2)
    view.away = True

    await server.stop()
    await expect(view.banner("The server does not answer")).to_be_visible()
    await expect(view["#state"]).to_contain_text("Reconnecting")
    await expect(view.rows).to_have_count(2)
    await server.start()
    await server.record(done("three"))
    await view.button("Try now").click()

    await expect(view.rows).to_have_count(3)
    await expect(view.banner("The server does not answer")).to_have_count(0)
    await server.record(done("four"))
    await expect(view.rows).to_have_count(4)
    assert await view.ids() == ["four", "three", "two", "one"]


async def test_after_a_restart_without_stored_events_all_new_events_are_shown(server: Server, view: View):
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
    await expect(gap).to_contain_text("the event numbers of my_destination start again here")
    await expect(gap).to_contain_text("earlier events are no longer cached")
    await expect(view.banner("3 events of my_destination are no longer cached and no longer listed")).to_be_visible()
    await expect(view["#counts"]).to_have_text("5 events")
    await expect(view.row("old")).to_have_count(0)
    assert sum([events for events, _ in await view.bars()]) == 5


async def test_after_a_restart_without_any_events_a_banner_says_so_at_once(server: Server, view: View):
    await server.record(done("one"), done("two", "other"), failed("three", "other"))
    await view.open()
    await view.row("one@").click()
    await expect(view["#counts"]).to_have_text("3 events")
    view.away = True

    await server.stop()
    await expect(view["#state"]).to_contain_text("Reconnecting")
    await server.start(forgetful=True)
    await view.button("Try now").click()

    banner = view.banner("3 events of 2 streams are no longer cached and no longer listed: the storage began anew")
    await expect(banner).to_be_visible()
    await expect(view.rows).to_have_count(0)
    await expect(view["#counts"]).to_have_text("")
    await expect(view["#histogram"]).to_be_hidden()
    await expect(view.detail).to_contain_text("one@jitsu.com")
    await view.press("Escape")

    await server.record(done("new"))
    await expect(view["#counts"]).to_have_text("1 event")
    await view.button("Export").click()
    await view.page.get_by_role("menuitem", name="Export as NDJSON").click()
    await expect(view["#toast"]).to_have_text("1 event exported")
    await banner.get_by_role("button", name="Dismiss").click()
    await expect(banner).to_have_count(0)


@pytest.mark.parametrize("fragment", ["#status=error", "#status=error&id=my_destination"])
async def test_lost_errors_are_told_where_only_other_events_came_since(server: Server, view: View, fragment: str):
    await server.record(*(failed(f"bad{number}") for number in range(3)), done("fine"))
    await view.open(fragment)
    await expect(view["#counts"]).to_have_text("3 matches among 3 cached errors")
    view.away = True

    await server.stop()
    await expect(view["#state"]).to_contain_text("Reconnecting")
    await server.start(forgetful=True)
    await server.record(done("new"))
    await view.button("Try now").click()

    words = "3 events of my_destination are no longer cached and no longer listed: the storage began anew"
    await expect(view.banner(words)).to_be_visible()
    await expect(view.row("bad")).to_have_count(0)
    await expect(view["#canvas .row.gap"]).to_contain_text("the event numbers of my_destination start again here")
    await expect(view["#counts"]).to_have_text("")
    await expect(view["#histogram"]).to_be_hidden()
    await view.button("Export").click()
    await view.page.get_by_role("menuitem", name="Export as NDJSON").click()
    await expect(view["#toast"]).to_have_text("0 events exported")
    await server.record(failed("fresh"), done("newer"))
    await expect(view["#counts"]).to_have_text("1 match among 1 cached error")
    await expect(view.row("fresh")).to_be_visible()
    await expect(view.rows).to_have_count(2)


async def test_the_page_reconnects_by_itself(server: Server, view: View):
    await server.record(done("one"))
    await view.open()
    view.away = True

    await server.stop()
    await expect(view["#state"]).to_contain_text("Reconnecting")
    await server.start()

    await expect(view["#state"]).to_have_attribute("data-state", "live", timeout=20_000)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"message": "wait", "error": "", "code": "too_many_failed_logins"}, "too many failed logins"),
        ({"message": "the queue is full", "error": ""}, "The server answered “the queue is full”"),
    ],
)
async def test_too_many_failed_logins_are_recognised_by_the_code_of_the_error(
    server: Server, view: View, body: dict[str, str], text: str
):
    await server.record(done("one"))
    view.away = True
    await view.page.route("**/events/stream?*", lambda route: route.fulfill(status=429, json=body))

    await view.open()

    await expect(view.banner(text)).to_be_visible()
    await expect(view.banner("Next try in")).to_have_count(1)


async def test_a_rejected_connection_announces_no_next_try(server: Server, view: View):
    statuses = [500, 404]
    view.away = True
    await view.page.route(
        "**/events/stream?*", lambda route: route.fulfill(status=statuses.pop(0), json={"message": "no"})
    )

    await view.open()
    await view.button("Try now").click()

    await expect(view.banner("The server rejected the request: no.")).to_be_visible()
    await expect(view.banner("Next try in")).to_have_count(0)


async def hide(view: View, hidden: bool) -> None:
    await view.page.evaluate(
        "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange')) }",
        hidden,
    )


async def test_a_hidden_page_closes_the_push_and_resumes_where_it_was(server: Server, view: View):
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


async def test_a_banner_says_that_the_storage_is_unavailable_until_it_is_available_again(
    start: StartServer, look: Look
):
    server = await start(ack_timeout_ms=200)
    view = await look(server)
    await server.record(done("one"), failed("two"))
    await view.open()
    await expect(view.rows).to_have_count(2)
    view.away = True

    server.storage.away = True
    await expect(view.banner("The storage is unavailable. The events below stay")).to_be_visible()
    await expect(view["#state"]).to_contain_text("No storage")
    await expect(view.rows).to_have_count(2)
    await view.press("e")
    await expect(view.status("Errors")).to_have_attribute("aria-pressed", "true")
    await expect(view["#empty-state"]).to_have_text("Waiting for the storage")
    await expect(view.rows).to_have_count(0)

    await hide(view, True)
    server.storage.away = False
    await hide(view, False)

    await expect(view.rows).to_have_count(1)
    await expect(view.banner("The storage is unavailable")).to_have_count(0)
    await expect(view["#state"]).to_contain_text("Live")


async def test_a_banner_says_how_many_events_were_limited_and_why(start: StartServer, look: Look):
    server = await start(size=5)
    await server.record(*(done(f"e{number}") for number in range(30)))
    view = await look(server)
    await view.open()

    banner = view.banner("25 events of the last minute are not shown: each stream admits 5 events in 60 seconds")
    await banner.get_by_role("button", name="Why?").click()

    await expect(banner.locator(".why")).to_contain_text("server.cache.events.size")
    await banner.get_by_role("button", name="Dismiss").click()
    await expect(banner).to_have_count(0)


async def test_a_banner_says_how_many_events_were_dropped_until_it_is_dismissed(server: Server, view: View):
    server.sidecar.cache.ledger.dropped["queue_full"] += 3
    await server.record(done("one"))
    await view.open()

    banner = view.banner("3 events were dropped since the server started")
    await expect(banner).to_be_visible()
    await banner.get_by_role("button", name="Dismiss").click()

    await expect(banner).to_have_count(0)


async def test_dropped_events_stay_dismissed_if_their_number_grew_before(server: Server, view: View):
    server.sidecar.cache.ledger.dropped["queue_full"] += 3
    await view.open()
    await expect(view.banner("3 events were dropped")).to_be_visible()

    server.sidecar.cache.ledger.dropped["queue_full"] += 2
    await view.banner("5 events were dropped").get_by_role("button", name="Dismiss").click()
    await server.record(done("one"))
    await expect(view["#fresh"]).to_contain_text("readable within")  # it comes with the number of dropped events

    await expect(view.banner("were dropped")).to_have_count(0)
