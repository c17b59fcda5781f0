"""Malformed input: kept as text, so that somebody can see what was sent."""


def cut(data: bytes, max_bytes: int) -> str:
    """Return data as text of at most `max_bytes` in UTF-8, never ending within a character.

    Bytes that are no UTF-8 become backslash escapes.
    """
    # A byte can become an escape, never less: what is beyond the limit, and one character, cannot be shown.
    text = data[: max_bytes + 4].decode(errors="backslashreplace")
    return text.encode()[:max_bytes].decode(errors="ignore")
