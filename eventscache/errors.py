"""The errors of this package, by what the caller can do about them."""


class EventsCacheError(Exception):
    """The root of all errors raised on purpose by this package."""


class ConfigError(EventsCacheError):
    """The configuration cannot be used; the message is one line and names the setting."""


class CannotListen(ConfigError):
    """The address or the port cannot be listened on now; another start may succeed with the same settings."""


class InvalidEvent(EventsCacheError):
    """What a client sent is not an event; the message says why, and may be sent to the client."""


class StorageError(EventsCacheError):
    """The storage cannot do this: a retry does not help. Nothing was changed."""


class TooManyStreams(StorageError):
    """The stream is new, there are already `max_streams`, and the batch may not evict one."""


class UnknownStream(StorageError):
    """The stream is new, and the batch may not begin one."""


class StorageUnavailable(StorageError):
    """The storage did not answer; the same call can be retried.

    `ambiguous` is true if the call may have been carried out all the same.
    """

    def __init__(self, message: str, *, ambiguous: bool = True) -> None:
        super().__init__(message)
        self.ambiguous = ambiguous


class StorageRefused(StorageUnavailable):
    """The storage answered that it cannot do this now: it is full, read-only, busy, or does not permit it.

    Nothing was changed. The message says why and what helps, and may be shown to everybody: it holds no ids, no
    addresses, and nothing of events.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, ambiguous=False)


class NotStored(StorageUnavailable):
    """Some events of a caller were surely not stored; of the others it is known how many were stored and limited.

    `final` of them cannot be stored by another try either.
    """

    def __init__(self, message: str, *, stored: int, limited: int, final: int = 0) -> None:
        super().__init__(message, ambiguous=False)
        self.stored = stored
        self.limited = limited
        self.final = final


class NewStreamsRefused(NotStored):
    """Some events of a caller were not stored because their streams may not begin now; all others are kept."""


class NotReady(EventsCacheError):
    """Events cannot be taken or stored now; the message says why, and may be shown to everybody."""
