"""Looks after the memory of the servers: ours ends where it would harm whoever shares them."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from redis import exceptions as driver

from eventscache.errors import StorageError, StorageUnavailable
from eventscache.storage.redis.keys import KINDS
from eventscache.storage.redis.node import Node
from eventscache.storage.redis.registry import Registry
from eventscache.storage.redis.topology import Topology
from eventscache.stream import Namespace

_log = structlog.get_logger()

_EVERY_SECONDS = 1.0
_NEARLY_FULL_PERCENT = 80


class MemoryGuard:
    """Warns of servers that evict or are nearly full, and stops writing to those that are too full."""

    def __init__(self, topology: Topology, registry: Registry, max_percent: int) -> None:
        self._topology = topology
        self._registry = registry
        self._max_percent = max_percent
        self._policies: dict[str, str] = {}  # what was said of each server last
        self._nearly_full: set[str] = set()
        self._blind: set[str] = set()
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look again and again, on the running loop."""
        self._task = asyncio.create_task(self._look_on())

    async def end(self) -> None:
        """Let the look that may be under way end: a call that is cut off costs its connection."""
        self._ended.set()
        if self._task:
            await self._task
            self._task = None

    async def _look_on(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(StorageUnavailable):  # nobody is there to be looked at
                await self.look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_EVERY_SECONDS):
                    await self._ended.wait()

    async def look(self) -> None:
        """Look at every server once. Raises `StorageUnavailable` if none is known."""
        for node, send in await self._topology.each_node():
            try:
                await self._look_at(node, send)
            except StorageError as fault:
                if isinstance(fault.__cause__, driver.NoPermissionError) or not isinstance(fault, StorageUnavailable):
                    node.full = ""  # what was seen last may be long past
                    self._note_blindness(node, str(fault))

    async def _look_at(self, node: Node, send: Callable[..., Awaitable[Any]]) -> None:
        async with node.call(ambiguous=False):
            memory = await send("INFO", "memory")
        self._blind.discard(node.name)
        self._note_policy(node, str(memory.get("maxmemory_policy", "noeviction")))
        limit = int(memory.get("maxmemory", 0))
        percent = 100 * int(memory.get("used_memory", 0)) / limit if limit else 0.0
        self._guard(node, percent)
        if percent < _NEARLY_FULL_PERCENT:
            self._nearly_full.discard(node.name)
        elif node.name not in self._nearly_full:
            async with node.call(ambiguous=False):
                keyspace = await send("INFO", "keyspace")
            await self._warn(node, percent, keyspace)

    def _note_blindness(self, node: Node, reason: str) -> None:
        if node.name not in self._blind:
            self._blind.add(node.name)
            _log.warning("cannot see how full Redis is: its user needs +info", server=node.name, reason=reason)

    def _note_policy(self, node: Node, policy: str) -> None:
        if policy not in {"noeviction", self._policies.get(node.name)}:
            _log.warning(
                "Redis may evict keys, and streams lose events and limiters: set maxmemory-policy noeviction",
                server=node.name,
                policy=policy,
            )
        self._policies[node.name] = policy

    async def _warn(self, node: Node, percent: float, keyspace: dict[str, Any]) -> None:
        keys = sum(int(database["keys"]) for database in keyspace.values())
        streams = [await self._registry.count(namespace) for namespace in Namespace]
        ours = len(KINDS) * sum(streams) + len(streams)
        self._nearly_full.add(node.name)
        _log.warning("Redis is nearly full", server=node.name, percent=round(percent), shared=keys > ours)

    def _guard(self, node: Node, percent: float) -> None:
        if percent < self._max_percent:
            if node.full:
                _log.info("writing to Redis again", server=node.name)
            node.full = ""
        else:
            if not node.full:
                _log.error("Redis is too full to be written to", server=node.name, percent=round(percent))
            node.full = f"Redis uses {percent:.0f} % of its memory, and we write up to {self._max_percent} %"
