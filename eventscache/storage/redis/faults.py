"""What redis-py raises, and what it means: for the caller, and for what is believed of the server."""

import enum
from typing import NamedTuple

from redis import exceptions as driver

from eventscache.errors import StorageError, StorageUnavailable


class Sign(enum.Enum):
    """What a call tells about its server."""

    ANSWERS = "it answers, be it with an error"
    BROKEN = "a connection broke, as idle ones do: the next one will tell"
    SILENT = "no answer in time"
    GONE = "no connection to be had"
    FORBIDS = "it does not let us in"


class Fault(NamedTuple):
    """An error of this package, and the sign."""

    error: StorageError
    sign: Sign


# Texts of replies that pass, by themselves or by an operator's hand: the server is full, busy with somebody's script,
# starting, a replica, between two masters, or forbids a command. redis-py has classes for some of them only, and not
# in each version of the server.
_PASSING = (
    "OOM",
    "BUSY",
    "LOADING",
    "READONLY",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "NOREPLICAS",
    "MISCONF",
    "UNKILLABLE",
    "NOPERM",
    "The previous master is now a slave",
)
# Those that redis-py has a class for come without the word they began with.
_PASSING_CLASSES = (
    driver.OutOfMemoryError,
    driver.NoPermissionError,
    driver.ReadOnlyError,
    driver.MasterDownError,
    driver.ClusterDownError,
    driver.TryAgainError,
    driver.BusyLoadingError,
)
# What it says when the user name or password is wrong or missing; the class differs by version and moment.
_NO_ACCESS = ("HELLO must be called", "invalid username-password", "Authentication required", "WRONGPASS", "NOAUTH")
# What redis-py says when it had no connection to send on.
_NEVER_SENT = (
    "connecting to",
    "Connection refused",
    "Too many connections",
    "max number of clients",
    "No master found",
    "Redis Cluster cannot be connected",
)


def understood(fault: Exception, *, ambiguous: bool) -> Fault:
    """Translate whatever a call to the driver raised; secrets stay out of the text.

    `ambiguous` says whether a call that got no answer may have changed something that matters.
    """
    text = str(fault) or type(fault).__name__

    def says(*words: str) -> bool:
        return any(word in text for word in words)

    if isinstance(fault, driver.AuthenticationError) or says(*_NO_ACCESS):
        return Fault(StorageUnavailable("Redis refuses the user name or password", ambiguous=False), Sign.FORBIDS)
    if isinstance(fault, _PASSING_CLASSES) or says(*_PASSING):
        return Fault(StorageUnavailable(f"Redis answered: {text}", ambiguous=False), Sign.ANSWERS)
    if isinstance(fault, driver.ResponseError):
        return Fault(StorageError(f"Redis answered: {text}"), Sign.ANSWERS)
    if says(*_NEVER_SENT):
        return Fault(StorageUnavailable(f"no connection to Redis: {text}", ambiguous=False), Sign.GONE)
    # Not all of them are RedisError: those of a Cluster are not, nor is OSError.
    silent = isinstance(fault, (driver.TimeoutError, TimeoutError))
    error = StorageUnavailable(f"no answer from Redis: {text}", ambiguous=ambiguous)
    return Fault(error, Sign.SILENT if silent else Sign.BROKEN)
