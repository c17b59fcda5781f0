from collections.abc import Iterable
from typing import Any

class WholeRequest:
    raw_path: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    def __new__(cls, values: Iterable[Any], /) -> WholeRequest: ...

def read_request(data: bytes, most_bytes: int, /) -> WholeRequest | None: ...
