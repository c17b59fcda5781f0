"""The live view in a real browser, over a sidecar of its own."""

import asyncio
import datetime as dt
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from playwright.async_api import Browser, Error, Locator, Page, Route, expect

from eventscache.config.settings import Settings
from eventscache.errors import StorageUnavailable
from eventscache.server import app
from eventscache.server.routing import ROUTES
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import ExtraInfo, Query
from eventscache.storage.messages import Page as StoredPage
from eventscache.stream import Stream

TOKEN = "sesame-opens"
HERE = "127.0.0.1"
LEAVE_SECONDS = 10
HAS_FOLLOWS = any(path == "/api/v1/follows" for _, path, _ in ROUTES)


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


class Storage(MemoryStorage):
    """The memory storage, which can be away."""

    away = False

    async def fetch(self, stream: Stream, query: Query) -> StoredPage:
        if self.away:
            raise StorageUnavailable("gone")
        return await super().fetch(stream, query)

    async def extras(self, stream: Stream, kind: str) -> list[ExtraInfo]:
        if self.away:
            raise StorageUnavailable("gone")
        return await super().extras(stream, kind)


class Server:
    """A sidecar that can be stopped and started again on its port, over what it stored."""

    def __init__(self, client: aiohttp.ClientSession, **changes: Any) -> None:
        # Long timeouts for slow machines, but pages that still listen are not waited for.
        timeouts = {"storage_timeout_ms": 60_000, "ack_timeout_ms": 60_000, "shutdown_timeout_ms": 400}
        self._settings = Settings(**{**timeouts, **changes})
        self.storage = Storage(self._settings.storage_options)
        self._client = client
        self._sidecar: app.Sidecar | None = None
        self._port = 0
        self.address = ""

    async def start(self, *, forgetful: bool = False) -> None:
        """Start, over what was stored; `forgetful`, over nothing, as after a restart in memory."""
        if forgetful:
            self.storage = Storage(self._settings.storage_options)
        self._sidecar = app.Sidecar(self._settings, self.storage)
        self.address = await self._sidecar.start(HERE, self._port)
        self._port = int(self.address.rpartition(":")[2])

    async def stop(self) -> None:
        if self._sidecar:
            await self._sidecar.stop()
            self._sidecar = None

    @property
    def sidecar(self) -> app.Sidecar:
        assert self._sidecar
        return self._sidecar

    async def record(self, *records: dict[str, Any] | str, **query: str) -> dict[str, Any]:
        """Send records, given as objects or as JSON, and return once they are stored."""
        body = ",".join(record if isinstance(record, str) else _compact(record) for record in records)
        headers = {"Content-Type": "application/json", "X-Admin-Token": TOKEN}
        path = f"{self.address}/api/v1/events/cache"
        async with self._client.post(
            path, params={"ack": "stored", **query}, data=f"[{body}]", headers=headers
        ) as answer:
            answered: dict[str, Any] = await answer.json()
            assert answer.status == 200, answered
            assert "errors" not in answered, answered
            return answered

    async def send(self, event: dict[str, Any], token: str = "key") -> None:
        """Send an event as Jitsu's client does."""
        async with self._client.post(f"{self.address}/api/v1/event?token={token}", data=json.dumps(event)) as answer:
            assert answer.status == 200

    async def get(self, path: str, **headers: str) -> tuple[int, Any, bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._client.get(self.address + path, headers=named, allow_redirects=False) as answer:
            return answer.status, answer.headers, await answer.read()


class View:
    """The live view in a browser window, and all that it does which it must not do."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server
        self.faults: list[str] = []
        self.requests: list[Any] = []
        self.away = False  # the server is expected not to answer, or to answer with an error
        self._listeners: dict[Any, Callable[[Any], None]] = {
            "console": self._note_message,
            "pageerror": lambda fault: self.faults.append(f"exception: {fault}"),
            "dialog": lambda dialog: self.faults.append(f"dialog: {dialog.message}"),
            "request": self._note_request,
        }
        for event, listener in self._listeners.items():
            page.on(event, listener)

    def _note_message(self, message: Any) -> None:
        if message.type == "error" and not (self.away and "Failed to load resource" in message.text):
            self.faults.append(f"console: {message.text}")

    def _note_request(self, request: Any) -> None:
        self.requests.append(request)
        if not request.url.startswith((self.server.address + "/", "blob:" + self.server.address)):
            self.faults.append(f"request elsewhere: {request.url}")

    async def stub_follows(self, *follows: dict[str, Any]) -> list[Any]:
        """Answer requests for follows as the contract says, from a list; return the requests that change it."""
        known, changes = [*follows], []

        async def answer(route: Route) -> None:
            request = route.request
            sent: dict[str, Any] = request.post_data_json or {}
            body: dict[str, Any] = {"follows": known, "max_follows": 20}
            if request.method != "GET":
                changes.append((request.method, request.url.rpartition("/api/v1/")[2], sent))
            if request.method == "POST":
                known.append({"id": f"f{len(changes)}", "until": soon(), **sent})
                body = {"follow": known[-1]}
            elif request.method == "DELETE":
                known[:] = [follow for follow in known if follow["id"] != request.url.rpartition("/")[2]]
                body = {"status": "ok"}
            await route.fulfill(status=201 if request.method == "POST" else 200, json=body)

        await self.page.route(re.compile("/api/v1/follows"), answer)
        return changes

    async def open(self, fragment: str = "") -> None:
        await self.page.goto(f"{self.server.address}/ui/{fragment}")
        if not self.away:
            await expect(self["#state"]).to_have_attribute("data-state", "live")

    async def leave(self) -> None:
        """Leave the window as it was before it was opened."""
        for event, listener in self._listeners.items():
            self.page.remove_listener(event, listener)
        await self.page.unroute_all()
        if self.page.url.startswith(self.server.address):
            await self.page.evaluate("localStorage.clear(); sessionStorage.clear()")
        await self.page.mouse.move(0, 0)
        await self.page.goto("about:blank")

    def __getitem__(self, selector: str) -> Locator:
        return self.page.locator(selector)

    @property
    def rows(self) -> Locator:
        return self["#canvas .row"]

    @property
    def detail(self) -> Locator:
        return self["#detail"]

    def row(self, text: str) -> Locator:
        return self.rows.filter(has_text=text)

    def button(self, name: str, *, exact: bool = True) -> Locator:
        return self.page.get_by_role("button", name=name, exact=exact)

    def status(self, label: str) -> Locator:
        return self["#status button"].filter(has_text=label)

    def banner(self, text: str) -> Locator:
        return self[".banner"].filter(has_text=text)

    async def bars(self) -> list[tuple[int, int]]:
        """Return how many events, and how many errors, each bar of the histogram says it has."""
        await self["#histogram"].focus()
        await self.press("Home")
        found = []
        for _ in range(60):
            words = str(await self["#histogram"].get_attribute("aria-valuetext"))
            events, errors = words.partition(": ")[2].split(", ")
            found.append((int(events.split()[0]), int(errors.split()[0])))
            await self.press("ArrowRight")
        return found

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)

    async def ids(self) -> list[str]:
        """Return the event ids of the rows that are drawn, from the top."""
        cells = await self.rows.evaluate_all(
            "rows => rows.sort((a, b) => a.ariaPosInSet - b.ariaPosInSet)"
            ".map(row => row.querySelector('.id').textContent)"
        )
        return [str(cell) for cell in cells]

    async def copied(self) -> str:
        return str(await self.page.evaluate("navigator.clipboard.readText()"))


def soon(minutes: float = 15) -> str:
    """A time that is so many minutes from now."""
    return (dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def done(event_id: str, stream: str = "my_destination", **more: Any) -> dict[str, Any]:
    """A record of an event that a destination took."""
    original = {"event_type": "pageview", "event_id": event_id, "user": {"email": f"{event_id}@jitsu.com"}}
    record = [{"field": "event_id", "type": "text", "value": event_id}]
    success = {"destination_id": stream, "table": "events", "record": record}
    return {"destination_id": stream, "original": original, "success": success, **more}


def failed(event_id: str, stream: str = "my_destination", error: str = "type changing", **more: Any) -> dict[str, Any]:
    """A record of an event that a destination did not take."""
    original = {"event_type": "signup", "event_id": event_id}
    return {"destination_id": stream, "original": original, "error": error, **more}


StartServer = Callable[..., Awaitable[Server]]
Look = Callable[..., Awaitable[View]]


class Windows:
    """The windows of a browser. One of them serves test after test: to open one takes longer than most tests."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._free: Page | None = None

    async def new(self, width: int, height: int, **settings: Any) -> Page:
        context = await self._browser.new_context(
            viewport={"width": width, "height": height}, permissions=["clipboard-read", "clipboard-write"], **settings
        )
        return await context.new_page()

    async def take(self, width: int, height: int) -> Page:
        """Return the window that is used again, or a new one if it is in use."""
        page, self._free = self._free, None
        if page is None:
            return await self.new(width, height)
        await page.set_viewport_size({"width": width, "height": height})
        return page

    async def give_back(self, view: View) -> None:
        """Keep a window for the next test, unless it hangs or there is one."""
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await view.leave()
        except (TimeoutError, Error):
            await view.page.context.close()
        else:
            if self._free:
                await self._free.context.close()
            self._free = view.page
