"""What an original is about, in a few words: `name=value` pairs, the most telling first."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from eventscache.query.members import decoded, text_of

_MOST_PAIRS: Final = 6
_MOST_LEVELS: Final = 3
_LONGEST_VALUE: Final = 80
# As on the page: they are the same in most events, or are shown by themselves.
_LEFT_OUT: Final = frozenset(
    [
        "api_key",
        "apiKey",
        "event_type",
        "event_id",
        "messageId",
        "message_id",
        "src",
        "user_agent",
        "utc_time",
        "local_tz_offset",
        "type",
        "doc_encoding",
        "_timestamp",
        "sdk_version",
        "screen_resolution",
        "vp_size",
        "user_language",
        "source_ip",
        "timestamp",
        "sentAt",
        "receivedAt",
        "originalTimestamp",
        "channel",
        "version",
        "projectId",
        "app_build_id",
        "doc_host",
        "eventn_ctx_event_id",
    ]
)
_FIRST: Final = ["event", "url", "doc_path", "page_title", "email", "internal_id", "user", "properties", "anonymous_id"]
_EMPTY: Final = frozenset({"", "null"})

_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def summary(original: bytes) -> str:
    """Return the first pairs of an original; an empty text if it has none. Numbers are as they were sent."""
    return " ".join(islice(_pairs(original), _MOST_PAIRS))


def _pairs(data: bytes, level: int = 1) -> Iterator[str]:
    members = decoded(_members, data) if data else None
    for name in sorted(members or (), key=_rank):
        value = bytes(members[name]).strip() if members else b""
        if name in _LEFT_OUT or value.startswith(b"["):
            continue
        if value.startswith(b"{"):
            if level < _MOST_LEVELS:
                yield from _pairs(value, level + 1)
        elif (text := text_of(value)) and text not in _EMPTY:
            yield f"{name}={cut(text, _LONGEST_VALUE)}"


def _rank(name: str) -> int:
    return _FIRST.index(name) if name in _FIRST else len(_FIRST)


def cut(text: str, most: int) -> str:
    """Return a text of at most so many characters, with an ellipsis for what is left out."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
