"""Watches the memory of the servers, and stops writing to a server that is too full, to protect its other users."""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from eventscache.errors import StorageError, StorageUnavailable
from eventscache.storage.redis.keys import KINDS
from eventscache.storage.redis.node import Node
from eventscache.storage.redis.refusals import CommandRefused
from eventscache.storage.redis.registry import Registry
from eventscache.storage.redis.topology import Primary
from eventscache.stream import Namespace

_log = structlog.get_logger()

_NEARLY_FULL_PERCENT = 80


class MemoryGuard:
    """Checks servers: logs one that evicts keys or is nearly full, and stops writes to a full one."""

    def __init__(self, registry: Registry, max_percent: int) -> None:
        self._registry = registry
        self._max_percent = max_percent
        self._policies: dict[str, str] = {}  # the last known one of each server
        self._nearly_full: set[str] = set()
        self._unreadable: set[str] = set()

    async def check(self, primary: Primary) -> None:
        """Check one server; one that does not answer is left as it is."""
        node = primary.node
        try:
            await self._check_node(node, primary.send)
        except StorageError as error:
            if isinstance(error, CommandRefused) or not isinstance(error, StorageUnavailable):
                node.too_full = ""  # the last known state may be outdated
                self._warn_unreadable(node, str(error))

    async def _check_node(self, node: Node, send: Callable[..., Awaitable[Any]]) -> None:
        async with node.call(ambiguous=False):
            memory = await send("INFO", "memory")
        self._unreadable.discard(node.name)
        self._check_policy(node, str(memory.get("maxmemory_policy", "noeviction")))
        limit = int(memory.get("maxmemory", 0))
        percent = 100 * int(memory.get("used_memory", 0)) / limit if limit else 0.0
        self._check_too_full(node, percent)
        if percent < _NEARLY_FULL_PERCENT:
            self._nearly_full.discard(node.name)
        elif node.name not in self._nearly_full:
            async with node.call(ambiguous=False):
                keyspace = await send("INFO", "keyspace")
            await self._warn_nearly_full(node, percent, keyspace)

    def _warn_unreadable(self, node: Node, reason: str) -> None:
        if node.name not in self._unreadable:
            self._unreadable.add(node.name)
            _log.warning("cannot see how full Redis is: its user needs +info", server=node.name, reason=reason)

    def _check_policy(self, node: Node, policy: str) -> None:
        if policy not in {"noeviction", self._policies.get(node.name)}:
            _log.warning(
                "Redis may evict keys, and streams lose events and limiters: set maxmemory-policy noeviction",
                server=node.name,
                policy=policy,
            )
        self._policies[node.name] = policy

    async def _warn_nearly_full(self, node: Node, percent: float, keyspace: dict[str, Any]) -> None:
        keys = sum(int(database["keys"]) for database in keyspace.values())
        streams = [await self._registry.count(namespace) for namespace in Namespace]
        ours = len(KINDS) * sum(streams) + len(streams)
        self._nearly_full.add(node.name)
        _log.warning("Redis is nearly full", server=node.name, percent=round(percent), shared=keys > ours)

    def _check_too_full(self, node: Node, percent: float) -> None:
        if percent < self._max_percent:
            if node.too_full:
                _log.info("writing to Redis again", server=node.name)
            node.too_full = ""
        else:
            if not node.too_full:
                _log.error("Redis is too full to be written to", server=node.name, percent=round(percent))
            node.too_full = (
                f"Redis uses {percent:.0f} % of its memory, and eventscache writes up to {self._max_percent} %: free "
                "memory, or raise its maxmemory or eventscache.max_redis_memory_percent"
            )
