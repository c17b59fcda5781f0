from collections.abc import Callable

from eventscache.storage.messages import Entry

def splice(
    entries: list[Entry],
    start: int,
    most_bytes: int,
    each_bytes: int,
    one_line: bool,
    other: Callable[[Entry], bytes | None],
    /,
) -> tuple[bytes, int, int]: ...
