"""Whether some bytes are one JSON object within the bounds."""

from eventscache.errors import InvalidEvent
from eventscache.ingest.json import scan, strict


def check_object(data: bytes, levels: int, what: str) -> None:
    """Raise `InvalidEvent`, which names `what`, unless this is one JSON object of at most so many levels."""
    if scan.object_end(data, levels) == len(data):
        return
    if not isinstance(strict.decode(data), dict):
        raise InvalidEvent(f"{what} is no JSON object")
    strict.check_depth(data, levels)
