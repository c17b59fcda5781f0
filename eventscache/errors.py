"""The errors of this package, by what the caller can do about them."""


class EventsCacheError(Exception):
    """The root of all errors raised on purpose by this package."""


class ConfigError(EventsCacheError):
    """The configuration cannot be used; the message is one line and names the setting."""


class InvalidEvent(EventsCacheError):
    """What a client sent is not an event; the message says why, and may be sent to the client."""


class StorageError(EventsCacheError):
    """The storage cannot do this: a retry does not help. Nothing was changed."""


class TooManyStreams(StorageError):
    """The stream is new, there are already `max_streams`, and the batch may not evict one."""


class StorageUnavailable(StorageError):
    """The storage did not answer; the same call can be retried.

    `ambiguous` is true if the call may have been carried out all the same.
    """

    def __init__(self, message: str, *, ambiguous: bool = True) -> None:
        super().__init__(message)
        self.ambiguous = ambiguous
