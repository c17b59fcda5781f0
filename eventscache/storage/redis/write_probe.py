"""Finds out whether a server would take our commands, without writing anything."""

from typing import Final

from eventscache.errors import StorageRefused
from eventscache.storage.redis.driver_errors import translate
from eventscache.storage.redis.driver_internals import Conversation

_NO_SCRIPT: Final = "0" * 40
# Every command that the scripts and the rest of this package need, each with the arguments after its key. They are
# never run.
COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "HSET": ("field", "value"),
    "LPUSH": ("value",),
    "ZADD": ("0", "member"),
    "DEL": (),
    "HDEL": ("field",),
    "LTRIM": ("0", "0"),
    "PEXPIRE": ("1",),
    "ZREM": ("member",),
    "ZREMRANGEBYSCORE": ("0", "0"),
    "HGET": ("field",),
    "HGETALL": (),
    "HMGET": ("field",),
    "LINDEX": ("0",),
    "LLEN": (),
    "LRANGE": ("0", "0"),
    "TYPE": (),
    "ZCARD": (),
    "ZCOUNT": ("0", "0"),
    "ZRANGE": ("0", "0"),
    "ZREVRANGE": ("0", "0"),
    "ZREVRANGEBYSCORE": ("0", "0"),
    "ZSCAN": ("0",),
    "ZSCORE": ("member",),
}


def commands_for(key: str) -> list[tuple[str, ...]]:
    """Return the commands as they would be sent for a key."""
    of_scripts = [("EVALSHA", _NO_SCRIPT, "1", key), ("EVAL", "return 0", "1", key), ("TIME",)]
    return [*((name, key, *arguments) for name, arguments in COMMANDS.items()), *of_scripts]


async def find_refusal(conversation: Conversation, key: str) -> StorageRefused | None:
    """Return why a server refuses one of the commands, or None if it takes them all.

    They are queued in a transaction and discarded. A server checks each command when it is queued: the user's rights to
    it and to the key, whether it is known, memory, replicas, the disk, and whether this is a replica. The transaction
    itself can be refused as well; that is raised, as an exception of the driver.
    """
    [opened] = await conversation.send([("MULTI",)])
    if isinstance(opened, Exception):
        raise opened
    *queued, discarded = await conversation.send([*commands_for(key), ("DISCARD",)])
    if isinstance(discarded, Exception):
        await conversation.hang_up()  # it is still in the transaction
    refusals = (translate(reply, ambiguous=False).error for reply in queued if isinstance(reply, Exception))
    return next((error for error in refusals if isinstance(error, StorageRefused)), None)
