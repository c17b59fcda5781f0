"""Test scopes: the events of one test run, in extra collections of their own."""

from typing import Final

from eventscache.errors import InvalidEvent
from eventscache.stream import check_id

SCOPE: Final = "scope"
"""The kind of these extra collections."""
MOST_SCOPES: Final = 50
"""How many of them a stream has: those that got events last."""
SCOPE_SIZE: Final = 1000
"""How many events each keeps."""
_MAX_NAME_BYTES = 200


def scope_collection(name: str) -> str:
    """Return the name of the extra collection of a scope; raise `InvalidEvent` if it cannot be one."""
    try:
        return f"{SCOPE}:{check_id(name, _MAX_NAME_BYTES)}"
    except InvalidEvent as fault:
        raise InvalidEvent(str(fault).replace("the id", "the scope", 1)) from None
