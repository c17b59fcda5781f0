"""The storage for more than one process: a Redis, in which every operation is one Lua script."""

from eventscache.storage.redis.storage import RedisStorage

__all__ = ["RedisStorage"]
