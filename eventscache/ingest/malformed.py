"""Malformed bodies: kept as text, so that their senders can see what they sent."""


def cut(data: bytes, max_bytes: int) -> str:
    """Return data as text of at most `max_bytes` in UTF-8, not cut inside a character.

    Bytes that are not UTF-8 become backslash escapes.
    """
    # A byte never becomes less than a byte of text, so nothing after the limit and one more character can be kept.
    text = data[: max_bytes + 4].decode(errors="backslashreplace")
    return text.encode()[:max_bytes].decode(errors="ignore")
