"""The last errors of each group: those whose messages differ only in what varies from event to event.

>>> template("Unsupported column [local_tz_offset] type changing from: INT64 to: STRING")
'Unsupported column […] type changing from: INT64 to: STRING'
>>> template("dial tcp 10.0.0.5:5432: i/o timeout after 2.5s")
'dial tcp <address>: i/o timeout after <number>'
"""

import hashlib
from functools import lru_cache
from typing import Final

from eventscache.extras.error_message import LONGEST_MESSAGE, template

GROUP: Final = "group"
"""The kind of these extra collections."""
MOST_GROUPS: Final = 100
"""Of how many groups a stream keeps examples: those that came last."""
EXAMPLES: Final = 3
"""How many events of a group are kept: those that came last."""
MALFORMED: Final = "malformed event"
"""The message of an event that has no error, but a body that could not be read."""
_CACHED_GROUPS = 1024
_LONGEST_CACHED = 1000  # characters of a message; so the cache holds a few megabytes at most


def group_extras(error: str, *, malformed: bool = False) -> tuple[str, ...]:
    """Return the extra collections of an event by the message of its error: one or none.

    `malformed` says whether it has a malformed body. An event has the status `error` exactly if there is a collection.
    """
    message = error_message(error, malformed=malformed)
    return (group_collection(message),) if message else ()


def error_message(error: str, *, malformed: bool = False) -> str:
    """Return the message that an event is grouped by: its error, else `MALFORMED` if it is that, else an empty text.

    What a malformed body holds is nobody's message, so it plays no part.
    """
    return error or (MALFORMED if malformed else "")


def group_collection(message: str) -> str:
    """Return the name of the extra collection of a message: `group:` and 32 hexadecimal digits.

    Messages with the same `template` have the same one, in every process.
    """
    message = message[: LONGEST_MESSAGE + 1]  # one more, so that it is still seen to be cut
    return _cached_collection(message) if len(message) <= _LONGEST_CACHED else _collection(message)


def _collection(message: str) -> str:
    return f"{GROUP}:{hashlib.sha256(template(message).encode()).hexdigest()[:32]}"


_cached_collection = lru_cache(_CACHED_GROUPS)(_collection)
