"""What a server answers when it cannot do something now, and what an operator can do about that, in plain words."""

import re
from typing import Final

from redis import exceptions as driver

from eventscache.errors import StorageRefused

_MASTER = "name its master in eventscache.storage, or make it a master by REPLICAOF NO ONE"
_RIGHTS = "give it the rights in docs/redis.md"
# By the first word of the answer. These faults pass by themselves, or an operator can repair them without touching the
# data. Redis's own words are not repeated: some of them quote keys and values.
_WORDS: Final = {
    "OOM": "Redis has no memory left (OOM): raise its maxmemory, or free memory",
    "BUSY": "Redis is busy with a script (BUSY): wait, or end the script by SCRIPT KILL",
    "UNKILLABLE": "Redis is busy with a script that has written (UNKILLABLE): wait for its end",
    "LOADING": "Redis is loading its data (LOADING): wait until it is done",
    "READONLY": f"Redis is a read-only replica (READONLY): {_MASTER}",
    "MASTERDOWN": f"Redis is a replica without its master (MASTERDOWN): {_MASTER}",
    "CLUSTERDOWN": "the Redis Cluster lacks the node for some keys (CLUSTERDOWN): bring its nodes back",
    "TRYAGAIN": "the Redis Cluster is moving some keys (TRYAGAIN): wait until it is done",
    "MOVED": "Redis is a node of a Cluster (MOVED): begin eventscache.storage with redis+cluster://",
    "NOREPLICAS": "Redis lacks replicas (NOREPLICAS): bring them back, or lower its min-replicas-to-write",
    "MISCONF": "Redis cannot save its data to disk and takes no writes (MISCONF): its log says why; free or repair the "
    "disk",
    "DENIED": "Redis is in protected mode (DENIED): give its user a password, and put it into eventscache.storage",
}
# Errors that redis-py has a class for; their text lacks the first word.
_CLASSES: Final = {
    driver.OutOfMemoryError: "OOM",
    driver.ReadOnlyError: "READONLY",
    driver.BusyLoadingError: "LOADING",
    driver.MasterDownError: "MASTERDOWN",
    driver.MovedError: "MOVED",
    driver.TryAgainError: "TRYAGAIN",
    driver.ClusterDownError: "CLUSTERDOWN",
}
_DEMOTED: Final = "The previous master is now a slave"  # redis-py's text for a READONLY behind Sentinels
_OF_A_CLUSTER: Final = "Cluster mode is not enabled"
_FORBIDDEN: Final = ("NOPERM ", "The user executing the script can")
_INSIDE_SCRIPT: Final = re.compile(r"executing the script|called from (?:Lua )?script|on @user_script")
_UNKNOWN: Final = re.compile(r"unknown command(?: [`'](?P<name>\w{1,20})['`])?|Unknown Redis command called", re.ASCII)
_COMMAND: Final = re.compile(r"'(\w{1,20}(?:\|\w{1,20})?)' command", re.ASCII)
_NO_DATABASE: Final = re.compile(r"(?:ERR )?(?:DB index is out of range|invalid DB index)")


class CommandRefused(StorageRefused):
    """The user may not run a command, or the server does not know it.

    `inside_script`: a script met this command, after others that it ran.
    """

    def __init__(self, message: str, *, inside_script: bool = False) -> None:
        super().__init__(message)
        self.inside_script = inside_script


def refusal(raised: Exception, message: str) -> StorageRefused | None:
    """Return the error for an exception that is such an answer of a server, else None.

    `message` is its text without what redis-py put in front.
    """
    if message == _DEMOTED:
        return StorageRefused(_WORDS["READONLY"])
    for kind, word in _CLASSES.items():
        if isinstance(raised, kind):
            return StorageRefused(_WORDS[word])
    if _OF_A_CLUSTER in message and isinstance(raised, driver.RedisClusterException):
        return StorageRefused("Redis is no Cluster: begin eventscache.storage with redis://")
    return _of_reply(raised, message) if isinstance(raised, driver.ResponseError) else None


def _of_reply(raised: driver.ResponseError, message: str) -> StorageRefused | None:
    word = message.partition(" ")[0]
    if word in _WORDS and word != message:
        return StorageRefused(_WORDS[word])
    inside_script = _INSIDE_SCRIPT.search(message) is not None
    if isinstance(raised, driver.NoPermissionError) or message.startswith(_FORBIDDEN):
        return _forbidden(message, inside_script=inside_script)
    if unknown := _UNKNOWN.match(message.removeprefix("ERR ")):
        name = f" {unknown['name'].lower()}" if unknown["name"] else ""
        return CommandRefused(
            f"Redis does not know {f'the command{name}' if name else 'a command that is needed'}: undo its "
            "rename-command, or use another Redis",
            inside_script=inside_script,
        )
    if _NO_DATABASE.match(message):
        return StorageRefused("Redis has no database of that number: name another one in eventscache.storage")
    return None


def _forbidden(message: str, *, inside_script: bool) -> CommandRefused:
    named = _COMMAND.search(message)
    what = f"run the command {named[1].lower()}" if named else "run a command that is needed"
    if not named and "key" in message:
        what = "use the keys of eventscache.prefix"
    return CommandRefused(f"the user of Redis may not {what} (NOPERM): {_RIGHTS}", inside_script=inside_script)
