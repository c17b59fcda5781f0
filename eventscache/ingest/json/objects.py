"""One JSON object within the bounds, that is kept."""

from eventscache.errors import InvalidEvent
from eventscache.ingest.json import scan, strict
from eventscache.ingest.secret_half import without_halves


def checked_object(data: bytes, levels: int, what: str) -> bytes:
    """Return a JSON object without secret halves.

    Raises `InvalidEvent`, which names `what`, unless this is one object of at most so many levels.
    """
    if scan.object_end(data, levels) == len(data):
        return data
    if not isinstance(strict.decode(data), dict):
        raise InvalidEvent(f"{what} is no JSON object")
    strict.check_depth(data, levels)
    return without_halves(data)
