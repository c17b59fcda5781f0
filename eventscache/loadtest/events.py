"""The events of a load test: made up, or read from a file."""

import random
from collections.abc import Iterator
from pathlib import Path

import msgspec

from eventscache.errors import ConfigError

_LETTERS = "abcdefghijklmnopqrstuvwxyz     "


def made_up_events(count: int, size: int, seed: int) -> Iterator[bytes]:
    """Yield events like a page's, each of exactly `size` bytes (at least 11); the same ones for a seed."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, and no secret
    text = "".join(rng.choices(_LETTERS, k=2 * size))
    for _ in range(count):
        page, user = rng.randrange(1000), rng.randrange(36**6)
        event = (
            f'{{"event_type":"{rng.choice(("pageview", "click", "conversion"))}","src":"jitsu",'
            f'"url":"https://example.com/page/{page}","user":{{"anonymous_id":"{user:09x}"}},'
            '"utc_time":"2026-01-01T00:00:00.000000Z","local_tz_offset":-180,"user_language":"en-US","text":"'
        )
        if len(event) + 2 > size:
            event = '{"text":"'
        start, length = rng.randrange(size), size - len(event) - 2
        yield f'{event}{text[start : start + length]}"}}'.encode()


def read_events(file: Path) -> list[bytes]:
    """Return the events of a file byte for byte: a JSON array, or one object a line. Raises `ConfigError`."""
    try:
        data = file.read_bytes().strip()
    except OSError as fault:
        raise ConfigError(f"--file: {file} cannot be read: {fault.strerror}") from None
    try:
        if data.startswith(b"["):
            events = [bytes(event) for event in msgspec.json.decode(data, type=list[msgspec.Raw])]
        else:
            events = [line for line in data.split(b"\n") if line.strip()]
        for event in events:
            msgspec.json.decode(event, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise ConfigError(f"--file: {file} is neither a JSON array of objects nor an object a line: {fault}") from None
    if not events:
        raise ConfigError(f"--file: {file} holds no events")
    return events
