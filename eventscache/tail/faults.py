"""Why events cannot be shown."""

from eventscache.errors import EventsCacheError


class TailError(EventsCacheError):
    """Events cannot be shown; the message is one line that names the fault, and holds no secret."""


class Rejected(TailError):
    """The server answered that it will not push this: the same request would be rejected again."""


class ConnectionLost(TailError):
    """The server could not be reached, or the connection ended; another try may succeed."""
