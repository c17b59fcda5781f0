"""The last events of every Jitsu API key and destination, exactly rate-limited, as a sidecar."""

from eventscache.cache import EventsCache
from eventscache.event import Event, Response
from eventscache.storage.base import Storage
from eventscache.storage.messages import Query, Quota
from eventscache.stream import Namespace, Status, Stream

__all__ = [
    "Event",
    "EventsCache",
    "Namespace",
    "Query",
    "Quota",
    "Response",
    "Status",
    "Storage",
    "Stream",
    "__version__",
]

__version__ = "0.1.0"
