"""The path of a request as the log shows it: no part of it could be a secret."""

import re

_MAX_CHARACTERS = 200
_MAX_SEARCHED = 16_384  # more than a head may have
_HALF = re.compile(r"(:|%(?:25){0,3}3a).++", re.IGNORECASE | re.DOTALL)  # of `ID:SECRET`, a write key of Jitsu 2
_PROJECT = re.compile(r"(projects(?:/|%(?:25){0,3}2f)).++", re.IGNORECASE | re.DOTALL)  # a write key is next
_HIDDEN = r"\1***"


def shown_path(path: str) -> str:
    """Return a path as it was sent, without a query, in ASCII and cut; `*` for an empty one.

    What is behind a colon in it is hidden, to its end as a half may have slashes, and so is what is behind `projects`.
    """
    path = path.partition("?")[0].partition("#")[0][:_MAX_SEARCHED]
    path = _HALF.sub(_HIDDEN, _PROJECT.sub(_HIDDEN, path))
    return ascii(path)[1:-1][:_MAX_CHARACTERS] or "*"
