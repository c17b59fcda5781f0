"""A master, its replicas and three Sentinels that watch them."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import redis

from tests.support import redis_rights
from tests.support.certificates import Certificates
from tests.support.redis_server import HOST, RedisServer, free_port, wait_until

QUORUM = 2
DOWN_AFTER_MS = 1500
HURRIED_DOWN_AFTER_MS = 500
STAGGER_MS = 250  # between the Sentinels: those that miss a master at the same moment split the vote, and wait
FAILOVER_TIMEOUT_MS = 2000
AGREE_SECONDS = 60  # before 7.0 a master that comes back is demoted after half a minute only
# Sentinels promote no replica whose last word is older than a few periods: where the processor is shared with many,
# that takes several tries, and each comes four seconds after the last.
FAILOVER_SECONDS = 120


class RedisSentinel(RedisServer):
    """One Sentinel; what it learned stays in its file, over restarts."""

    def _command(self) -> list[str]:
        return [self.binary, str(self.folder / "sentinel.conf"), "--sentinel"]

    def watch(self, name: str, master: RedisServer, down_after_ms: int) -> None:
        """Write the configuration: to be called once, before the first start."""
        lines = [
            ["bind", HOST],
            ["port", str(self.port)],
            ["unixsocket", str(self.socket)],
            ["dir", str(self.folder)],
            ["sentinel", "monitor", name, HOST, str(master.port), str(QUORUM)],
            ["sentinel", "down-after-milliseconds", name, str(down_after_ms)],
            ["sentinel", "failover-timeout", name, str(FAILOVER_TIMEOUT_MS)],
            *([word.removeprefix("--"), value] for word, value in zip(*[iter(self.options)] * 2, strict=True)),
        ]
        if master.password:
            lines.append(["sentinel", "auth-pass", name, master.password])
        if self.password:
            lines.append(["requirepass", self.password])  # Sentinels use it between themselves too
        if self.certificates:
            lines += [list(item) for item in self._tls().items()] + [["tls-replication", "yes"]]
        (self.folder / "sentinel.conf").write_text("".join(shlex.join(line) + "\n" for line in lines))


class SentinelTrio:
    """One master, some replicas and three Sentinels with a quorum of two.

    `password` is that of the Redis servers, `sentinel_password` that of the Sentinels; `options` go to the command
    lines of the former. Methods that wait do block: in a test that also serves from its event loop, wrap them in
    `asyncio.to_thread`.
    """

    name = "events"

    def __init__(
        self,
        binary: str,
        folder: Path,
        *,
        replicas: int = 1,
        password: str = "",
        sentinel_password: str = "",
        certificates: Certificates | None = None,
        options: Sequence[str] = (),
    ) -> None:
        if certificates:
            options = (*options, "--tls-replication", "yes")
        self.servers = [
            RedisServer(
                binary,
                _made(folder / f"redis-{number}"),
                port=free_port(),
                password=password,
                certificates=certificates,
                options=(*options, "--repl-diskless-sync-delay", "0"),
            )
            for number in range(1 + replicas)
        ]
        self.sentinels = [
            RedisSentinel(
                binary,
                _made(folder / f"sentinel-{number}"),
                port=free_port(),
                password=sentinel_password,
                certificates=certificates,
            )
            for number in range(3)
        ]

    @property
    def storage_url(self) -> str:
        """The address for a storage: with a user that has the least rights."""
        scheme = "sentinels" if self.servers[0].certificates else "sentinel"
        hosts = ",".join(f"{host}:{port}" for host, port in self.addresses)
        secret = f"&sentinel_password={self.sentinels[0].password}" if self.sentinels[0].password else ""
        return f"{scheme}://{self.name}:{redis_rights.PASSWORD}@{hosts}/0?username={redis_rights.USER}{secret}"

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where the Sentinels listen."""
        return [(HOST, sentinel.port) for sentinel in self.sentinels]

    def start(self) -> None:
        try:
            self._start_servers()
            for number, sentinel in enumerate(self.sentinels):
                sentinel.watch(self.name, self.servers[0], DOWN_AFTER_MS + number * STAGGER_MS)
                sentinel.start()
                self._shorten_periods(sentinel)
            self.wait_until_agreed()
        except BaseException:
            self.stop()
            raise

    def _start_servers(self) -> None:
        # The replicas follow before a Sentinel looks: it asks a master for its replicas every ten seconds only.
        for server in self.servers:
            server.start()
        for replica in self.servers[1:]:
            replica.ask("REPLICAOF", HOST, self.servers[0].port)
        wait_until(lambda: all(_follows(replica, self.servers[0]) for replica in self.servers[1:]), "replicas follow")

    def _shorten_periods(self, sentinel: RedisSentinel) -> None:
        """Shorten the periods that have no setting, from 7.0 on: faster failovers, and soon a demotion of who returns.

        The pings come first: a Sentinel that pings as rarely as it calls a server down calls each new master down.
        """
        try:
            sentinel.ask("SENTINEL", "DEBUG", "PING-PERIOD", 200, "INFO-PERIOD", 400, "PUBLISH-PERIOD", 200)
        except redis.ResponseError:
            return
        down_after_ms = HURRIED_DOWN_AFTER_MS + self.sentinels.index(sentinel) * STAGGER_MS
        sentinel.ask("SENTINEL", "SET", self.name, "down-after-milliseconds", down_after_ms)

    def stop(self) -> None:
        for server in (*self.sentinels, *self.servers):
            server.stop()

    def master_port(self) -> int:
        """Return the port that the first living Sentinel gives."""
        sentinel = next(sentinel for sentinel in self.sentinels if sentinel.runs)
        return _master_port(sentinel, self.name)

    def master(self) -> RedisServer:
        port = self.master_port()
        return next(server for server in self.servers if server.port == port)

    def kill_master(self) -> RedisServer:
        """Kill the master; return it, for `wait_for_failover` and for its next start."""
        master = self.master()
        master.kill()
        return master

    def freeze_master(self) -> RedisServer:
        """Stop the master's process; return it, for `wait_for_failover` and to thaw it."""
        master = self.master()
        master.freeze()
        return master

    def wait_for_failover(self, old: RedisServer) -> RedisServer:
        """Return the new master, once all living Sentinels name it, see it up, and it is one."""
        wait_until(lambda: self._leads(self._agreed_master(), old), "the Sentinels fail over", FAILOVER_SECONDS)
        return self.master()

    def wait_until_agreed(self) -> None:
        """Wait until every Sentinel knows the others, one same master, and all other servers as its live replicas."""
        wait_until(self._agrees, "the Sentinels agree", AGREE_SECONDS)

    def heal(self) -> None:
        """Bring back what was killed or frozen, and wait until all is well: as replicas where another took over."""
        for server in (*self.servers, *self.sentinels):
            server.thaw()
            if not server.runs:
                server.start()
                if isinstance(server, RedisSentinel):
                    self._shorten_periods(server)
        self.wait_until_agreed()

    def _agreed_master(self) -> RedisServer | None:
        ports = {_master_port(sentinel, self.name) for sentinel in self.sentinels if sentinel.runs}
        return next((server for server in self.servers if {server.port} == ports), None)

    def _leads(self, new: RedisServer | None, old: RedisServer) -> bool:
        living = [sentinel for sentinel in self.sentinels if sentinel.runs]
        return (
            new is not None
            and new is not old
            and _role(new)[0] == "master"
            and all(_state(sentinel, self.name)["flags"] == "master" for sentinel in living)
        )

    def _agrees(self) -> bool:
        master = self._agreed_master()
        replicas = [server for server in self.servers if server is not master]
        return (
            master is not None
            and _role(master)[0] == "master"
            and all(_follows(replica, master) for replica in replicas)
            and all(self._sees_all(sentinel) for sentinel in self.sentinels)
        )

    def _sees_all(self, sentinel: RedisSentinel) -> bool:
        state = _state(sentinel, self.name)
        with sentinel.client() as client:
            replicas = client.sentinel_slaves(self.name)
            client.execute_command("SENTINEL", "CKQUORUM", self.name)  # an error where it cannot be reached
        return (
            state["flags"] == "master"
            and state["num-other-sentinels"] == len(self.sentinels) - 1
            and [replica["flags"] for replica in replicas] == ["slave"] * (len(self.servers) - 1)
            and all(replica["master-link-status"] == "ok" for replica in replicas)
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _role(server: RedisServer) -> Sequence[Any]:
    with server.client() as client:
        role: Sequence[Any] = client.role()
    return role


def _follows(replica: RedisServer, master: RedisServer) -> bool:
    role = _role(replica)
    return role[0] == "slave" and int(role[2]) == master.port and role[3] == "connected"


def _state(sentinel: RedisSentinel, name: str) -> Mapping[str, Any]:
    with sentinel.client() as client:
        state: Mapping[str, Any] = client.sentinel_master(name)
    return state


def _master_port(sentinel: RedisSentinel, name: str) -> int:
    with sentinel.client() as client:
        address = client.sentinel_get_master_addr_by_name(name)
    return int(address[1])
