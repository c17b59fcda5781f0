"""Replaying events: what is offered to whom, what is chosen, and what is shown of the answers."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Locator, expect

from eventscache.access.read_tokens import ReadToken
from eventscache.access.some_streams import SomeStreams
from eventscache.config.replay_targets import ReplayTarget
from tests.support.live_view import TOKEN, Look, Server, StartServer, View, done, failed

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Target:
    """A server that takes what is replayed, and answers as it is told."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.answers: list[tuple[int, str]] = []
        self.answers_now = asyncio.Event()
        self.answers_now.set()
        self.address = ""

    async def take(self, request: web.Request) -> web.Response:
        self.taken.append(await request.text())
        await self.answers_now.wait()
        status, text = self.answers.pop(0) if self.answers else (200, '{"status":"ok"}')
        return web.Response(status=status, text=text)


@pytest_asyncio.fixture(loop_scope="session")
async def target() -> AsyncIterator[Target]:
    target = Target()
    app = web.Application()
    app.router.add_post("/", target.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    target.address = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield target
    await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="session")
async def server(start: StartServer, target: Target) -> Server:
    return await start(
        replay_targets=(ReplayTarget("staging", target.address), ReplayTarget("spare", "http://[::1]:1/"))
    )


def dialog(view: View) -> Locator:
    return view.page.get_by_role("dialog")


def answers(view: View) -> Locator:
    return dialog(view).locator(".answer")


async def replay(view: View, events: str) -> None:
    """Send what is chosen, and wait for the last answer."""
    await dialog(view).get_by_role("button", name=f"Replay {events}").click()
    await expect(dialog(view).get_by_role("button", name="Close")).to_be_focused()


async def test_an_open_event_is_posted_as_its_client_sent_it(server: Server, view: View, target: Target):
    original = '{"event_id":"one", "price":1.10}'
    await server.record(f'{{"destination_id":"d","original":{original},"error":"late"}}')
    target.answers = [(201, "made")]
    await view.open()
    await view.rows.first.click()

    await view.detail.get_by_role("button", name="Replay …").click()
    await expect(dialog(view).get_by_role("heading")).to_have_text("Replay events")
    await expect(dialog(view).get_by_label("Target").locator("option")).to_have_text(["staging", "spare"])
    await expect(dialog(view).get_by_text("Originals are posted byte for byte")).to_be_visible()
    await expect(dialog(view).locator(".reason")).to_be_hidden()
    await replay(view, "1 event")

    await expect(answers(view)).to_have_text(["201made"])
    await expect(dialog(view).get_by_role("status").last).to_have_text("staging took 1 of 1 event")
    assert target.taken == [original]
    await dialog(view).get_by_role("button", name="Close").click()
    await expect(dialog(view)).to_have_count(0)
    await expect(view.detail).to_be_visible()


async def test_events_of_a_view_are_chosen_and_posted_oldest_first(server: Server, view: View, target: Target):
    for name in ("one", "two", "three", "four"):
        await server.record(failed(name, error=f"why {name}"))
    await server.record(done("fine"))
    target.answers = [(200, ""), (422, "total must be a number"), (302, "elsewhere")]
    await view.open("#status=error")
    await expect(view.rows).to_have_count(4)

    await view.button("Replay …").click()
    await expect(dialog(view).get_by_role("button", name="Replay 4 events")).to_be_enabled()
    await expect(dialog(view).locator(".note")).to_have_text(["why one", "why two", "why three", "why four"])
    await dialog(view).get_by_label("All").uncheck()
    await expect(dialog(view).get_by_role("button", name="Replay 0 events")).to_be_disabled()
    for name in ("why two", "why four", "why one"):
        await dialog(view).get_by_label(name).check()
    await replay(view, "3 events")

    assert [name for text in target.taken for name in ("one", "two", "three", "four") if f'"{name}"' in text] == [
        "one",
        "two",
        "four",
    ]
    await expect(answers(view)).to_have_text(["200Empty answer", "422total must be a number", "302elsewhere"])
    await expect(dialog(view).get_by_role("status").last).to_have_text("staging took 1 of 3 events")
    await expect(dialog(view).locator("li")).to_have_count(3)


async def test_an_event_is_posted_once_however_many_destinations_it_has(server: Server, view: View, target: Target):
    for destination in ("a", "b", "c"):
        for name in ("one", "two"):
            original = f'{{"event_id":"{name}{name}"}}'
            await server.record(
                f'{{"destination_id":"{destination}","original":{original},"error":"of {destination}"}}'
            )
    await view.open()
    await expect(view.rows).to_have_count(6)
    await view.button("Replay …").click()
    await expect(dialog(view).get_by_text("each event once")).to_be_visible()
    await replay(view, "2 events")
    assert target.taken == ['{"event_id":"oneone"}', '{"event_id":"twotwo"}']


async def test_what_was_changed_is_warned_of_and_what_has_no_body_says_so(
    start: StartServer, look: Look, target: Target
):
    server = await start(replay_targets=(ReplayTarget("staging", target.address),), mask_drop=("user.email",))
    view = await look(server)
    await server.record({"destination_id": "d", "error": "lost"}, {"destination_id": "d", "malformed": "{broken"})
    await server.record(done("one"), failed("plain"))
    await view.open()
    await expect(view.rows).to_have_count(4)

    await view.button("Replay …").click()
    warning = dialog(view).locator(".reason")
    await expect(warning).to_have_text(
        "Masked, so that the body is not what the client sent: 1 event. "
        "Not JSON, posted as far as it was kept: 1 event."
    )
    await expect(dialog(view).locator("li").first).to_contain_text("It has no original to post")
    await expect(dialog(view).locator("li").first.get_by_role("checkbox")).to_have_count(0)
    await dialog(view).get_by_label("masked").uncheck()
    await expect(warning).to_have_text("Not JSON, posted as far as it was kept: 1 event.")
    await dialog(view).get_by_label("not JSON").uncheck()
    await expect(warning).to_be_hidden()
    await replay(view, "1 event")

    assert len(target.taken) == 1
    assert '"plain"' in target.taken[0]


async def test_what_goes_wrong_is_shown_beside_its_event(server: Server, view: View, target: Target):
    await server.record(done("one"))
    await view.open()
    await view.rows.first.click()
    await view.detail.get_by_role("button", name="Replay …").click()
    await dialog(view).get_by_label("Target").select_option("spare")

    await replay(view, "1 event")

    await expect(answers(view)).to_contain_text("No answerno connection")
    await expect(dialog(view).get_by_role("status").last).to_have_text("spare took 0 of 1 event")
    await dialog(view).get_by_role("button", name="Close").click()
    await view.press("Escape")
    await view.button("Replay …").click()
    view.away = True
    await server.stop()
    await replay(view, "1 event")
    await expect(answers(view)).to_contain_text("No answerthe server does not answer")
    assert target.taken == []


async def test_an_event_that_is_not_cached_any_more_is_not_posted(server: Server, view: View, target: Target):
    await server.record(done("one", uid="first"))
    await view.open()
    await view.rows.first.click()
    await expect(view.detail).to_be_visible()
    await view.detail.get_by_role("button", name="Replay …").click()
    view.away = True
    await server.stop()
    await server.start(forgetful=True)
    await server.record(done("another"))

    await replay(view, "1 event")

    await expect(answers(view)).to_contain_text("the event is not cached any more")
    assert target.taken == []


async def test_closing_the_dialog_stops(server: Server, view: View, target: Target):
    await server.record(*(done(f"e{number}") for number in range(3)))
    await view.open()
    await expect(view.rows).to_have_count(3)
    target.answers_now.clear()
    await view.button("Replay …").click()
    await dialog(view).get_by_role("button", name="Replay 3 events").click()
    await expect(dialog(view).get_by_role("button", name="Stop")).to_be_focused()

    await view.press("Escape")
    await expect(dialog(view)).to_have_count(0)
    async with view.page.expect_event("requestfinished", lambda request: "/api/v1/replay" in request.url):
        target.answers_now.set()

    await view.page.evaluate("new Promise(resolve => setTimeout(resolve))")  # what follows the answer has begun then
    assert [request.method for request in view.requests if "/api/v1/replay" in request.url] == ["POST"]
    assert len(target.taken) == 1


async def test_the_events_of_a_key_and_examples_of_errors_are_replayed_too(server: Server, view: View, target: Target):
    await server.send({"event_type": "sent", "n": 1}, "key")
    await server.record(failed("bad"))
    await view.open("#tab=incoming")
    await view.row("sent").click()
    await view.detail.get_by_role("button", name="Replay …").click()
    await replay(view, "1 event")
    await dialog(view).get_by_role("button", name="Close").click()
    await view.press("Escape")
    await view.page.get_by_role("tab", name="Errors").click()
    await view["#errors-list"].get_by_role("option").click()
    await view.detail.get_by_role("button", name="Replay …").click()
    await replay(view, "1 event")

    assert ['"sent"' in text for text in target.taken] == [True, False]


async def test_on_a_narrow_page_the_menu_offers_it(server: Server, look: Look):
    view = await look(server, 360, 640)
    await server.record(done("one", "a-stream-with-a-long-name-" * 4))
    await view.open()
    await expect(view.rows).to_have_count(1)

    await view.button("More").click()
    await view.page.get_by_role("menuitem", name="Replay …").click()

    await expect(dialog(view).get_by_role("button", name="Cancel")).to_be_focused()
    assert await dialog(view).evaluate("node => node.scrollWidth <= node.clientWidth")


async def test_nothing_is_offered_without_targets_or_without_the_right(start: StartServer, look: Look, target: Target):
    plain = await start()
    guarded = await start(
        admin_tokens=(TOKEN,),
        read_tokens=(ReadToken("reads", SomeStreams(("*",))),),
        replay_targets=(ReplayTarget("staging", target.address),),
    )
    for server in (plain, guarded):
        await server.record(done("one"))
        view = await look(server)
        if server is guarded:
            view.away = True  # the first request has no token, and gets a 401
            await view.open()
            await view["#token"].fill("reads")
            await view.press("Enter")
        else:
            await view.open()
        await view.rows.first.click()
        await expect(view.detail.get_by_role("button", name="Copy link")).to_be_visible()
        await expect(view.page.get_by_text("Replay")).to_have_count(1)  # the hidden button of the toolbar
        await expect(view.button("Replay …")).to_have_count(0)
        if server is guarded:
            assert not [request for request in view.requests if "/api/v1/replay" in request.url]
