"""Translates the exceptions of redis-py: into an error for the caller, and an outcome for the circuit breaker."""

import enum
import re
from typing import NamedTuple

from redis import exceptions as driver

from eventscache.errors import StorageError, StorageRefused, StorageUnavailable
from eventscache.storage.redis.driver_internals import HandshakeFailed
from eventscache.storage.redis.refusals import refusal


class Outcome(enum.Enum):
    """How a call to a server ended."""

    ANSWERED = "the server answered, perhaps with an error"
    DISCONNECTED = "the connection broke, as idle ones do; the next call shows whether the server is away"
    TIMED_OUT = "no answer in time"
    NO_LOGIN = "a connection was made, and broke before the login"
    UNREACHABLE = "no connection could be made"
    DENIED = "the server rejected the login"


class Translation(NamedTuple):
    """The error of this package for an exception of the driver, and how the call ended."""

    error: StorageError
    outcome: Outcome


# What may stand in a text before the error itself: redis-py names the command of a pipeline (followed by the reply, or
# a tuple of it), and Redis 6.2 names the script and the line. Hosts, keys and values come later, or inside the command.
# So only the beginning of a text is compared, and they cannot be mistaken for an error.
_PREFIX = re.compile(
    r"""(?:Command\ \#\ \d+\ \(.*?\)\ of\ pipeline\ caused\ error:\ (?:\(['"])?)?
        (?:Error\ running\ script\ \(call\ to\ \w+\):\ )?
        (?:@user_script:\ ?\d+:\ )*-?""",
    re.DOTALL | re.VERBOSE,
)
# The texts for a wrong or missing user name or password; the class depends on the version and the moment.
_NO_ACCESS = ("HELLO must be called", "invalid username-password", "Authentication required", "WRONGPASS ", "NOAUTH ")
_DENIED = "Redis refuses the user name or password: correct them in eventscache.storage"
_WRONG_TYPE = "something else has written over this key; clear the stream, or choose another eventscache.prefix"
# The texts of redis-py when it had no connection to send a call on.
_NEVER_SENT = re.compile(
    r"Error (?!(?:\S+ )?while )(?:.* )?connecting to |Timeout connecting to server|Too many connections"
    r"|max number of clients|No master found|Redis Cluster cannot be connected",
    re.DOTALL,
)


def translate(raised: Exception, *, ambiguous: bool) -> Translation:
    """Translate an exception that a call to the driver raised; the new text holds no secrets.

    `ambiguous` says whether it matters if a call without an answer was carried out.
    """
    text = str(raised) or type(raised).__name__
    message = _PREFIX.sub("", text, count=1)
    if _is_denied(raised) or (isinstance(raised, driver.RedisError) and message.startswith(_NO_ACCESS)):
        return Translation(StorageRefused(_DENIED), Outcome.DENIED)
    if refused := refusal(raised, message):
        return Translation(refused, Outcome.ANSWERED)
    if isinstance(raised, driver.ResponseError):
        hint = f": {_WRONG_TYPE}" if message.startswith("WRONGTYPE") else ""
        return Translation(StorageError(f"Redis answered: {message}{hint}"), Outcome.ANSWERED)
    if isinstance(raised, (ConnectionRefusedError, HandshakeFailed)) or _NEVER_SENT.match(message):
        error = StorageUnavailable(f"no connection to Redis (eventscache.storage): {message}", ambiguous=False)
        return Translation(error, Outcome.NO_LOGIN if isinstance(raised, HandshakeFailed) else Outcome.UNREACHABLE)
    # Not all of these are a RedisError: the errors of a Cluster and OSError are not.
    if isinstance(raised, (driver.TimeoutError, TimeoutError)):
        error = StorageUnavailable(
            f"no answer from Redis within eventscache.storage_timeout_ms: {message}", ambiguous=ambiguous
        )
        return Translation(error, Outcome.TIMED_OUT)
    return Translation(
        StorageUnavailable(f"the connection to Redis broke: {message}", ambiguous=ambiguous), Outcome.DISCONNECTED
    )


def _is_denied(raised: Exception) -> bool:
    """Whether the server rejected a login, perhaps while the client of a Cluster read the list of its nodes."""
    cause = raised.__cause__ if isinstance(raised, driver.RedisClusterException) else raised
    return isinstance(cause, driver.AuthenticationError)
