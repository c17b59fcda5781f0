"""What is said about the events, beside them: on standard error."""

import contextlib
import sys

import msgspec

from eventscache.logs import visible
from eventscache.tail.shown_text import escape_json


class Notices:
    """Says things in words, or as one JSON object a line. A terminal shows them as text, whatever they hold."""

    def __init__(self, *, as_json: bool = False) -> None:
        self._as_json = as_json

    def say(self, kind: str, words: str, **fields: str | int | None) -> None:
        """Say something; `kind` and `fields` are for programs."""
        if self._as_json:
            text = escape_json(msgspec.json.encode({"notice": kind, "message": words, **fields}).decode())
        else:
            text = visible(f"eventscache: {words}")
        with contextlib.suppress(OSError):  # nobody may listen any more
            print(text, file=sys.stderr, flush=True)  # noqa: T201
