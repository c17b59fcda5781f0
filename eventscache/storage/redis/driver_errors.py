"""What redis-py raises, and what it means: for the caller, and for what is believed of the server."""

import enum
import re
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


# How a reply's text may begin before the words of the error: redis-py says which command of a pipeline it was (the
# rest is the tuple of the reply, or the reply), and Redis 6.2 which script and where in it. Hosts, keys and values come
# behind, or inside the command: a text is looked at from its beginning only, so that they say nothing.
_WRAPPING = re.compile(
    r"""(?:Command\ \#\ \d+\ \(.*?\)\ of\ pipeline\ caused\ error:\ (?:\(['"])?)?
        (?:Error\ running\ script\ \(call\ to\ \w+\):\ )?
        (?:@user_script:\ ?\d+:\ )*-?""",
    re.DOTALL | re.VERBOSE,
)
# Replies that pass, by themselves or by an operator's hand: the server is full, busy with somebody's script, starting,
# a replica, between two masters, or forbids a command. redis-py has classes for some of them only, and for none where
# a script of Redis 6.2 met them.
_PASSING = (
    "OOM ",
    "BUSY ",
    "LOADING ",
    "READONLY ",
    "MASTERDOWN ",
    "CLUSTERDOWN ",
    "TRYAGAIN ",
    "NOREPLICAS ",
    "MISCONF ",
    "UNKILLABLE ",
    "NOPERM ",
    "The user executing the script can",
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
_NO_ACCESS = ("HELLO must be called", "invalid username-password", "Authentication required", "WRONGPASS ", "NOAUTH ")
_DEMOTED = "The previous master is now a slave"  # redis-py's words for a READONLY behind Sentinels
# What redis-py says when it had no connection to send on.
_NEVER_SENT = re.compile(
    r"Error (?!(?:\S+ )?while )(?:.* )?connecting to |Timeout connecting to server|Too many connections"
    r"|max number of clients|No master found|Redis Cluster cannot be connected",
    re.DOTALL,
)


def translate(fault: Exception, *, ambiguous: bool) -> Fault:
    """Translate whatever a call to the driver raised; secrets stay out of the text.

    `ambiguous` says whether a call that got no answer may have changed something that matters.
    """
    text = str(fault) or type(fault).__name__
    said = _WRAPPING.sub("", text, count=1)
    reply = isinstance(fault, driver.ResponseError)

    if _is_refusal(fault) or (isinstance(fault, driver.RedisError) and said.startswith(_NO_ACCESS)):
        return Fault(StorageUnavailable("Redis refuses the user name or password", ambiguous=False), Sign.FORBIDS)
    if isinstance(fault, _PASSING_CLASSES) or (reply and said.startswith(_PASSING)) or said == _DEMOTED:
        return Fault(StorageUnavailable(f"Redis answered: {text}", ambiguous=False), Sign.ANSWERS)
    if reply:
        return Fault(StorageError(f"Redis answered: {text}"), Sign.ANSWERS)
    if isinstance(fault, ConnectionRefusedError) or _NEVER_SENT.match(said):
        return Fault(StorageUnavailable(f"no connection to Redis: {text}", ambiguous=False), Sign.GONE)
    # Not all of them are RedisError: those of a Cluster are not, nor is OSError.
    silent = isinstance(fault, (driver.TimeoutError, TimeoutError))
    error = StorageUnavailable(f"no answer from Redis: {text}", ambiguous=ambiguous)
    return Fault(error, Sign.SILENT if silent else Sign.BROKEN)


def _is_refusal(fault: Exception) -> bool:
    """Whether a login was refused, be it that of a Cluster's client while it got to know its nodes."""
    met = fault.__cause__ if isinstance(fault, driver.RedisClusterException) else fault
    return isinstance(met, driver.AuthenticationError)
