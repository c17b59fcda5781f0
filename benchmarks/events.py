"""Events like those of Jitsu's own client: page views filled up to a size, all different."""

import random

import msgspec

_encode = msgspec.json.encode


def page_views(count: int, event_bytes: int, seed: int = 0) -> list[bytes]:
    """Return that many events of exactly that many bytes; the same ones for the same seed."""
    rng = random.Random(seed)
    return [_page_view(rng, event_bytes) for _ in range(count)]


def segment_events(count: int, event_bytes: int) -> list[bytes]:
    """Return the same with a type and a name, as Segment's libraries send events."""
    start = b'{"type":"track","event":"Product viewed",'
    return [start + event[1:] for event in page_views(count, event_bytes + 1 - len(start))]


def _page_view(rng: random.Random, event_bytes: int) -> bytes:
    event = {
        "event_id": f"{rng.getrandbits(48):012x}",
        "event_type": "pageview",
        "api_key": "js.benchmark",
        "src": "jitsu",
        "url": f"https://shop.example.com/products/{rng.randrange(10**6)}?utm_source=mail",
        "page_title": "A product, and what others bought",
        "referer": "https://search.example.com/",
        "doc_host": "shop.example.com",
        "doc_path": "/products",
        "user": {"anonymous_id": f"{rng.getrandbits(40):010x}", "email": "someone@example.com", "id": None},
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0",
        "user_language": "en-US",
        "utc_time": "2026-01-01T00:00:00.000000Z",
        "local_tz_offset": -180,
        "screen_resolution": "2560x1440",
        "vp_size": "1280x720",
        "price": round(rng.uniform(1, 999), 2),
        "items": [{"sku": f"{rng.getrandbits(32):08x}", "count": rng.randrange(1, 9)} for _ in range(2)],
    }
    room = event_bytes - len(_encode({**event, "text": ""}))
    if room < 0:
        raise ValueError(f"an event has at least {event_bytes - room} bytes")
    return _encode({**event, "text": f"{rng.getrandbits(4 * room + 4):0{room}x}"[:room]})
