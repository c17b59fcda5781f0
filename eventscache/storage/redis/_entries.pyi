from eventscache.storage.messages import Entry
from eventscache.stream import Status

def entries(
    log: list[bytes], events: list[bytes], most_bytes: int, letters: dict[bytes, Status], type: type[Entry], /
) -> list[Entry]: ...
