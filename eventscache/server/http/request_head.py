"""What the ingestion reads of a request's head, whoever read it."""

from collections.abc import Mapping
from typing import Protocol


class RequestHead(Protocol):
    """Target and headers: of a request of aiohttp, or of one that was answered at once."""

    @property
    def raw_path(self) -> str:
        """The target, as it was sent."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, by the names that this package uses for them."""
        ...
