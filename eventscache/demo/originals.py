"""The events that the pages and servers of the shop send, in the form of Jitsu's own clients."""

from random import Random
from typing import Any

from eventscache.timestamp import format_time

Original = dict[str, Any]

SHOP, APP, BILLING = "js.shop", "js.app", "s2s.billing"

_PRODUCTS = (
    ("tea-oolong", "Oolong tea, 100 g", 12.9),
    ("tea-sencha", "Sencha, 100 g", 9.5),
    ("pot-iron", "Iron tea pot", 64.0),
    ("cup-set", "Set of four cups", 38.0),
    ("scoop", "Bamboo scoop", 4.2),
)
_PAGES = (
    ("/", "Leaf & Kettle: tea, slowly"),
    ("/teas", "All teas"),
    ("/pots", "Tea pots"),
    ("/about", "About us"),
    ("/blog/water-temperature", "How hot should the water be?"),
)
_REFERERS = ("", "", "", "https://www.google.com/", "https://news.ycombinator.com/", "https://www.instagram.com/")
_CAMPAIGNS: tuple[dict[str, str], ...] = (
    {},
    {},
    {},
    {"source": "newsletter", "medium": "email", "campaign": "autumn"},
    {"source": "google", "medium": "cpc", "campaign": "oolong", "term": "buy oolong"},
)
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
        "Mobile/15E148 Safari/604.1"
    ),
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/127.0.0.0 Safari/537.36",
)
_SCREENS = ("1920x1080", "1440x900", "390x844", "1280x720")
_LANGUAGES = ("en-US", "en-GB", "de-DE", "fr-FR", "ja-JP")
_NAMES = ("ada", "grace", "alan", "edsger", "barbara", "donald", "margaret", "linus", "radia", "ken")
_PLANS = (("starter", 19), ("team", 79), ("business", 249))
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


class Originals:
    """Makes events from random numbers: the same ones for the same seed."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def shop_event(self, time_us: int) -> Original:
        """Return an event of a visitor of the shop."""
        roll = self._random.random()
        if roll < 0.62:  # noqa: PLR2004 - shares of the traffic, as those below
            path, title = self._random.choice(_PAGES)
            return self._browser_event(time_us, "pageview", "leafandkettle.example", path, title)
        product, name, price = self._random.choice(_PRODUCTS)
        path = f"/products/{product}"
        original = self._browser_event(time_us, "product_view", "leafandkettle.example", path, name)
        original["product"] = {"id": product, "name": name, "price": price}
        if roll > 0.84:  # noqa: PLR2004
            count = self._random.randint(1, 3)
            original |= {
                "event_type": "purchase",
                "order_id": f"LK-{self._random.randint(10_000, 99_999)}",
                "currency": "EUR",
                "revenue": round(price * count, 2),
                "items": [{"id": product, "price": price, "quantity": count}],
            }
            original["user"] |= self._known_user()
        return original

    def app_event(self, time_us: int) -> Original:
        """Return an event of a user of the app."""
        roll = self._random.random()
        if roll < 0.2:  # noqa: PLR2004
            original = self._browser_event(time_us, "signup", "app.leafandkettle.example", "/signup", "Sign up")
            original["user"] |= self._known_user()
            original["plan"] = self._random.choice(_PLANS)[0]
            return original
        if roll < 0.6:  # noqa: PLR2004
            return self._browser_event(time_us, "pageview", "app.leafandkettle.example", "/brew", "Brew")
        original = self._browser_event(time_us, "brew_finished", "app.leafandkettle.example", "/brew", "Brew")
        original |= {"temperature_c": self._random.choice((70, 80, 95)), "seconds": self._random.randint(45, 240)}
        return original

    def billing_event(self, time_us: int) -> Original:
        """Return an event of the billing server."""
        plan, amount = self._random.choice(_PLANS)
        kind = self._random.choices(("invoice_paid", "subscription_renewed", "payment_failed"), (6, 3, 1))[0]
        return {
            "amount": amount,
            "currency": "EUR",
            "event_type": kind,
            "eventn_ctx_event_id": self.random_id(10),
            "invoice": f"INV-{self._random.randint(100_000, 999_999)}",
            "plan": plan,
            "src": "s2s",
            "user": self._known_user(),
            "utc_time": format_time(time_us),
        }

    def random_id(self, length: int) -> str:
        """Return random letters and digits."""
        return "".join(self._random.choices(_LETTERS, k=length))

    def _known_user(self) -> dict[str, str]:
        name = self._random.choice(_NAMES)
        return {"email": f"{name}@example.com", "internal_id": f"u{self._random.randint(1, 500)}"}

    def _browser_event(self, time_us: int, kind: str, host: str, path: str, title: str) -> Original:
        random = self._random
        utm = random.choice(_CAMPAIGNS)
        search = f"?utm_source={utm['source']}" if utm else ""
        return {
            "click_id": {},
            "doc_encoding": "UTF-8",
            "doc_host": host,
            "doc_path": path,
            "doc_search": search,
            "event_type": kind,
            "eventn_ctx_event_id": self.random_id(10),
            "ids": {"ga": f"{random.randint(10**8, 10**9)}.{time_us // 10**6}"},
            "local_tz_offset": random.choice((-120, -60, 0, 300)),
            "page_title": title,
            "referer": random.choice(_REFERERS),
            "screen_resolution": random.choice(_SCREENS),
            "source_ip": f"203.0.113.{random.randint(1, 254)}",
            "src": "jitsu",
            "url": f"https://{host}{path}{search}",
            "user": {"anonymous_id": self.random_id(10)},
            "user_agent": random.choice(_AGENTS),
            "user_language": random.choice(_LANGUAGES),
            "utc_time": format_time(time_us),
            "utm": dict(utm),
        }
