"""Write the pictures of the README: `make screenshots`."""

import asyncio
import datetime as dt
import json
import random
import shutil
import sys
from typing import Any

import aiohttp
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.support.chromium import browser_arguments
from tests.support.live_view import Server
from tests.support.paths import ROOT

FOLDER = ROOT / "docs" / "images"
EVENTS = 160
PATHS = ("/", "/pricing", "/docs/start", "/blog/how-we-cut-costs", "/signup")
TYPES = ("pageview", "pageview", "pageview", "signup", "purchase", "user_identify")
ERROR = "Unsupported column [local_tz_offset] type changing from: INT64 to: STRING"
SKIP = "Transform or table name filter marked object to be skipped"


def record(number: int, draw: random.Random) -> dict[str, Any]:
    """Return an event of the last hour and its outcome; most events are recent."""
    stream = draw.choice(("postgres_main", "bigquery.events", "webhook-crm"))
    age = dt.timedelta(seconds=3300 * (1 - number / EVENTS) ** 2 + 1)
    path, email, offset = draw.choice(PATHS), f"user{draw.randint(1, 40)}@example.com", draw.choice((0, 60, -180))
    event_id, anonymous_id = f"{draw.getrandbits(40):010x}", f"{draw.getrandbits(36):09x}"
    original = {
        "event_type": draw.choice(TYPES),
        "doc_path": path,
        "eventn_ctx": {"event_id": event_id, "local_tz_offset": offset},
        "user": {"anonymous_id": anonymous_id, "email": email},
        "utm": {"source": draw.choice(("newsletter", "google", "hn"))},
    }
    outcome: dict[str, Any] = {
        "destination_id": stream,
        "original": original,
        "timestamp": (dt.datetime.now(dt.UTC) - age).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    chance = draw.random()
    if chance < 0.1:
        return outcome | {"error": ERROR}
    if chance < 0.17:
        return outcome | {"skip": SKIP}
    columns = {
        "doc_path": ("text", path),
        "event_type": ("text", original["event_type"]),
        "eventn_ctx_event_id": ("text", event_id),
        "eventn_ctx_local_tz_offset": ("text", str(offset)),
        "user_anon": ("text", anonymous_id),
        "user_email": ("text", email),
        "_timestamp": ("timestamp", outcome["timestamp"]),
    }
    fields = [{"field": field, "type": kind, "value": value} for field, (kind, value) in columns.items()]
    return outcome | {"success": {"destination_id": stream, "table": "events", "record": fields}}


def way() -> list[dict[str, Any]]:
    """Return the entries of one event: received, stored by one destination, and refused twice by another."""
    began = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=50)

    def entry(seconds: float, **fields: Any) -> dict[str, Any]:
        timestamp = (began + dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        original = {
            "event_type": "purchase",
            "eventn_ctx_event_id": "7d3f2a90-41c8-4a6e-9d1b-2f60c3a7e5b1",
            "order": {"id": 10482, "total": 59.90},
            "user": {"email": "user7@example.com"},
        }
        return {"original": original, "timestamp": timestamp, **fields}

    stored = {"destination_id": "postgres_main", "table": "events", "record": []}
    refused = "HTTP 422: order.total must be a whole number of cents"
    return [
        entry(0, token_id="shop"),
        entry(0.84, destination_id="postgres_main", success=stored),
        entry(1.31, destination_id="webhook-crm", error=refused, attempt=1),
        entry(21.4, destination_id="webhook-crm", error=refused, attempt=2),
    ]


async def open_view(browser: Browser, server: Server, *, dark: bool = False, fragment: str = "") -> Page:
    page = await browser.new_page(
        viewport={"width": 1160, "height": 560}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
    )
    await page.goto(f"{server.address}/ui/{fragment}")
    await expect(page.locator("#last-error, #empty-state h2").locator("visible=true").first).to_be_visible()
    return page


async def main() -> None:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        sys.exit("no chromium: install Debian's")
    FOLDER.mkdir(parents=True, exist_ok=True)
    async with aiohttp.ClientSession() as client, async_playwright() as playwright:
        server = Server(client)
        await server.start()
        browser = await playwright.chromium.launch(executable_path=path, args=browser_arguments())
        await (await open_view(browser, server)).screenshot(path=FOLDER / "empty.png")
        draw = random.Random(5)
        await server.record(*(json.dumps(record(number, draw)) for number in range(EVENTS)))
        for _ in range(21):
            await server.send({"event_type": "pageview"}, "js.web")
        await (await open_view(browser, server)).screenshot(path=FOLDER / "light.png")
        await (await open_view(browser, server, dark=True)).screenshot(path=FOLDER / "dark.png")
        page = await open_view(browser, server, fragment="#id=postgres_main")
        await page.locator("#canvas .row.success").nth(1).click()
        await page.locator("#detail-diff").click()
        await page.screenshot(path=FOLDER / "detail.png")
        await server.record(*map(json.dumps, way()))
        page = await open_view(browser, server, fragment="#id=webhook-crm")
        await page.locator("#canvas .row.error").first.click()
        await expect(page.get_by_text("Way of the event")).to_be_visible()
        await page.screenshot(path=FOLDER / "way.png")
        await browser.close()
        await server.stop()


if __name__ == "__main__":
    asyncio.run(main())
