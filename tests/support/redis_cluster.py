"""A cluster of primaries without replicas, made without redis-cli."""

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from tests.support import redis_rights
from tests.support.certificates import Certificates
from tests.support.redis_server import HOST, RedisServer, free_port, wait_until

MIGRATE_TIMEOUT_MS = 5000


class Cluster:
    """Some primaries that share the slots evenly; what one of them has is served while another is down.

    Methods that wait do block: in a test that also serves from its event loop, wrap them in `asyncio.to_thread`.
    """

    def __init__(
        self,
        binary: str,
        folder: Path,
        *,
        primaries: int = 3,
        password: str = "",
        certificates: Certificates | None = None,
        options: Sequence[str] = (),
        node_timeout_ms: int = 1000,
    ) -> None:
        options = (
            *("--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"),
            *("--cluster-node-timeout", str(node_timeout_ms)),
            *(("--tls-cluster", "yes") if certificates else ()),
            *options,
        )
        self.nodes: list[RedisServer] = []
        for number in range(primaries):
            own = folder / f"node-{number}"
            own.mkdir()
            node = RedisServer(
                binary, own, port=free_port(), password=password, certificates=certificates, options=options
            )
            self.nodes.append(node)
        bounds = [number * REDIS_CLUSTER_HASH_SLOTS // primaries for number in range(primaries + 1)]
        self._home = [range(first, end) for first, end in itertools.pairwise(bounds)]

    @property
    def url(self) -> str:
        """The address of the first node."""
        return self.nodes[0].url

    @property
    def storage_url(self) -> str:
        """The address for a storage: with a user that has the least rights."""
        scheme = "rediss+cluster" if self.nodes[0].certificates else "redis+cluster"
        hosts = ",".join(f"{host}:{port}" for host, port in self.addresses)
        return f"{scheme}://{redis_rights.USER}:{redis_rights.PASSWORD}@{hosts}"

    @property
    def addresses(self) -> list[tuple[str, int]]:
        return [(HOST, node.port) for node in self.nodes]

    def start(self) -> None:
        try:
            for epoch, (node, slots) in enumerate(zip(self.nodes, self._home, strict=True), start=1):
                node.start()
                node.ask("CLUSTER", "ADDSLOTS", *slots)  # 6.2 has no ADDSLOTSRANGE
                node.ask("CLUSTER", "SET-CONFIG-EPOCH", epoch)
            for node in self.nodes[1:]:
                self.nodes[0].ask("CLUSTER", "MEET", HOST, node.port)
            self.wait_until_agreed()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()

    def wait_until_agreed(self) -> None:
        """Wait until every node knows all the others, and all say that the same node owns each slot."""
        wait_until(self._agrees, "the cluster agrees")

    def _agrees(self) -> bool:
        return all(self._is_content(node) for node in self.nodes) and (
            len({tuple(sorted(self._owners(node))) for node in self.nodes}) == 1
        )

    def _is_content(self, node: RedisServer) -> bool:
        info = str(node.ask("CLUSTER", "INFO")).split()
        return {
            "cluster_state:ok",
            f"cluster_known_nodes:{len(self.nodes)}",
            f"cluster_slots_ok:{REDIS_CLUSTER_HASH_SLOTS}",
        } <= set(info) and "handshake" not in str(node.ask("CLUSTER", "NODES"))

    @staticmethod
    def _owners(node: RedisServer) -> Iterator[tuple[int, int, int]]:
        """Give the first slot, the last slot and the port of each range, as one node sees it."""
        ranges: Any = node.ask("CLUSTER", "SLOTS")
        return ((first, last, port) for first, last, (_, port, *_), *_ in ranges)

    def owner(self, slot: int) -> RedisServer:
        """Return the node that owns a slot, be it up or not, as the first living node says."""
        living = next(node for node in self.nodes if node.runs)
        port = next(port for first, last, port in self._owners(living) if first <= slot <= last)
        return next(node for node in self.nodes if node.port == port)

    def node_of(self, key: str | bytes) -> RedisServer:
        """Return the node that owns a key's slot."""
        return self.owner(key_slot(key.encode() if isinstance(key, str) else key))

    def migrate_slot(self, slot: int, to: RedisServer, batch: int = 10) -> Iterator[str]:
        """Move a slot with its keys as an operator would, pausing after each step for whatever a test does then.

        Yields "migrating", then "moved" after every `batch` keys, then "assigned" after each node that knows the new
        owner. To have it done at once, exhaust it with `list`; one that is left halfway is mended by `heal`.
        """
        source = self.owner(slot)
        to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", _id(source))
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", _id(to))
        yield "migrating"
        while keys := _keys_in(source, slot, batch):
            secret = ("AUTH", source.password) if source.password else ()
            source.ask("MIGRATE", HOST, to.port, "", 0, MIGRATE_TIMEOUT_MS, *secret, "KEYS", *keys)
            yield "moved"
        # The new owner first: until it knows, nobody would own the slot.
        for node in (to, *(node for node in self.nodes if node is not to)):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", _id(to))
            yield "assigned"

    def kill(self, node: RedisServer) -> None:
        """Kill a node, and wait until the others know: from then on they answer with errors for its slots."""
        node.kill()
        others = [other for other in self.nodes if other.runs]
        wait_until(lambda: all(self._fails(other, node) for other in others), "the cluster misses a node")

    @staticmethod
    def _fails(observer: RedisServer, node: RedisServer) -> bool:
        lines = str(observer.ask("CLUSTER", "NODES")).splitlines()
        return any(f":{node.port}@" in line and "fail" in line.split()[2].split(",") for line in lines)

    def heal(self) -> None:
        """Bring every node back, empty, with the slots it had at first."""
        for node in self.nodes:
            node.thaw()
            if not node.runs:
                node.start()
        for node in self.nodes:
            node.ask("FLUSHALL")
            for slot in re.findall(r"\[(\d+)-[<>]-", str(node.ask("CLUSTER", "NODES"))):
                node.ask("CLUSTER", "SETSLOT", slot, "STABLE")
        self.wait_until_agreed()
        self._bring_slots_home()

    def _bring_slots_home(self) -> None:
        home = {slot: node for node, slots in zip(self.nodes, self._home, strict=True) for slot in slots}
        moved = [
            (slot, home[slot])
            for first, last, port in self._owners(self.nodes[0])
            for slot in range(first, last + 1)
            if home[slot].port != port
        ]
        for slot, node in moved:
            list(self.migrate_slot(slot, node))
        if moved:
            self.wait_until_agreed()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _id(node: RedisServer) -> str:
    return str(node.ask("CLUSTER", "MYID"))


def _keys_in(node: RedisServer, slot: int, count: int) -> list[bytes]:
    with node.client(decode_responses=False) as client:
        keys: list[bytes] = client.execute_command("CLUSTER", "GETKEYSINSLOT", slot, count)
    return keys
