"""Texts in the strings of JSON, found and replaced without reading it: by searches in C, and in little memory."""

import json
from io import BytesIO
from typing import Final

_IN_ESCAPE: Final = b'"\\/bfnrtu0123456789abcdefABCDEF'  # what can be behind the backslash of an escape
_OUTSIDE: Final = b"0123456789+-.eEtrufalsn{}[],: \t\r\n"  # what can be outside of strings, but their quotes
_BLOCK_BYTES: Final = 65_536
_PAIR: Final = rb"\\"  # the escape of a backslash
_DIGITS_BEHIND: Final = 5  # at most so many bytes before its last digit does the escape of a character begin
_OF_GO: Final = {"<": r"\u003c", ">": r"\u003e", "&": r"\u0026"}


def spellings_in_json(text: str) -> tuple[bytes, ...]:
    r"""Return how libraries write a text into a string of JSON, as it is first: in ASCII or not, with `\/` or `\u003c`.

    Each has whole escapes only, and no quote without a backslash.
    """
    spelled = [json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(text)[1:-1]]
    spelled += [one.replace("/", r"\/") for one in spelled]
    of_go = spelled[0]
    for character, escape in _OF_GO.items():
        of_go = of_go.replace(character, escape)
    return tuple(dict.fromkeys(one.encode(errors="surrogatepass") for one in (*spelled, of_go)))


def replaced_in_strings(data: bytes, found: bytes, put: bytes) -> bytes:
    """Return valid JSON with `put` for each `found` in its strings, which is a spelling of `spellings_in_json`.

    What is valid stays valid: an escape is replaced as a whole or not at all, and nothing outside of strings is. The
    same object if nothing is to be replaced. Takes time in proportion to the data.
    """
    at = data.find(found)
    if at < 0:
        return data
    if found[0] not in _IN_ESCAPE and found.translate(None, _OUTSIDE):
        return data.replace(found, put)
    return _replaced_with_care(data, found, put, at)


def _replaced_with_care(data: bytes, found: bytes, put: bytes, at: int) -> bytes:
    """Do as `replaced_in_strings`, where what is found at `at` may be outside of strings, or begin inside an escape."""
    view, pieces = memoryview(data), BytesIO()
    kept = start = 0
    inside, behind = False, b""
    while at >= 0:
        start, inside, behind = _state(data, start, at, inside=inside, behind=behind)
        if not inside:
            quote = data.find(b'"', at)
            at = data.find(found, quote) if quote >= 0 else -1
        elif start < at or b"\\u" in behind:
            at = data.find(found, at + 1)
        else:
            pieces.write(view[kept:at])
            pieces.write(put)
            kept = start = at + len(found)
            behind = b""
            at = data.find(found, start)
    if not kept:
        return data
    pieces.write(view[kept:])
    return pieces.getvalue()


def _state(data: bytes, start: int, goal: int, *, inside: bool, behind: bytes) -> tuple[int, bool, bytes]:
    """Return where the goal's character begins, whether that is in a string, and up to five bytes before it.

    It begins at the goal, or at the backslash before it. The other arguments are these of a place before the goal.
    """
    while start < goal:
        end = min(start + _BLOCK_BYTES, goal)
        block = data[start:end]
        if b"\\" in block:
            block = block.replace(_PAIR, b"")
            if block.endswith(b"\\"):
                block, end = block[:-1], end - 1
            quotes = block.count(b'"') - block.count(b'\\"')
        else:
            quotes = block.count(b'"')
        if start == end:
            break
        inside ^= bool(quotes % 2)
        behind = (behind + block)[-_DIGITS_BEHIND:]
        start = end
    return start, inside, behind
